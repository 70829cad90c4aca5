"""When is a connection open? Once the session exists, is configured, and knows what it has to.

"A bad key, an unknown model or the beta header still upgrades with HTTP 101; then one `error`
and a CLOSE follow at once." So nothing is open at the handshake. Until `session.created` only
one thing has been asked, and an error is about that. It is told with the close code, which
follows at once and says what kind of refusal it was.
"""

from __future__ import annotations

from typing import Any, Final

from realtime_client.errors import (
    ConnectFailed,
    ConnectionLost,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    RealtimeError,
    ServerError,
    SessionRefused,
    SessionSilent,
)
from realtime_client.fatal import is_fatal
from realtime_client.outcome import Outcome

__all__ = ["CLOSE_FOLLOWS", "Opening", "refused"]

CLOSE_FOLLOWS: Final = 1.0
"""Seconds after a refusal within which the close is awaited that belongs to it."""


def refused(
    message: str, *, code: str | None = None, close_code: int | None = None
) -> SessionRefused:
    """The refusal of a session, as the error of its kind."""
    kind = SessionRefused
    if close_code == 3000 or code == "invalid_api_key":
        kind = KeyRefused
    elif close_code == 4000 or code in ("model_not_found", "beta_api_shape_disabled"):
        kind = ModelRefused
    elif close_code == 1008:
        kind = PolicyRefused
    return kind(message, code=code, close_code=close_code)


class Opening:
    """The opening of one connection, as the request `name`, within `timeout` seconds."""

    __slots__ = ("_refusal", "_timeout", "_waits_for", "by", "is_open", "name")

    def __init__(self, name: str, timeout: float, now: float) -> None:
        self.name = name
        self.by: float | None = now + timeout
        """Until when; None once it is decided."""
        self.is_open = False
        self._timeout = timeout
        self._waits_for = "session.created"
        self._refusal: ServerError | None = None

    def connected(self, now: float) -> None:
        """The socket is open: the time for the server's word begins."""
        self.by = now + self._timeout

    def goes_on(self, waits_for: str, now: float) -> None:
        """The server has answered, and the next thing is waited for, with a time of its own."""
        if waits_for != self._waits_for:
            self._waits_for = waits_for
            self.moves(now)

    def moves(self, now: float) -> None:
        """A part of what is waited for has come: the rest has as much time again."""
        self.by = now + self._timeout

    def done(self, answer: Any) -> Outcome:
        """The connection is open."""
        self.by, self.is_open = None, True
        return Outcome(self.name, answer)

    def failed(self, error: RealtimeError) -> Outcome:
        """The connection will not be open."""
        self.by = None
        return Outcome(self.name, error=error)

    def on_refusal(self, error: ServerError, now: float) -> None:
        """An `error` came before there was a session. The first one is the reason."""
        if self._refusal is None:
            self._refusal, self.by = error, now + CLOSE_FOLLOWS

    def on_session(self) -> list[RealtimeError]:
        """There is a session, so an `error` from before was no refusal of it: it is told as any."""
        refusal, self._refusal = self._refusal, None
        return [refusal] if refusal is not None else []

    def on_lost(self, error: RealtimeError) -> Outcome:
        """The connection has ended before it was open."""
        code = error.close_code if isinstance(error, ConnectionLost) else None
        if self._refusal is not None:
            return self.failed(_said(self._refusal, code))
        if isinstance(error, ConnectionLost):
            words = str(error)
            if code in (3000, 4000, 1008):
                return self.failed(refused(words, close_code=code))
            error = ConnectFailed(f"{words}, before the session was open")
        return self.failed(error)

    def on_deadline(self, now: float) -> Outcome | None:
        """Time has passed."""
        if self.by is None or now < self.by:
            return None
        if self._refusal is not None:
            return self.failed(_said(self._refusal, None))
        return self.failed(SessionSilent(f"it sent no {self._waits_for}"))


def _said(refusal: ServerError, close_code: int | None) -> SessionRefused:
    names = (refusal.code, refusal.type)  # "match code or type"
    code = next((name for name in names if is_fatal(None, name)), refusal.name)
    return refused(refusal.message, code=code, close_code=close_code)
