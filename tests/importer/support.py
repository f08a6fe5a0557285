"""Which words of a page a draft has lost."""

import re

_NO_WORDS = re.compile(r"[\s>`~*_=+|:#-]*|\s*>*\s*(?:`{3,}|~{3,}).*")
_NOT_IN_YAML = re.compile(
    "[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def lost(page: str, draft: str) -> list[str]:
    """The lines of a page that hold words and are found nowhere in a draft."""
    whole = " ".join(draft.split())
    lines = [re.sub(r"^[\s#>*+-]+|[\s#]+$", "", line) for line in re.split(r"\r\n|\r|\n", page)]
    return [line for line in lines if not _NO_WORDS.fullmatch(line) and _visible(line) not in whole]


def _visible(line: str) -> str:
    return " ".join(_NOT_IN_YAML.sub("\ufffd", line).split())
