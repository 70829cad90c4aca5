"""The core: bytes in, what happened out; commands in, bytes out. No I/O, no clock.

Four verbs are all that an embedder needs, with any socket library::

    protocol = Protocol(nonce=..., now=clock())
    for frame in protocol.data_to_send():      # write each `frame.raw` as one text frame
    happened = protocol.receive(data, now)     # one text frame in, one `Happened` out
    event_id = protocol.send(command)          # a client event; raises before it queues
    protocol.next_deadline(), protocol.on_deadline(now)

State first, bytes second: an illegal command raises and queues nothing. A surprising server
event never raises: it becomes a value (`UnknownEvent`, `InvalidEvent`, an orphan).

A connection is open once the server has acknowledged the configuration. The request named
by `opening` stands for that: its outcome is the first thing that an embedder waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from realtime_client import events
from realtime_client.codec import client_event_from_dict, decode, encode
from realtime_client.config import Configuration
from realtime_client.conversation import Conversation
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConnectionLost,
    RealtimeError,
    ServerError,
    SessionRefused,
)
from realtime_client.machines import (
    ASKING,
    HANDLERS,
    Command,
    Machine,
    Machines,
    text,
    with_item_id,
)
from realtime_client.options import AnySession
from realtime_client.outcome import Outcome
from realtime_client.playback import PlaybackLedger
from realtime_client.router import SESSION_ROUTE, ResponseRecord, Route, Router, Verdict

__all__ = ["Frame", "Happened", "Protocol"]


class Frame(NamedTuple):
    """One frame of the wire, in either direction: the typed event, and its bytes."""

    event: Any
    raw: bytes

    @property
    def type(self) -> str | None:
        """The event's `type`; None for what is not an event at all."""
        kind: str | None = self.event.type
        return kind


class Happened(NamedTuple):
    """What one received frame was, and whom it concerns."""

    event: events.ServerEvent | events.UnknownEvent | events.InvalidEvent
    raw: bytes
    verdict: Verdict
    response: ResponseRecord | None
    outcome: Outcome | None


class Protocol:
    """One connection's side of the Realtime protocol. See the module for the contract.

    `nonce` is a short random text that tells this connection's responses and ids from
    everybody else's. `session` is the configuration to be acknowledged before the
    connection counts as open, within `open_timeout` seconds of `now`.
    """

    def __init__(
        self,
        *,
        nonce: str,
        now: float,
        session: AnySession | None = None,
        open_timeout: float = 10.0,
        surface: events.Surface = events.REALTIME,
        dialect: Dialect = GA,
    ) -> None:
        self.opening = f"{nonce}-open"
        self.outbox_bytes = 0
        self._machines = Machines(nonce, dialect)
        self._surface = surface
        self._nonce = nonce
        self._counter = 0
        self._outbox: deque[Frame] = deque()
        self._asked: dict[str, Machine] = {}
        self._open_timeout = open_timeout
        self._open_by: float | None = now + open_timeout
        if session is not None:
            self.send(events.SessionUpdate(event_id=self.opening, session=session))

    @property
    def config(self) -> Configuration:
        """What the server acknowledged about the session."""
        return self._machines.config

    @property
    def conversation(self) -> Conversation:
        """The server's items."""
        return self._machines.conversation

    @property
    def router(self) -> Router:
        """The responses."""
        return self._machines.router

    @property
    def playback(self) -> PlaybackLedger:
        """How far each message has come."""
        return self._machines.playback

    @property
    def is_open(self) -> bool:
        """Whether the server has acknowledged the configuration."""
        return self._open_by is None

    # -- commands out ---------------------------------------------------------------

    def send(self, command: Command) -> str | None:
        """Queue a client event. Returns the request's `event_id`, or None where no answer comes.

        A dict goes out as it is, plus the ids that the answer is found by.

        Raises:
            InvalidClientEvent: The dict does not fit the protocol. Nothing was queued.
            UsageError: The command cannot be, for a reason it names. Nothing was queued.
        """
        event: Any = command
        if isinstance(command, dict):
            event = client_event_from_dict(command, self._surface)
        asking = ASKING.get(type(event))
        if asking is None:
            self._queue(event, encode(command))
            if type(event) is events.InputAudioBufferAppend:
                self._machines.input.on_append(event.audio)
            return None
        if type(event) is events.ConversationItemCreate and text(event.item, "id") is None:
            item_id = self.new_id("item")
            event, command = with_item_id(event, item_id), with_item_id(command, item_id)
        return self._ask(event, command)

    def new_id(self, kind: str) -> str:
        """A fresh id for something of ours, unique across connections."""
        self._counter += 1
        return f"{kind}_{self._nonce}_{self._counter}"

    def give_up(self, event_id: str) -> None:
        """Nobody waits for this request any more; the response it starts is cancelled."""
        self._cancel(self.router.give_up(event_id))

    def data_to_send(self) -> Iterator[Frame]:
        """The frames that are ready, oldest first; each one taken is the caller's to write."""
        while self._outbox:
            frame = self._outbox.popleft()
            self.outbox_bytes -= len(frame.raw)
            yield frame

    # -- frames in ------------------------------------------------------------------

    def receive(self, data: bytes | str, now: float) -> Happened:
        """One text frame from the server. Never raises, whatever it holds."""
        event = decode(data, self._surface)
        if type(event) is events.ErrorEvent:
            route = self._on_error(event)
        else:
            handler = HANDLERS.get(type(event))
            route = handler(self._machines, event) if handler else SESSION_ROUTE
        if route.verdict is Verdict.SESSION:
            route = self._on_session(event, route)
        self._cancel(route.late)
        if route.outcome is not None:
            self._asked.pop(route.outcome.event_id, None)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        return Happened(event, raw, route.verdict, route.record, route.outcome)

    def lost(self, error: RealtimeError) -> list[Outcome]:
        """The connection is over: every question gets its end.

        What was written and never answered is uncertain: the server may have acted on it.
        """
        unsent = {text(frame.event, "event_id") for frame in self._outbox}
        unsent.update(update.event_id for update in self.config.waiting)
        questions = dict.fromkeys(self._asked)
        if not self.is_open:
            questions[self.opening] = None
        self._asked.clear()
        self._open_by = None
        return [
            Outcome(event_id, error=_ending(error, event_id not in unsent))
            for event_id in questions
        ]

    # -- time -----------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `on_deadline` wants to be called, on the clock of `now`; None for never."""
        return self._open_by

    def on_deadline(self, now: float) -> list[Outcome]:
        """Time has passed. Returns the requests that it ended."""
        if self._open_by is None or now < self._open_by:
            return []
        self._open_by = None
        self._asked.pop(self.opening, None)
        what = "with session.created" if self.config.acknowledged is None else "session.update"
        return [Outcome(self.opening, error=AcknowledgementTimeout(what, self._open_timeout))]

    # -- within ---------------------------------------------------------------------

    def _ask(self, event: Any, command: Any) -> str:
        """Hand a command to the machine that will find its answer, and queue it."""
        event_id = text(event, "event_id") or self.new_id("event")
        if isinstance(command, dict):
            command = {**command, "event_id": event_id}
        elif event.event_id != event_id:
            event = command = msgspec.structs.replace(event, event_id=event_id)
        asked = ASKING[type(event)](self._machines, event, command, event_id)
        self._asked[event_id] = asked.machine
        if asked.raw is not None:
            self._queue(asked.event, encode(asked.raw))
        self._next_update()
        return event_id

    def _queue(self, event: Any, raw: bytes) -> None:
        self._outbox.append(Frame(event, raw))
        self.outbox_bytes += len(raw)

    def _next_update(self) -> None:
        command: Any = self.config.next_update()
        if command is None:
            return
        event = command
        if isinstance(command, dict):
            event = client_event_from_dict(command, self._surface)
        self._queue(event, encode(command))

    def _cancel(self, response_id: str | None) -> None:
        if response_id is not None:
            cancel = events.ResponseCancel(response_id=response_id)
            self._queue(cancel, encode(cancel))

    def _on_session(self, event: Any, route: Route) -> Route:
        """After an event of the session: the next update's turn, and whether we are open."""
        self._next_update()
        if self.is_open:
            return route
        configured = self.opening not in self._asked
        if type(event) is events.SessionCreated and configured:
            route = route._replace(outcome=Outcome(self.opening, event))
        if route.outcome is not None and route.outcome.event_id == self.opening:
            self._open_by = None
        return route

    def _on_error(self, event: events.ErrorEvent) -> Route:
        """`error` is correlated by `error.event_id`, and by nothing else."""
        error = _server_error(event)
        machine = self._asked.get(error.event_id or "")
        if machine is not None and error.event_id is not None:
            outcome = machine.on_refused(error.event_id, error)
            return Route(Verdict.SESSION, outcome=outcome)
        if self.config.acknowledged is None and not self.is_open:
            # "A bad key, an unknown model or the beta header still upgrades with HTTP 101;
            # then one `error` and a CLOSE follow at once."
            refused = SessionRefused(error.message, code=error.name)
            return Route(Verdict.SESSION, outcome=Outcome(self.opening, error=refused))
        return SESSION_ROUTE


def _ending(error: RealtimeError, uncertain: bool) -> RealtimeError:
    if not isinstance(error, ConnectionLost):
        return error
    return ConnectionLost(str(error), close_code=error.close_code, uncertain=uncertain)


def _server_error(event: events.ErrorEvent) -> ServerError:
    details = event.error
    if isinstance(details, str):
        return ServerError(details)
    return ServerError(
        text(details, "message") or "the server gave no message",
        code=text(details, "code"),
        type=text(details, "type"),
        param=text(details, "param"),
        event_id=text(details, "event_id"),
    )
