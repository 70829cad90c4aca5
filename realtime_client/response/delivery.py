"""From an event of a response to the stream that it belongs in: one table.

Texts are kept per content part, and the last word counts: the `*.done` event of a part, or
where that is missing the finished item, or the finished response. So a response whose events
are incomplete, or that has nothing but its `response.done`, still says all that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from realtime_client import events
from realtime_client.errors import ResponseFailed
from realtime_client.response.handle import Response
from realtime_client.response.outputs import Call, McpCall, Message, Output, text
from realtime_client.speech import TextStream

__all__ = ["deliver"]

Handler = Callable[[Response, Any, float], None]


def deliver(response: Response, event: Any, now: float) -> None:
    """Sort one event of a response into its stream."""
    handler = _DELIVERY.get(type(event))
    if handler is not None:
        handler(response, event, now)


def _on_audio(response: Response, event: events.ResponseOutputAudioDelta, now: float) -> None:
    output = response._by_item.get(event.item_id or "")
    if output is None:
        output = response._output(event.item_id, Message)
    if response.timings.first_audio is None:
        response.timings = response.timings._replace(first_audio=now)
    output.audio._push(_index(event), event.delta)


def _delta(kind: type[Output], stream: str) -> Handler:
    """A handler that appends to one text stream of an output."""

    def handle(response: Response, event: Any, now: float) -> None:
        if response.timings.first_text is None and kind is Message:
            response.timings = response.timings._replace(first_text=now)
        words = _text_stream(response, event, kind, stream)
        if words is not None:
            words._push(_index(event), event.delta, getattr(event, "start_time", None))

    return handle


def _settled(kind: type[Output], stream: str, field: str) -> Handler:
    """A handler for the `*.done` that has the last word on a text."""

    def handle(response: Response, event: Any, now: float) -> None:
        words = _text_stream(response, event, kind, stream)
        if words is not None:
            words._settle(_index(event), getattr(event, field))

    return handle


def _text_stream(
    response: Response, event: Any, kind: type[Output], stream: str
) -> TextStream | None:
    return getattr(response._output(event.item_id, kind), stream, None)


def _on_part_done(response: Response, event: Any, now: float) -> None:
    output = response._by_item.get(event.item_id or "")
    if output is not None:
        output.audio._close_part(_index(event))


def _on_item(response: Response, event: events.ResponseOutputItemAdded, now: float) -> None:
    known = response._by_item.get(text(event.item, "id") or "")
    if known is None or not known.ended:  # a late one knows less than the finished item
        response._adopt(event.item)


def _on_item_done(response: Response, event: events.ResponseOutputItemDone, now: float) -> None:
    output = response._adopt(event.item)
    output._settle()
    output._end(None)


def _on_done(response: Response, event: events.ResponseDone, now: float) -> None:
    resource = event.response
    if event.usage and resource.usage in _NO_USAGE:
        resource = msgspec.structs.replace(resource, usage=event.usage)
    response.resource = resource
    response.timings = response.timings._replace(done=now)
    for item in resource.output or ():
        response._adopt(item)._settle()
    response._end(_failure(resource) if response.status == "failed" else None)


def _index(event: Any) -> int:
    index = getattr(event, "content_index", 0)
    return index if isinstance(index, int) else 0


def _failure(resource: events.ResponseResource) -> ResponseFailed:
    details = resource.status_details
    error = getattr(details, "error", None)
    message = text(error, "message") or "the response failed and the server did not say why"
    if isinstance(details, str):
        message = details
    failure = ResponseFailed(message, code=text(error, "code"), type=text(error, "type"))
    failure.response_id = resource.id or None
    return failure


_NO_USAGE: Final = (None, events.UNSET, events.Usage())
"""xAI puts `usage` beside the response, and an empty one inside (seen on the wire)."""

_DELIVERY: Final[Mapping[type, Handler]] = {
    events.ResponseOutputAudioDelta: _on_audio,
    events.ResponseOutputAudioTranscriptDelta: _delta(Message, "transcript"),
    events.ResponseOutputTextDelta: _delta(Message, "text"),
    events.ResponseFunctionCallArgumentsDelta: _delta(Call, "arguments"),
    events.ResponseMcpCallArgumentsDelta: _delta(McpCall, "arguments"),
    events.ResponseOutputAudioDone: _on_part_done,
    events.ResponseContentPartDone: _on_part_done,
    events.ResponseOutputAudioTranscriptDone: _settled(Message, "transcript", "transcript"),
    events.ResponseOutputTextDone: _settled(Message, "text", "text"),
    events.ResponseFunctionCallArgumentsDone: _settled(Call, "arguments", "arguments"),
    events.ResponseMcpCallArgumentsDone: _settled(McpCall, "arguments", "arguments"),
    events.ResponseOutputItemAdded: _on_item,
    events.ResponseOutputItemDone: _on_item_done,
    events.ResponseDone: _on_done,
}
