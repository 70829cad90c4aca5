"""Writing down what the user said, for the client's eyes.

It runs beside the response and neither waits for it nor is waited for. What it writes is
what was heard; speech that cannot be read is written down as how long it was. With
`item.input_audio_transcription.logprobs` in `include` every delta says how sure it is: words
that were read are certain, a guess at unreadable speech is a coin toss.

It can also fail, whatever was said (`SimulatorPolicy.transcription_fails`). The model has heard
it all the same: the item keeps its null transcript and the answer knows the words.
"""

import math
from typing import TypeAlias

from realtime_client.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ErrorDetails,
    LogProb,
    Transcription,
    TranscriptionInputTokenDetails,
    TranscriptionUsage,
)
from realtime_client.events.base import UNSET
from realtime_client.simulator.items import transcript_of
from realtime_client.simulator.question import USER_TOKEN_MS, audio_tokens, text_tokens
from realtime_client.simulator.reader import Heard
from realtime_client.simulator.speech import padding, words

__all__ = ["Completed", "Delta", "Failed", "failed", "transcribe"]

Delta: TypeAlias = ConversationItemInputAudioTranscriptionDelta
Completed: TypeAlias = ConversationItemInputAudioTranscriptionCompleted
Failed: TypeAlias = ConversationItemInputAudioTranscriptionFailed


def transcribe(
    item_id: str, content_index: int, heard: Heard, transcription: Transcription, *, logprobs: bool
) -> list[Delta | Completed]:
    """Return the transcription of one audio part: any number of deltas, one completed."""
    transcript = transcript_of(heard)
    certainty = 0.0 if heard.text is not None else math.log(0.5)
    sure = [
        LogProb(token=word, logprob=certainty, bytes=tuple(word.encode()))
        for word in words(transcript)
    ]
    deltas = [
        Delta(
            item_id=item_id,
            content_index=content_index,
            delta=str(one.token),
            logprobs=(one,) if logprobs else UNSET,
            obfuscation=padding(str(one.token)),
        )
        for one in sure
    ]
    completed = Completed(
        item_id=item_id,
        content_index=content_index,
        transcript=transcript,
        logprobs=tuple(sure) if logprobs else UNSET,
        usage=_usage(heard, transcript, str(transcription.model)),
    )
    return [*deltas, completed]


def failed(item_id: str, content_index: int) -> Failed:
    """Return what is said in place of a transcription that did not succeed."""
    return Failed(
        item_id=item_id,
        content_index=content_index,
        error=ErrorDetails(
            type="transcription_error",
            code="audio_unintelligible",
            message="The audio could not be transcribed.",
            param=None,
        ),
    )


def _usage(heard: Heard, transcript: str, model: str) -> TranscriptionUsage:
    """Whisper is billed by the second, the other models by tokens."""
    if "whisper" in model:
        return TranscriptionUsage(type="duration", seconds=math.ceil(heard.duration_ms / 1000))
    audio = audio_tokens(heard.duration_ms, USER_TOKEN_MS)
    text = text_tokens(transcript)
    return TranscriptionUsage(
        type="tokens",
        total_tokens=audio + text,
        input_tokens=audio,
        output_tokens=text,
        input_token_details=TranscriptionInputTokenDetails(text_tokens=0, audio_tokens=audio),
    )
