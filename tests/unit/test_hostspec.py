"""Host strings: each form, and nothing else, gets through."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotesvc.bootstrap.data.secret import Secret
from remotesvc.bootstrap.errors import UsageError
from remotesvc.ssh import SSHOptions
from remotesvc.ssh.configuration.hostspec import HostSpec, parse
from remotesvc.ssh.configuration.tokens import expand_command

GOOD = [
    ("web1", HostSpec(None, "web1", None)),
    ("web1.example.org", HostSpec(None, "web1.example.org", None)),
    ("root@web1", HostSpec("root", "web1", None)),
    ("root@web1:2222", HostSpec("root", "web1", 2222)),
    ("web_1:65535", HostSpec(None, "web_1", 65535)),
    ("ann@corp.example@web1", HostSpec("ann@corp.example", "web1", None)),
    ("CORP\\ann@web1:22", HostSpec("CORP\\ann", "web1", 22)),
    ("ssh://CORP\\ann@web1", HostSpec("CORP\\ann", "web1", None)),
    ("j\u00fcrgen@web1", HostSpec("j\u00fcrgen", "web1", None)),
    ("ju\u0308rgen@web1", HostSpec("j\u00fcrgen", "web1", None)),  # as macOS may write it
    ("\u0939\u093f\u0928\u094d\u0926\u0940@web1", HostSpec("\u0939\u093f\u0928\u094d\u0926\u0940", "web1", None)),
    ("10.0.0.1:22", HostSpec(None, "10.0.0.1", 22)),
    ("::1", HostSpec(None, "::1", None)),
    ("root@2001:db8::1", HostSpec("root", "2001:db8::1", None)),
    ("[::1]", HostSpec(None, "::1", None)),
    ("root@[2001:db8::1]:2222", HostSpec("root", "2001:db8::1", 2222)),
    ("[fe80::1%eth0]:22", HostSpec(None, "fe80::1%eth0", 22)),
    ("ssh://web1", HostSpec(None, "web1", None)),
    ("ssh://root@web1:2222/", HostSpec("root", "web1", 2222)),
    ("ssh://root@[::1]:2222", HostSpec("root", "::1", 2222)),
    ("local:", HostSpec(None, "local", None, "local")),
    ("docker:8080", HostSpec(None, "docker", 8080)),
    ("docker:box", HostSpec(None, "box", None, "docker")),
    ("incus:far:box", HostSpec(None, "far:box", None, "incus")),
    ("kubectl:web-0", HostSpec(None, "web-0", None, "kubectl")),
    ("kubectl:me@prod:shop/web-0/app", HostSpec(None, "me@prod:shop/web-0/app", None, "kubectl")),
]

BAD = [
    "",
    "@web1",
    "root@",
    "-oProxyCommand=x",
    "root@-oProxyCommand=x",
    "-root@web1",
    "$(id)",
    "web1;id",
    "web1 web2",
    "web1\n",
    "root\n@web1",
    "CORP\\@web1",
    "\\ann@web1",
    "CORP\\\\ann@web1",
    "A\\B\\ann@web1",
    "CORP\\-ann@web1",
    "ann@CORP\\web1",
    "\u0308ann@web1",
    "ann\u202e@web1",  # what follows would be shown from right to left
    "ann\u00a0lee@web1",
    "ann\x85@web1",
    "ann\u037eid@web1",  # composed, it is a semicolon
    "\ud800@web1",
    "we\0b1",
    "web1:",
    "web1:0",
    "web1:65536",
    "web1:22x",
    "web1:\u0662\u0662",  # digits to Python, not to TCP
    "web1:2:3",
    "[web1]:22",
    "[::1",
    "[::1]22",
    "[::1%]:22",
    "[::1%$(id)]",
    "ssh://",
    "ssh://web1/etc",
    "docker:",
    "docker:a:b",
    "docker:a/b",
    "kubectl://shop/web-0",
    "kubectl:a/b/c/d",
    "ann@kubectl:web-0",
    "kubectl:ann@web-0",
    "kubectl:-f/web-0",
    "Kubectl:web-0",
    "ssh://web1?x",
    "\u0430web",  # a Cyrillic letter that looks Latin
    "a" * 256,
    "a" * 100_000,
]


@pytest.mark.parametrize(("text", "spec"), GOOD)
def test_each_form_of_a_host_string_is_understood(text: str, spec: HostSpec) -> None:
    assert parse(text) == spec


@pytest.mark.parametrize("spec", [spec for _text, spec in GOOD])
def test_the_text_of_a_parsed_host_string_means_the_same(spec: HostSpec) -> None:
    assert parse(str(spec)) == spec


@pytest.mark.parametrize("text", BAD)
def test_any_other_host_string_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("user", "says"), [
    ("ann lee", "' ' may not be in it"), ("ann\u200b", r"'\\u200b' may not be in it"),
    ("-ann", "not a user name: '-ann'$"),
])  # fmt: skip
def test_what_may_not_be_in_a_users_name_is_told(user: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(f"{user}@web1")
    assert SSHOptions("web1", "ju\u0308rgen").user == "j\u00fcrgen"


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse("ssh://root:hunter2@web1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("text", "remedy"), [
    ("ann@docker:web1", "write 'docker:web1', and the user with -u"),
    ("ann:hunter2@kubectl:shop/web-0", "write 'kubectl:shop/web-0', and"),
    ("ann@local:", "nobody logs in to local:; .* --become-user"),
])  # fmt: skip
def test_a_user_ahead_of_what_is_not_reached_over_ssh_is_told_its_place(text: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=remedy) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["ftp://web1", "http://me:hunter2@web1:80/x", "SSH+git://x"])
def test_addresses_of_something_else_are_named(text: str) -> None:
    with pytest.raises(UsageError, match="hosts have no .* address; write user@host:port") as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8")) | st.text("ab@:[]%/.-_ \n$;1\\", max_size=12))
def test_what_gets_through_needs_no_quoting_anywhere(text: str) -> None:
    try:
        spec = parse(text)
    except UsageError:
        return
    # DOMAIN\user is the exception, and stands in no shell's line.
    for word in (spec.host, spec.user and spec.user.replace("\\", "_", 1)):
        if word is not None:
            assert shlex.quote(word) == word
            assert not word.startswith("-")
    assert parse(str(spec)) == spec


def test_a_backslash_stands_in_no_command_of_a_shell() -> None:
    tokens = {"h": "web1", "n": "web1", "p": "22", "r": "CORP\\ann", "%": "%"}
    assert expand_command("ProxyJump", "%r@gate", tokens) == "CORP\\ann@gate"
    assert expand_command("ProxyCommand", "nc %h %p", tokens) == "nc web1 22"
    with pytest.raises(UsageError, match="in place of %r"):
        expand_command("ProxyCommand", "ssh -W %h:%p -l '%r' gate", tokens)


def test_options_take_user_and_port_from_the_host_unless_given() -> None:
    options = SSHOptions.parse("ann@web1:2222")
    assert (options.host, options.user, options.port) == ("web1", "ann", 2222)
    options = SSHOptions.parse("ann@web1:2222", user="bob", port=22, key_filename="k", known_hosts=["a", "b"])
    assert (options.user, options.port, options.key_filenames) == ("bob", 22, ("k",))
    assert options.known_hosts == ("a", "b")


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "-x"},
        {"user": "a b"},
        {"port": 0},
        {"port": True},
        {"host_keys": "maybe"},
        {"known_hosts": []},
        {"extra_options": ["ProxyCommand"]},
        {"extra_options": ["A=b\nProxyCommand=x"]},
        {"extra_options": ["-oA=b"]},
        {"connect_timeout": 0},
        {"connect_timeout": float("nan")},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SSHOptions.parse("web1", **wrong)  # type: ignore[arg-type]


def test_options_are_for_ssh_only() -> None:
    with pytest.raises(UsageError):
        SSHOptions.parse("local:")


def test_no_repr_shows_the_password() -> None:
    options = SSHOptions.parse("web1", password="hunter2")
    assert isinstance(options.password, Secret)
    assert "hunter2" not in repr(options) + str(options)
    assert hash(options) == hash(SSHOptions.parse("web1"))
