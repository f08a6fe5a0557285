"""The API's errors. Each is a `Status` object with the code, reason and message that a real server gives.

Source: `staging/src/k8s.io/apimachinery/pkg/api/errors` of Kubernetes 1.34.
"""

import json
from collections.abc import Sequence

from breakglass.errors import SimulatorError
from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.values import Json


class ApiError(SimulatorError):
    """A request that the API refuses. `code` is the HTTP status; `status` the body of the answer."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Object | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.details = details

    @property
    def status(self) -> Object:
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _details(kind: ResourceKind, name: str = "", causes: Sequence[Object] = ()) -> Object:
    details: Object = {}
    if name:
        details["name"] = name
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.plural
    if causes:
        details["causes"] = list(causes)
    return details


def not_found(kind: ResourceKind, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: ResourceKind, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: ResourceKind, name: str, why: str, subresource: str = "") -> ApiError:
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    qualified = f"{resource}.{kind.group}" if kind.group else resource
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    details = _details(kind, name)
    details["kind"] = resource
    return ApiError(409, "Conflict", message, details)


def stale(kind: ResourceKind, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def apply_conflict(kind: ResourceKind, name: str, manager: str, fields: Sequence[str]) -> ApiError:
    """409 for fields that another manager applied."""
    causes: list[Json] = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": each}
        for each in fields
    ]
    many = len(fields) > 1
    listed = "".join(f"\n- {each}" for each in fields) if many else f" {fields[0]}"
    message = f"Apply failed with {len(fields)} conflict{'s' if many else ''}: conflict"
    message += f'{"s" if many else ""} with "{manager}":{listed}'
    return ApiError(409, "Conflict", message, {"causes": causes})


def forbidden(
    user: str, verb: str, kind: ResourceKind, subresource: str, namespace: str, name: str
) -> ApiError:
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    which = f'"{name}" ' if name else ""
    message = (
        f'{kind.qualified} {which}is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{kind.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, _details(kind, name))


def refused(kind: ResourceKind, name: str, why: str) -> ApiError:
    """What admission answers: forbidden, with its own reason in the message."""
    return ApiError(403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', _details(kind, name))


def invalid(kind: ResourceKind, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    """422. Each cause is the field, the reason (`FieldValueInvalid` ...) and the message."""
    return _invalid(kind.kind, kind.group, name, causes)


def invalid_options(kind: str, field: str, reason: str, message: str) -> ApiError:
    """422 for the options of a request: `DeleteOptions`, `PatchOptions`, `CreateOptions`, `UpdateOptions`."""
    return _invalid(kind, "meta.k8s.io", "", [(field, reason, message)])


def invalid_log_options(name: str, field: str, message: str) -> ApiError:
    """422 for the options of a log."""
    return _invalid("PodLogOptions", "", name, [(field, "FieldValueInvalid", message)])


def invalid_patch(patched: str, why: str) -> ApiError:
    """422 for a patch of which no object comes. A real server names neither kind nor object here."""
    return _invalid("", "", "", [("patch", "FieldValueInvalid", f"Invalid value: {quoted(patched)}: {why}")])


def inapplicable_patch() -> ApiError:
    """422 for a JSON patch that leads nowhere or whose test fails: a real server does not say which."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def not_supported(values: Sequence[str]) -> str:
    """The message for a `dryRun` that is not `All`, as Go prints it."""
    listed = ", ".join(quoted(value) for value in values)
    return f'Unsupported value: []string{{{listed}}}: supported values: "All"'


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _invalid(kind: str, group: str, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    listed = ", ".join(f"{field}: {message}" for field, _, message in causes)
    shown = f"[{listed}]" if len(causes) > 1 else listed
    details: Object = {
        key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value
    }
    details["causes"] = [
        {"reason": reason, "message": message, "field": field} for field, reason, message in causes
    ]
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {shown}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def gone(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_many(message: str, causes: Sequence[Object] = (), retry_after: int | None = None) -> ApiError:
    details: Object = {"causes": list[Json](causes)}
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details, retry_after)


def method_not_allowed() -> ApiError:
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def unsupported_media(content_type: str, supported: Sequence[str]) -> ApiError:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(supported)
        + (f" (got {content_type})" if content_type else "")
    )
    return ApiError(415, "UnsupportedMediaType", message, {})


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def success(kind: ResourceKind, name: str, uid: str) -> Object:
    """The answer to a deletion that is done at once."""
    details = _details(kind, name)
    details["uid"] = uid
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
