"""Fixtures: an inventory of this machine under four names, and a fleet over it. A test module takes them with

pytest_plugins = ("tests.integration.fleet_fixtures",)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remotesvc import Fleet

INVENTORY = """\
[web]
web[1:3] ansible_connection=local
[db]
db1 ansible_connection=local colour=blue ansible_password=secret
[all:vars]
colour=red
"""


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(INVENTORY)
    return path


@pytest.fixture(name="fleet")
def fixture_fleet(inventory: Path) -> Iterator[Fleet]:
    with Fleet("all", inventory=inventory) as fleet:
        yield fleet
