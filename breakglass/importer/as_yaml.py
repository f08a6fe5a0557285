"""Values as YAML, by an emitter that knows what must be quoted."""

import re

import yaml

_LIKE_A_NUMBER = re.compile(r"[-+.]?[0-9][0-9a-zA-Z.+_-]*")
"""Quoted always: as YAML is read here, `0o17` and `1e3` are numbers, and the emitter knows neither."""


class Words(list[str]):
    """A list that is written on one line."""


class Emitter(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and everything else as YAML's own rules have it."""


def _text(emitter: Emitter, text: str) -> yaml.ScalarNode:
    block = "\n" in text and not re.search(
        r"[ \t]\n|[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]", text
    )
    style = "|" if block else "'" if _LIKE_A_NUMBER.fullmatch(text) else None
    return emitter.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


def _words(emitter: Emitter, words: Words) -> yaml.SequenceNode:
    return emitter.represent_sequence("tag:yaml.org,2002:seq", words, flow_style=True)  # pyright: ignore[reportUnknownMemberType]


Emitter.add_representer(str, _text)
Emitter.add_representer(Words, _words)


def as_yaml(value: object) -> str:
    """A value as YAML, with its keys in their order."""
    return yaml.dump(value, Dumper=Emitter, sort_keys=False, allow_unicode=True, width=10_000)
