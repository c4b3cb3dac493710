"""From the first bytes of a target to its first frame, or to the reason why there is none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remotesvc.bootstrap.errors import Lost
from remotesvc.bootstrap.unreachable import BootstrapError, ConnectError, PythonNotFound, PythonTooOld
from remotesvc.launch.bundle import EXIT_READER
from remotesvc.launch.handshake import MAX_NOISE, Handshake

MARKER = bytes(range(200, 216))

# Parts of a marker are the noise that could deceive a search for it.
partial = st.integers(0, len(MARKER) - 1).map(lambda size: MARKER[:size]) | st.just(MARKER[1:])
noise = st.lists(partial | st.binary(max_size=30), max_size=6).map(b"".join).filter(lambda data: MARKER not in data)


def feed(handshake: Handshake, data: bytes, cuts: list[int]) -> bytes | None:
    """Feed it in pieces until the marker is found, then collect what is the kernel's."""
    rest: bytes | None = None
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in zip(places, places[1:], strict=False):
        if handshake.done:
            assert rest is not None
            rest += data[start:end]
        else:
            rest = handshake.feed_untrusted(data[start:end])
            assert (rest is not None) is handshake.done
    return rest


@given(noise, st.binary(max_size=60), st.lists(st.integers(0, 10**4), max_size=8))
@example(MARKER[:-1], b"", [15])
@example(MARKER[:8] * 3, MARKER, [1, 2, 30])
def test_the_marker_is_found_behind_any_noise(before: bytes, behind: bytes, cuts: list[int]) -> None:
    data = before + MARKER + behind
    first = data.find(MARKER)  # noise and marker together may contain an earlier one
    handshake = Handshake(MARKER)
    assert feed(handshake, data, cuts) == data[first + len(MARKER) :]
    assert handshake.noise == data[:first].decode("utf-8", "replace")


@given(noise, st.lists(st.integers(0, 10**4), max_size=8))
def test_without_the_marker_everything_is_noise(data: bytes, cuts: list[int]) -> None:
    handshake = Handshake(MARKER)
    assert feed(handshake, data, cuts) is None
    assert not handshake.done
    assert handshake.noise == data.decode("utf-8", "replace")


def test_the_marker_is_found_one_byte_at_a_time() -> None:
    handshake = Handshake(MARKER)
    data = b"Welcome!\n" + MARKER[:7] + MARKER + b"frames"
    found = [handshake.feed_untrusted(data[place : place + 1]) for place in range(len(data) - 6)]
    assert found == [None] * (len(data) - 7) + [b""]


def test_endless_noise_is_bounded_and_its_end_is_kept() -> None:
    handshake = Handshake(MARKER)
    line = b"motd " * 200 + b"\n"
    for _ in range(2000):
        assert handshake.feed_untrusted(line) is None
    assert len(handshake._buffer) <= 2 * MAX_NOISE + len(line)
    assert handshake.feed_untrusted(b"the end" + MARKER + b"x") == b"x"
    assert len(handshake.noise) <= MAX_NOISE
    assert handshake.noise.endswith("the end")


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_marker_across_the_border_of_what_is_kept(cut: int) -> None:
    handshake = Handshake(MARKER)
    assert handshake.feed_untrusted(bytes(2 * MAX_NOISE - 5) + MARKER[:cut]) is None
    assert handshake.feed_untrusted(MARKER[cut:] + b"rest") == b"rest"


# -- why there is no kernel

SIGNS = [
    ("nopython python3 python3.9", 127, PythonNotFound, "tried: python3 python3.9"),
    ("old /usr/bin/python3 is 3.4", 86, PythonTooOld, "/usr/bin/python3 is 3.4"),
    ("damaged", 87, BootstrapError, "arrived damaged"),
    ("damaged Error -3 while decompressing data", 87, BootstrapError, "Error -3"),
    ("ended after 5 of 8 bytes", 88, BootstrapError, "ended before its kernel"),
]


@pytest.mark.parametrize(("sign", "status", "kind", "text"), SIGNS)
@pytest.mark.parametrize("before", [b"", b"Last login: today\n", "Wörter \xff".encode("latin-1")])
def test_every_sign_has_its_error(sign: str, status: int, kind: type[ConnectError], text: str, before: bytes) -> None:
    handshake = Handshake(MARKER)
    for piece in (before, b"\n<remotesvc:", sign.encode(), b">\n"):
        assert handshake.feed_untrusted(piece) is None
    error = handshake.failure("web1", f"the process ended with status {status}", status, "from stderr")
    assert type(error) is kind
    assert isinstance(error, ConnectError)
    assert text in str(error)
    assert (error.host, error.stage, error.exit_status) == ("web1", "boot", status)
    assert error.diagnostics.endswith("from stderr")
    assert "<remotesvc:" not in error.diagnostics
    assert before.decode("utf-8", "replace").strip() in error.diagnostics


def failure(said: bytes, status: int | None = 1, stderr: str = "", reason: str = "it ended") -> ConnectError | Lost:
    handshake = Handshake(MARKER)
    assert handshake.feed_untrusted(said) is None
    return handshake.failure("web1", reason, status, stderr)


def test_a_python_that_is_too_old_counts_more_than_those_that_are_missing() -> None:
    error = failure(b"<remotesvc:old python3 is 3.5>\n<remotesvc:nopython python3 python3.9>\n", 127)
    assert type(error) is PythonTooOld
    assert "python3 is 3.5" in str(error)


def test_several_pythons_that_are_too_old_are_all_named() -> None:
    error = failure(b"<remotesvc:old a is 2.7>\n<remotesvc:old b is 3.5>\n", 86)
    assert type(error) is PythonTooOld
    assert "a is 2.7; b is 3.5" in str(error)


def test_a_traceback_on_the_target_is_a_bootstrap_error_that_shows_it() -> None:
    error = failure(b"", 1, "Traceback (most recent call last):\nImportError: no zlib\n")
    assert type(error) is BootstrapError
    assert "ImportError: no zlib" in str(error)


@pytest.mark.parametrize(("said", "remedy"), [("RuntimeError: can't start new thread", "ulimit -u"),
                                              ("RuntimeError: can't start new thread", "clone3"),
                                              ("OSError: [Errno 24] Too many open files", "ulimit -n"),
                                              ("MemoryError", "memory"), ("ValueError: x", "")])
def test_a_limit_of_the_target_is_named_with_its_remedy(said: str, remedy: str) -> None:
    error = Handshake(MARKER).failure("web1", "it ended", 1, "Traceback\n" + said)
    assert isinstance(error, BootstrapError)
    assert remedy in error.hint
    assert bool(remedy) is bool(error.hint)


ACCOUNT = "may not run programs"


@pytest.mark.parametrize(("said", "status", "what", "remedy"), [
    ("This account is currently not available.", 1, "", ACCOUNT),
    ("", 1, "", ACCOUNT),
    ("rbash: line 1: exec: restricted", 126, "", ACCOUNT),
    ("This service allows sftp connections only.", 1, "", ACCOUNT),
    ('  File "<string>", line 1\n    exec sh -c \': 3<&0\n         ^^\nSyntaxError: invalid syntax', 1, "", ACCOUNT),
    ("bash: line 1: exec: sh: not found", 127, "no sh on the PATH", "PATH"),
    ("-dash: 1: exec: sh: not found", 127, "no sh on the PATH", "PATH"),
    ("sh: Command not found.", 1, "no sh on the PATH", "PATH"),
    ("sh: 1: Cannot fork", 2, "", "ulimit -u"),
    ("bash: fork: retry: Resource temporarily unavailable", 254, "", "ulimit -u"),
    ("sh: 1: 0: Bad file descriptor", 2, "stdin or stdout is closed", "profile"),
    ("bash: 1: Bad file descriptor", 1, "stdin or stdout is closed", "profile"),
])
def test_what_shells_say_is_named_with_its_remedy(said: str, status: int, what: str, remedy: str) -> None:
    error = failure(b"", status, said)
    assert type(error) is BootstrapError
    assert what in error.message
    assert remedy in error.hint
    assert "Python there" not in error.hint


@pytest.mark.parametrize("said", [
    "This system is restricted to authorised users", "+ exec sh -c : bash: exec: zsh: not found", "mesg: not found",
])
def test_the_words_of_a_profile_are_no_cause(said: str) -> None:
    error = failure(said.encode(), 3)
    assert isinstance(error, BootstrapError)
    assert error.hint == ""


def test_a_reader_of_our_bytes_that_was_told_to_end_is_named() -> None:
    error = failure(b"", EXIT_READER, "$ exit")
    assert isinstance(error, BootstrapError)
    assert "ForceCommand" in error.hint


def test_an_unknown_sign_is_no_surprise() -> None:
    error = failure(b"<remotesvc:surprise party>")
    assert type(error) is BootstrapError


def test_silence_and_no_status_is_lost() -> None:
    error = failure(b"", None, reason="the network is gone")
    assert type(error) is Lost
    assert "the network is gone" in str(error)
    assert error.host == "web1"


def test_a_status_without_a_word_is_a_bootstrap_error() -> None:
    error = failure(b"", 255, reason="the process ended with status 255")
    assert type(error) is BootstrapError
    assert "status 255" in str(error)


@given(st.binary(max_size=200), st.none() | st.integers(-20, 255), st.text(max_size=50))
def test_whatever_is_said_there_is_a_typed_error(said: bytes, status: int | None, stderr: str) -> None:
    handshake = Handshake(MARKER)
    if handshake.feed_untrusted(said) is None:
        error = handshake.failure("web1", "it ended", status, stderr)
        assert isinstance(error, ConnectError | Lost)
        str(error)
