"""Servers that turn us away because too many connect at once: how they say so, and how often to try again."""

RETRIES = 3
"""Further attempts if a server closes the connection before its greeting, without a word: it may have no room, but
also have banned us."""

PATIENCE = 0.5
"""The part of the time for connecting for which a server is asked again that says it has no room. Others are on their
way in, and those of ours need the other part to get in after them."""

MOST_PATIENCE = 60.0
"""Seconds of that at most, however long connecting may take."""

LONGEST_PAUSE = 2.0
"""Seconds between two attempts at most; a random part of it, so that those who were refused together do not come
again together."""

BUSY, BANNED = "Exceeded MaxStartups", "Not allowed at this time"
"""What OpenSSH's server says in place of a greeting."""


def patient_until(started: float, deadline: float) -> float:
    """Until when a server is asked again that says it has no room."""
    return started + min((deadline - started) * PATIENCE, MOST_PATIENCE)
