"""What a command may do, from its words: the one place where that is decided.

A command is known to read only when every word of it is accounted for by the tables in `programs/`. Anything
else counts as a change: an unknown program, an unknown option, a program text that no grammar knows.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from breakglass.policy import awk, conditions, jq, sed, tables
from breakglass.policy.placeholders import EXPANSION, VALUE, WORDS, is_literal
from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.policy.shell import ShellSyntaxError, SimpleCommand, parse
from breakglass.policy.site_rules import ReadPattern
from breakglass.policy.tables import ProgramOption, Slot, Usage

HTTP_READS = frozenset(("GET", "HEAD", "OPTIONS"))

SYSTEM_FOLDERS = frozenset(
    ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin")
)
"""Folders in which only root installs programs."""

SENDERS = ("s_client",)
"""Words of commands that read only as long as nothing is given to them to send."""

DEEPEST = 8
"""Programs that hand on to one another. Each may be read in two ways, so more of them would take long."""

READS = Judgement(Risk.READ, Knowledge.READS, "every word is known to read")
_GRAMMARS = {tables.SED: sed.objection, tables.AWK: awk.objection, tables.JQ: jq.objection}
_SEPARATOR = Slot(tables.SEPARATOR)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_LIKE_AN_OPTION = re.compile(r"-[^\d.]")
_NUMBER = re.compile(r"-\d+")
_SHELL_VARIABLE = re.compile(r"(?!path$|.+path$|.+_proxy$)[a-z_][a-z0-9_]*")
"""A variable of a script's own. zsh ties `path` and its like to those that say where programs are."""


def judge_method(method: str) -> Judgement:
    """Judge an HTTP request by its method."""
    name = method.upper()
    if name in HTTP_READS:
        return READS
    risk = Risk.DESTRUCTIVE if name == "DELETE" else Risk.CHANGE
    return Judgement(risk, Knowledge.CHANGES, f"{name} {tables.WHY[risk]}", method)


def judge_shell(text: str, reads: Sequence[ReadPattern] = (), depth: int = 0) -> Judgement:
    """Judge shell text by its worst command. What is not understood is not known. `reads` are the commands
    that a site counts as reads where nobody knows them, and `depth` is how many commands hand this on."""
    try:
        commands = parse(text)
    except ShellSyntaxError as error:
        return _unknown(f"the shell text is not understood: {error}", text)
    return worst_of(_judge(command, reads, depth) for command in commands)


def _judge(command: SimpleCommand, reads: Sequence[ReadPattern], depth: int) -> Judgement:
    found = [_judge_assignment(name, value, bool(command.words)) for name, value in command.assignments]
    if command.words:
        found.append(judge_command(command.words, reads, depth))
    if command.fed:
        found.append(judge_fed(command.words))
    found += [_known(Risk.CHANGE, f"> {target} writes a file", target) for target in command.writes]
    return worst_of(found)


def judge_fed(texts: Iterable[str]) -> Judgement:
    """What it comes to that something stands on the standard input of a command, which is words or shell
    text."""
    if any(word in text for text in texts for word in SENDERS):
        return _unknown("openssl s_client sends what comes in on its standard input", "s_client")
    return READS


def _judge_assignment(name: str, value: str, to_a_command: bool) -> Judgement:
    """Judge NAME=value before a command, or alone in a script."""
    if tables.allows(tables.ASSIGNMENT, f"{name}={value}"):
        return READS
    if not to_a_command and _SHELL_VARIABLE.fullmatch(name):
        return READS
    return _unknown(f"setting {name} may change what a program does", f"{name}=")


def judge_kubectl(words: Sequence[str], reads: Sequence[ReadPattern] = ()) -> Judgement:
    """Judge a kubectl line, without the program's name. `reads` as for `judge_shell`."""
    return judge_command(("kubectl", *words), reads)


def judge_command(words: Sequence[str], reads: Sequence[ReadPattern] = (), depth: int = 0) -> Judgement:
    """Judge one command from its words; the first names the program. No words at all do nothing. `reads` and
    `depth` as for `judge_shell`."""
    if not words:
        return READS
    found = _by_the_tables(words, reads, depth)
    if found.knowledge is Knowledge.UNKNOWN:
        for pattern in reads:
            if pattern.matches(words):
                return replace(READS, why=f"this site counts {pattern.text} as a read", site=pattern.text)
    return found


def _by_the_tables(words: Sequence[str], reads: Sequence[ReadPattern], depth: int) -> Judgement:
    if depth > DEEPEST:
        return _unknown(f"more than {DEEPEST} programs run one another", words[0])
    program, found = words[0], _usages(words[0])
    if not found:
        return _unknown(_why_unknown(program), program)
    return _best(found, program.rpartition("/")[2], tuple(words[1:]), reads, depth, [])


def handed_on(words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The commands that a command hands on, as far as the tables see them: behind `sudo`, in `find -exec`."""
    handed: list[tuple[str, ...]] = []
    _best(_usages(words[0]), words[0].rpartition("/")[2], tuple(words[1:]), (), 0, handed)
    return tuple(handed)


def is_known(program: str) -> bool:
    """Whether there is a table of a program."""
    return bool(_usages(program))


def _usages(program: str) -> Sequence[Usage]:
    folder, slash, name = program.rpartition("/")
    return () if slash and folder not in SYSTEM_FOLDERS else tables.usages(name)


def _why_unknown(program: str) -> str:
    if not is_literal(program):
        return "which program this runs is not known"
    if "/" in program and program.rpartition("/")[0] not in SYSTEM_FOLDERS:
        return f"{program} is not in a folder of the system"
    return f"{program} is not a program that is known to read"


def _best(
    usages: Sequence[Usage],
    name: str,
    words: tuple[str, ...],
    reads: Sequence[ReadPattern],
    depth: int,
    handed: list[tuple[str, ...]],
) -> Judgement:
    """The judgement by the first usage that accounts for every word; without one, the worst of all, of equals
    the last, which a table has for whatever is left. `handed` takes the commands that are handed on."""
    refused: list[Judgement] = []
    seen: list[tuple[str, ...]] = []
    for usage in usages:
        reading = _Reading(usage, name, reads, depth)
        reading.read(words)
        if not reading.objections:
            handed += reading.handed
            return worst_of(reading.found)
        seen += reading.handed
        refused.insert(0, worst_of([*reading.objections, *reading.found]))
    handed += seen
    return worst_of(refused)


@dataclass(slots=True)
class _Reading:
    """The words of one command, while they are read by one usage.

    found: what the parts are known to do. objections: what the usage does not account for; reading goes on
    after one, so that a word that is known to change is found behind a word that is not known.
    """

    usage: Usage
    name: str
    reads: Sequence[ReadPattern]
    depth: int
    found: list[Judgement] = field(default_factory=list[Judgement])
    objections: list[Judgement] = field(default_factory=list[Judgement])
    handed: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    """The commands that are handed on."""
    _given: set[str] = field(default_factory=set[str])
    """Names of options, and forms of their program texts."""
    _texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Program texts by their language."""
    _replaced: str = ""
    """What `xargs -I` puts its input in place of."""

    def read(self, words: tuple[str, ...]) -> None:
        usage = self.usage
        if usage.risk > Risk.READ:
            self.found.append(_known(usage.risk, f"{self.name} {usage.why}", self._word))
            if not usage.options and not usage.slots:
                return
        if usage.unknown:
            self._object(f"{self.name} {usage.unknown}")
        match usage.slots:
            case (Slot(form=tables.WORDS),):
                return
            case (Slot(form=tables.TEST),):
                self._object(conditions.objection(self.name, words))
                return
            case _ if words in (("--help",), ("--version",)):
                return
            case _:
                operands, separator = self._options(words)
        if usage.needs.isdisjoint(self._given) and usage.needs:
            needed = " or ".join(sorted(usage.needs))
            self._object(f"{self.name} without {needed} is not known to read")
        if usage.subcommands:
            self._subcommand(operands)
        else:
            self._slots(operands, separator)
        for language, texts in self._texts.items():
            self._program_text(language, texts)

    @property
    def _word(self) -> str:
        """The word that the usage is found by: the program, or its subcommand."""
        return self.name.rpartition(" ")[2]

    def _object(self, why: str, word: str = "") -> None:
        if why:
            self.objections.append(_unknown(why, word or self._word))

    def _options(self, words: tuple[str, ...]) -> tuple[list[str], int | None]:
        """Account for the options. The result is the operands, and how many of them are before a `--`."""
        usage = self.usage
        ends_at_operand = usage.strict or bool(usage.subcommands)
        operands: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            if word == tables.SEPARATOR and (usage.style != "whole" or _SEPARATOR in usage.slots):
                return [*operands, *words[index + 1 :]], len(operands)
            if word.startswith("-") and word != "-":
                index = self._option(words, index)
                continue
            if not usage.harmless and (word[:1] == EXPANSION or WORDS in word):
                self._object(f"{self.name}: a value may be an option here; put -- before it")
            if ends_at_operand:
                return list(words[index:]), None
            operands.append(word)
            index += 1
        return operands, None

    def _option(self, words: tuple[str, ...], index: int) -> int:
        """Account for the options in one word, and for the words that are their values. The result is the
        index of the next word."""
        word, style = words[index], self.usage.style
        name, equals, value = word.partition("=")
        if style == "go" and name.startswith("--"):
            name = name[1:]
        if _NUMBER.fullmatch(word) and tables.NUMBER_OPTION in self.usage.options:
            return index + 1
        if word in self.usage.options and style == "whole":
            return self._take(word, None, words, index + 1)
        if word.startswith("--") or style in ("go", "whole"):
            return self._take(name, value if equals else None, words, index + 1)
        return self._short_options(words, index)

    def _short_options(self, words: tuple[str, ...], index: int) -> int:
        """Account for one-letter options in one word, as getopt does: the first that takes a value has the
        rest of the word, or the next one."""
        letters, pflag = words[index][1:], self.usage.style == "pflag"
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            variants = self.usage.options.get(name)
            if variants is None:
                self._object(f"{self.name}: {name} is not an option that is known to read", name)
                continue
            takes = variants[0].values or variants[0].joined
            if not takes and not (pflag and letters.startswith("=")):
                self._take(name, None, words, index + 1)
                continue
            if pflag:
                letters = letters.removeprefix("=")
            if letters and not letters.strip(EXPANSION) and not self.usage.harmless:
                self._object(f"{self.name}: {name} takes the next word where the value is empty", name)
            return self._take(name, letters or None, words, index + 1)
        return index + 1

    def _take(self, name: str, joined: str | None, words: tuple[str, ...], index: int) -> int:
        """Account for one option, whose value is joined to it or begins at `index`. The result is the index
        of the word after it."""
        variants = self.usage.options.get(name)
        if variants is None:
            self._object(f"{self.name}: {name} is not an option that is known to read", name)
            return index
        first = variants[0]
        self._given.add(name)
        if first.form == tables.EXEC:
            return self._handed_on_to_semicolon(words, index)
        values = [] if joined is None else [joined]
        if first.values == 0 and not first.joined:
            if joined is not None and not self._is_switch(name, joined):
                self._object(f"{self.name}: {name} is not known to take a value", name)
            values = []
        missing = first.values - len(values)
        following = words[index : index + max(missing, 0)]
        values += following
        for value in filter(_LIKE_AN_OPTION.match, following):
            # Some version of the program may take no value here.
            if self.usage.style != "whole" and not self.usage.harmless:
                self._object(f"{self.name}: {value} may be an option, or the value of {name}", value)
        if len(values) < first.values or tables.SEPARATOR in values:
            self._object(f"{self.name}: {name} has no value", name)
        if not self.usage.harmless and any(WORDS in value for value in values):
            self._object(f"{self.name}: the value of {name} may become several words; quote it", name)
        self._mean(variants, values)
        return index + max(missing, 0)

    def _is_switch(self, name: str, value: str) -> bool:
        """Whether an option that needs no value takes this one. One that must be on cannot be turned off."""
        if self.usage.style not in ("pflag", "go"):
            return False
        return value == "true" or (value == "false" and name not in self.usage.needs)

    def _mean(self, variants: tuple[ProgramOption, ...], values: Sequence[str]) -> None:
        """Judge an option by its value, where that tells apart what it does."""
        option = next(
            (each for each in variants if all(tables.allows(each.form, value) for value in values)), None
        )
        if option is None:
            name = variants[0].name
            self._object(f"{self.name}: {name} is not known to read with {_shown(values[0])}", name)
            return
        if not option.known:
            self._object(f"{self.name}: {option.name} {option.why}", option.name)
        elif option.risk > Risk.READ:
            self.found.append(_known(option.risk, f"{self.name}: {option.name} {option.why}", option.name))
        if option.form == tables.REPLACED:
            self._replaced = values[0] if values else "{}"
        if option.form in tables.LANGUAGES:
            self._given.add(option.form)
            self._texts.setdefault(option.form, []).extend(values)

    def _handed_on_to_semicolon(self, words: tuple[str, ...], index: int) -> int:
        """Judge a command of `find -exec`: it ends at `;`, or at a `+` right after `{}`."""
        end = index
        while end < len(words) and words[end] != ";" and words[end - 1 : end + 1] != ("{}", "+"):
            end += 1
        if end == len(words):
            self._object(f"{self.name}: the command has no end", words[index - 1])
        once = end < len(words) and words[end] == ";"
        path = VALUE if once else WORDS
        command = [word.replace("{}", path) for word in words[index:end]]
        self._hand(command)
        return end + 1

    def _subcommand(self, operands: Sequence[str]) -> None:
        if not operands:
            self._object("" if self.usage.bare else f"{self.name} alone is not known to read")
            return
        word = operands[0]
        usages = self.usage.subcommands.get(word)
        if usages is None:
            self._object(f"{self.name}: {_shown(word)} is not known to read", word)
        else:
            self.found.append(
                _best(usages, f"{self.name} {word}", tuple(operands[1:]), self.reads, self.depth, self.handed)
            )

    def _slots(self, operands: Sequence[str], separator: int | None) -> None:
        """Account for the operands, of which `separator` stand before a `--`."""
        index = 0
        slots = self.usage.slots
        if slots and slots[0].form in self._given:
            # The program text was the value of an option, and all operands are files.
            slots = slots[1:]
        for slot in slots:
            if slot.form == tables.SEPARATOR:
                if separator != index:
                    self._object(f"{self.name}: a -- is missing before the command")
                continue
            if slot.form in tables.HANDED_ON:
                self._hand_on(slot, operands[index:])
                return
            taken = 0
            while index < len(operands) and _fits(slot, operands[index]) and (slot.repeated or not taken):
                self._operand(slot, operands[index])
                index += 1
                taken += 1
            if not taken and not slot.optional and not slot.repeated:
                break
        if index < len(operands):
            self._object(f"{self.name}: {_shown(operands[index])} is not known to read", operands[index])
        elif len(operands) < sum(1 for slot in slots if not slot.optional and not slot.repeated):
            self._object(f"{self.name}: an operand is missing")

    def _operand(self, slot: Slot, word: str) -> None:
        if slot.form in tables.LANGUAGES:
            self._texts.setdefault(slot.form, []).append(word)
        elif slot.form == tables.ASSIGNMENT and not tables.allows(tables.ASSIGNMENT, word):
            name = word.partition("=")[0]
            self._object(f"setting {name} may change what a program does", f"{name}=")

    def _program_text(self, language: str, texts: Sequence[str]) -> None:
        """Judge the program that one option or operand holds, or several together."""
        text = "\n".join(texts)
        if not is_literal(text):
            self._object(f"{self.name}: a value is not known as a program text")
        elif language == tables.SHELL:
            self.found.append(judge_shell(text, self.reads, self.depth + 1))
        else:
            why = _GRAMMARS[language](text)
            self._object(f"{self.name}: {why}" if why else "", text if len(texts) == 1 else "")

    def _hand_on(self, slot: Slot, words: Sequence[str]) -> None:
        """Judge the command that the rest of the words are."""
        if not words:
            self._object("" if slot.optional else f"{self.name}: the command is missing")
        elif slot.form == tables.SHELL_WORDS:
            self._program_text(tables.SHELL, [" ".join(words)])
        elif slot.form == tables.COMMAND_AND_INPUT:
            replaced = self._replaced
            found = [word.replace(replaced, EXPANSION) for word in words] if replaced else [*words, WORDS]
            self._hand(found)
        else:
            self._hand(words)

    def _hand(self, command: Sequence[str]) -> None:
        if command:
            self.handed.append(tuple(command))
        self.found.append(judge_command(command, self.reads, self.depth + 1))


def _fits(slot: Slot, word: str) -> bool:
    if WORDS in word:
        return slot.repeated and slot.form == tables.ANY
    if slot.form == tables.ASSIGNMENT:
        return _ASSIGNED.match(word) is not None
    return tables.allows(slot.form, word)


def _shown(word: str) -> str:
    """A word for people."""
    return word if is_literal(word) else "a value"


def _known(risk: Risk, why: str, word: str) -> Judgement:
    return Judgement(risk, Knowledge.CHANGES, why, word)


def _unknown(why: str, word: str) -> Judgement:
    return Judgement(Risk.CHANGE, Knowledge.UNKNOWN, why, word)


def worst_of(judgements: Iterable[Judgement]) -> Judgement:
    """The judgement that counts of several: the worst, of equals one that is known. A part that is known to
    change makes the whole known to change."""
    found = list(judgements)
    worst = max(found, key=lambda each: (each.risk, each.knowledge is Knowledge.CHANGES), default=READS)
    if worst.knowledge is Knowledge.UNKNOWN and any(each.knowledge is Knowledge.CHANGES for each in found):
        worst = replace(worst, knowledge=Knowledge.CHANGES)
    # Of reads, what a site has made one is not passed over.
    sites = "; ".join(dict.fromkeys(each.site for each in found if each.site))
    return replace(worst, site=sites) if sites and worst.risk is Risk.READ else worst
