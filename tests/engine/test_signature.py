"""A second person's word as an SSH signature, made and checked by the real ssh-keygen."""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.engine import commands as c
from breakglass.engine import signature as signature_module
from breakglass.engine.prepare import Prepared
from breakglass.engine.signature import (
    BEGIN,
    END,
    NAMESPACE,
    WIDTH,
    digest_of,
    forms_of,
    signers_problem,
    text_to_sign,
)
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import EMPTY
from breakglass.policy.risk import NOT_JUDGED
from breakglass.report.markdown import markdown
from breakglass.report.postmortem import post_mortem
from breakglass.transport.base import HttpRequest, SshRequest
from tests.engine.support import SITE, FarSide, events_of, ok, session_of
from tests.support.openssh import fingerprint, make_key, run

STEPS = """
- id: reset
  title: Reset the machine
  ssh: {host: pve, run: [reboot]}
  confirm: {type: pve@test}
  approve: 2
  impact: The machine is gone for a minute.
  verify: {ssh: {host: pve, run: [uptime]}, until: "true", every: 1s, within: 2s}
"""
ANSWERS = {"ssh pve reboot": ok(), "ssh pve uptime": ok()}


@dataclass
class Keys:
    """Keys of two people, and who may sign."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("bob", "operator"):
            make_key(self.folder / name)
        self.allow(f"bob@example.com {self.public('bob')}", f"operator@example.com {self.public('operator')}")

    @property
    def signers(self) -> Path:
        return self.folder / "allowed_signers"

    def public(self, name: str) -> str:
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def allow(self, *lines: str) -> None:
        self.signers.write_text("\n".join(lines) + "\n")

    def sign(self, text: str, key: str = "bob", namespace: str = NAMESPACE) -> str:
        return subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.folder / key), "-n", namespace],
            input=text.encode(),
            capture_output=True,
            check=True,
        ).stdout.decode()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    folder = tmp_path / "keys"
    folder.mkdir()
    return Keys(folder)


@dataclass
class Asking:
    """A session whose first person has given the word, so that the second one is asked."""

    engine: Engine
    far: FarSide
    walking: "asyncio.Task[str]"

    @property
    def text(self) -> str:
        assert self.engine.state.waiting is not None
        return self.engine.state.waiting.sign

    @property
    def sent(self) -> bool:
        return "ssh pve reboot" in self.far.commands

    async def refuses(self, signature: str, why: str) -> None:
        with pytest.raises(CommandRefusedError, match=why):
            await self.engine.sign(c.Sign(signature))
        assert self.engine.state.approvals == ("operator",)
        assert not self.sent


async def asking(folder: Path, keys: Keys, steps: str = STEPS) -> Asking:
    engine, far = session_of(folder, steps, ANSWERS, site=replace(SITE, signers=keys.signers))
    made = Asking(engine, far, asyncio.ensure_future(engine.run()))
    while engine.state.waiting is None:
        await asyncio.sleep(0)
    assert engine.state.waiting.question == "confirm", engine.state.waiting
    await engine.command(c.Confirm(engine.state.waiting.typed, "operator"))
    return made


async def test_a_second_persons_signature_sends_the_change_and_is_on_record(
    tmp_path: Path, keys: Keys
) -> None:
    made = await asking(tmp_path, keys)
    assert not made.sent
    signature = keys.sign(made.text + "\n")
    await made.engine.sign(c.Sign(signature))
    await made.walking
    assert made.far.commands.count("ssh pve reboot") == 1
    state = made.engine.state
    second = [x for x in events_of(state, e.Confirmed) if isinstance(x, e.Confirmed)][1]
    assert (second.by, second.proof) == ("bob@example.com", "signature")
    assert second.fingerprint == fingerprint(keys.folder / "bob.pub")
    assert second.signature == signature
    report = markdown(post_mortem(state, made.engine.runbook, "0"))
    assert "bob@example.com agreed, proven by an SSH signature with the key SHA256:" in report


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_any_kind_of_key_signs(tmp_path: Path, keys: Keys, kind: str) -> None:
    make_key(keys.folder / "other", kind=kind)
    keys.allow(f"carol {keys.public('other')}")
    made = await asking(tmp_path, keys)
    await made.engine.sign(c.Sign(keys.sign(made.text, "other")))
    await made.walking
    assert made.sent


@pytest.mark.parametrize(("line_end", "last"), [("\n", ""), ("\n", "\n"), ("\r\n", ""), ("\r\n", "\r\n")])
async def test_a_text_that_was_copied_is_the_same_text(
    tmp_path: Path, keys: Keys, line_end: str, last: str
) -> None:
    made = await asking(tmp_path, keys)
    await made.engine.sign(c.Sign(keys.sign(made.text.replace("\n", line_end) + last)))
    await made.walking
    assert made.sent


async def test_a_terminal_may_put_blanks_around_the_lines_of_a_signature(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys)
    lines = keys.sign(made.text).splitlines()
    await made.engine.sign(c.Sign("$ ssh-keygen\r\n" + "".join(f"  {line}   \r\n" for line in lines) + "$ "))
    await made.walking
    assert made.sent


async def test_the_first_person_does_not_sign_for_the_second(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys)
    await made.refuses(keys.sign(made.text, "operator"), "has agreed already")
    keys.allow(f"bob@example.com,Operator@elsewhere {keys.public('bob')}")
    await made.refuses(keys.sign(made.text), "has agreed already")
    made.walking.cancel()


async def test_who_runs_the_session_is_no_second_person_either(tmp_path: Path, keys: Keys) -> None:
    engine, far = session_of(tmp_path, STEPS, ANSWERS, site=replace(SITE, signers=keys.signers))
    made = Asking(engine, far, asyncio.ensure_future(engine.run()))
    await waiting_for(engine, "confirm")
    assert engine.state.waiting is not None
    await engine.command(c.Confirm(engine.state.waiting.typed, "somebody else"))
    with pytest.raises(CommandRefusedError, match="has agreed already"):
        await engine.sign(c.Sign(keys.sign(made.text, "operator")))
    assert engine.state.approvals == ("somebody else",)
    assert not made.sent
    made.walking.cancel()


async def test_the_account_itself_is_no_second_person(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "bob")
    made = await asking(tmp_path, keys)
    await made.refuses(keys.sign(made.text), "has agreed already")
    made.walking.cancel()


async def test_only_the_whole_text_signed_for_this_and_by_a_known_key_counts(
    tmp_path: Path, keys: Keys
) -> None:
    made = await asking(tmp_path, keys)
    make_key(keys.folder / "stranger")
    await made.refuses(keys.sign(made.text, "stranger"), "none of those in")
    await made.refuses(keys.sign(made.text, namespace="git"), "does not hold for this text")
    await made.refuses(keys.sign(made.text[:-1]), "does not hold for this text")
    await made.refuses(keys.sign(""), "does not hold for this text")
    whole = keys.sign(made.text)
    for broken in ("", "yes", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}\n{END}", whole.replace("A", "B")):
        await made.refuses(broken, "signature|none of those")
    made.walking.cancel()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ('valid-before="20200101"', "is not valid now"),
        ('valid-after="20990101"', "is not valid now"),
        ('namespaces="git,file"', "does not hold for this text"),
    ],
)
async def test_the_options_of_the_signers_file_count(
    tmp_path: Path, keys: Keys, options: str, why: str
) -> None:
    keys.allow(f"bob@example.com {options} {keys.public('bob')}")
    made = await asking(tmp_path, keys)
    await made.refuses(keys.sign(made.text), why)
    keys.allow(f'bob@example.com namespaces="breakglass",valid-after="20200101" {keys.public("bob")}')
    await made.engine.sign(c.Sign(keys.sign(made.text)))
    await made.walking
    assert made.sent


async def test_a_pattern_names_no_person_and_a_certificate_does(tmp_path: Path, keys: Keys) -> None:
    keys.allow(f"*@example.com {keys.public('bob')}")
    made = await asking(tmp_path, keys)
    await made.refuses(keys.sign(made.text), "none of those in")
    make_key(keys.folder / "authority")
    run("ssh-keygen", "-q", "-s", str(keys.folder / "authority"), "-I", "x", "-n", "bob@example.com",
        str(keys.folder / "bob.pub"))  # fmt: skip
    keys.allow(f"*@example.com cert-authority {keys.public('authority')}")
    await made.engine.sign(c.Sign(keys.sign(made.text, "bob-cert.pub")))
    await made.walking
    assert made.engine.state.timeline and made.sent


async def test_a_signature_counts_once_and_for_no_other_question(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys)
    signature = keys.sign(made.text)
    first = made.text
    made.engine.command(c.Decline("operator"))
    await waiting_for(made.engine, "decide")
    made.engine.command(c.Retry("operator"))
    await waiting_for(made.engine, "confirm")
    assert made.engine.state.waiting is not None
    await made.engine.command(c.Confirm(made.engine.state.waiting.typed, "operator"))
    assert made.text != first
    await made.refuses(signature, "does not hold for this text")
    made.walking.cancel()


async def test_a_signature_that_is_given_twice_at_once_counts_once(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys, STEPS.replace("approve: 2", "approve: 3"))
    signature = c.Sign(keys.sign(made.text))
    taken = await asyncio.gather(*[made.engine.sign(signature) for _ in range(2)], return_exceptions=True)
    assert sorted(type(each).__name__ for each in taken) == ["CommandRefusedError", "NoneType"]
    assert made.engine.state.approvals == ("operator", "bob@example.com")
    assert not made.sent
    made.walking.cancel()


async def test_one_key_is_one_person_under_whatever_names(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys, STEPS.replace("approve: 2", "approve: 3"))
    signature = keys.sign(made.text)
    await made.engine.sign(c.Sign(signature))
    assert made.engine.state.approvals == ("operator", "bob@example.com")
    for again in (signature, keys.sign(made.text)):
        with pytest.raises(CommandRefusedError, match="has agreed already"):
            await made.engine.sign(c.Sign(again))
    keys.allow(f"carol {keys.public('bob')}")
    with pytest.raises(CommandRefusedError, match="has signed already"):
        await made.engine.sign(c.Sign(signature))
    assert not made.sent
    made.walking.cancel()


async def test_typing_a_name_is_no_signature(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys)
    assert made.engine.state.waiting is not None
    with pytest.raises(CommandRefusedError, match="is a signature"):
        await made.engine.command(c.Confirm(made.engine.state.waiting.typed, "bob"))
    assert not made.sent
    made.walking.cancel()


async def test_nobody_signs_before_the_first_word_or_where_none_is_asked(tmp_path: Path, keys: Keys) -> None:
    engine, _ = session_of(tmp_path, STEPS, ANSWERS, site=replace(SITE, signers=keys.signers))
    with pytest.raises(CommandRefusedError, match="nothing waits"):
        await engine.sign(c.Sign(keys.sign("x")))
    walking = asyncio.ensure_future(engine.run())
    await waiting_for(engine, "confirm")
    assert engine.state.waiting is not None
    with pytest.raises(CommandRefusedError, match="no signature is asked for"):
        await engine.sign(c.Sign(keys.sign(engine.state.waiting.sign)))
    walking.cancel()


async def test_going_back_while_a_signature_is_checked_sends_nothing(tmp_path: Path, keys: Keys) -> None:
    made = await asking(tmp_path, keys)
    checking = asyncio.ensure_future(made.engine.sign(c.Sign(keys.sign(made.text))))
    await asyncio.sleep(0)
    made.engine.command(c.Decline("operator"))
    with pytest.raises(CommandRefusedError, match="answered meanwhile"):
        await checking
    assert not made.sent
    made.walking.cancel()


async def waiting_for(engine: Engine, question: str) -> None:
    while engine.state.waiting is None or engine.state.waiting.question != question:
        await asyncio.sleep(0.001)


# ---------------------------------------------------------------------- where none can be checked
async def test_without_ssh_keygen_the_change_is_refused_before_anybody_is_asked(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine, far = session_of(tmp_path, STEPS, ANSWERS, site=replace(SITE, signers=keys.signers))
    walking = asyncio.ensure_future(engine.run())
    await waiting_for(engine, "decide")
    assert "ssh-keygen is not installed here" in engine.state.steps["reset"].attempts[0].say
    assert not far.commands
    walking.cancel()


async def test_an_ssh_keygen_that_nobody_waits_for_any_more_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = tmp_path / "number"
    (tmp_path / "ssh-keygen").write_text(
        f"#!/bin/sh\necho $$ > {number}.new\nmv {number}.new {number}\nexec sleep 600\n"
    )
    (tmp_path / "ssh-keygen").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = asyncio.ensure_future(signature_module._ssh_keygen(("verify",), b""))  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(60):
        while not number.exists():
            await asyncio.sleep(0.01)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("bob", {"bob"}),
        ("Bob@Example.com", {"bob@example.com", "bob"}),
        ("@example.com", {"@example.com"}),
        ("bob@a@b", {"bob@a@b", "bob"}),
        ("", set[str]()),
        (" ", set[str]()),
    ],
)
def test_a_name_is_also_what_stands_before_its_domain(name: str, forms: set[str]) -> None:
    assert forms_of(name) == forms


@pytest.mark.parametrize(
    ("mode", "why"), [(0o664, "others may write"), (0o646, "others may write"), (0o600, ""), (0o644, "")]
)
def test_a_signers_file_that_others_may_write_is_refused(keys: Keys, mode: int, why: str) -> None:
    keys.signers.chmod(mode)
    problem = signers_problem(keys.signers)
    assert why in problem
    assert bool(problem) == bool(why)


def test_a_signers_file_that_is_not_there_is_said(keys: Keys) -> None:
    keys.signers.unlink()
    assert "No such file" in signers_problem(keys.signers)
    keys.signers.mkdir()
    assert "allowed_signers" in signers_problem(keys.signers)
    shutil.rmtree(keys.signers)


# ---------------------------------------------------------------------- the text
def prepared(command: str, stdin: bytes | None = None) -> Prepared:
    request = SshRequest("pve", (command,), 5.0, stdin)
    return Prepared(request, "ssh", command, "pve (127.0.0.1)", NOT_JUDGED)


@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_the_text_comes_through_any_terminal(commands: list[str], impact: str) -> None:
    text = text_to_sign(EMPTY, "0" * 64, "reset", 1, [prepared(each) for each in commands], impact)
    assert text.isascii()
    for line in text.split("\n"):
        assert line.isprintable()
        assert len(line) <= WIDTH
        assert line == line.rstrip()
        assert "  " not in line[9:]


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=900))
def test_a_command_is_whole_in_the_text(command: str) -> None:
    text = text_to_sign(EMPTY, "0" * 64, "reset", 1, [prepared(command)], "")
    between = text[text.index("run 1/1") + 9 : text.index("\non ")]
    assert "".join(line.removeprefix(" " * 9) for line in between.split("\n")) == command


def test_a_very_long_command_says_how_much_is_left_out() -> None:
    text = text_to_sign(EMPTY, "0" * 64, "reset", 1, [prepared("x" * 1234)], "")
    assert re.search(r"and\s+234\s+characters\s+more", text)


def test_the_digest_covers_what_is_not_shown() -> None:
    assert digest_of([prepared("tool")]) == digest_of([prepared("tool")])
    assert digest_of([prepared("tool", b"a")]) != digest_of([prepared("tool", b"b")])
    assert digest_of([prepared("x" * 2000 + "a")]) != digest_of([prepared("x" * 2000 + "b")])
    assert digest_of([prepared("a"), prepared("b")]) != digest_of([prepared("b"), prepared("a")])


def test_the_text_names_all_that_is_approved(tmp_path: Path) -> None:
    state = replace(
        EMPTY, site="lab", mode="live", runbook="reset", session="s-1", operator="oncall", production=True
    )
    shown = [prepared("reboot"), prepared("poweroff")]
    said = text_to_sign(state, "0123456789abcdef0123", "reset", 2, shown, "")
    nonce = said.rpartition(" ")[2]
    assert re.fullmatch("[0-9a-f]{32}", nonce)
    digest = digest_of(shown)
    where = shown[0].where
    assert said.split("\n") == [
        "breakglass: approve this change",
        "site     lab (production), live",
        "runbook  reset, sha256 0123456789abcdef",
        "step     reset, attempt 2",
        "session  s-1",
        "asked by oncall",
        "run 1/2  reboot",
        *([f"on       {where}"] if where else ["on"]),
        "run 2/2  poweroff",
        *([f"on       {where}"] if where else ["on"]),
        "breaks   not said",
        f"sha256   {digest}",
        f"nonce    {nonce}",
    ]
    other = text_to_sign(replace(state, production=False), "0" * 64, "reset", 1, shown, "all logins")
    assert "site     lab, live" in other and "breaks   all logins" in other
    assert other.rpartition(" ")[2] != nonce


def test_the_digest_is_another_for_each_part_of_a_request() -> None:
    one = prepared("reboot", b"x")
    request = one.request
    assert isinstance(request, SshRequest)
    others = [
        replace(one, where="elsewhere"),
        replace(one, request=replace(request, host="node9")),
        replace(one, request=replace(request, argv=("reboot", "--force"))),
        replace(one, request=replace(request, stdin=b"y")),
        replace(one, request=replace(request, timeout=request.timeout + 1)),
    ]
    digests = {digest_of([each]) for each in (one, *others)} | {digest_of([one, one]), digest_of([])}
    assert len(digests) == len(others) + 3
    assert digest_of([one]) == digest_of([prepared("reboot", b"x")])
    first, second = (
        replace(one, request=HttpRequest("POST", "app", 9.0, headers=headers))
        for headers in ({"A": "1", "B": "2"}, {"B": "2", "A": "1"})
    )
    assert digest_of([first]) == digest_of([second])


@pytest.mark.parametrize(
    ("impact", "rows"),
    [
        ("x" * 67, ["breaks   " + "x" * 67]),
        ("x" * 68, ["breaks   " + "x" * 67, "         x"]),
        ("x" * 60 + " " + "y" * 10, ["breaks   " + "x" * 60, "          " + "y" * 10]),
        ("x" * 30 + " " + "y" * 60, ["breaks   " + "x" * 30 + " " + "y" * 36, "         " + "y" * 24]),
        ("a  b", ["breaks   a \\x20b"]),
        (" a ", ["breaks   \\x20a\\x20"]),
        ("a\tb\x7f\u00e9", ["breaks   a\\tb\\x7f\\xe9"]),
    ],
)
def test_a_long_or_odd_value_is_broken_and_written_so_that_it_can_be_copied(
    impact: str, rows: list[str]
) -> None:
    lines = text_to_sign(EMPTY, "", "s", 1, [], impact).split("\n")
    begin = next(at for at, line in enumerate(lines) if line.startswith("breaks"))
    assert lines[begin : begin + len(rows)] == rows
    assert lines[begin + len(rows)].startswith("sha256")
