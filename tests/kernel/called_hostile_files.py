"""What a hostile target says in transfers, in place of what ours does: called there, on any Python from 3.6 on."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def answer(module: str, function: str, *said: "Any") -> None:
    """``remotesvc.files.MODULE:FUNCTION`` is a generator that says this and ends."""
    import importlib

    def hostile(*args: "Any") -> "Any":
        yield from said

    setattr(importlib.import_module("remotesvc.files." + module), function, hostile)


def answer_once(package: str, function: str, value: "Any") -> None:
    """``remotesvc.MODULE:FUNCTION`` is no generator and returns this."""
    import importlib

    setattr(importlib.import_module("remotesvc." + package), function, lambda *args: value)


def sign(seconds: float) -> None:
    """The checksums of each file take so long, and are right then."""
    import remotesvc
    from remotesvc.files import mirror
    signature = mirror._signature

    def slow(*args: "Any") -> bytes:
        remotesvc.current().wait(seconds)
        return signature(*args)

    mirror._signature = slow  # type: ignore[assignment]


def send_a_file(*said: "Any", whole: bool = True) -> None:
    """One byte is sent as it should be, after the first and before the rest of these answers; or it never ends."""
    import hashlib

    import remotesvc
    from remotesvc.files import records, send
    from remotesvc.files.outflow import Outflow

    def hostile(request: "Any") -> "Any":
        call, packer = remotesvc.current(), records.Packer()
        yield said[0]
        packer.add(records.FILE, records.file_head(0o644, 0, 1, 0), b"s")
        packer.add(records.DATA, b"a")
        if not whole:
            packer.flush()
        packer.add(records.END, hashlib.sha256(b"a").digest())
        packer.add(records.DONE, records.DONE_HEAD.pack(1, 1))
        packer.flush()
        outflow = Outflow(call.router, call.caller, request["handle"], 60.0, None, lambda: call.cancelled)
        for message in packer.take():
            outflow.send(message)
            if not whole:
                call.wait(60)
        outflow.finish()
        yield from said[1:]

    send.send = hostile
