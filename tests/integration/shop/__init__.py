"""A package with parts and data files, for tests that send it to hosts of any Python from 3.6 on."""

from . import money

CURRENCY = money.NAME
