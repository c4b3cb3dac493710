"""What a known_hosts file says of a host: OpenSSH's own reading of it and ours are the same."""

from __future__ import annotations

import base64
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from remotesvc.ssh.hostkeys.host_names import hashed
from remotesvc.ssh.hostkeys.known_hosts import parse

LINES, NAMES = 300, 40
NONE = ["# a comment", "", "a", "a ssh-ed25519", "a ssh-ed25519 !!!", "\ta b c", "@x a b c"]


def key(number: int) -> str:
    """A line's key, different in each."""
    text = b"\0\0\0\x0bssh-ed25519\0\0\0 " + number.to_bytes(32, "big")
    return f"ssh-ed25519 {base64.b64encode(text).decode()}"


def name(chance: random.Random) -> str:
    text = "".join(chance.choices("ab.", k=chance.randint(1, 4))) or "a"
    return f"[{text}]:{chance.choice((22, 2222))}" if chance.random() < 0.3 else text


def pattern(chance: random.Random) -> str:
    text = "".join(chance.choice("*?") if chance.random() < 0.25 else letter for letter in name(chance))
    return ("!" if chance.random() < 0.2 else "") + (text.upper() if chance.random() < 0.2 else text)


def names(chance: random.Random) -> str:
    if chance.random() < 0.2:
        return hashed(name(chance), chance.randbytes(20))
    return ",".join(pattern(chance) for _ in range(chance.randint(1, 3)))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here (Debian package openssh-client)")
@pytest.mark.parametrize("seed", range(3))
def test_the_lines_that_mean_a_host(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    file = tmp_path / "known_hosts"
    lines = [f"{chance.choice(['', '', '', '@revoked ', '@cert-authority '])}{names(chance)} {key(number)}"
             for number in range(LINES)]
    broken = range(20, LINES, 40)
    for place in broken:  # ssh-keygen shows some of these, too, for it looks at no key
        lines[place] = chance.choice(NONE)
    file.write_text("\n".join(lines) + "\n")
    table, found = parse(file.read_bytes(), str(file)), 0
    for _ in range(NAMES):
        wanted = name(chance)
        command = ["ssh-keygen", "-F", wanted, "-f", str(file)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        theirs = {int(number) for number in re.findall(r"found: line (\d+)", said.stdout)}
        theirs -= {place + 1 for place in broken}
        assert {entry.line for entry in table.named(wanted)} == theirs, (wanted, said.stderr)
        found += len(theirs)
    assert found > NAMES, "next to nothing was looked for"
