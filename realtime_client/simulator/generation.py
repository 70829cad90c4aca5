"""A response, event by event.

What the brain answered is a list of parts; each becomes an output item that opens, grows
piece by piece and closes. `step` does the next of these things and `next_due` says when it
is due, so a response is a script that anybody with a clock can play, and that can be cut at
any point: the `.done` events then tell what was generated and no more.

The order of the events is the wire's. The predecessor that `conversation.item.done` names is
the true one for a written message and null for a spoken message or a call (as recorded).
"""

from collections import deque

from realtime_client.events import (
    UNSET,
    ConversationItemAdded,
    ConversationItemDone,
    Item,
    Maybe,
    ResponseCreated,
    ResponseDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseResource,
    ServerEvent,
    StatusDetails,
    StatusError,
)
from realtime_client.simulator.brain import Answer, CallFunction, CallMcp, Fail, Say, Stop
from realtime_client.simulator.conversation import Conversation
from realtime_client.simulator.items import Entry
from realtime_client.simulator.output import Output, make_output
from realtime_client.simulator.place import Place
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.question import make_usage
from realtime_client.simulator.request import Request
from realtime_client.simulator.services import Ids
from realtime_client.simulator.speech import AudioPiece, Piece

__all__ = ["Generation"]


class Generation:
    """One response being made.

    `conversation` is where its items go; None keeps them out. `start` is when it began.
    """

    def __init__(
        self,
        request: Request,
        answer: Answer,
        context: tuple[Entry, ...],
        *,
        ids: Ids,
        conversation: Conversation | None,
        conversation_id: str | None,
        policy: SimulatorPolicy,
        start: float,
    ) -> None:
        self.id = ids("resp")
        self.request = request
        self.spoken = False  # whether audio has been sent
        self.done = False
        self._parts = deque(answer)
        self._context = context
        self._ids = ids
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._show_items = policy.out_of_band_item_events or conversation is not None
        self._echoes_metadata = policy.echoes_metadata
        self._slowness = policy.slowness
        self._item_at = self._closed_at = start
        self._output: Output | None = None
        self._pieces: deque[Piece] = deque()
        self._previous: str | None = None
        self._finished: list[Item] = []
        self._tokens = (0, 0)  # of the finished items: text, audio

    def created(self) -> ServerEvent:
        """Return `response.created`."""
        return ResponseCreated(response=self._resource("in_progress"))

    @property
    def next_due(self) -> float | None:
        """When the next step is due; None once the response is done."""
        if self.done:
            return None
        if self._output is None:
            # A message waits until the one before it has been played; the end does not.
            more = bool(self._parts) and isinstance(self._parts[0], Say | CallFunction | CallMcp)
            return self._item_at if more else self._closed_at
        pieces = self._pieces or self._output.pieces[-1:]
        return self._item_at + (pieces[0].at if pieces else 0.0) * self._slowness

    def step(self) -> list[ServerEvent]:
        """Do what is due next and return its events."""
        if self._output is not None:
            return self._grow() if self._pieces else self._close("completed")
        if not self._parts:
            return self._finish("completed", None)
        part = self._parts.popleft()
        if isinstance(part, Fail):
            error = StatusError(type=part.type, code=part.code, message=part.message)
            return self._finish("failed", StatusDetails(type="failed", error=error))
        if isinstance(part, Stop):
            return self._cut("incomplete", part.reason)
        return self._open(part)

    def cancel(self, reason: str, *, in_flight: int) -> list[ServerEvent]:
        """End it now; up to `in_flight` more deltas were on their way already."""
        events = []
        for _ in range(min(in_flight, len(self._pieces))):
            events += self._grow()
            if self.done:
                return events
        return [*events, *self._cut("cancelled", reason)]

    def _open(self, part: Say | CallFunction | CallMcp) -> list[ServerEvent]:
        if isinstance(part, CallMcp) and part.approval:
            self._parts.clear()  # nothing more until the client has answered
        place = Place(self.id, self._ids("item"), len(self._finished))
        output = make_output(part, place, self.request, self._ids)
        self._output, self._pieces = output, deque(output.pieces)
        entry = output.entry("in_progress")
        if self._conversation is not None:
            self._previous = self._conversation.append(entry)
        added: list[ServerEvent] = [
            ResponseOutputItemAdded(
                response_id=self.id, output_index=place.output_index, item=entry.item
            )
        ]
        if self._show_items:
            added.append(ConversationItemAdded(previous_item_id=self._previous, item=entry.item))
        return added + output.opening()

    def _grow(self) -> list[ServerEvent]:
        output = self._output
        assert output is not None
        piece = self._pieces[0]
        limit = self.request.max_output_tokens
        if isinstance(limit, int) and sum(self._tokens) + sum(output.tokens(piece)) > limit:
            return self._cut("incomplete", "max_output_tokens")
        self._pieces.popleft()
        event = output.grow(piece)
        self.spoken = self.spoken or isinstance(piece, AudioPiece)
        self._keep(output.entry("in_progress"))
        return [event]

    def _close(self, status: str) -> list[ServerEvent]:
        output = self._output
        assert output is not None
        entry = output.entry(status)
        self._keep(entry)
        self._finished.append(entry.item)
        text, audio = output.tokens()
        self._tokens = (self._tokens[0] + text, self._tokens[1] + audio)
        last = output.pieces[-1].at if output.pieces else 0.0
        self._closed_at = self._item_at + last * self._slowness
        self._item_at += output.seconds * self._slowness
        self._output = None
        previous = self._previous if output.text_only else None
        events = output.closing()
        if self._show_items:
            events.append(ConversationItemDone(previous_item_id=previous, item=entry.item))
        events.append(
            ResponseOutputItemDone(
                response_id=self.id, output_index=output.place.output_index, item=entry.item
            )
        )
        return events

    def _keep(self, entry: Entry) -> None:
        if self._conversation is not None:
            self._conversation.replace(entry)

    def _cut(self, status: str, reason: str) -> list[ServerEvent]:
        """Close what is open with what was generated, and end."""
        events: list[ServerEvent] = []
        if self._output is not None:
            events += self._close("incomplete" if self._pieces else "completed")
        return events + self._finish(status, StatusDetails(type=status, reason=reason))

    def _finish(self, status: str, details: StatusDetails | None) -> list[ServerEvent]:
        self.done = True
        return [ResponseDone(response=self._resource(status, details))]

    def _resource(self, status: str, details: StatusDetails | None = None) -> ResponseResource:
        request = self.request
        usage = None
        if self.done:
            text, audio = self._tokens
            usage = make_usage(
                self._context, request.instructions, said_text=text, said_audio=audio
            )
        metadata: Maybe[dict[str, str]] = dict(request.metadata) if request.metadata else None
        return ResponseResource(
            object="realtime.response",
            id=self.id,
            status=status,
            status_details=details,
            output=tuple(self._finished),
            conversation_id=self._conversation_id,
            output_modalities=(request.modality,),
            max_output_tokens=request.max_output_tokens,
            audio=request.audio,
            usage=usage,
            metadata=metadata if self._echoes_metadata else UNSET,
        )
