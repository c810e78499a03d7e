"""Every exception that the service raises on purpose.

    ReportServiceError              root: a message for the operator, and a hint that says the way out
    +-- UsageError                  the command cannot be carried out as it was given        exit 2
    |   +-- ConfigurationError      settings: unknown key, wrong type, missing secret
    |   +-- BadInput                a file, a row, a column, a key that breaks a rule
    |   +-- UnknownDelivery         a key that the ledger does not know
    |   +-- SchemaOutdated          the store's tables are not this version's
    |   +-- NothingDue              the month lies before the first one to be reported
    +-- WindowError                 law 1: no report may be created now                      exit 3
    |   +-- WindowNotOpen
    |   +-- WindowClosed
    +-- Stopped                     the run cannot go on; what is left stays due             exit 4
    |   +-- CredentialsRefused      no token, or a fresh token is refused
    |   +-- CorrectionsRefused      the API takes no corrections
    |   +-- PermissionRefused       403 on everything
    |   +-- ApiUnavailable          no usable answer when patience ended
    |   +-- ClockDisagrees          by the API's clock the month cannot be reported now
    |   +-- LeaseHeld               another process delivers to this endpoint
    |   +-- LeaseLost               this process no longer delivers
    |   +-- StoreUnavailable        the database cannot be reached
    +-- SourceUnavailable           a table of figures cannot be read: its kind waits        exit 3
    +-- IllegalTransition           the state machine was asked for what it forbids          exit 1, a bug
    +-- ContractViolation           a log event that is not declared; raised in tests only   exit 1, a bug

The first line of a class's docstring is its default message.
"""

from __future__ import annotations


class ReportServiceError(Exception):
    """Something that the operator should know went wrong."""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        """Take the docstring as the message unless one is given; `hint` says the way out."""
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        super().__init__(self.message)


class UsageError(ReportServiceError):
    """The command cannot be carried out as it was given."""


class ConfigurationError(UsageError):
    """The configuration is not usable."""


class BadInput(UsageError):
    """The input breaks a rule."""


class UnknownDelivery(UsageError):
    """The ledger knows no report with this key."""


class SchemaOutdated(UsageError):
    """The store's tables are not those of this version."""


class NothingDue(UsageError):
    """Nothing is due for this month."""


class WindowError(ReportServiceError):
    """No report for this month may be created now."""


class WindowNotOpen(WindowError):
    """The month is not over yet: its window has not opened."""


class WindowClosed(WindowError):
    """The month is no longer the previous month: its window has closed."""


class RunHalted(ReportServiceError):
    """The run cannot go on; what is left stays due."""


class CredentialsRefused(RunHalted):
    """The API does not accept the credentials."""


class CorrectionsRefused(RunHalted):
    """The API takes no corrections."""


class PermissionRefused(RunHalted):
    """The API refuses permission for everything that is sent."""


class ApiUnavailable(RunHalted):
    """The API gave no usable answer."""


class ClockDisagrees(RunHalted):
    """By the API's clock the month cannot be reported now; by ours it can."""


class LeaseHeld(RunHalted):
    """Another process delivers to this endpoint."""


class LeaseLost(RunHalted):
    """This process no longer holds the right to deliver."""


class StoreUnavailable(RunHalted):
    """The database cannot be reached."""


class SourceUnavailable(ReportServiceError):
    """A source of figures cannot be read."""


class IllegalTransition(ReportServiceError):
    """A delivery was asked for a step that its state does not allow."""


class ContractViolation(ReportServiceError):
    """A log event breaks the log contract."""
