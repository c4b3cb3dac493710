"""Calls: asking, running, answering."""
