"""The frames of a remote traceback and their source lines."""

import os
import tempfile

from remotesvc.bootstrap.failures import describe as limits
from remotesvc.bootstrap.failures.describe import describe
from remotesvc.bootstrap.failures.rebuild import rebuild
from tests.failures import common
from tests.failures.common import printed, raised, round_trip, usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def case_source_lines() -> None:
    error = round_trip(raised(ValueError("x")))
    (frame,) = error.frames
    assert os.path.samefile(frame[0], common.__file__)
    assert frame[2:] == ("raised", "raise exc")
    assert 'File "' in error.render() and "    raise exc" in error.render()


def case_frames_of_files_that_must_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as directory:
        fifo, large, gone = (os.path.join(directory, name) for name in ("fifo", "large", "gone"))
        os.mkfifo(fifo)
        with open(large, "wb") as file:
            file.write(b"line\n" * (limits.FILE_SIZE // 4))
        for name in (fifo, large, gone, directory, "relative.py", "<string>", "/proc/remotesvc:/x.py"):
            try:
                exec(compile("1 / 0", name, "exec"), {})
            except ZeroDivisionError as caught:
                data = describe(caught, skip_frames=1)
            assert data["frames"] == [[name, 1, "<module>", ""]]


def case_frames_of_the_import_system_are_left_out() -> None:
    try:
        exec(compile("1 / 0", "<frozen importlib._bootstrap_external>", "exec"), {})
    except ZeroDivisionError as caught:
        data = describe(caught)
    assert [frame[2] for frame in data["frames"]] == ["case_frames_of_the_import_system_are_left_out"]


def case_skipped_frames() -> None:
    exc = raised(ValueError("x"))
    assert len(describe(exc)["frames"]) == 1
    assert describe(exc, 1)["frames"] == []
    assert describe(exc, 100)["frames"] == []
    assert "Remote traceback" not in rebuild(describe(exc, 1)).render()


def case_source_is_filled_in_here() -> None:
    def source_line(file: str, number: int) -> "Any":
        if number == 2:
            raise OSError("cannot read it")
        return f"    here = {file!r}\n" if number == 1 else None

    data = describe(ValueError("x"))
    data["frames"] = [["/proc/remotesvc:/a.py", 1, "f", ""], ["/proc/remotesvc:/a.py", 2, "g", ""],
                      ["/proc/remotesvc:/a.py", 3, "h", ""], ["/etc/passwd", 1, "i", ""],
                      ["/proc/remotesvc:/a.py", 1, "j", "as sent"]]
    error = usable(rebuild(data, "web1", source_line=source_line))
    assert [frame[3] for frame in error.frames] == ["here = '/proc/remotesvc:/a.py'", "", "", "", "as sent"]
    assert "here = '/proc/remotesvc:/a.py'" in printed(error)
    late = rebuild(data, "web1")
    assert "here = " not in late.render() and "here = " in late.render(source_line)
