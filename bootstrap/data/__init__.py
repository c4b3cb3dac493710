"""Values to bytes and back: the closed codec."""
