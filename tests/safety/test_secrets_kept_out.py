"""Secrets from every source, echoed back by every far side in every form: found in nothing that is kept or
shown."""

import asyncio
import base64
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from breakglass.engine import commands as c
from breakglass.engine.session import Request
from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.hooks import Denial, LogAnswer
from breakglass.simulator.kubernetes.objects import copied, put
from breakglass.tui.app import Cockpit
from breakglass.tui.dialogs.questions import AskLine
from breakglass.tui.screens.walk.screen import WalkScreen
from tests.safety.hostile import PATIENCE, PROGRAM, Place, hostile_answer, hostile_place

SECRETS = {
    "from_env": 'env-S3cr3t/+"value&more',
    "from_file": "file s3cret: ~é% and\\more",
    "from_cluster": "cluster<s3cret>=tail?x",
    "from_prompt": "typed-s3cret#1;2",
}
RUNBOOK = """\
runbook: secrets
title: Give secrets away
summary: Everybody who gets a secret says it again.
severity: sev2
uses:
  clusters: [main]
  hosts: [box]
  endpoints: [app]
  secrets: [from_env, from_file, from_cluster, from_prompt]
steps:
  - id: given
    title: Give all of them
    ssh:
      host: box
      run: [cat]
      stdin: >-
        ${{ secrets.from_env }} ${{ secrets.from_file }}
        ${{ secrets.from_cluster }} ${{ secrets.from_prompt }}
    capture: {echo: result.text}
    expect: [{that: "echo != ''", else: "${{ echo }}"}]
  - id: forms
    title: In all forms
    ssh: {host: box, run: "cat ANSWERS/forms; cat ANSWERS/forms >&2"}
    capture: {all: result.text}
  - id: pieces
    title: In two pieces
    ssh: {host: box, run: "head -c CUT ANSWERS/forms; sleep 0.2; tail -c +CUT1 ANSWERS/forms"}
  - id: page
    title: Over HTTP
    http:
      get: app
      headers: {X-Token: "${{ secrets.from_env }}"}
      query: {token: "${{ secrets.from_prompt }}"}
    capture: {page: result.text, header: "result.headers['x-echo']"}
    tolerate: [rejected]
  - id: pod
    title: From the cluster
    kubectl: get pod front -n web -o json
    capture: {note: "result.json.metadata.annotations.note"}
    expect: [{that: "note == ''", else: "The note is ${{ note }}, the page ${{ page }}"}]
  - id: log
    title: From a log
    kubectl: logs -n web front
  - id: denied
    title: Delete what may not be deleted
    kubectl: delete pod denied -n web
    impact: "Breaks ${{ all }}"
    confirm: {type: denied}
    verify: {kubectl: get pods -n web -o json, until: "size(result.json.items) == 0", within: 1s}
"""


def echoes(secret: str) -> Iterator[str]:
    """The forms in which programs say a secret again."""
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield base64.b64encode(b"user:" + raw).decode()
    yield raw.hex()
    yield re.sub("%..", lambda found: found[0].lower(), quote(secret, safe=""))
    yield "".join(f"\\u{ord(each):04x}" if each in "<>&" else each for each in json.dumps(secret)[1:-1])
    yield base64.encodebytes(b"user:" * 12 + raw).decode().strip()


FORMS = "\n".join(f"[{form}]" for secret in SECRETS.values() for form in echoes(secret)) + "\n"


def inside(secret: str) -> Iterator[str]:
    """Texts of which one would be found if a form had come through."""
    yield from echoes(secret)
    encoded = base64.b64encode(b"user:" + secret.encode()).decode()
    yield encoded[8:-6]


def told(data: bytes) -> list[str]:
    """The secrets that are found in a text, as they are or as an escaped part of JSON."""
    text = data.decode("utf-8", "replace")
    found = [form for secret in SECRETS.values() for form in inside(secret) if form in text]
    return found + [
        form for secret in SECRETS.values() for form in inside(secret) if json.dumps(form)[1:-1] in text
    ]


def secrets_of(folder: Path, *, typed: bool) -> str:
    prompt = "{prompt: What is it}" if typed else "{env: BG_TEST_PROMPT}"
    cluster = "{kubernetes: {cluster: main, namespace: web, name: token, key: value}}"
    return (
        f"{{from_env: {{env: BG_TEST_TOKEN}}, from_file: {{file: {folder / 'secret'}}}, "
        f"from_cluster: {cluster}, from_prompt: {prompt}}}"
    )


ENVIRONMENT = {"BG_TEST_TOKEN": SECRETS["from_env"], "BG_TEST_PROMPT": SECRETS["from_prompt"]}


@pytest.fixture
async def place(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Place]:
    (tmp_path / "secret").write_text(SECRETS["from_file"] + "\n")
    cut = FORMS.encode().index(b"S3cr3t") + 3
    runbook = RUNBOOK.replace("CUT1", str(cut + 1)).replace("CUT", str(cut))
    echo = " ".join(
        form for secret in SECRETS.values() for form in echoes(secret) if form.isascii() and "\n" not in form
    )
    answer = hostile_answer(f"400 {SECRETS['from_env']}", FORMS.encode(), f"X-Echo: {echo}")
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "namespace": "web"},
        "data": {"value": base64.b64encode(SECRETS["from_cluster"].encode()).decode()},
    }
    typed = bool(getattr(request, "param", True))
    secrets = secrets_of(tmp_path, typed=typed)
    objects = [secret]
    async with hostile_place(
        tmp_path / "place", runbook, http=answer, objects=objects, secrets=secrets
    ) as made:  # type: ignore[arg-type]
        (made.answers / "forms").write_text(FORMS)
        made.hooks.denials["denied"] = Denial(FORMS)
        made.hooks.log = LogAnswer(FORMS.splitlines())
        pods = made.store.kinds.find("", "pods")
        assert pods is not None
        value = copied(made.store.get(pods, "web", "front"))
        put(value, FORMS, "metadata", "annotations", "note")
        made.store.replace(pods, value)
        yield made


def check(place: Place) -> None:
    for path, content in place.stored().items():
        assert not told(content), path


def test_the_judge_finds_every_form() -> None:
    for secret in SECRETS.values():
        for form in echoes(secret):
            assert told(f"x{form}y".encode()), form
    assert not told(b"nothing of it")


async def test_plain_mode_the_journal_and_the_report_hold_no_secret(place: Place) -> None:
    answers = f"{SECRETS['from_prompt']}\n" + "3\nleft out\n" * 3 + "denied\n"
    words = ["run", str(place.runbook), "--site", str(place.site), "--plain"]
    ran = await place.run(*words, typed=answers, **ENVIRONMENT)
    assert "«redacted»" in ran.text
    assert "asked to confirm" in ran.text, ran.text[-3000:]
    assert not told(ran.out + ran.err)
    check(place)
    for report in (["report", "last"], ["report", "last", "--timeline"]):
        seen = await place.run(*report)
        assert "«redacted»" in seen.text
        assert not told(seen.out + seen.err)


@pytest.mark.parametrize("place", [False], indirect=True)
async def test_events_as_json_hold_no_secret(place: Place) -> None:
    ran = await place.run("run", str(place.runbook), "--site", str(place.site), "--json", **ENVIRONMENT)
    assert "redacted" in ran.text
    assert not told(ran.out + ran.err)
    check(place)


async def test_screenshots_of_the_cockpit_hold_no_secret(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**place.environment, **ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    app = Cockpit(
        lambda session: 0, Request(mode="live", runbook=place.runbook, site=place.site, pace="never")
    )
    pictures: list[str] = []
    async with app.run_test(size=(120, 40)) as pilot:

        async def until(holds: Callable[[], bool]) -> None:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await pilot.pause(0.02)

        def waits_at(step: str) -> bool:
            walks = [each.walk for each in app.screen_stack if isinstance(each, WalkScreen)]
            waiting = walks[0].state.waiting if walks else None
            return waiting is not None and waiting.step == step

        await until(lambda: isinstance(app.screen, AskLine))
        await pilot.press(*(each if each != " " else "space" for each in SECRETS["from_prompt"]))
        pictures.append(app.export_screenshot())
        await pilot.press("enter")
        await until(lambda: waits_at("pod"))
        screen = next(each for each in app.screen_stack if isinstance(each, WalkScreen))
        for key in ("v", "v", "t", "t", "f", "o", "f", "k", "k", "k", "k", "k"):
            await pilot.press(key)
            await pilot.pause()
            pictures.append(app.export_screenshot())
        screen.walk.command(c.Skip("left out", "oncall"))
        await until(lambda: waits_at("denied"))
        await pilot.press("enter")
        await pilot.pause()
        pictures.append(app.export_screenshot())
    pictures = [
        picture.replace("&#160;", " ").replace("&amp;", "&").replace("&quot;", '"') for picture in pictures
    ]
    assert any("«redacted»" in picture for picture in pictures)
    for picture in pictures:
        assert not told(picture.encode())
    check(place)


async def test_a_terminal_does_not_show_what_is_typed_as_a_secret(place: Place) -> None:
    shown = await asyncio.to_thread(_typed_on_a_terminal, place)
    assert b"What is it" in shown
    assert b"\xc2\xabredacted\xc2\xbb" in shown
    assert not told(shown)


def _typed_on_a_terminal(place: Place) -> bytes:
    words = ["run", str(place.runbook), "--site", str(place.site), "--plain"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**place.environment, **ENVIRONMENT},
        start_new_session=True,
    )
    os.close(slave)
    shown = b""

    def until(text: bytes) -> None:
        nonlocal shown
        end = time.monotonic() + PATIENCE
        while text not in shown:
            assert time.monotonic() < end, shown
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 65536)

    try:
        until(b"What is it")
        os.write(master, SECRETS["from_prompt"].encode() + b"\n")
        until(b"Number:")
        return shown
    finally:
        process.kill()
        process.wait()
        os.close(master)
