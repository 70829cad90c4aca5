"""What a caller holds of a response: its outputs in order, and the streams of each.

A `Response` is asynchronously iterable: its messages and calls come in output order, as
they begin. A `Message` has three streams, `audio`, `transcript` and `text`, that can be read
in any order, together, late, or not at all. Nothing here waits and nothing here decides: the
router has decided whose event it is, and `_deliver` sorts it into the right stream.

What nobody holds is not kept: the connection knows a response by weak reference only. So
everything that can be held here (an output, a stream, an iterator of one) holds its response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from realtime_client import events
from realtime_client.errors import RealtimeError, ResponseFailed
from realtime_client.router import Initiator, own_metadata
from realtime_client.speech import AudioStream, TextStream
from realtime_client.streams import Kept, Reader

__all__ = ["AllAudio", "Call", "Message", "Output", "Response"]


class Output:
    """One output of a response. `item` is the server's newest word about it.

    Every output has the three streams, so that a loop over a response need not ask what it
    has got; those of an output that says nothing, such as a call, end empty.
    """

    __slots__ = ("_ended", "audio", "id", "item", "response", "text", "transcript")

    def __init__(self, response: Response, item_id: str, item: events.Item | None) -> None:
        self.response = response
        self.id = item_id
        self.item = item
        self.audio = AudioStream(self, f"the audio of {item_id}", response.audio_format)
        """What it says, as it is generated."""
        self.transcript = TextStream(self)
        """The words of the audio."""
        self.text = TextStream(self)
        """Written text: what a response with `output_modalities: ["text"]` gives."""
        self._ended: Kept[None] = Kept()

    async def done(self) -> events.Item | None:
        """Wait for `response.output_item.done`; returns the finished item.

        Raises:
            ResponseFailed: The response failed.
            ConnectionLost: The connection broke before the end.
        """
        await self._ended.wait_ended()
        return self.item

    def _end(self, error: RealtimeError | None) -> None:
        for stream in (self.transcript, self.text):
            stream._end(error)
        self.audio.end(error)
        self._ended.end(error)


class Message(Output):
    """A message of the assistant."""

    __slots__ = ()


class Call(Output):
    """A function call. `arguments` is JSON text as it grows; `done()` gives the whole call."""

    __slots__ = ("arguments",)

    def __init__(self, response: Response, item_id: str, item: events.Item | None) -> None:
        super().__init__(response, item_id, item)
        self.arguments = TextStream(self)

    @property
    def name(self) -> str | None:
        """The function's name."""
        return _text(self.item, "name")

    @property
    def call_id(self) -> str | None:
        """What its `function_call_output` refers to."""
        return _text(self.item, "call_id")

    def _end(self, error: RealtimeError | None) -> None:
        self.arguments._end(error)
        super()._end(error)


class Response:
    """One response of the model. Iterate for its outputs; `done()` for the end."""

    __slots__ = (
        "__weakref__",
        "_by_item",
        "_cancel",
        "_outputs",
        "audio_format",
        "id",
        "initiator",
        "resource",
    )

    def __init__(
        self,
        resource: events.ResponseResource,
        *,
        initiator: Initiator,
        audio_format: events.AudioFormat | None,
        cancel: Callable[[Response], Awaitable[None]],
    ) -> None:
        self.id: str = resource.id if isinstance(resource.id, str) else ""
        self.resource = resource
        """The server's newest response object; the final one after `done()`."""
        self.initiator = initiator
        """Who started it: this client, the server by itself, or another party."""
        self.audio_format = audio_format
        self._cancel = cancel
        self._outputs: Kept[Output] = Kept()
        self._by_item: dict[str, Output] = {}

    def __repr__(self) -> str:
        return f"<Response {self.id} {self.status}>"

    @property
    def status(self) -> str:
        """`in_progress`, then `completed`, `cancelled`, `incomplete` or `failed`."""
        return _text(self.resource, "status") or "in_progress"

    @property
    def status_details(self) -> events.StatusDetails | str | None:
        """Why it ended so: `reason`, or `error` of a failed one."""
        return self.resource.status_details or None

    @property
    def usage(self) -> events.Usage | None:
        """Tokens, once it has ended and where the server counts them."""
        return self.resource.usage or None

    @property
    def metadata(self) -> Mapping[str, str]:
        """The caller's own metadata."""
        return own_metadata(self.resource)

    @property
    def transcript(self) -> str:
        """The words of all messages so far, spoken or written, one message a line."""
        said = (output.transcript.so_far + output.text.so_far for output in self._outputs.items)
        return "\n".join(words for words in said if words)

    def __aiter__(self) -> Reader[Output]:
        return self._outputs.read(self)

    @property
    def audio(self) -> AllAudio:
        """The audio of all messages, one after the other."""
        return AllAudio(self)

    async def done(self) -> events.ResponseResource:
        """Wait for `response.done`; returns the final resource, whatever its status.

        Raises:
            ConnectionLost: The connection broke before the end.
        """
        with suppress(ResponseFailed):  # the status says so; it is the streams that raise
            await self._outputs.wait_ended()
        return self.resource

    async def cancel(self) -> None:
        """Cancel it at the server, by its id, and wait until the server has ended it.

        Raises:
            ConnectionLost: The connection broke before the end.
        """
        if not self._outputs.ended:
            await self._cancel(self)
        await self.done()

    # -- from the reader --------------------------------------------------------------

    def _deliver(self, event: Any) -> None:
        """Sort one event of this response into its stream."""
        handler = _DELIVERY.get(type(event))
        if handler is not None:
            handler(self, event)

    def _end(self, error: RealtimeError | None) -> None:
        """No more events will come."""
        for output in self._outputs.items:
            output._end(error)
        self._outputs.end(error)

    def _output(self, item_id: object, kind: type[Output], item: Any = None) -> Output:
        """The output of this item; made when it is first heard of."""
        key = item_id if isinstance(item_id, str) else ""
        output = self._by_item.get(key)
        if output is None:
            output = self._by_item[key] = kind(self, key, item)
            self._outputs.push(output)
        elif item is not None:
            output.item = item
        return output

    def _on_item(self, event: Any) -> Output:
        kind = _KINDS.get(type(event.item), Output)
        return self._output(_text(event.item, "id"), kind, event.item)

    def _on_item_done(self, event: Any) -> None:
        self._on_item(event)._end(None)

    def _on_audio(self, event: events.ResponseOutputAudioDelta) -> None:
        output = self._by_item.get(event.item_id or "") or self._output(event.item_id, Message)
        output.audio.push(event.delta)

    def _on_done(self, event: events.ResponseDone) -> None:
        self.resource = event.response
        self._end(_failure(event.response) if self.status == "failed" else None)


class AllAudio:
    """The audio of a whole response: every output's, in their order."""

    __slots__ = ("_output", "_outputs")

    def __init__(self, response: Response) -> None:
        self._outputs = aiter(response)
        self._output: Output | None = None

    def __aiter__(self) -> AllAudio:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._output is None:
                self._output = await anext(self._outputs)
            try:
                return await anext(self._output.audio)
            except StopAsyncIteration:
                self._output = None


def _text(value: object, name: str) -> str | None:
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None


def _delta(kind: type[Output], stream: str) -> Callable[[Response, Any], None]:
    """A handler that appends to one text stream of an output."""

    def deliver(response: Response, event: Any) -> None:
        text: TextStream | None = getattr(response._output(event.item_id, kind), stream, None)
        if text is not None:
            text._push(_index(event), event.delta)

    return deliver


def _settled(kind: type[Output], stream: str, field: str) -> Callable[[Response, Any], None]:
    """A handler for the `*.done` that has the last word on a text."""

    def deliver(response: Response, event: Any) -> None:
        text: TextStream | None = getattr(response._output(event.item_id, kind), stream, None)
        if text is not None:
            text._settle(_index(event), getattr(event, field))

    return deliver


def _index(event: Any) -> int:
    index = getattr(event, "content_index", 0)
    return index if isinstance(index, int) else 0


def _failure(resource: events.ResponseResource) -> ResponseFailed:
    details = resource.status_details
    error = getattr(details, "error", None)
    message = _text(error, "message") or "the response failed and the server did not say why"
    if isinstance(details, str):
        message = details
    failure = ResponseFailed(message, code=_text(error, "code"), type=_text(error, "type"))
    failure.response_id = resource.id or None
    return failure


_KINDS: Final[Mapping[type, type[Output]]] = {
    events.MessageItem: Message,
    events.FunctionCallItem: Call,
}

_DELIVERY: Final[Mapping[type, Callable[[Response, Any], Any]]] = {
    events.ResponseOutputAudioDelta: Response._on_audio,
    events.ResponseOutputAudioTranscriptDelta: _delta(Message, "transcript"),
    events.ResponseOutputTextDelta: _delta(Message, "text"),
    events.ResponseFunctionCallArgumentsDelta: _delta(Call, "arguments"),
    events.ResponseOutputAudioTranscriptDone: _settled(Message, "transcript", "transcript"),
    events.ResponseOutputTextDone: _settled(Message, "text", "text"),
    events.ResponseFunctionCallArgumentsDone: _settled(Call, "arguments", "arguments"),
    events.ResponseOutputItemAdded: Response._on_item,
    events.ResponseOutputItemDone: Response._on_item_done,
    events.ResponseDone: Response._on_done,
}
