"""The outputs of a response: messages, function calls, and what an MCP server is asked.

Every output has the three streams of a message, so that a loop over a response need not ask
what it has got; those of an output that says nothing, such as a call, end empty.

A function call is dispatched once and only when it is whole: "a cancelled response can
deliver a call item with status `incomplete` and cut-off JSON".
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from realtime_client import events
from realtime_client.errors import RealtimeError, UsageError
from realtime_client.speech import AudioStream, Listener, TextStream
from realtime_client.streams import Kept

if TYPE_CHECKING:
    from realtime_client.response.handle import Response

__all__ = ["Acting", "Call", "McpApproval", "McpCall", "Message", "Output", "kind_of"]

T = TypeVar("T")


class Acting(Protocol):
    """What a handle can do to the session that it belongs to, as long as that lasts."""

    def request(self, command: events.ClientEvent, answer: type[T]) -> Awaitable[T]:
        """Send a command and wait for its answer."""

    def cancel(self, response_id: str) -> Awaitable[None]:
        """Cancel a response by its id, and wait for its end."""

    def answered(self, call_id: str) -> None:
        """A call is about to be answered by hand: a function that still runs is too late."""

    def listener(self, item_id: str) -> Listener:
        """Who counts what is heard of an item."""

    def refuse_deadlock(self) -> None:
        """Refuse to wait for what waits for the tool within which this is asked."""


class Output:
    """One output of a response. `item` is the server's newest word about it."""

    __slots__ = ("_ended", "audio", "id", "item", "response", "text", "transcript")

    def __init__(self, response: Response, item_id: str, item: events.Item | None) -> None:
        self.response = response
        self.id = item_id
        self.item = item
        self.audio = AudioStream(
            self,
            f"the audio of {item_id}",
            response.audio_format,
            response._acting.listener(item_id),
        )
        """What it says, as it is generated."""
        self.transcript = TextStream(self)
        """The words of the audio."""
        self.text = TextStream(self)
        """Written text: what a response with `output_modalities: ["text"]` gives."""
        self._ended: Kept[None] = Kept()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    @property
    def modalities(self) -> frozenset[str]:
        """`audio`, `text`, both or none: what has come so far."""
        return frozenset(
            name
            for name, there in (
                ("audio", self.audio.began or self.transcript.so_far),
                ("text", self.text.so_far),
            )
            if there
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self._ended.ended

    async def done(self) -> events.Item | None:
        """Wait for `response.output_item.done`; returns the finished item.

        Raises:
            ResponseFailed: The response failed.
            ResponseAbandoned: The server never ended the response.
            ConnectionLost: The connection broke before the end.
        """
        await self._ended.wait_ended()
        return self.item

    def _settle(self) -> None:
        """The item is finished: where no event has settled a text, it has the last word."""
        for index, part in enumerate(getattr(self.item, "content", None) or ()):
            self.transcript._settle(index, text(part, "transcript") or None)
            self.text._settle(index, text(part, "text") or None)

    def _end(self, error: RealtimeError | None) -> None:
        for stream in (self.transcript, self.text):
            stream._end(error)
        self.audio.end(error)
        self._ended.end(error)


class Message(Output):
    """A message of the assistant."""

    __slots__ = ()


class _Arguments(Output):
    """An output with arguments: JSON text, as it grows."""

    __slots__ = ("arguments",)

    def __init__(self, response: Response, item_id: str, item: events.Item | None) -> None:
        super().__init__(response, item_id, item)
        self.arguments = TextStream(self)

    @property
    def name(self) -> str | None:
        """The name of the function."""
        return text(self.item, "name")

    def _settle(self) -> None:
        super()._settle()
        self.arguments._settle(0, text(self.item, "arguments") or None)

    def _end(self, error: RealtimeError | None) -> None:
        self.arguments._end(error)
        super()._end(error)


class Call(_Arguments):
    """A function call. `done()` gives the whole call; `answer()` answers it by hand."""

    __slots__ = ()

    @property
    def call_id(self) -> str | None:
        """What its `function_call_output` refers to."""
        return text(self.item, "call_id")

    @property
    def is_whole(self) -> bool:
        """Whether it may be carried out: finished, and not cut off."""
        status = text(self.item, "status")
        return (self.response.status if status is None else status) == "completed"

    async def answer(self, output: str) -> events.ConversationItemAdded:
        """Put the output of the function into the conversation, once the call is whole.

        The model says nothing to it before it is asked: `await c.response.create()`, once
        for all calls of a response.

        Raises:
            UsageError: The call was cut off by a cancellation; it has no output. Or the
                output is no text.
            ServerError: The server knows no such call.
            ConnectionLost: The connection of the call is gone; nothing was sent.
        """
        given: object = output
        if not isinstance(given, str):
            name = type(given).__name__
            raise UsageError(
                f"the output of a call is text, not {name}; for a value, pass json.dumps(...)"
            )
        await self._ended.wait_ended()
        if text(self.item, "status") is None:
            await self.response.done()  # only that says whether it was cut off
        if not self.is_whole or self.call_id is None:
            raise UsageError(f"call {self.id} was cut off: it is not to be carried out")
        self.response._acting.answered(self.call_id)
        item = events.FunctionCallOutputItem(call_id=self.call_id, output=output)
        command = events.ConversationItemCreate(item=item)
        return await self.response._acting.request(command, events.ConversationItemAdded)


class McpCall(_Arguments):
    """A tool of an MCP server that the server calls by itself; `item` has its output."""

    __slots__ = ()


class McpApproval(_Arguments):
    """The model asks before it calls a tool of an MCP server."""

    __slots__ = ()

    async def approve(self) -> events.ConversationItemAdded:
        """Let it. The model goes on when it is asked to: `await c.response.create()`."""
        return await self._answer(True, None)

    async def reject(self, reason: str | None = None) -> events.ConversationItemAdded:
        """Do not let it, for a reason that the model is told."""
        return await self._answer(False, reason)

    async def _answer(self, approve: bool, reason: str | None) -> events.ConversationItemAdded:
        item = events.McpApprovalResponseItem(
            approval_request_id=self.id,
            approve=approve,
            reason=events.UNSET if reason is None else reason,
        )
        command = events.ConversationItemCreate(item=item)
        return await self.response._acting.request(command, events.ConversationItemAdded)


def text(value: object, name: str) -> str | None:
    """A field where it is there and a text; null and UNSET are neither."""
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None


_KINDS: Final[Mapping[type, type[Output]]] = {
    events.MessageItem: Message,
    events.FunctionCallItem: Call,
    events.McpCallItem: McpCall,
    events.McpApprovalRequestItem: McpApproval,
}


def kind_of(item: Any) -> type[Output]:
    """What is made of an item."""
    return _KINDS.get(type(item), Output)
