"""The dialects that are known, each a table of what was seen or is promised.

GA is the reference. Voice Live and xAI were recorded. The rest of the beta's family was not:
it is offered as the beta protocol was specified, and nothing is promised about any server of
it. Where a flag is false for want of evidence, `Dialect` says what that costs.
"""

from __future__ import annotations

from typing import Final

from realtime_client.dialects.dialect import Dialect
from realtime_client.dialects.spellings import (
    DETECTION,
    FORMAT,
    MODALITIES,
    ONE_MODALITY,
    TOOLS,
    VOICE,
    format_at,
)
from realtime_client.dialects.wire import SAME, Field, Spelling, Wire

__all__ = ["BETA", "GA", "HUGGING_FACE", "QWEN", "VOICE_LIVE", "XAI_GROK"]

GA: Final = Dialect("ga", session_seconds=3600.0)
"""OpenAI and Azure OpenAI, the reference. "`expires_at` is connect + 3600 s"."""

_EVENTS: Final = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}

_KINDS: Final = {
    "transcription_session.created": "transcription",
    "transcription_session.updated": "transcription",
}

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"

_PARTS: Final = {"text": "output_text", "audio": "output_audio"}


def _flat(
    *,
    voice: Spelling = SAME,
    heard: Spelling = FORMAT,
    rate: str | None = None,
    request_limit: str = "max_response_output_tokens",
) -> Wire:
    """The beta's frames: other names for what is said, and a flat session.

    `heard` is how the format of the input is spelled, `rate` the field of its sampling rate,
    `request_limit` what `response.create` calls its `max_output_tokens`.
    """
    speaks = (
        Field(("modalities",), ("output_modalities",), MODALITIES),
        Field(("voice",), ("audio", "output", "voice"), voice),
        Field(("output_audio_format",), ("audio", "output", "format"), FORMAT),
    )
    return Wire(
        events=_EVENTS,
        parts=_PARTS,
        writes_parts={ga: theirs for theirs, ga in _PARTS.items()},
        session=(
            *speaks,
            Field(("speed",), ("audio", "output", "speed")),
            Field(("input_audio_format",), ("audio", "input", "format"), heard, rate),
            Field(("input_audio_transcription",), ("audio", "input", "transcription")),
            Field(("input_audio_noise_reduction",), ("audio", "input", "noise_reduction")),
            Field(("turn_detection",), ("audio", "input", "turn_detection")),
            Field(("max_response_output_tokens",), ("max_output_tokens",)),
        ),
        response=speaks,
        request=(*speaks, Field((request_limit,), ("max_output_tokens",))),
        typed=False,
        kinds=_KINDS,
        updates={"transcription": "transcription_session.update"},
    )


BETA: Final = Dialect(
    "beta",
    wire=_flat(),
    echoes_metadata=False,
    out_of_band=False,
    correlates_errors=False,
    acknowledges_truncation=False,
)
"""The beta protocol, which LocalAI, speaches, StepFun, GLM and others speak more or less."""

VOICE_LIVE: Final = Dialect(
    "voice_live",
    wire=_flat(voice=VOICE, rate="input_audio_sampling_rate", request_limit="max_output_tokens"),
    echoes_metadata=False,
    out_of_band=False,
    correlates_errors=False,
    session_seconds=3600.0,
)
"""Azure Voice Live, as recorded.

Its `metadata` is there and null in responses to creates that had none, so nothing is known
of an echo. Its `expires_at` lies as far behind the time that is in its ids as OpenAI's does.
Azure documents `conversation.item.truncated`.
"""

QWEN: Final = Dialect(
    "qwen",
    wire=_flat(heard=format_at(16_000)),
    echoes_metadata=False,
    out_of_band=False,
    correlates_errors=False,
    acknowledges_truncation=False,
)
"""Qwen-Omni: the beta, but "takes 16 kHz in and gives 24 kHz out" under one name, `pcm16`."""

XAI_GROK: Final = Dialect(
    "xai",
    wire=Wire(
        unfinished={f"{_TRANSCRIPTION}.completed": f"{_TRANSCRIPTION}.updated"},
        parts=_PARTS,
        session=(
            Field(("voice",), ("audio", "output", "voice")),
            Field(("turn_detection",), ("audio", "input", "turn_detection"), DETECTION),
            Field(("modalities",), ("output_modalities",), ONE_MODALITY),
            Field(("max_response_output_tokens",), ("max_output_tokens",)),
            Field(("tools",), ("tools",), TOOLS),
        ),
        request=(Field(("modalities",), ("output_modalities",), ONE_MODALITY),),
        frames={"response.done": (Field(("usage",), ("response", "usage")),)},
        typed=False,
    ),
    echoes_metadata=False,
    out_of_band=False,
    correlates_errors=False,
    acknowledges_truncation=False,
    response_tool_choice=False,
)
"""xAI Grok Voice, as recorded: GA's names, and a session that is half flat, half nested.

"Several `completed` a turn": those that say `in_progress`, as others report, are not the end.
"""

HUGGING_FACE: Final = Dialect(
    "hugging_face",
    wire=Wire(
        assumed={("audio", "output", "format"): {"type": "audio/pcm", "rate": 16_000}},
    ),
    acknowledges_truncation=False,
)
"""Hugging Face's speech-to-speech server: GA, "no answer to truncate", "16 kHz out when no
format was sent"."""
