"""The kernel as children run it: in every interpreter found on this machine, 3.6 and up."""
