"""How far each message has come: received, handed to its reader, played.

A response is generated several times faster than it is spoken, so "how much was said" has more
than one answer, and an interruption must truncate at what was *heard*. Generation and playback
are separate: the end of an item or of its response says that nothing more of it will come, and
what has come is still being played. An item is forgotten when it is finished and played, or
when it was cut.

A cut is for good. What still comes of an item that was cut is not to be played, and what was
generated of one that nobody heard a word of is cut as soon as the server is known to have
audio of it: before that there is nothing that could be truncated.

The player reports in one of three ways: how much it has played in all, how much of one item,
or that a mark was reached (everything handed over up to there was played). Without a report
the clock is the estimate, and says that it is one.
"""

from __future__ import annotations

from realtime_client.errors import UsageError
from realtime_client.playback.content import Content, Item
from realtime_client.playback.facts import Cut, Progress, StopPlaying, Unheard
from realtime_client.playback.line import MS, Line, ticks_of
from realtime_client.playback.over import Over, bounded

__all__ = ["PlaybackLedger"]


class PlaybackLedger:
    """All audio of one connection, from its arrival until it was heard.

    `now` is in seconds on a monotonic clock. `notes` gathers what the player has to do; whoever
    owns the ledger empties it.
    """

    def __init__(self, *, unheard: Unheard = "truncate") -> None:
        if unheard not in ("truncate", "delete"):
            raise UsageError(f"unheard is 'truncate' or 'delete'; got {unheard!r}")
        self.notes: list[StopPlaying] = []
        self._unheard = unheard
        self._items: dict[str, Item] = {}
        self._over = Over()
        self._line = Line()

    # -- what the server sends -----------------------------------------------------------------

    def on_audio(
        self,
        item_id: str,
        content_index: int,
        nbytes: int,
        audio_format: object = None,
        *,
        in_conversation: bool = True,
    ) -> bool:
        """An audio delta arrived, in the format that was acknowledged for its response.

        Returns whether it is to be played: not where its item was cut. What is not
        `in_conversation` (an out-of-band response) is played and never truncated.
        """
        if self._over.is_cut(item_id, content_index):
            return False
        if not self._over.is_left(item_id):
            self._content(item_id, content_index, in_conversation).receive(nbytes, audio_format)
        return True

    def on_words(
        self,
        item_id: str,
        content_index: int,
        delta: str,
        start_time: object = None,
        *,
        in_conversation: bool = True,
    ) -> None:
        """A transcript delta arrived; `start_time` in seconds, where the server tells."""
        if not self._over.is_cut(item_id, content_index) and not self._over.is_left(item_id):
            self._content(item_id, content_index, in_conversation).words(delta, start_time)

    def on_transcript(self, item_id: str, content_index: int, transcript: str) -> None:
        """The final transcript arrived; it wins over its deltas."""
        content = self._find(item_id, content_index)
        if content is not None:
            content.settle(transcript)

    def on_late(self, item_id: str, content_index: int) -> Cut | None:
        """An audio delta arrived that is discarded, because its response was cancelled.

        Returns what is to be sent, once: the server takes it for said. A part that nobody
        heard of is cut at 0 (or its item deleted), and one that is being played at what was
        delivered of it.
        """
        if self._over.is_cut(item_id, content_index) or self._over.is_left(item_id):
            return None
        item = self._items.get(item_id, Item(in_conversation=True))
        content = item.contents.get(content_index, Content())
        known = item.has_audio or self._over.was_cut(item_id)
        unheard = self._unheard == "delete" and not known
        self._over.cut(item_id, None if unheard else content_index)
        return self._truncation(item_id, content_index, content, content.length, deletes=unheard)

    def on_finished(self, item_id: str, now: float, *, is_whole: bool = True) -> None:
        """The server is done with an item: no more audio of it will come.

        `is_whole`: its status is `completed`, so its transcript and its audio end together.
        """
        item = self._items.get(item_id)
        if item is not None:
            item.is_finished = True
            item.is_whole = is_whole
            self._forget_heard(now)

    def on_over(self, item_id: str, now: float) -> None:
        """Its response is over: no more audio of it will come, whatever was said of the item."""
        item = self._items.get(item_id)
        if item is not None and not item.is_finished:
            self.on_finished(item_id, now, is_whole=False)

    # -- what the reader and the player do --------------------------------------------------

    def on_handed(self, item_id: str, content_index: int, nbytes: int, now: float) -> None:
        """The reader took audio; never more counts than was received."""
        content = self._find(item_id, content_index)
        if content is not None:
            self._line.grow(content.hand(nbytes, self._line.end), now)
            self._forget_heard(now)

    def played(self, ms: float, item_id: str | None = None, content_index: int = 0) -> None:
        """The player reports how much it has played: in all, or of one item.

        `ms` is milliseconds since it began, or since the item's beginning; whole or not, and
        never less than before. A player that will report says so with `played(0)` before it
        plays: with that the clock stops guessing.

        Raises:
            UsageError: It is negative, or no number.
        """
        if item_id is None:
            self._line.played(ms)
        else:
            ticks = ticks_of(ms)
            self._line.is_estimate = False
            content = self._find(item_id, content_index)
            if content is not None:
                content.report(ticks)
                self._line.reach(self._first_unplayed())
        self._forget_heard()

    def mark(self, name: str) -> None:
        """Remember that the player was given everything up to here, under a name."""
        self._line.mark(name)

    def marked(self, name: str) -> bool:
        """The player reached a mark. One that came back because playing was stopped is not known.

        Returns whether it was known.
        """
        known = self._line.marked(name)
        if known:
            self._forget_heard()
        return known

    def flushed(self, now: float) -> None:
        """The player threw away by itself what it had not played; nobody will hear that."""
        if self._line.is_playing(now):
            playhead = self._line.playhead(now)
            for item in self._items.values():
                for content in item.contents.values():
                    content.tear(playhead)
        self._line.stop(now)

    def count_from(self, ms: float) -> None:
        """The player has stopped as it was told, and its own count is at `ms` now.

        A player that counts from its last stop says 0. One that counts on says where it
        stopped, so that what it played after its last report is not taken for new audio.

        Raises:
            UsageError: It is negative, or no number.
        """
        self._line.count_from(ms)

    def forget(self, item_id: str) -> None:
        """Nobody is going to play this item: it is left as it is, and never truncated.

        Nor does what still comes of it count. None of it is to be handed to the player any more.
        """
        self._items.pop(item_id, None)
        self._over.leave(item_id)

    # -- the interruption -----------------------------------------------------------------------

    def interrupt(self, now: float) -> list[Cut]:
        """Playing stops now. Returns what is to be sent, in the order of the items.

        One for each part that has audio and was not heard to its end, or is not at its end
        yet; nothing for what was heard whole. A second call has nothing to add.
        """
        playhead = self._line.playhead(now)
        cut = [key for key, item in self._items.items() if not item.is_over(playhead)]
        truncations: list[Cut] = []
        for item_id in cut:
            item = self._items[item_id]
            cuts = self._cuts(item_id, item, playhead)
            truncations += cuts if item.in_conversation else ()
        if cut or self._line.end > self._line.start:
            self.notes.append(StopPlaying(tuple(cut), tuple(truncations)))
        self._forget_heard(now)
        self._items.clear()
        self._line.stop(now)
        return truncations

    def _cuts(self, item_id: str, item: Item, playhead: int) -> list[Cut]:
        if self._unheard == "delete" and item.is_unheard(playhead):
            self._over.cut(item_id, None)
            index, content = next(iter(item.contents.items()))
            return [self._truncation(item_id, index, content, 0, deletes=True)]
        truncations = []
        for index, content in item.unfinished(playhead):
            self._over.cut(item_id, index)
            played = content.played(playhead)
            truncations.append(
                self._truncation(item_id, index, content, played, is_whole=item.is_whole)
            )
        return truncations

    # -- looking --------------------------------------------------------------------------------

    @property
    def has_listener(self) -> bool:
        """Whether anybody has taken audio, or reported, since the connection began.

        Where nobody has, the audio may be played by somebody whom the ledger does not know.
        """
        return self._line.end > 0 or not self._line.is_estimate

    def is_playing(self, now: float) -> bool:
        """Whether there is audio that was handed over and not played: a millisecond or more."""
        return self._line.is_playing(now)

    def heard(self, item_id: str, content_index: int, now: float) -> Progress | None:
        """How far a part has come; None where it is not known, or over."""
        item, content = self._items.get(item_id), self._find(item_id, content_index)
        if item is None or content is None:
            return None
        played = content.played(self._line.playhead(now))
        return Progress(
            content.length // MS,
            content.layout.ticks(content.handed) // MS,
            played // MS,
            content.transcript(played, is_whole=item.is_whole),
            self._line.is_estimate,
        )

    def was_heard(self, item_id: str, now: float) -> bool:
        """Whether it was heard to its end, and no more of it will come."""
        item = self._items.get(item_id)
        if item is None:
            return item_id in self._over.heard
        return item.is_over(self._line.playhead(now))

    def said(self, item_id: str) -> dict[int, str] | None:
        """What the audio that has come of an item says, by part, be it heard already or not.

        None where nothing is known of it: it had no audio, nobody was going to play it, or it
        was cut.
        """
        item = self._items.get(item_id)
        return self._over.heard.get(item_id) if item is None else item.words()

    def received(self, item_id: str, content_index: int = 0) -> int:
        """How many bytes of this part have arrived."""
        content = self._find(item_id, content_index)
        return 0 if content is None else content.received

    # -- within ---------------------------------------------------------------------------------

    def _content(self, item_id: str, content_index: int, in_conversation: bool) -> Content:
        item = self._items.get(item_id)
        if item is None:
            item = Item(in_conversation=in_conversation)
            bounded(self._items, item_id, item)
        return item.contents.setdefault(content_index, Content())

    def _find(self, item_id: str, content_index: int) -> Content | None:
        item = self._items.get(item_id)
        return None if item is None else item.contents.get(content_index)

    def _truncation(
        self,
        item_id: str,
        content_index: int,
        content: Content,
        ticks: int,
        *,
        is_whole: bool = False,
        deletes: bool = False,
    ) -> Cut:
        words = content.transcript(ticks, is_whole=is_whole)
        ms, is_estimate = ticks // MS, self._line.is_estimate
        return Cut(item_id, content_index, ms, words, is_estimate, deletes)

    def _first_unplayed(self) -> int:
        """Where on the line the first audio lies that is not reported as played."""
        places = (
            content.first_unplayed
            for item in self._items.values()
            for content in item.contents.values()
        )
        return min((place for place in places if place is not None), default=self._line.end)

    def _forget_heard(self, now: float = 0.0) -> None:
        """`now` is for the clock, and means nothing to a player that reports."""
        playhead = self._line.playhead(now)
        for item_id in [key for key, item in self._items.items() if item.is_over(playhead)]:
            self._over.hear(item_id, self._items.pop(item_id).words())
