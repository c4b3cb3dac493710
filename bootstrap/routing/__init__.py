"""The tree of contexts: who is where, and who may speak for whom."""
