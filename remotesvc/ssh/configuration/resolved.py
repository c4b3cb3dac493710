"""Everything that a connection needs to know of a host, once the user's words and ssh_config are put together."""

from __future__ import annotations

from dataclasses import dataclass

from ..hostkeys import algorithms
from .options import SSHOptions

PREFERRED_AUTHENTICATIONS = ("publickey", "keyboard-interactive", "password")
"""The order in which they are tried: OpenSSH's, without those that need its own binary."""

OTHER_TRANSPORT = "--transport openssh (transport=\"openssh\") leaves the connection to the ssh program."
"""The hint of errors about what paramiko cannot do."""


@dataclass(frozen=True)
class ResolvedHost:
    """Where and how to connect. In all paths and commands ~ and tokens are expanded."""

    name: str
    """As the user wrote it: the word for errors and output."""
    hostname: str
    port: int
    user: str
    options: SSHOptions
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None
    """Path of the agent's socket; None means no agent."""
    public_keys: bool = True
    passwords: bool = True
    keyboard_interactive: bool = True
    preferred_authentications: tuple[str, ...] = PREFERRED_AUTHENTICATIONS
    password_prompts: int = 3
    batch_mode: bool = False
    """Nobody may be asked anything."""
    user_known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    revoked_host_keys: str | None = None
    """A file of keys that no host may show."""
    known_hosts_command: tuple[str, ...] = ()
    """A program that names more keys, with the tokens that are known only when it is run."""
    host_key_alias: str | None = None
    hash_known_hosts: bool = False
    strict: str = "yes"
    """One of `options.HOST_KEY_MODES`."""
    ciphers: tuple[str, ...] = algorithms.CIPHERS
    macs: tuple[str, ...] = algorithms.MACS
    kex_algorithms: tuple[str, ...] = algorithms.KEY_EXCHANGES
    host_key_algorithms: tuple[str, ...] = algorithms.CERTIFICATES + algorithms.SIGNATURES
    public_key_algorithms: tuple[str, ...] = algorithms.USER_KEYS
    ca_signature_algorithms: tuple[str, ...] = algorithms.SIGNATURES
    required_rsa_size: int = 1024
    """Bits of the smallest RSA key that counts."""
    address_family: str = "any"
    """"any", "inet" or "inet6"."""
    bind_address: str | None = None
    bind_interface: str | None = None
    connect_timeout: float | None = None
    """Seconds for TCP, and again for the key exchange; None means the default."""
    connection_attempts: int = 1
    alive_interval: float | None = None
    """Seconds of silence after which the target is asked for a sign of life; None means the default."""
    alive_count: int = 3
    """How many such questions may go unanswered."""
    compression: bool = False
    rekey_limit: tuple[int, int] = (0, 0)
    """Bytes and seconds after which keys are exchanged anew; 0 means paramiko's own limit, and no limit."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables to set for the program, if the server lets us."""
    jump: SSHOptions | None = None
    """The host to go through; its own options name those in front of it."""
    proxy_command: str | None = None
    """A line for the shell: the connection is that program's input and output."""

    def __str__(self) -> str:
        return f"{self.user}@{self.hostname}" + (f":{self.port}" if self.port != 22 else "")
