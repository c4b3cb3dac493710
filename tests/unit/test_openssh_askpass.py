"""What `ssh` may be told when it asks: each secret to whom it is meant for, once."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from remotesvc.bootstrap.data.secret import Secret
from remotesvc.ssh.configuration.options import SSHOptions
from remotesvc.ssh.login.keyring import KeyRing
from remotesvc.ssh.openssh.askpass import AskpassServer
from remotesvc.ssh.openssh.plan import marks_questions
from remotesvc.ssh.openssh.replies import Asked, Replies, Secretary


class Person:
    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def confirm(self, question: str) -> bool:
        self.asked.append(question)
        return self.answers.pop(0) == "yes"

    def secret(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.answers.pop(0) if self.answers else None


def replies(person: Person | None = None, **options: Secret) -> Replies:
    return Replies(SSHOptions("web1", **options), Secretary(KeyRing(person)))  # type: ignore[arg-type]


def ask(found: Replies, text: str, method: str = "", kind: str = "") -> str | None:
    return found.to(Asked(kind, text), method)


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_the_password_is_said_once_a_method(method: str) -> None:
    found = replies(password=Secret("p"))
    assert ask(found, "ann@10.0.0.1's password: ", method) == "p"
    assert ask(found, "ann@10.0.0.1's password: ", method) is None


@pytest.mark.parametrize("text", ["ann@10.0.0.1's password: ", "(bob@hop) Password: ", "Password: "])
def test_a_jump_host_does_not_learn_the_password(text: str) -> None:
    """It asks before any method is tried with the host itself, whatever it may call itself."""
    person = Person("for the jump host")
    assert ask(replies(password=Secret("p")), text) is None
    assert ask(replies(person, password=Secret("p")), text) == "for the jump host"
    assert ask(replies(password=Secret("p")), text, "publickey") is None


def test_a_server_cannot_ask_for_a_passphrase() -> None:
    found = replies(passphrase=Secret("s"))
    assert ask(found, "Enter passphrase for key '/home/ann/.ssh/id': ", "keyboard-interactive") is None
    assert ask(found, "Enter passphrase for key '/home/ann/.ssh/id': ") == "s"
    assert ask(found, "Enter passphrase for key '/home/ann/.ssh/id': ") is None


def test_an_old_ssh_that_does_not_say_who_asks_gives_no_passphrase_to_a_jump_host() -> None:
    text = "Enter passphrase for key '/home/ann/.ssh/id': "
    person = Person("right", "mine to judge")
    secretary = Secretary(KeyRing(person))
    options = SSHOptions("web1", passphrase=Secret("s"))
    assert ask(Replies(options, Secretary(KeyRing()), marks=False), text) is None
    assert ask(Replies(options, Secretary(KeyRing()), marks=False), text, "publickey") == "s"
    assert ask(Replies(SSHOptions("web1"), secretary, marks=False), text, "publickey") == "right"
    assert ask(Replies(SSHOptions("web2"), secretary, marks=False), text) == "mine to judge"
    assert marks_questions({"pubkeyacceptedalgorithms": []}) and not marks_questions({"pubkeyacceptedkeytypes": []})


def test_a_person_is_asked_once_a_key_and_again_if_it_was_wrong() -> None:
    person = Person("wrong", "right")
    secretary = Secretary(KeyRing(person))
    text = "Enter passphrase for key '/k': "
    first = Replies(SSHOptions("web1"), secretary)
    assert [ask(first, text), ask(first, text)] == ["wrong", "right"]
    assert ask(Replies(SSHOptions("web2"), secretary), text) == "right"
    assert len(person.asked) == 2


def test_a_key_that_a_person_accepted_is_not_asked_about_for_another_host_at_that_address() -> None:
    person = Person("no", "yes")
    secretary = Secretary(KeyRing(person))
    unknown = "The authenticity of host '10.0.0.1' can't be established.\nED25519 key fingerprint is SHA256:x.\n"
    unknown += "Are you sure you want to continue connecting (yes/no)? "
    found = [ask(Replies(SSHOptions(f"web{number}"), secretary), unknown) for number in range(3)]
    assert found == ["no", "yes", "yes"] and len(person.asked) == 2


def test_whatever_else_ssh_asks_a_person_answers() -> None:
    person = Person("123456", "yes", "no")
    found = replies(person, password=Secret("p"))
    assert ask(found, "(ann@10.0.0.1) Password: ", "keyboard-interactive") == "p"
    assert ask(found, "Enter PIN for ED25519-SK key /k: ") == "123456"
    unknown = "The authenticity of host 'x' can't be\x1b[2J established.\n"
    unknown += "Are you sure you want to continue connecting (yes/no)? "
    assert [ask(found, unknown), ask(found, unknown.replace("'x'", "'y'"))] == ["yes", "no"]
    assert "\x1b" not in person.asked[1]
    assert ask(replies(), "Enter PIN: ") is None
    assert ask(replies(), unknown) == "no"


def test_the_helper_passes_questions_and_answers() -> None:
    desk = AskpassServer(replies(password=Secret("pass'word\"$x")))
    try:
        env = desk.environment()
        directory = os.path.dirname(env["SSH_ASKPASS"])
        assert os.stat(directory).st_mode & 0o777 == 0o700

        def run(prompt: str) -> tuple[int, bytes]:
            found: list[subprocess.CompletedProcess[bytes]] = []
            helper = [env["SSH_ASKPASS"], prompt]
            thread = threading.Thread(
                target=lambda: found.append(subprocess.run(helper, capture_output=True, env=env, check=False))
            )
            thread.start()
            (listener,) = desk.fds()
            desk.attend(listener, "password")
            thread.join()
            return found[0].returncode, found[0].stdout

        assert run("ann@10.0.0.1's password: ") == (0, b"pass'word\"$x\n")
        assert run("ann@10.0.0.1's password: ") == (1, b"")
    finally:
        desk.close()
        os.close(desk.log)
    assert not os.path.exists(directory)
    assert subprocess.run([env["SSH_ASKPASS"]], capture_output=True, check=False, shell=True).returncode != 0
