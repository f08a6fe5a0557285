"""A simulated cluster's behaviour by the scenario: what the API server and the controllers ask for."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from breakglass.kubernetes_objects import Object, labels_of, name_of, namespace_of, uid_of
from breakglass.rehearsal.command_replies import CommandReplies, ReceivedCommand, not_found
from breakglass.rehearsal.commands import read_words
from breakglass.rehearsal.effects import address_of
from breakglass.rehearsal.spec.clusters import (
    ClusterSpec,
    ExecRule,
    JobRule,
    LogEntry,
    LogRule,
    PodRule,
    PodSelector,
)
from breakglass.rehearsal.spec.effects import Condition
from breakglass.rehearsal.story import Event, Story
from breakglass.rehearsal.world import World, overlaid
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import render
from breakglass.simulator.kubernetes import access
from breakglass.simulator.kubernetes.hooks import (
    Change,
    Denial,
    ExecAnswer,
    ExecCall,
    JobRun,
    LogAnswer,
    LogCall,
    LogLine,
    PodBirth,
    PodEnding,
    RequestInfo,
    ServerFault,
)
from breakglass.simulator.kubernetes.kinds import Kinds, custom_kind
from breakglass.simulator.kubernetes.store import StoreEvent
from breakglass.values import Json, Scope
from breakglass.yamlio.position import Position

_STORED = {"ADDED": "added", "MODIFIED": "modified", "DELETED": "removed"}


class ScenarioHooks:
    """Implements `kubernetes.hooks.Hooks` for one cluster of a scenario."""

    def __init__(
        self,
        name: str,
        specification: ClusterSpec,
        exec_rules: Sequence[ExecRule],
        log_rules: Sequence[LogRule],
        world: World,
        story: Story,
        answering: CommandReplies,
    ) -> None:
        self._name = name
        self._specification = specification
        self._exec = exec_rules
        self._logs = log_rules
        self._world = world
        self._story = story
        self._answering = answering

    async def exec(self, call: ExecCall) -> ExecAnswer:
        line = read_words(call.argv)
        place = address_of(call.pod)
        data: dict[str, Json] = {
            "cluster": self._name,
            "pod": call.pod,
            "container": call.container,
            "user": call.user,
        }
        asked = ReceivedCommand(line, f"exec {place}", data)
        rules = [rule for rule in self._exec if self._fits(rule.pod, call.pod, call.container)]
        found = self._answering.rule_for(asked, rules)
        if found is None:
            self._answering.tell(asked, touched=False)
            answer = not_found(line)
            return ExecAnswer(stderr=answer.stderr, exit=answer.exit)
        rule, scope = found
        stdin = (await call.stdin.read()).decode(errors="replace") if rule.stdin else ""
        answer = self._answering.answer(asked, rule, scope, stdin)
        then = "cut" if answer.then == "close" else answer.then
        return ExecAnswer(answer.stdout, answer.stderr, answer.exit, answer.delay, then)

    async def logs(self, call: LogCall) -> LogAnswer:
        request: dict[str, Json] = {
            "cluster": self._name,
            "pod": call.pod,
            "container": call.container,
            "previous": call.previous,
        }
        scope = self._world.scope(request=request)
        for rule in self._logs:
            fits = rule.previous == call.previous and self._fits(rule.pod, call.pod, call.container)
            if not fits or not self._holds(rule.when, scope, rule.position):
                continue
            try:
                lines = [line for entry in rule.lines for line in self._lines(entry, scope)]
            except EvaluationError as error:
                self._story.fault(f"{rule.position}: {error}")
                return LogAnswer([f"fault in the scenario: {error}"])
            lines.sort(key=lambda line: line.time or self._world.clock.now())
            return LogAnswer(lines, hang=rule.hang)
        return LogAnswer()

    async def before_change(self, change: Change) -> Denial | None:
        texts = _request_texts(change.verb, change.kind.plural, change.namespace, change.name)
        scope = self._world.scope(request=_described(self._name, change))
        for rule in self._specification.denials:
            if rule.on.match(texts) is not None and self._holds(rule.when, scope, rule.position):
                try:
                    return Denial(render(rule.message, scope), rule.code, rule.reason)
                except EvaluationError as error:
                    self._story.fault(f"{rule.position}: {error}")
        return None

    def after_change(self, change: Change) -> None:
        texts = _request_texts(change.verb, change.kind.plural, change.namespace, change.name)
        named = tuple(f"kubernetes.{text}" for text in texts)
        self._story.touch(named[0])
        self._story.emit(Event(named, _described(self._name, change)))

    def fault(self, request: RequestInfo) -> ServerFault | None:
        plural = f"{request.plural}/{request.subresource}" if request.subresource else request.plural
        texts = (*_request_texts(request.verb, plural, request.namespace, request.name), request.path)
        data: dict[str, Json] = {
            "verb": request.verb,
            "resource": plural,
            "namespace": request.namespace,
            "name": request.name,
            "user": request.user,
            "path": request.path,
        }
        scope = self._world.scope(request=data)
        for rule in self._specification.faults:
            if rule.on.match(texts) is not None and self._holds(rule.when, scope, rule.position):
                return ServerFault(rule.fault, rule.code, rule.reason, rule.message, rule.seconds)
        return None

    def pod_birth(self, pod: Object) -> PodBirth:
        rule = self._pod_rule(pod)
        if rule is None:
            return PodBirth()
        return PodBirth(
            delay=None if rule.stuck else rule.delay,
            phase=rule.phase,
            ready=rule.ready,
            waiting=rule.waiting,
            message=rule.message,
            terminated=rule.terminated,
            restarts=rule.restarts,
        )

    def pod_ending(self, pod: Object) -> PodEnding:
        rule = self._pod_rule(pod)
        if rule is None:
            return PodEnding()
        return PodEnding(None if rule.never_ends else rule.ending)

    def job_run(self, pod: Object) -> JobRun:
        scope = self._world.scope(request={"cluster": self._name, "pod": pod})
        for rule in self._specification.jobs:
            if self._chosen(rule, pod, scope):
                return JobRun(None if rule.never_ends else rule.takes, rule.exit, rule.reason)
        return JobRun()

    def stored(self, event: StoreEvent) -> None:
        """An object changed, whoever changed it."""
        if event.kind.kind == "Event":
            return
        place = (namespace_of(event.object), name_of(event.object))
        texts = _request_texts(_STORED[event.type], event.kind.plural, *place)
        data: dict[str, Json] = {
            "cluster": self._name,
            "verb": _STORED[event.type],
            "resource": event.kind.plural,
            "namespace": place[0],
            "name": place[1],
            "object": event.object,
            "before": event.before,
        }
        self._story.emit(Event(tuple(f"kubernetes.{text}" for text in texts), data))

    def _pod_rule(self, pod: Object) -> PodRule | None:
        scope = self._world.scope(request={"cluster": self._name, "pod": pod})
        return next((rule for rule in self._specification.pods if self._chosen(rule, pod, scope)), None)

    def _chosen(self, rule: PodRule | JobRule, pod: Object, scope: Scope) -> bool:
        return self._fits(rule.pod, pod, None) and self._holds(rule.when, scope, rule.position)

    def _fits(self, selector: PodSelector, pod: Object, container: str | None) -> bool:
        return (
            (selector.cluster is None or selector.cluster == self._name)
            and (selector.namespace is None or selector.namespace == namespace_of(pod))
            and (selector.name is None or selector.name.match((name_of(pod),)) is not None)
            and selector.labels.items() <= labels_of(pod).items()
            and (selector.container is None or container is None or selector.container == container)
        )

    def _holds(self, condition: Condition, scope: Scope, position: Position) -> bool:
        try:
            return self._world.holds(condition, scope)
        except EvaluationError as error:
            self._story.fault(f"{position}: when: {error}")
            return False

    def _lines(self, entry: LogEntry, scope: Scope) -> Iterator[LogLine]:
        now = self._world.clock.now()
        if entry.every is None:
            yield LogLine(render(entry.text, scope), now - timedelta(seconds=entry.ago))
            return
        for number in range(int(entry.ago // entry.every) + 1):
            when = now - timedelta(seconds=entry.ago - number * entry.every)
            yield LogLine(render(entry.text, overlaid(scope, n=number)), when)


def kinds_of(specification: ClusterSpec) -> Kinds:
    """The resources that the cluster serves."""
    return Kinds(
        custom_kind(
            kind.group,
            kind.version,
            kind.plural,
            kind.kind,
            namespaced=kind.namespaced,
            short_names=kind.short_names,
        )
        for kind in specification.kinds
    )


def users_of(specification: ClusterSpec) -> tuple[access.User, ...]:
    """Who gets a kubeconfig."""
    users: list[access.User] = []
    for user in specification.users:
        if user.rules is None:
            users.append(access.User(user.name))
            continue
        rules = tuple(
            access.RbacRule(rule.verbs, rule.resources, rule.groups, rule.names, rule.namespaces)
            for rule in user.rules
        )
        users.append(access.User(user.name, rules))
    return tuple(users) or (access.ADMIN,)


def _request_texts(verb: str, plural: str, namespace: str, name: str) -> tuple[str, str]:
    place = f"{namespace}/{name}" if namespace else name
    return f"{verb} {plural} {place}".rstrip(), f"{verb} {plural}"


def _described(cluster: str, change: Change) -> dict[str, Json]:
    return {
        "cluster": cluster,
        "verb": change.verb,
        "resource": change.kind.plural,
        "subresource": change.subresource,
        "namespace": change.namespace,
        "name": change.name,
        "user": change.user,
        "uid": uid_of(change.before) if change.before is not None else "",
        "before": change.before,
        "object": change.after,
        "grace": change.grace,
        "force": change.verb == "delete" and change.grace == 0,
        "propagation": change.propagation,
        "dry_run": change.dry_run,
    }
