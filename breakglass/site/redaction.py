"""Keeping secrets out of everything that is stored or shown.

A secret is looked for as it is, and in the forms in which programs echo it: base64 (also in the middle of a
longer text that was encoded), URL-quoted, JSON-escaped. What is found is replaced by a marker. A secret that
comes in two pieces is found too: `Redaction` keeps back the end of a text that may be the beginning of one.
"""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from breakglass.values import Json

MARK = "«redacted»"
"""What stands where a secret stood."""

SHORTEST_SECRET = 4
"""Characters. A shorter value stands in ordinary words too, so it could not be kept out of them."""

SHORTEST_FORM = 8
"""Characters of one line of a secret of several lines, and of a base64 form, that are looked for alone."""


class Redactor:
    """All the secrets that are to be kept out."""

    def __init__(self) -> None:
        self._forms: list[str] = []
        self._shortest: list[str] = []
        """Those that no other one is part of: where none of them is, there is none at all."""
        self._values: set[str] = set()

    @property
    def longest(self) -> int:
        """Characters of the longest form; 0 when there is none."""
        return len(self._forms[0]) if self._forms else 0

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
        if value in self._values:
            return True
        self._values.add(value)
        forms = {*self._forms, *forms_of(value)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._shortest = []
        for form in reversed(self._forms):
            if not any(shorter in form for shorter in self._shortest):
                self._shortest.append(form)
        return True

    def redact(self, text: str) -> str:
        """The text with every form of every secret replaced."""
        if any(form in text for form in self._shortest):
            for form in self._forms:
                text = text.replace(form, MARK)
        return text

    def redact_json(self, value: Json) -> Json:
        """The value with every text and number in it redacted, keys included. The same object where nothing
        was in it."""
        return self._redact_json(value) if self._forms else value

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

    def begins_at(self, text: str) -> int:
        """Where the end of the text may be the beginning of a secret; the text's length when nowhere."""
        least = max(0, len(text) - self.longest + 1)
        earliest = len(text)
        for form in self._forms:
            at = text.find(form[0], max(least, len(text) - len(form) + 1))
            while 0 <= at < earliest:
                if form.startswith(text[at:]):
                    earliest = at
                    break
                at = text.find(form[0], at + 1)
        return earliest


class Redaction:
    """Redacts one stream of text that comes in pieces."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, text: str) -> str:
        """What may be shown after this piece. The rest waits until it is clear that it begins no secret."""
        whole = self._redactor.redact(self._held + text)
        safe = self._redactor.begins_at(whole)
        self._held = whole[safe:]
        return whole[:safe]

    def end(self) -> str:
        """What was held back, when no more comes."""
        held, self._held = self._held, ""
        return held


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


def forms_of(value: str) -> Iterator[str]:
    """Every text in which a secret may come back."""
    lines = [line.strip() for line in value.splitlines()]
    parts = [value, *(line for line in lines if len(line) >= SHORTEST_FORM)]
    for part in dict.fromkeys(parts):
        yield part
        yield quote(part)
        yield quote(part, safe="")
        yield quote_plus(part)
        yield quote(part, safe="").replace("~", "%7E")
        for escaped in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
            yield escaped
            yield escaped.replace("/", "\\/")
            # JSON in JSON, as the annotation in which kubectl keeps what was applied last.
            yield json.dumps(escaped)[1:-1]
            yield json.dumps(escaped, ensure_ascii=False)[1:-1]
        yield from _in_base64(part)


def _in_base64(value: str) -> Iterator[str]:
    """The characters that a value gives in base64 at each of the three places where it can begin.

    Of a value in the middle of a longer text only the characters that depend on nothing else are looked for.
    """
    raw = value.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        yield whole.rstrip("=")
        for before in range(3):
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            first = -(-before * 8 // 6)
            last = (before + len(raw)) * 8 // 6
            inner = encoded[first:last]
            if len(inner) >= SHORTEST_FORM:
                yield inner
