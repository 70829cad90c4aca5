"""Audio on its way to the server: from the caller's samples to appends.

The pipeline that mixes, resamples and cuts belongs to the audio room; this is where it
meets the connection. The target is the input format that the server *acknowledged*.

The pipeline keeps the account, and the server ends turns by itself. So before anything is booked,
and before a connection takes its word with it, the turns are booked that it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from realtime_client import events
from realtime_client.acknowledgement import Effective
from realtime_client.connection import Connection
from realtime_client.errors import ConnectionLost, ServerError
from realtime_client.input import InputLedger

if TYPE_CHECKING:
    from realtime_client.audio import (
        AudioData,
        Commit,
        Counts,
        InputPipeline,
        WireFormat,
    )

__all__ = ["Uplink"]

_log = logging.getLogger("realtime_client")

_INPUT_FORMAT: Final = ("audio", "input", "format")


class Uplink:
    """The audio input of one connection."""

    def __init__(
        self,
        connection: Connection,
        *,
        chunk_ms: int,
        quality: str = "HQ",
        on_short_commit: Literal["pad", "error"] = "pad",
    ) -> None:
        self._connection = connection
        self._chunk_ms = chunk_ms
        self._quality = quality
        self._on_short_commit: Literal["pad", "error"] = on_short_commit
        self._heard_by: InputLedger | None = None  # from the first audio on
        self._vad_commits = 0  # of its, those that were booked
        self._acknowledged: events.AudioFormat | None = None
        self._pipeline: InputPipeline | None = None
        self._commit: Commit | None = None  # the one that the server has not answered

    def push(self, audio: AudioData, *, rate: int, channels: int, dtype: str | None) -> None:
        """Queue what became complete chunks. Raises `InvalidAudio` before anything changes."""
        self._connection.check_alive()
        self._send(self._current().push(audio, rate=rate, channels=channels, dtype=dtype))

    async def settled(self) -> None:
        """Wait while a change of the input format is on its way.

        The server takes what comes after it for the new format, if it accepts it at all.
        """
        while self._connection.changes(_INPUT_FORMAT):
            await self._connection.next_outcome()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Queue all that is held, and silence where the turn is under 100 ms; then commit it.

        What the server refuses, or has not taken when the connection is lost, was said in no
        turn: it joins the next one.

        Raises:
            UsageError: It is, and `on_short_commit` is "error". Nothing has changed.
        """
        self._connection.check_open()
        self._commit = commit = self._current().commit()
        self._send(commit.chunks)
        if commit.silence:
            _log.info("a turn under 100 ms was padded with %d samples", commit.silence)
        try:
            yield
        except (ServerError, ConnectionLost):
            self._take_back()
            raise
        finally:
            self._commit = None

    def flush(self) -> None:
        """Queue all that is held: the end, where there are no turns to be committed."""
        if self._pipeline is not None:
            self._send(self._pipeline.flush())

    def appended(self, audio: bytes | str) -> None:
        """Audio goes out past the pipeline; a text is base64, four characters for three bytes."""
        size = len(audio) if isinstance(audio, bytes) else len(audio.rstrip("=")) * 3 // 4
        self._current().on_direct_append(size)

    def moved(self, samples: int) -> None:
        """Another connection is in force, and has been sent this many samples of the old turn."""
        # Whoever waits for his commit may hear later than this that it was lost.
        self._take_back()
        self._book_turns()
        if self._pipeline is not None:
            self._pipeline.on_moved(samples)
        self._heard_by, self._vad_commits = None, 0

    @property
    def counts(self) -> Counts:
        """What has become of every sample so far."""
        return self._current().counts

    def clear(self) -> None:
        """Drop all that is held."""
        self._book_turns()
        if self._pipeline is not None:
            self._pipeline.clear()

    def _send(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._connection.append(chunk)

    def _book_turns(self) -> None:
        """What was appended before the server's own commit belongs to the turn that it ended."""
        if self._heard_by is None:
            self._heard_by = self._connection.protocol.input
        commits = self._heard_by.vad_commits
        if self._vad_commits != commits and self._pipeline is not None:
            self._pipeline.on_committed()
        self._vad_commits = commits

    def _take_back(self) -> None:
        """The commit that is under way will not be answered; once, whoever finds out first."""
        commit, self._commit = self._commit, None
        if commit is not None and self._pipeline is not None:
            self._pipeline.on_refused(commit)

    def _current(self) -> InputPipeline:
        """The pipeline for the acknowledged format.

        Where that has changed, a new one, which begins with what the old one held.
        """
        self._book_turns()
        acknowledged = _input_format(self._connection.protocol.config.acknowledged)
        pipeline = self._pipeline
        if pipeline is None:
            from realtime_client.audio import InputPipeline

            pipeline = InputPipeline(
                _wire_format(acknowledged),
                chunk_ms=self._chunk_ms,
                quality=self._quality,
                on_short_commit=self._on_short_commit,
            )
        if self._pipeline is not None and acknowledged != self._acknowledged:
            pipeline, chunks = pipeline.in_format(_wire_format(acknowledged))
            self._send(chunks)
        self._acknowledged, self._pipeline = acknowledged, pipeline
        return pipeline


def _input_format(session: Effective | None) -> events.AudioFormat | None:
    if not isinstance(session, (events.SessionConfig, events.TranscriptionSessionConfig)):
        return None
    if not session.audio or not session.audio.input:
        return None
    return session.audio.input.format or None


def _wire_format(acknowledged: events.AudioFormat | None) -> WireFormat:
    from realtime_client.audio import WireFormat

    return WireFormat.from_wire(acknowledged) if acknowledged else WireFormat()
