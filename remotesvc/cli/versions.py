"""What a report of a problem should say of this machine: versions, one line each."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys

import remotesvc

PACKAGES = ("paramiko", "cryptography", "msgpack", "cloudpickle", "click", "rich", "ClusterShell", "PyYAML", "tenacity")


def version_block() -> dict[str, str]:
    """Name -> version of everything that takes part, in the order to show."""
    block = {
        "remotesvc": remotesvc.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        "system": platform.platform(),
    }
    for name in PACKAGES:
        try:
            block[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            block[name] = "NOT INSTALLED"
    block["ssh"] = _ssh()
    return block


def _ssh() -> str:
    program = shutil.which("ssh")
    if program is None:
        return "not installed; ssh_config is read by remotesvc itself"
    try:
        done = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL,
                              errors="replace", check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} does not work: {error}"
    said = (done.stderr or done.stdout).strip().partition("\n")[0]
    return f"{said} ({program})"
