"""The words that were heard, told from how much of their audio was.

Nobody says when a word is spoken, save servers that put a `start_time` on the deltas of a
transcript. So this is an estimate, and it errs on one side: a word too few makes the model
repeat itself, a word too many makes it believe that it was heard.

What is counted is units of text: its bytes of UTF-8. In one script they are as good as
characters, and beside each other a Han character of three takes about as long to say as
three Latin letters. How many were heard after so many milliseconds:

- **with start times**: by straight lines from each time to the next. A word ends where the
  next one begins.
- **the message is whole**: its text took as long as its audio, at an even pace.
- **it is still growing**: then the text is ahead of the audio, by nobody knows how much. The
  pace is taken to be slow (`PACE_MS`), slower still where the text that has come shows it, and
  no words count that came when more audio than was heard had already come: transcripts run
  ahead of their audio, so those words were spoken later.

Without times the last `LEAD_MS` do not count: audio begins with a breath of silence, and a
word that is cut off was not heard. Then whatever is not a whole word is cut off.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

__all__ = ["LEAD_MS", "PACE_MS", "Piece", "heard_text", "settled"]

LEAD_MS: Final = 100.0
"""How much of what was heard is taken to say nothing, in milliseconds."""

PACE_MS: Final = 80.0
"""Milliseconds for a unit of text at a slow pace: 12.5 letters a second, 4 Han characters.
Ordinary speech has some 15 letters a second."""


class Piece(NamedTuple):
    """A delta of a transcript.

    `came_ms` is how much audio of its content had been received when it came; `start_time`
    the second of that audio at which it is spoken, where the server tells.
    """

    text: str
    came_ms: float = 0.0
    start_time: object = None

    @property
    def start_ms(self) -> float | None:
        """The start time in milliseconds, where it is a time."""
        time = self.start_time
        if isinstance(time, bool) or not isinstance(time, int | float):
            return None
        return time * 1000.0 if math.isfinite(time) and time >= 0 else None


def heard_text(
    pieces: Sequence[Piece],
    heard_ms: float,
    received_ms: float,
    *,
    is_whole: bool,
    pace_ms: float = PACE_MS,
) -> str:
    """The words that were heard: a beginning of the text of `pieces`, cut after a word.

    `heard_ms` and `received_ms` are milliseconds of the audio that says it; `is_whole` says
    that both, the text and the audio, are complete. `pace_ms` is for how long a unit of text
    is spoken while that is not known.
    """
    text = "".join(piece.text for piece in pieces)
    if heard_ms <= 0:
        return ""
    if is_whole and heard_ms >= received_ms:
        return text
    times = _times(pieces)
    if len(times) > 1:
        if is_whole:  # a time beyond the end is never reached
            times.append((_letters(text), received_ms))
        return text[: _last_word_end(text, _by_times(times, heard_ms, pace_ms), _letters)]
    size = _units(text)
    if is_whole:
        heard = size * (heard_ms - LEAD_MS) / received_ms
    else:
        # The text is not behind the audio, so this much of it took at least that long.
        pace = max(pace_ms, received_ms / max(size, 1))
        came = sum(_units(piece.text) for piece in pieces if piece.came_ms <= heard_ms)
        heard = min(came, (heard_ms - LEAD_MS) / pace)
    return text[: _last_word_end(text, heard, _units)]


def settled(pieces: Sequence[Piece], text: str, came_ms: float) -> list[Piece]:
    """The pieces of a transcript whose final text is `text`; the final word counts."""
    so_far = "".join(piece.text for piece in pieces)
    if not text.startswith(so_far):
        return [Piece(text)]
    rest = text[len(so_far) :]
    return [*pieces, Piece(rest, came_ms)] if rest else list(pieces)


def _units(text: str) -> int:
    """How long a text is, in the units that are spoken at an even pace."""
    return len(text.encode("utf-8", "surrogatepass"))


def _letters(text: str) -> int:
    """The same without white space, which may belong to the piece before it or to the next."""
    return sum(_units(character) for character in text if not character.isspace())


def _times(pieces: Iterable[Piece]) -> list[tuple[int, float]]:
    """After how many letters it is which millisecond: none at 0, and what the server says.

    A time that is not later than the one before it says nothing: both end with the next.
    """
    times, place = [(0, 0.0)], 0
    for piece in pieces:
        start = piece.start_ms
        if start is not None and start > times[-1][1]:
            times.append((place, start))
        place += _letters(piece.text)
    return times


def _by_times(times: Sequence[tuple[int, float]], heard_ms: float, pace_ms: float) -> float:
    """How many letters were heard, on straight lines between `times`."""
    after = bisect_right(times, heard_ms, key=lambda one: one[1])
    place, begun = times[after - 1]
    if after == len(times):
        return place + (heard_ms - begun) / pace_ms
    end, ended = times[after]
    return place + (end - place) * (heard_ms - begun) / (ended - begun)


def _last_word_end(text: str, heard: float, size: Callable[[str], int]) -> int:
    """The last place at which a word has ended within what was heard, in terms of `size`."""
    end, so_far = 0, 0
    for index, character in enumerate(text[:-1]):
        so_far += size(character)
        if so_far > heard:
            break
        if not character.isspace() and _parts(character, text[index + 1]):
            end = index + 1
    return end


def _parts(before: str, after: str) -> bool:
    """Whether a word ends between these two. Where a script has no spaces, after any character."""
    if after.isspace():
        return True
    return (_is_wide(before) or _is_wide(after)) and not _is_joined(before, after)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _is_joined(before: str, after: str) -> bool:
    """Whether the two are one sign: a mark, a skin tone, emoji that are glued together."""
    joiner = "\u200d"
    return joiner in (before, after) or unicodedata.category(after) in ("Mn", "Mc", "Me", "Sk")
