"""What else can become of a call, of a stream, or of what the server sends."""

from __future__ import annotations

from typing import Any, ClassVar

from realtime_client.errors.root import RealtimeError
from realtime_client.redaction import redacted

__all__ = [
    "AcknowledgementTimeout",
    "ConfigDrift",
    "ConversationBusy",
    "DeviceError",
    "InvalidServerEvent",
    "ResponseAbandoned",
    "ResponseWithdrawn",
    "SlowConsumer",
    "SyncIncomplete",
    "ToolError",
    "TraceFailed",
    "UnreadableAnswer",
    "WebhookRefused",
]


class ConfigDrift(RealtimeError):
    """The server acknowledged an update, but not with the values that were asked.

    `ignored` lists the fields: path, asked and effective value, with `***` for credentials.
    Raised in strict mode only.
    """

    def __init__(self, ignored: tuple[Any, ...]) -> None:
        self.ignored: tuple[Any, ...] = redacted(ignored)
        super().__init__(
            "the server did not take what was asked: " + ", ".join(path for path, _, _ in ignored)
        )


class ResponseAbandoned(RealtimeError):
    """The server said nothing more about a response for so long that it was given up.

    `response_id` is None where not even its `response.created` has come.
    """

    def __init__(self, message: str, *, response_id: str | None = None) -> None:
        self.response_id = response_id
        super().__init__(message)


class ResponseWithdrawn(RealtimeError):
    """A create was cancelled before the response began; nothing of it will come."""


class ConversationBusy(RealtimeError):
    """A response of the conversation is active, and the create was not to wait for its end.

    `active` has its id, where it is known.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, active: tuple[str, ...] = ()) -> None:
        self.active = active
        super().__init__(message)


class ToolError(RealtimeError):
    """Raise it in a tool to tell the model, in these words, why the call came to nothing."""


class SyncIncomplete(RealtimeError):
    """The server refused a part of a sync; the rest of it is done, and a second sync goes on.

    `created` and `deleted` are the ids of what was done, `refused` the id and the error of
    what was not. Where a delete is refused, no create is sent.
    """

    def __init__(
        self,
        *,
        created: tuple[str, ...],
        deleted: tuple[str, ...],
        refused: tuple[tuple[str, RealtimeError], ...],
    ) -> None:
        self.created = created
        self.deleted = deleted
        self.refused = refused
        item_id, error = refused[0]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        super().__init__(f"the server refused a part of the sync: item {item_id}: {error}{more}")


class DeviceError(RealtimeError):
    """There is no sound on this machine, not that device, or not at that rate."""


class UnreadableAnswer(RealtimeError):
    """A REST request succeeded, and its answer does not hold what it should.

    What was asked for was done, so asking again does it twice. `status` is the HTTP status,
    `request_id` what the server calls this request. The answer is not shown: it may hold a
    credential.
    """

    def __init__(
        self, what: str, problem: str, *, status: int, request_id: str | None = None
    ) -> None:
        self.what = what
        self.status = status
        self.request_id = request_id
        super().__init__(f"{what} was answered with HTTP {status}, but {problem}")


class WebhookRefused(RealtimeError):
    """A webhook that is not to be acted upon.

    `reason` says why: `headers` (one is missing, twice there, or no header of this kind),
    `signature` (nobody who has the secret has signed it), `too_old` and `too_new` (its time
    is out of the window), `repeated` (it was here before) or `payload` (signed, and yet no
    event). Only `repeated` is to be answered with success, so that it does not come again.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class InvalidServerEvent(RealtimeError):
    """The server sent a frame that is no event, or does not fit its type. The session goes on.

    `problem` says what is wrong with it; the frame itself is in `events()`.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the server sent a frame that cannot be read: {problem}")


class TraceFailed(RealtimeError):
    """The callback given as `Client(trace=...)` raised `error`. The session goes on."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"the trace raised {type(error).__name__}")


class SlowConsumer(RealtimeError):
    """One stream was not read while it grew past its `bound`, which counts `unit`s."""

    def __init__(self, what: str, bound: int, unit: str = "bytes") -> None:
        self.bound = bound
        self.unit = unit
        super().__init__(f"{what} was not read and grew past {bound:,} {unit}")


class AcknowledgementTimeout(RealtimeError):
    """The server did not answer `what` in time.

    `uncertain` is True where a request had been written, so that the server may still do
    what was asked, and False where it never went out.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, what: str, *, uncertain: bool = False) -> None:
        self.what = what
        self.uncertain = uncertain
        super().__init__(f"no answer from the server in time: {what}")
