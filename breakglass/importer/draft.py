"""A page as the draft of a runbook: headings are phases, commands are steps, and the rest is kept as words.

The draft loads. What a person must add stands in it as a TODO, which `breakglass lint` counts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from breakglass.errors import UserError
from breakglass.importer.checked import FILE, Checker, by_hand, uses_of
from breakglass.importer.convert import converted
from breakglass.importer.head import alerts_of, head_of, inputs_of, plain, runbook_name, short, without_marks
from breakglass.importer.page import CodeBlock, MarkdownPage, PageHeading, Prose, read_page
from breakglass.importer.place import HERE, ShellPlace, is_ones_own
from breakglass.importer.sentences import (
    Seen,
    WayOn,
    announces_output,
    expectations,
    only_links,
    sentences,
    shown,
    slug,
    ways_on,
)
from breakglass.importer.transcript import Command, Entry, Other, entries_of, inline_command
from breakglass.importer.units import Keys, Noted, Unit, Went
from breakglass.importer.values import Values, escaped
from breakglass.importer.write import REFUSED, DraftStep, draft_text
from breakglass.policy.risk import Risk
from breakglass.runbook.load import read_runbook
from breakglass.yamlio.shape_base import LONGEST_TEXT

LARGEST_PAGE = 192 * 1024
"""Characters. Nobody walks more at night; a longer page is several."""

LONGEST = LONGEST_TEXT - 2_000
"""Characters of one text of a draft."""

MOST_STEPS = 600
"""Steps of one draft; what comes after is kept as text."""

_TITLED = re.compile(r"^[\w`'\"(][^\n]{3,78}:$")
TODO_SEEN = "TODO: say what must be seen here to go on, and put the condition under `that`"


class PageError(UserError):
    """A page that no draft can be made of."""


@dataclass(frozen=True, slots=True)
class PageDraft:
    """A runbook that loads. commands: how many the page has; as_steps: how many of them run in a step or give
    a value; by_hand: how many a person runs."""

    name: str
    text: str
    commands: int
    as_steps: int
    by_hand: int
    steps: int
    uses: dict[str, list[str]]
    todos: int


def draft_of(text: str, stem: str) -> PageDraft:
    """The draft of a page whose file has this name, without its ending. Raises PageError."""
    if len(text) > LARGEST_PAGE:
        raise PageError(f"{len(text)} characters; a page has at most {LARGEST_PAGE}. Split it by incident")
    return _Drafting(read_page(text), text, stem).draft()


@dataclass(slots=True)
class _Count:
    commands: int = 0
    by_hand: int = 0


class _Drafting:
    def __init__(self, page: MarkdownPage, text: str, stem: str) -> None:
        self._page = page
        self._text = text
        self._stem = stem
        self._values = Values()
        self._checker = Checker(self._values)
        self._steps: list[DraftStep] = []
        self._headings: list[tuple[PageHeading, int]] = []
        """Each heading, and the number of steps before it."""
        self._waiting: list[Prose] = []
        self._phase = ""
        self._section = ""
        self._place: ShellPlace = HERE
        self._count = _Count()
        self._fresh = False
        """Whether the last step was made of the block just above."""
        self._rest: list[str] = []
        """What comes after as many steps as a draft has."""
        self._ran_in: dict[str, ShellPlace] = {}
        """Where each program has run so far, other than on the reader's own machine."""
        self._left = False
        """Whether the block has ended in which the place was gone to, and lines ran there."""

    def draft(self) -> PageDraft:
        title = next(
            (part.text for part in self._page.parts if isinstance(part, PageHeading)), self._stem or "Draft"
        )
        for part in self._page.parts:
            match part:
                case PageHeading():
                    self._flush()
                    self._head(part)
                case Prose():
                    self._prose(part)
                case CodeBlock():
                    self._code(part)
        self._flush()
        for part in chunks("\n".join(self._rest)) if self._rest else ():
            # Nobody has looked at what these lines do, so they count as the worst that they could be.
            worst: Keys = {"risk": Risk.DESTRUCTIVE.word, "impact": "TODO: say what this breaks"}
            last = self._steps[-1].end
            self._append({"manual": part, **worst}, last, "The rest of the page: split it", "")
        if not self._steps:
            self._add({"manual": "TODO: say what to do. The page has no text."}, 1, "Begin")
        self._choose()
        name = runbook_name(self._stem, title)
        return self._loaded(name, plain(title) or name)

    def _head(self, heading: PageHeading) -> None:
        self._headings.append((heading, len(self._steps)))
        text = without_marks(heading.text)
        self._section = text if heading.level > 1 or len(self._headings) > 1 else ""
        if heading.level <= 2:
            self._phase = self._section
            self._place = HERE
        self._fresh = False

    def _prose(self, prose: Prose) -> None:
        """Text: what it says of the step above, and the rest waits for the step below."""
        if re.fullmatch(r"\s*\[\[?_?TOC_?\]?\]\s*", prose.text):
            return
        if command := inline_command(prose.text):
            self._waiting.append(prose)
            self._command(Command(command, prose.line))
            return
        self._go_in(prose.text)
        if self._steps and only_links(prose.text):
            keys = self._steps[-1].keys
            keys["why"] = f"{keys['why']}\n\n{prose.text}" if keys.get("why") else prose.text
            return
        introduces = prose.text.endswith(":")
        if self._fresh and self._steps and not introduces and (found := expectations(prose.text)):
            step = self._steps[-1]
            if self._expect(step, found) and len(found) == len(sentences(prose.text)):
                step.end = prose.line + prose.text.count("\n")
                return
        self._waiting.append(prose)
        self._fresh = False

    def _code(self, code: CodeBlock) -> None:
        self._left = self._place != HERE and self._fresh
        entries = entries_of(code)
        if self._is_shown(entries):
            self._show(
                self._steps[-1], [each.text for each in self._waiting], code.text.rstrip("\n").split("\n")
            )
            self._steps[-1].end = code.line + code.text.count("\n")
            self._waiting = []
            return
        if any(True for each in self._waiting for _ in ways_on(each.text)):
            self._flush()
        for entry in entries:
            if isinstance(entry, Other):
                self._waiting.append(Prose(entry.text, entry.line))
                self._fresh = False
            else:
                self._command(entry)

    def _command(self, command: Command) -> None:
        self._count.commands += 1
        if len(self._steps) >= MOST_STEPS:
            self._count.by_hand += 1
            self._rest.append(escaped(command.text))
            return
        place = ShellPlace("host", command.host) if command.host else self._place
        program = command.text.removeprefix("sudo ").split(maxsplit=1)[0]
        if not command.host and is_ones_own(command.text):
            place = HERE if self._left else place
        elif place == HERE:
            place = self._ran_in.get(program, HERE)
        if place != HERE:
            known = self._ran_in.setdefault(program, replace(place, folder=""))
            if known.name != place.name:
                self._ran_in[program] = HERE  # in two places, so that nobody can tell
        before = len(self._steps)
        hands = False
        for each in converted(command.text, place, self._values):
            match each:
                case Went(place=place):
                    self._place = place
                    self._left = False
                case Noted():
                    pass
                case Unit():
                    hands = self._unit(each, command, len(self._steps) == before) or hands
        self._count.by_hand += hands
        if len(self._steps) > before:
            self._observe(self._steps[-1], command)
            self._fresh = True

    def _unit(self, unit: Unit, command: Command, first: bool) -> bool:
        """Add the step of a unit. Whether a person runs it."""
        keys = self._checker.accepted(unit)
        introduced = [each.text for each in self._waiting if each.text.endswith(":")] if first else []
        why, title = self._why(command, first)
        self._add(keys or by_hand(unit), command.line, title or short(unit.text.split("\n")[0]), why, unit)
        if found := [seen for text in introduced for seen in expectations(text)]:
            self._expect(self._steps[-1], found)
        self._steps[-1].end = (
            command.line + command.text.count("\n") + len(command.shown) + len(command.expected)
        )
        return keys is None

    def _why(self, command: Command, first: bool) -> tuple[str, str]:
        """The reason of a step, and its title where the page has one: a comment, or the line that ends in a
        colon, or the heading."""
        if not first:
            return "", ""
        comments = [plain(each) for each in command.comments]
        prose = "\n\n".join(each.text for each in self._waiting)
        self._waiting = []
        last = (sentences(prose.rsplit("\n\n", 1)[-1]) or [""])[-1]
        title = ""
        if comments and comments[-1]:
            title = comments[-1]
        elif _TITLED.match(plain(last)):
            title = plain(last)
        else:
            title = self._unsaid()
        title = title.rstrip(": ").strip()
        title = title if 3 <= len(title) <= 90 else ""
        parts = [prose if plain(prose).rstrip(": ") != title else "", "\n".join(comments[:-1])]
        if comments and comments[-1].rstrip(": ") != title:
            parts.append(comments[-1])
        return "\n\n".join(filter(None, parts)), title[:1].upper() + title[1:]

    def _unsaid(self) -> str:
        """The heading that the next step stands under, where no step has it for a title."""
        title, self._section = self._section, ""
        return title

    def _observe(self, step: DraftStep, command: Command) -> None:
        """What the page shows of the output, and what its comments expect."""
        found = expectations("\n".join(command.expected))
        rest = [each for each in command.expected if not any(each in one.means for one in found)]
        if command.expected and not found:
            one = shown(
                [
                    re.sub(
                        r"^(?:expected?|output|result|returns?|should(?: be| show)?)\b[^:]{0,20}[: ]\s*",
                        "",
                        line,
                        flags=re.I,
                    )
                    for line in command.expected
                ]
            )
            found = [one] if one else [Seen(" ".join(" ".join(command.expected).split())[:300])]
            rest = list(command.expected) if one or len(" ".join(command.expected)) > 300 else []
        if command.shown and (one := shown(command.shown)):
            found.append(one)
        if found:
            self._expect(step, found)
        self._show(step, [], [*rest, *command.shown])

    def _is_shown(self, entries: Sequence[Entry]) -> bool:
        """Whether a block is what the step above prints."""
        only = all(isinstance(each, Other) for each in entries) and bool(entries)
        return bool(self._steps) and only and bool(self._waiting) and announces_output(self._waiting[-1].text)

    def _show(self, step: DraftStep, said: Sequence[str], lines: Sequence[str]) -> None:
        """Keep with a step what the page shows of its output."""
        if not any(line.strip() for line in lines):
            return
        text = "\n\n".join([*said, "The page shows:\n" + "\n".join(lines)])
        step.keys["why"] = f"{step.keys['why']}\n\n{text}" if step.keys.get("why") else text

    def _go_in(self, text: str) -> None:
        """Go where a sentence says that one logs in: `ssh HOST`, or a shell in a pod."""
        for line in re.findall(r"`((?:ssh|kubectl|oc) [^`\n]+)`", text):
            found = list(converted(line, HERE, self._values))
            if len(found) == 1 and isinstance(found[0], Went):
                self._place = found[0].place

    def _expect(self, step: DraftStep, found: list[Seen]) -> bool:
        """Add expectations, each as a condition where that is plain and the step loads with it. False for a
        step that a person does."""
        if not any(key in step.keys for key in ("kubectl", "ssh", "http", "local")):
            return False
        expect = [
            each for each in cast("list[Keys]", step.keys.get("expect", [])) if each["means"] != TODO_SEEN
        ]
        for each in found:
            means = escaped(each.means)
            wanted: Keys = (
                {"that": each.that, "means": means}
                if each.that
                else {"that": "result.fault == ''", "means": f"TODO: {means}"}
            )
            if self._checker.problems({**_action_of(step.keys), "expect": [wanted]}):
                wanted = {"that": "result.fault == ''", "means": f"TODO: {means}"}
            expect.append(wanted)
        step.keys["expect"] = expect
        return True

    def _flush(self) -> None:
        """Give the text that no command follows a step of its own: a choice where it says where to go on."""
        if not self._waiting:
            return
        text = "\n\n".join(each.text for each in self._waiting)
        line, last = self._waiting[0].line, self._waiting[-1]
        self._waiting = []
        self._fresh = False
        ways = tuple(ways_on(text))
        title = self._unsaid() or short(next(iter(sentences(plain(text))), "Read this"))
        self._add({"manual": escaped(text)}, line, title, ways=ways)
        self._steps[-1].end = last.line + last.text.count("\n")

    def _add(
        self,
        keys: Keys,
        line: int,
        title: str,
        why: str = "",
        unit: Unit | None = None,
        ways: tuple[WayOn, ...] = (),
    ) -> None:
        title = " ".join(title.split()) or "Step"
        if len(self._steps) >= MOST_STEPS:
            self._rest.append(str(keys.get("manual", "")))
            return
        if len(why) > LONGEST:
            for part in chunks(escaped(why)):
                self._append({"manual": part}, line, title, "")
            why = ""
        *first, last = chunks(str(keys["manual"])) if "manual" in keys else [""]
        for part in first:
            self._append({**keys, "manual": part}, line, title, why)
            why = ""
        self._append({**keys, "manual": last} if "manual" in keys else keys, line, title, why, unit, ways)

    def _append(
        self,
        keys: Keys,
        line: int,
        title: str,
        why: str,
        unit: Unit | None = None,
        ways: tuple[WayOn, ...] = (),
    ) -> None:
        whole: Keys = {"id": self._id(title), "title": title}
        if self._phase:
            whole["phase"] = self._phase
        if why.strip():
            whole["why"] = why
        whole |= keys
        reads = any(key in keys for key in ("kubectl", "ssh", "http", "local")) and "impact" not in keys
        if reads and "expect" not in keys:
            whole["expect"] = [{"that": "result.fault == ''", "means": TODO_SEEN}]
        self._steps.append(DraftStep(whole, line, line, unit, ways))

    def _id(self, title: str) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:32].strip("-") or "step"
        taken = {each.keys["id"] for each in self._steps} | {"done"}
        found, number = name, 1
        while found in taken:
            number += 1
            found = f"{name}-{number}"
        return found

    def _choose(self) -> None:
        """Make choices of the texts that say where to go on, now that all steps are known."""
        for step in list(self._steps):
            options: dict[str, Keys] = {}
            for way in step.ways:
                target = self._target(way)
                if target is not None and target is not step and len(options) < 8:
                    name = str(target.keys["id"])
                    options.setdefault(name, {"say": escaped(way.says), "goto": name})
            if not options:
                continue
            options["next"] = {"say": "TODO: say when the walk goes on with the next step"}
            text = cast(str, step.keys.pop("manual"))
            said = {" ".join(str(option["say"]).split()) for option in options.values()}
            if " ".join(text.split()) not in said:
                step.keys["why"] = text.replace("$${{", "${{")
            step.keys["choose"] = options

    def _target(self, way: WayOn) -> DraftStep | None:
        """The step that a sentence sends the reader to: the first one under the heading that it names."""
        words = way.words.lower().removeprefix("the ").removesuffix(" below").removesuffix(" section").strip()
        for heading, before in self._headings:
            title = plain(heading.text).lower()
            numbered = way.number and re.match(rf"\W*(?:step\s+)?{way.number}\b", heading.text, re.IGNORECASE)
            named = len(words) > 3 and title.startswith(words)
            if numbered or named or slug(heading.text) == way.anchor:
                return self._steps[before] if before < len(self._steps) else None
        return None

    def _loaded(self, name: str, title: str) -> PageDraft:
        """The draft, with a step by hand in place of each that does not load beside the others."""
        for _ in range(12):
            text, lines = draft_text(self._top(name, title), self._steps, self._text)
            runbook, problems = read_runbook(text, FILE)
            if runbook is not None:
                break
            wrong = {_step_at(lines, each.position.line) for each in problems if not each.warning}
            for number in wrong:
                self._by_hand(number)
        else:
            worst: Keys = {"risk": Risk.DESTRUCTIVE.word, "impact": "TODO: say what this breaks"}
            self._steps = [
                DraftStep({"id": f"page-{number}", "title": "The page", "manual": part, **worst}, 1)
                for number, part in enumerate(chunks(escaped(_printable(self._text)) or "TODO"), 1)
            ]
            self._count.by_hand = self._count.commands
            text, _ = draft_text(self._top(name, title), self._steps, "")
            if read_runbook(text, FILE)[0] is None:
                raise PageError("no draft that loads can be made of this page. Split it, and try its parts")
        count = self._count
        return PageDraft(
            name,
            text,
            count.commands,
            count.commands - count.by_hand,
            count.by_hand,
            len(self._steps),
            uses_of(each.keys for each in self._steps),
            len(re.findall(r"\bTODO\b", text)),
        )

    def _top(self, name: str, title: str) -> Keys:
        uses = uses_of(each.keys for each in self._steps)
        if len(uses.get("clusters", [])) > 1:
            for step in self._steps:
                _name_the_cluster(step.keys)
        used = {name for each in self._steps for name in re.findall(r"\binputs\.(\w+)", str(each.keys))}
        prose = [part.text for part in self._page.parts if isinstance(part, Prose)]
        head = head_of(name, title, prose, alerts_of((title, self._stem), self._text))
        inputs = inputs_of(self._values, used)
        return head | ({"uses": uses} if uses else {}) | ({"inputs": inputs} if inputs else {})

    def _by_hand(self, number: int) -> None:
        step = self._steps[number]
        kept = {key: step.keys[key] for key in ("id", "title", "phase", "why") if key in step.keys}
        if step.unit is not None and "manual" not in step.keys:
            self._count.by_hand += 1
            step.keys = {**kept, **by_hand(step.unit)}
            return
        text = cast(str, step.keys.get("manual", step.keys.get("why", "")))
        step.keys = {**kept, "manual": escaped(_printable(text).replace("$${{", "${{")) or "TODO"}
        step.keys.pop("why", None)


def chunks(text: str) -> list[str]:
    """A text in parts that are each short enough for one value, cut between lines where that can be."""
    parts = [""]
    for line in text.split("\n"):
        for at in range(0, max(len(line), 1), LONGEST):
            piece = line[at : at + LONGEST]
            if len(parts[-1]) + len(piece) + 1 > LONGEST and parts[-1]:
                parts.append(piece)
            else:
                parts[-1] = f"{parts[-1]}\n{piece}" if parts[-1] else piece
    return parts


def _name_the_cluster(keys: Keys) -> None:
    for holder in (keys, cast(Keys, keys.get("verify", {}))):
        action = holder.get("kubectl")
        if isinstance(action, str):
            holder["kubectl"] = {"run": action, "cluster": "main"}
        elif isinstance(action, dict) and "cluster" not in action:
            cast(Keys, action)["cluster"] = "main"


def _action_of(keys: Keys) -> Keys:
    return {key: value for key, value in keys.items() if key not in ("id", "title", "phase", "why", "expect")}


def _step_at(lines: list[int], line: int) -> int:
    """Which step a line of the draft belongs to."""
    return max((number for number, start in enumerate(lines) if start <= line), default=0)


def _printable(text: str) -> str:
    return "\n".join(REFUSED.sub("\ufffd", line) for line in text.split("\n"))
