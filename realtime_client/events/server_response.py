"""What a server says about a response, from `response.created` to `response.done`.

A delta belongs to `(response_id, item_id, content_index)`. That is enough to route it,
whatever else is being said at the time; `output_index` is the item's place in the response.
xAI leaves out the indexes of some deltas (seen on the wire). `obfuscation` is padding that
hides the length of a text, `start_time` the second at which a transcript is spoken (xAI);
both are undeclared and seen on the wire.
"""

from typing import TypeAlias

from realtime_client.events.base import UNSET, Maybe, Tagged
from realtime_client.events.items import ContentPart, Item
from realtime_client.events.response import ResponseResource, Usage

__all__ = [
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseEvent",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
]


class ResponseCreated(Tagged, frozen=True, kw_only=True, tag="response.created"):
    """A response began. It names no client event: recognise it by its `metadata`."""

    event_id: Maybe[str] = UNSET
    response: ResponseResource


class ResponseDone(Tagged, frozen=True, kw_only=True, tag="response.done"):
    """A response ended, whatever its status; the whole of it, without audio.

    It can come without its `response.created` around an interruption. xAI puts `usage` and
    `response_id` beside the response instead of inside (seen on the wire).
    """

    event_id: Maybe[str] = UNSET
    response_id: Maybe[str] = UNSET
    response: ResponseResource
    usage: Maybe[Usage] = UNSET


class OutputItemEvent(Tagged, frozen=True, kw_only=True):
    """An item of a response and its place there."""

    event_id: Maybe[str] = UNSET
    response_id: Maybe[str] = UNSET
    output_index: Maybe[int] = UNSET
    item: Item


class ResponseOutputItemAdded(
    OutputItemEvent, frozen=True, kw_only=True, tag="response.output_item.added"
):
    """The model begins an item; it is still empty."""


class ResponseOutputItemDone(
    OutputItemEvent, frozen=True, kw_only=True, tag="response.output_item.done"
):
    """An item is complete, or `incomplete` in a cancelled response."""


class ItemProgress(Tagged, frozen=True, kw_only=True):
    """Something happened to one item of a response."""

    event_id: Maybe[str] = UNSET
    response_id: Maybe[str] = UNSET
    item_id: Maybe[str] = UNSET
    output_index: Maybe[int] = UNSET


class PartProgress(ItemProgress, frozen=True, kw_only=True):
    """Something happened to one content part of an item."""

    content_index: Maybe[int] = UNSET


class ResponseContentPartAdded(
    PartProgress, frozen=True, kw_only=True, tag="response.content_part.added"
):
    """A message gets a new part; `part.type` is `text` or `audio` (seen on the wire)."""

    part: Maybe[ContentPart] = UNSET


class ResponseContentPartDone(
    PartProgress, frozen=True, kw_only=True, tag="response.content_part.done"
):
    """A part is complete; without its audio. xAI leaves `part` out (seen on the wire)."""

    part: Maybe[ContentPart] = UNSET


class ResponseOutputTextDelta(
    PartProgress, frozen=True, kw_only=True, tag="response.output_text.delta"
):
    """More text of a part."""

    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseOutputTextDone(
    PartProgress, frozen=True, kw_only=True, tag="response.output_text.done"
):
    """The whole text of a part."""

    text: Maybe[str] = UNSET


class ResponseOutputAudioTranscriptDelta(
    PartProgress, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"
):
    """More of what is being said in an audio part; runs ahead of the audio."""

    delta: str
    start_time: Maybe[float] = UNSET
    obfuscation: Maybe[str] = UNSET


class ResponseOutputAudioTranscriptDone(
    PartProgress, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"
):
    """All that was said in an audio part."""

    transcript: Maybe[str] = UNSET


class ResponseOutputAudioDelta(
    PartProgress, frozen=True, kw_only=True, tag="response.output_audio.delta"
):
    """More audio, in the session's output format: bytes, base64 on the wire.

    Any size, usually some 400 ms each, and faster than real time.
    """

    delta: bytes


class ResponseOutputAudioDone(
    PartProgress, frozen=True, kw_only=True, tag="response.output_audio.done"
):
    """An audio part is complete; it brings no audio itself."""


class ResponseFunctionCallArgumentsDelta(
    ItemProgress, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"
):
    """More of the JSON text of a call's arguments."""

    call_id: Maybe[str] = UNSET
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseFunctionCallArgumentsDone(
    ItemProgress, frozen=True, kw_only=True, tag="response.function_call_arguments.done"
):
    """All arguments of a call; `response.output_item.done` delivers the same call again."""

    call_id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    arguments: Maybe[str] = UNSET


class ResponseMcpCallArgumentsDelta(
    ItemProgress, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"
):
    """More of the JSON text of an MCP call's arguments."""

    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseMcpCallArgumentsDone(
    ItemProgress, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"
):
    """All arguments of an MCP call."""

    arguments: Maybe[str] = UNSET


class ResponseMcpCallInProgress(
    ItemProgress, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"
):
    """The server runs an MCP call. The specification gives it no `response_id`."""


class ResponseMcpCallCompleted(
    ItemProgress, frozen=True, kw_only=True, tag="response.mcp_call.completed"
):
    """An MCP call returned; its item has the `output`."""


class ResponseMcpCallFailed(
    ItemProgress, frozen=True, kw_only=True, tag="response.mcp_call.failed"
):
    """An MCP call failed; its item has the `error`."""


class OutputAudioBufferEvent(Tagged, frozen=True, kw_only=True):
    """The server's own player of a response, which WebRTC and SIP have."""

    event_id: Maybe[str] = UNSET
    response_id: Maybe[str] = UNSET


class OutputAudioBufferStarted(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.started"
):
    """The server began to play a response (WebRTC and SIP only)."""


class OutputAudioBufferStopped(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"
):
    """The server has played all of a response (WebRTC and SIP only)."""


class OutputAudioBufferCleared(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"
):
    """The server threw away what it had not played yet (WebRTC and SIP only)."""


ResponseEvent: TypeAlias = (
    ResponseCreated
    | ResponseDone
    | ResponseOutputItemAdded
    | ResponseOutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | ResponseOutputTextDelta
    | ResponseOutputTextDone
    | ResponseOutputAudioTranscriptDelta
    | ResponseOutputAudioTranscriptDone
    | ResponseOutputAudioDelta
    | ResponseOutputAudioDone
    | ResponseFunctionCallArgumentsDelta
    | ResponseFunctionCallArgumentsDone
    | ResponseMcpCallArgumentsDelta
    | ResponseMcpCallArgumentsDone
    | ResponseMcpCallInProgress
    | ResponseMcpCallCompleted
    | ResponseMcpCallFailed
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
)
"""Any server event about a response."""
