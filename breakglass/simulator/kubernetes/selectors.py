"""Label and field selectors, as they stand in a query string and in objects."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from breakglass.kubernetes_objects import Object, at, labels_of, objects, strings, text, texts
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.values import Json

LabelTest: TypeAlias = Callable[[Mapping[str, str]], bool]

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_IN = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_COMPARED = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)\s*")
_PRESENT = re.compile(rf"\s*(!?)\s*({_KEY})\s*")


def label_selector(written: str) -> LabelTest:
    """A selector such as `app=web,tier in (a,b),!canary`. ApiError 400 where it cannot be read."""
    tests = [_requirement(part, written) for part in _split(written)]
    return lambda labels: all(test(labels) for test in tests)


def _split(written: str) -> list[str]:
    parts = re.split(r",(?![^()]*\))", written)
    return [part for part in parts if part.strip()]


def _requirement(part: str, whole: str) -> LabelTest:
    if found := _IN.fullmatch(part):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        return _one_of(key, values) if operator == "in" else _none_of(key, values)
    if found := _COMPARED.fullmatch(part):
        key, operator, value = found.groups()
        return _none_of(key, {value}) if operator == "!=" else _one_of(key, {value})
    if found := _PRESENT.fullmatch(part):
        absent, key = found.groups()
        return (lambda labels: key not in labels) if absent else (lambda labels: key in labels)
    raise statuses.bad_request(f"unable to parse requirement: found '{part.strip()}' in selector '{whole}'")


def _one_of(key: str, values: Iterable[str]) -> LabelTest:
    wanted = frozenset(values)
    return lambda labels: labels.get(key) in wanted


def _none_of(key: str, values: Iterable[str]) -> LabelTest:
    unwanted = frozenset(values)
    return lambda labels: labels.get(key) not in unwanted


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a selector object (`matchLabels`, `matchExpressions`) takes these labels; an empty one takes
    all, an absent one none."""
    if not isinstance(selector, dict):
        return False
    if not strings(selector, "matchLabels").items() <= labels.items():
        return False
    for expression in objects(selector, "matchExpressions"):
        key, values = text(expression, "key"), texts(expression, "values")
        match text(expression, "operator"):
            case "In":
                fits = labels.get(key) in values
            case "NotIn":
                fits = labels.get(key) not in values
            case "Exists":
                fits = key in labels
            case "DoesNotExist":
                fits = key not in labels
            case _:
                fits = False
        if not fits:
            return False
    return True


_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("batch", "jobs"): ("status.successful",),
    ("apps", "replicasets"): ("status.replicas",),
}
"""What can be selected beside the name and namespace. Source: the field label conversions of 1.34."""


def field_selector(kind: ResourceKind, written: str) -> Callable[[Object], bool]:
    """A selector such as `spec.nodeName=k8s-node2,status.phase!=Running`. ApiError 400 for a field that the
    resource cannot be selected by."""
    tests: list[tuple[str, bool, str]] = []
    for part in filter(None, written.split(",")):
        found = re.fullmatch(r"\s*([^=!]+?)\s*(==|=|!=)\s*(.*)", part)
        if not found:
            raise statuses.bad_request(f"invalid selector: '{written}'; can't understand '{part}'")
        field, operator, value = found.groups()
        if field not in ("metadata.name", "metadata.namespace", *_FIELDS.get((kind.group, kind.plural), ())):
            message = (
                f'Unable to find "{kind.api_version}, Resource={kind.plural}" that match label selector '
            )
            raise statuses.bad_request(
                f'{message}"", field selector "{written}": field label not supported: {field}'
            )
        tests.append((field, operator != "!=", value))
    return lambda value: all((_field(value, field) == wanted) is equal for field, equal, wanted in tests)


def _field(value: Object, field: str) -> str:
    if field == "source":
        return text(value, "source", "component")
    if field == "status.successful":
        found = at(value, "status", "succeeded") or 0
    else:
        found = at(value, *field.split("."))
    if isinstance(found, bool):
        return "true" if found else "false"
    if found is None:
        return "false" if field in ("spec.unschedulable", "spec.hostNetwork") else ""
    return str(found)


def list_filter(kind: ResourceKind, labels: str, fields: str) -> Callable[[Object], bool]:
    """Both selectors of a request as one test."""
    by_label, by_field = label_selector(labels), field_selector(kind, fields)
    return lambda value: by_label(labels_of(value)) and by_field(value)
