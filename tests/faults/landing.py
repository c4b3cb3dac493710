"""Receives a file or a tree in a process of its own, for strace to interfere with or to count: SRC DST DURABLE."""

import os
import sys

sys.path.insert(0, os.getcwd())

from remotesvc.files.destination import file_sink, finish_of, tree_sink
from remotesvc.files.filters import Filter
from remotesvc.files.offers import Offers
from remotesvc.files.origin import open_path
from remotesvc.files.sink import Bounds
from remotesvc.files.source import Sending


def main(source: str, target: str, durable: bool) -> None:
    origin = open_path(source, "keep", Filter())
    finish = finish_of({"durable": durable})
    sink = (tree_sink(target, b"", finish, False, Bounds(max_files=100), True) if origin.kind == "tree" else
            file_sink(target, b"", None, finish, Bounds()))
    sending = Sending("off")
    try:
        offers = sink.offers()
        if offers:
            sending.go_on(Offers(offers))
        for message in origin.messages(sending):
            sink.take(bytes(message))
        sink.complete()
    finally:
        sink.close(False)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3] == "yes")
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
