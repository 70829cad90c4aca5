"""Where a byte of the user's audio lies: in samples, and on the server's clock.

Audio is held in bytes of the wire's format, people count samples, and the server's clock counts
milliseconds of all audio since the session began. What a byte is of either depends on the format,
and a session can change that. So there is one stretch for each format that it had, and a place
is told from the stretch that it lies in.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["PCM", "Form", "Ruler"]


class Form(NamedTuple):
    """How audio lies in bytes: the wire's name of it, samples a second, bytes a sample."""

    kind: str
    rate: int
    width: int


PCM: Final = Form("audio/pcm", 24_000, 2)
"""What a session takes that was not asked for anything else."""


class _Stretch(NamedTuple):
    """Where one format begins, on each of the scales."""

    start: int
    ms: int
    samples: int
    form: Form


class Ruler:
    """The stretches of one connection's input, the newest last."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches = [_Stretch(0, 0, 0, PCM)]

    @property
    def form(self) -> Form:
        """The format that is in force."""
        return self._stretches[-1].form

    @property
    def start(self) -> int:
        """Where that began."""
        return self._stretches[-1].start

    def change(self, position: int, form: Form) -> None:
        """From this position on audio is in this format."""
        if form == self.form:
            return
        begun = _Stretch(position, self.ms(position), self.samples(position), form)
        if self.start == position:  # nothing was said in the one before
            self._stretches.pop()
        self._stretches.append(begun)

    def forget(self, position: int) -> None:
        """Nobody will ask for what lies before this."""
        while len(self._stretches) > 1 and self._stretches[1].start <= position:
            del self._stretches[0]

    def samples(self, position: int) -> int:
        """How many whole samples come before a position."""
        there = self._at(position)
        return there.samples + (position - there.start) // there.form.width

    def ms(self, position: int) -> int:
        """The time of the server's clock at a position, in whole milliseconds."""
        there = self._at(position)
        return there.ms + (position - there.start) // there.form.width * 1000 // there.form.rate

    def position(self, ms: int) -> int:
        """Where a time of the server's clock lies; where a sample begins."""
        there = next((one for one in reversed(self._stretches) if one.ms <= ms), self._stretches[0])
        return there.start + (ms - there.ms) * there.form.rate // 1000 * there.form.width

    def size(self, ms: float) -> int:
        """The bytes of so many milliseconds in the format that is in force."""
        return int(ms * self.form.rate // 1000) * self.form.width

    def aligned(self, position: int) -> int:
        """The first beginning of a sample at or after a position, in the newest stretch."""
        return position + -(position - self.start) % self.form.width

    def _at(self, position: int) -> _Stretch:
        stretches = self._stretches
        return next((one for one in reversed(stretches) if one.start <= position), stretches[0])
