"""Which failures a second try can mend. Policy only: no connection is made here.

"Never retry 3000, 4000, 401, 403, or a fatal error code": a wrong key stays wrong, and a
client that keeps trying it looks like an attack.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FATAL_CLOSE_CODES", "is_fatal_close"]

FATAL_CLOSE_CODES: Final = frozenset({3000, 4000, 1008})
"""3000 bad or missing key; 4000 bad model, missing model, beta header; 1008 policy."""


def is_fatal_close(code: int | None) -> bool:
    """Whether a close code says that trying again cannot help."""
    return code in FATAL_CLOSE_CODES
