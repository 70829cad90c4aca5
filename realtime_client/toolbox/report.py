"""What became of each call, for whoever wants to look."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple
from weakref import WeakSet

from realtime_client.errors import ClientClosed, RealtimeError
from realtime_client.streams import Once

__all__ = ["Reports", "ToolReport", "What"]

REPORTS_BOUND: Final = 10_000
"""Reports that one unread `reports()` may hold."""

What = Literal[
    "answered",
    "wrong_arguments",
    "failed",
    "raised",
    "timeout",
    "cancelled",
    "unknown",
    "no_tools",
    "too_many_calls",
    "by_hand",
    "refused",
    "dropped",
    "too_many_rounds",
    "asked_already",
    "interrupted",
    "follow_up_failed",
]


class ToolReport(NamedTuple):
    """What became of a call, or of asking the model to go on after it.

    One for each call. The model has an output where `what` is `answered`, `wrong_arguments`,
    `failed` (the function raised a `ToolError`), `raised` (anything else), `timeout`,
    `cancelled` (the function was, by itself), `unknown`, `no_tools` (its response had none) or
    `too_many_calls` (as many as may wait for their turn did). It has none of ours where it is
    `by_hand` (the user answers it; out of band nobody can), `refused` (the server did not take
    it) or `dropped` (the connection was over, or the user had answered meanwhile).

    Without a call, where the model was not asked to go on: `too_many_rounds`, `asked_already`
    (another response came first that sees the outputs), `interrupted` (the response was
    cancelled or has failed, or somebody has interrupted since) and `follow_up_failed`. `error`
    is what was raised, whole; the model has seen the words of a `ToolError` only.
    """

    what: What
    call_id: str | None
    name: str | None
    error: BaseException | None = None


class Reports:
    """Everybody who reads the reports; known by weak reference only."""

    def __init__(self) -> None:
        self._watches: WeakSet[Once[ToolReport]] = WeakSet()

    def watch(self) -> Once[ToolReport]:
        """A new watch, from now on."""
        watch: Once[ToolReport] = Once(
            "tools.reports()", bound=REPORTS_BOUND, size=lambda _: 1, unit="reports"
        )
        self._watches.add(watch)
        return watch

    def tell(self, report: ToolReport) -> None:
        """Hand a report to everybody."""
        for watch in self._watches:
            watch.push(report)

    def end(self, error: RealtimeError) -> None:
        """There will be no more; closing the client oneself is no error."""
        for watch in self._watches:
            watch.end(None if isinstance(error, ClientClosed) else error)
