"""From a step's action to the request that will be sent: rendered, understood, judged, and in words.

Each value passes here once. What is shown and what is sent are made from the same rendered values, so that
they cannot differ. The one exception is a secret: `secrets.NAME` is shown by its name and put in only for
sending. Both forms are judged with their values, and what nobody was asked about goes no further unless both
are reads.
"""

import json as jsonlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import yaml

from breakglass.engine.admission import require_planned_risk, require_read
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway
from breakglass.engine.scope import Scopes
from breakglass.errors import NotUnderstoodError, PreparationError
from breakglass.policy.commands import SYSTEM_FOLDERS, judge_method
from breakglass.policy.kubectl.manifest import with_manifest
from breakglass.policy.kubectl.operations import KubectlCommand
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.local_programs import objection, started_by
from breakglass.policy.risk import Assessment, Judgement, Knowledge
from breakglass.runbook.actions import (
    HttpAction,
    KubectlAction,
    LocalAction,
    ProbeAction,
    ReachingAction,
    SshAction,
)
from breakglass.runbook.arguments import render_stdin, render_words
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.http_text import render_body, render_header, render_path
from breakglass.runbook.risk import HARMLESS, judged_kubectl, judged_local, judged_ssh
from breakglass.runbook.shell_text import render_shell
from breakglass.runbook.template import (
    Template,
    render,
    render_known,
    render_tree,
    render_values,
    with_templates,
)
from breakglass.site.model import Endpoint, Site
from breakglass.site.redaction import MARK, Redactor, texts_of
from breakglass.site.secrets import SecretError
from breakglass.transport.base import (
    SUDO,
    HttpRequest,
    KubectlRequest,
    LocalProgram,
    LocalRequest,
    ProbeRequest,
    Request,
    SshRequest,
)
from breakglass.transport.output import shortened
from breakglass.values import Json, Scope

_MARKS = Redactor()
_MARKS.add(MARK)

LOST_SECRET = (
    f"what would be sent is made from a secret, of which the record has only {MARK}: run the step that reads "
    "it again first"
)

LONGEST_WORDS = 4000
"""Characters of a text for people. Its record, and every screen that wraps it, stays small."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """Rendered Kubernetes preconditions."""

    uid: str | None = None
    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, what it is in words, where it goes, and what its words are known to do there."""

    request: Request
    kind: str
    command: str
    where: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Preparer:
    """Makes the requests of one session."""

    gateway: Gateway
    clock: Clock

    async def change(
        self,
        action: ReachingAction,
        planned: Assessment,
        scopes: Scopes,
        timeout: float,
        pinned: Pinned | None = None,
    ) -> tuple[Prepared, Prepared]:
        """The request of a change as it is shown and as it is sent.

        Raises PreparationError, with the reason, where it cannot be made, or is more than it is planned as.
        """
        shown, sent = await self._both(action, scopes, timeout, pinned)
        require_planned_risk(planned, shown.judgement, sent.judgement)
        return shown, sent

    async def read(
        self, action: ReachingAction, planned: Assessment, scopes: Scopes, timeout: float
    ) -> tuple[Prepared, Prepared, Assessment]:
        """The request of a read as it is shown and as it is sent, and what it counts as.

        Raises PreparationError, with the reason, where it cannot be made, or is not a read.
        """
        shown, sent = await self._both(action, scopes, timeout, None)
        return shown, sent, require_read(planned, shown.judgement, sent.judgement)

    async def _both(
        self, action: ReachingAction, scopes: Scopes, timeout: float, pinned: Pinned | None
    ) -> tuple[Prepared, Prepared]:
        """The two forms. They differ only where a secret is put in, and are one where there is none."""
        site, limit = self.gateway.site, self.clock.deadline(timeout)

        programs = await self.gateway.programs(action)

        def made(action: ReachingAction, scope: Scope) -> Prepared:
            return prepare(action, site, scope, timeout=limit, pinned=pinned, programs=programs)

        try:
            shown_secrets, secrets = await self.gateway.secret_values(action)
            if secrets:
                scopes = scopes.plus(secrets=(secrets, shown_secrets))
            if scopes.same:
                shown = sent = made(action, scopes.real)
            else:
                # What has a value only with a secret is shown as a mark.
                shown = made(with_templates(action, scopes.shown_template), scopes.shown)
                sent = made(action, scopes.real)
            guessed = {**scopes.real, **scopes.lost}
            if holds_mark(sent.request) or (scopes.lost and made(action, guessed).request != sent.request):
                raise PreparationError(LOST_SECRET)
        except (EvaluationError, SecretError) as error:
            raise PreparationError(str(error)) from error
        return shown, sent


def prepare(
    action: ReachingAction,
    site: Site,
    scope: Scope,
    *,
    timeout: float,
    pinned: Pinned | None = None,
    dry_run: bool = False,
    programs: Sequence[LocalProgram] = (),
) -> Prepared:
    """Render an action against a scope. programs: those of this machine that it starts.

    Raises PreparationError for a name that the site does not have, and EvaluationError for a value that is
    missing or must not stand where it would.
    """
    match action:
        case KubectlAction():
            return _kubectl(action, site, scope, timeout, pinned or Pinned(), dry_run)
        case SshAction():
            return _ssh(action, site, scope, timeout)
        case HttpAction():
            return _http(action, site, scope, timeout)
        case LocalAction():
            return _local(action, site, scope, timeout, programs)
        case ProbeAction():
            arguments = {name: render_tree(tree, scope) for name, tree in action.arguments.items()}
            shown = " ".join(f"{name}={_inline(value)}" for name, value in arguments.items())
            request = ProbeRequest(action.name, arguments, timeout)
            command = f"probe {action.name} {shown}".rstrip()
            return Prepared(request, "probe", command, f"site {site.name}", HARMLESS)


def holds_mark(request: Request) -> bool:
    """Whether a request holds the mark of a secret that was taken out, in any of its forms.
    Sent, it would take the place of what the far side has."""
    match request:
        case (
            KubectlRequest(command=KubectlCommand(argv=argv), stdin=stdin)
            | SshRequest(argv=argv, stdin=stdin)
            | LocalRequest(argv=argv, stdin=stdin)
        ):
            texts = [*argv, (stdin or b"").decode(errors="replace")]
        case HttpRequest(path=path, query=query, headers=headers, body=body):
            texts = [path, *query.values(), *headers.values(), (body or b"").decode(errors="replace")]
        case ProbeRequest(arguments=arguments):
            texts = list(texts_of(dict(arguments)))
    return any(map(_MARKS.finds, texts))


def _kubectl(
    action: KubectlAction, site: Site, scope: Scope, timeout: float, pinned: Pinned, dry_run: bool
) -> Prepared:
    name = action.cluster or _only(site.clusters, "cluster", site)
    if name not in site.clusters:
        raise PreparationError(site.lacks("cluster", name, site.clusters))
    cluster = site.clusters[name]
    command = understood(render_words(action.words, scope))
    judgement = judged_kubectl(command.argv, site.says, fed=action.stdin is not None)
    stdin = render_stdin(action.stdin, scope).encode() if action.stdin is not None else None
    shown = f"kubectl {shlex.join(command.argv)}"
    if action.manifest is not None:
        manifest = render_tree(action.manifest, scope)
        try:
            command = with_manifest(command, manifest)
        except NotUnderstoodError as error:
            raise PreparationError(str(error)) from error
        stdin = jsonlib.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()
        shown += f"\n{yaml.safe_dump(manifest, allow_unicode=True)}".rstrip()
    request = KubectlRequest(
        cluster=name,
        command=command,
        timeout=timeout,
        changing=judgement.knowledge is not Knowledge.READS or bool(judgement.site),
        driver=action.driver,
        stdin=stdin,
        uid=pinned.uid,
        resource_version=pinned.resource_version,
        dry_run=dry_run,
    )
    where = f"cluster {name}"
    if cluster.context or cluster.server:
        where += f" ({cluster.context or cluster.server})"
    if cluster.impersonate:
        where += f" as {cluster.impersonate}"
    if not cluster.verify_tls:
        where += " TLS NOT VERIFIED"
    return Prepared(request, "kubectl", shown, where, judgement)


def _ssh(action: SshAction, site: Site, scope: Scope, timeout: float) -> Prepared:
    name = render_values(action.host, scope)
    if name not in site.hosts:
        raise PreparationError(site.lacks("host", name, site.hosts))
    host = site.hosts[name]
    if action.shell:
        script = render_shell(action.words[0], scope)
        argv, command = script.argv, script.shown
        words = (command,)
    else:
        argv = words = render_words(action.words, scope)
        command = shlex.join(argv)
    if action.sudo:
        argv = (*SUDO, *argv)
        command = shlex.join((*SUDO, "sh", "-c", command) if action.shell else argv)
    if host.forced_command and (action.sudo or action.shell or len(action.words) != 1):
        raise PreparationError(f"host {name} takes one bare verb and nothing else; {command!r} is not one")
    judgement = judged_ssh(name, words, site.says, shell=action.shell, fed=action.stdin is not None)
    stdin = render_stdin(action.stdin, scope).encode() if action.stdin is not None else None
    address = host.address if host.port is None else f"{host.address}:{host.port}"
    where = f"{host.user}@{name} ({address})" if host.user else f"{name} ({address})"
    return Prepared(SshRequest(name, argv, timeout, stdin), "ssh", command, where, judgement)


def _local(
    action: LocalAction, site: Site, scope: Scope, timeout: float, programs: Sequence[LocalProgram]
) -> Prepared:
    if action.shell:
        script = render_shell(action.words[0], scope)
        argv, command = script.argv, script.shown
        words, places = (command,), ()
    else:
        argv = words = render_words(action.words, scope)
        command = shlex.join(argv)
        started = started_by(argv)
        if wrong := objection(started, {each.name: (each.path,) for each in programs}):
            raise PreparationError(wrong)
        places = tuple(at for each in started if (at := each.place) is not None and "/" not in each.word)
    leads = {each.name: (each.path, each.leads_to) for each in programs}
    judgement = judged_local(
        words, replace(site.says, programs=leads), shell=action.shell, fed=action.stdin is not None
    )
    stdin = render_stdin(action.stdin, scope).encode() if action.stdin is not None else None
    request = LocalRequest(argv, timeout, tuple(programs), places, action.shell, stdin)
    where = "; ".join((site.local.where, *(_whence(each) for each in programs if _whence(each))))
    return Prepared(request, "local", command, where, judgement)


def _whence(program: LocalProgram) -> str:
    """Which file a program is, where its name does not say so."""
    usual = (
        program.path.rpartition("/")[2] == program.name and program.path.rpartition("/")[0] in SYSTEM_FOLDERS
    )
    linked = program.leads_to and program.leads_to.rpartition("/")[2] != program.name
    if usual and not linked:
        return ""
    return f"{program.name} is {program.path}" + (f", which leads to {program.leads_to}" if linked else "")


def _http(action: HttpAction, site: Site, scope: Scope, timeout: float) -> Prepared:
    if action.endpoint not in site.endpoints:
        raise PreparationError(site.lacks("endpoint", action.endpoint, site.endpoints))
    endpoint = site.endpoints[action.endpoint]
    headers = {name: render_header(value, scope) for name, value in action.headers.items()}
    body = render_body(action.body, action.headers, scope) if action.body is not None else None
    if action.json is not None:
        # A map has no order of its own; sorted, what is shown, sent and recorded is the same each time.
        body = jsonlib.dumps(render_tree(action.json, scope), sort_keys=True, ensure_ascii=False).encode()
        headers.setdefault("Content-Type", "application/json")
    request = HttpRequest(
        method=action.method.upper(),
        endpoint=action.endpoint,
        timeout=timeout,
        path=render_path(action.path, scope) if action.path is not None else "",
        query={name: render_values(value, scope) for name, value in action.query.items()},
        headers=headers,
        body=body,
        follow=action.follow,
        anonymous=action.anonymous,
    )
    command = _http_command(request, endpoint)
    where = f"endpoint {endpoint.name}" + (f" (pinned to {endpoint.resolve})" if endpoint.resolve else "")
    if not endpoint.verify_tls:
        where += " TLS NOT VERIFIED"
    return Prepared(request, "http", command, where, judge_method(action.method))


def _http_command(request: HttpRequest, endpoint: Endpoint) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    url = endpoint.url.rstrip("/") + request.path if request.path else endpoint.url
    lines = [f"{request.method} {url}{'?' + query if query else ''}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body is not None:
        lines.append(request.body.decode(errors="replace"))
    return "\n".join(lines)


def _only(names: Mapping[str, object], what: str, site: Site) -> str:
    if len(names) == 1:
        return next(iter(names))
    raise PreparationError(
        f"site {site.name} has {len(names)} {what}s ({', '.join(names) or 'none'}); the step must name one"
    )


def _inline(value: Json) -> str:
    return value if isinstance(value, str) else jsonlib.dumps(value)


def words_of(template: Template, scopes: Scopes) -> str:
    """A template for people, rendered. What is put in may be a whole output, so it is cut to LONGEST_WORDS.

    Raises EvaluationError.
    """
    return shortened(render(scopes.shown_template(template), scopes.shown), LONGEST_WORDS)


def known_words(template: Template | None, scopes: Scopes) -> str:
    """A template for people, with the values that are there; see `render_known`. Empty for none."""
    if template is None:
        return ""
    return shortened(render_known(scopes.shown_template(template), scopes.shown), LONGEST_WORDS)


def text_or_reason(template: Template | None, scopes: Scopes) -> str:
    """A template for people, rendered; where a value is missing, its source with the reason, never an
    error."""
    if template is None:
        return ""
    try:
        return words_of(template, scopes)
    except EvaluationError as error:
        return f"{template.source} [{error}]"
