"""The conversation with sudo, su and doas: what they say, what we answer, what we say of it afterwards."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.launch.become import METHODS, method_of
from remotesvc.launch.method import PASSWORD, Method
from remotesvc.launch.prompts import Conversation
from tests.kernel.shells import EVERY_SHELL

TOKEN = "remotesvc-0123:"
PROMPT = re.compile(re.escape(TOKEN))
LECTURE = "\nWe trust you have received the usual lecture from the local System\nAdministrator.\n\n"


def why(talk: Conversation, method: str = "sudo", status: int | None = 1) -> str:
    reason, hint = method_of(method).why(talk, status, "root")
    assert hint
    return reason


def test_one_prompt_is_answered_once() -> None:
    talk = Conversation(PROMPT, "hunter2")
    assert talk.heard(LECTURE) is None
    assert talk.heard(TOKEN) == "hunter2\n"
    assert talk.heard("\n") is None
    assert not talk.refused


@pytest.mark.parametrize("cut", range(1, len(TOKEN)))
def test_a_prompt_in_two_pieces(cut: int) -> None:
    talk = Conversation(PROMPT, "hunter2")
    assert talk.heard(TOKEN[:cut]) is None
    assert talk.heard(TOKEN[cut:]) == "hunter2\n"


def test_the_words_of_sudo_rs_around_its_prompt_do_not_matter() -> None:
    talk = Conversation(PROMPT, "hunter2")
    assert talk.heard(f"[sudo: {TOKEN}] Password: ") == "hunter2\n"


def test_a_second_prompt_means_the_password_was_wrong() -> None:
    talk = Conversation(PROMPT, "hunter2")
    talk.heard(TOKEN)
    assert talk.heard("Sorry, try again.\n" + TOKEN) is None
    assert talk.refused and why(talk) == "the password is wrong"
    assert TOKEN not in talk.text() and "hunter2" not in talk.text()


def test_a_second_prompt_may_be_for_a_new_password() -> None:
    talk = Conversation(PASSWORD, "hunter2")
    talk.heard("Password: ")
    talk.heard("You are required to change your password immediately (administrator enforced).\nCurrent password: ")
    assert talk.refused and why(talk, "su").endswith("has expired")


def test_sudo_that_goes_on_to_a_new_password_is_hung_up_on() -> None:
    """Its next prompt is one that is not ours, and we have no answer to it."""
    method = method_of("sudo")
    talk = Conversation(method.prompt, "hunter2", method.over)
    assert talk.heard(method.token) == "hunter2\n"
    assert talk.heard("sudo: Account or password is expired, reset your password and try again\n") is None
    assert talk.refused and method.why(talk, None, "root")[0].endswith("has expired")


def test_a_word_about_what_has_expired_ends_nothing_by_itself() -> None:
    """It may be a notice to all."""
    method = method_of("sudo")
    talk = Conversation(method.prompt, "hunter2", method.over)
    assert talk.heard("Whose password has expired calls the desk.\n" + method.token) == "hunter2\n"
    assert not talk.refused


def test_sudo_rs_asks_for_the_current_password_because_it_has_expired() -> None:
    talk = Conversation(PROMPT, "hunter2")
    assert talk.heard(f"[sudo: {TOKEN}] Password: ") == "hunter2\n"
    talk.heard(f"\n[sudo: {TOKEN}] Current password: ")
    assert talk.refused and why(talk).endswith("has expired")


@pytest.mark.parametrize("said", [
    "sudo: account validation failure, is your account locked?\nsudo: a password is required\n",
    "sudo-rs: Account validation failure, is your account locked?\n",
    'sudo: Account expired or PAM config lacks an "account" section for sudo, contact your system administrator\n',
])  # fmt: skip
def test_an_account_that_is_locked_is_no_lack_of_a_password(said: str) -> None:
    for password in (None, "hunter2"):
        talk = Conversation(PROMPT, password)
        talk.heard(TOKEN if password else "")
        talk.heard("\n" + said)
        assert why(talk) == "that account has expired, or is locked"


def test_who_has_answered_is_not_told_that_nobody_did() -> None:
    talk = Conversation(PROMPT, "hunter2")
    talk.heard(TOKEN)
    talk.heard("\nsudo: PAM account management error: Permission denied\nsudo: a password is required\n")
    assert method_of("sudo").why(talk, 1, "root")[0] == "sudo ended with status 1 before it ran anything"


def test_two_prompts_at_once_are_answered_once() -> None:
    talk = Conversation(PROMPT, "hunter2")
    assert talk.heard(TOKEN + TOKEN) == "hunter2\n"


def test_each_sudo_has_a_prompt_of_its_own() -> None:
    one, two = method_of("sudo"), method_of("sudo")
    token = one.argv(["python3"], "root", True)[5]
    assert one.prompt.search(token) and not two.prompt.search(token)


@pytest.mark.parametrize("said", [
    "Password: ", "Password:", "\rdoas (bob@web1) password: ", "Password for root@EXAMPLE.ORG: ", "LDAP Password: ",
    "su: warning\nPassword: ",
])  # fmt: skip
def test_prompts_of_pam_and_of_doas(said: str) -> None:
    talk = Conversation(PASSWORD, "hunter2")
    for character in said.rstrip(": "):
        assert talk.heard(character) is None
    assert talk.heard(said[len(said.rstrip(": ")):]) == "hunter2\n"
    assert talk.heard("\n") is None and not talk.refused


@pytest.mark.parametrize("said", [
    "su: Authentication failure\n", "su: ", "Your password expires: tomorrow\n", "Last password change: never.\n",
    "Whoever asks for your password:\nit is not us.\n", "Password:\n",
])  # fmt: skip
def test_messages_are_no_prompts(said: str) -> None:
    talk = Conversation(PASSWORD, "hunter2")
    assert talk.heard(said) is None and not talk.refused


def test_what_appears_on_a_terminal_is_answered_and_not_kept() -> None:
    """A terminal may echo what is typed."""
    talk = Conversation(PASSWORD, "hunter2")
    assert talk.asked("Password: ") == "hunter2\n"
    assert talk.asked("hunter2\r\n") is None
    assert talk.asked("Password: ") is None and talk.refused
    assert talk.text() == ""


@pytest.mark.parametrize("method", METHODS)
def test_a_prompt_without_a_password_is_refused(method: str) -> None:
    talk = Conversation(PROMPT, None)
    assert talk.heard(TOKEN) is None and talk.refused
    assert why(talk, method) == f"{method} asks for a password, and none was given"


@pytest.mark.parametrize(("method", "said", "expected"), [
    ("sudo", "sudo: a password is required", "sudo asks for a password"),
    ("sudo", "sudo: interactive authentication is required", "sudo asks for a password"),
    ("sudo", "bob is not in the sudoers file.  This incident will be reported.", "sudo does not allow that"),
    ("sudo", "Sorry, user bob is not allowed to execute '/bin/sh' as root on web1.", "sudo does not allow that"),
    ("sudo", "sudo: I'm sorry bob. I'm afraid I can't do that", "sudo does not allow that"),
    ("sudo", "sudo: sorry, you must have a tty to run sudo", "sudo wants a terminal"),
    ("sudo", "sudo: a terminal is required to read the password", "sudo wants a terminal"),
    ("sudo", "sudo: unknown user nobody9", "there is no such user"),
    ("sudo", "sudo: user 'nobody9' not found", "there is no such user"),
    ("sudo", "sudo: you do not exist in the passwd database", "the user that it is to start from has no name"),
    ("sudo", "sudo-rs: user 'current user' not found", "the user that it is to start from has no name"),
    ("sudo", "sudo: invalid shell for user none: /bin/false", "sudo takes no user with such a shell"),
    ("sudo", "sudo: /etc/sudoers is world writable\nsudo: no valid sudoers sources found, quitting",
     "sudo cannot read its rules"),
    ("sudo", "sudo: 1 incorrect password attempt", "the password is wrong"),
    ("sudo", "sudo: Authentication failed, try again.", "the password is wrong"),
    ("sudo", "sudo: /opt/py: command not found", "sudo cannot find the Python"),
    ("sudo", "sudo: unable to execute /root/py: Permission denied", "that user may not run the Python"),
    ("sudo", "sudo: invalid option -- 'p'", "sudo does not know the options"),
    ("sudo", "env: 'sudo': No such file or directory", "there is no sudo"),
    ("su", "su: user nobody9 does not exist or the user entry does not contain all the required fields",
     "there is no such user"),
    ("su", "Password: su: Authentication failure", "the password is wrong"),
    ("su", "su: Authentication token is no longer valid; new one required", "that password, or account, has expired"),
    ("su", "su: Permission denied", "su does not allow that"),
    ("su", "sh: 1: exec: /root/py: Permission denied", "that user may not run the Python"),
    ("su", "/bin/sh: line 1: exec: /root/py: cannot execute: Permission denied", "that user may not run the Python"),
    ("su", "su: must be run from a terminal", "su wants a terminal"),
    ("su", "su: using restricted shell /bin/false", "that user has no shell"),
    ("su", "This account is currently not available.", "that user has no shell"),
    ("su", "/bin/sh: 1: exec: /opt/py: not found", "su cannot find the Python"),
    ("su", "/opt/py: Command not found.", "su cannot find the Python"),
    ("su", "env: \u2018su\u2019: No such file or directory", "there is no su"),
    ("su", "env: can't execute 'su': No such file or directory", "there is no su"),
    ("doas", "doas: Authentication required", "doas asks for a password"),
    ("doas", "doas: Authorization required", "doas asks for a password"),
    ("doas", "doas: Authentication failed", "the password is wrong"),
    ("doas", "doas: Operation not permitted", "doas does not allow that"),
    ("doas", "doas: /root/py: Permission denied", "that user may not run the Python"),
    ("doas", "doas: unknown user", "there is no such user"),
    ("doas", "doas: no passwd entry for self", "the user that it is to start from has no name"),
    ("doas", "doas: /opt/py: command not found", "doas cannot find the Python"),
    ("doas", "doas: doas is not enabled, /etc/doas.conf: No such file or directory", "doas is not set up"),
    ("doas", "env: 'doas': No such file or directory", "there is no doas"),
])  # fmt: skip
def test_the_reason_of_a_refusal_is_told_from_what_was_said(method: str, said: str, expected: str) -> None:
    talk = Conversation(PROMPT, None)
    talk.heard(said)
    assert why(talk, method).startswith(expected)


@pytest.mark.parametrize(("method", "password", "said"), [
    ("su", "hunter2", ["Password: ", "su: Authentication failure\n"]), ("su", None, ["Password: "]),
    ("doas", None, ["doas: not installed setuid\n"]),
    ("sudo", None, ["sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set\n"]),
    ("sudo", None, ['sudo: The "no new privileges" flag is set, which prevents sudo from running as root.\n']),
])  # fmt: skip
def test_a_program_without_rights_is_that_whatever_it_says_of_passwords(
    method: str, password: str | None, said: list[str]
) -> None:
    talk = Conversation(PASSWORD, password)
    for each in said:
        talk.heard(each)
    cannot = "no process there may gain rights", "do this"
    assert method_of(method).why(talk, 1, "root", cannot) == cannot


def test_a_program_that_is_not_there_is_no_lack_of_rights() -> None:
    talk = Conversation(PASSWORD, None)
    talk.heard("env: 'su': No such file or directory")
    assert method_of("su").why(talk, 127, "root", ("no", "hint"))[0] == "there is no su"


@pytest.mark.parametrize("method", METHODS)
def test_nothing_known_is_no_reason(method: str) -> None:
    talk = Conversation(PROMPT, None)
    talk.heard("Killed")
    assert method_of(method).why(talk, -9, "root") == (f"{method} ended with status -9 before it ran anything", "")


def test_endless_talk_is_cut() -> None:
    talk = Conversation(PROMPT, "x")
    for _ in range(100):
        talk.heard("lecture " * 1000)
    assert len(talk.text()) <= 16 * 1024
    assert talk.heard(TOKEN) == "x\n"


@pytest.mark.parametrize("shell", EVERY_SHELL)
def test_the_command_for_su_is_one_of_any_shell(shell: str) -> None:
    words = ["/bin/echo", "-n", 'import sys;print("a$b `c` <up>" if x else*y[0])', "remotesvc:ann@host:1", "aGk+/w=="]
    argv = method_of("su").argv(words, "bob", True)
    line = argv[argv.index("-c") + 1]
    assert shlex.split(line) == ["exec", *words] and argv[-2:] == ["--", "bob"]
    done = subprocess.run([shell, "-c", line], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == " ".join(words[2:])


def accepted(method: Method, user: Any) -> bool:
    try:
        return bool(method.check_user(user) == user)
    except UsageError as error:
        assert "to become" in str(error) or "not a number" in str(error)
        return False


@pytest.mark.parametrize("name", METHODS)
def test_users_that_a_method_can_become(name: str) -> None:
    method = method_of(name)
    assert all(accepted(method, user) for user in ("root", "app-1", "a.b", "svc$", "bob@example.com", "CORP\\bob"))
    assert not any(accepted(method, user) for user in ("", "#", "-u", "a b", "a;b", "a\n", "x" * 300, "#-1"))
    assert accepted(method, "#0") == (name != "su")


def test_no_such_method() -> None:
    with pytest.raises(UsageError, match="become_method is one of sudo, su, doas, not 'runas'"):
        method_of("runas")
