"""Servers that turn us away because too many connect at once: how they say so, and how often to try again."""

RETRIES = 3
"""Further attempts if a server closes the connection before its greeting. A MaxStartups that is still exceeded then
is no passing matter."""

LONGEST_PAUSE = 2.0
"""Seconds between two attempts at most; a random part of it, so that those who were refused together do not come
again together."""

BUSY, BANNED = "Exceeded MaxStartups", "Not allowed at this time"
"""What OpenSSH's server says in place of a greeting."""
