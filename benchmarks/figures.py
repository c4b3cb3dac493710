"""The table of a run: what was promised, and what was measured."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

import paramiko


@dataclass
class Figure:
    """One row. `figure` is the promise in numbers, `measured` what came out, its unit included."""

    promise: str
    figure: str
    measured: str
    test: str


class Figures:
    """The figures of one run, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: list[Figure] = []

    def table(self) -> list[str]:
        """The rows as lines of text in columns."""
        cells = [("promise", "figure", "measured")] + [(row.promise, row.figure, row.measured) for row in self.rows]
        widths = [max(len(line[column]) for line in cells) for column in range(2)]
        return [f"{first:<{widths[0]}}  {second:<{widths[1]}}  {third}" for first, second, third in cells]

    def write(self, file: Path) -> None:
        """The rows as a table in markdown."""
        lines = [f"Measured on {machine()}.", "", "| promise | figure | measured | command |", "|---|---|---|---|"]
        for row in self.rows:
            name = row.test.partition("::")[2]
            lines.append(f"| {row.promise} | {row.figure} | {row.measured} | `tox -e bench -- -k {name}` |")
        file.write_text("\n".join(lines) + "\n")


def machine() -> str:
    """The machine in words that name nobody."""
    return (f"{os.cpu_count()} cores shared by both ends and the SSH server, {platform.system()} {platform.machine()}, "
            f"{platform.python_implementation()} {'.'.join(map(str, sys.version_info[:3]))}, "
            f"paramiko {paramiko.__version__}")
