"""What is counted of one item: its parts, and of each part received, handed over, played.

Received and handed over are bytes, since a chunk can end in the middle of a sample; played is
in ticks, since players report time. The format says how long a byte lasts. It belongs to the
response: what the server acknowledged when that began.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from realtime_client.heard import Piece, heard_text, settled
from realtime_client.playback.line import MS, TICKS

__all__ = ["Content", "Item", "Layout", "layout_of"]


class Layout(NamedTuple):
    """How audio lies in bytes: samples a second, bytes a sample; always mono."""

    rate: int
    width: int

    def ticks(self, nbytes: int) -> int:
        """How long `nbytes` last, in ticks."""
        return nbytes * TICKS // (self.rate * self.width)


PCM: Final = Layout(24_000, 2)
G711: Final = Layout(8_000, 1)


def layout_of(audio_format: Any) -> Layout:
    """The layout of a session's format object: anything with `type` and, perhaps, `rate`.

    What is not known is counted as 24 kHz PCM. No other format of the wire has as many bytes
    a second, so it never makes more of what was heard than there was.
    """
    kind = getattr(audio_format, "type", None)
    if kind in ("audio/pcmu", "audio/pcma"):
        return G711
    rate = getattr(audio_format, "rate", None)
    if kind == "audio/pcm" and isinstance(rate, int) and rate > 0:
        return Layout(rate, 2)
    return PCM


class Content:
    """One part of an item that is heard."""

    __slots__ = ("_is_torn", "_reported", "_spans", "handed", "layout", "pieces", "received")

    def __init__(self) -> None:
        self.layout = PCM
        self.received = 0
        self.handed = 0
        self.pieces: list[Piece] = []
        """The deltas of its transcript."""
        self._spans: list[tuple[int, int]] = []  # where it lies on the line
        self._reported = 0
        self._is_torn = False  # a piece of it was thrown away: nothing after that is its beginning

    @property
    def length(self) -> int:
        """How much was received, in ticks."""
        return self.layout.ticks(self.received)

    def receive(self, nbytes: int, audio_format: object) -> None:
        """More of its audio came; the format of its first is that of all."""
        if not self.received:
            self.layout = layout_of(audio_format)
        self.received += nbytes

    def hand(self, nbytes: int, place: int) -> int:
        """The reader took more of it, which lies at `place` on the line; returns its length."""
        before = self.layout.ticks(self.handed)
        self.handed = min(self.received, self.handed + nbytes)
        ticks = self.layout.ticks(self.handed) - before
        if not self._is_torn:
            joins = self._spans and self._spans[-1][1] == place
            begin = self._spans.pop()[0] if joins else place
            self._spans.append((begin, place + ticks))
        return ticks

    def words(self, text: str, start_time: object) -> None:
        """A delta of its transcript."""
        self.pieces.append(Piece(text, self.length / MS, start_time))

    def settle(self, text: str) -> None:
        """The final transcript."""
        self.pieces = settled(self.pieces, text, self.length / MS)

    def report(self, ticks: int) -> None:
        """The player has played so much of it."""
        if not self._is_torn:
            self._reported = max(self._reported, min(ticks, self.layout.ticks(self.handed)))

    @property
    def first_unplayed(self) -> int | None:
        """Where on the line the first of it lies that the player has not reported as played.

        None where that is all, as far as whole milliseconds can tell.
        """
        left = self._reported
        if sum(end - begin for begin, end in self._spans) - left < MS:
            return None
        for begin, end in self._spans:
            if left < end - begin:
                return begin + left
            left -= end - begin
        return None

    def played(self, playhead: int) -> int:
        """How much of it was played, in ticks, where the player is at `playhead`."""
        reached = (max(0, min(playhead, end) - begin) for begin, end in self._spans)
        return max(self._reported, sum(reached))

    def is_over(self, playhead: int) -> bool:
        """Whether all was handed over and played, as far as whole milliseconds can tell."""
        return self.handed == self.received and self.length - self.played(playhead) < MS

    def tear(self, playhead: int) -> None:
        """The player threw away what lies behind `playhead`."""
        kept = [(begin, min(playhead, end)) for begin, end in self._spans if begin < playhead]
        self._is_torn = self._is_torn or kept != self._spans
        self._spans = kept

    def transcript(self, ticks: int, *, is_whole: bool) -> str:
        """The words that its first `ticks` say."""
        return heard_text(self.pieces, ticks / MS, self.length / MS, is_whole=is_whole)


class Item:
    """One item that is heard, and its parts by their content index."""

    __slots__ = ("contents", "in_conversation", "is_finished", "is_whole")

    def __init__(self, *, in_conversation: bool) -> None:
        self.in_conversation = in_conversation
        self.is_finished = False
        """Whether the server is done with it."""
        self.is_whole = False
        """Whether it says all that it was going to say: it was not cut off."""
        self.contents: dict[int, Content] = {}

    def is_over(self, playhead: int) -> bool:
        """Whether nothing more of it is to be heard."""
        return self.is_finished and all(
            content.is_over(playhead) for content in self.contents.values()
        )

    def unfinished(self, playhead: int) -> list[tuple[int, Content]]:
        """The parts of which there is audio, and not all of it was heard or has come."""
        return [
            (index, content)
            for index, content in sorted(self.contents.items())
            if content.received and not (self.is_finished and content.is_over(playhead))
        ]

    def words(self) -> dict[int, str]:
        """What all the audio that has come of it says, by part."""
        return {
            index: content.transcript(content.length, is_whole=self.is_whole)
            for index, content in self.contents.items()
            if content.received
        }

    @property
    def has_audio(self) -> bool:
        """Whether any audio of it has come."""
        return any(content.received for content in self.contents.values())

    def is_unheard(self, playhead: int) -> bool:
        """Whether nothing of it was heard."""
        return all(content.played(playhead) < MS for content in self.contents.values())
