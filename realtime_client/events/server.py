"""What a server says about the session, the conversation and the input.

Only the payload without which an event means nothing is required. Ids, indexes and
positions may be missing or null, because servers that speak this protocol leave them out
(xAI's `session.updated` has no session id, `input_audio_buffer.dtmf_event_received` no
`event_id` anywhere). Times ending in `_ms` are milliseconds of audio written to the input
buffer since the session began.

What a server says about a response is in `server_response`; what a transcription is made of
is in `transcription`.
"""

from typing import TypeAlias

from realtime_client.events.base import UNSET, Maybe, Tagged, Wire
from realtime_client.events.items import Item
from realtime_client.events.server_response import ResponseEvent
from realtime_client.events.session import Session
from realtime_client.events.transcription import (
    LogProb,
    TranscriptionLanguage,
    TranscriptionUsage,
)

__all__ = [
    "Conversation",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemInputAudioTranscriptionUpdated",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "ErrorDetails",
    "ErrorEvent",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "RateLimit",
    "RateLimitsUpdated",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
]


class FromServer(Tagged, frozen=True, kw_only=True):
    """What every server event may carry."""

    event_id: Maybe[str] = UNSET


# --- the session ---------------------------------------------------------------------


class ErrorDetails(Wire, frozen=True, kw_only=True):
    """What went wrong, and which client event (`event_id`) it answers.

    Match `code` or `type`: some servers put the name of the error in `type` and leave
    `code` null. `param` is the path of the offending field.
    """

    type: Maybe[str] = UNSET
    code: Maybe[str] = UNSET
    message: Maybe[str] = UNSET
    param: Maybe[str] = UNSET
    event_id: Maybe[str] = UNSET


class ErrorEvent(FromServer, frozen=True, kw_only=True, tag="error"):
    """The server refused something; nearly always the session goes on.

    `error` is a plain string from some servers.
    """

    error: ErrorDetails | str


class SessionCreated(FromServer, frozen=True, kw_only=True, tag="session.created"):
    """The first frame of every session: only now is the connection good."""

    session: Session


class SessionUpdated(FromServer, frozen=True, kw_only=True, tag="session.updated"):
    """A `session.update` was accepted; `session` is the whole effective configuration."""

    session: Session


class RateLimit(Wire, frozen=True, kw_only=True):
    """One limit: `name` is `requests` or `tokens`; it is full again in `reset_seconds`."""

    name: Maybe[str] = UNSET
    limit: Maybe[int] = UNSET
    remaining: Maybe[int] = UNSET
    reset_seconds: Maybe[float] = UNSET


class RateLimitsUpdated(FromServer, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """Sent after `response.done`, often not at all (seen on the wire): never wait for it."""

    rate_limits: Maybe[tuple[RateLimit, ...]] = UNSET


class McpListToolsEvent(FromServer, frozen=True, kw_only=True):
    """The listing of an MCP server's tools, an item of the conversation."""

    item_id: Maybe[str] = UNSET


class McpListToolsInProgress(
    McpListToolsEvent, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"
):
    """The server asks an MCP server for its tools."""


class McpListToolsCompleted(
    McpListToolsEvent, frozen=True, kw_only=True, tag="mcp_list_tools.completed"
):
    """The tools are known; the `mcp_list_tools` item names them."""


class McpListToolsFailed(McpListToolsEvent, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    """The MCP server did not say what tools it has."""


# --- the conversation ----------------------------------------------------------------


class Conversation(Wire, frozen=True, kw_only=True):
    """The conversation of a session; `object` is `realtime.conversation`."""

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET


class ConversationCreated(FromServer, frozen=True, kw_only=True, tag="conversation.created"):
    """Sent after `session.created` by xAI (seen on the wire); not by OpenAI."""

    conversation: Maybe[Conversation] = UNSET


class ItemEvent(FromServer, frozen=True, kw_only=True):
    """An item, and the one before it: null for none, or where the server does not say."""

    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemAdded(ItemEvent, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item joined the conversation; a model's still grows.

    `previous_item_id` is where it belongs. It can name an item that was just deleted.
    """


class ConversationItemCreated(
    ItemEvent, frozen=True, kw_only=True, tag="conversation.item.created"
):
    """The older name of `conversation.item.added`, still sent by some servers."""


class ConversationItemDone(ItemEvent, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item is complete.

    `previous_item_id` is null for what the model made (seen on the wire): take the order
    from `conversation.item.added`.
    """


class ConversationItemRetrieved(
    FromServer, frozen=True, kw_only=True, tag="conversation.item.retrieved"
):
    """The answer to `conversation.item.retrieve`: the item with its audio."""

    item: Item


class ConversationItemDeleted(
    FromServer, frozen=True, kw_only=True, tag="conversation.item.deleted"
):
    """An item is gone from the conversation."""

    item_id: str


class ConversationItemTruncated(
    FromServer, frozen=True, kw_only=True, tag="conversation.item.truncated"
):
    """An assistant's audio was cut at `audio_end_ms` and its transcript removed."""

    item_id: str
    content_index: Maybe[int] = UNSET
    audio_end_ms: Maybe[int] = UNSET


# --- transcription of the input ------------------------------------------------------
#
# Asynchronous: these come before the commit or long after it, and the turns may finish out
# of order. The key is (item_id, content_index).


class InputTranscriptionEvent(FromServer, frozen=True, kw_only=True):
    """The message, and the part of it, whose audio is being written down."""

    item_id: Maybe[str] = UNSET
    content_index: Maybe[int] = UNSET


class ConversationItemInputAudioTranscriptionDelta(
    InputTranscriptionEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.delta",
):
    """More of a transcript; `logprobs` where the session's `include` asks for them."""

    delta: Maybe[str] = UNSET
    logprobs: Maybe[tuple[LogProb, ...]] = UNSET
    obfuscation: Maybe[str] = UNSET


class ConversationItemInputAudioTranscriptionSegment(
    InputTranscriptionEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.segment",
):
    """A stretch of one speaker, from `start` to `end` in seconds (diarisation)."""

    id: Maybe[str] = UNSET
    text: str
    speaker: Maybe[str] = UNSET
    start: Maybe[float] = UNSET
    end: Maybe[float] = UNSET


class ConversationItemInputAudioTranscriptionUpdated(
    InputTranscriptionEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.updated",
):
    """The transcript so far, all of it each time: xAI's kind of delta (seen on the wire)."""

    transcript: Maybe[str] = UNSET


class ConversationItemInputAudioTranscriptionCompleted(
    InputTranscriptionEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.completed",
):
    """The whole transcript of what the user said. xAI sends several a turn."""

    transcript: str
    languages: Maybe[tuple[TranscriptionLanguage, ...]] = UNSET
    logprobs: Maybe[tuple[LogProb, ...]] = UNSET
    usage: Maybe[TranscriptionUsage] = UNSET


class ConversationItemInputAudioTranscriptionFailed(
    InputTranscriptionEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.failed",
):
    """The audio could not be written down; the model may still have understood it."""

    error: ErrorDetails | str


# --- the input buffer ----------------------------------------------------------------


class InputAudioBufferCommitted(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.committed"
):
    """A turn ended, by the client's commit or by turn detection; `item_id` is its message."""

    previous_item_id: Maybe[str] = UNSET
    item_id: Maybe[str] = UNSET


class InputAudioBufferCleared(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"
):
    """The input buffer is empty."""


class InputAudioBufferSpeechStarted(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """Turn detection hears speech; `item_id` is the message that it will become.

    `audio_start_ms` includes the prefix padding.
    """

    audio_start_ms: Maybe[int] = UNSET
    item_id: Maybe[str] = UNSET


class InputAudioBufferSpeechStopped(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    """Turn detection hears the end of speech; `audio_end_ms` includes the silence."""

    audio_end_ms: Maybe[int] = UNSET
    item_id: Maybe[str] = UNSET


class InputAudioBufferTimeoutTriggered(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    """Nobody spoke for `idle_timeout_ms`; an empty turn is committed and answered."""

    audio_start_ms: Maybe[int] = UNSET
    audio_end_ms: Maybe[int] = UNSET
    item_id: Maybe[str] = UNSET


class InputAudioBufferDtmfEventReceived(
    FromServer, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """A key was pressed on the phone (SIP): `event` is `0` to `9`, `*`, `#`, `A` to `D`.

    `received_at` is seconds since 1970. The specification gives it no `event_id`.
    """

    event: str
    received_at: Maybe[int] = UNSET


ServerEvent: TypeAlias = (
    ErrorEvent
    | SessionCreated
    | SessionUpdated
    | RateLimitsUpdated
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemCreated
    | ConversationItemDone
    | ConversationItemRetrieved
    | ConversationItemDeleted
    | ConversationItemTruncated
    | ConversationItemInputAudioTranscriptionDelta
    | ConversationItemInputAudioTranscriptionSegment
    | ConversationItemInputAudioTranscriptionUpdated
    | ConversationItemInputAudioTranscriptionCompleted
    | ConversationItemInputAudioTranscriptionFailed
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | InputAudioBufferSpeechStarted
    | InputAudioBufferSpeechStopped
    | InputAudioBufferTimeoutTriggered
    | InputAudioBufferDtmfEventReceived
    | ResponseEvent
)
"""Any event that a server sends in a realtime session."""
