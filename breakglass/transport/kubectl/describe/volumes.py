"""The volumes of a pod, a template or a persistent volume, and claims."""

from collections.abc import Mapping
from typing import TypeAlias

from breakglass.kubernetes_objects import Object, at, mapping, objects, text
from breakglass.transport.kubectl.describe.sheet import NONE, UNSET, Sheet, pairs, shown
from breakglass.values import Json

Fields: TypeAlias = tuple[tuple[str, str, str], ...]
"""Titles, the fields they show, and what stands where there is none."""

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}

_READ_ONLY = ("ReadOnly", "readOnly", "false")
_OPTIONAL = ("Optional", "optional", "false")
_CSI = "CSI (a Container Storage Interface (CSI) volume source)"
_SOURCES: Mapping[str, tuple[str, Fields]] = {
    "hostPath": (
        "HostPath (bare host directory volume)",
        (("Path", "path", ""), ("HostPathType", "type", NONE)),
    ),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium", ""), ("SizeLimit", "sizeLimit", UNSET)),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName", ""), _OPTIONAL),
    ),
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name", "name", ""), _OPTIONAL),
    ),
    "nfs": (
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        (("Server", "server", ""), ("Path", "path", ""), _READ_ONLY),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName", ""), _READ_ONLY),
    ),
    "local": (
        "LocalVolume (a persistent volume backed by local storage on a node)",
        (("Path", "path", ""),),
    ),
    "image": (
        "Image (a container image or OCI artifact)",
        (("Reference", "reference", ""), ("PullPolicy", "pullPolicy", "")),
    ),
    "csi": (_CSI, (("Driver", "driver", ""), ("FSType", "fsType", ""), _READ_ONLY)),
}
_PERSISTENT_CSI: Fields = (
    ("Driver", "driver", ""),
    ("FSType", "fsType", ""),
    ("VolumeHandle", "volumeHandle", ""),
    _READ_ONLY,
)


def add_volumes(sheet: Sheet, volumes: list[Object], level: int = 0) -> None:
    """The volumes of a pod, or with level 1 of a template."""
    if not volumes:
        sheet.field("Volumes", NONE, level)
        return
    sheet.add("Volumes:", level)
    for volume in volumes:
        sheet.add(f"{' ' * level}{text(volume, 'name')}:", 1)
        add_source(sheet, volume)


def add_source(sheet: Sheet, holder: Object, *, persistent: bool = False) -> None:
    """Where a volume's content is from. A source that is not known here is shown field by field."""
    kind = next((each for each in holder if each != "name" and isinstance(holder[each], dict)), "")
    source = mapping(holder, kind)
    if not kind:
        sheet.add("<unknown>", 1)
    elif kind == "projected":
        _projected(sheet, source)
    elif kind == "downwardAPI":
        sheet.field("Type", "DownwardAPI (a volume populated by information about the pod)", 2)
        sheet.add("Items:", 2)
        for item in objects(source, "items"):
            named = text(item, "fieldRef", "fieldPath") or text(item, "resourceFieldRef", "resource")
            sheet.add(f"{named} -> {text(item, 'path')}", 3)
    elif kind == "ephemeral":
        words = "an inline specification for a volume that gets created and deleted with the pod"
        sheet.field("Type", f"EphemeralVolume ({words})", 2)
        template = mapping(source, "volumeClaimTemplate")
        if template:
            add_claim(sheet, template, level=2)
    elif kind in _SOURCES:
        title, fields = _SOURCES[kind]
        sheet.field("Type", title, 2)
        for name, path, default in _PERSISTENT_CSI if persistent and kind == "csi" else fields:
            value = at(source, path)
            empty = value is None or (path == "sizeLimit" and value == "0")
            sheet.field(name, default if empty else value, 2)
        if kind == "csi":
            sheet.block("VolumeAttributes", _attributes(source), 2)
    else:
        sheet.field("Type", kind, 2)
        for name, value in sorted(source.items()):
            sheet.field(name, " ".join(pairs(value)) if isinstance(value, dict) else value, 2)


def _attributes(source: Object) -> list[str]:
    """Attributes of a CSI volume. kubectl indents the values as well, and so does this."""
    found = pairs(at(source, "volumeAttributes"))
    return [f"    {each[:140]}..." if len(each) > 140 else f"    {each}" for each in found]


def _projected(sheet: Sheet, source: Object) -> None:
    sheet.field("Type", "Projected (a volume that contains injected data from multiple sources)", 2)
    for each in objects(source, "sources"):
        for kind, title in (("secret", "SecretName"), ("configMap", "ConfigMapName")):
            if kind in each:
                sheet.field(title, text(each, kind, "name"), 2)
                sheet.field("Optional", at(each, kind, "optional") is True, 2)
        if "downwardAPI" in each:
            sheet.field("DownwardAPI", True, 2)
        if "serviceAccountToken" in each:
            sheet.field("TokenExpirationSeconds", at(each, "serviceAccountToken", "expirationSeconds"), 2)


def class_of(value: Object) -> str:
    """The storage class of a claim or a volume."""
    return text(value, "metadata", "annotations", BETA_CLASS) or text(value, "spec", "storageClassName")


def modes_of(found: Json) -> str:
    """Access modes in short, each once, in kubectl's order."""
    given = {str(each) for each in found} if isinstance(found, list) else set[str]()
    return ",".join(short for mode, short in SHORT_MODES.items() if mode in given)


def add_claim(sheet: Sheet, claim: Object, *, status: str = "", level: int = 0) -> None:
    """A claim, or the template of one, which has no name and no status of its own."""
    spec, whole = mapping(claim, "spec"), not level
    if whole:
        sheet.field("Name", text(claim, "metadata", "name"))
        sheet.field("Namespace", text(claim, "metadata", "namespace"))
    sheet.field("StorageClass", class_of(claim), level)
    if whole:
        sheet.field("Status", status)
    volume = text(spec, "volumeName")
    sheet.field("Volume", volume, level)
    # Only the first of the lines is indented below a template, as kubectl does it.
    sheet.labels("Labels", at(claim, "metadata", "labels"), level)
    sheet.annotations(at(claim, "metadata", "annotations"), level)
    if whole:
        sheet.field("Finalizers", at(claim, "metadata", "finalizers") or [])
    bound = bool(volume)
    sheet.field("Capacity", text(claim, "status", "capacity", "storage") if bound else "", level)
    sheet.field("Access Modes", modes_of(at(claim, "status", "accessModes")) if bound else "", level)
    if "volumeMode" in spec:
        sheet.field("VolumeMode", at(spec, "volumeMode"), level)
    source = mapping(spec, "dataSource")
    if source:
        sheet.add("DataSource:", level)
        for name in ("apiGroup", "kind", "name"):
            if name in source:
                title = "APIGroup" if name == "apiGroup" else name.capitalize()
                sheet.field(title, source[name], level + 1)


def add_claim_templates(sheet: Sheet, templates: list[Object]) -> None:
    if not templates:
        sheet.field("Volume Claims", NONE)
        return
    sheet.add("Volume Claims:")
    for claim in templates:
        sheet.field("Name", text(claim, "metadata", "name"), 1)
        sheet.field("StorageClass", class_of(claim), 1)
        sheet.labels("Labels", at(claim, "metadata", "labels"), 1)
        sheet.labels("Annotations", at(claim, "metadata", "annotations"), 1)
        size = at(claim, "spec", "resources", "requests", "storage")
        sheet.field("Capacity", "<default>" if size is None else shown(size), 1)
        sheet.field("Access Modes", at(claim, "spec", "accessModes") or [], 1)
