"""All cases; as a program (`run.py ROOT`) it runs them in the Python it is run by, and prints what it ran."""

import sys

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from remotesvc.bootstrap.failures.describe import describe
from tests.failures import chains, contents, hostile, rude, shapes, sources, users

CASES = {name: case for module in (shapes, contents, chains, rude, sources, users, hostile)
         for name, case in vars(module).items() if name.startswith("case_")}


def main() -> None:
    costly = {"traceback", "linecache", "typing", "concurrent", "logging"}
    before = costly & set(sys.modules)
    try:
        raise ValueError("x")
    except ValueError as error:
        describe(error)
    assert costly & set(sys.modules) == before, "a failing call on a cold child should not pay for these"
    for name, case in CASES.items():
        print(name, flush=True)
        case()


if __name__ == "__main__":
    main()
