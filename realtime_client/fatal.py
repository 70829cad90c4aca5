"""What a server says that it will say again, however often it is asked.

"Never retry 3000, 4000, 401, 403, or a fatal error code": a wrong key stays wrong, and a
client that keeps trying it looks like an attack.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FATAL_CLOSE_CODES", "FATAL_ERRORS", "FATAL_STATUSES", "PASSING_ERRORS", "is_fatal"]

FATAL_STATUSES: Final = frozenset(range(400, 500)) - {408, 425, 429}
"""HTTP: what is wrong with a request stays wrong, but for "too slow", "too early", "too many"."""

FATAL_CLOSE_CODES: Final = frozenset({3000, 4000})
"""3000 bad or missing key; 4000 bad model, missing model, beta header. 1008 is "policy or pool
full", and a full pool empties."""

FATAL_ERRORS: Final = frozenset(
    {
        "invalid_api_key",
        "insufficient_quota",
        "account_deactivated",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "beta_api_shape_disabled",
        "model_not_found",
    }
)
"""Errors by their name, be it in `code` or in `type`."""


PASSING_ERRORS: Final = frozenset(
    {"rate_limit_exceeded", "inference_rate_limit_exceeded", "server_error"}
)
"""Errors that the same request may not get the next time."""


def is_fatal(close_code: int | None, *names: str | None) -> bool:
    """Whether a close code, or the `code` or the `type` of an error, is one of these."""
    return close_code in FATAL_CLOSE_CODES or not FATAL_ERRORS.isdisjoint(names)
