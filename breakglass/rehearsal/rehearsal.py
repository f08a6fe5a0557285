"""A running rehearsal: a simulated world on loopback, and the site that leads into it.

Everything listens on free ports of 127.0.0.1. The folder gets what a client needs to get in: kubeconfigs,
keys, known_hosts, the CA of the HTTP endpoints and the secrets, all made up and readable by their owner only.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from breakglass.kubernetes_objects import name_of
from breakglass.network_guard import Servers
from breakglass.rehearsal.cluster import ScenarioHooks, kinds_of, users_of
from breakglass.rehearsal.command_replies import CommandReplies
from breakglass.rehearsal.effects import Effects, objects_by_plural
from breakglass.rehearsal.endpoints import SimulatedEndpoint
from breakglass.rehearsal.hosts import THIS_MACHINE, SimulatedHost
from breakglass.rehearsal.scenario import Scenario
from breakglass.rehearsal.spec.machines import HostSpec, RegistrySpec
from breakglass.rehearsal.story import Event, Happening, Listener, Story
from breakglass.rehearsal.traps import WorldMove
from breakglass.rehearsal.world import World, WorldFaultError
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import render_tree
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.http_server import HttpServer
from breakglass.simulator.kubernetes.certificates import Authority, write_private
from breakglass.simulator.kubernetes.controllers import Controllers
from breakglass.simulator.kubernetes.server import ApiServer, start_api_server
from breakglass.simulator.kubernetes.statuses import ApiError
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.simulator.registry.server import registry_answers
from breakglass.simulator.registry.store import RegistryStore, empty_state
from breakglass.simulator.ssh_server import SshServer, known_hosts_line, new_key
from breakglass.site.model import Cluster, Endpoint, FileSecret, Host, LocalPrograms, Site
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Problem

CONNECTIONS_PER_MINUTE = 600.0
"""A simulated host drops no connections, so the client needs not hold back."""
SEED = 7
"""The same scenario gives the same uids and pod names each time."""


class Rehearsal:
    """A simulated world that is up. `site` leads into it. To be used in the event loop's thread."""

    def __init__(self, scenario: Scenario, folder: Path, speed: float) -> None:
        self.scenario = scenario
        self.folder = folder
        self.speed = speed
        self.clock = SimulatedClock(speed)
        site = scenario.site
        self._world = World(
            scenario.world, self.clock, {"name": site.name, "variables": dict(site.variables)}
        )
        self._stores = {
            name: ObjectStore(self.clock, kinds_of(specification), SEED)
            for name, specification in scenario.clusters.items()
        }
        self._registries = {
            name: _registry(endpoint.registry, self._world)
            for name, endpoint in scenario.endpoints.items()
            if endpoint.registry is not None
        }
        self._effects = Effects(self._world, self._stores, self._registries)
        self._story = Story(
            self._world, scenario.rules, scenario.traps, scenario.recovered, self._effects.apply
        )
        self._answering = CommandReplies(self._world, self._story, self._effects)
        self._hosts = {
            name: SimulatedHost(name, specification, self._world, self._story, self._answering)
            for name, specification in scenario.hosts.items()
        }
        if scenario.local is not None:
            answers = HostSpec(commands=scenario.local.commands, files=scenario.local.files)
            self._hosts[THIS_MACHINE] = SimulatedHost(
                THIS_MACHINE, answers, self._world, self._story, self._answering
            )
        self._closers: list[Callable[[], None]] = []
        self._api_servers: dict[str, ApiServer] = {}
        self._ssh_servers: dict[str, SshServer] = {}
        self._http_servers: dict[str, HttpServer] = {}
        self._closed = False
        self.site = Site(name=site.name, production=False, reads=site.reads)

    @property
    def happened(self) -> list[Happening]:
        """What rules have said, traps met, changes made by clients, and the recovery, in order."""
        return self._story.happened

    @property
    def touched(self) -> list[str]:
        """Every change that a client has made to the world, as its event's text. Empty after a dry run."""
        return self._story.touched

    @property
    def faults(self) -> list[str]:
        """What is wrong with the scenario itself, as far as it has come up. Empty for a sound one."""
        return self._story.faults

    @property
    def variables(self) -> Mapping[str, Json]:
        """The world's variables as they stand."""
        return self._world.variables

    def host(self, name: str) -> SimulatedHost:
        """A simulated machine, to be spoken to without SSH. KeyError where there is none."""
        return self._hosts[name]

    def move(self, move: WorldMove) -> None:
        """Let the world move by itself, as if somebody else had done something. No client touched it."""
        self._story.happen(move.effect)

    def done_by_hand(self, step: str) -> None:
        """The operator says that a step for people was done. Rules on `manual STEP` take the word for it."""
        self._story.emit(Event((f"manual {step}",)))

    def recovered(self) -> bool:
        """Whether the simulated incident is over."""
        return self._story.recovered()

    def traps_met(self) -> list[str]:
        return [each.name for each in self.happened if each.kind == "trap"]

    def snapshot(self) -> Json:
        """All of the world as it stands: variables, Kubernetes objects, files of hosts. What is set later, in
        whatever depth, does not show in it."""
        return {
            "world": deepcopy(dict(self._world.variables)),
            "clusters": {name: store.snapshot() for name, store in self._stores.items()},
            "hosts": {name: host.snapshot() for name, host in self._hosts.items()},
        }

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told of what happens, in the event loop's thread: kind, name and words. The answer ends it."""
        return self._story.listen(listener)

    async def start(self) -> None:
        """Bring everything up. Raises InvalidFileError for a scenario whose world cannot begin."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._world.offer("clusters", self._all_clusters)
        self._world.offer("objects", self._all_objects)
        for name in self.scenario.clusters:
            await self._start_cluster(name)
        authority = Authority("rehearsal-ca")
        trusted = self.folder / "endpoints.ca.crt"
        write_private(trusted, authority.certificate)
        for name in self.scenario.endpoints:
            await self._start_endpoint(name, authority)
        # Making keys takes a moment of the processor's time; the loop must not wait for it.
        hosts = await asyncio.to_thread(self._start_hosts, asyncio.get_running_loop())
        answers = hosts.pop(THIS_MACHINE, None)
        self.site = replace(
            self.site,
            description=self.scenario.site.description or f"simulated: {self.scenario.title}",
            clusters={
                name: Cluster(name, kubeconfig=server.kubeconfig)
                for name, server in self._api_servers.items()
            },
            hosts=hosts,
            local=self._local(answers),
            endpoints={name: self._endpoint(name, trusted) for name in self.scenario.endpoints},
            secrets=self._write_secrets(),
            variables=dict(self.scenario.site.variables),
            reaches=self._servers(),
        )
        self._story.begin()

    async def close(self) -> None:
        """Take everything down. Clients that still wait are cut off."""
        if self._closed:
            return
        self._closed = True
        self._story.close()
        for closer in self._closers:
            closer()
        for server in self._ssh_servers.values():
            server.close()
        await asyncio.gather(*(server.close() for server in self._http_servers.values()))
        await asyncio.gather(*(server.close() for server in self._api_servers.values()))
        self.clock.close()

    def _servers(self) -> Servers:
        """Where the servers of this world are, and so all that a session in it may connect to."""
        ports = [urlsplit(server.url).port for server in self._api_servers.values()]
        ports += [server.port for server in self._ssh_servers.values()]
        ports += [server.port for server in self._http_servers.values()]
        return frozenset(("127.0.0.1", port) for port in ports if port is not None)

    async def _start_cluster(self, name: str) -> None:
        specification = self.scenario.clusters[name]
        store = self._stores[name]
        hooks = ScenarioHooks(
            name,
            specification,
            self.scenario.exec,
            self.scenario.logs,
            self._world,
            self._story,
            self._answering,
        )
        self._load_objects(name, store)
        controllers = Controllers(store, hooks)
        controllers.start()
        self._closers += [controllers.close, store.subscribe(hooks.stored)]
        self._api_servers[name] = await start_api_server(
            store, hooks, self.folder, users=users_of(specification), cluster=name
        )

    def _load_objects(self, name: str, store: ObjectStore) -> None:
        for number, tree in enumerate(self.scenario.clusters[name].objects):
            try:
                rendered = render_tree(tree, self._world.scope())
                if not isinstance(rendered, dict) or not name_of(rendered):
                    raise ValueError("not an object with a metadata.name")
                store.load([rendered])
            except (EvaluationError, ApiError, ValueError) as error:
                message = f"kubernetes.{name}.objects[{number}]: {error}"
                raise InvalidFileError([Problem(self.scenario.recovered.position, message)]) from error

    async def _start_endpoint(self, name: str, authority: Authority) -> None:
        specification = self.scenario.endpoints[name]
        registry = self._registries.get(name)

        def changed(method: str, path: str) -> None:
            self._story.touch(f"http {method} {name} {path}")

        endpoint = SimulatedEndpoint(
            name,
            specification,
            self._world,
            self._story,
            self._effects,
            self.scenario.site.secrets,
            registry_answers(registry, changed) if registry is not None else None,
        )
        server = HttpServer(endpoint.handle, refuse=specification.refuse, hang=specification.hang)
        tls = None
        if specification.url.startswith("https:"):
            signer = authority if specification.trusted else Authority("somebody-else")
            tls = _tls(signer, urlsplit(specification.url).hostname or "localhost")
        await server.start(tls)
        self._http_servers[name] = server

    def _endpoint(self, name: str, trusted: Path) -> Endpoint:
        specification = self.scenario.endpoints[name]
        parts = urlsplit(specification.url)
        path = parts.path.rstrip("/")
        url = f"{parts.scheme}://{parts.hostname}:{self._http_servers[name].port}{path}"
        return Endpoint(
            name,
            url,
            resolve="127.0.0.1",
            ca=trusted if parts.scheme == "https" else None,
            headers=dict(specification.headers),
            bearer=specification.bearer,
            basic=specification.basic,
        )

    def _start_hosts(self, loop: asyncio.AbstractEventLoop) -> dict[str, Host]:
        if not self._hosts:
            return {}
        client_key = new_key(self.folder / "id_ed25519")
        known: list[str] = []
        hosts: dict[str, Host] = {}
        no_configuration = self.folder / "ssh_config"
        write_private(no_configuration, b"")
        for name, host in self._hosts.items():
            host_key = new_key(self.folder / f"host_{name}_ed25519")
            server = SshServer(host.machine, host_key, client_key, loop)
            self._ssh_servers[name] = server
            match host.specification.host_key:
                case "known":
                    known.append(known_hosts_line(server.port, host_key))
                case "changed":
                    other = new_key(self.folder / f"host_{name}_before_ed25519")
                    known.append(known_hosts_line(server.port, other))
                case "unknown":
                    pass
            hosts[name] = Host(
                name,
                "127.0.0.1",
                server.port,
                host.specification.user,
                identity=self.folder / "id_ed25519",
                known_hosts=self.folder / "known_hosts",
                ssh_config=no_configuration,
                forced_command=host.specification.forced_command,
                connections_per_minute=CONNECTIONS_PER_MINUTE,
            )
        write_private(self.folder / "known_hosts", "".join(known).encode())
        return hosts

    def _local(self, answers: Host | None) -> LocalPrograms:
        """The programs that the scenario answers for. Where they would be is of no matter: none starts."""
        names = self.scenario.local.programs if self.scenario.local is not None else ()
        return LocalPrograms({name: f"/usr/bin/{name}" for name in names}, answers=answers)

    def _write_secrets(self) -> dict[str, FileSecret]:
        secrets: dict[str, FileSecret] = {}
        for name, value in self.scenario.site.secrets.items():
            path = self.folder / f"secret_{name}"
            write_private(path, value.encode())
            secrets[name] = FileSecret(path)
        return secrets

    def _all_clusters(self) -> Json:
        return {name: objects_by_plural(store) for name, store in self._stores.items()}

    def _all_objects(self) -> Json:
        merged: dict[str, Json] = {}
        for store in self._stores.values():
            for plural, values in objects_by_plural(store).items():
                before = merged.get(plural)
                assert isinstance(values, list)
                merged[plural] = [*before, *values] if isinstance(before, list) else values
        return merged


async def start_rehearsal(scenario: Scenario, folder: Path, *, speed: float | None = None) -> Rehearsal:
    """Start a scenario's world on loopback, in the running event loop.

    folder: where the keys and addresses go. speed: simulated seconds in a real one; the scenario's own where
    None. Raises InvalidFileError for a scenario whose world cannot begin.
    """
    try:
        rehearsal = Rehearsal(scenario, folder, speed or scenario.speed)
    except (WorldFaultError, ValueError) as error:
        raise InvalidFileError([Problem(scenario.recovered.position, str(error))]) from error
    try:
        await rehearsal.start()
    except BaseException:
        await rehearsal.close()
        raise
    return rehearsal


def _registry(specification: RegistrySpec, world: World) -> RegistryStore:
    """A registry whose state is a variable of the world, so that rules can move it."""

    def state() -> dict[str, Json]:
        found = world.variables.get(specification.variable)
        if not isinstance(found, dict):
            raise WorldFaultError(f"world.{specification.variable} is no longer the state of a registry")
        return found

    given = world.variables.get(specification.variable)
    begun = empty_state(deletes=specification.deletes)
    world.variables[specification.variable] = begun | (given if isinstance(given, dict) else {})
    return RegistryStore(state, specification.images)


def _tls(authority: Authority, host: str) -> ssl.SSLContext:
    issued = authority.server((host, "127.0.0.1"), days=365)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        certificate.write_bytes(issued.certificate)
        write_private(key, issued.key)
        context.load_cert_chain(certificate, key)
    return context
