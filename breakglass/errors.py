"""Every error that the program raises on purpose, as one tree.

* BreakglassError
  * UserError: nothing was begun, or it could not go on. A person is told, and can mend it
    * InvalidFileError: a runbook, site or scenario; carries each problem with file, line and column
    * RunbookNotFoundError, AmbiguousRunbookError: the name of a runbook
    * OpeningError: what a session needs to begin or to be resumed
    * AdhocError: the one action of `exec`
    * TriageError: what `triage` would look at
    * StateFolderError: where sessions are kept
      * NowhereToWriteError: no folder takes a record; one may still read
    * JournalError: the record of a session
      * SessionHeldError: another process has it open
      * JournalUnwritableError: what must be on disk is not; nothing may be sent now
    * OutputStoreError: the output of a request could not be kept
    * SecretError: a secret that cannot be had
    * LocalProgramError: a program of this machine that cannot or must not be run
    * RouteError, ClientConfigError: the way to an SSH host
    * ForwardError: a port-forward through a cluster
    * SiteFileError, ReportFileError, NotServedError: what `site`, `report` and `serve` were to make
    * PageError: a page that no draft can be made of
    * NotOfTheSiteError: a name that `site explain` does not find
  * CommandRefusedError: what the operator said does not apply now; the session is as it was
  * StepError: a step cannot go on. Nothing was sent for it; the walk records why and asks what next
    * PreparationError: no request can be made of it, or it must not be sent
    * EvaluationError: an expression has no value here
    * ConfirmationTextError: no text could be typed that means something
  * NotUnderstoodError: a text that is not wholly understood. What was to be judged counts as a change
    * ShellSyntaxError, KubectlSyntaxError, ProgramTextError: commands, and programs of sed, awk and jq
    * MisplacedValueError, NotJsonError: a value where it could be taken for code
    * NotATemplateError: a line of a page that cannot hold a value
    * TableError: a table of known programs
  * RequestError: stays within one transport, which makes a result with a fault of it
    * KubectlFaultError, SshFaultError, HttpNotSentError: with the fault that the result gets
    * ProxyRefusedError: a SOCKS5 proxy gives no way through
    * ApiConnectionLostError, ConnectionLostError: the connection ended under way
    * SessionsFullError, UnknownHostKeyError, PassphraseWantedError: what SSH may mend and try again
    * CertificateError: what a host has shown beside its key is no certificate
    * OutputLimitError: the far side said more than may be kept
  * WorldFaultError: a rule of a scenario cannot be carried out; the rehearsal says so
  * SimulatorError: stays within a simulated server, which answers with it
    * ApiError, PatchError, CronScheduleError, CutConnectionError: what the simulated Kubernetes API refuses
    * ProtobufError: what a client sent is not of the protocol
  * SpdyError: the far side does not speak SPDY; stays with whoever reads its frames

Decide by the second level: show a UserError and end; tell a CommandRefusedError and stay; record a StepError.
The others never leave the package that raises them. `cli/main.py` catches the root, once, for all commands.

The text of an error is for a person. It names what failed, where, and what to do next. No secret is in it.
"""


class BreakglassError(Exception):
    """The root. Whatever else comes out of the program is a fault of the program."""


class UserError(BreakglassError):
    """Something that the user can mend. Its text names what failed, where, and what to do next."""


class CommandRefusedError(BreakglassError):
    """The command does not apply now; the message says why and what does."""


class StepError(BreakglassError):
    """A step cannot go on, and nothing was sent for it. The message goes on record and to the operator."""


class PreparationError(StepError):
    """An action cannot be made into a request, or must not be sent; the message says why."""


class NotUnderstoodError(BreakglassError):
    """A text of which some part is not understood. The message says which, as a part of a sentence."""


class RequestError(BreakglassError):
    """A request did not come to its end. Raised and caught within one transport."""


class SimulatorError(BreakglassError):
    """A simulated server refuses, or breaks off. Raised and caught within the simulator and its scenario."""
