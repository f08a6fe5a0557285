"""The one place where it is decided what of a text from outside may reach a terminal or a file.

What a terminal would obey, and what would hide or reorder what stands there, is written out as an escape.
"""

import re
from functools import cache
from typing import Final

_PLAIN: Final = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
"""What nobody obeys or hides, of ASCII."""


def visible(text: str) -> str:
    r"""The text with everything that a terminal would obey or hide written out: `\x1b`, `\u202e`.

    Line ends and tabs stay. It changes nothing the second time.
    """
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        return text  # as most output is; the expression takes 15 times as long to find nothing
    return _unsafe().sub(_written_out, text)


def visible_line(text: str) -> str:
    """The same for what must stay on one line: line ends are written out too, and tabs are spaces."""
    return visible(text).replace("\n", "\\n").replace("\t", "    ")


@cache
def _unsafe() -> re.Pattern[str]:
    hidden = (
        "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
        "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
    )
    return re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{hidden}]")


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
