"""Logging in: a few keys, one after the other, and words for why none was taken.

A refused login is counted, since a host may shut out whoever is refused too often. paramiko raises again, in
the caller, whatever its own thread met: hence the broad exception in here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import paramiko

from breakglass.errors import UserError
from breakglass.threads import in_thread
from breakglass.transport.ssh.budget import Budget
from breakglass.transport.ssh.credentials import MOST_TRIES, Offer, offer
from breakglass.transport.ssh.faults import SshFaultError, said
from breakglass.transport.ssh.protocol import Client
from breakglass.transport.ssh.route import Hop

LOGIN = 20.0
"""Seconds for all tries to log in; sshd's own grace time is often 20."""


async def log_in(
    client: Client, hop: Hop, words: str, budget: Budget, passphrase: Callable[[str], Awaitable[str]]
) -> None:
    """Log in to a hop whose host key is known to be right. `words` name it. Raises SshFaultError."""
    offered = await _offer(hop, words, passphrase)
    tried: list[str] = []
    try:
        async with asyncio.timeout(LOGIN):
            for candidate in offered.candidates[:MOST_TRIES]:
                tried.append(candidate.words)
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
        raise SshFaultError(
            "timeout", f"{words}: did not answer the login in {LOGIN:.0f} s; sshd or its user database hangs"
        ) from error
    except SshFaultError:
        raise
    except Exception as error:
        if tried:
            budget.login_refused(time.monotonic())
        raise SshFaultError(
            "authentication",
            f"{words}: closed the connection during the login ({said(error)}); {_keys(offered, tried)}",
        ) from error
    finally:
        if offered.agent is not None:
            offered.agent.close()
    if tried:
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


async def _offer(hop: Hop, words: str, passphrase: Callable[[str], Awaitable[str]]) -> Offer:
    async def look(word: str | None) -> Offer:
        try:
            return await in_thread(lambda: offer(hop, word), deadline=LOGIN)
        except TimeoutError as error:
            raise SshFaultError(
                "configuration", f"{words}: the keys or the agent cannot be read in {LOGIN:.0f} s"
            ) from error

    found = await look(None)
    if not found.encrypted or hop.passphrase is None:
        return found
    if found.agent is not None:
        found.agent.close()
    try:
        return await look(await passphrase(hop.passphrase))
    except UserError as error:
        raise SshFaultError("configuration", f"{words}: {error}") from error


def _keys(offered: Offer, tried: list[str]) -> str:
    """What was tried and what was not, and why."""
    left = len(offered.candidates) - len(tried)
    said = [f"tried: {', '.join(tried)}"] if tried else ["there was no key to offer"]
    if left > 0:
        said.append(
            f"{left} more were not tried, since servers shut out who tries many; name the right one with "
            "`identity` in the site or IdentityFile and IdentitiesOnly"
        )
    said += offered.unusable
    return "; ".join(said)
