"""The server answered, and it was a no."""

from __future__ import annotations

from typing import Any

from realtime_client.errors.root import RealtimeError
from realtime_client.fatal import PASSING_ERRORS
from realtime_client.redaction import redacted

__all__ = [
    "RequestRefused",
    "ResponseFailed",
    "ResponseRejected",
    "ServerError",
    "SessionUpdateRejected",
]


class ServerError(RealtimeError):
    """The server answered with an `error` event.

    `code` and `type` are the server's words; some servers put the error's name in
    `type` and leave `code` null, so `name` is whichever of the two is there.
    `event_id` names the client event that it answers, where the server said so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        self.message = message
        self.code = code
        self.type = type
        self.param = param
        self.event_id = event_id
        super().__init__(message)

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether asking again can help: a limit, or a failure of the server's own."""
        return not PASSING_ERRORS.isdisjoint((self.code, self.type))

    @property
    def name(self) -> str | None:
        """`code`, or `type` where the server gave no code."""
        return self.code or self.type

    def __str__(self) -> str:
        where = f" (param {self.param})" if self.param else ""
        return f"{self.name or 'error'}: {self.message}{where}"


class SessionUpdateRejected(ServerError):
    """The server refused a `session.update`; the whole of it, as it always does.

    `update` is what was asked for, in the session's own shape, with `***` for credentials.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        event_id: str | None = None,
        update: dict[str, Any] | None = None,
    ) -> None:
        self.update: dict[str, Any] = redacted(update or {})
        super().__init__(message, code=code, type=type, param=param, event_id=event_id)


class ResponseRejected(ServerError):
    """The server refused a `response.create`."""


class RequestRefused(ServerError):
    """The server answered a REST request with an HTTP status that is not success.

    `what` is the request, `status` the HTTP status, and `request_id` what the server calls
    this request, for asking its owner. `retry_after` is how many seconds the server wants to
    be left alone, where it said so. `uncertain` is True where something failed on the way,
    so that the server may have done it all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        what: str,
        status: int,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        uncertain: bool = False,
    ) -> None:
        self.what = what
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.uncertain = uncertain
        self._retryable = retryable
        super().__init__(message, code=code, type=type, param=param)

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return self._retryable

    def __str__(self) -> str:
        asked = f"; request {self.request_id}" if self.request_id else ""
        words = super().__str__() if self.name else self.message
        return f"{self.what} was refused with HTTP {self.status}: {words}{asked}"


class ResponseFailed(ServerError):
    """`response.done` came with status `failed`: inference failed, not the request."""

    response_id: str | None = None
