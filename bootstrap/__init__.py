"""The kernel: sent to every child before anything else, and run by the master from these same files."""
