"""Where every sample went: an account that closes, in whole samples.

Audio crosses two borders. Before the first, in the pipeline, it waits: in the resampler, which
looks ahead, or in the chunker, for a chunk to fill. Behind it, in the server's input buffer, it
waits for a commit or a clear. So there are two sums, and each closes after every call:

    due + padded       =  appended + held + delayed + dropped
    appended + direct  =  committed + cleared + left + uncommitted

Where the VAD commits, only the server knows at which sample. What is counted as uncommitted
then is what was appended since its `committed` came, which is the least that there can be.
A connection that is lost shows how much there was: what has to be said again was in no turn.

A session that changes its format goes on in samples of another rate, and so do the books. Each
is cut at the same places as before, scaled; so each sum closes still.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Account", "Commit", "Counts", "least_commit"]


def least_commit(rate: int) -> int:
    """Samples of 100 ms at `rate`, the smallest commit that the server takes; exactly that
    is enough."""
    return -(-rate // 10)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the audio since the pipeline began; in samples of the wire's rate,
    except where another unit is named. Where that rate has changed, all is counted in the
    new one.

    After `flush`, `commit` or `clear`, `held` and `delayed` are 0.
    """

    pushed: int = 0
    """Frames taken, at whatever rate they came."""

    due: int = 0
    """What they come to at the wire's rate, each stretch rounded half up by itself."""

    appended: int = 0
    """Given out as chunks."""

    held: int = 0
    """Waiting in the chunker for a chunk to fill."""

    delayed: int = 0
    """Still in the resampler, whose filter looks ahead; `flush` would give them too."""

    dropped: int = 0
    """Thrown away by `clear` before they were appended."""

    padded: int = 0
    """Silence that was added to reach 100 ms."""

    direct: int = 0
    """Appended by the caller, around the pipeline."""

    committed: int = 0
    """Of all that was appended: made a turn."""

    cleared: int = 0
    """Of all that was appended: thrown away with the server's buffer."""

    left: int = 0
    """Of all that was appended: in no turn when its connection ended, and not said again."""

    stray_bytes: int = 0
    """Bytes of frames that were cut off and never completed: a commit, a clear or another
    source came in between."""

    @property
    def uncommitted(self) -> int:
        """Of all that was appended: still in the server's buffer."""
        return self.appended + self.direct - self.committed - self.cleared - self.left

    @property
    def turn(self) -> int:
        """What a commit would make a turn now: `uncommitted`, `held` and `delayed`."""
        return self.uncommitted + self.held + self.delayed


@dataclass(frozen=True, slots=True)
class Commit:
    """What has to be appended before a commit, and what the server will commit then."""

    chunks: tuple[bytes, ...]
    samples: int
    """Of the whole turn, at the wire's rate, the silence included."""
    silence: int
    """Samples of silence that were added to reach 100 ms."""
    rate: int
    """The wire's, of all these samples."""


@dataclass(slots=True)
class Account:
    """The books that `Counts` is a page of; words as there."""

    rate: int
    width: int  # bytes a sample
    pushed: int = 0
    due: int = 0  # of the stretches that have ended
    appended: int = 0
    dropped: int = 0
    padded: int = 0
    direct_bytes: int = 0  # an append may end inside a sample
    committed: int = 0
    cleared: int = 0
    left: int = 0
    stray_bytes: int = 0

    @property
    def direct(self) -> int:
        """Appended around the pipeline, as far as it is whole samples."""
        return self.direct_bytes // self.width

    def page(self, *, due: int, held: int, delayed: int) -> Counts:
        """As it stands, with what is still on its way through the pipeline."""
        return Counts(
            pushed=self.pushed,
            due=self.due + due,
            appended=self.appended,
            held=held,
            delayed=delayed,
            dropped=self.dropped,
            padded=self.padded,
            direct=self.direct,
            committed=self.committed,
            cleared=self.cleared,
            left=self.left,
            stray_bytes=self.stray_bytes,
        )

    @property
    def uncommitted(self) -> int:
        """Of all that was appended: still in the server's buffer."""
        return self.appended + self.direct - self.committed - self.cleared - self.left

    def move(self, samples: int) -> None:
        """The server's buffer is gone, but for the newest `samples`, which were said again.

        Where these are more than were uncommitted, they were in no turn after all; and what
        was never seen here was appended around the pipeline.
        """
        missing = self.uncommitted - samples
        self.left += max(0, missing)
        taken_back = min(max(0, -missing), self.committed)
        self.committed -= taken_back
        self.direct_bytes += (samples - self.uncommitted) * self.width

    def at(self, rate: int, width: int) -> Account:
        """The same books in another format, between two stretches: nothing is on its way."""

        def scaled(samples: int) -> int:
            return samples * rate // self.rate

        appended, committed = scaled(self.appended), scaled(self.committed)
        cleared = scaled(self.cleared)
        left = scaled(self.committed + self.cleared + self.left) - committed - cleared
        dropped, padded = scaled(self.dropped), scaled(self.padded)
        return Account(
            rate,
            width,
            pushed=self.pushed,
            due=appended + dropped - padded,
            appended=appended,
            dropped=dropped,
            padded=padded,
            direct_bytes=(scaled(self.appended + self.direct) - appended) * width,
            committed=committed,
            cleared=cleared,
            left=left,
            stray_bytes=self.stray_bytes,
        )
