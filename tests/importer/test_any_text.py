"""Any text is a page, and every page gives a draft that loads and holds all of the page's words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.importer.draft import draft_of
from breakglass.policy.risk import Risk
from breakglass.runbook.load import read_runbook
from tests.importer.support import lost

_PIECES = st.sampled_from(
    (
        *("# Title\n", "## Diagnosis\n", "### Step 1\n", "```bash\n", "```\n", "~~~\n", "    ", "$ ", "# "),
        *("> ", "root@pve1:~# ", "kubectl get pods -n <namespace>", "oc adm drain $NODE", "ssh root@pve1"),
        *("ssh <host> 'df -h'", "curl -s http://x.y/z", "kubectl exec -it p -- sh"),
        *("POD=$(kubectl get pod -o name)", "export A_B=c", "NAMESPACE='x y'", "${{ inputs.x }}", "$${{"),
        *(
            " | grep -v 'a.b'",
            " | jq '.a[].b'",
            " | awk '{print $2}'",
            " && ",
            "; ",
            " \\\n",
            "<<EOF\n",
            "EOF\n",
            "$(",
            ")",
            "`",
            '"',
            "'",
        ),
        *("rm -rf /srv/$X", "systemctl restart nfs-server", "If it fails, go to [Title](#title).\n"),
        *("The output should show `ok`.\n", "| a | b |\n|---|---|\n", "---\n", "- item\n", "1. item\n"),
        *("\n", "\n\n", " ", "\t", "word ", ": ", "{a: b}", "*x", "&y", "!z", "%", "@", "\x07", "\x1b[31m"),
        *("\u202e", "\ufeff", "\ud7ff", "\u2028", "\x85", "\0", "\r", "é", "\ue000", "🔥", "null", "true"),
        *("~", "0o17"),
    )
)
PAGES = st.one_of(st.lists(_PIECES, max_size=40).map("".join), st.text(max_size=200))


@given(PAGES)
def test_any_text_as_a_page_gives_a_draft_that_loads(page: str) -> None:
    draft = draft_of(page, "page")
    runbook, problems = read_runbook(draft.text, Path("draft.yaml"))
    assert runbook is not None, [str(each) for each in problems if not each.warning]
    assert lost(page, draft.text) == []


def test_a_text_that_is_too_long_for_one_value_is_cut_and_none_of_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("breakglass.importer.draft.MOST_STEPS", 2)
    prose = "\n".join(f"Line {number} of a very long text." for number in range(3000))
    block = "\n".join(f"kubectl delete pod web-{number}" for number in range(5))
    page = f"# Long\n\n{prose}\n\n```sh\n{block}\n```\n"
    draft = draft_of(page, "page")
    runbook, problems = read_runbook(draft.text, Path("draft.yaml"))
    assert runbook is not None, [str(each) for each in problems if not each.warning]
    assert lost(page, draft.text) == []
    assert runbook.steps[-1].risk is Risk.DESTRUCTIVE


@pytest.mark.parametrize("page", ["0o17", "1e3", "# ```\n", "#  | grep -v 'a.b'\ue000# Title\n0o17"])
def test_a_page_of_what_yaml_could_take_for_a_number_or_of_no_words_gives_a_draft(page: str) -> None:
    assert lost(page, draft_of(page, "page").text) == []
