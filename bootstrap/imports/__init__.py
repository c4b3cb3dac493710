"""Modules from the parent."""
