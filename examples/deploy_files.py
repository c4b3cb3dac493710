"""Bring a directory to a host, check it, and have long work go on there: `python deploy_files.py web1 site /srv/site`.

A second run sends only what has changed. The check is a call: the host reads its own files. The work is a detached
job: it needs no connection, and its result is fetched by another router, as another program would do it tomorrow.
Without arguments the host is a process on this machine, and everything happens in a temporary directory.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import remotesvc


def digest(directory: str) -> str:
    """One SHA-256 of the names and contents of all files below a directory; here and on the host."""
    found = hashlib.sha256()
    for place, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            found.update(os.path.relpath(path, directory).encode() + b"\0")
            with open(path, "rb") as file:
                found.update(hashlib.sha256(file.read()).digest())
    return found.hexdigest()


def index(directory: str) -> int:
    """The long work, on the host: counts words. What it prints is kept with its result."""
    words = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(place, name), encoding="utf-8", errors="replace") as file:
                words += len(file.read().split())
    print("indexed", directory)
    return words


def connect(router: remotesvc.Router, host: str, jobs_dir: str | None) -> remotesvc.Context:
    return router.connect(host).options(jobs_dir=jobs_dir)


def deploy(host: str, source: str, target: str, jobs_dir: str | None = None) -> str:
    """Bring the directory there and begin the work; returns the id of the job."""
    with remotesvc.Router() as router:
        context = connect(router, host, jobs_dir)
        copied = context.sync(source, target, delete=True)
        print(f"sent {len(copied.changed_names)} files, {copied.unchanged} were the same")
        print("the same there:", context.call(digest, target) == digest(source))
        return context.detach(index, target).id


def fetch(host: str, job: str, jobs_dir: str | None = None) -> None:
    """Wait for the work that was begun, show it, and have the host forget it."""
    with remotesvc.Router() as router:
        begun = connect(router, host, jobs_dir).job(job)
        print("words:", begun.result(timeout=60))
        print("it printed:", begun.output().strip())
        begun.forget()


def demonstration(directory: Path) -> None:
    source, target, jobs = directory / "site", directory / "srv", str(directory / "jobs")
    (source / "pages").mkdir(parents=True)
    for number in range(3):
        (source / "pages" / f"{number}.txt").write_text(f"page {number}\n" * 10)
    fetch("local:", deploy("local:", str(source), str(target), jobs), jobs)
    (source / "pages" / "1.txt").write_text("only this one has changed\n")
    fetch("local:", deploy("local:", str(source), str(target), jobs), jobs)


if __name__ == "__main__":
    if len(sys.argv) not in (1, 4):
        sys.exit("usage: deploy_files.py [HOST SOURCE TARGET]")
    if len(sys.argv) > 1:
        fetch(sys.argv[1], deploy(*sys.argv[1:4]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            demonstration(Path(scratch))
