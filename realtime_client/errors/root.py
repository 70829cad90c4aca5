"""The root of everything that this package raises on purpose."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["RealtimeError"]


class RealtimeError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""

    retryable: ClassVar[bool] = False
