"""What the user and ssh_config say of a host."""
