"""What a client says: the eleven events of a realtime session.

Every one may carry an `event_id` of at most 512 characters. No success echoes it; only an
`error` does, in `error.event_id`. All travel as text frames.
"""

from typing import TypeAlias

from realtime_client.events.base import UNSET, Maybe, Tagged
from realtime_client.events.items import Item
from realtime_client.events.response import ResponseCreateParams
from realtime_client.events.session import Session

__all__ = [
    "ClientEvent",
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "OutputAudioBufferClear",
    "ResponseCancel",
    "ResponseCreate",
    "SessionUpdate",
]


class FromClient(Tagged, frozen=True, kw_only=True):
    """What every client event may carry."""

    event_id: Maybe[str] = UNSET


class SessionUpdate(FromClient, frozen=True, kw_only=True, tag="session.update"):
    """Change the fields that are present; answered by `session.updated`, or refused whole."""

    session: Session


class InputAudioBufferAppend(
    FromClient, frozen=True, kw_only=True, tag="input_audio_buffer.append"
):
    """Add audio to the input buffer; never acknowledged.

    `audio` as bytes is raw audio in the session's input format, at most 15 MiB and not
    empty; as str it already is base64 and goes out untouched.
    """

    audio: bytes | str


class InputAudioBufferCommit(
    FromClient, frozen=True, kw_only=True, tag="input_audio_buffer.commit"
):
    """End the user's turn: the buffer becomes a user message.

    Answered by `input_audio_buffer.committed`; refused under 100 ms of audio.
    """


class InputAudioBufferClear(FromClient, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Throw the input buffer away; answered by `input_audio_buffer.cleared`."""


class OutputAudioBufferClear(
    FromClient, frozen=True, kw_only=True, tag="output_audio_buffer.clear"
):
    """Stop what the server is playing: WebRTC and SIP only, refused over WebSocket."""


class ConversationItemCreate(FromClient, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Put an item into the conversation, after `previous_item_id`.

    Left out, it goes to the end; `"root"` is the beginning. Answered by
    `conversation.item.added` and `.done`.
    """

    previous_item_id: Maybe[str] = UNSET
    item: Item


class ConversationItemDelete(FromClient, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Remove an item; answered by `conversation.item.deleted`."""

    item_id: str


class ConversationItemRetrieve(
    FromClient, frozen=True, kw_only=True, tag="conversation.item.retrieve"
):
    """Ask for an item with its audio; answered by `conversation.item.retrieved`."""

    item_id: str


class ConversationItemTruncate(
    FromClient, frozen=True, kw_only=True, tag="conversation.item.truncate"
):
    """Cut an assistant's audio at what was heard, `audio_end_ms` whole milliseconds.

    Its transcript is removed with it. Refused beyond the end of the audio, which is what
    the server sent and not what was played. Answered by `conversation.item.truncated`.
    """

    item_id: str
    content_index: int
    audio_end_ms: int


class ResponseCreate(FromClient, frozen=True, kw_only=True, tag="response.create"):
    """Ask the model to answer; answered by `response.created` ... `response.done`."""

    response: Maybe[ResponseCreateParams] = UNSET


class ResponseCancel(FromClient, frozen=True, kw_only=True, tag="response.cancel"):
    """Stop a response, `response_id` or the default conversation's.

    Not instantaneous: deltas still come until `response.done` says `cancelled`.
    """

    response_id: Maybe[str] = UNSET


ClientEvent: TypeAlias = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemDelete
    | ConversationItemRetrieve
    | ConversationItemTruncate
    | ResponseCreate
    | ResponseCancel
)
"""Any event that a client sends in a realtime session."""
