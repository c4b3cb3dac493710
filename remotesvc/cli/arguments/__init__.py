"""The words behind a function on the command line: what it takes, read from its source, and what they come to."""
