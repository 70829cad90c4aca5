"""One connection of a simulated Realtime server, without I/O and without a clock.

::

    session = SimulatedSession(policy, brain, hello=Hello(model="gpt-realtime"))
    session.start(now)
    for frame in session.data_to_send(): ...     # write each as one text frame
    session.receive(frame, now)                  # one text frame from the client
    session.next_deadline(), session.on_deadline(now)
    session.close_wanted                         # (code, reason) once it wants to close

Time is an argument, in seconds of any clock that does not go back; ids come from a function
of their kind. So a conversation is the same bytes every time it is played. This module knows
which client event is whose business and what is acknowledged in which order; the rooms
beside it know the rest. A client event that is refused changes nothing.

A client is not always alone: `foreign_update` is another party on the same session. What
carries the frames puts its own bell into `wake`, to hear of it.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from realtime_client.codec import decode_client
from realtime_client.events import (
    ClientEvent,
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieve,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    ConversationItemTruncated,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    InvalidEvent,
    ResponseCancel,
    ResponseCreate,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    UnknownEvent,
)
from realtime_client.simulator.admission import Hello, admit
from realtime_client.simulator.agenda import Agenda
from realtime_client.simulator.brain import Brain, echo
from realtime_client.simulator.conversation import Conversation
from realtime_client.simulator.envelope import check_event, client_event_id, read_payload
from realtime_client.simulator.hearing import Hearing
from realtime_client.simulator.items import accept_item
from realtime_client.simulator.outbox import Outbox
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.request import read_request
from realtime_client.simulator.responses import Responses
from realtime_client.simulator.services import Ids, Services, counting_ids
from realtime_client.simulator.settings import Settings

__all__ = ["Received", "SimulatedSession"]

CALL_MODEL = "gpt-realtime"
"""What a call has that nobody has accepted with a model of its own."""

Received = ClientEvent | UnknownEvent | InvalidEvent
"""What a client's frame was."""


class SimulatedSession:
    """The server's side of one connection. See the module for the contract.

    `ids` makes new ids. `epoch` is the Unix time at which the caller's clock was 0; it is
    needed for `expires_at` alone.

    For whoever wants to look inside: `settings` (what is in force), `conversation` (its `told` is
    who said what, its `entries` are that with audio), `responses`, `hearing` (`hearing.heard` is
    what each turn said), and `received`, the client's last events
    (`SimulatorPolicy.keep_received` of them). `wake` is called when there is something to write
    that no verb of the client has caused.
    """

    settings: Settings
    conversation: Conversation
    responses: Responses
    hearing: Hearing

    def __init__(
        self,
        policy: SimulatorPolicy | None = None,
        brain: Brain = echo,
        *,
        hello: Hello | None = None,
        ids: Ids | None = None,
        epoch: float = 0.0,
    ) -> None:
        self.close_wanted: tuple[int, str] | None = None
        self._policy = policy or SimulatorPolicy()
        self.received: deque[Received] = deque(maxlen=self._policy.keep_received)
        self._brain = brain
        self._hello = hello or Hello(model=CALL_MODEL)
        self._epoch = epoch
        self._updates = 0
        self.wake: Callable[[], None] = lambda: None
        ids = ids or counting_ids()
        self._outbox = Outbox(ids, self._policy.tamper)
        self._emit = self._outbox.emit
        self._services = Services(policy=self._policy, ids=ids, agenda=Agenda(), emit=self._emit)

    # --- the four verbs ----------------------------------------------------------------

    def start(self, now: float) -> None:
        """Begin: `session.created` and then silence, or one `error` and a close."""
        services, agenda = self._services, self._services.agenda
        agenda.run(now)
        ends = now + self._policy.expires_after
        self.settings = Settings(
            self._policy,
            model=self._hello.model or (CALL_MODEL if self._hello.call_id else ""),
            session_id=services.ids("sess"),
            expires_at=int(self._epoch + ends),
        )
        self.conversation = Conversation()
        self.responses = Responses(services, self._brain, self.conversation)
        self.hearing = Hearing(services, self.settings, self.conversation, self.responses)
        if (refused := admit(self._hello, self._policy)) is not None:
            refusal, code = refused
            self._end(refusal, code, f"invalid_request_error.{refusal.code}")
            return
        self._emit(SessionCreated(session=self.settings.session))
        expired = Refusal("session_expired", "The session has reached its maximum duration.")
        agenda.at(ends, partial(self._end, expired, 1001, "session_expired"))

    def receive(self, data: bytes | str, now: float, *, binary: bool = False) -> None:
        """Take one frame from the client, text unless `binary`. Nothing is raised for it."""
        agenda = self._services.agenda
        agenda.run(now)
        if self.close_wanted is not None:
            return
        event_id = None
        try:
            event = self._read(data, binary=binary)
            event_id = client_event_id(event, data)
            self._handle(event, data, event_id)
        except Refusal as refusal:
            self._emit(refusal.event(event_id))
        agenda.run(now)

    def data_to_send(self) -> list[bytes]:
        """Return the frames to write, in order, once."""
        return self._outbox.take()

    def next_deadline(self) -> float | None:
        """When `on_deadline` wants to be called; None once nothing is planned."""
        return self._services.agenda.next_due()

    def on_deadline(self, now: float) -> None:
        """Do everything that is due."""
        self._services.agenda.run(now)

    def foreign_update(self, session: Mapping[str, Any], now: float) -> None:
        """Let another party on this session change it, as a sideband can.

        `session` is that of a `session.update`; its `type` may be left out. The client gets a
        `session.updated` that it did not ask for. Raises `Refusal` as an update is refused.
        """
        self._services.agenda.run(now)
        if self.close_wanted is None:
            self._apply({"type": "realtime", **session})
            self._emit(SessionUpdated(session=self.settings.session))
            self.wake()

    def frame(self, event: ServerEvent) -> bytes:
        """Return an event as a frame of this session, with an id; nobody is sent it."""
        return self._outbox.frame(event)

    # --- in and out --------------------------------------------------------------------

    def _end(self, refusal: Refusal, code: int, reason: str) -> None:
        self._emit(refusal.event(None))
        self.close_wanted = (code, reason)
        self._services.agenda.clear()

    def _read(self, data: bytes | str, *, binary: bool) -> Received:
        if binary:
            raw = data.encode() if isinstance(data, str) else data
            self.received.append(InvalidEvent(type=None, reason="a binary frame", raw=raw))
            raise Refusal("invalid_event", "Binary frames are not accepted; send text frames.")
        event = decode_client(data)
        self.received.append(event)
        return event

    def _handle(self, event: Received, data: bytes | str, event_id: str | None) -> None:
        match event:
            case InputAudioBufferAppend():
                self.hearing.append(event)
            case InputAudioBufferCommit():
                self.hearing.commit(event_id)
            case InputAudioBufferClear():
                self.hearing.clear()
            case ConversationItemCreate():
                self._create_item(event)
            case ConversationItemDelete():
                self.conversation.delete(event.item_id)
                self._emit(ConversationItemDeleted(item_id=event.item_id))
            case ConversationItemRetrieve():
                item = self.conversation.retrieve(event.item_id)
                self._emit(ConversationItemRetrieved(item=item))
            case ConversationItemTruncate():
                self._truncate(event)
            case ResponseCancel():
                self.responses.cancel(event.response_id)
            case _:
                self._handle_as_json(event, read_payload(data), event_id)

    def _handle_as_json(
        self, event: Received, payload: dict[str, Any], event_id: str | None
    ) -> None:
        """Handle what has to be checked to the letter: a typed event has lost what it
        did not know, and an event that does not fit is not typed at all.
        """
        if payload["type"] == "session.update":
            self._update(payload, event_id)
            return
        check_event(payload)
        if payload["type"] == "response.create":
            self._create_response(event, payload)
        else:
            assert isinstance(event, InvalidEvent)
            raise Refusal("invalid_value", f"Invalid value: {event.reason}")

    # --- what needs more than a line ---------------------------------------------------

    def _update(self, payload: dict[str, Any], event_id: str | None) -> None:
        """Take a `session.update`, and answer when and if the policy says so."""
        self._updates += 1
        answer: ServerEvent
        try:
            check_event(payload)
            self._apply(payload["session"])
        except Refusal as refusal:
            answer, delay = refusal.event(event_id), self._policy.late_error
        else:
            answer = SessionUpdated(session=self.settings.session)
            delay = self._policy.update_after
        if self._updates not in self._policy.no_answer:
            self._services.agenda.after(delay, partial(self._emit, answer))

    def _apply(self, session: Any) -> None:
        responses = self.responses
        self.settings.update(session, spoken=responses.spoken, speaking=responses.speaking)
        self.hearing.configure()

    def _create_item(self, event: ConversationItemCreate) -> None:
        entry = accept_item(
            event.item,
            "item",
            ids=self._services.ids,
            calls=self.conversation.calls,
            approvals=self.conversation.approvals,
            format_=self.settings.input_format,
        )
        previous = self.conversation.insert(
            entry, event.previous_item_id, duplicates=self._policy.duplicate_item_id
        )
        self._emit(ConversationItemAdded(previous_item_id=previous, item=entry.item))
        self._emit(ConversationItemDone(previous_item_id=previous, item=entry.item))
        self.hearing.write_down(entry)

    def _truncate(self, event: ConversationItemTruncate) -> None:
        try:
            self.conversation.truncate(event)
        except Refusal as refusal:
            if refusal.param == "audio_end_ms":
                self.responses.muted = self._policy.mute_after_bad_truncate
            raise
        self._emit(
            ConversationItemTruncated(
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
        )

    def _create_response(self, event: Received, payload: dict[str, Any]) -> None:
        assert isinstance(event, ResponseCreate | InvalidEvent)
        request = read_request(
            event,
            payload,
            self.settings,
            self.conversation,
            ids=self._services.ids,
            spoken=self.responses.spoken,
        )
        self.responses.request(request)
