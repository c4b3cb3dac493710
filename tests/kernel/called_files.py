"""Functions that tests of transfers call on targets, of any Python from 3.6 on."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def limit_file_size(size: int) -> None:
    """From now on a file of this process may not be larger: as a disk that is full."""
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def damage_what_is_sent() -> None:
    """Files sent from here arrive with another last byte than was hashed."""
    from remotesvc.files.outflow import Outflow
    send = Outflow.send

    def damaged(self: "Any", body: "Any", flags: int = 0) -> None:
        if len(body) > 10000:
            body[-1] ^= 1
        send(self, body, flags)

    Outflow.send = damaged  # type: ignore[method-assign]


def stop_sending() -> None:
    """Files sent from here begin, and then nothing more comes."""
    import remotesvc
    from remotesvc.files.outflow import Outflow

    def send(self: "Any", body: "Any", flags: int = 0) -> None:
        remotesvc.current().wait(60)

    Outflow.send = send  # type: ignore[method-assign]


def write_slowly() -> None:
    """Files received here take half a second a message."""
    import time

    from remotesvc.files.landing import Landing
    write = Landing.write

    def slow(self: "Any", view: "Any") -> None:
        time.sleep(0.5)
        write(self, view)

    Landing.write = slow  # type: ignore[method-assign]


def open_files() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def transfers_over() -> bool:
    """Has every generator here ended? Those that send and receive are, and close what they have open at their end."""
    import threading
    return not any(thread.name == "remotesvc-generator" for thread in threading.enumerate())


def peak_memory() -> int:
    """The most KiB this process has occupied."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def push_to_own_child(source: str, target: str) -> int:
    """Start a child here and push a tree to it; returns the number of files."""
    import remotesvc
    with remotesvc.current().router.tree().local() as child:
        files: int = child.push(source, target).files
    return files


def fetch(path: str, out: str) -> "Any":
    """Fetch a file from the master's FileService; returns its metadata."""
    from remotesvc.files.fileservice import FileService
    from remotesvc.service import master
    return FileService.get(master(), path, out)[1]


def allow_transfers(count: int) -> None:
    """So many files may be on their way from here at once."""
    from remotesvc.files import fileservice
    fileservice.MAX_TRANSFERS = count


def fetch_and_fail(path: str) -> None:
    """Fetch a file into an object that cannot take it."""
    from remotesvc.files.fileservice import FileService
    from remotesvc.service import master

    class Broken(object):  # noqa: UP004
        def write(self, data: bytes) -> int:
            return 1 // 0

    FileService.get(master(), path, Broken())


def register_at_master(path: str) -> None:
    """Try to have the master let out a file."""
    from remotesvc.files.fileservice import FileService
    from remotesvc.service import master
    master().call_service(FileService, "register", path)


def pushed_content(path: str, timeout: float) -> "Any":
    """What was pushed here under a path."""
    from remotesvc.files.pushed import PushFileService
    from remotesvc.service import call
    return call(PushFileService, "get", path, timeout)


def push_to_master(path: str) -> None:
    """Try to push upward."""
    from remotesvc.files.pushed import PushFileService
    from remotesvc.service import master
    master().call_service(PushFileService, "store", path, b"", b"")


def forget_pushed() -> None:
    """What was pushed here is dropped, as if there had been too much."""
    from remotesvc.files.contents import Contents
    from remotesvc.files.pushed import PushFileService
    from remotesvc.service import current_pool
    service = current_pool().get_service(PushFileService)
    service._contents = Contents()


def pull_what_never_comes(source: str, note: str) -> None:
    """Pull a file of a child of this context, which sends nothing of it; how that ended is noted."""
    import remotesvc
    with remotesvc.current().router.tree().local() as child:
        child.call(stop_sending)
        with open(note + ".begun", "w"):
            pass
        try:
            child.pull(source, note + ".copy")
        except BaseException as error:
            with open(note + ".tmp", "w") as file:
                file.write(f"{type(error).__name__}: {error}")
            os.rename(note + ".tmp", note)
            raise


class Untaken(object):  # noqa: UP004
    """A mailbox that gives no room back."""

    source = 0

    def __init__(self, router: "Any") -> None:
        self.begun = False
        self.handle = router.open(self)

    def on_message(self, message: "Any") -> None:
        self.begun = True

    def on_closed(self, error: BaseException) -> None:
        pass


def hoard(path: str, count: int) -> "list[str]":
    """Begin to fetch a file of the master's many times and take nothing of it; returns why some were refused."""
    import remotesvc
    from remotesvc.files.fileservice import FileService
    from remotesvc.service import master

    call, refused = remotesvc.current(), []
    for _ in range(count):
        mailbox = Untaken(call.router)
        future = master().call_service_async(FileService, "fetch", path, mailbox.handle)
        while not mailbox.begun and not future.done():
            call.wait(0.005)
        if future.done():
            refused.append(str(future.exception()))
    return refused


def open_below(directory: str) -> "list[str]":
    """What this process has open below a directory."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink("/proc/self/fd/" + number)
        except OSError:  # the one that listed them
            continue
        if path.startswith(directory + "/"):
            found.append(path)
    return found


def unlink_nothing() -> None:
    """From now on no file can be removed here."""
    def refuse(name: "Any", *args: "Any", **options: "Any") -> None:
        raise PermissionError(13, "Permission denied", name)

    os.unlink = refuse  # type: ignore[assignment]
