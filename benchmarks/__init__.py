"""Benchmarks: each figure beside the peer it is promised against, both in one run."""
