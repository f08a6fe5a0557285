"""`%h`, `${VAR}` and `~` in values of `ssh_config`: ssh_config(5), "TOKENS" and "ENVIRONMENT VARIABLES"."""

import getpass
import os
import pwd
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from breakglass.transport.ssh.config_file import ClientConfigError, at_home, home

EVERYWHERE = "dhiklLnpru"
"""The tokens of file names and of `Match exec`; `%C` and `%j` differ between versions of OpenSSH."""
_PART = re.compile(r"%(.?)|\$\{([^}]*)\}")


def own_name() -> str:
    """Who runs this, as `ssh` has it. Raises ClientConfigError for a user who has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        pass
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ClientConfigError("give the host's `user`; the own user has no name here") from error


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the tokens stand for. host: the name or address that is connected to; original: the name that was
    given; known_as: HostKeyAlias, where there is one."""

    host: str
    original: str = ""
    port: str = ""
    user: str = ""
    known_as: str = ""

    def path(self, text: str, option: str) -> Path:
        """A file's name, in full. Raises ClientConfigError."""
        return Path(self.expanded(str(at_home(text)), EVERYWHERE, option, variables=True))

    def expanded(self, text: str, tokens: str, option: str, *, variables: bool = False) -> str:
        """A text with these tokens put in, and the environment's variables where `variables` says so.

        Raises ClientConfigError, which names the option, for a token or a variable that there is not.
        """

        def value(match: re.Match[str]) -> str:
            token, variable = match[1], match[2]
            if token is None:
                if not variables:
                    return match[0]
                if variable not in os.environ:
                    raise ClientConfigError(f"{option} {text}: the variable {variable} is not set")
                return os.environ[variable]
            if token == "%":
                return "%"
            if not token or token not in tokens:
                raise ClientConfigError(f"{option} {text}: the token %{token} is not understood here")
            return self._value(token)

        return _PART.sub(value, text)

    def _value(self, token: str) -> str:
        match token:
            case "d":
                return str(home())
            case "h":
                return self.host
            case "i":
                return str(os.getuid())
            case "k":
                return self.known_as or self.original
            case "l":
                return socket.gethostname()
            case "L":
                return socket.gethostname().partition(".")[0]
            case "n":
                return self.original
            case "p":
                return self.port
            case "r":
                return self.user
            case _:
                return own_name()
