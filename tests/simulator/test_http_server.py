import asyncio
import base64
from pathlib import Path

import httpx
import pytest

from breakglass.rehearsal.rehearsal import start_rehearsal
from tests.rehearsal.support import client_of, read, running, said

CI = """\
site: {secrets: {token: abc, password: "p:w"}}
world: {next: 7, pipelines: [], down: false}
endpoints:
  ci:
    url: https://ci.lab.example
    bearer: token
    routes:
      - path: /healthz
        anonymous: true
        reply: {body: ok}
      - path: /api/*
        when: world.down
        reply: {status: 503, body: no available server}
      - method: POST
        path: /api/repos/{repo}/pipelines
        when: request.json.branch == 'master'
        set:
          pipelines: "${{ world.pipelines + [{'number': world.next, 'repo': request.params.repo}] }}"
          next: "${{ world.next + 1 }}"
        reply: {status: 201, json: {number: "${{ world.next - 1 }}", status: pending}}
        say: "Pipeline ${{ string(world.next - 1) }} was started."
      - method: POST
        path: /api/repos/{repo}/pipelines
        reply: {status: 400, body: no such branch}
      - path: /api/repos/{repo}/pipelines
        reply: {json: "${{ world.pipelines }}"}
      - {path: /hang, reply: {hang: true}}
      - {path: /cut, reply: {cut: true}}
      - {path: /slow, reply: {delay: 30s, body: late}}
      - {path: "/from/{file}", reply: {headers: {Location: "/${{ request.params.file }}"}, status: 302}}
      - {path: /bytes, reply: {headers: {Content-Type: text/html}, body: <b>x</b>}}
  registry-ui:
    url: http://ui.lab.example
    basic: {user: ops, password: password}
    routes: [{path: /, reply: {body: in}}]
rules:
  - {name: built, on: http POST ci /api/repos/1/pipelines, after: 900s, set: {"pipelines.0.status": success}}
traps:
  - name: twice
    title: Started the pipeline twice
    on: http POST ci /api/repos/*
    when: size(world.pipelines) > 1
    say: Two builds now push the same tag.
    caught: review
"""
LOGIN = {"Authorization": "Bearer abc"}


async def test_a_route_answers_with_its_status_headers_and_body(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        answer = await client.get("/bytes", headers=LOGIN)
        assert (answer.status_code, answer.text) == (200, "<b>x</b>")
        assert answer.headers["content-type"] == "text/html"
        moved = await client.get("/from/here", headers=LOGIN)
        assert (moved.status_code, moved.headers["location"]) == (302, "/here")


async def test_a_head_is_answered_as_a_get_without_its_body(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        answer = await client.head("/bytes", headers=LOGIN)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == "8"


async def test_a_request_changes_the_world_before_it_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        started = await client.post("/api/repos/1/pipelines", headers=LOGIN, json={"branch": "master"})
        assert (started.status_code, started.json()) == (201, {"number": 7, "status": "pending"})
        listed = await client.get("/api/repos/1/pipelines", headers=LOGIN)
        assert listed.json() == [{"number": 7, "repo": "1"}]
        assert rehearsal.touched == ["http POST ci /api/repos/1/pipelines"]
        assert "Pipeline 7 was started." in said(rehearsal).values()


async def test_the_first_route_whose_condition_holds_answers(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        wrong = await client.post("/api/repos/1/pipelines", headers=LOGIN, json={"branch": "dev"})
        assert (wrong.status_code, wrong.text) == (400, "no such branch")
        assert rehearsal.touched == []


async def test_a_trap_is_met_over_http(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        for _ in range(2):
            await client.post("/api/repos/1/pipelines", headers=LOGIN, json={"branch": "master"})
        assert rehearsal.traps_met() == ["twice"]


async def test_credentials_are_asked_for_except_where_a_route_is_open(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        assert (await client.get("/bytes")).status_code == 401
        assert (await client.get("/bytes", headers={"Authorization": "Bearer no"})).status_code == 401
        assert (await client.get("/healthz")).text == "ok"
        refused = await client.post("/api/repos/1/pipelines", json={"branch": "master"})
        assert refused.status_code == 401
        assert rehearsal.touched == []


async def test_basic_login_takes_the_secret_of_the_site(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "registry-ui") as client:
        word = base64.b64encode(b"ops:p:w").decode()
        assert (await client.get("/")).headers["www-authenticate"].startswith("Basic")
        assert (await client.get("/", headers={"Authorization": f"Basic {word}"})).text == "in"
        login = rehearsal.site.endpoints["registry-ui"].basic
        assert login is not None and login.user == "ops" and login.password in rehearsal.site.secrets


async def test_what_no_route_answers_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        assert (await client.get("/nowhere", headers=LOGIN)).status_code == 404
        assert (await client.delete("/bytes", headers=LOGIN)).status_code == 404


async def test_a_cut_answer_is_a_lost_connection(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/cut", headers=LOGIN)


async def test_an_answer_that_hangs_never_comes_and_holds_nothing_up(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal, client_of(rehearsal, "ci") as client:
        waiting = asyncio.ensure_future(client.get("/hang", headers=LOGIN))
        assert (await client.get("/slow", headers=LOGIN)).text == "late"
        assert not waiting.done()
        waiting.cancel()


async def test_closing_ends_what_hangs(tmp_path: Path) -> None:
    async with running(tmp_path, CI) as rehearsal:
        client = client_of(rehearsal, "ci")
        opened = await client.__aenter__()
        waiting = asyncio.ensure_future(opened.get("/hang", headers=LOGIN))
        await opened.get("/healthz")
    with pytest.raises(httpx.HTTPError):
        await asyncio.wait_for(waiting, 5)
    await client.__aexit__(None, None, None)


async def test_the_certificate_is_for_the_name_and_from_the_sites_ca(tmp_path: Path) -> None:
    body = """\
    endpoints:
      good: {url: "https://good.lab.example", routes: [{path: /}]}
      bad: {url: "https://bad.lab.example", trusted: false, routes: [{path: /}]}
      address: {url: "https://10.0.20.10:5050", routes: [{path: /}]}
    """
    async with running(tmp_path, body) as rehearsal:
        async with client_of(rehearsal, "good") as client:
            assert (await client.get("/")).status_code == 200
        async with client_of(rehearsal, "bad") as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get("/")
        site = rehearsal.site.endpoints["address"]
        assert site.resolve == "127.0.0.1"
        assert site.url.startswith("https://10.0.20.10:")


async def test_a_service_that_refuses_and_one_that_hangs(tmp_path: Path) -> None:
    body = """\
    endpoints:
      closed: {url: "http://a.lab.example", refuse: true}
      silent: {url: "http://b.lab.example", hang: true}
    """
    async with running(tmp_path, body) as rehearsal:
        async with client_of(rehearsal, "closed") as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("/")
        async with client_of(rehearsal, "silent") as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/", timeout=0.3)


async def test_a_route_that_is_written_wrong_is_a_fault_of_the_scenario(tmp_path: Path) -> None:
    body = """\
    endpoints:
      app: {url: "http://a.lab.example", routes: [{path: /, reply: {body: "${{ world.nothing }}"}}]}
    """
    rehearsal = await start_rehearsal(read(tmp_path, body), tmp_path / "world")
    try:
        async with client_of(rehearsal, "app") as client:
            assert (await client.get("/")).status_code == 500
    finally:
        await rehearsal.close()
    assert len(rehearsal.faults) == 1
    assert "nothing" in rehearsal.faults[0]


async def test_the_site_gets_the_path_of_an_endpoint_s_url(tmp_path: Path) -> None:
    body = CI.replace("url: https://ci.lab.example", "url: https://ci.lab.example/api/")
    async with running(tmp_path, body) as rehearsal:
        assert rehearsal.site.endpoints["ci"].url.endswith("/api")
        assert rehearsal.site.endpoints["registry-ui"].url.count("/") == 2
