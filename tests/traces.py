"""What a service that collects tracebacks would get to see."""

from __future__ import annotations

import traceback
from pathlib import Path

__all__ = ["seen_by_collectors"]

TESTS = str(Path(__file__).parent)


def seen_by_collectors(error: BaseException) -> str:
    """The error, what it came from, and the locals of every frame that is not a test's."""
    shown = [f"{type(error).__name__}: {error}"]
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(TESTS):
            shown.append(f"{frame.f_code.co_qualname}:{line} {frame.f_locals!r}")
    others = [other for other in (error.__cause__, error.__context__) if other is not None]
    return "\n".join([*shown, *map(seen_by_collectors, others)])
