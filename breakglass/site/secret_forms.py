"""The ways in which programs write a secret again, as one pattern for RE2 over UTF-8 bytes.

Each secret is a few chains, and a chain is what must follow one another: the characters of the secret, each
in any of its spellings; the characters that it gives in base64, at each of the three places where it may
begin within a longer text, with whatever a program puts between lines; its bytes in hexadecimal. The
beginnings of the same chains make a second pattern, which says where the end of a text may begin a secret.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SHORTEST_FORM = 8
"""Characters of one line of a secret of several lines, and of a part of its base64, that are looked for
alone."""

LONG, HUGE = 256, 8192
"""Characters beyond which letters are sought as they are only, not escaped for no reason, and hexadecimal
without anything between its bytes; and from which nothing but the characters is sought."""

BEGINNING = 24
"""Links after which a chain that has begun is taken to go on to its end."""

_BACKSLASHES = r"\\+"
_BETWEEN_LINES = r"(?:[\s]|\\+[nr])*"
"""What stands between two characters of base64 where a line ends, also one that is written within JSON."""

_PADDING = r"(?:=|%3[dD]|\\+u003[dD])?"
"""Of which base64 has none, one or two at its end."""

_BETWEEN_BYTES = r"(?:[ :,\n]|0x|\\+x|\n[0-9a-fA-F]{6,8}:? )*"
"""What stands between two bytes of a dump: nothing, blanks, colons, `0x`, `\\x`, or the offset of a line."""

_HTML = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


@dataclass(frozen=True, slots=True)
class Chain:
    """Patterns that follow one another. begun: with what the text may end in the middle of any of them but
    the first; begun_at_once: of the first, where no other chain of the secret says it."""

    links: tuple[str, ...]
    begun: str
    begun_at_once: str = ""

    @property
    def whole(self) -> str:
        return "".join(self.links)

    @property
    def beginning(self) -> str:
        """A proper beginning of the chain, or one of BEGINNING links with all that follows."""
        rest = "" if len(self.links) <= BEGINNING else r"[\x00-\xff]*"
        for link in reversed(self.links[1 : min(len(self.links) - 1, BEGINNING)]):
            rest = f"(?:{link}{rest})?"
        at_once = f"|{self.begun_at_once}" if self.begun_at_once else ""
        return f"(?:{self.links[0]}{rest}(?:{self.begun})?{at_once})"


def chains_of(value: str) -> Iterator[Chain]:
    """All chains of a secret."""
    for part in parts_of(value):
        yield from _chains(part, short=len(value) <= LONG, huge=len(value) > HUGE)


def parts_of(value: str) -> Iterable[str]:
    """What of a secret is sought: the whole, and each of its lines where it has several."""
    lines = [line for line in map(str.strip, value.splitlines()) if len(line) >= SHORTEST_FORM]
    return dict.fromkeys([value, *lines] if len(value) <= LONG or not lines else lines)


def _chains(value: str, *, short: bool, huge: bool) -> Iterator[Chain]:
    raw = value.encode("utf-8", "surrogatepass")
    begun = r"(?:[\\%&'][^\s]{0,23}|\r)"  # of a line end of two characters, the first may come alone
    yield Chain(tuple(_character(each, short=short) for each in value), begun, begun)
    if huge:
        return
    once = dict.fromkeys(_in_base64(raw))
    # Kubernetes' own base64 is around that of a registry's login.
    twice = dict.fromkeys(again for text in once for again in _in_base64(text.encode())) if short else {}
    for text in once | twice:
        links = (*(_BETWEEN_LINES + _of_base64(character) for character in text[1:]), _PADDING, _PADDING)
        begun = rf"{_BETWEEN_LINES}(?:[\\%][^\s]{{0,4}})?"
        yield Chain((_of_base64(text[0]), *links), begun)
    digits = [_either_case(f"{byte:02x}") for byte in raw]
    between = _BETWEEN_BYTES if short else ""
    links = (between + each for each in digits[1:])
    yield Chain((digits[0], *links), rf"{between}[0-9a-fA-F\\]?", _either_case(f"{raw[0]:02x}"[0]))


def _character(character: str, *, short: bool) -> str:
    """One character in any spelling: as it is, escaped, in percent form, as JSON, JavaScript, Python, HTML or
    a shell have it, each also within JSON or a URL within another."""
    raw = character.encode("utf-8", "surrogatepass")
    code = ord(character)
    plain = character.isascii() and character.isalnum()
    if plain and not short:
        return character
    ways = [_literal(raw) if plain else rf"\\*{_literal(raw)}"]
    ways.append("".join(f"%(?:25)*{_either_case(f'{byte:02x}')}" for byte in raw))
    ways.append("".join(f"{_BACKSLASHES}x{_either_case(f'{byte:02x}')}" for byte in raw))
    if code < 0x10000:
        ways.append(f"{_BACKSLASHES}u{_either_case(f'{code:04x}')}")
    else:
        ways += [_surrogates(code), f"{_BACKSLASHES}U{_either_case(f'{code:08x}')}"]
    if not plain:
        name = f"{_HTML[character]}|" if character in _HTML else ""
        ways.append(f"&(?:amp;)*(?:{name}#0*{code}|#[xX]0*{_either_case(f'{code:x}')});")
    if 0x7F < code < 0x100:
        ways.append(f"{_BACKSLASHES}x{_either_case(f'{code:02x}')}")
    if character == " ":
        ways.append(r"\+")
    if not plain:
        ways.append("".join(rf"{_BACKSLASHES}{byte:03o}" for byte in raw))
    if character in "'\"":
        ways.append(_literal(raw) * 2)  # as SQL, CSV and YAML have it within quotes
    if character == "'":
        ways += [r"'\\*\"'\\*\"'", r"'\\+''"]  # how a shell's quotes are left for one of them
    if character in _SHORT_ESCAPES:
        ways.append(_BACKSLASHES + _SHORT_ESCAPES[character])
    if character == "\n":
        ways.append(r"\r\n")
    return f"(?:{'|'.join(ways)})"


def _surrogates(code: int) -> str:
    high, low = divmod(code - 0x10000, 0x400)
    return "".join(f"{_BACKSLASHES}u{_either_case(f'{half:04x}')}" for half in (0xD800 + high, 0xDC00 + low))


def _in_base64(raw: bytes) -> Iterator[str]:
    """The characters that bytes give in base64: alone, and within a longer text at each of the three places
    where they can begin, as far as they depend on nothing else."""
    yield base64.b64encode(raw).decode().rstrip("=")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(inner) >= SHORTEST_FORM:
            yield inner


def _of_base64(character: str) -> str:
    if character == "+":
        return r"(?:[+-]|%2[bB]|\\+u002[bB])"
    if character == "/":
        return r"(?:\\*/|_|%2[fF]|\\+u002[fF])"
    return character


def _either_case(digits: str) -> str:
    """Hexadecimal digits in lower or upper case."""
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits)


def _literal(raw: bytes) -> str:
    return "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\x{byte:02x}" for byte in raw
    )


def pattern_of(chains: Iterable[Chain]) -> bytes:
    """What is a secret."""
    return "|".join(chain.whole for chain in chains).encode()


def beginning_of(chains: Iterable[Chain]) -> bytes:
    """What, at the end of a text, may be the beginning of a secret."""
    return f"(?:{'|'.join(chain.beginning for chain in chains)})\\z".encode()
