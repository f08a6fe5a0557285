"""From a patch to the object that would come of it, refused as the API server refuses it.

Source: `staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go` of Kubernetes 1.34, and a real 1.20.
A patch that does not fit is told with 422, where the same object in an update is told with 400.
"""

import json
from typing import Literal, TypeAlias

from breakglass.kubernetes_objects import Object, text
from breakglass.simulator.kubernetes import statuses, validation
from breakglass.simulator.kubernetes.patches import PatchError, json_patch, merge_patch, strategic_patch
from breakglass.values import Json

PatchType: TypeAlias = Literal["merge", "json", "strategic"]


def patched(form: PatchType, kind: str, api_version: str, before: Object, body: Json) -> Object:
    """The patched object, of the same kind and with well-known fields of their types. ApiError 400 or 422."""
    after = apply_patch(form, before, body)
    written = go_map(body) if form == "strategic" else json.dumps(after, separators=(",", ":"))
    if (text(after, "apiVersion"), text(after, "kind")) != (api_version, kind):
        other = f"{text(after, 'apiVersion')}, Kind={text(after, 'kind')}"
        raise statuses.invalid_patch(written, f"unable to decode {other} into {api_version}, Kind={kind}")
    why = validation.wrong_type(kind, after)
    if why is not None and form == "strategic":
        why = f"unrecognized type: {why.rpartition(' ')[2]}"
    if why is not None:
        raise statuses.invalid_patch(written, why)
    return after


def go_map(value: Json) -> str:
    """A value as Go prints it."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{go_map(entry)}' for key, entry in sorted(value.items()))}]"
        case list():
            return f"[{' '.join(map(go_map, value))}]"
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case _:
            return str(value)


def apply_patch(form: PatchType, before: Object, body: Json) -> Object:
    """The patched object, not yet checked. ApiError 400 or 422 for a patch that does not apply."""
    try:
        match form:
            case "merge":
                patched = merge_patch(before, body)
            case "json":
                patched = json_patch(before, body)
            case "strategic":
                patched = strategic_patch(before, body)
    except PatchError as error:
        if error.invalid:
            raise statuses.inapplicable_patch() from None
        raise statuses.bad_request(str(error)) from None
    if not isinstance(patched, dict):
        raise statuses.bad_request("the patched object is not a mapping")
    return patched
