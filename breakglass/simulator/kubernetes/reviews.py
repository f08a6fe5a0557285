"""Access reviews: what a user is told about what it may do."""

from breakglass.kubernetes_objects import Object, mapping, text
from breakglass.simulator.kubernetes.access import User
from breakglass.simulator.kubernetes.objects import copied


def access_review(body: Object, user: User) -> Object:
    """The answer to a SelfSubjectAccessReview."""
    answer = copied(body)
    asked = mapping(body, "spec", "resourceAttributes")
    if asked:
        allowed = user.may(
            text(asked, "verb"),
            text(asked, "group"),
            text(asked, "resource"),
            text(asked, "subresource"),
            text(asked, "namespace"),
            text(asked, "name"),
        )
    else:
        allowed = text(body, "spec", "nonResourceAttributes", "verb") == "get"
    status: Object = {"allowed": allowed}
    if allowed:
        status["reason"] = "RBAC: allowed by the rules of the rehearsal"
    answer["status"] = status
    return answer


def rules_review(body: Object, user: User) -> Object:
    """The answer to a SelfSubjectRulesReview."""
    answer = copied(body)
    namespace = text(body, "spec", "namespace")
    rules = [rule for rule in user.rules if not rule.namespaces or namespace in rule.namespaces]
    answer["status"] = {
        "resourceRules": [rule.as_review() for rule in rules],
        "nonResourceRules": [
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/version"]}
        ],
        "incomplete": False,
    }
    return answer
