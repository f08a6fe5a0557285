"""Namespaces, config maps, secrets, volumes and claims, and every kind that has no form of its own."""

import base64
import binascii
import re

from breakglass.kubernetes_objects import Object, at, mapping, objects, text, texts
from breakglass.transport.kubectl.describe.sheet import NONE, Sheet, when
from breakglass.transport.kubectl.describe.volumes import add_claim, add_source, class_of, modes_of
from breakglass.transport.kubectl.event_times import since
from breakglass.values import Json

ACRONYMS = ("API", "URL", "UID", "GUID")
LEFT_OUT = tuple(
    ("metadata", name) for name in ("managedFields", "name", "namespace", "labels", "annotations")
)


def add_plain(sheet: Sheet, value: Object) -> None:
    """Any kind: every field that it has, under its name in words."""
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.field("Namespace", text(value, "metadata", "namespace"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))
    _add_fields(sheet, value, 0, ())


def _add_fields(sheet: Sheet, found: Object, level: int, path: tuple[str, ...]) -> None:
    for name, value in sorted(found.items()):
        here = (*path, name)
        if here in LEFT_OUT:
            continue
        if isinstance(value, dict):
            sheet.add(f"{title_of(name)}:", level)
            _add_fields(sheet, value, level + 1, here)
        elif isinstance(value, list):
            sheet.add(f"{title_of(name)}:", level)
            for each in value:
                if isinstance(each, dict):
                    _add_fields(sheet, each, level + 1, here)
                else:
                    sheet.add(_shown(each), level + 1)
        else:
            sheet.field(title_of(name), value, level)


def _shown(value: Json) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def title_of(field: str) -> str:
    """A field's name in words: `apiVersion` is `API Version`. One with other signs than letters stays."""
    if re.search(r"[^A-Za-z-]", field):
        return field
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|-", field)
    return " ".join(
        part.upper() if part.upper() in ACRONYMS else part[:1].upper() + part[1:] for part in parts
    )


def add_namespace(
    sheet: Sheet, value: Object, quotas: list[Object] | str, limits: list[Object] | str
) -> None:
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))
    sheet.field("Status", text(value, "status", "phase"))
    conditions = objects(value, "status", "conditions")
    if conditions:
        sheet.add("Conditions:")
        sheet.add("Type\tStatus\tLastTransitionTime\tReason\tMessage", 1)
        sheet.add("----\t------\t------------------\t------\t-------", 1)
    for each in conditions:
        cells = (text(each, "type"), text(each, "status"), when(at(each, "lastTransitionTime")))
        sheet.add("\t".join((*cells, text(each, "reason"), text(each, "message"))), 1)
    sheet.add()
    _add_quotas(sheet, quotas)
    sheet.add()
    _add_limits(sheet, limits)


def _add_quotas(sheet: Sheet, quotas: list[Object] | str) -> None:
    if isinstance(quotas, str):
        sheet.field("Resource Quotas", f"<not read: {quotas}>")
        return
    if not quotas:
        sheet.add("No resource quota.")
        return
    sheet.add("Resource Quotas")
    for quota in sorted(quotas, key=lambda each: text(each, "metadata", "name")):
        sheet.field("Name", text(quota, "metadata", "name"), 1)
        scopes = sorted(texts(quota, "spec", "scopes"))
        if scopes:
            sheet.field("Scopes", ", ".join(scopes), 1)
        sheet.add("Resource\tUsed\tHard", 1)
        sheet.add("--------\t---\t---", 1)
        used = mapping(quota, "status", "used")
        for name, hard in sorted(mapping(quota, "status", "hard").items()):
            sheet.add(f"{name}\t{used.get(name, '0')}\t{hard}", 1)


def _add_limits(sheet: Sheet, ranges: list[Object] | str) -> None:
    if isinstance(ranges, str):
        sheet.field("Resource Limits", f"<not read: {ranges}>")
        return
    if not ranges:
        sheet.add("No LimitRange resource.")
        return
    sheet.add("Resource Limits")
    sheet.add(" Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio")
    sheet.add(" ----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    columns = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
    for item in (item for each in ranges for item in objects(each, "spec", "limits")):
        for name in sorted({name for column in columns for name in mapping(item, column)}):
            sizes = (str(mapping(item, column).get(name, "-")) for column in columns)
            sheet.add("\t".join((f" {text(item, 'type')}", name, *sizes)))


def add_config_map(sheet: Sheet, value: Object) -> None:
    _add_head(sheet, value)
    sheet.add()
    sheet.add("Data")
    sheet.add("====")
    for name, content in sorted(mapping(value, "data").items()):
        for line in (f"{name}:", "----", str(content), ""):
            sheet.add(line)
    sheet.add()
    sheet.add("BinaryData")
    sheet.add("====")
    for name, content in sorted(mapping(value, "binaryData").items()):
        sheet.add(f"{name}: {_size(content)} bytes")
    sheet.add()


def add_secret(sheet: Sheet, value: Object) -> None:
    """A secret, each value as its size. kubectl shows the token of a service account; this does not."""
    _add_head(sheet, value)
    sheet.add()
    sheet.field("Type", text(value, "type"))
    sheet.add()
    sheet.add("Data")
    sheet.add("====")
    for name, content in sorted(mapping(value, "data").items()):
        sheet.field(name, f"{_size(content)} bytes")


def _size(content: Json) -> int:
    """How many bytes a value in base64 has."""
    try:
        return len(base64.b64decode(content, validate=True)) if isinstance(content, str) else 0
    except (binascii.Error, ValueError):
        return len(str(content))


def _add_head(sheet: Sheet, value: Object) -> None:
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.field("Namespace", text(value, "metadata", "namespace"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))


def _state(value: Object) -> str:
    ends = text(value, "metadata", "deletionTimestamp")
    return f"Terminating (lasts {since(ends)})" if ends else text(value, "status", "phase")


def add_persistent_claim(sheet: Sheet, value: Object, pods: list[str] | str) -> None:
    """pods: the names of those that use it, or why they cannot be read."""
    add_claim(sheet, value, status=_state(value))
    sheet.block("Used By", [f"<not read: {pods}>"] if isinstance(pods, str) else sorted(pods))
    conditions = objects(value, "status", "conditions")
    if conditions:
        sheet.add("Conditions:")
        sheet.add("Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage", 1)
        sheet.add("----\t------\t-----------------\t------------------\t------\t-------", 1)
    for each in conditions:
        cells = (
            *(text(each, "type"), text(each, "status"), when(at(each, "lastProbeTime"))),
            *(when(at(each, "lastTransitionTime")), text(each, "reason")),
        )
        sheet.add(" \t".join((*cells, text(each, "message"))), 1)


def add_persistent_volume(sheet: Sheet, value: Object) -> None:
    spec = mapping(value, "spec")
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))
    sheet.field("Finalizers", at(value, "metadata", "finalizers") or [])
    sheet.field("StorageClass", class_of(value))
    sheet.field("Status", _state(value))
    claim = mapping(spec, "claimRef")
    sheet.field("Claim", f"{text(claim, 'namespace')}/{text(claim, 'name')}" if claim else "")
    sheet.field("Reclaim Policy", text(spec, "persistentVolumeReclaimPolicy"))
    sheet.field("Access Modes", modes_of(at(spec, "accessModes")))
    if "volumeMode" in spec:
        sheet.field("VolumeMode", spec["volumeMode"])
    sheet.field("Capacity", text(spec, "capacity", "storage", default="0"))
    _add_affinity(sheet, mapping(spec, "nodeAffinity"))
    sheet.field("Message", text(value, "status", "message"))
    sheet.add("Source:")
    other = ("capacity", "claimRef", "nodeAffinity")
    add_source(sheet, {name: each for name, each in spec.items() if name not in other}, persistent=True)


def _add_affinity(sheet: Sheet, affinity: Object) -> None:
    if not isinstance(at(affinity, "required"), dict):
        sheet.field("Node Affinity", NONE)
        return
    sheet.field("Node Affinity", "")
    terms = objects(affinity, "required", "nodeSelectorTerms")
    sheet.field("Required Terms", "" if terms else NONE, 1)
    for index, term in enumerate(terms):
        rows: list[str] = []
        for each in objects(term, "matchExpressions"):
            values = ", ".join(texts(each, "values"))
            rows.append(
                f"{text(each, 'key')} {text(each, 'operator').lower()}" + (f" [{values}]" if values else "")
            )
        sheet.block(f"Term {index}", rows, 2)
