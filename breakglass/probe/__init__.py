"""Read-only diagnostics that are too big for one command.

Importing this loads no HTTP library, so that a linter can look at `PROBES` cheaply.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from breakglass.site.model import Site
from breakglass.transport.base import Delivery, Fault, ProbeRequest, Result, SecretResolver, Sink
from breakglass.transport.http.endpoint import Forward
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a probe. An `endpoint` is the name of one of the site's."""

    kind: Literal["endpoint", "integer", "boolean", "names"]
    help: str
    default: Json = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """What a probe does and takes."""

    summary: str
    arguments: Mapping[str, Argument]


PROBES: Mapping[str, ProbeKind] = {
    "registry-integrity": ProbeKind(
        "Walk a container registry to the last layer, and look at every broken reference twice.",
        {
            "endpoint": Argument("endpoint", "The registry's root, without /v2.", required=True),
            "repositories": Argument("names", "Only these; without it, all of the catalog."),
            "also": Argument(
                "names", "Repositories that are walked although the catalog does not list them."
            ),
            "against": Argument("names", "Digests: every reference to one of them is listed as `named`."),
            "deep": Argument(
                "boolean", "Whether every blob is read whole and hashed. Slow: all of the store.", False
            ),
            "tags": Argument("integer", "At most so many tags a repository, in list order; 0 is all.", 0),
            "layers": Argument("boolean", "Whether configs and layers are looked at too.", True),
            "parallel": Argument("integer", "Requests at a time, 1 to 64.", 12),
        },
    ),
}
"""Every probe by its name."""


async def run_probe(
    request: ProbeRequest, site: Site, secrets: SecretResolver, sink: Sink, *, forward: Forward | None = None
) -> Result:
    """Run a probe within its time. What it found is in the result's `data`; its progress goes to the sink.

    Raises what `secrets.resolve` raises, and nothing for what the far side did.
    """
    arguments, wrong = _checked(request)
    if wrong:
        return Result(Delivery.NOT_SENT, 0.0, fault=Fault("configuration", wrong))
    name = str(arguments["endpoint"])
    endpoint = site.endpoints.get(name)
    if endpoint is None:
        message = site.lacks("endpoint", name, site.endpoints)
        return Result(Delivery.NOT_SENT, 0.0, fault=Fault("configuration", message))
    from breakglass.probe.registry_walk import probe_registry

    return await probe_registry(endpoint, arguments, request.timeout, secrets, sink, forward)


def _checked(request: ProbeRequest) -> tuple[dict[str, Json], str]:
    """The arguments with their defaults, and what is wrong with them, if anything."""
    kind = PROBES.get(request.name)
    if kind is None:
        return {}, f"there is no probe {request.name!r}; there is: {', '.join(PROBES)}"
    values = {name: argument.default for name, argument in kind.arguments.items()}
    for name, value in request.arguments.items():
        argument = kind.arguments.get(name)
        if argument is None:
            known = ", ".join(kind.arguments)
            return {}, f"probe {request.name} takes no argument {name!r}; it takes: {known}"
        if value is not None and not _fits(value, argument):
            return {}, f"probe {request.name}: {name} is {value!r}; {argument.help}"
        values[name] = argument.default if value is None else value
    for name, argument in kind.arguments.items():
        if argument.required and not values[name]:
            return {}, f"probe {request.name} needs {name!r}: {argument.help}"
    return values, ""


def _fits(value: Json, argument: Argument) -> bool:
    match argument.kind:
        case "endpoint":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "names":
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
