"""From a name to a byte path: sockets, jump hosts, channels."""
