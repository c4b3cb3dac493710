"""One function on many hosts, and a report of what came back: `python fleet_report.py inventory 'web:&prod'`.

Without arguments it makes an inventory of five hosts of its own: all are processes on this machine, one does not have
the directory that it is asked about, and one cannot be reached. Equal answers are shown once, and each host that has
none is told with its error.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from typing import Any

import remotesvc

HOSTS = """
[web]
n[1:5] ansible_connection=local data=/
n3 data=/nonexistent
n5 ansible_python_interpreter=/nonexistent/python

[web:vars]
unit=1048576
"""


def report(host: remotesvc.Host) -> dict[str, Any]:
    """On each host: what it runs, and whether the directory that the inventory names has room."""
    free = shutil.disk_usage(host.variables["data"]).free
    return {"system": platform.system(), "data": host.variables["data"], "has room": free > host.variables["unit"]}


def main(inventory: str, pattern: str) -> int:
    with remotesvc.Fleet(pattern, inventory=inventory, forks=20, connect_timeout=20) as fleet:
        results = fleet.run(report)
    for names, outcome in results.fold():
        if outcome.ok:
            print(f"{names}: {outcome.value}")
    for host, outcome in {**results.failed, **results.unreachable}.items():
        print(f"{host}: {outcome.status}, {type(outcome.error).__name__}")
    try:
        results.raise_for_errors()
    except remotesvc.FleetError as error:
        print(error.args[0])
        return 1
    print("all is fine")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        sys.exit("usage: fleet_report.py [INVENTORY PATTERN]")
    if len(sys.argv) > 2:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(HOSTS)
        file.flush()
        main(file.name, "web")
