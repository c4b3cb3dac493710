"""Tests over real links, processes, environments and SSH servers."""
