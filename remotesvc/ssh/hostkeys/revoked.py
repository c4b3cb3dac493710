"""ssh_config's RevokedHostKeys: a file of public keys that no host may show any more."""

from __future__ import annotations

import base64
import binascii

from . import certificate

_KRL = b"SSHKRL\n\0"


class RevokedKeys:
    """One such file, as text: a public key, or a certificate of one, a line.

    What cannot be read revokes every key, as in OpenSSH.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def find(self, key: bytes, shown_certificate: bytes | None) -> str:
        """Where a host's key, or the authority of its certificate, is revoked; "" if nowhere."""
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError as error:
            return f"{self._path} cannot be read ({error.strerror or error}), so no key can be trusted"
        if data.startswith(_KRL):
            return f"{self._path} is a key revocation list, which only --transport openssh can read"
        keys = {key}
        if shown_certificate is not None:
            try:
                keys.add(certificate.parse(shown_certificate).authority)
            except certificate.Malformed:
                pass  # then it proves nothing, and the key alone counts
        for number, line in enumerate(data.split(b"\n"), start=1):
            words = line.split(None, 2)
            if not words or words[0].startswith(b"#"):
                continue
            try:
                blob = base64.b64decode(words[1], validate=True)
                revoked = certificate.key_of(blob)
                if not blob[4:].startswith(words[0]) or int.from_bytes(blob[:4], "big") != len(words[0]):
                    raise certificate.Malformed("it is of another type")
            except (IndexError, binascii.Error, certificate.Malformed):
                return f"{self._path}:{number} is not a public key, so no key can be trusted"
            if revoked in keys:
                return f"{self._path}:{number}"
        return ""
