"""Which algorithms may be used: those of `ssh_config` where it names any, and what is missing where none is.

The lists of OpenSSH are sets with an order of preference; what paramiko does not have is left out of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from breakglass.transport.ssh import chacha
from breakglass.transport.ssh.config_file import ClientConfigError
from breakglass.transport.ssh.patterns import matches_any
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.settings import ClientSettings

KEX, HOST_KEYS, CIPHERS, MACS = "KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs"
PUBLIC_KEYS = "PubkeyAcceptedAlgorithms"
CERTIFICATE = "-cert-v01@openssh.com"
_KEYS = cast("tuple[str, ...]", Client._preferred_keys)  # pyright: ignore
_CIPHERS = cast("tuple[str, ...]", Client._preferred_ciphers)  # pyright: ignore
_MACS = cast("tuple[str, ...]", Client._preferred_macs)  # pyright: ignore
_ON_REQUEST = ("-cbc", "-96", "md5")
"""Parts of names that OpenSSH offers only to whom its configuration says so."""


def _usual(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in names if not any(part in each for part in _ON_REQUEST))


OURS: Mapping[str, tuple[str, ...]] = {
    KEX: Client.usual_kex,
    HOST_KEYS: (*_KEYS, *(f"{each}{CERTIFICATE}" for each in _KEYS)),
    # AES-GCM comes before AES-CTR, as in OpenSSH 10.0: it needs no second pass over what came.
    # What is made up for in Python comes last.
    CIPHERS: (*sorted(_usual(_CIPHERS), key=lambda each: "-gcm" not in each), chacha.NAME),
    MACS: _usual(_MACS),
}
"""What is offered where nothing is configured, the best first."""
POSSIBLE: Mapping[str, tuple[str, ...]] = {
    KEX: tuple(Client._kex_info),  # pyright: ignore
    HOST_KEYS: tuple(Client._key_info),  # pyright: ignore
    CIPHERS: tuple(Client._cipher_info),  # pyright: ignore
    MACS: tuple(Client._mac_info),  # pyright: ignore
}
"""What could be offered."""


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What `ssh_config` allows; None: it does not say. public_keys: as OpenSSH names them."""

    kex: tuple[str, ...] | None = None
    host_keys: tuple[str, ...] | None = None
    ciphers: tuple[str, ...] | None = None
    macs: tuple[str, ...] | None = None
    public_keys: tuple[str, ...] | None = None

    def takes(self, key_type: str) -> bool:
        """Whether a key of a type may be used to log in."""
        if self.public_keys is None:
            return True
        if key_type.startswith("ssh-rsa"):
            names = (key_type.replace("ssh-rsa", "rsa-sha2-512"), key_type.replace("ssh-rsa", "rsa-sha2-256"))
            return any(each in self.public_keys for each in names)
        return key_type in self.public_keys


def algorithms_of(settings: ClientSettings) -> Algorithms:
    """Raises ClientConfigError, which names the option and what could stand there."""

    def chosen(option: str) -> tuple[str, ...] | None:
        if option.lower() not in settings.configured:
            return None
        value = settings.values[option.lower()][0]
        found = tuple(each for each in named(value, OURS[option]) if each in POSSIBLE[option])
        if not found:
            raise ClientConfigError(
                f"ssh_config allows only {option} {value}, and breakglass has none of them; for this host "
                f"add one of {','.join(OURS[option])}"
            )
        return found

    public_keys = None
    if PUBLIC_KEYS.lower() in settings.configured:
        public_keys = named(settings.values[PUBLIC_KEYS.lower()][0], OURS[HOST_KEYS])
    return Algorithms(chosen(KEX), chosen(HOST_KEYS), chosen(CIPHERS), chosen(MACS), public_keys)


def named(value: str, usual: Sequence[str]) -> tuple[str, ...]:
    """A list as `ssh_config` writes it: all of it, or with `+`, `-` or `^` what it changes of the usual."""
    names = value.lstrip("+-^").split(",")
    match value[:1]:
        case "+":
            return (*usual, *(each for each in names if each not in usual))
        case "-":
            return tuple(each for each in usual if not matches_any(names, each))
        case "^":
            return (*names, *(each for each in usual if each not in names))
        case _:
            return tuple(names)


def offer_algorithms(client: Client, allowed: Algorithms, known_types: set[str], certified: bool) -> None:
    """Set what a connection offers. Where nothing is configured, the kinds of host key that are known come
    first, as OpenSSH has it, since a host has several; and certificates before them for a host that is known
    by its authority."""
    wanted = {name for each in known_types for name in _signatures(each)}

    def rank(name: str) -> tuple[bool, bool]:
        return name.endswith(CERTIFICATE) != certified, name not in wanted

    client.host_key_algorithms = allowed.host_keys or tuple(sorted(OURS[HOST_KEYS], key=rank))
    client._preferred_kex = allowed.kex or OURS[KEX]  # pyright: ignore
    client._preferred_ciphers = allowed.ciphers or OURS[CIPHERS]  # pyright: ignore
    client._preferred_macs = allowed.macs or OURS[MACS]  # pyright: ignore
    if allowed.public_keys is not None:
        client._preferred_pubkeys = tuple(  # pyright: ignore
            each.removesuffix(CERTIFICATE) for each in allowed.public_keys
        )


def _signatures(key_type: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


def nothing_in_common(client: Client) -> str:
    """In words: what each side offers of which nothing is common, and the line that would help. Empty where
    the far side's offer is not known."""
    ours = {
        KEX: client.preferred_kex,
        HOST_KEYS: client.host_key_algorithms,
        CIPHERS: client.preferred_ciphers,
        MACS: client.preferred_macs,
    }
    for option, theirs in client.offered.items():
        if not theirs or set(ours[option]) & set(theirs):
            continue
        also = [each for each in theirs if each in POSSIBLE[option]]
        remedy = (
            f"in ssh_config, for this host: {option} +{also[0]}"
            if also
            else f"in the host's sshd_config: {option} +{_common(ours[option])}"
        )
        return (
            f"no common algorithm for {option}. It offers {','.join(theirs)}; breakglass offers "
            f"{','.join(ours[option])}. What would help is a line {remedy}"
        )
    return ""


def _common(ours: Sequence[str]) -> str:
    """What an sshd most probably has, of ours."""
    common = ("curve25519-sha256", "ssh-ed25519", "aes256-gcm@openssh.com", "hmac-sha2-256-etm@openssh.com")
    return next((each for each in common if each in ours), ours[0])
