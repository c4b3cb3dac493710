"""The first code on a target: find the bundle on stdin, unpack it, start the kernel.

Python 2 has to compile it, for it tells that a Python is too old. Its ``argv`` is in `launch/bundle.py`.
"""
import os
import sys

PREAMBLE = b"RSVCBOOT"
LONGEST_NOISE = 65536  # bytes skipped in search of it
OWN_LIMIT = 60  # seconds until a start that nobody finishes ends by itself; then as many as the parent says


def say(what, status=0):
    # type: (str, int) -> None
    os.write(1, ("\n<remotesvc:%s>\n" % what).encode("utf-8", "replace"))
    if status:
        os._exit(status)


def read(size):
    # type: (int) -> bytes
    # Never more than asked for: the frames behind the bundle are the kernel's.
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            say("ended after %d of %d bytes" % (len(data), size), 88)
        data += piece
    return data


def again(python, end):
    # type: (str, int) -> None
    os.execvp(python, [python, "-BESsc", sys.argv[3]] + sys.argv[1:end])


def start():
    # type: () -> None
    if sys.version_info < (3, 6):
        say("old %s is %d.%d" % ((sys.executable,) + sys.version_info[:2]))
        while sys.argv[4:]:
            each = sys.argv.pop(4)
            try:
                again(each, 99)
            except OSError:
                pass
        os._exit(86)
    if sys.getfilesystemencoding() == "ascii":
        os.environ["LC_CTYPE"] = "C.UTF-8"  # as 3.7 does by itself
        if sys.argv[3:]:
            again(sys.executable, 3)
        del os.environ["LC_CTYPE"]
    import _signal  # type: ignore[import-not-found]  # what signal wraps, without its enums
    import binascii
    import zlib
    _signal.alarm(OWN_LIMIT)
    os.set_blocking(0, True)  # a sudo that logs its sessions leaves it otherwise
    # A profile that reads stdin has eaten lines: those sent ahead for it. Whatever is left of them is skipped.
    head, skipped = read(8), 0
    while head != PREAMBLE:
        skipped += 1
        if skipped > LONGEST_NOISE:
            say("damaged", 87)
        head = head[1:] + read(1)
    marker = read(16)
    size, limit = [int.from_bytes(read(4), "big") for _ in range(2)]
    _signal.alarm(limit)
    # This text is the bundle's dictionary: what both say is sent once.
    bundle = zlib.decompressobj(15, zlib.decompress(binascii.a2b_base64(sys.argv[2])))
    data = read(size)
    try:
        text = bundle.decompress(data)
    except zlib.error as error:
        say("damaged %s" % error, 87)
    if not bundle.eof:
        say("damaged", 87)
    # The first module of the bundle finds the others.
    listing, _, rest = text.partition(b"\n\n")
    finder = sys.modules["remotesvc.bootstrap.finder"] = type(sys)("remotesvc.bootstrap.finder")
    source = rest[:int(listing.split()[2])]
    exec(compile(source, "/proc/remotesvc:/remotesvc/bootstrap/finder.py", "exec"), vars(finder))
    finder.install(text)
    from remotesvc.bootstrap.entry import main
    main(marker, read)


if __name__ == "__main__":
    start()
