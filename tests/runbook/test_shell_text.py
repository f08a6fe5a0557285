"""Values in shell text: each is a parameter, wherever it stands, and the script stays as it is written."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from breakglass.policy.shell import ShellSyntaxError
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.shell_text import MisplacedValueError, places_of, render_shell, with_values
from breakglass.runbook.template import Template, parse_template, with_expressions
from breakglass.values import Json
from breakglass.yamlio.position import Position

PLACE = Position(Path("runbook.yaml"), 7, 10)
VALUES = st.text(
    st.one_of(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.sampled_from(" \t\n\r'\"\\$`;&|<>(){}[]*?!#~=-%^@:,\x1b"),
    ),
    min_size=1,
    max_size=20,
)
PLACES = {
    "printf '<%s>' ${{ v }}": "<{}>",
    "printf '<%s>' x${{ v }}y": "<x{}y>",
    "printf '<%s>' \"a ${{ v }} b\"": "<a {} b>",
    'printf \'<%s>\' "$(printf %s. "${{ v }}")"': "<{}.>",
    "printf '<%s>' \"$(printf %s. ${{ v }})\"": "<{}.>",
    "printf '<%s>' $(:) /srv/'a b'${{ v }}\"c\"": "</srv/a b{}c>",
    "if [ -n ${{ v }} ]; then printf '<%s>' \"x${{ v }}\"; fi": "<x{}>",
    "(printf '<%s>' x${{ v }} | cat)": "<x{}>",
    "printf '<%s>' 'single' \"it's\" x${{ v }}": "<single><it's><x{}>",
    'printf "<%s>" "\\"${{ v }}\\""': '<"{}">',
    "printf '<%s><%s>' x${{ v }} \"y${{ v }}\"": "<x{0}><y{0}>",
}
SHELLS = (["dash"], ["bash"], ["busybox", "sh"], ["zsh", "--emulate", "sh"])


def template(text: str) -> Template:
    return parse_template(text, PLACE)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("text", PLACES)
@given(value=VALUES)
@example(value="$(touch MARK)")
@example(value="x'; touch MARK; '")
@example(value='x"; touch MARK; "')
@example(value="\ntouch MARK\n")
@example(value="\\")
@settings(max_examples=12)
def test_a_value_is_the_text_that_it_is_in_every_place(
    tmp_path_factory: pytest.TempPathFactory, shell: list[str], text: str, value: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        _, *arguments = render_shell(template(text), {"v": value}).argv
    except EvaluationError as error:
        assert value.startswith("-") or "/'a b'" in text, error
        return
    ran = subprocess.run([*shell, *arguments], capture_output=True, timeout=30, cwd=folder, check=False)
    assert ran.stdout.decode() == PLACES[text].format(value), ran.stderr
    assert not (folder / "MARK").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo '${{ v }}'", "single quotes"),
        ("ls -d '/srv/${{ v }}/x'", "single quotes"),
        ('x=${{ v }}; echo "$x"', "assignment"),
        ("FOO=${{ v }} env", "assignment"),
        ('for x in ${{ v }}; do echo "$x"; done', "assignment"),
        ("echo a # ${{ v }}", "no part"),
        ("case ${{ v }} in a) echo a;; esac", "no part"),
    ],
)
def test_a_value_where_it_is_no_parameter_is_refused(text: str, message: str) -> None:
    with pytest.raises(MisplacedValueError, match=message) as caught:
        places_of(template(text))
    assert template(text).parts[caught.value.part] == template(text).parts[1]
    with pytest.raises(EvaluationError, match=message):
        render_shell(template(text), {"v": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "cat <<EOF\nmount ${{ v }}\nEOF",
        "cat <<-EOF\n\t${{ v }}\n\tEOF",
        "echo $'it\\'s ${{ v }}'",
        "echo $((${{ v }}))",
        "echo $(( x + ${{ v }} ))",
        "a[${{ v }}]=1",
        "echo ${x:-${{ v }}}",
        "echo $${{ v }} `echo ${{ v }}`\\",
        "echo \\${{ v }}",
    ],
)
def test_text_that_shells_read_differently_is_refused_with_its_values(text: str) -> None:
    with pytest.raises((MisplacedValueError, ShellSyntaxError)):
        places_of(template(text))
    with pytest.raises(EvaluationError):
        render_shell(template(text), {"v": "x"})


def test_the_script_stays_as_it_is_written_and_values_are_set_beside_it() -> None:
    text = render_shell(
        template('ls -d /srv/${{ inputs.dir }} "x ${{ pod }}"'), {"inputs": {"dir": "a b"}, "pod": "web"}
    )
    assert text.script == 'ls -d /srv/"${breakglass_inputs_dir}" "x ${breakglass_pod}"'
    assert text.values == {"breakglass_inputs_dir": "a b", "breakglass_pod": "web"}
    assert text.argv[:2] == ("sh", "-c")
    assert text.argv[3:] == ("sh", "a b", "web")
    assert text.shown == "ls -d /srv/'a b' \"x web\""
    assert with_values(text.argv[2], text.argv[4:]) == "ls -d /srv/'a b' \"x web\""


def test_text_without_values_is_run_as_it_is() -> None:
    assert render_shell(template("uptime; df -h"), {}).argv == ("sh", "-c", "uptime; df -h")


def test_more_than_nine_values_each_arrive() -> None:
    names = [f"v{number}" for number in range(12)]
    scope: dict[str, Json] = {name: name.upper() for name in names}
    text = render_shell(template("echo " + " ".join(f"${{{{ {name} }}}}" for name in names)), scope)
    ran = subprocess.run(text.argv, capture_output=True, timeout=30, text=True, check=True)
    assert ran.stdout == " ".join(name.upper() for name in names) + "\n"


def test_a_variable_of_the_script_is_not_taken() -> None:
    text = render_shell(template('breakglass_v=mine; echo "$breakglass_v" ${{ v }}'), {"v": "theirs"})
    ran = subprocess.run(text.argv, capture_output=True, timeout=30, text=True, check=True)
    assert ran.stdout == "mine theirs\n"


@pytest.mark.parametrize("text", ["rm -rf ${{ v }}/*", 'rm -rf "${{ v }}"/*', "rm --path=${{ v }}"])
def test_an_empty_value_never_leaves_the_machine(text: str) -> None:
    with pytest.raises(EvaluationError, match="empty"):
        render_shell(template(text), {"v": ""})
    optional = with_expressions(template(text), lambda each: replace(each, optional=True))
    assert render_shell(optional, {"v": ""}).values == {"breakglass_v": ""}


@pytest.mark.parametrize("text", ["rm ${{ v }}", 'rm "${{ v }}"', 'rm "${{ v }}x"', "rm ${{ v }}${{ v }}"])
def test_a_value_is_never_an_option(text: str) -> None:
    with pytest.raises(EvaluationError, match="option"):
        render_shell(template(text), {"v": "-rf"})


def test_a_dash_within_a_word_is_text() -> None:
    assert render_shell(template("ls x${{ v }}"), {"v": "-rf"}).shown == "ls x-rf"


@pytest.mark.parametrize("value", ["..", "../etc", "/", ".", " "])
def test_a_part_of_a_path_leads_nowhere_else(value: str) -> None:
    with pytest.raises(EvaluationError, match="leads to another place"):
        render_shell(template("rm -rf ${{ v }}/*"), {"v": value})
