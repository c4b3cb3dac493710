"""Files over the links that are there: pushed, pulled and kept in step, whole and verified (zone P)."""
