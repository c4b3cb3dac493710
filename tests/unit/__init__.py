"""Pure tests: values in, values out; no socket, process, thread or clock."""
