"""A module whose imports a minimal Python lacks in part: at the top, in a function, and by way of another module."""

import argparse

from tests.kernel import called

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parsed(words: "Any") -> "Any":
    """Uses modules of the standard library that Debian's python3-minimal does not have."""
    import json
    import uuid

    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int)
    number = called.add(parser.parse_args(words).number, 1)
    return json.dumps({"number": number, "id": str(uuid.UUID(int=number))})
