"""Turning a byte path into a context: the bundle that is sent, the start that is waited for (zone P)."""
