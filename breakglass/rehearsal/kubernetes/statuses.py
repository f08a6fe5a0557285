"""The API's errors. Each is a `Status` object with the code, reason and message that a real server gives.

Source: `staging/src/k8s.io/apimachinery/pkg/api/errors` of Kubernetes 1.34.
"""

from collections.abc import Sequence

from breakglass.rehearsal.kubernetes.kinds import ResourceKind
from breakglass.rehearsal.kubernetes.objects import Object
from breakglass.values import Json


class ApiError(Exception):
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
        if self.details:
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


def conflict(kind: ResourceKind, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(kind, name))


def stale(kind: ResourceKind, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


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
    listed = ", ".join(f"{field}: {message}" for field, _, message in causes)
    shown = f"[{listed}]" if len(causes) > 1 else listed
    entries: list[Object] = [
        {"reason": reason, "message": message, "field": field} for field, reason, message in causes
    ]
    details = _details(kind, name, entries)
    details["kind"] = kind.kind
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
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
