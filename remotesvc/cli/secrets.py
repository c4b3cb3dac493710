"""The passwords for a run, SSH's and that of `become`: asked for once, before any host is connected to, or read from a
file."""

from __future__ import annotations

import getpass
import sys
from typing import BinaryIO

from remotesvc.bootstrap.data.secret import Secret

from .problems import BadUsage, OurError
from .settings import Settings
from .stdin import take_stdin

# Longer than any password; a wrong file is noticed instead of sent to a server.
_LONGEST = 1024


def with_passwords(settings: Settings, logs_in: bool = True) -> Settings:
    """The settings with the passwords that -k, -K and the password files stand for: SSH's only if somebody `logs_in`.

    Raises BadUsage, OurError.
    """
    if settings.password_file == settings.become_password_file == "-":
        raise BadUsage("--password-file and --become-password-file cannot both be standard input")
    login = None
    if logs_in:
        login = _password(settings, settings.ask_pass, settings.password_file, "", "SSH password: ")
    prompt = f"{settings.become_method or 'sudo'} password" + (": " if login is None else " [as for SSH]: ")
    become = _password(settings, settings.ask_become_pass, settings.become_password_file, "become-", prompt, login)
    return settings.replace(password=login, become_password=become)


def _password(settings: Settings, ask: bool, file: str | None, kind: str, prompt: str,
              default: Secret | None = None) -> Secret | None:
    if ask and file is not None:
        raise BadUsage(f"--ask-{kind}pass and --{kind}password-file exclude each other")
    if ask:
        return _ask(settings, kind, prompt, default)
    return None if file is None else Secret(_read(file, settings.no_stdin))


def _ask(settings: Settings, kind: str, prompt: str, default: Secret | None) -> Secret:
    if settings.json or settings.jsonl:
        raise BadUsage(f"--ask-{kind}pass asks, and --json and --jsonl never do: use --{kind}password-file")
    if sys.stdin is None or not sys.stdin.isatty():
        raise BadUsage(f"--ask-{kind}pass needs a terminal: use --{kind}password-file, where - is standard input")
    try:
        password = getpass.getpass(prompt)
    except EOFError:
        password = ""
    if not password and default is not None:
        return default
    if not password:
        raise OurError("no password was given")
    return Secret(password)


def _read(path: str, no_stdin: bool) -> str:
    try:
        if path == "-":
            take_stdin("a password", whole=False)
            if no_stdin or sys.stdin is None:
                raise BadUsage("a password file - is standard input, which -n forbids or which is closed")
            line = _first_line(sys.stdin.buffer)
        else:
            with open(path, "rb") as file:
                line = file.readline(_LONGEST + 2)
    except OSError as error:
        raise OurError(f"cannot read the password file {path}: {error.strerror or error}") from error
    password = line.removesuffix(b"\n").removesuffix(b"\r")
    if not password or len(password) > _LONGEST or b"\0" in password:
        raise OurError(f"the first line of the password file {path} is no password")
    try:
        return password.decode("utf-8")
    except UnicodeDecodeError:
        raise OurError(f"the password in {path} is not UTF-8") from None


def _first_line(stream: BinaryIO) -> bytes:
    """The first line of standard input, and not a byte more: the rest is for whatever else reads it, by descriptor."""
    raw, line = getattr(stream, "raw", stream), b""
    while len(line) < _LONGEST + 2 and not line.endswith(b"\n"):
        byte = raw.read(1)
        if not byte:
            break
        line += byte
    return line
