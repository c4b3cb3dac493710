"""The kernel's start in a child: descriptors, configuration, HELLO, then work until the parent is gone."""
import marshal
import os
import sys

from .calls.dispatcher import Seat
from .child import ChildRouter
from .data import codec
from .errors import WireError
from .links import wire
from .links.stdio import FdPath
from .output.outlet import Outlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict


def main(marker: "bytes", read: "Callable[[int], bytes]") -> "None":
    """Become a context on the main thread. ``marker`` tells our frames from a profile's noise, ``read`` reads stdin."""
    decoder = wire.Decoder()
    header = read(wire.SIZE)
    frames = decoder.feed_untrusted(header + read(wire.HEADER.unpack(header)[-1]))
    null = os.open(os.devnull, os.O_RDWR)
    ends = os.dup(0), os.dup(1)
    os.dup2(null, 0)
    if null > 2:  # stderr was open
        os.close(null)
    if os.getpgrp() != os.getpid():
        os.setsid()
    if not frames or frames[0].kind != wire.CONFIG:
        raise WireError("the configuration did not come first")
    router = ChildRouter(marshal.loads(frames[0].payload), sys.meta_path[0], os.dup(2))
    router.ends = ends
    path = FdPath(*ends)
    link = router.attach(path, None)
    link.lost_after = link.busy_lost_after = router.config["lease"]
    link.ping_after = router.config["lease"] / 4
    hello = wire.Frame(wire.HELLO, payload=codec.encode(hello_data()).data).pack()
    link.flight.sent = len(hello)
    link.write([marker, hello])
    # Not before: why a start failed stands in stderr.
    router.outlet = Outlet(lambda: router.more().capture())
    # A fork cannot ask for it.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=router.outlet.capture)
    else:  # 3.6
        fork = os.fork
        os.fork = lambda: router.outlet.capture().fork(fork)
    router.finder.fallback = router.find_spec
    # Our handler comes with `logging`, which takes a cold child 10 ms; and so on.
    for name in ("logging", "importlib.metadata"):
        router.finder.watched[name] = lambda name: router.more().imported(name)
    import _signal  # type: ignore[import-not-found]
    import faulthandler
    faulthandler.enable(router.stderr, False)  # last words
    _signal.alarm(0)
    # Also when it is ours, to our group: it ends us in good order.
    _signal.signal(_signal.SIGTERM, lambda *_: router.on_orphaned("terminated"))
    try:
        path.start(link.feed, link.fail)
    except RuntimeError as error:  # no more threads; its traceback would wait for a capture that nobody brings
        router.on_orphaned(str(error))
    router.dispatcher.serve(Seat(True))
    from .shutdown import finish
    finish(router)


def hello_data() -> "Dict[str, Any]":
    """What a parent wants to know of us first."""
    from _frozen_importlib_external import MAGIC_NUMBER
    return {"version": list(sys.version_info[:3]), "magic": MAGIC_NUMBER, "platform": sys.platform,
            "pid": os.getpid(), "hostname": os.uname()[1], "executable": sys.executable, "uid": os.getuid()}
