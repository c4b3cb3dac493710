"""What the code of users prints and logs."""
