"""Is this the host it should be?"""
