"""Exceptions as data, and what callers see of them."""
