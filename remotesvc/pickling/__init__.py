"""What has no name that others could find, pickled: as bytecode for the same Python, as source for another (zone P)."""
