"""The objects of a manifest that stands in a runbook, for whoever asks before they are applied."""

from dataclasses import replace

from breakglass.errors import NotUnderstoodError
from breakglass.kubernetes_objects import Object, at, text
from breakglass.policy.kubectl.changes import Apply
from breakglass.policy.kubectl.operations import KubectlCommand, Target
from breakglass.values import Json

OF_THE_SERVER = ("uid", "resourceVersion", "managedFields", "creationTimestamp", "generation")


def objects_of(manifest: Json) -> tuple[Object, ...]:
    """One object, or a list of them, each with a name. Raises NotUnderstoodError, saying what is missing."""
    found = manifest if isinstance(manifest, list) else [manifest]
    if not found:
        raise NotUnderstoodError("the manifest names no object")
    return tuple(_checked(each) for each in found)


def _checked(value: Json) -> Object:
    if not isinstance(value, dict):
        raise NotUnderstoodError(
            "the manifest is an object, or a list of objects, as in a YAML file for kubectl"
        )
    for field in ("apiVersion", "kind"):
        if not text(value, field):
            raise NotUnderstoodError(f"the manifest has no {field}")
    if text(value, "kind") == "List":
        raise NotUnderstoodError("the manifest is a List; write its items as a list")
    if not text(value, "metadata", "name"):
        raise NotUnderstoodError("the manifest has no metadata.name; an object is applied by its name")
    for field in OF_THE_SERVER:
        if at(value, "metadata", field) is not None:
            raise NotUnderstoodError(
                f"the manifest has metadata.{field}, which is the server's to say; leave it out"
            )
    return value


def target_of(value: Object, namespace: str | None) -> Target:
    """The object by name. namespace: the line's."""
    group, _, _ = text(value, "apiVersion").rpartition("/")
    kind = text(value, "kind").lower()
    return Target(
        f"{kind}.{group}" if group else kind,
        text(value, "metadata", "name"),
        text(value, "metadata", "namespace") or namespace,
    )


def with_manifest(command: KubectlCommand, manifest: Json) -> KubectlCommand:
    """The command with the objects that it is about. Raises NotUnderstoodError for what is no manifest."""
    found = objects_of(manifest)
    operation = command.operation
    if not isinstance(operation, Apply):
        return command
    targets = tuple(target_of(each, operation.namespace) for each in found)
    for target in targets:
        if operation.namespace not in (None, target.namespace):
            raise NotUnderstoodError(
                f"the manifest names namespace {target.namespace}, and the line {operation.namespace}"
            )
    return replace(command, operation=replace(operation, objects=targets))
