"""Messages between contexts, and waiting for them: receivers, senders, channels, latches, selects."""
