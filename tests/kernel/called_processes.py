"""Functions that tests call on targets for what becomes of a process: children, forks, limits, crashes. Python 3.6."""

import os
import signal
import sys
import threading
import time

from tests.kernel.called_waiting import touch
from tests.kernel.forking import in_fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def kernels_started() -> "list[int]":
    """The pids of the kernels that this one has started, once they are up."""
    import remotesvc

    router = remotesvc.current().router
    numbers = [number for number in list(router.links) if number is not None]  # one may end while another is waited for
    return [router.tree().ledger.start_of(number).wait()["pid"] for number in numbers]


def spawn_sleep(own_session: bool = False, path: str = "") -> int:
    import subprocess

    process = subprocess.Popen(
        ["sleep", "300"], start_new_session=own_session, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if path:
        with open(path, "w") as file:
            file.write(str(process.pid))
    return process.pid


def spawn_and_wait(path: str) -> None:
    """A subprocess, and a call that lasts as long as it; its pid goes to the file."""
    import subprocess

    process = subprocess.Popen(["sleep", "300"])
    with open(path + ".part", "w") as file:
        file.write("%d %d" % (os.getpid(), process.pid))  # noqa: UP031
    os.rename(path + ".part", path)
    process.wait()


def surroundings() -> "dict[str, Any]":
    mask = os.umask(0o77)
    os.umask(mask)
    return {
        "cwd": os.getcwd(),
        "env": os.environ.get("REMOTESVC_TEST_OPTION"),
        "umask": mask,
        "nice": os.nice(0),
        "pid": os.getpid(),
    }


def die(how: str, path: str = "") -> None:
    """End the process the hard way, or nearly."""
    if path:
        touch(path)
    if how == "exit":
        os._exit(7)
    import signal

    os.kill(os.getpid(), getattr(signal, how))
    threading.Event().wait(60)  # a signal may come a moment later


def abort() -> None:
    os.abort()


def fork_that(does: str) -> int:
    """Fork; the fork returns, raises or exits, and what came of it is returned: its exit status, or minus a signal."""
    fork = os.fork()
    if fork:
        status = os.waitpid(fork, 0)[1]
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if does == "raise":
        raise ValueError("in the fork")
    if does == "exit":
        sys.exit(5)
    if does == "exit with a word":
        sys.exit("a last word")
    return 99


def fork_that_is_terminated(handles: bool) -> int:
    """A fork that is sent SIGTERM: its exit status, or minus the signal. `handles`: it exits with 7 then."""
    if handles:  # on the main thread
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    reading, writing = os.pipe()
    fork = os.fork()
    if not fork:
        os.write(writing, b".")
        while True:
            time.sleep(1)
    os.read(reading, 1)
    os.kill(fork, signal.SIGTERM)
    status = os.waitpid(fork, 0)[1]
    os.close(reading)
    os.close(writing)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def fork_between_items() -> "Iterator[Any]":
    """The fork, too, comes to the end of this generator."""
    yield "before"
    yield fork_that("return")


def leave_a_fork() -> int:
    """Start a fork that lives on, as processes of multiprocessing are on many Pythons; returns its pid."""
    fork = os.fork()
    if not fork:
        time.sleep(120)
        os._exit(0)
    return fork


def segfault() -> None:
    import ctypes
    import faulthandler

    faulthandler.disable()
    ctypes.string_at(0)


def hold_gil(path: str, seconds: int) -> int:
    """Sleep in C without letting any other thread run."""
    import ctypes

    touch(path)
    ctypes.PyDLL(None).sleep(seconds)
    return seconds


def memory() -> int:
    """Our resident set, in KiB."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise LookupError("VmRSS")


def allow_open_files(more: int) -> int:
    """Limit this process so that it can open so many files more; returns the limit."""
    import resource

    here = set(map(int, os.listdir("/proc/self/fd")))
    free = [number for number in range(4096) if number not in here]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[more], resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return free[more]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def forbid_threads() -> None:
    """From now on this process can start none, as on a host that has no more room for them."""
    import _thread
    import threading

    def refuse(*args: "Any", **kwargs: "Any") -> None:
        raise RuntimeError("can't start new thread")

    for module, name in ((threading, "_start_new_thread"), (threading, "_start_joinable_thread"),
                         (_thread, "start_new_thread")):
        if hasattr(module, name):
            setattr(module, name, refuse)


def allow_generators(count: int) -> None:
    """So many may be open here at once."""
    from remotesvc.bootstrap.calls import unfold
    unfold.MAX_OPEN = count


def children() -> "list[int]":
    """The pids of this process's children."""
    pids = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open("/proc/self/task/" + task + "/children") as file:
                pids += [int(pid) for pid in file.read().split()]
        except FileNotFoundError:  # a thread that has ended: its children are another's now
            return children()
    return pids


def waits_in_fork(limit: int) -> "list[str]":
    """What waiting raises in a fork: of a call and a message that come to this process."""
    import remotesvc

    with remotesvc.current().router.tree().local() as below:
        future, receiver = below.submit("time:sleep", limit), remotesvc.Receiver()
        acts = future.result, future.cancel, receiver.get, remotesvc.Select([receiver, future]).get
        raised = [in_fork(act, limit // 2) for act in acts]
        future.cancel()
        return raised
