"""What a transcription of the user's audio is made of: tokens, languages, and what it cost."""

from realtime_client.events.base import UNSET, Maybe, Wire

__all__ = [
    "LogProb",
    "TranscriptionInputTokenDetails",
    "TranscriptionLanguage",
    "TranscriptionUsage",
]


class LogProb(Wire, frozen=True, kw_only=True):
    """How sure the model was of one token: the natural logarithm of its probability."""

    token: Maybe[str] = UNSET
    logprob: Maybe[float] = UNSET
    bytes: Maybe[tuple[int, ...]] = UNSET


class TranscriptionLanguage(Wire, frozen=True, kw_only=True):
    """A language that was heard, by its `code`."""

    code: Maybe[str] = UNSET


class TranscriptionInputTokenDetails(Wire, frozen=True, kw_only=True):
    """Input tokens of a transcription by kind."""

    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET


class TranscriptionUsage(Wire, frozen=True, kw_only=True):
    """What a transcription cost: `type` is `tokens`, or `duration` with `seconds`."""

    type: Maybe[str] = UNSET
    seconds: Maybe[float] = UNSET
    total_tokens: Maybe[int] = UNSET
    input_tokens: Maybe[int] = UNSET
    output_tokens: Maybe[int] = UNSET
    input_token_details: Maybe[TranscriptionInputTokenDetails] = UNSET
