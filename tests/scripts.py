"""Programs that tests write: scripts that stand for a Python, an ssh, a doas."""

from __future__ import annotations

from pathlib import Path


def shell_script(path: Path, body: str) -> Path:
    """Make `path` a program that runs `body` with /bin/sh, and return it."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
