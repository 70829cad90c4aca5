"""What it all cost: tokens by kind, summed as the server reports them.

A response tells in `response.done`, a transcription in its `completed`, which is billed apart,
by tokens or by the second. xAI puts `usage` beside the response and leaves the one inside empty
(seen on the wire), so whichever of the two says something counts. Servers leave out what they
do not count, or say null: that counts as nothing. A frame that comes twice counts once, for as
long as the newest `REMEMBERED` of them are known.

`rate_limits.updated` comes after `response.done`, "often not at all, with only a `tokens`
entry", so the last word on each limit is kept by its name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from realtime_client.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    RateLimit,
    RateLimitsUpdated,
    ResponseDone,
    TranscriptionUsage,
    UnsetType,
    Usage,
)

__all__ = ["REMEMBERED", "Totals", "UsageLedger"]

REMEMBERED: Final = 64
"""Reports that are recognised when they come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Tokens and seconds of a session so far, by the wire's own names; they can be added.

    Cached tokens are part of the input's, reasoning tokens of the output's.
    """

    responses: int = 0
    """Responses that ended, whether the server counted their tokens or not."""
    total_tokens: int = 0
    input_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    input_grok_tokens: int = 0
    cached_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    cached_image_tokens: int = 0
    output_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    output_reasoning_tokens: int = 0
    output_grok_tokens: int = 0
    output_audio_seconds: float = 0.0
    """Seconds of audio that the model made, where the server counts them (xAI)."""
    billable_audio_seconds: float = 0.0
    """Seconds of audio that are billed, where the server counts them (xAI)."""
    transcriptions: int = 0
    """Transcriptions that completed, whether the server counted their cost or not."""
    transcription_tokens: int = 0
    transcription_input_tokens: int = 0
    transcription_input_text_tokens: int = 0
    transcription_input_audio_tokens: int = 0
    transcription_output_tokens: int = 0
    transcription_seconds: float = 0.0
    """Seconds of audio, where transcription is billed by the second (`whisper-1`)."""

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        )


_OF_RESPONSE: Final[Mapping[str, str]] = {
    "total_tokens": "total_tokens",
    "input_tokens": "input_tokens",
    "input_text_tokens": "input_token_details.text_tokens",
    "input_audio_tokens": "input_token_details.audio_tokens",
    "input_image_tokens": "input_token_details.image_tokens",
    "input_grok_tokens": "input_token_details.grok_tokens",
    "cached_tokens": "input_token_details.cached_tokens",
    "cached_text_tokens": "input_token_details.cached_tokens_details.text_tokens",
    "cached_audio_tokens": "input_token_details.cached_tokens_details.audio_tokens",
    "cached_image_tokens": "input_token_details.cached_tokens_details.image_tokens",
    "output_tokens": "output_tokens",
    "output_text_tokens": "output_token_details.text_tokens",
    "output_audio_tokens": "output_token_details.audio_tokens",
    "output_reasoning_tokens": "output_token_details.reasoning_tokens",
    "output_grok_tokens": "output_token_details.grok_tokens",
    "output_audio_seconds": "output_audio_seconds",
    "billable_audio_seconds": "billable_audio_seconds",
}

_OF_TRANSCRIPTION: Final[Mapping[str, str]] = {
    "transcription_tokens": "total_tokens",
    "transcription_input_tokens": "input_tokens",
    "transcription_input_text_tokens": "input_token_details.text_tokens",
    "transcription_input_audio_tokens": "input_token_details.audio_tokens",
    "transcription_output_tokens": "output_tokens",
    "transcription_seconds": "seconds",
}


class UsageLedger:
    """The cost of one connection, and how much of its limits is left."""

    __slots__ = ("_counted", "rate_limits", "totals")

    def __init__(self) -> None:
        self.totals = Totals()
        """The sums so far; a new value each time, so one that was taken stays as it was."""
        self.rate_limits: Mapping[str, RateLimit] = MappingProxyType({})
        """The last word on each limit, by its name. It is replaced, never changed."""
        self._counted: deque[object] = deque(maxlen=REMEMBERED)

    def on_done(self, event: ResponseDone) -> None:
        """A response ended: its usage is inside or, from xAI, beside it."""
        if self._is_news(event.response.id or event.response_id):
            inside = event.response.usage
            self.on_response(inside if _counts(inside, _OF_RESPONSE) else event.usage)

    def on_response(self, usage: Usage | UnsetType | None) -> None:
        """One more response, and what it cost where that is known."""
        self.totals += Totals(responses=1, **_counts(usage, _OF_RESPONSE))

    def on_completed(self, event: ConversationItemInputAudioTranscriptionCompleted) -> None:
        """A transcription came. Another one of the same turn was done anew, and counts."""
        # There are servers that give every event the same id, so it alone says nothing.
        if self._is_news(event.event_id and (event.event_id, event.item_id, event.transcript)):
            self.on_transcription(event.usage)

    def on_transcription(self, usage: TranscriptionUsage | UnsetType | None) -> None:
        """One more transcription, and what it cost where that is known."""
        self.totals += Totals(transcriptions=1, **_counts(usage, _OF_TRANSCRIPTION))

    def on_rate_limits(self, event: RateLimitsUpdated) -> None:
        """How much is left; a limit that is not named is as it was."""
        named = {limit.name: limit for limit in event.rate_limits or () if limit.name}
        self.rate_limits = MappingProxyType({**self.rate_limits, **named})

    def _is_news(self, identity: object) -> bool:
        """Whether this has not been counted yet; what has no id cannot be recognised."""
        if not identity:
            return True
        if identity in self._counted:
            return False
        self._counted.append(identity)
        return True


def _counts(usage: object, paths: Mapping[str, str]) -> dict[str, Any]:
    """The numbers that a server gave, by their names in `Totals`."""
    found = {}
    for name, path in paths.items():
        value: Any = usage
        for step in path.split("."):
            value = getattr(value, step, None)
        if isinstance(value, (int, float)) and value > 0:
            found[name] = value
    return found
