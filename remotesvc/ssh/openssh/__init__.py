"""SSH by the installed `ssh` program."""
