"""The core: bytes in, what happened out; commands in, bytes out. No I/O, no clock.

Four verbs are all that an embedder needs, with any socket library::

    protocol = Protocol(nonce=..., now=clock())
    for frame in protocol.data_to_send():      # write each `frame.raw` as one text frame
    happened = protocol.receive(data, now)     # one text frame in, one `Happened` out
    event_id = protocol.send(command)          # a client event; raises before it queues
    protocol.next_deadline(), protocol.on_deadline(now)

and after any of them `protocol.outcomes()`: the requests that have got their end.

State first, bytes second: an illegal command raises and queues nothing. A surprising server
event never raises: it becomes a value (`UnknownEvent`, `InvalidEvent`, an orphan).

A connection is open once the server has acknowledged the configuration. The request named
by `opening` stands for that: its outcome is the first thing that an embedder waits for.

A connection that is over leaves an `estate`. The one that is made with it as `before` counts as
open once it has the conversation, too; then it takes over what no turn had held::

    old.lost(error, comes_back=True)
    new = Protocol(nonce=..., now=clock(), before=old.estate(clock()))
    ...                                        # until the outcome of `new.opening`
    new.take_over(old.input.unheard(ms=5_000, is_lost=True), old.pending)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from realtime_client import events
from realtime_client.acknowledgement import Intent
from realtime_client.codec import client_event_from_dict, decode, encode
from realtime_client.desk import Desk
from realtime_client.dialects import GA, Dialect, incoming
from realtime_client.errors import InvalidServerEvent, RealtimeError, ServerError
from realtime_client.fatal import is_fatal
from realtime_client.frames import Frame, Happened, server_error, shown
from realtime_client.handlers import HANDLERS, Shown, adopted, called, over
from realtime_client.handover import Handover
from realtime_client.leaves import Leaves
from realtime_client.lives import ResponseRecord, WhenBusy
from realtime_client.machines import ASKING, Command, Limits, Machines
from realtime_client.opening import Opening
from realtime_client.outcome import Outcome
from realtime_client.restoring import Estate, Restoring
from realtime_client.router import NOT_ACTIVE, Abandoned
from realtime_client.verdicts import DELTAS, SESSION_ROUTE, Route, Verdict

__all__ = ["Protocol"]

RAW_PATIENCE: Final = 10.0
"""Seconds for the answer to a `session.update` that was sent as it is."""


class Protocol(Handover):
    """One connection's side of the Realtime protocol. See the module for the contract.

    `nonce` is a short random text that tells this connection's responses and ids from
    everybody else's. `session` is the configuration to be acknowledged before the
    connection counts as open (see `leaves`), within `open_timeout` seconds of `now`.
    `limits` says how far it goes before it gives up or forgets. `before` is what the
    connection before this one has left; with `resumes` the server has its conversation still.
    """

    def __init__(
        self,
        *,
        nonce: str,
        now: float,
        session: Leaves | None = None,
        open_timeout: float = 10.0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        surface: events.Surface = events.REALTIME,
        dialect: Dialect = GA,
        before: Estate | None = None,
        resumes: bool = False,
    ) -> None:
        self.strays: list[RealtimeError] = []
        """The errors that belong to no request; whoever tells them empties the list."""
        self.fatal: ServerError | None = None
        """The server's last word, where it says that trying again is of no use."""
        machines = Machines(nonce, dialect, limits, before.survivors if before else None)
        desk = Desk(nonce, machines, surface, dialect)
        super().__init__(machines, desk, Opening(f"{nonce}-open", open_timeout, now))
        if before is not None:
            self._restoring = Restoring(before, desk, machines, resumes=resumes)
            session = None if resumes else {**before.carried.session, **(session or {})} or None
        self._acknowledgement: Any = None
        self._surface = surface
        self._dialect = dialect
        self._now = now
        if session is not None:
            self._desk.ask_config(Intent(self.opening, session, expires=math.inf, opening=True))

    # -- commands out ---------------------------------------------------------------

    def send(self, command: Command, now: float | None = None) -> str | None:
        """Queue a client event. Returns the request's `event_id`, or None where no answer comes.

        A dict goes out as it is, plus the ids that the answer is found by. A `session.update`
        goes out as it is, when its turn comes; `now` starts the time for its answer, and
        without it there is no limit to that. A `response.create` goes out at once, whatever is
        active; without `now` its silence is counted from the last event.

        Raises:
            InvalidClientEvent: The dict does not fit the protocol. Nothing was queued.
            UsageError: The command cannot be, for a reason it names. Nothing was queued.
        """
        event: Any = command
        if isinstance(command, dict):
            event = client_event_from_dict(command, self._surface)
            # A copy, so that nobody can change it while it waits for its turn.
            command = msgspec.json.decode(encode(command))
        if isinstance(event, (events.SessionUpdate, events.TranslationSessionUpdate)):
            expires = math.inf if now is None else now + RAW_PATIENCE
            return self._desk.ask_as_is(event, command, expires)
        if type(event) is events.ResponseCreate:
            return self._desk.ask_response(event, command, self._now if now is None else now)
        if type(event) in ASKING:
            return self._desk.ask(event, command)
        self._desk.put(event, command)
        return None

    def update(
        self, asked: Leaves, *, now: float, timeout: float, between_turns: bool = False
    ) -> str:
        """Ask for a change of the session: the smallest update goes out when its turn comes.

        `timeout` seconds after `now` its caller is told: withdrawn where it has not gone out,
        uncertain where it has. With `between_turns` it waits until no response is active.

        Raises:
            InvalidConfig: The server has fixed what it would change, or could never take it.
        """
        intent = Intent(self.new_id("event"), asked, now + timeout, between_turns)
        self._desk.ask_config(intent)
        return intent.event_id

    def respond(
        self,
        command: events.ResponseCreate,
        *,
        now: float,
        when_busy: WhenBusy = "wait",
        timeout: float = math.inf,
        extra: str | None = None,
    ) -> str:
        """Ask for a response, when its turn comes; returns the request's `event_id`.

        `when_busy` says what to do while the conversation has an active one. `timeout` seconds
        after `now` its caller is told that it has not begun, and it is given up. `extra` is
        appended to the instructions that are in force when it goes out.

        Raises:
            ConversationBusy: It was not to wait, and has to.
            NotSupported: The endpoint has no out-of-band responses.
            UsageError: Its metadata leaves no room for ours. Nothing was queued.
        """
        return self._desk.ask_response(command, command, now, when_busy, now + timeout, extra)

    def outcomes(self) -> list[Outcome]:
        """The requests that have got their end since the last call."""
        ended = [outcome for source in self._ended for outcome in source]
        if not ended:
            return []
        for source in self._ended:
            source.clear()
        if self._restoring is not None:
            ended = self._restoring.see(ended)
            self.strays += self._restoring.take_strays()
        for outcome in ended:
            self._desk.forget(outcome.event_id)
        return [one for one in ended if not self._machines.memories.on_outcome(one)]

    def abandoned(self) -> list[Abandoned]:
        """The responses that have ended without a `response.done` since the last call."""
        ended, self.router.abandoned = self.router.abandoned, []
        for record, _ in ended:
            over(self._machines, record, (), self._now)
            facts = called(record)
            self.calls.on_response_done(record.id or "", "cancelled", (), **facts)
        return ended

    def new_id(self, kind: str) -> str:
        """A fresh id for something of ours, unique across connections."""
        return self._desk.new_id(kind)

    def cancel(self, record: ResponseRecord, now: float) -> None:
        """A response is to end: by its id, as soon as that is known."""
        self.router.cancel(record)
        self._desk.next(now)

    def interrupt(self, now: float) -> tuple[ResponseRecord, ...]:
        """Stop what is said in the conversation, and cut what was not heard.

        Returns the responses that are to end: by their ids, as soon as those are known. A
        create that waits for its turn is withdrawn, and what tools are at work on is not
        followed up.
        """
        self.calls.on_interrupted()
        waiting = [one for one in self.router.creates.waiting if one.in_conversation]
        records = (*waiting, *self.router.occupants)
        for record in records:
            self.router.cancel(record)
        self._machines.cuts += self.playback.interrupt(now)
        self._desk.next(now)
        return records

    def give_up(self, event_id: str, now: float, *, heard: bool = False) -> None:
        """Nobody waits for this request any more.

        A response that it starts is cancelled, and what it says discarded, unless it is
        `heard` by somebody else. An update that has not gone out is withdrawn; one that has
        is tracked to its end.
        """
        self._pending = tuple(one for one in self._pending if one.event_id != event_id)
        self.router.give_up(event_id, heard=heard)
        self._machines.input.give_up(event_id)
        created = self._desk.is_create(event_id)
        if created or self.config.withdraw(event_id) or self.conversation.give_up(event_id):
            self._desk.forget(event_id)
        self._desk.next(now)

    def data_to_send(self) -> Iterator[Frame]:
        """The frames that are ready, oldest first; each one taken is the caller's to write."""
        return self._desk.take()

    # -- frames in ------------------------------------------------------------------

    def receive(self, data: bytes | str, now: float) -> Happened:
        """One text frame from the server. Never raises, whatever it holds."""
        self._now, self.fatal = now, None
        self._machines.input.on_word(self._desk.outbox.audio)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        data = incoming(self._dialect, raw)
        event = decode(data, self._surface)
        route = SESSION_ROUTE
        handler = HANDLERS.get(type(event))
        if handler is not None:
            route = handler(self._machines, event, now)
        elif isinstance(event, Shown):
            adopted(self._machines, event, now, shown(data))
        elif type(event) is events.ErrorEvent:
            route = self._on_error(event, now)
        elif type(event) is events.InvalidEvent:
            self.strays.append(InvalidServerEvent(event.reason))
        if route.outcome is not None:
            self._outcomes.append(route.outcome)
        if type(event) not in DELTAS or self._machines.cuts:
            self._desk.next(now)  # what is being said makes it nobody's turn
        if self.is_opening:
            self._see_whether_open(event, now)
        return Happened(event, raw, route.verdict, route.record)

    # -- time -----------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `on_deadline` wants to be called, on the clock of `now`; None for never."""
        deadlines = (self._opening.by, self.config.next_deadline(), self.router.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    def on_deadline(self, now: float) -> None:
        """Time has passed: what waited too long is told."""
        self._now = now
        self.config.on_deadline(now)
        self.router.on_deadline(now)
        self._desk.next(now)
        outcome = self._opening.on_deadline(now)
        if outcome is not None:
            self._outcomes.append(outcome)

    # -- within ---------------------------------------------------------------------

    def _see_whether_open(self, event: Any, now: float) -> None:
        """The configuration first, then the conversation; each step is acknowledged."""
        config, opening = self.config, self._opening
        if self._restoring is not None:
            to_do, self._outcomes = self._restoring.to_do, self._restoring.see(self._outcomes)
            if self._restoring.to_do < to_do:
                opening.moves(now)
        if config.acknowledged is not None:
            self.strays += opening.on_session()
        if self._acknowledgement is None:
            answer = self._take(opening.name)
            if answer is None:
                if config.acknowledged is None:
                    return
                if opening.name in self._desk.open_requests:
                    opening.goes_on("session.updated", now)
                    return
                answer = Outcome(opening.name, event)
            if answer.error is not None:
                self._outcomes.append(opening.failed(answer.error))
                return
            self._acknowledgement = answer.answer
            if self._restoring is not None:
                self._restoring.begin()
                opening.goes_on("answer to what was restored of the conversation", now)
        if self._restoring is None or self._restoring.is_done:
            self._outcomes.append(opening.done(self._acknowledgement))

    def _take(self, event_id: str) -> Outcome | None:
        """The end of a request, which is told to nobody yet."""
        for outcomes in (self._outcomes, self.config.outcomes):
            for outcome in outcomes:
                if outcome.event_id == event_id:
                    outcomes.remove(outcome)
                    self._desk.forget(event_id)
                    return outcome
        return None

    def _on_error(self, event: events.ErrorEvent, now: float) -> Route:
        """`error` is correlated by `error.event_id`; see `Dialect.correlates_errors`."""
        error = server_error(event)
        self.fatal = error if is_fatal(None, error.code, error.type) else None
        event_id = self._refused_by(error)
        if self.router.on_refused(event_id, error, now):
            return SESSION_ROUTE
        if self.is_opening and self.config.acknowledged is None:
            self._opening.on_refusal(error, now)
            return SESSION_ROUTE
        # An update that was given up for uncertain is nobody's question any more, but the
        # configuration still wants to know.
        machine = self._desk.machine_of(event_id) or self.config
        outcome = machine.on_refused(event_id, error)
        if outcome is None and self.is_opening and self._acknowledgement is None:
            outcome = self.config.on_refused(self.opening, error)
        elif outcome is None:
            self.strays.append(error)
        return Route(Verdict.SESSION, outcome=outcome)

    def _refused_by(self, error: ServerError) -> str:
        """The request that an `error` refuses: the one that it names, or the only one there is.

        Where it names none, it may be about any that the server has; of a cancel that came too
        late nobody waits to hear.
        """
        named, desk = error.event_id or "", self._desk
        if self._dialect.correlates_errors or desk.is_ours(named) or error.name == NOT_ACTIVE:
            return named
        asked = [event_id for event_id in desk.open_requests if event_id not in self._unsent]
        return asked[0] if len(asked) == 1 else named
