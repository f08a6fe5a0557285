"""What the documents name is there."""

import re
from pathlib import Path

import pytest

from tools.import_graph import DOCUMENT, with_drawing

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/safety.md", "docs/ssh.md")
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.*-]*(?:\.\w+)?|test_\w+\.py)((?:::test_\w+)?)`|`(::test_\w+)`")


def named_tests(text: str) -> list[tuple[str, str]]:
    """Each test that a document names, with its file; `::test_x` belongs to the file named before it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        file = ""
        for path, test, alone in NAMED.findall(line):
            file = path or file
            if test or alone:
                found.append((file, (test or alone)[2:]))
    return found


def test_each_test_that_the_promises_name_exists() -> None:
    missing = [
        f"{file}::{test}"
        for file, test in named_tests((ROOT / "docs" / "safety.md").read_text())
        if not any(
            re.search(rf"^ *(?:async )?def {test}\b", each.read_text(), re.MULTILINE)
            for each in ROOT.glob(file if "/" in file else f"tests/**/{file}")
        )
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_path_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    paths = {path for path, _, _ in NAMED.findall(text) if path}
    somewhere = ("", "breakglass/**/", "tests/**/")
    missing = [
        path
        for path in paths
        if not any(any(ROOT.glob(f"{place}{path.rstrip('/')}")) for place in somewhere) and "NAME" not in path
    ]
    assert missing == []


def test_the_graph_of_imports_in_the_documents_is_as_the_code_is() -> None:
    text = DOCUMENT.read_text()
    assert with_drawing(text) == text, "run: python -m tools.import_graph"
