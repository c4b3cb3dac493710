"""Keys that are noted in a known_hosts file by many at once, or on a disk that is full."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from remotesvc.bootstrap.unreachable import ConnectTimeout
from remotesvc.ssh.hostkeys.known_hosts import KnownHosts
from remotesvc.testing.sshd import EmbeddedServer
from tests.integration.ssh_servers import connect_error, connects, embedded_options
from tests.zones import ROOT

APPEND = """
import sys
from remotesvc.ssh.hostkeys.host_key import append
path, first, last, limit = sys.argv[1], *map(int, sys.argv[2:])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for number in range(first, last):
    key = b"\\0\\0\\0\\x0bssh-ed25519\\0\\0\\0\\x20" + number.to_bytes(32, "big")
    try:
        append(path, (f"web{number}",), "ssh-ed25519", key, hash_name=bool(number % 2))
    except OSError as error:
        print(error)
"""


def append(file: Path, first: int, last: int, limit: int = 0) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", APPEND, str(file), str(first), str(last), str(limit)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_many_note_keys_at_the_same_time(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    # Each host is noted by two of them.
    programs = [append(file, start, start + 40) for start in (0, 20, 40, 60, 80)]
    for program in programs:
        assert program.communicate(timeout=60)[0] == ""
        assert program.returncode == 0
    known = KnownHosts([str(file)])
    assert known.problems == []
    assert len(file.read_text().splitlines()) == 120
    for number in range(120):
        assert len(known.named(f"web{number}")) == 1
        found = subprocess.run(
            ["ssh-keygen", "-F", f"web{number}", "-f", str(file)], capture_output=True, check=False
        )
        assert found.returncode == 0


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    before = "# a comment\n"
    file.write_text(before)
    for room in (1, 30):
        program = append(file, 0, 1, limit=len(before) + room)
        said = program.communicate(timeout=60)[0]
        assert "No space left" in said or "File too large" in said
        assert file.read_text() == before


def test_a_file_that_stays_locked_costs_no_more_than_the_time_for_connecting(tmp_path: Path) -> None:
    with EmbeddedServer() as server, (tmp_path / "hosts").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        options = embedded_options(server, known_hosts=file.name, host_keys="accept-new")
        error = connect_error(options, 1.5)
        assert isinstance(error, ConnectTimeout)
        assert (error.stage, file.name in error.message) == ("hostkey", True)
        fcntl.flock(file, fcntl.LOCK_UN)
        connects(options)
