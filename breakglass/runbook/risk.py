"""The risk of an action: judged from what it runs, beside what its author declares."""

from collections.abc import Sequence
from dataclasses import replace

from breakglass.policy.commands import (
    judge_command,
    judge_fed,
    judge_kubectl,
    judge_method,
    judge_shell,
    worst_of,
)
from breakglass.policy.local_programs import other_readings
from breakglass.policy.placeholders import shown
from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.policy.shell import ShellSyntaxError, parse
from breakglass.policy.site_rules import NOTHING, SiteRules, judge_verb
from breakglass.runbook.actions import Action, HttpAction, KubectlAction, LocalAction, SshAction
from breakglass.runbook.template import placeholder, placeholder_words

HARMLESS = Judgement(Risk.READ, Knowledge.READS, "it sends no command")


def judged(action: Action | None, says: SiteRules = NOTHING) -> Judgement:
    """What an action may do, whatever its values are. `says` is what the site adds, where it is known."""
    match action:
        case KubectlAction(words=words, stdin=stdin):
            return judged_kubectl(placeholder_words(words), says, fed=stdin is not None)
        case SshAction(words=words, shell=shell, stdin=stdin):
            host, fed = placeholder(action.host), stdin is not None
            return judged_ssh(host, placeholder_words(words), says, shell=shell, fed=fed)
        case LocalAction(words=words, shell=shell, stdin=stdin):
            return judged_local(placeholder_words(words), says, shell=shell, fed=stdin is not None)
        case HttpAction(method=method):
            return judge_method(method)
        case _:
            return HARMLESS


def judged_kubectl(words: Sequence[str], says: SiteRules, *, fed: bool) -> Judgement:
    """What a kubectl line may do. `fed`: it is given something on its standard input."""
    return _with_input(judge_kubectl(words, says.reads), words, fed)


def judged_ssh(host: str, words: Sequence[str], says: SiteRules, *, shell: bool, fed: bool) -> Judgement:
    """What a command on a host may do. With `shell`, it is one text for `sh`. `fed` as for a kubectl line."""
    if host in says.forced:
        found = judge_verb(words)
    elif shell:
        found = judge_shell(words[0], says.reads)
    else:
        found = judge_command(words, says.reads)
    return _with_input(found, words, fed)


def judged_local(words: Sequence[str], says: SiteRules, *, shell: bool, fed: bool) -> Judgement:
    """What a command on this machine may do, judged as over SSH: by the site's names for its programs and by
    what these are called where they are. `shell` and `fed` as for SSH."""
    if shell:
        found = judge_shell(words[0], says.reads)
        try:
            commands = [each.words for each in parse(words[0])]
        except ShellSyntaxError:
            commands = []
    else:
        found = judge_command(words, says.reads)
        commands = [words]
    others = (judge_command(each, says.reads) for each in other_readings(commands, says.programs))
    return _with_input(worst_of((found, *others)), words, fed)


def _with_input(found: Judgement, words: Sequence[str], fed: bool) -> Judgement:
    if fed:
        found = worst_of((found, judge_fed(words)))
    return replace(found, why=shown(found.why), word=shown(found.word))
