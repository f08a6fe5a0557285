"""Answers of a real API server: how they are asked for, and what of them is kept.

Kept is what does not differ between two runs: uids, versions, times, addresses and tokens stand as their
names. Who wrote which field (`managedFields`) is left out, and so is the status of an object, which is the
controllers'; of a table only the titles and the cells are kept, and of discovery what a client decides by.
"""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp

from breakglass.kubernetes_objects import Object, mapping, text, texts
from breakglass.values import Json
from tests.simulator.kubernetes.recorded_requests import UID, Asked

FILE = Path(__file__).parent / "recorded.jsonl"
_DROPPED = ("managedFields", "selfLink")
_NAMED = {
    "uid": "UID",
    "resourceVersion": "VERSION",
    "continue": "TOKEN",
    "creationTimestamp": "TIME",
    "deletionTimestamp": "TIME",
    "clusterIP": "ADDRESS",
    "serverAddress": "ADDRESS",
}
_AGE = re.compile(r"\d+[smhd]|<invalid>")
_IN_TEXT = (
    (re.compile(rf"(?!{UID})[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for the request of a name: its code, and its body, settled; text where it is no JSON."""

    name: str
    code: int
    body: Json


def written(answer: Answer) -> str:
    value = {"name": answer.name, "code": answer.code, "body": answer.body}
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def recorded() -> dict[str, Answer]:
    """The answers that are kept, by the request's name."""
    found = [cast("dict[str, Json]", json.loads(line)) for line in FILE.read_text().splitlines()]
    answers = [Answer(str(each["name"]), cast(int, each["code"]), each["body"]) for each in found]
    return {answer.name: answer for answer in answers}


def settled(value: Json, name: str = "") -> Json:
    """A body without what differs from one run to the next."""
    if isinstance(value, dict):
        kind = str(value.get("kind", ""))
        has_status = "metadata" in value and kind != "Status" and not kind.endswith("Review")
        dropped = {*_DROPPED, "status"} if has_status else _DROPPED
        return {key: settled(each, key) for key, each in value.items() if key not in dropped}
    if isinstance(value, list):
        match name:
            case "clusterIPs":
                return ["ADDRESS" for _ in value]
            case "columnDefinitions":
                return [text(each, "name") for each in value]
            case "cells":
                return [
                    "AGE" if isinstance(each, str) and _AGE.fullmatch(each) else settled(each)
                    for each in value
                ]
            case "resources" if all("verbs" in mapping(each) for each in value):
                return {text(each, "name"): _served(mapping(each)) for each in value}
            case _:
                return [settled(each) for each in value]
    if isinstance(value, str):
        if name in _NAMED and value not in ("", "None", UID):
            return _NAMED[name]
        for pattern, word in _IN_TEXT:
            value = pattern.sub(word, value)
    return value


def _served(resource: Object) -> Json:
    """What of an entry of discovery a client decides by."""
    kept: Object = {name: resource.get(name) for name in ("kind", "namespaced")}
    for name in ("shortNames", "verbs"):
        kept[name] = [*sorted(texts(resource, name))]
    return kept


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests to an API server, each as its user."""

    session: aiohttp.ClientSession
    url: str
    contexts: Mapping[str, ssl.SSLContext]

    async def __call__(self, asked: Asked) -> Answer:
        body = asked.text.encode() if asked.text else None
        if body is None and asked.body is not None:
            body = json.dumps(asked.body).encode()
        headers = {"Accept": asked.accept}
        if body is not None:
            headers["Content-Type"] = asked.content
        async with self.session.request(
            asked.method, self.url + asked.path, data=body, headers=headers, ssl=self.contexts[asked.user]
        ) as answer:
            content = await answer.text()
        try:
            return Answer(asked.name, answer.status, settled(cast(Json, json.loads(content))))
        except ValueError:
            return Answer(asked.name, answer.status, content.strip())
