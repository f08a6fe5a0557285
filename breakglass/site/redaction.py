"""Keeping secrets out of everything that is stored or shown.

A secret is looked for as it is, and in the forms in which programs write it again; `secret_forms` says
which. What is found is replaced by a mark. A secret that comes in two pieces is found too: `Redaction` keeps
back the end of a text that may be the beginning of one. The time grows with the text and with nothing else.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from breakglass.site.secret_forms import Chain, beginning_of, chains_of, parts_of, pattern_of
from breakglass.values import Json

if TYPE_CHECKING:
    import re2

MARK = "«redacted»"
"""What stands where a secret stood."""

SHORTEST_SECRET = 4
"""Characters. A shorter value stands in ordinary words too, so it could not be kept out of them."""

MEMORY = 256 * 1024 * 1024
"""Bytes that RE2 may use for the secrets of one session; a dozen tokens and a key take a few of them."""

LONGEST_SPELLING = 16
"""Bytes in which one character of a secret is written, of those that are held back to see what follows."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """The secrets at one moment, compiled. tail: bytes at the end of a text in which one may have begun.
    nested: one stands within another, so that where it ends the other may go on."""

    whole: "re2.Regexp"
    beginning: "re2.Regexp"
    tail: int
    nested: bool

    def begun(self, data: bytes, start: int) -> int | None:
        """Where, from this place on, what is there until the end may be the beginning of a secret."""
        start = max(start, len(data) - self.tail, 0)
        found = self.beginning.search(data[start:])
        return None if found is None else start + found.start()


class Redactor:
    """All the secrets that are to be kept out."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._parts: set[str] = set()
        """The values and lines of them that are sought."""
        self._chains: dict[Chain, None] = {}
        self._sought: _Sought | None = None
        """Made when it is needed, and again when there is another secret."""

    def add_value(self, value: Json) -> bool:
        """Keep every text and number of a value out from now on. Says whether that can be done for all of
        it."""
        kept = [self.add(text) for text in texts_of(value)]
        return bool(kept) and all(kept)

    def add(self, value: str) -> bool:
        """Keep this value out from now on. One that is too short to be told from words is left alone; then
        the answer is False."""
        value = value.strip("\r\n")
        if len(value) < SHORTEST_SECRET:
            return False
        if value not in self._values:
            self._values.add(value)
            self._parts.update(parts_of(value))
            self._chains.update(dict.fromkeys(chains_of(value)))
            self._sought = None
        return True

    def finds(self, text: str) -> bool:
        """Whether any form of any secret is in the text."""
        return bool(self._chains) and self._now().whole.search(_raw(text)) is not None

    def redact(self, text: str) -> str:
        """The text with every form of every secret replaced; the same object where there was none."""
        if not self.finds(text):
            return text
        data, whole = _raw(text), self._now().whole
        pieces: list[bytes] = []
        done = 0
        for match in whole.finditer(data):
            pieces += (data[done : match.start()], _MARK)
            done = match.end()
        return _text(b"".join((*pieces, data[done:])))

    def redact_json(self, value: Json) -> Json:
        """The value with every text and number in it redacted, keys included. The same object where nothing
        was in it."""
        return self._redact_json(value) if self._chains else value

    def _redact_json(self, value: Json) -> Json:
        match value:
            case str():
                return self.redact(value)
            case list():
                items = [self._redact_json(each) for each in value]
                changed = any(one is not other for one, other in zip(items, value, strict=True))
                return items if changed else value
            case dict():
                entries = {self.redact(name): self._redact_json(each) for name, each in value.items()}
                changed = entries.keys() != value.keys() or any(
                    entries[name] is not each for name, each in value.items()
                )
                return entries if changed else value
            case bool() | None:
                return value
            case _:
                text = json.dumps(value)
                return value if self.redact(text) == text else MARK

    def split(self, text: str) -> tuple[str, str]:
        """The text without secrets, as far as it is clear that it is, and the end that may begin one."""
        if not self._chains:
            return text, ""
        sought, data = self._now(), _raw(text)
        pieces: list[bytes] = []
        done = 0
        begun = sought.begun(data, 0) if sought.nested else None
        for match in sought.whole.finditer(data):
            start = match.start()
            if begun is not None and done <= begun <= start:  # a longer one may have begun
                return _text(b"".join((*pieces, data[done:begun]))), _text(data[begun:])
            # Where it ends the text, what comes next may belong to it.
            if match.end() == len(data) and sought.begun(data, start) == start:
                return _text(b"".join((*pieces, data[done:start]))), _text(data[start:])
            pieces += (data[done:start], _MARK)
            done = match.end()
            if begun is not None and begun < done:
                begun = sought.begun(data, done)
        begun = sought.begun(data, done)
        end = len(data) if begun is None else begun
        return _text(b"".join((*pieces, data[done:end]))), _text(data[end:])

    def _now(self) -> _Sought:
        if self._sought is None:
            longest = max(len(chain.links) for chain in self._chains)
            self._sought = _Sought(
                _compiled(pattern_of(self._chains)),
                _compiled(beginning_of(self._chains)),
                LONGEST_SPELLING * longest,
                any(one in other for one, other in permutations(self._parts, 2)),
            )
        return self._sought


class Redaction:
    """Redacts one stream of text that comes in pieces."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, text: str) -> str:
        """What may be shown after this piece. The rest waits until it is clear that it begins no secret."""
        safe, self._held = self._redactor.split(self._held + text)
        return safe

    def end(self) -> str:
        """What was held back, when no more comes."""
        held, self._held = self._held, ""
        return self._redactor.redact(held)


_MARK = MARK.encode()


def _compiled(pattern: bytes) -> "re2.Regexp":
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes are matched as they are
    options.longest_match = True  # of a secret that begins as another does, all of it
    options.max_mem = MEMORY
    options.log_errors = False
    compiled = re2.compile(pattern, options)
    re2.purge()  # it would keep each pattern that there was, with the secrets in it
    return compiled


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def texts_of(value: Json) -> Iterator[str]:
    """Every text and number in a value, each as a text."""
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from texts_of(each)
        case dict():
            for name, each in value.items():
                yield name
                yield from texts_of(each)
        case bool() | None:
            return
        case _:
            yield json.dumps(value)


def replaced(value: Json, old: str, new: str) -> Json:
    """The value with one text for another wherever it stands in it."""
    match value:
        case str():
            return value.replace(old, new)
        case list():
            return [replaced(each, old, new) for each in value]
        case dict():
            return {name.replace(old, new): replaced(each, old, new) for name, each in value.items()}
        case _:
            return value
