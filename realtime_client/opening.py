"""When is a connection open? Once the session exists and its configuration is acknowledged.

"A bad key, an unknown model or the beta header still upgrades with HTTP 101; then one `error`
and a CLOSE follow at once." So nothing is open at the handshake. Until `session.created` only
one thing has been asked, and an error is about that.
"""

from __future__ import annotations

from collections.abc import Iterable

from realtime_client.config import Configuration
from realtime_client.errors import AcknowledgementTimeout, ServerError, SessionRefused
from realtime_client.outcome import Outcome

__all__ = ["Opening"]


class Opening:
    """The opening of one connection, as the request `name`, within `timeout` seconds."""

    __slots__ = ("_timeout", "by", "is_open", "name")

    def __init__(self, name: str, timeout: float, now: float) -> None:
        self.name = name
        self.by: float | None = now + timeout
        """Until when; None once it is decided."""
        self.is_open = False
        self._timeout = timeout

    def connected(self, now: float) -> None:
        """The socket is open: the time for the acknowledgement begins."""
        self.by = now + self._timeout

    def see(
        self, event: object, ended: Iterable[Outcome], config: Configuration, *, asked: bool
    ) -> Outcome | None:
        """Something has happened; returns the outcome where it decides and has none yet.

        `asked` is whether a configuration is still to be acknowledged.
        """
        outcome = next((one for one in ended if one.event_id == self.name), None)
        made = None
        if outcome is None and config.acknowledged is not None and not asked:
            outcome = made = Outcome(self.name, event)
        if outcome is not None:
            self.by = None
            self.is_open = outcome.error is None
        return made

    def refused(self, error: ServerError, config: Configuration) -> Outcome | None:
        """An `error` that names nothing came while it was undecided."""
        if config.acknowledged is not None:
            return config.on_refused(self.name, error)
        return Outcome(self.name, error=SessionRefused(error.message, code=error.name))

    def on_deadline(self, now: float, config: Configuration) -> Outcome | None:
        """Time has passed."""
        if self.by is None or now < self.by:
            return None
        self.by = None
        what = "session.created" if config.acknowledged is None else "session.updated"
        return Outcome(self.name, error=AcknowledgementTimeout(f"it sent no {what}"))
