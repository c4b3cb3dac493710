"""A part that needs the standard library, some of which a minimal Python lacks."""

NAME = "EUR"


def total(*amounts: int) -> str:
    return "%d %s" % (sum(amounts), NAME)  # noqa: UP031
