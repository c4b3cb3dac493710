"""Bytes to neighbours: frames, credit, and the links that carry them."""
