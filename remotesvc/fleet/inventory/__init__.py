"""Which hosts there are: read from the files, scripts and lists people already have.

`load` makes one Inventory of any number of sources; `model` says what an inventory is, each other module reads one
format.
"""

from __future__ import annotations

from .load import load
from .model import HostEntry, Inventory, InventoryError

__all__ = ["HostEntry", "Inventory", "InventoryError", "load"]
