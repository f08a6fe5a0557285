"""What a runbook's reader must know of a probe. The probes themselves live above, in `breakglass.probe`.

Who reads a runbook hands them in (`breakglass.probe.PROBES`), since this package knows nothing above it.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeAlias

from breakglass.runbook.actions import ProbeAction
from breakglass.runbook.template import Template, TemplateTree
from breakglass.yamlio.position import Problem
from breakglass.yamlio.shape import meant


class ProbeArgument(Protocol):
    """One argument. `kind` is `endpoint` (one of the site's), `integer`, `boolean` or `names` (a list)."""

    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...


class KnownProbe(Protocol):
    @property
    def arguments(self) -> Mapping[str, ProbeArgument]: ...


KnownProbes: TypeAlias = Mapping[str, KnownProbe]
"""Every probe by its name."""

_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "endpoint": ("the name of an endpoint", (Template,)),
    "integer": ("a whole number", (int,)),
    "boolean": ("true or false", (bool,)),
    "names": ("a list of names", (list,)),
}


def probe_problems(action: ProbeAction, probes: KnownProbes) -> Iterator[Problem]:
    """A probe that does not exist, and arguments that it does not take, needs, or takes as something else."""
    probe = probes.get(action.name)
    if probe is None:
        yield Problem(action.position, f"there is no probe {action.name!r}{meant(action.name, probes)}")
        return
    for name, value in action.arguments.items():
        argument = probe.arguments.get(name)
        if argument is None:
            hint = meant(name, probe.arguments)
            yield Problem(action.position, f"probe {action.name} takes no argument {name!r}{hint}")
        elif not _may_fit(value, argument.kind):
            what = _KINDS[argument.kind][0]
            yield Problem(action.position, f"probe {action.name}: {name} must be {what}")
    for name, argument in probe.arguments.items():
        if argument.required and name not in action.arguments:
            yield Problem(action.position, f"probe {action.name} needs the argument {name!r}")


def _may_fit(value: TemplateTree, kind: str) -> bool:
    """Whether a value is of the kind, or could turn out to be once its expression has a value."""
    if kind not in _KINDS or value is None or (isinstance(value, Template) and not value.is_literal):
        return True
    return isinstance(value, _KINDS[kind][1]) and (kind != "integer" or not isinstance(value, bool))
