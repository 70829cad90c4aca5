"""Audio on its way to the server: from the caller's samples to appends.

The pipeline that mixes, resamples and cuts belongs to the audio room; this is where it
meets the connection. The target is the input format that the server *acknowledged*.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from realtime_client import events
from realtime_client.acknowledgement import Effective
from realtime_client.connection import Connection

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
        self._vad_commits = 0
        self._acknowledged: events.AudioFormat | None = None
        self._pipeline: InputPipeline | None = None

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

    def commit(self) -> Commit:
        """Queue all that is held, and silence where the turn is under 100 ms.

        Raises:
            UsageError: It is, and `on_short_commit` is "error". Nothing has changed.
        """
        self._connection.check_open()
        commit = self._current().commit()
        self._send(commit.chunks)
        if commit.silence:
            _log.info("a turn under 100 ms was padded with %d samples", commit.silence)
        return commit

    def flush(self) -> None:
        """Queue all that is held: the end, where there are no turns to be committed."""
        if self._pipeline is not None:
            self._send(self._pipeline.flush())

    def refused(self, commit: Commit) -> None:
        """The server did not take it: what was said joins the next turn."""
        self._current().on_refused(commit)

    def appended(self, audio: bytes | str) -> None:
        """Audio goes out past the pipeline; a text is base64, four characters for three bytes."""
        size = len(audio) if isinstance(audio, bytes) else len(audio.rstrip("=")) * 3 // 4
        self._current().on_direct_append(size)

    def moved(self, samples: int) -> None:
        """Another connection is in force, and has been sent this many samples of the old turn."""
        self._vad_commits = 0
        if self._pipeline is not None:
            self._pipeline.on_moved(samples)

    @property
    def counts(self) -> Counts:
        """What has become of every sample so far."""
        return self._current().counts

    def clear(self) -> None:
        """Drop all that is held."""
        if self._pipeline is not None:
            self._pipeline.clear()

    def _send(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._connection.append(chunk)

    def _current(self) -> InputPipeline:
        """The pipeline for the acknowledged format.

        Where that has changed, a new one, which begins with what the old one held.
        """
        core = self._connection.protocol
        acknowledged = _input_format(core.config.acknowledged)
        pipeline = self._pipeline
        if pipeline is None:
            from realtime_client.audio import InputPipeline

            pipeline = InputPipeline(
                _wire_format(acknowledged),
                chunk_ms=self._chunk_ms,
                quality=self._quality,
                on_short_commit=self._on_short_commit,
            )
        if self._vad_commits != core.input.vad_commits:
            # Everything that has been appended before belongs to a turn that the server ended.
            self._vad_commits = core.input.vad_commits
            pipeline.on_committed()
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
