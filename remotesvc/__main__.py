"""`python -m remotesvc` is the `remotesvc` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command and return its exit code; Ctrl-C while the command is still being imported is one, too."""
    try:
        from remotesvc.cli import main as command
    except KeyboardInterrupt:
        return 130
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
