"""Where secrets come from, and what is said when they do not."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from breakglass.site.model import (
    CommandSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    KubernetesSecret,
    PromptSecret,
    Secret,
    Site,
)
from breakglass.site.redaction import MARK
from breakglass.site.secrets import SecretError, SecretStore

VALUE = "s3cr3t-value"


def store_of(
    secret: Secret,
    *,
    prompt: Callable[[str], Awaitable[str]] | None = None,
    kubernetes: Callable[[KubernetesSecret], Awaitable[bytes]] | None = None,
) -> SecretStore:
    return SecretStore(Site("test", secrets={"token": secret}), prompt, kubernetes)


async def reason(store: SecretStore, name: str = "token") -> str:
    with pytest.raises(SecretError) as caught:
        await store.resolve(name)
    return str(caught.value)


async def test_an_environment_variable_gives_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", VALUE)
    assert await store_of(EnvironmentSecret("TOKEN_OF_TEST")).resolve("token") == VALUE


async def test_a_variable_that_is_not_set_is_named() -> None:
    assert "NOT_SET_ANYWHERE is not set" in await reason(store_of(EnvironmentSecret("NOT_SET_ANYWHERE")))


async def test_a_file_gives_its_content_without_the_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{VALUE}\n")
    assert await store_of(FileSecret(tmp_path / "token")).resolve("token") == VALUE


async def test_a_file_is_read_anew_each_time_since_tokens_rotate(tmp_path: Path) -> None:
    store = store_of(FileSecret(tmp_path / "token"))
    (tmp_path / "token").write_text("the first one")
    await store.resolve("token")
    (tmp_path / "token").write_text("the second one")
    assert await store.resolve("token") == "the second one"


async def test_a_missing_file_is_named_with_the_reason(tmp_path: Path) -> None:
    said = await reason(store_of(FileSecret(tmp_path / "token")))
    assert f"file {tmp_path / 'token'}" in said
    assert "No such file" in said


async def test_a_file_that_is_no_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe\xfd\xfc\xfb")
    assert "is not UTF-8 text" in await reason(store_of(FileSecret(tmp_path / "token")))


async def test_a_command_gives_what_it_prints() -> None:
    secret = CommandSecret((sys.executable, "-c", f"print({VALUE!r})"))
    assert await store_of(secret).resolve("token") == VALUE


async def test_a_command_that_fails_is_named_and_its_words_are_not() -> None:
    script = "import sys; print('half-a-secret', file=sys.stderr); sys.exit(3)"
    said = await reason(store_of(CommandSecret((sys.executable, "-c", script))))
    assert "exit status 3" in said
    assert "half-a-secret" not in said


async def test_a_command_that_hangs_is_ended_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakglass.site.secrets.DEADLINE", 0.2)
    said = await reason(store_of(CommandSecret((sys.executable, "-c", "import time; time.sleep(600)"))))
    assert "gave nothing" in said


async def test_a_command_that_is_not_there_is_named() -> None:
    assert "no-such-program cannot be run" in await reason(store_of(CommandSecret(("no-such-program",))))


async def test_a_kubernetes_secret_is_read_through_the_cluster() -> None:
    async def read(secret: KubernetesSecret) -> bytes:
        return f"{secret.namespace}/{secret.name}/{secret.key}".encode()

    secret = KubernetesSecret("main", "vault", "vault-root-token", "token")
    assert await store_of(secret, kubernetes=read).resolve("token") == "vault/vault-root-token/token"


async def test_a_typed_secret_is_asked_for_once() -> None:
    asked: list[str] = []

    async def prompt(words: str) -> str:
        asked.append(words)
        return VALUE

    store = store_of(PromptSecret("Vault token"), prompt=prompt)
    assert [await store.resolve("token"), await store.resolve("token")] == [VALUE, VALUE]
    assert asked == ["Vault token"]


async def test_without_a_terminal_a_typed_secret_cannot_be_had() -> None:
    assert "no terminal to ask on" in await reason(store_of(PromptSecret("Vault token")))


async def test_a_keyring_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'breakglass[keyring]'" in await reason(store_of(KeyringSecret("vault", "root")))


async def test_a_keyring_gives_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entries:
        def get_password(self, service: str, account: str) -> str | None:
            return VALUE if (service, account) == ("vault", "root") else None

    monkeypatch.setitem(sys.modules, "keyring", Entries())
    assert await store_of(KeyringSecret("vault", "root")).resolve("token") == VALUE
    assert "no such entry" in await reason(store_of(KeyringSecret("vault", "other")))


async def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    assert "it has: token" in await reason(store_of(EnvironmentSecret("X")), "tokn")


@pytest.mark.parametrize(("value", "why"), [("", "is empty"), ("abc", "is shorter than 4 characters")])
async def test_a_value_that_could_not_be_kept_out_of_output_is_refused(
    value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", value)
    assert why in await reason(store_of(EnvironmentSecret("TOKEN_OF_TEST")))


async def test_whatever_was_resolved_is_redacted_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", VALUE)
    store = store_of(EnvironmentSecret("TOKEN_OF_TEST"))
    await store.resolve("token")
    assert store.redactor.redact(f"Authorization: Bearer {VALUE}") == f"Authorization: Bearer {MARK}"
