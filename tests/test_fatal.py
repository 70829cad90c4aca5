"""What is never tried again: by close code, by status, and by the name of an error."""

from __future__ import annotations

import pytest

from realtime_client.fatal import (
    FATAL_CLOSE_CODES,
    FATAL_ERRORS,
    FATAL_STATUSES,
    is_fatal,
)

NAMED_BY_THE_PROTOCOL = [
    "invalid_api_key",
    "insufficient_quota",
    "account_deactivated",
    "billing_hard_limit_reached",
    "credit_balance_exhausted",
]


@pytest.mark.parametrize("name", NAMED_BY_THE_PROTOCOL)
def test_an_error_is_fatal_by_its_code_or_by_its_type(name: str) -> None:
    assert is_fatal(None, name, "invalid_request_error")
    assert is_fatal(None, None, name), "some servers put the name in `type` with `code: null`"
    assert is_fatal(None, name)
    assert name in FATAL_ERRORS


@pytest.mark.parametrize(
    "name", ["session_expired", "rate_limit_exceeded", "server_error", "", None]
)
def test_other_errors_may_pass(name: str | None) -> None:
    assert not is_fatal(None, name, "invalid_request_error")


def test_close_codes() -> None:
    assert {code for code in range(1000, 5000) if is_fatal(code)} == {3000, 4000}
    assert {3000, 4000} == FATAL_CLOSE_CODES
    assert not is_fatal(None)
    assert not is_fatal(1008), "a pool that is full empties"
    assert is_fatal(1011, "invalid_api_key")
    assert is_fatal(3000, None, None)


def test_statuses() -> None:
    assert {401, 403, 400, 404} <= FATAL_STATUSES
    assert FATAL_STATUSES.isdisjoint({408, 425, 429, 500, 502, 503, 101, 301})
