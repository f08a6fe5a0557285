"""The API server: HTTPS on loopback, who is asking, what is asked, and how it goes wrong on purpose."""

import asyncio
import contextlib
import json
import secrets
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from breakglass.simulator.kubernetes import (
    change_requests,
    discovery,
    exec_spdy,
    exec_websocket,
    port_forward,
    port_forward_spdy,
    read_requests,
    reviews,
    statuses,
)
from breakglass.simulator.kubernetes.access import ADMIN, User
from breakglass.simulator.kubernetes.addresses import Address, parse, verb_of
from breakglass.simulator.kubernetes.certificates import Authority, write_kubeconfig, write_private
from breakglass.simulator.kubernetes.controllers import Controllers
from breakglass.simulator.kubernetes.exec import exec_request
from breakglass.simulator.kubernetes.hooks import CutConnectionError, Hooks, RequestInfo, ServerFault
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.operations import Operations
from breakglass.simulator.kubernetes.port_forward import Dial, forward_request
from breakglass.simulator.kubernetes.server_side_apply import CONTENT_TYPE as APPLY
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.values import Json

NO_TIME_CHECK = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME. An expired client certificate must reach the server, which answers
401 as a real one does, and not fail the handshake."""
LARGEST_BODY = 3 * 1024 * 1024
ANONYMOUS = User("system:anonymous", rules=())
USERS = ResourceKind("", "v1", "users", "User", namespaced=False)
"""Not served; only named where impersonation is refused."""
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running server. `kubeconfigs` by user name; `kubeconfig` is the first user's."""

    url: str
    address: tuple[str, int]
    kubeconfig: Path
    kubeconfigs: dict[str, Path]
    authority: Path
    stop: Callable[[], Awaitable[None]]

    async def close(self) -> None:
        """Cut every connection and stop listening."""
        await self.stop()


async def start_api_server(
    store: ObjectStore,
    hooks: Hooks,
    folder: Path,
    *,
    users: Sequence[User] = (ADMIN,),
    cluster: str = "rehearsal",
    certificate_days: int = 365,
    dial: Dial | None = None,
) -> ApiServer:
    """Serve the objects of a store on a free port of 127.0.0.1, in the running event loop, with controllers.

    The controllers first bring the objects to rest as if the cluster had long been running, so that what
    the server shows from its first answer is the scenario's beginning.

    folder: gets `CLUSTER.ca.crt` and one `CLUSTER.USER.kubeconfig` for each user, with mode 0600.
    certificate_days: until the server's certificate expires; below zero it has expired already.
    dial: where the ports of pods really listen, for port-forwards; without it every port is closed.
    """
    controllers = Controllers(store, hooks)
    controllers.start()
    authority = Authority(f"{cluster}-ca")
    tokens = {secrets.token_urlsafe(24): user for user in users if user.login == "token"}
    service = _Service(store, hooks, {user.name: user for user in users}, tokens, dial)
    runner = web.AppRunner(
        service.application(), handler_cancellation=True, shutdown_timeout=0.0, access_log=None
    )
    await runner.setup()
    context = _server_context(authority, certificate_days)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    host, port = runner.addresses[0][:2]
    url = f"https://{host}:{port}"
    service.address = f"{host}:{port}"
    trusted = folder / f"{cluster}.ca.crt"
    write_private(trusted, authority.certificate)
    kubeconfigs: dict[str, Path] = {}
    for user in users:
        path = folder / f"{cluster}.{user.name.replace(':', '-').replace('/', '-')}.kubeconfig"
        token = next((token for token, known in tokens.items() if known is user), None)
        login = token or authority.client(user.name, user.groups, user.certificate_days)
        write_kubeconfig(path, cluster, url, authority.certificate, user.name, login)
        kubeconfigs[user.name] = path
    return ApiServer(
        url,
        (host, port),
        kubeconfigs[users[0].name],
        kubeconfigs,
        trusted,
        service.closing(runner, controllers),
    )


def _server_context(authority: Authority, days: int) -> ssl.SSLContext:
    issued = authority.server(("127.0.0.1", "localhost", "kubernetes.default.svc"), days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        certificate.write_bytes(issued.certificate)
        write_private(key, issued.key)
        context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_TIME_CHECK)
    return context


@dataclass
class _Service:
    store: ObjectStore
    hooks: Hooks
    users: dict[str, User]
    tokens: dict[str, User]
    dial: Dial | None
    address: str = ""
    transports: set[asyncio.BaseTransport] = field(default_factory=set[asyncio.BaseTransport])

    def application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self.handle)
        self.operations = Operations(self.store, self.hooks)
        return application

    def closing(self, runner: web.AppRunner, controllers: Controllers) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            controllers.close()
            for transport in list(self.transports):
                if isinstance(transport, asyncio.Transport):
                    transport.abort()
            await runner.cleanup()

        return close

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; whatever is refused becomes a Status."""
        transport = request.transport
        if transport is not None:
            self.transports.add(transport)
        try:
            return await self._answer(request)
        except statuses.ApiError as error:
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return _json(error.status, error.code, headers)
        except CutConnectionError:
            return _cut(request)
        except ConnectionError:
            # The client went in the middle of a stream.
            return web.Response()
        finally:
            if transport is not None:
                self.transports.discard(transport)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        user = self._user(request)
        path = request.path
        address, verb = None, request.method.lower()
        if _is_resource(path):
            address = parse(request.rel_url.raw_path, self.store.kinds)
            verb = verb_of(request.method, address, watch=request.query.get("watch") in ("true", "1"))
        fault = self.hooks.fault(_information(verb, address, user, path))
        if fault is not None:
            await self._before(fault, request)
        if address is None:
            answer = self._about(request, user)
        else:
            self._authorize(verb, address, user)
            answer = await self._resource(verb, address, request, user)
        if fault is not None:
            await self._after(fault)
        return answer

    async def _before(self, fault: ServerFault, request: web.Request) -> None:
        match fault.kind:
            case "answer":
                raise statuses.ApiError(fault.code, fault.reason, fault.message)
            case "hang":
                await asyncio.Event().wait()
            case "cut":
                raise CutConnectionError
            case "slow":
                await self.store.clock.sleep(fault.seconds)
            case "hang-after" | "cut-after":
                pass

    async def _after(self, fault: ServerFault) -> None:
        if fault.kind == "hang-after":
            await asyncio.Event().wait()
        if fault.kind == "cut-after":
            raise CutConnectionError

    def _user(self, request: web.Request) -> User:
        """Who asks, by client certificate or token, or as whom. ApiError 401 for a bad credential."""
        user = self._credential(request)
        name = request.headers.get("Impersonate-User")
        if name is None or name == user.name:
            return user
        if not user.may("impersonate", "", "users", name=name):
            raise statuses.forbidden(user.name, "impersonate", USERS, "", "", name)
        return self.users.get(name, User(name, rules=()))

    def _credential(self, request: web.Request) -> User:
        given = request.headers.get("Authorization", "")
        if given.startswith("Bearer "):
            user = self.tokens.get(given.removeprefix("Bearer ").strip())
            if user is None:
                raise statuses.unauthorized()
            return user
        tls = None if request.transport is None else request.transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert() if isinstance(tls, ssl.SSLObject) else None
        if not certificate:
            return ANONYMOUS
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        if ends < datetime.now(UTC).timestamp():
            raise statuses.unauthorized()
        subject = certificate.get("subject", ())
        names = [entry[1] for part in subject for entry in part if entry[0] == "commonName"]
        return self.users.get(names[0] if names else "", ANONYMOUS)

    def _authorize(self, verb: str, address: Address, user: User) -> None:
        kind = address.kind
        if not kind.stored and user is not ANONYMOUS:
            return
        place = (kind.group, kind.plural, address.subresource, address.namespace, address.name)
        if not user.may(verb, *place):
            raise statuses.forbidden(
                user.name, verb, kind, address.subresource, address.namespace, address.name
            )

    def _about(self, request: web.Request, user: User) -> web.StreamResponse:
        """Discovery, health and version. ApiError 404 for anything else."""
        path, kinds = request.path.rstrip("/") or "/", self.store.kinds
        if user is ANONYMOUS and path not in OPEN_PATHS:
            message = f'forbidden: User "{user.name}" cannot {request.method.lower()} path "{path}"'
            raise statuses.ApiError(403, "Forbidden", message, {})
        match path.strip("/").split("/"):
            case ["healthz" | "livez" | "readyz"]:
                return web.Response(text="ok")
            case ["version"]:
                return _json(discovery.VERSION)
            case ["api"]:
                return _json(discovery.core_versions(self.address))
            case ["apis"]:
                return _json(discovery.group_list(kinds))
            case ["api", "v1"]:
                return _json(discovery.resource_list(kinds, "", "v1"))
            case ["apis", name] if name in kinds.groups():
                return _json(discovery.group(name, kinds.groups()[name]))
            case ["apis", name, version] if kinds.groups().get(name) == version:
                return _json(discovery.resource_list(kinds, name, version))
            case ["openapi", "v2"]:
                if discovery.PROTOBUF_ASKED in request.headers.get("Accept", ""):
                    content = discovery.openapi_v2_protobuf(kinds)
                    return web.Response(body=content, content_type=discovery.PROTOBUF_SENT)
                return _json(discovery.openapi_v2(kinds))
            case ["openapi", "v3"]:
                return _json(discovery.openapi_v3_index(kinds))
            case ["openapi", "v3", "api", "v1"]:
                return _json(discovery.openapi_v3(kinds, "", "v1"))
            case ["openapi", "v3", "apis", name, version] if kinds.groups().get(name) == version:
                return _json(discovery.openapi_v3(kinds, name, version))
            case _:
                raise statuses.no_such_path()

    async def _resource(
        self, verb: str, address: Address, request: web.Request, user: User
    ) -> web.StreamResponse:
        store, operations = self.store, self.operations
        match verb, address.subresource:
            case (("get" | "create"), "exec"):
                return await self._exec(address, request, user)
            case "get", "log":
                return await read_requests.logs(store, self.hooks, address, request)
            case (("get" | "create"), "portforward"):
                return await self._port_forward(address, request)
            case _, "exec" | "log" | "portforward":
                raise statuses.method_not_allowed()
            case "create", _ if not address.kind.stored:
                return _json(await self._review(address, request, user), 201)
            case "get", _:
                if request.query.get("watch") in ("true", "1"):
                    return await read_requests.watch(store, address, request)
                return _json(read_requests.get(store, address, request))
            case "list", _:
                return _json(read_requests.list_page(store, address, request))
            case "watch", _:
                return await read_requests.watch(store, address, request)
            case "create", _:
                return _json(await change_requests.create(operations, address, request, user.name), 201)
            case "update", _:
                return _json(await change_requests.update(operations, address, request, user.name))
            case "patch", _ if request.content_type == APPLY:
                answer, code = await change_requests.apply(operations, address, request, user.name)
                return _json(answer, code)
            case "patch", _:
                return _json(await change_requests.patch(operations, address, request, user.name))
            case "delete", "":
                return _json(await change_requests.delete(operations, address, request, user.name))
            case "deletecollection", _:
                answer = await change_requests.delete_collection(
                    store, operations, address, request, user.name
                )
                return _json(answer)
            case _:
                raise statuses.method_not_allowed()

    async def _review(self, address: Address, request: web.Request, user: User) -> Json:
        body = await change_requests.object_of(request)
        if address.kind.kind == "SelfSubjectAccessReview":
            return reviews.access_review(body, user)
        return reviews.rules_review(body, user)

    async def _exec(self, address: Address, request: web.Request, user: User) -> web.StreamResponse:
        asked = exec_request(self.store, address.namespace, address.name, request.query.items())
        upgrade = request.headers.get("Upgrade", "").lower()
        if upgrade == "websocket":
            return await exec_websocket.serve(request, asked, self.hooks, self.store.clock, user.name)
        if upgrade == "spdy/3.1":
            return await exec_spdy.serve(request, asked, self.hooks, self.store.clock, user.name)
        raise statuses.bad_request("Upgrade request required")

    async def _port_forward(self, address: Address, request: web.Request) -> web.StreamResponse:
        asked = forward_request(self.store, address.namespace, address.name, request.query.items())
        upgrade = request.headers.get("Upgrade", "").lower()
        if upgrade == "spdy/3.1" and request.method == "POST":
            return await port_forward_spdy.serve(request, asked, self.dial)
        if upgrade != "websocket":
            raise statuses.bad_request("Upgrade request required")
        if not asked.ports:
            raise statuses.bad_request("query parameter ports must be one or more port numbers")
        return await port_forward.serve(request, asked, self.dial)


def _is_resource(path: str) -> bool:
    parts = path.strip("/").split("/")
    return (parts[0] == "api" and len(parts) > 2) or (parts[0] == "apis" and len(parts) > 3)


def _information(verb: str, address: Address | None, user: User, path: str) -> RequestInfo:
    if address is None:
        return RequestInfo(verb, "", "", "", "", "", user.name, path)
    kind = address.kind
    return RequestInfo(
        verb,
        kind.group,
        kind.plural,
        address.namespace,
        address.name,
        address.subresource,
        user.name,
        path,
    )


def _json(value: Json, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return web.Response(body=body, status=code, content_type="application/json", headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        with contextlib.suppress(ConnectionError):
            request.transport.abort()
    return web.Response()
