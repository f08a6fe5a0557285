"""What happens in a simulated world: events, the rules and traps they set off, and whether it has recovered.

An event has a text that the patterns under `on` are held against, in several lengths:

| event | text |
|---|---|
| time passes | `time` (`after` so long, or `every` so often; `when` is looked at then) |
| the world's variables or objects changed | `world` (acts when its `when` becomes true) |
| a client changed an object | `kubernetes.VERB PLURAL`, and the same with ` NAMESPACE/NAME` |
| an object changed, whoever did it | the same with `added`, `modified`, `removed` as VERB |
| a command on a host | `ssh HOST COMMAND`, as it came and without `sudo`, `timeout` and quotes |
| a program of the machine where the session runs | `local COMMAND`, as for a host |
| a command in a container | `exec NAMESPACE/POD COMMAND` |
| an HTTP request | `http METHOD ENDPOINT PATH` |
| the operator says that a step for people is done | `manual STEP` |

A client's VERB is `create`, `update`, `patch`, `delete`, `evict` or `scale`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from breakglass.rehearsal.spec.effects import Effect
from breakglass.rehearsal.traps import Rule, Trap
from breakglass.rehearsal.world import World, WorldFaultError
from breakglass.runbook.expression import EvaluationError, Expression
from breakglass.runbook.template import render
from breakglass.values import Json, Scope

HappeningKind: TypeAlias = Literal["rule", "trap", "recovered", "change"]
Listener: TypeAlias = Callable[[HappeningKind, str, str], None]

MOST_AT_ONCE = 2000
"""Events that one cause may lead to before the rules are taken to chase each other."""

TIME = ("time",)


@dataclass(frozen=True, slots=True)
class Event:
    """texts: for patterns. data: what expressions see as `event`."""

    texts: tuple[str, ...]
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing to tell the drill. `elapsed` is simulated seconds since the beginning."""

    kind: HappeningKind
    name: str
    say: str
    elapsed: float


Apply: TypeAlias = Callable[[Effect, Scope, str], object]
"""Carries an effect out; the last argument names whose it is, for errors."""


class Story:
    """Carries the rules and traps of one rehearsal. To be used in the event loop's thread only."""

    def __init__(
        self, world: World, rules: Sequence[Rule], traps: Sequence[Trap], recovered: Expression, apply: Apply
    ) -> None:
        self.happened: list[Happening] = []
        self.touched: list[str] = []
        self.faults: list[str] = []
        self._world = world
        self._rules: list[Rule] = [*traps, *rules]
        self._recovered = recovered
        self._was_recovered = True
        self._apply = apply
        self._listeners: list[Listener] = []
        self._queue: deque[Event] = deque()
        self._working = False
        self._acted: set[str] = set()
        self._held: set[str] = set()
        self._settling: asyncio.Handle | None = None

    def begin(self) -> None:
        """Start the rules of time, and take the world as it stands for what it was."""
        self._was_recovered = self.recovered()
        for rule in self._rules:
            if rule.waits_for("world") and self._holds(rule, self._world.scope()):
                self._held.add(rule.name)
        self.emit(Event(TIME))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of rules that say something, traps, changes and the recovery. The answer ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def recovered(self) -> bool:
        """Whether the world has recovered. A condition that has no value yet does not hold."""
        try:
            return self._world.holds(self._recovered, self._world.scope())
        except EvaluationError:
            return False

    def touch(self, what: str) -> None:
        """A client has changed something; `what` is its event's text."""
        self.touched.append(what)
        self._tell("change", what, "")
        self.changed()

    def emit(self, event: Event) -> None:
        """Something happened: let every rule and trap that waits for it act, at once or later."""
        self._queue.append(event)
        if self._working:
            return
        self._working = True
        try:
            left = MOST_AT_ONCE
            while self._queue:
                left -= 1
                if left < 0:
                    self._queue.clear()
                    raise WorldFaultError(f"{event.texts[0]}: the rules set each other off without end")
                self._work(self._queue.popleft())
        except WorldFaultError as error:
            self.fault(str(error))
        finally:
            self._working = False
        self.changed()

    def changed(self) -> None:
        """The world may have changed: look, before the loop goes on with anything else, what follows."""
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_soon(self._settle)

    def happen(self, effect: Effect) -> None:
        """The world moves by itself, outside of its rules."""
        scope = self._world.scope(event={"text": "world", "match": {}})
        try:
            self._apply(effect, scope, "move of the world")
            if effect.say is not None:
                self._tell("rule", "meanwhile", render(effect.say, scope))
        except (WorldFaultError, EvaluationError) as error:
            self.fault(f"move of the world: {error}")
        self.changed()

    def tell_rule(self, name: str, say: str) -> None:
        """A reply that changed the world says so."""
        self._tell("rule", name, say)

    def fault(self, message: str) -> None:
        """The scenario is wrong. It is told like a rule, so that nobody looks for the cause elsewhere."""
        self.faults.append(message)
        self._tell("rule", "fault in the scenario", message)

    def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()

    def _work(self, event: Event) -> None:
        for rule in self._rules:
            kept = rule.match(event.texts)
            if kept is None or (rule.once and rule.name in self._acted):
                continue
            data: dict[str, Json] = {**event.data, "text": event.texts[0], "match": dict(kept)}
            later = event.texts == TIME and (rule.after or rule.every)
            if not later and not self._holds(rule, self._world.scope(event=data)):
                continue
            self._acted.add(rule.name)
            self._schedule(rule, data)

    def _schedule(self, rule: Rule, data: dict[str, Json]) -> None:
        def due() -> None:
            if rule.every is not None:
                self._world.clock.call_later(rule.every, due)
            if data["text"] != "time" or self._holds(rule, self._world.scope(event=data)):
                self._act_now(rule, data)

        wait = rule.after or rule.every
        if wait:
            self._world.clock.call_later(wait, due)
        else:
            self._act(rule, data)

    def _act_now(self, rule: Rule, data: dict[str, Json]) -> None:
        try:
            self._act(rule, data)
        except WorldFaultError as error:
            self.fault(str(error))
        self.changed()

    def _act(self, rule: Rule, data: dict[str, Json]) -> None:
        scope = self._world.scope(event=data)
        self._apply(rule.effect, scope, rule.name)
        say = ""
        if rule.effect.say is not None:
            try:
                say = render(rule.effect.say, scope)
            except EvaluationError as error:
                raise WorldFaultError(f"{rule.name}: say: {error}") from error
        if isinstance(rule, Trap):
            self._tell("trap", rule.name, say or rule.title)
        elif say:
            self._tell("rule", rule.name, say)

    def _settle(self) -> None:
        """Set off the rules that wait for a condition of the world, until nothing more follows."""
        self._settling = None
        for _ in range(20):
            risen = self._risen()
            if not risen:
                break
            for rule in risen:
                try:
                    self._schedule(rule, {"text": "world", "match": {}})
                except WorldFaultError as error:
                    self.fault(str(error))
        else:
            self.fault("the rules on the world set each other off without end")
        recovered = self.recovered()
        if recovered and not self._was_recovered:
            self._tell("recovered", "recovered", "The simulated incident is over.")
        self._was_recovered = recovered

    def _risen(self) -> list[Rule]:
        risen: list[Rule] = []
        for rule in self._rules:
            if not rule.waits_for("world") or (rule.once and rule.name in self._acted):
                continue
            if not self._holds(rule, self._world.scope()):
                self._held.discard(rule.name)
            elif rule.name not in self._held:
                self._held.add(rule.name)
                self._acted.add(rule.name)
                risen.append(rule)
        return risen

    def _holds(self, rule: Rule, scope: Scope) -> bool:
        try:
            return self._world.holds(rule.when, scope)
        except EvaluationError as error:
            self.fault(f"{rule.name}: when: {error}")
            return False

    def _tell(self, kind: HappeningKind, name: str, say: str) -> None:
        self.happened.append(Happening(kind, name, say, round(self._world.clock.elapsed(), 1)))
        for listener in list(self._listeners):
            listener(kind, name, say)
