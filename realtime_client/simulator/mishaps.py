"""What can go wrong with a connection, as values; see `SimulatorPolicy.mishaps`.

A server can fail a client at four moments: it does not answer the handshake, it answers with
an HTTP status, it says something else than `session.created`, or it goes away later. Where a
mishap has `after`, that is the moment: None is in place of `session.created`, a number is so
many seconds after it.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from realtime_client.events import ErrorDetails, ErrorEvent
from realtime_client.simulator.refusal import Refusal

__all__ = ["Close", "Drop", "Freeze", "Ignore", "Mishap", "Refuse", "redirect"]

LONGEST_REASON: Final = 123  # bytes; a close frame has room for no more

_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})
"""Close codes that say what has *not* come over the wire."""


@dataclass(frozen=True)
class Refuse:
    """The handshake is answered with this HTTP status, `headers` among others, and `body`."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def redirect(url: str, status: int = 307) -> Refuse:
    """Send the client to another URL."""
    return Refuse(status, headers=(("Location", url),))


@dataclass(frozen=True, kw_only=True)
class Ignore:
    """The connection is there and nothing is ever said on it, not even `session.created`.

    Pings are answered: this is a server that has lost its mind, not a network that has lost
    the server (`Freeze`). With `upgrade=False` not even the handshake is answered.
    """

    upgrade: bool = True


@dataclass(frozen=True)
class Close:
    """The server closes with a code and a reason, after an `error` event if there is an `error`.

    An `error` that is a str is its code. Raises `ValueError` for what no close frame can say.
    """

    code: int
    reason: str = ""
    error: ErrorDetails | str | None = None
    after: float | None = None

    def __post_init__(self) -> None:
        if not 1000 <= self.code < 5000 or self.code in _NEVER_SENT:
            raise ValueError(f"{self.code} is not a code that a close frame can have")
        if len(self.reason.encode()) > LONGEST_REASON:
            raise ValueError(f"a close frame has room for {LONGEST_REASON} bytes of reason")

    @property
    def event(self) -> ErrorEvent | None:
        """The `error` event that comes first."""
        if isinstance(self.error, str):
            return Refusal(self.error, f"This session cannot go on: {self.error}.").event(None)
        return None if self.error is None else ErrorEvent(error=self.error)


@dataclass(frozen=True, kw_only=True)
class Drop:
    """The TCP connection goes away without a close frame.

    With `upgrade=False` in place of an answer to the handshake, as if nobody was there.
    """

    after: float | None = None
    upgrade: bool = True


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """The TCP connection stays, and nothing is read or written any more: no pong either."""

    after: float | None = None


Mishap: TypeAlias = Refuse | Ignore | Close | Drop | Freeze
