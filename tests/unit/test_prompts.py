"""The conversation with sudo: what it says, what we answer, what we say of it afterwards."""

from __future__ import annotations

import pytest

from remotesvc.bootstrap.errors import UsageError
from remotesvc.launch.prompts import Conversation
from remotesvc.launch.sudo import check_user

TOKEN = "remotesvc-0123:"
LECTURE = "\nWe trust you have received the usual lecture from the local System\nAdministrator.\n\n"


def test_one_prompt_is_answered_once() -> None:
    talk = Conversation(TOKEN, "hunter2")
    assert talk.heard(LECTURE) is None
    assert talk.heard(TOKEN) == "hunter2\n"
    assert talk.heard("\n") is None
    assert not talk.refused


@pytest.mark.parametrize("cut", range(1, len(TOKEN)))
def test_a_prompt_in_two_pieces(cut: int) -> None:
    talk = Conversation(TOKEN, "hunter2")
    assert talk.heard(TOKEN[:cut]) is None
    assert talk.heard(TOKEN[cut:]) == "hunter2\n"


def test_the_words_of_sudo_rs_around_it_do_not_matter() -> None:
    talk = Conversation(TOKEN, "hunter2")
    assert talk.heard(f"[sudo: {TOKEN}] Password: ") == "hunter2\n"


def test_a_second_prompt_means_the_password_was_wrong() -> None:
    talk = Conversation(TOKEN, "hunter2")
    talk.heard(TOKEN)
    assert talk.heard("Sorry, try again.\n" + TOKEN) is None
    assert talk.refused
    assert talk.reason() is not None and "password is wrong" in talk.reason()[0]  # type: ignore[index]
    assert TOKEN not in talk.text() and "hunter2" not in talk.text()


def test_two_prompts_at_once_are_answered_once() -> None:
    talk = Conversation(TOKEN, "hunter2")
    assert talk.heard(TOKEN + TOKEN) == "hunter2\n"


def test_a_prompt_without_a_password_is_refused() -> None:
    talk = Conversation(TOKEN, None)
    assert talk.heard(TOKEN) is None and talk.refused
    assert talk.reason()[0] == "sudo asks for a password, and none was given"  # type: ignore[index]


@pytest.mark.parametrize(("said", "expected"), [
    ("sudo: a password is required", "sudo asks for a password"),
    ("sudo: interactive authentication is required", "sudo asks for a password"),
    ("bob is not in the sudoers file.  This incident will be reported.", "sudo does not allow that"),
    ("Sorry, user bob is not allowed to execute '/bin/sh' as root on web1.", "sudo does not allow that"),
    ("sudo: I'm sorry bob. I'm afraid I can't do that", "sudo does not allow that"),
    ("sudo: sorry, you must have a tty to run sudo", "sudo wants a terminal"),
    ("sudo: a terminal is required to read the password", "sudo wants a terminal"),
    ("sudo: unknown user nobody9", "there is no such user"),
    ("sudo: user 'nobody9' not found", "there is no such user"),
    ("sudo: 1 incorrect password attempt", "the password is wrong"),
    ("sudo: Authentication failed, try again.", "the password is wrong"),
    ("sudo: /opt/py: command not found", "sudo cannot find the Python"),
    ("sudo: invalid option -- 'p'", "sudo does not know the options"),
])  # fmt: skip
def test_reasons(said: str, expected: str) -> None:
    talk = Conversation(TOKEN, None)
    talk.heard(said)
    reason = talk.reason()
    assert reason is not None and reason[0].startswith(expected) and reason[1]


def test_nothing_known_is_no_reason() -> None:
    talk = Conversation(TOKEN, None)
    talk.heard("Killed")
    assert talk.reason() is None


def test_endless_talk_is_cut() -> None:
    talk = Conversation(TOKEN, "x")
    for _ in range(100):
        talk.heard("lecture " * 1000)
    assert len(talk.text()) <= 16 * 1024
    assert talk.heard(TOKEN) == "x\n"


@pytest.mark.parametrize("user", ["root", "#0", "app-1", "a.b", "svc$", "bob@example.com"])
def test_users(user: str) -> None:
    assert check_user(user) == user


@pytest.mark.parametrize("user", ["", "#", "-u", "a b", "a;b", "a\n", "x" * 300, "#-1"])
def test_not_users(user: str) -> None:
    with pytest.raises(UsageError, match="not a user to become"):
        check_user(user)
