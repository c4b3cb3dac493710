"""What has no name that others could find, pickled: as bytecode for the same Python, as source for another (zone P)."""

DEFINITION = "definition"
"""The kind of a request, beside those for modules, for the definition of code that came as bytecode; see `sent`."""
