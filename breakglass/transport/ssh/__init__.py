"""SSH: one kept connection a host, a channel a command, and the doors that a client must knock on with care.

`settings` asks `ssh -G` what counts for a host, `route` makes hops of that and the site, `connect` gets into
one, `connection` is what is kept of that, `command` runs one command, and `transport` keeps the connections
and answers the session.
"""

from breakglass.transport.ssh.host_keys import HostKeyQuestion
from breakglass.transport.ssh.transport import Ssh

__all__ = ["HostKeyQuestion", "Ssh"]
