"""A service whose methods take classes of ours."""

import sys

from remotesvc.service import Service, expose
from tests.kernel import shapes
from tests.kernel.shapes import Colour, Point


class Shapes(Service):
    """Says what its arguments are."""

    @expose()
    def colour(self, colour: Colour) -> bool:
        return colour is Colour.RED

    @expose()
    def point(self, point: Point, colour: Colour = Colour.BLUE) -> "list[bool]":
        return [type(point) is Point, colour is Colour.BLUE]

    if sys.version_info >= (3, 7):  # noqa: UP036

        @expose()
        def disk(self, disk: shapes.Disk) -> int:
            return disk.size + (type(disk) is not shapes.Disk)
