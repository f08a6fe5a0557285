"""Logging in: a few keys, one after the other, and words for why none was taken.

A refused login is counted, since a host may shut out whoever is refused too often. paramiko raises again, in
the caller, whatever its own thread met: hence the broad exception in here.
"""

import asyncio
import time
from collections.abc import Mapping

import paramiko

from breakglass.errors import RequestError
from breakglass.threads import in_thread
from breakglass.transport.ssh.connection import ConnectionProgress
from breakglass.transport.ssh.credentials import MOST_TRIES, Offer, offer
from breakglass.transport.ssh.faults import SshFaultError, said
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.rate_limit import ConnectionBudget
from breakglass.transport.ssh.route import Hop

LOGIN = 20.0
"""Seconds for all tries to log in; sshd's own grace time is often 20."""


class PassphraseWantedError(RequestError):
    """A key is encrypted, and `secret` names what opens it. Nothing has been connected to yet."""

    def __init__(self, secret: str) -> None:
        super().__init__(secret)
        self.secret = secret


async def find_keys(hop: Hop, words: str, passphrases: Mapping[str, str]) -> Offer:
    """The keys to log in to a hop with; its `agent` is to be closed.

    passphrases: what is known so far, by the name of the secret. Raises PassphraseWantedError, and
    SshFaultError where the keys cannot be looked for.
    """
    passphrase = passphrases.get(hop.passphrase) if hop.passphrase is not None else None
    try:
        found = await in_thread(lambda: offer(hop, passphrase), deadline=LOGIN)
    except TimeoutError as error:
        raise SshFaultError(
            "configuration", f"{words}: the keys or the agent cannot be read in {LOGIN:.0f} s"
        ) from error
    if found.encrypted and passphrase is None and hop.passphrase is not None:
        if found.agent is not None:
            found.agent.close()
        raise PassphraseWantedError(hop.passphrase)
    return found


async def log_in(
    client: Client,
    hop: Hop,
    words: str,
    offered: Offer,
    budget: ConnectionBudget,
    progress: ConnectionProgress,
) -> None:
    """Log in to a hop whose host key is known to be right. `words` name it. Raises SshFaultError."""
    if not offered.candidates:
        reasons = "; ".join(offered.unusable) or "name one with `identity` in the site, or run `ssh-add`"
        raise SshFaultError("authentication", f"{words}: there is no key to log in with: {reasons}")
    tried: list[str] = []
    try:
        async with asyncio.timeout(LOGIN):
            for candidate in offered.candidates[:MOST_TRIES]:
                tried.append(candidate.words)
                if candidate.fido:
                    progress.words = f"{words}: waiting for a touch of the FIDO key {candidate.words}"
                    if progress.tell is not None:
                        progress.tell(f"{words}: touch the FIDO key when it blinks: {candidate.words}")
                further = await _offered(client, hop, candidate.key)
                if further is None:
                    continue
                if further:
                    raise SshFaultError(
                        "authentication",
                        f"{words}: takes {candidate.words} and then wants {' or '.join(further)} as well, "
                        "which cannot be given here; use another key or user",
                    )
                return
    except TimeoutError as error:
        if any(each.fido for each in offered.candidates[: len(tried)]):
            raise SshFaultError(
                "authentication",
                f"{words}: the FIDO key {tried[-1]} was not touched in {LOGIN:.0f} s; try again and touch it "
                "when it blinks",
            ) from error
        raise SshFaultError(
            "timeout", f"{words}: did not answer the login in {LOGIN:.0f} s; sshd or its user database hangs"
        ) from error
    except SshFaultError:
        raise
    except Exception as error:
        told = client.farewell or said(error)
        if len(tried) > 1 or "authentication failures" in told:
            budget.login_refused(time.monotonic())
            raise SshFaultError(
                "authentication", f"{words}: login refused ({told}); {_keys(offered, tried)}"
            ) from error
        # A machine that is starting or stopping hangs up as well, and that is no refusal.
        raise SshFaultError(
            "disconnected", f"{words}: closed the connection during the login ({told}); is it just starting?"
        ) from error
    budget.login_refused(time.monotonic())
    raise SshFaultError("authentication", f"{words}: login refused; {_keys(offered, tried)}")


async def _offered(client: Client, hop: Hop, key: paramiko.PKey) -> list[str] | None:
    """Offer a key. None: refused. Otherwise what the server wants besides, mostly nothing."""
    try:
        return await in_thread(lambda: client.auth_publickey(hop.user, key), deadline=LOGIN)
    except paramiko.AuthenticationException:
        if not client.is_active():
            raise
        return None


def _keys(offered: Offer, tried: list[str]) -> str:
    """What was tried and what was not, and why."""
    left = len(offered.candidates) - len(tried)
    words = [f"tried: {', '.join(tried)}"]
    if left > 0:
        words.append(
            f"{left} more were not tried, since servers shut out who tries many; name the right one with "
            "`identity` in the site or IdentityFile and IdentitiesOnly"
        )
    return "; ".join((*words, *offered.unusable))
