"""The algorithms we use, in our order, and what a list in ssh_config leaves of them (pure).

No SHA-1, no MD5, no CBC, no 3DES. A list in ssh_config takes algorithms away, it never adds one, and the order
stays ours: it is a matter of speed, not of safety.
"""

from __future__ import annotations

from collections.abc import Sequence

# GCM first: twice as fast as paramiko's own first choice.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
# They matter for the CTR ciphers only. Encrypt-then-MAC last: see `keyexchange._check_terrapin`.
MACS = ("hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
RSA = ("rsa-sha2-512", "rsa-sha2-256")
"""By what a key of type "ssh-rsa" signs, best first. The algorithm of that name is SHA-1 and not among them."""

SIGNATURES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", *RSA)
SECURITY_KEYS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
"""For users only: the agent signs, with a device's help."""

SUFFIX = "-cert-v01@openssh.com"
"""Behind the name of an algorithm, or of a type of key: the same with a certificate."""

CERTIFICATES = tuple(name + SUFFIX for name in SIGNATURES)
USER_KEYS = (
    *CERTIFICATES,
    *(name.replace("@", "-cert-v01@") for name in SECURITY_KEYS),
    *SIGNATURES,
    *SECURITY_KEYS,
)

# Where a list has the first, it may have the second, too: it was written for an ssh that did not know that one yet.
_IMPLIED = {"sntrup761x25519-sha512@openssh.com": "mlkem768x25519-sha256"}

_OURS = {
    "ciphers": CIPHERS,
    "macs": MACS,
    "kexalgorithms": KEY_EXCHANGES,
    "hostkeyalgorithms": CERTIFICATES + SIGNATURES,
    "pubkeyacceptedalgorithms": USER_KEYS,
    "casignaturealgorithms": SIGNATURES,
}


def left_of(keyword: str, listed: Sequence[str]) -> tuple[str, ...]:
    """Those of ours that ssh_config's `keyword` (in lower case) lists; all of them if it lists nothing."""
    ours = _OURS[keyword]
    if not listed:
        return ours
    allowed = {*listed, *(_IMPLIED[name] for name in listed if name in _IMPLIED)}
    return tuple(name for name in ours if name in allowed)
