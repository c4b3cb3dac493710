"""Enums, namedtuples and dataclasses that methods of services take."""

from __future__ import annotations

import pytest

from remotesvc import Router
from tests import interpreters
from tests.interpreters import Interpreter
from tests.kernel import served_shapes, shapes

pytest_plugins = ("tests.kernel.call_fixtures",)


@pytest.mark.parametrize("interpreter", interpreters.found(), ids=str)
def test_what_annotations_name_arrives_each_time(router: Router, interpreter: Interpreter) -> None:
    """From the second call on, a call without keywords leaves that part out."""
    service = router.local(python=interpreter.path).service(served_shapes.Shapes)
    point = shapes.Point(1, 2)
    for _ in range(3):
        assert service.colour(shapes.Colour.RED)
        assert service.colour(colour=shapes.Colour.RED)
        assert service.point(point) == [True, True]
        assert service.point(point, shapes.Colour.RED) == [True, False]
        assert service.point(point, colour=shapes.Colour.RED) == [True, False]
        if interpreter.version >= (3, 7):
            assert service.disk(shapes.Disk("sda", 7)) == 7
