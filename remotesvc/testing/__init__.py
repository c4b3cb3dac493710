"""What tests need, ours and yours: byte paths and trees of contexts in memory, an SSH server, example tasks."""
