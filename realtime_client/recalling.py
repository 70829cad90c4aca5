"""What of a message of the model was heard, as text: the only form in which it can come back.

A client cannot create an assistant's audio, and a model that remembers words which nobody
heard goes on as if they had been said. So of each part of a message it is asked, in this order:
was it interrupted, and where; was it cut by hand, so that nobody here knows at which word; is it
being played, and how far. What was heard to its end counts with all its words, and so does what
is played in a way that the ledger does not know of. A message that the end of its connection has
cut off counts as far as its audio had come, and was heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from realtime_client.events import Item, MessageItem
from realtime_client.kept import is_audio, is_growing, transcript_of
from realtime_client.survivors import Survivors

__all__ = ["Form", "Recalled", "Recollection"]

Form = Literal["whole", "text", "heard"]

SILENT: Final = "nobody heard a word of it"
CUT: Final = "it was cut by hand, and nobody here knows at which word"
UNFINISHED: Final = "it was not finished"
WORDLESS: Final = "it has no words here"


class Recalled(NamedTuple):
    """The words of a message that were heard, by part, or `why` there are none.

    `form` is how much of the message that is. `playing` are all the words that may be heard of
    it yet, by part; None where it is known already how much was heard.
    """

    heard: tuple[str, ...]
    why: str
    form: Form
    playing: tuple[str, ...] | None


class _Part(NamedTuple):
    """A part: what was heard of it, all its words, and how much of them the first is."""

    heard: str
    words: str
    form: Form
    is_cut_by_hand: bool = False


class Recollection:
    """What there is to be known, at one time, of everything that the model said."""

    __slots__ = ("cuts", "interrupted", "now", "old")

    def __init__(self, old: Survivors, now: float) -> None:
        self.old = old
        self.now = now
        self.interrupted = old.conversation.interrupted
        self.cuts: dict[str, set[int]] = {}
        """The parts of which it is known where they end, by their items."""
        for item_id, index in (*self.interrupted, *old.conversation.truncations):
            self.cuts.setdefault(item_id, set()).add(index)

    def of(self, item_id: str, item: Item | None) -> Recalled:
        """What is to be remembered of a message; of one that is not there, `item` is None."""
        memory = self.old.memories.get(item_id)
        if memory is not None and memory.is_over:
            return Recalled(memory.words, "" if any(memory.words) else SILENT, "heard", None)
        message = _Message(item_id, item, self)
        parts = tuple(message.parts())
        forms = {part.form for part in parts}
        return Recalled(
            tuple(part.heard for part in parts),
            "" if any(part.heard for part in parts) else message.why(parts),
            "heard" if "heard" in forms else "text" if "text" in forms else "whole",
            tuple(part.words for part in parts) if message.is_playing else None,
        )


class _Message:
    """One message of the model, and what is known of it."""

    __slots__ = ("_cuts", "_facts", "_id", "_item", "_known", "_playback")

    def __init__(self, item_id: str, item: Item | None, facts: Recollection) -> None:
        playback = self._playback = facts.old.playback
        self._id = item_id
        self._item = item
        self._facts = facts
        self._cuts = facts.cuts.get(item_id, set())
        self._known = playback.said(item_id) if playback.has_listener else None

    @property
    def is_playing(self) -> bool:
        """Whether more of it may be heard."""
        if self._known is None or self._cuts:
            return False
        return not self._playback.was_heard(self._id, self._facts.now)

    def why(self, parts: tuple[_Part, ...]) -> str:
        """Why no word of it was heard."""
        if any(part.is_cut_by_hand for part in parts):
            return CUT
        if any(part.form == "heard" for part in parts):
            return SILENT
        return UNFINISHED if self._item is not None and is_growing(self._item) else WORDLESS

    def parts(self) -> Iterator[_Part]:
        """Each part, in order; those that the server has not shown yet, too."""
        memory = self._facts.old.memories.get(self._id)
        if memory is not None and self._known is not None:
            for index, words in enumerate(memory.words):
                yield self._spoken(index, words)
            return
        parts = (self._item.content or ()) if isinstance(self._item, MessageItem) else ()
        unseen = [*(self._known or ()), *self._cuts]
        for index in range(max(len(parts), max(unseen, default=-1) + 1)):
            if index >= len(parts) or is_audio(parts[index]):
                yield self._spoken(index, self._words(index))
            else:
                is_half = is_growing(self._item) if self._item is not None else True
                text = "" if is_half else parts[index].text or ""
                yield _Part(text, text, "whole")

    def _spoken(self, index: int, words: str) -> _Part:
        interrupted = self._facts.interrupted.get((self._id, index))
        if interrupted is not None:
            return _Part(interrupted.heard, words, "heard")
        if index in self._cuts:
            return _Part("", words, "heard", is_cut_by_hand=True)
        playback, now = self._playback, self._facts.now
        progress = playback.heard(self._id, index, now)
        if self._known is None or progress is None or playback.was_heard(self._id, now):
            return _Part(words, words, "text")
        return _Part(progress.transcript, words, "heard")

    def _words(self, index: int) -> str:
        """All that an audio part says; of one that was cut off, as far as its audio has come."""
        said = (self._known or {}).get(index, "")
        if self._item is None or is_growing(self._item):
            return said
        if self._known is not None and getattr(self._item, "status", None) == "incomplete":
            return said
        return transcript_of(self._item, index) or said
