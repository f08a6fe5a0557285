"""Who may ask the simulated API, and for what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from breakglass.kubernetes_objects import Object


@dataclass(frozen=True, slots=True)
class RbacRule:
    """What is allowed, as an RBAC rule says it. `*` stands for all. A subresource is `pods/exec`.

    namespaces: empty for everywhere, cluster-wide resources included.
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    groups: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    def allows(
        self, verb: str, group: str, plural: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        resource = f"{plural}/{subresource}" if subresource else plural
        return (
            _matches(self.verbs, verb)
            and _matches(self.groups, group)
            and (
                _matches(self.resources, resource)
                or (bool(subresource) and f"*/{subresource}" in self.resources)
            )
            and (not self.names or name in self.names)
            and (not self.namespaces or namespace in self.namespaces)
        )

    def as_review(self) -> Object:
        """The rule as a SelfSubjectRulesReview lists it."""
        rule: Object = {
            "verbs": list(self.verbs),
            "apiGroups": list(self.groups),
            "resources": list(self.resources),
        }
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule


def _matches(allowed: Sequence[str], asked: str) -> bool:
    return "*" in allowed or asked in allowed


EVERYTHING = (RbacRule(("*",), ("*",)),)
READ_ONLY = (RbacRule(("get", "list", "watch"), ("*",)),)


@dataclass(frozen=True, slots=True)
class User:
    """Someone with a kubeconfig.

    groups: organisations in the client certificate. certificate_days: until it expires; below zero it has
    expired already.
    """

    name: str
    rules: tuple[RbacRule, ...] = EVERYTHING
    login: Literal["certificate", "token"] = "certificate"
    groups: tuple[str, ...] = ()
    certificate_days: int = 365

    def may(
        self, verb: str, group: str, plural: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        return any(rule.allows(verb, group, plural, subresource, namespace, name) for rule in self.rules)


ADMIN = User("admin", groups=("system:masters",))
