"""The words of a translation session, which has no turns and no responses.

Audio goes in continuously and comes out in another language, with the transcripts of both.
Three of its wire types also mean something in a realtime session, with another shape; their
classes are called `Translation...` here, and which class a type means is decided by the
surface (see `surfaces`), never by the type alone. Everything here is from the specification.
"""

from typing import TypeAlias

from realtime_client.events.base import UNSET, Maybe, Tagged
from realtime_client.events.server import ErrorEvent
from realtime_client.events.session import TranslationSessionConfig

__all__ = [
    "SessionClose",
    "SessionClosed",
    "SessionInputAudioBufferAppend",
    "SessionInputTranscriptDelta",
    "SessionOutputAudioDelta",
    "SessionOutputTranscriptDelta",
    "TranslationClientEvent",
    "TranslationServerEvent",
    "TranslationSessionCreated",
    "TranslationSessionUpdate",
    "TranslationSessionUpdated",
]


class TranslationEvent(Tagged, frozen=True, kw_only=True):
    """What every event of a translation session may carry."""

    event_id: Maybe[str] = UNSET


class TranslationSessionUpdate(TranslationEvent, frozen=True, kw_only=True, tag="session.update"):
    """Change the fields that are present; no `session.type` is needed."""

    session: TranslationSessionConfig


class SessionInputAudioBufferAppend(
    TranslationEvent, frozen=True, kw_only=True, tag="session.input_audio_buffer.append"
):
    """Add audio, also silence: the session hears a continuous stream.

    `audio` as bytes is raw audio; as str it already is base64 and goes out untouched.
    """

    audio: bytes | str


class SessionClose(TranslationEvent, frozen=True, kw_only=True, tag="session.close"):
    """Translate what is still in flight, then end; answered by `session.closed`."""


class TranslationSessionCreated(TranslationEvent, frozen=True, kw_only=True, tag="session.created"):
    """The first frame: only now is the connection good."""

    session: TranslationSessionConfig


class TranslationSessionUpdated(TranslationEvent, frozen=True, kw_only=True, tag="session.updated"):
    """An update was accepted; `session` is the whole effective configuration."""

    session: TranslationSessionConfig


class SessionClosed(TranslationEvent, frozen=True, kw_only=True, tag="session.closed"):
    """Everything was translated; the connection ends after this."""


class TranslationDelta(TranslationEvent, frozen=True, kw_only=True):
    """A piece of a stream, `elapsed_ms` milliseconds into it."""

    elapsed_ms: Maybe[int] = UNSET


class SessionInputTranscriptDelta(
    TranslationDelta, frozen=True, kw_only=True, tag="session.input_transcript.delta"
):
    """More of what was heard, in the speaker's language."""

    delta: str


class SessionOutputTranscriptDelta(
    TranslationDelta, frozen=True, kw_only=True, tag="session.output_transcript.delta"
):
    """More of what is said, in the listener's language."""

    delta: str


class SessionOutputAudioDelta(
    TranslationDelta, frozen=True, kw_only=True, tag="session.output_audio.delta"
):
    """More translated audio: bytes, base64 on the wire.

    `format` is `pcm16`, `sample_rate` in hertz, `channels` a count.
    """

    format: Maybe[str] = UNSET
    sample_rate: Maybe[int] = UNSET
    channels: Maybe[int] = UNSET
    delta: bytes


TranslationClientEvent: TypeAlias = (
    TranslationSessionUpdate | SessionInputAudioBufferAppend | SessionClose
)
"""Any event that a client sends in a translation session."""

TranslationServerEvent: TypeAlias = (
    ErrorEvent
    | TranslationSessionCreated
    | TranslationSessionUpdated
    | SessionClosed
    | SessionInputTranscriptDelta
    | SessionOutputTranscriptDelta
    | SessionOutputAudioDelta
)
"""Any event that a server sends in a translation session."""
