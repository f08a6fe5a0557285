"""Values on their way into requests: what is empty, what is taken out of the record, and what is shown."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.prepare import holds_mark
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.policy.kubectl.parse import understood
from breakglass.runbook.load import load_runbook
from breakglass.site.model import EnvironmentSecret
from breakglass.site.redaction import MARK
from breakglass.transport.base import HttpRequest, KubectlRequest, SshRequest
from breakglass.values import Json
from tests.engine.support import SITE, FarSide, confirm, events_of, ok, resumed, session_of, walk

REMOVE = """
- id: look
  title: Look
  ssh: {host: pve, run: [cat, /etc/where]}
  capture: {where: result.text}
- id: remove
  title: Remove it
  ssh: {host: pve, run: RUN}
  MORE
  impact: What is there is gone.
  confirm: {type: "pve@lab"}
  verify: {ssh: {host: pve, run: [ls, /srv]}, until: "true", within: 1s}
"""


def remove(run: str, more: str = "") -> str:
    return REMOVE.replace("RUN", run).replace("  MORE\n", f"  {more}\n" if more else "")


@pytest.mark.parametrize("where", ["", "..", " ", "/"])
@pytest.mark.parametrize(
    "run", ["'rm -rf ${{ where }}/*'", "'rm -rf \"${{ where }}\"/*'", '[rm, -rf, "/srv/${{ where }}"]']
)
async def test_a_change_with_nothing_in_its_path_is_neither_asked_about_nor_sent(
    tmp_path: Path, run: str, where: str
) -> None:
    engine, far = session_of(tmp_path, remove(run), {"ssh pve cat": ok(where)})
    state = await walk(engine, c.Skip("refused", "operator"))
    assert far.commands == ["ssh pve cat /etc/where"]
    last = state.steps["remove"].last
    assert last is not None
    assert "leads to another place" in last.say if where else "is empty" in last.say
    assert not any(
        each.question == "confirm" for each in events_of(state, e.Asked) if isinstance(each, e.Asked)
    )


async def test_a_value_that_the_step_lets_be_empty_is_sent(tmp_path: Path) -> None:
    steps = remove('[rm, "--suffix=${{ where }}", /srv/x]', "optional: [where]")
    answers = {"ssh pve cat": ok(""), "ssh pve rm": ok(""), "ssh pve ls": ok("")}
    engine, far = session_of(tmp_path, steps, answers)
    await walk(engine, confirm)
    assert far.commands[1] == "ssh pve rm --suffix= /srv/x"


async def test_what_is_shown_is_the_command_with_its_values_quoted(tmp_path: Path) -> None:
    answers = {"ssh pve cat": ok("it's here"), "ssh pve rm": ok(""), "ssh pve ls": ok("")}
    engine, far = session_of(tmp_path, remove("'rm -rf /srv/${{ where }}/x'"), answers)
    state = await walk(engine, confirm)
    (asked, *_) = [each for each in events_of(state, e.Asked) if isinstance(each, e.Asked)]
    assert asked.command == """rm -rf /srv/'it'"'"'s here'/x"""
    (intended,) = [each for each in events_of(state, e.ActionIntended) if isinstance(each, e.ActionIntended)]
    assert intended.command == asked.command
    sent = far.sent[1]
    assert isinstance(sent, SshRequest)
    assert sent.argv[2].endswith('rm -rf /srv/"${breakglass_where}"/x') and sent.argv[4:] == ("it's here",)


SECRET = "token-of-the-app"
CONFIG: dict[str, Json] = {"token": SECRET, "size": 1, "name": "web"}
WRITES_BACK = """\
runbook: redsend
title: Write it back
summary: The configuration holds the login that reads it.
severity: sev2
uses: {endpoints: [app], secrets: [tok]}
steps:
  - id: read
    title: Read the configuration
    http: {get: app, path: /config, headers: {X-Api-Key: "${{ secrets.tok }}"}}
    capture: {config: result.json}
    expect: [{that: "result.status == 200", else: e}]
  - id: write
    title: Send it back whole, with one more key
    http: {put: app, path: /config, WHAT}
    impact: The app takes it at once.
    confirm: key
    verify: {http: {get: app, path: /ok}, until: "true", every: 1s, within: 2s}
"""


def writing_back(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> tuple[Engine, FarSide]:
    monkeypatch.setenv("APP_TOKEN", SECRET)
    path = folder / "runbook.yaml"
    path.write_text(WRITES_BACK.replace("WHAT", what))
    answers = {
        "GET app/config": ok(json.dumps(CONFIG), data=CONFIG, status=200),
        "PUT app/config": ok("", status=200),
        "GET app/ok": ok("", status=200),
    }
    site = replace(SITE, secrets={"tok": EnvironmentSecret("APP_TOKEN")})
    return session_of(folder, load_runbook(path), answers, site=site)


WHOLE = """json: {config: "${{ config.merged({'size': 2}) }}"}"""


async def test_what_was_read_is_written_back_whole_and_its_secret_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = writing_back(tmp_path, monkeypatch, WHOLE)
    state = await walk(engine, confirm)
    assert state.ended is not None and state.ended.result == "completed"
    (sent,) = [each for each in far.sent if isinstance(each, HttpRequest) and each.method == "PUT"]
    assert sent.body is not None and json.loads(sent.body) == {"config": {**CONFIG, "size": 2}}
    (asked, *_) = [each for each in events_of(state, e.Asked) if isinstance(each, e.Asked)]
    assert MARK in asked.command and SECRET not in asked.command
    record = b"".join(each.read_bytes() for each in (tmp_path / "session").rglob("*") if each.is_file())
    assert SECRET.encode() not in record


@pytest.mark.parametrize(
    "what",
    [
        WHOLE,
        'body: "${{ config.token }}"',
        'body: "${{ config.token.upperAscii() }}"',
        'body: "${{ config.token.substring(0, 3) }}"',
        'query: {t: "${{ config.token }}"}',
        'headers: {X-Token: "${{ config.token }}"}',
    ],
)
async def test_after_a_resume_nothing_is_sent_that_is_made_from_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    engine, far = writing_back(tmp_path, monkeypatch, what)
    await walk(engine, c.Stop("later", "operator"))
    again = resumed(engine, far)
    state = await walk(again, c.Retry("operator"), c.Skip("refused", "operator"))
    assert [each for each in far.commands if each.startswith("PUT")] == []
    last = state.steps["write"].last
    assert last is not None and "run the step that reads it again first" in last.say, last


async def test_after_a_resume_what_is_made_without_the_mark_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = writing_back(tmp_path, monkeypatch, """json: {name: "${{ config.name }}"}""")
    await walk(engine, c.Stop("later", "operator"))
    await walk(resumed(engine, far), c.Retry("operator"), confirm)
    assert "PUT app/config" in far.commands


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("PUT", "app", 1.0, body=f'{{"a": "{MARK}"}}'.encode()),
        HttpRequest("PUT", "app", 1.0, body=json.dumps({"a": MARK}).encode()),
        HttpRequest("GET", "app", 1.0, path="/%C2%ABredacted%C2%BB"),
        HttpRequest("GET", "app", 1.0, query={"q": f"x{MARK}"}),
        HttpRequest("GET", "app", 1.0, headers={"X": MARK}),
        SshRequest("pve", ("echo", f"a{MARK}"), 1.0),
        SshRequest("pve", ("cat",), 1.0, stdin=MARK.encode()),
        KubectlRequest("main", understood(("patch", "pod", "web", "-p", json.dumps({"a": MARK}))), 1.0),
    ],
)
def test_a_request_that_holds_a_mark_is_known(request_: HttpRequest | SshRequest | KubectlRequest) -> None:
    assert holds_mark(request_)
    assert not holds_mark(HttpRequest("PUT", "app", 1.0, body=b"redacted"))
