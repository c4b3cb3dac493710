"""Calling functions in other contexts: from a function and its arguments to its outcome (zone P)."""
