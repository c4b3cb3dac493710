"""A small Kubernetes API server for tests: it knows pods, and runs what the real kubectl asks it to run in them."""
