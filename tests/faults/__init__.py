"""Faults produced on purpose: broken networks, frozen and killed targets, hosts that are short of something.

Each test names its case in the table of docs/faults.md; docs/testing.md tells how they are made.
"""
