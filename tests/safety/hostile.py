"""Text that means harm, a site whose every server says it, and a judge of what came out of a terminal."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from breakglass.kubernetes_objects import Object
from breakglass.simulator.clock import SimulatedClock
from breakglass.simulator.kubernetes.hooks import Denial, ExecAnswer, LogAnswer
from breakglass.simulator.kubernetes.server import start_api_server
from breakglass.simulator.kubernetes.store import ObjectStore
from tests.simulator.kubernetes.support import TestHooks, node, pod
from tests.support.openssh import openssh
from tests.transport.http_support import raw, request_of

PROGRAM = "import sys; from breakglass.cli.main import main; sys.exit(main())"
PATIENCE = 180.0
"""Seconds before a test gives up."""

PAYLOADS = (
    "\x1b]52;c;cGxhbnRlZA==\x07",  # puts text into the clipboard
    "\x1b]0;planted title\x07",
    "\x1b]8;;http://planted.example/\x1b\\planted link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H\x1b[31;5mplanted\x1b[0m",
    '\x1b[6n\x1bP$q"p\x1b\\',  # questions that a terminal answers as if typed
    "\x9b31mplanted\x9d0;planted\x9c",
    "[bold red]planted[/] [link=http://planted.example]x[/link] [@click=app.quit]planted[/]",
    "planted\u202egnp.exe\u2066\u200b\u2028\u00ad",
    "planted\x00\x08\x08\x7f\x0e\x0f\r",
    "${{ secrets.planted }} ${{ 1 + 1 }} %s {0} {planted}",
)
HOSTILE = " ".join(PAYLOADS)
RAW = HOSTILE.encode() + b"\xff\xfe\xc3( planted \x9b31m \xc2\x9b31m\n"
"""The same as bytes, and bytes that are no UTF-8."""

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What must never come out as text."""

TEXTUALS_OWN = re.compile(
    r"\x1b(?:\[[0-9;?<>=$]*[A-Za-z]|\]22;[a-z]+(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78]|P\+q[0-9A-F]*\x1b\\)"
)
"""Sequences that the cockpit itself writes: colours, moves, modes, and the shape of the mouse pointer."""
NEVER_OWN = re.compile(r"\x1b\](?:0|1|2|8|9|52|777|1337)[;\x07]|\x1b\[[0-9;]*5m|\x1b\[6n|\x1bP\$q|\x1b\[21t")
"""Sequences that only the far side could have meant."""


def obeyed_in(text: str) -> str:
    """What a terminal would obey of these lines, with its surroundings; nothing when all is well."""
    found = OBEYED.search(text)
    return "" if found is None else repr(text[max(found.start() - 60, 0) : found.end() + 60])


def obeyed_in_terminal(data: bytes) -> str:
    """The same for what a full-screen program wrote."""
    text = data.decode("utf-8", "surrogateescape")
    foreign = NEVER_OWN.search(text)
    if foreign is not None:
        return repr(text[max(foreign.start() - 60, 0) : foreign.end() + 60])
    return obeyed_in(TEXTUALS_OWN.sub("", text).replace("\r\n", "\n").replace("\r", "").replace("\x07", ""))


@dataclass(frozen=True, slots=True)
class Place:
    """A site on disk and in the air, and where a session of it keeps its state."""

    folder: Path
    site: Path
    runbook: Path
    answers: Path
    """What the SSH host says: `cat answers/NAME` in a step."""
    hooks: TestHooks
    store: ObjectStore

    @property
    def environment(self) -> dict[str, str]:
        import os

        kept = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "SSH_CONNECTION")
        }
        return {
            **kept,
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "BREAKGLASS_STATE": str(self.folder / "state"),
            "BREAKGLASS_OPERATOR": "oncall",
        }

    async def run(self, *words: str, typed: str = "", **environment: str) -> "Ran":
        """Run the program in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, **environment},
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(typed.encode()), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Ran(process.returncode, out, err)

    def stored(self) -> Mapping[Path, bytes]:
        """Every file that sessions have left behind."""
        return {path: path.read_bytes() for path in (self.folder / "state").rglob("*") if path.is_file()}


@dataclass(frozen=True, slots=True)
class Ran:
    exit: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode() + self.err.decode()


def hostile_pod(name: str) -> Object:
    """A pod with harm in every text that an API server lets anybody write."""
    value = pod(name, "front", "node1")
    metadata = value["metadata"]
    assert isinstance(metadata, dict)
    metadata["annotations"] = {"note": HOSTILE, "other": "\n".join(PAYLOADS)}
    value["status"] = {"phase": "Running", "message": HOSTILE, "reason": PAYLOADS[3]}
    return value


@asynccontextmanager
async def hostile_place(
    folder: Path,
    runbook: str,
    *,
    http: bytes | None = None,
    objects: Sequence[Object] = (),
    secrets: str = "{}",
) -> AsyncGenerator[Place]:
    """A cluster, a host and an endpoint on loopback that say what is hostile, and a runbook that asks them.

    http: the whole answer of the endpoint, to every request.
    """
    said = http if http is not None else hostile_answer("200 planted " + PAYLOADS[7], RAW)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await request_of(reader)
            writer.write(said)
            await writer.drain()
            writer.close()

    folder.mkdir(exist_ok=True)
    answers = folder / "answers"
    answers.mkdir()
    (answers / "hostile").write_bytes(RAW)
    hooks = TestHooks(
        answers={"df": ExecAnswer(stdout=RAW, stderr=RAW)},
        denials={"denied": Denial(HOSTILE)},
        log=LogAnswer([*HOSTILE.split("\r"), "the last line"]),
    )
    clock = SimulatedClock(20.0)
    store = ObjectStore(clock, seed=1)
    store.load([node("node1"), hostile_pod("front"), hostile_pod("denied"), *objects])
    store.ensure_namespace("web")
    server = await start_api_server(store, hooks, folder)
    try:
        with openssh(folder / "sshd") as box:
            async with raw(answer) as port:
                site = folder / "site.yaml"
                site.write_text(
                    f"site: lab\nproduction: true\n"
                    f"clusters: {{main: {{kubeconfig: {server.kubeconfig}}}}}\n"
                    f"hosts: {{box: {{address: 127.0.0.1, port: {box.port}, user: {box.host().user}, "
                    f"identity: {box.client_key}, known_hosts: {box.known_hosts}, "
                    f"ssh_config: {box.ssh_config}, connections_per_minute: 6000}}}}\n"
                    f'endpoints: {{app: {{url: "http://127.0.0.1:{port}"}}}}\n'
                    f"secrets: {secrets}\n"
                )
                path = folder / "runbook.yaml"
                path.write_text(runbook.replace("ANSWERS", str(answers)))
                yield Place(folder, site, path, answers, hooks, store)
    finally:
        await server.close()
        clock.close()


def hostile_answer(status: str, body: bytes, *headers: str) -> bytes:
    """An HTTP answer as bytes. The status line may hold what no status line should."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("utf-8", "surrogateescape") + body
