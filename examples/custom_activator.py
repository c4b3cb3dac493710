"""An activator of one's own: services have names of our choosing, and only those in a list may come up.

    python custom_activator.py               a process on this machine asks for them
    python custom_activator.py docker:web1   one in a container does

By default a service is named after its class and any parent may start any service it can import. Here targets know them
as "clock/v1" and the like, whatever their classes are called today.
"""

from __future__ import annotations

import datetime
import sys

import remotesvc
from remotesvc.service import Activator, AllowAny, Pool, Service, ServiceInactive, ServiceRefused, expose, master


class Clock(Service):
    """Tells the time of the master."""

    @classmethod
    def name(cls) -> str:
        return "clock/v1"

    @expose(policy=AllowAny())
    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.timezone.utc)


class Catalogue(Activator):
    """Starts what is in its table, for anyone: the names are ours, so nobody chooses a class by its path."""

    services = {"clock/v1": Clock}

    def may_activate(self, name: str, caller: object) -> bool:
        return True

    def find(self, name: str, router: object) -> type[Service]:
        try:
            return self.services[name]
        except KeyError:
            raise ServiceInactive(f"there is no {name} here; there are: {', '.join(self.services)}") from None


class CataloguePool(Pool):
    """A pool whose services come from the catalogue."""

    activator_class = Catalogue


def drift() -> float:
    """On a target: seconds between its clock and the master's."""
    ours = datetime.datetime.now(datetime.timezone.utc)
    theirs: datetime.datetime = master().call_service("clock/v1", "now")
    return abs((theirs - ours).total_seconds())


def ask(name: str) -> str:
    """On a target: call a service of the master by name."""
    try:
        return str(master().call_service(name, "now"))
    except ServiceRefused as error:
        return f"refused: {error.message}"


if __name__ == "__main__":
    with remotesvc.Router() as router, CataloguePool(router) as pool:
        context = router.connect(sys.argv[1] if len(sys.argv) > 1 else "local:")
        print("the clocks differ by less than a minute:", context.call(drift) < 60)
        print("active:", [each["service"] for each in pool.statistics()])
        for name in ("clock/v2", "subprocess.Popen"):
            print(context.call(ask, name))
