"""Every error that the service raises has the exit code that the design gives it."""

from __future__ import annotations

import pytest

from report_service import errors
from report_service.cli.exits import code_of
from report_service.errors import ReportServiceError

CODES = {
    2: {"BadInput", "ConfigurationError", "NothingDue", "SchemaOutdated", "UnknownDelivery", "UsageError"},
    3: {"SourceUnavailable", "WindowClosed", "WindowError", "WindowNotOpen"},
    4: {
        *("ApiUnavailable", "CredentialsRefused", "LeaseHeld", "LeaseLost", "PermissionRefused", "RunHalted"),
        "StoreUnavailable",
    },
    1: {"ContractViolation", "IllegalTransition", "ReportServiceError"},
}
ERRORS = [
    error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, ReportServiceError)
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_has_the_exit_code_of_what_a_person_does_about_it(error: type[ReportServiceError]) -> None:
    by_base = {name: code for code, names in CODES.items() for name in names}
    named = next(base.__name__ for base in error.__mro__ if base.__name__ in by_base)

    assert code_of(error()) == by_base[named]


def test_a_message_is_there_without_one_being_given() -> None:
    assert all(error().message for error in ERRORS)
