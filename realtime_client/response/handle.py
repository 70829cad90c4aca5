"""What a caller holds of a response: its outputs in order, and how it ended.

A `Response` is asynchronously iterable: its messages and calls come in output order, as
they begin. Nothing here waits and nothing here decides: the router has decided whose event it
is, and `delivery` sorts it into the right stream.

What nobody holds is not kept: the connection knows a response by weak reference only. So
everything that can be held here (an output, a stream, an iterator of one) holds its response.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from realtime_client import events
from realtime_client.creates import own_metadata
from realtime_client.errors import RealtimeError, ResponseFailed
from realtime_client.lives import Initiator
from realtime_client.response.metrics import Metrics, Timings, measured
from realtime_client.response.outputs import Acting, Output, kind_of, text
from realtime_client.streams import Kept, Reader

__all__ = ["AllAudio", "Response"]


class Response:
    """One response of the model. Iterate for its outputs; `done()` for the end."""

    __slots__ = (
        "__weakref__",
        "_acting",
        "_by_item",
        "_follow_up",
        "_outputs",
        "audio_format",
        "id",
        "initiator",
        "resource",
        "timings",
    )

    def __init__(
        self,
        resource: events.ResponseResource,
        *,
        initiator: Initiator,
        audio_format: events.AudioFormat | None,
        acting: Acting,
        timings: Timings = Timings(),  # noqa: B008 - frozen, and empty
    ) -> None:
        self.id: str = text(resource, "id") or ""
        self.resource = resource
        """The server's newest response object; the final one after `done()`."""
        self.initiator = initiator
        """Who started it: this `client`, the `server` by itself, or an `other` party."""
        self.audio_format = audio_format
        self.timings = timings
        self._acting = acting
        self._outputs: Kept[Output] = Kept()
        self._by_item: dict[str, Output] = {}
        self._follow_up: Kept[Response] = Kept()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    # -- what is known of it -----------------------------------------------------------------

    @property
    def status(self) -> str:
        """`in_progress`, then `completed`, `cancelled`, `incomplete` or `failed`."""
        return text(self.resource, "status") or "in_progress"

    @property
    def status_details(self) -> events.StatusDetails | str | None:
        """Why it ended so: `reason`, or `error` of a failed one. A text from some servers."""
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
    def out_of_band(self) -> bool:
        """Whether it is outside the conversation, as `conversation="none"` asks for."""
        return self.resource.conversation_id is None

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs that have begun, in their order."""
        return tuple(self._outputs.items)

    @property
    def transcript(self) -> str:
        """The words of all messages so far, spoken or written, one message a line."""
        said = (output.transcript.so_far + output.text.so_far for output in self._outputs.items)
        return "\n".join(words for words in said if words)

    @property
    def error(self) -> RealtimeError | None:
        """What it ended with, where that is an error: failed, abandoned, connection lost."""
        error = self._outputs.error
        return error if isinstance(error, RealtimeError) else None

    @property
    def metrics(self) -> Metrics:
        """Its numbers: how fast it began, how long it took, what it cost."""
        return measured(self.timings, self.status, self.usage)

    # -- what it says ------------------------------------------------------------------------

    def __aiter__(self) -> Reader[Output]:
        return self._outputs.read(self)

    @property
    def audio(self) -> AllAudio:
        """The audio of all messages, one after the other."""
        return AllAudio(self)

    async def done(self) -> events.ResponseResource:
        """Wait for `response.done`; returns the final resource, whatever its status.

        Raises:
            ResponseAbandoned: The server went silent and never ended it.
            ConnectionLost: The connection broke before the end.
        """
        with suppress(ResponseFailed):  # the status says so; it is the streams that raise
            await self._outputs.wait_ended()
        return self.resource

    async def cancel(self) -> None:
        """Cancel it at the server, by its id, and wait until the server has ended it.

        What is said between the cancel and the end is discarded and counted. One that has
        ended is left alone.

        Raises:
            ResponseAbandoned: The server went silent and never ended it.
            ConnectionLost: The connection broke before the end.
        """
        if not self._outputs.ended:
            await self._acting.cancel(self.id)
        await self.done()

    async def follow_up(self) -> Response | None:
        """The response that the outputs of its tools led to, once that begins.

        None where it called nothing that is run here, or where nothing follows: it was
        cancelled, or the bound on rounds is reached.

        Raises:
            WouldDeadlock: A tool waits for what comes after its own output.
            ConnectionLost: The connection broke before that was known.
        """
        self._acting.refuse_deadlock()
        await self.done()
        await self._follow_up.wait_ended()
        return self._follow_up.items[0] if self._follow_up.items else None

    # -- from the reader ---------------------------------------------------------------------

    def _end(self, error: RealtimeError | None) -> None:
        """No more events will come."""
        for output in self._outputs.items:
            output._end(error)
        self._outputs.end(error)

    def _follow(self, response: Response | None, error: RealtimeError | None = None) -> None:
        """What comes after it is known."""
        if response is not None:
            self._follow_up.push(response)
        self._follow_up.end(error)

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

    def _adopt(self, item: Any) -> Output:
        """The output of an item that the server has shown whole."""
        return self._output(text(item, "id"), kind_of(item), item)


class AllAudio:
    """The audio of a whole response: every output's, in their order."""

    __slots__ = ("_error", "_output", "_outputs", "_response")

    def __init__(self, response: Response) -> None:
        self._response = response
        self._outputs = aiter(response)
        self._output: Output | None = None
        self._error: RealtimeError | None = None
        """What the audio of a message ended with; what the others have comes before it."""

    def close(self) -> None:
        """The consumer is done: what has come and was not read is dropped."""
        for output in self._response.outputs:
            output.audio.close()

    def __aiter__(self) -> AllAudio:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                if self._output is None:
                    self._output = await anext(self._outputs)
                return await anext(self._output.audio)
            except StopAsyncIteration:
                if self._output is None and self._error is not None:
                    raise self._error from None
                if self._output is None:
                    raise
                self._output = None
            except RealtimeError as error:
                if self._output is None:
                    raise self._error or error from None
                self._error = self._error or error
                self._output = None
