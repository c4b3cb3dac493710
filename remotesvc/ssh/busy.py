"""What a server does to those who come at the same time as many others, and how often it is asked again."""

RETRIES = 3
"""Further attempts if a server closes the connection before its greeting. A MaxStartups that is still exceeded then
is no passing matter."""

LONGEST_PAUSE = 2.0
"""Seconds between two attempts at most; a random part of it, so that those who were refused together do not come
again together."""

BUSY, BANNED = "Exceeded MaxStartups", "Not allowed at this time"
"""What OpenSSH's server says in place of a greeting."""
