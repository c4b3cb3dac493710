"""Which keywords of ssh_config mean something here, which need not, and which we must not pass over.

A keyword is in one of four tables: honoured; ours (a matter this program decides for every command it runs, as
scp does for itself); mild (passing it over leaves a connection as strict and leads to the same host); or
refused, unless it has a value that means "off". What is in none, from an OpenSSH newer than these tables, is
refused if its value is not that program's default. Source: ssh_config(5) of OpenSSH 9.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from remotesvc.bootstrap.errors import UsageError

from ..paths import interfaces
from .tokens import number


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


HONOURED = _names("""
    addressfamily batchmode bindaddress casignaturealgorithms certificatefile ciphers compression
    connectionattempts connecttimeout globalknownhostsfile hashknownhosts host hostkeyalgorithms hostkeyalias
    hostname identitiesonly identityagent identityfile kbdinteractiveauthentication kexalgorithms knownhostscommand macs
    numberofpasswordprompts passwordauthentication port preferredauthentications proxycommand proxyjump
    pubkeyacceptedalgorithms pubkeyauthentication requiredrsasize revokedhostkeys sendenv serveralivecountmax
    serveraliveinterval setenv stricthostkeychecking user userknownhostsfile
""")

# One program is run, without a terminal; nothing is forwarded; the link has a heartbeat; nothing is shared
# with other programs of the user.
_OURS = _names("""
    clearallforwardings controlmaster controlpath controlpersist dynamicforward enableescapecommandline
    escapechar exitonforwardfailure forkafterauthentication forwardagent forwardx11 forwardx11timeout
    forwardx11trusted gatewayports localcommand localforward permitlocalcommand permitremoteopen remotecommand
    remoteforward requesttty sessiontype stdinnull streamlocalbindmask streamlocalbindunlink tcpkeepalive
    tunneldevice xauthlocation
""")

# Words about output and speed; further ways to prove who we are, of which an error of authentication tells; and
# what only adds trust, so that without it a connection is refused sooner. CheckHostIP was once the default.
_MILD = _names("""
    addkeystoagent canonicaldomains canonicalizefallbacklocal canonicalizehostname canonicalizemaxdots
    canonicalizepermittedcnames challengeresponseauthentication checkhostip enablesshkeysign fingerprinthash
    gssapiauthentication gssapiclientidentity gssapidelegatecredentials gssapikexalgorithms gssapikeyexchange
    gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns hostbasedacceptedalgorithms ignoreunknown ipqos
    loglevel logverbose nohostauthenticationforlocalhost obscurekeystroketiming
    securitykeyprovider syslogfacility tag updatehostkeys verifyhostkeydns versionaddendum visualhostkey
    warnweakcrypto
""")

# Keyword -> the values under which it changes nothing.
_REFUSED: Mapping[str, tuple[str, ...]] = {
    "bindinterface": ("none",),
    "channeltimeout": ("none",),
    "hostbasedauthentication": ("no", "false"),
    "pkcs11provider": ("none",),
    "proxyusefdpass": ("no", "false"),
    "refuseconnection": ("none",),
    "tunnel": ("no", "false"),
}


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_REKEY = 1 << 20
"""Bytes: with fewer, paramiko would hardly do anything but exchange keys."""


def rekey_limit(value: str) -> tuple[int, int] | None:
    """The bytes and the seconds of a RekeyLimit, 0 for the default of either; None if it cannot be honoured."""
    size, _, time = value.lower().partition(" ")
    match = re.fullmatch(r"([0-9]+)([kmg]?)", "0" if size == "default" else size)
    try:
        seconds = 0 if time.strip() in ("", "none") else number(time.strip())
    except UsageError:
        return None
    found = int(match.group(1)) * _UNITS[match.group(2)] if match else -1
    return (found, seconds) if found == 0 or found >= _LEAST_REKEY else None


def unsupported(values: Mapping[str, list[str]], default_of: Callable[[str], str | None]) -> list[str]:
    """The settings, as "keyword value", that would change the meaning of a connection and cannot be honoured.

    `default_of` is asked for the default of keywords that are in none of the tables.
    """
    found = []
    for key, given in values.items():
        if key in HONOURED or key in _OURS or key in _MILD:
            continue
        value = " ".join(given)
        if key == "rekeylimit":
            if rekey_limit(value) is None:
                found.append(f"{key} {value}")
        elif key == "bindinterface" and interfaces.SUPPORTED:
            continue
        elif key in _REFUSED:
            if value.lower() not in _REFUSED[key]:
                found.append(f"{key} {value}")
        elif value != default_of(key):
            found.append(f"{key} {value}")
    return found
