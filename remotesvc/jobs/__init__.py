"""Detached jobs: calls that go on when the connection and the master are gone; their results are fetched later."""
