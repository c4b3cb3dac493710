"""What the log of an `ssh` says of its way and its end: words of versions and failures that are hard to bring about."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from remotesvc.bootstrap.errors import Lost, UsageError
from remotesvc.bootstrap.unreachable import AuthenticationError, ConnectError, ConnectTimeout, HostKeyError, UnknownHost
from remotesvc.ssh.configuration.options import SSHOptions
from remotesvc.ssh.hostkeys.known_hosts import KnownHosts
from remotesvc.ssh.openssh import errors as openssh_errors
from remotesvc.ssh.openssh import log as openssh_log
from remotesvc.ssh.openssh import plan as openssh_plan
from remotesvc.ssh.openssh.log import Progress
from remotesvc.ssh.openssh.plan import OpenSSHHost

GREETED = "debug1: Connection established.\ndebug1: Remote protocol version 2.0, remote software version OpenSSH_8.0\n"
KEYED = GREETED + "debug1: Server host key: ssh-ed25519 SHA256:abc\n"
LOGGING_IN = KEYED + "debug1: SSH2_MSG_NEWKEYS sent\n"
IN = LOGGING_IN + "Authenticated to web1 ([10.0.0.1]:22).\n"


def host(options: SSHOptions | None = None, **values: str) -> OpenSSHHost:
    table = {"hostname": "10.0.0.1", "port": "22", "user": "ann", **values}
    return openssh_plan.describe(options or SSHOptions("web1"), {key: [value] for key, value in table.items()})


def progress(log: str) -> Progress:
    found = Progress(0.0)
    for number, byte in enumerate(log.encode()):
        found.feed(bytes([byte]), float(number))
    return found


def ssh_string(text: str) -> bytes:
    return len(text).to_bytes(4, "big") + text.encode()


def failure(log: str, stderr: str = "", where: OpenSSHHost | None = None) -> ConnectError:
    return openssh_errors.failure(progress(log), where or host(), KnownHosts(()), 255, stderr, False)


def test_the_stages_and_their_times() -> None:
    found = Progress(1.0)
    for now, line in enumerate((*IN.splitlines(), "debug1: Sending command: x"), start=2):
        found.feed(line.encode() + b"\n", float(now))
    assert found.phases == {"tcp": 1.0, "kex": 2.0, "hostkey": 1.0, "auth": 1.0, "open": 1.0}
    assert (found.stage, found.running, found.shared) == ("boot", True, False)
    assert (found.version, found.key_type, found.fingerprint) == ("SSH-2.0-OpenSSH_8.0", "ssh-ed25519", "SHA256:abc")


def test_a_shared_connection_has_no_stages() -> None:
    found = progress(
        "debug1: auto-mux: Trying existing master\ndebug1: mux_client_request_session: master session id: 2\n"
    )
    assert found.running and found.shared
    assert list(found.phases) == ["open"]


def test_memory_is_bounded() -> None:
    found = Progress(0.0)
    found.feed(b"word " * 100_000, 1.0)
    for _ in range(1000):
        found.feed(b"\n" + b"x" * 5000, 1.0)
    assert len(found.said) <= openssh_log.MOST_LINES
    assert all(len(line) <= openssh_log.LONGEST_LINE for line in found.said)


@pytest.mark.parametrize(("log", "kind", "stage", "says"), [
    ("ssh: Could not resolve hostname web9: Name or service not known\n", UnknownHost, "tcp", "web9 does not resolve"),
    ("ssh: connect to host 10.0.0.1 port 22: No route to host\n", ConnectError, "tcp", "No route to host"),
    ("ssh: connect to host 10.0.0.1 port 22: Connection timed out\n", ConnectTimeout, "tcp", "did not answer"),
    ("debug1: Connection established.\nConnection timed out during banner exchange\n", ConnectTimeout, "kex",
     "greeting"),
    ("debug1: Connection established.\nkex_exchange_identification: Connection closed by remote host\n", ConnectError,
     "kex", "closed the connection before its SSH greeting"),
    ("debug1: Connection established.\nssh_exchange_identification: No banner received\n", ConnectError, "kex",
     "not an SSH server"),
    (GREETED + "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-dss\n",
     ConnectError, "kex", "no common algorithm: no matching host key type"),
    (GREETED + "Connection reset by 10.0.0.1 port 22\n", ConnectError, "kex",
     "the key exchange failed: Connection reset"),
    (KEYED + "Host key verification failed.\n", HostKeyError, "hostkey", "the host key is not known"),
    (KEYED + "Certificate invalid: expired\nHost key verification failed.\n", HostKeyError, "hostkey",
     "invalid: expired"),
    (LOGGING_IN + "debug1: Authentications that can continue: publickey,password\n"
     "ann@10.0.0.1: Permission denied (publickey,password).\n", AuthenticationError, "auth",
     "takes publickey, password"),
    (LOGGING_IN + "Permission denied (gssapi-with-mic).\n", AuthenticationError, "auth", "login as ann failed"),
    (LOGGING_IN + "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n",
     AuthenticationError, "auth", "login as ann failed"),
    (LOGGING_IN + "Connection closed by 10.0.0.1 port 22\n", ConnectError, "auth", "broke while logging in"),
    (IN + "channel 0: open failed: administratively prohibited: open failed\n", ConnectError, "open",
     "refused opening a session: administratively prohibited"),
])  # fmt: skip
def test_failures_in_the_log_have_their_kind_and_stage(
    log: str, kind: type[ConnectError], stage: str, says: str
) -> None:
    error = failure(log)
    assert type(error) is kind
    assert (error.stage, error.host, error.exit_status) == (stage, "web1", 255)
    assert says in error.message


@pytest.mark.parametrize(("on_file", "says"), [("ssh-ed25519", "HAS CHANGED"), ("ssh-rsa", "type not on file")])
def test_a_changed_key_in_a_certificate(on_file: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"10.0.0.1 {on_file} {base64.b64encode(ssh_string(on_file) + b'key').decode()}\n")
    log = GREETED + ("debug1: Server host certificate: ssh-ed25519-cert-v01@openssh.com SHA256:abc, serial 0 ID \"x\"\n"
                     "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n")
    error = openssh_errors.failure(progress(log), host(), KnownHosts([str(tmp_path / "known")]), 255, "", False)
    assert says in error.message and "ssh-ed25519 SHA256:abc" in error.message
    assert progress(log).fingerprint == "SHA256:abc"


@pytest.mark.parametrize(("stderr", "kind", "stage", "says"), [
    ("ssh: Could not resolve hostname hop: Name or service not known\n", UnknownHost, "jump",
     "jump host hop: the name"),
    ("ssh: connect to host hop port 22: Connection timed out\n", ConnectTimeout, "jump", "jump host hop: "),
    ("Host key verification failed.\r\n", HostKeyError, "jump", "its host key is not accepted"),
    ("bob@hop: Permission denied (publickey).\r\n", AuthenticationError, "jump", "Permission denied"),
    ("channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n", ConnectError, "tcp",
     "jump host hop cannot reach 10.0.0.1 port 22: connect failed"),
    ("hop fell over\n", ConnectError, "jump", "hop fell over"),
])  # fmt: skip
def test_failures_on_the_way(stderr: str, kind: type[ConnectError], stage: str, says: str) -> None:
    log = "debug1: Setting implicit ProxyCommand from ProxyJump: ssh -W ...\nConnection closed by UNKNOWN port 65535\n"
    error = failure(log, stderr, host(proxyjump="first,bob@hop"))
    assert (type(error), error.stage) == (kind, stage)
    assert says in error.message
    command = host(proxycommand="nc %h %p")
    for said in ("no such proxy", ""):
        by_command = failure("Connection closed by UNKNOWN port 65535\n", said, command)
        assert "the proxy command ended before there was an SSH greeting: nc %h %p" in by_command.message
    late = failure("Connection timed out during banner exchange\n", "", command)
    assert type(late) is ConnectTimeout


@pytest.mark.parametrize(("reason", "forbidden"), [("administratively prohibited: open failed", True),
                                                    ("connect failed: Connection refused", False)])  # fmt: skip
def test_a_jump_host_that_forbids_the_way(reason: str, forbidden: bool) -> None:
    log = "debug1: Setting implicit ProxyCommand from ProxyJump: ssh -W ...\nConnection closed by UNKNOWN port 65535\n"
    error = failure(log, f"channel 0: open failed: {reason}\nstdio forwarding failed\n", host(proxyjump="hop"))
    assert ("AllowTcpForwarding" in error.hint) is forbidden


def test_failures_after_the_program_was_asked_for() -> None:
    begun = IN + "debug1: Sending command: x\n"
    refused = openssh_errors.broken(progress(begun + "exec request failed on channel 0\n"), host(), 255)
    assert isinstance(refused, ConnectError) and refused.stage == "exec"
    lost = openssh_errors.broken(progress(begun + "Timeout, server web1 not responding.\n"), host(), 255)
    assert isinstance(lost, Lost)
    told = begun + "Received disconnect from web1 port 22:2: maintenance\nDisconnected from web1 port 22\n"
    assert "2: maintenance" in str(openssh_errors.broken(progress(told), host(), 255))
    assert openssh_errors.broken(progress(begun), host(), 127) is None


@pytest.mark.parametrize("stage", ["tcp", "kex", "auth", "open"])
def test_a_budget_that_ran_out_names_the_stage(stage: str) -> None:
    log = {"tcp": "", "kex": GREETED, "auth": LOGGING_IN, "open": IN}[stage]
    error = openssh_errors.late(progress(log), host(), "")
    assert (error.stage, error.host) == (stage, "web1")
    assert "within the time allowed" in error.message


@pytest.mark.parametrize(("log", "frozen"), [
    ("debug1: auto-mux: Trying existing master at '/cm'\n", True),
    ("", True),  # ControlMaster no: it does not say that it tries
    ("debug1: Setting implicit ProxyCommand from ProxyJump: ssh -W\n", True),
    ('debug1: Control socket "/cm" does not exist\n', False),
    ("Control socket connect(/cm): Connection refused\n", False),
    ("debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.\n", False),
])  # fmt: skip
def test_a_master_that_does_not_answer_is_no_dead_port(log: str, frozen: bool) -> None:
    error = openssh_errors.late(progress(log), host(controlpath="/cm"), "")
    assert ("control master at /cm did not answer" in error.message) is frozen
    assert ("ControlPath=none" in error.hint) is frozen
    assert "port 22 did not answer" in openssh_errors.late(progress(""), host(controlpath="none"), "").message


def test_an_agent_that_holds_nothing_is_an_agent() -> None:
    for said in ("get_agent_identities: ssh_fetch_identitylist: agent contains no identities",
                 "pubkey_prepare: ssh_fetch_identitylist: agent contains no identities",
                 "get_agent_identities: agent returned 0 keys"):
        log = LOGGING_IN + f"debug1: {said}\nPermission denied (publickey).\n"
        error = failure(log, where=host(identityagent="/a"))
        assert "the ssh-agent at /a holds no key that can be used (empty, locked, or" in error.message
        assert "no agent" not in error.message


@pytest.mark.parametrize(("key", "more", "hint"), [
    ("/my k", "", "If it is encrypted, load it with ssh-add"),
    ("/my k.pub", 'Load key "/my k.pub": bad permissions\n', "that is the public half"),
    ("/my k", "sign_and_send_pubkey: signing failed for ED25519 from agent\n", "did not sign with it.$"),
    ("/my k", 'Authenticated using "publickey" with partial success.\n', "Give a password"),
])  # fmt: skip
def test_a_key_that_was_welcome_and_did_not_sign(key: str, more: str, hint: str) -> None:
    asked = f"debug1: Offering public key: {key} ED25519 SHA256:abc explicit\n"
    said = "debug1: Server accepts key: blen 51\n" + more + "debug1: Authentications that can continue: password\n"
    error = failure(LOGGING_IN + asked + said + "Permission denied (password).\n")
    assert re.search(hint, error.hint)
    assert ("/my k" in error.hint) is ("Give" not in hint)


@pytest.mark.parametrize(("more", "agent", "named"), [
    ("", "/a", True), ("debug1: rekey in after 1 blocks\n", "/a", True), ("", "none", False),
    ("debug1: get_agent_identities: bound agent to hostkey\n", "/a", False),
])  # fmt: skip
def test_an_agent_that_does_not_answer_is_named(more: str, agent: str, named: bool) -> None:
    log = LOGGING_IN + "debug1: SSH2_MSG_NEWKEYS received\n" + more
    error = openssh_errors.late(progress(log), host(identityagent=agent), "")
    assert ("ssh-agent at /a" in error.hint) is named and error.stage == "auth"


# -- the command line


def words(options: SSHOptions, asks: bool = False, **values: str) -> list[str]:
    table = {"hostname": ["10.0.0.1"], **{key: [value] for key, value in values.items()}}
    where = openssh_plan.describe(options, table)
    return openssh_plan.command_line("ssh", options, table, where.strict, "/tmp/log", asks, "run it")


def settings(line: list[str]) -> dict[str, str]:
    """What each keyword comes to: ssh takes the first value."""
    found: dict[str, str] = {}
    for word, value in zip(line, line[1:], strict=False):
        if word == "-o":
            found.setdefault(value.partition("=")[0], value.partition("=")[2])
    return found


def test_what_the_user_says_comes_through_and_ours_wins() -> None:
    options = SSHOptions.parse("bob@web1:2222", key_filename=["~/a%b", "k"], certificate="/c d", known_hosts="/k h",
                               extra_options=["Ciphers=+aes128-cbc", "EscapeChar=x"], jump="one:22,me@two",
                               ssh_config="cfg")  # fmt: skip
    line = words(options)
    assert line[-3:] == ["--", "web1", "run it"]
    for flag, value in {"-F": "cfg", "-J": "one:22,me@two", "-p": "2222", "-l": "bob", "-E": "/tmp/log"}.items():
        assert line[line.index(flag) + 1] == value
    assert line[len(line) - 1 - line[::-1].index("-i") + 1] == "k"
    assert any(re.fullmatch('IdentityFile="?/.*/a%%b"?', word) for word in line)  # -i would look for it as it stands
    found = settings(line)
    assert found["UserKnownHostsFile"] == '"/k h"' and found["GlobalKnownHostsFile"] == "/dev/null"
    assert (found["Ciphers"], found["EscapeChar"], found["CertificateFile"]) == ("+aes128-cbc", "none", '"/c d"')


def test_a_backslash_that_ssh_would_lose_is_refused() -> None:
    """It starts the ssh to a jump host by a shell."""
    line = words(SSHOptions.parse("CORP\\ann@web1", jump="gate"))
    assert line[line.index("-l") + 1] == "CORP\\ann"
    for hop in ("CORP\\ann@gate", SSHOptions("gate", "CORP\\ann")):
        with pytest.raises(UsageError, match="User of gate in ssh_config"):
            words(SSHOptions.parse("web1", jump=[hop]))


@pytest.mark.parametrize(("mode", "passed"), [("yes", "yes"), ("ask", "ask"), ("accept-new", "accept-new"),
                                               ("no", "accept-new")])  # fmt: skip
def test_modes_for_host_keys(mode: str, passed: str) -> None:
    assert settings(words(SSHOptions("h", host_keys=mode)))["StrictHostKeyChecking"] == passed
    assert settings(words(SSHOptions("h"), stricthostkeychecking=mode))["StrictHostKeyChecking"] == passed
    assert settings(words(SSHOptions("h"), stricthostkeychecking="true"))["StrictHostKeyChecking"] == "yes"


def test_what_would_break_the_pipe_is_switched_off() -> None:
    found = settings(words(SSHOptions("h"), remotecommand="top", stdinnull="yes", sessiontype="none"))
    assert (found["RemoteCommand"], found["StdinNull"], found["SessionType"]) == ("none", "no", "default")
    assert "SessionType" not in settings(words(SSHOptions("h")))  # an old ssh does not know it


@pytest.mark.parametrize(
    ("master", "persist", "ours"),
    [("auto", "no", "no"), ("auto", "600", None), ("false", "no", None), ("auto", "yes", None)],
)
def test_a_master_only_if_it_lives_by_itself(master: str, persist: str, ours: str | None) -> None:
    found = settings(words(SSHOptions("h"), controlmaster=master, controlpersist=persist))
    assert found.get("ControlMaster") == ours


def test_nobody_is_asked_unless_somebody_may_be() -> None:
    secret: Any = "open sesame"
    assert settings(words(SSHOptions("h")))["BatchMode"] == "yes"
    assert "BatchMode" not in settings(words(SSHOptions("h"), asks=True))
    line = words(SSHOptions.parse("h", password=secret), asks=True)
    assert settings(line)["BatchMode"] == "no" and settings(line)["NumberOfPasswordPrompts"] == "1"
    assert not any("sesame" in word for word in line)


def test_the_fast_ciphers_first_where_nobody_has_chosen() -> None:
    theirs = "chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com"
    expected = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr"
    assert settings(words(SSHOptions("h"), ciphers=theirs))["Ciphers"] == expected
    assert "Ciphers" not in settings(words(SSHOptions("h"), ciphers="aes256-ctr"))


@pytest.mark.parametrize("said", ["", "\x1b[31mstrange\x1b[0m\n"])
def test_words_nobody_knows_are_quoted(said: str) -> None:
    error = failure(said)
    assert error.diagnostics == said.strip()
    assert "\x1b" not in str(error)
