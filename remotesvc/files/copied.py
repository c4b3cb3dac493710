"""What a transfer did."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List


class Copied(object):
    """The outcome of one transfer.

    path          where it went, on the machine that received it; "" for an object of yours
    files, links, directories  how many there are
    bytes         of content
    sent          bytes of content that crossed the link, compressed or not; less than ``bytes`` after a resume
    wire          bytes of the messages that carried it
    resumed       bytes that were there already
    skipped       entries that are neither file, directory nor link, and links that lead out of the tree
    skipped_names the first hundred of them
    deleted       entries that ``sync`` removed, a directory with all it holds counting as one
    unchanged     files that ``sync`` found equal
    changed_names, deleted_names  what ``sync`` sent and removed, or would have; the first ten thousand
    digest        sha256 of a single file in hexadecimal, "" for a tree
    seconds       the whole took
    """

    __slots__ = ("path", "files", "links", "directories", "bytes", "sent", "wire", "resumed", "skipped",
                 "skipped_names", "deleted", "unchanged", "changed_names", "deleted_names", "digest", "seconds")

    def __init__(self, **values: "Any") -> "None":
        self.path = ""
        self.files = self.links = self.directories = self.bytes = self.sent = self.wire = self.resumed = 0
        self.skipped = self.deleted = self.unchanged = 0
        self.skipped_names: "List[str]" = []
        self.changed_names: "List[str]" = []
        self.deleted_names: "List[str]" = []
        self.digest = ""
        self.seconds = 0.0
        for name, value in values.items():
            setattr(self, name, value)

    def as_data(self) -> "Dict[str, Any]":
        """All of it as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __repr__(self) -> "str":
        shown = ["%s=%r" % (name, getattr(self, name)) for name in self.__slots__ if getattr(self, name)]
        return "<Copied %s>" % " ".join(shown)
