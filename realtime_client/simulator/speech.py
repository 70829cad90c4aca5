"""A text as it leaves the server: in pieces, each with the time at which it is due.

Real servers send ragged deltas: "usually about 400 ms each", the first one shorter so that
it can play early; transcript deltas begin before the audio and run ahead of it. Both are
fixed tables here, so the same text gives the same pieces every time, and a client that
assumes a size is found out. Times are seconds of playing time since the item began.
"""

import re
from dataclasses import dataclass
from itertools import cycle
from typing import TypeAlias

from realtime_client.audio import WireFormat
from realtime_client.simulator.clip import Clip
from realtime_client.simulator.voice import sing

__all__ = ["AudioPiece", "Piece", "TextPiece", "padding", "sung", "words", "written"]

_FIRST_MS = 100
_RAGGED_MS = (390, 410, 400, 425, 375)
_TEXT_STEP = 0.02  # seconds between deltas of text: some fifty tokens a second
_AHEAD = 2  # how much faster than its audio a transcript comes


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A delta of text, transcript or arguments, due `at` seconds."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """A delta of audio: the samples `first` to `last` of a clip, due `at` seconds."""

    at: float
    first: int
    last: int


Piece: TypeAlias = TextPiece | AudioPiece


def padding(delta: str) -> str:
    """Return the `obfuscation` of a delta, a field that nothing declares.

    Real servers fill short deltas up to 16 characters with noise, so that their length on
    the wire does not give the word away. This noise is a constant.
    """
    return "-" * max(0, 16 - len(delta))


def words(text: str) -> list[str]:
    """Cut a text into words, each with the white space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+", text)


def written(text: str) -> list[TextPiece]:
    """Return the deltas of a text."""
    return [TextPiece(i * _TEXT_STEP, word) for i, word in enumerate(words(text))]


def sung(text: str, format_: WireFormat) -> tuple[Clip, list[Piece]]:
    """Return a text as audio, and the deltas of its transcript and its audio in order."""
    clip = Clip(sing(text, format_.rate), format_)
    seconds = len(clip.samples) / format_.rate
    transcript, before = [], 0
    for word in words(text):
        transcript.append(TextPiece(seconds * before / len(text) / _AHEAD, word))
        before += len(word)
    # Sorting is stable: where both are due at once, the transcript comes first.
    return clip, sorted([*transcript, *_audio_pieces(clip)], key=lambda piece: piece.at)


def _audio_pieces(clip: Clip) -> list[AudioPiece]:
    rate, total = clip.format.rate, len(clip.samples)
    pieces, first = [], 0
    size, sizes = _FIRST_MS, cycle(_RAGGED_MS)
    while first < total:
        last = min(first + size * rate // 1000, total)
        pieces.append(AudioPiece(first / rate, first, last))
        first, size = last, next(sizes)
    return pieces
