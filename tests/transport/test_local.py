"""Programs of this machine really run, see nothing of the session, and end with all that they started."""

import asyncio
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

import pytest

from breakglass.network_guard import only_to
from breakglass.transport.base import Delivery, LocalRequest, OutputLimitError, Result, Stream
from breakglass.transport.local import Local
from breakglass.transport.local_program import LocalProgramError, look_at


def request(
    *argv: str, timeout: float = 30.0, stdin: bytes | None = None, programs: Sequence[str] = (), **paths: Path
) -> LocalRequest:
    """A list of words; `programs` are those of the system that it names beside the first."""
    names = {name: Path(which(name) or "") for name in (*argv[:1], *programs) if name not in paths}
    found = tuple(look_at(name, str(path)) for name, path in {**names, **paths}.items())
    places = tuple(at for at, word in enumerate(argv) if word in {*argv[:1], *programs})
    return LocalRequest(argv, timeout, found, places, stdin=stdin)


def text(
    script: str, *values: str, timeout: float = 30.0, programs: Sequence[str] = (), **paths: Path
) -> LocalRequest:
    names = {name: Path(which(name) or "") for name in programs}
    found = tuple(look_at(name, str(path)) for name, path in {**names, **paths}.items())
    return LocalRequest(("sh", "-c", script, "sh", *values), timeout, found, (), shell=True)


class Heard:
    def __init__(self, environment: Sequence[str] = (), *, at_most: int = 2**30) -> None:
        self.said: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self.secret: list[str] = []
        self._at_most = at_most
        self.local = Local(environment, self.secret.append)
        self.something = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.said[stream] += data
        self._loop.call_soon_threadsafe(self.something.set)
        if len(self.said["stdout"]) > self._at_most:
            raise OutputLimitError

    @property
    def out(self) -> str:
        return self.said["stdout"].decode()

    async def send(self, request: LocalRequest) -> Result:
        return await self.local.send(request, self)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    def make(name: str, body: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


async def test_a_program_runs_with_its_words_as_they_are(script: Callable[[str, str], Path]) -> None:
    heard = Heard()
    shows = script("shows", """for each; do printf '<%s>' "$each"; done""")
    words = ("a b", "$HOME", "`id`", "x\ny", "--flag", "*", "", "'", ";rm")
    result = await heard.send(request("shows", *words, shows=shows))
    assert (result.exit, result.fault, result.delivery) == (0, None, Delivery.ANSWERED)
    assert heard.out == "".join(f"<{word}>" for word in words)


@pytest.mark.parametrize("quoted", ["show", "A=1 show", "! show", "echo $(show)", "if show; then :; fi"])
async def test_text_starts_a_program_by_the_path_that_the_site_has(
    script: Callable[[str, str], Path], quoted: str
) -> None:
    heard = Heard()
    await heard.send(text(quoted, show=script("another-name", "echo this one")))
    assert heard.out.strip() == "this one"


async def test_text_finds_nothing_by_itself_even_where_the_site_passes_path_on(
    monkeypatch: pytest.MonkeyPatch, script: Callable[[str, str], Path], tmp_path: Path
) -> None:
    script("show", "echo another one")
    (tmp_path / "right").mkdir()
    right = script("right/show", "echo this one; helper")
    script("helper", "echo found by the program")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    heard = Heard(["PATH"])
    await heard.send(text("show; 'show'; helper", show=right))
    assert heard.out == "this one\nfound by the program\n"
    assert heard.said["stderr"].count(b"not found") == 2


async def test_a_value_in_text_is_a_value() -> None:
    heard = Heard()
    value = "a'; touch /tmp/x; echo \"$(id)"
    await heard.send(text('x=${1}; shift 1\necho "$x"', value))
    assert heard.out == value + "\n"


async def test_a_program_gets_what_the_site_passes_on_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_OF_BREAKGLASS", "x")
    monkeypatch.setenv("VAULT_ADDR", "https://vault")
    heard = Heard(["VAULT_ADDR", "NOT_SET"])
    await heard.send(request("env"))
    assert sorted(heard.out.split()) == ["PATH=/nonexistent", "VAULT_ADDR=https://vault"]
    heard = Heard(["VAULT_ADDR"])
    await heard.send(text("env", programs=["env"]))
    assert set(heard.out.split()) - {"VAULT_ADDR=https://vault", "PATH=/nonexistent"} <= {"PWD=/"}


async def test_the_value_of_a_credential_that_is_passed_on_is_kept_out_of_the_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.abcdefgh")
    monkeypatch.setenv("VAULT_ADDR", "https://vault")
    heard = Heard(["VAULT_TOKEN", "VAULT_ADDR"])
    await heard.send(request("true"))
    assert heard.secret == ["hvs.abcdefgh"]


async def test_a_program_gets_no_open_file_of_the_session(tmp_path: Path) -> None:
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(3)]
    os.set_inheritable(descriptors[0], True)
    try:
        heard = Heard()
        await heard.send(request("ls", "-l", "/proc/self/fd"))
        for_text = Heard()
        await for_text.send(text("ls -l /proc/self/fd", programs=["ls"]))
    finally:
        for each in descriptors:
            os.close(each)
    for listed in (heard.out, for_text.out):
        assert str(tmp_path) not in listed
        leads = dict(re.findall(r" (\d+) -> (\S+)", listed))
        assert leads.pop("0") == "/dev/null"
        assert all(where.startswith("pipe:") for where in (leads.pop("1"), leads.pop("2")))
        assert all("/proc/" in where for where in leads.values())


async def test_a_program_reads_its_step_s_input_and_otherwise_nothing() -> None:
    heard = Heard()
    await heard.send(request("wc", "-c", stdin=b"x" * 1_000_000))
    assert heard.out.strip() == "1000000"
    heard = Heard()
    await heard.send(request("wc", "-c"))
    assert heard.out.strip() == "0"
    heard = Heard()
    assert (await heard.send(request("true", stdin=b"x" * 1_000_000))).exit == 0


@pytest.mark.parametrize(
    ("script_text", "exit_status", "words"),
    [
        ("exit 3", 3, "exit status 3"),
        ("nothing-like-it", 127, "exit status 127"),
        ("kill -KILL $$", None, "signal KILL"),
        ("kill -TERM $$", None, "signal TERM"),
    ],
)
async def test_how_a_command_ended_is_told_as_over_ssh(
    script_text: str, exit_status: int | None, words: str
) -> None:
    result = await Heard().send(text(script_text))
    assert (result.delivery, result.exit) == (Delivery.ANSWERED, exit_status)
    assert result.fault is not None and result.fault.kind == "exit" and words in result.fault.message


async def test_of_what_is_late_nobody_knows_what_it_had_done() -> None:
    result = await Heard().send(request("sleep", "600", timeout=0.5))
    assert (result.delivery, result.exit) == (Delivery.UNKNOWN, None)
    assert result.fault is not None and result.fault.kind == "timeout"
    assert "what it had done by then is not known" in result.fault.message


async def test_what_does_not_want_to_end_is_killed_with_all_that_it_started(
    script: Callable[[str, str], Path],
) -> None:
    stubborn = script("stubborn", "trap '' TERM; echo $$; while :; do /bin/sleep 0.1; done")
    heard = Heard()
    sending = asyncio.create_task(heard.send(text("show & show", show=stubborn)))
    while len(pids := heard.out.splitlines()) < 2:
        heard.something.clear()
        await heard.something.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    for pid in pids:
        assert await over(int(pid))


async def over(pid: int) -> bool:
    """Whether a process is gone, or has ended and waits for its parent, as in a container without an init."""
    async with asyncio.timeout(30):
        while (state := state_of(pid)) and state not in "ZX":
            await asyncio.sleep(0.05)
    return True


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


async def test_a_program_may_end_in_its_own_way(script: Callable[[str, str], Path], tmp_path: Path) -> None:
    saving = f"trap 'echo saved > {tmp_path}/saved; exit 0' TERM; echo; while :; do /bin/sleep 0.1; done"
    heard = Heard()
    sending = asyncio.create_task(heard.send(request("polite", polite=script("polite", saving))))
    await heard.something.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (tmp_path / "saved").read_text() == "saved\n"


async def test_something_that_left_the_group_and_keeps_the_output_open_holds_nothing_up() -> None:
    heard = Heard()
    keeps = text("setsid /bin/sleep 60 & echo $!", timeout=2.0, programs=["setsid"])
    result = await heard.send(keeps)
    assert (result.delivery, result.exit) == (Delivery.ANSWERED, 0)
    assert result.fault is not None and "kept its output open" in result.fault.message
    subprocess.run(["/bin/kill", heard.out.strip()], check=False, timeout=10)


async def test_what_a_command_leaves_running_is_said() -> None:
    heard = Heard()
    result = await heard.send(text("sleep 60 >/dev/null 2>&1 & echo $!", programs=["sleep"]))
    assert result.exit == 0
    assert b"still runs here, in process group" in heard.said["stderr"]
    os.kill(int(heard.out), 9)


async def test_cancelling_ends_all_of_it(script: Callable[[str, str], Path]) -> None:
    heard = Heard()
    endless = script("endless", "echo $$; while :; do /bin/sleep 0.1; done")
    task = asyncio.create_task(heard.send(request("endless", endless=endless)))
    await heard.something.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await over(int(heard.out))


async def test_a_flood_is_held_back_and_ended_where_the_sink_takes_no_more() -> None:
    heard = Heard(at_most=1_000_000)
    with pytest.raises(OutputLimitError):
        await heard.send(request("yes"))
    assert len(heard.out) < 2_000_000


async def test_a_program_that_outlives_the_session_s_process_is_ended(
    script: Callable[[str, str], Path],
) -> None:
    lasting = script("lasting", "echo $$; exec /bin/sleep 600")
    code = f"""
        import asyncio
        from breakglass.transport.base import LocalRequest
        from breakglass.transport.local import Local
        from breakglass.transport.local_program import look_at
        asked = LocalRequest(("lasting",), 600, (look_at("lasting", "{lasting}"),))
        def say(stream, data):
            print(data.decode(), end="", flush=True)
        asyncio.run(Local((), print).send(asked, say))
    """
    run = (sys.executable, "-c", textwrap.dedent(code))
    process = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        pid = int(said.readline())
    process.kill()
    process.wait(30)
    assert await over(pid)


async def test_a_program_that_was_replaced_since_it_was_shown_is_not_run(
    script: Callable[[str, str], Path], tmp_path: Path
) -> None:
    for_later = request("tool", tool=script("tool", "echo harmless"))
    script("tool", f"touch {tmp_path}/changed")
    result = await Heard().send(for_later)
    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and "is not the file any more" in result.fault.message
    assert not (tmp_path / "changed").exists()


async def test_a_link_that_leads_elsewhere_since_it_was_shown_is_not_followed(
    script: Callable[[str, str], Path], tmp_path: Path
) -> None:
    link = tmp_path / "tool"
    link.symlink_to(script("harmless", "echo harmless"))
    for_later = request("tool", tool=link)
    link.unlink()
    link.symlink_to(script("other", f"touch {tmp_path}/changed"))
    assert (await Heard().send(for_later)).delivery is Delivery.NOT_SENT
    assert not (tmp_path / "changed").exists()


async def test_nothing_is_started_in_a_rehearsal(script: Callable[[str, str], Path], tmp_path: Path) -> None:
    tool = script("tool", f"touch {tmp_path}/started")
    with only_to(frozenset()):
        result = await Heard().send(request("tool", tool=tool))
    assert result.delivery is Delivery.NOT_SENT
    assert not (tmp_path / "started").exists()


async def test_a_program_that_the_kernel_cannot_start_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tool"
    path.write_text("#!/nowhere/interpreter\n")
    path.chmod(0o755)
    result = await Heard().send(request("tool", tool=path))
    assert result.delivery is Delivery.NOT_SENT
    assert result.fault is not None and "cannot be started" in result.fault.message


@pytest.mark.parametrize(
    "wrong", ["missing", "folder", "not executable", "others write", "others' folder", "circle"]
)
def test_a_program_that_cannot_or_must_not_be_run_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin" / "tool"
    if wrong == "folder":
        path.mkdir()
    elif wrong == "circle":
        path.symlink_to(path)
    elif wrong != "missing":
        path.write_text("#!/bin/sh\n")
        path.chmod(0o777 if wrong == "others write" else 0o644 if wrong == "not executable" else 0o755)
    if wrong == "others' folder":
        (tmp_path / "bin").chmod(0o777)
    with pytest.raises(LocalProgramError) as refused:
        look_at("tool", str(path))
    assert str(path) in str(refused.value)


def test_a_link_on_the_way_that_others_may_lead_elsewhere_is_not_followed(
    script: Callable[[str, str], Path], tmp_path: Path
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "middle").symlink_to(script("tool", "echo harmless"))
    (tmp_path / "first").symlink_to(open_to_all / "middle")
    with pytest.raises(LocalProgramError, match=f"chmod o-w {open_to_all}"):
        look_at("tool", str(tmp_path / "first"))
