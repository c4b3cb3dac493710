"""A module that is being imported on a target until another call is there, and a little longer. Python 3.6."""

import time

from remotesvc.bootstrap.calls.current import running

call = running()
end = time.monotonic() + 10
while call is not None and len(call.router.dispatcher.running) < 2 and time.monotonic() < end:
    time.sleep(0.01)
if call is not None:
    time.sleep(0.3)


class Late:
    pass


def name_of(kind: type) -> str:
    return kind.__name__
