"""Audio on its way to the server: from the caller's samples to appends.

The pipeline that mixes, resamples and cuts belongs to the audio room; this is where it
meets the connection. The target is the input format that the server *acknowledged*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from realtime_client import events
from realtime_client.connection import Connection

if TYPE_CHECKING:
    from realtime_client.audio import AudioData, InputPipeline, WireFormat

__all__ = ["Uplink"]

_INPUT_FORMAT: Final = ("audio", "input", "format")


class Uplink:
    """The audio input of one connection."""

    def __init__(self, connection: Connection, *, chunk_ms: int) -> None:
        self._connection = connection
        self._chunk_ms = chunk_ms
        self._acknowledged: events.AudioFormat | None = None
        self._pipeline: InputPipeline | None = None

    def push(self, audio: AudioData, *, rate: int, channels: int, dtype: str | None) -> None:
        """Queue what became complete chunks. Raises `InvalidAudio` before anything changes."""
        self._connection.check_open()
        self._send(self._current().push(audio, rate=rate, channels=channels, dtype=dtype))

    async def settled(self) -> None:
        """Wait while a change of the input format is on its way.

        The server takes what comes after it for the new format, if it accepts it at all.
        """
        while self._connection.changes(_INPUT_FORMAT):
            await self._connection.next_outcome()

    def flush(self) -> None:
        """Queue all that is held: the resampler's tail and a chunk that is not full."""
        if self._pipeline is not None:
            self._send(self._current().flush())

    def clear(self) -> None:
        """Drop all that is held."""
        if self._pipeline is not None:
            self._pipeline.clear()

    def _send(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._connection.send(events.InputAudioBufferAppend(audio=chunk))

    def _current(self) -> InputPipeline:
        """The pipeline for the acknowledged format.

        Where that has changed, a new one, which begins with what the old one held.
        """
        acknowledged = _input_format(self._connection.protocol.config.acknowledged)
        old = self._pipeline
        if old is None or acknowledged != self._acknowledged:
            from realtime_client.audio import InputPipeline

            new = InputPipeline(_wire_format(acknowledged), chunk_ms=self._chunk_ms)
            self._acknowledged, self._pipeline = acknowledged, new
            if old is not None:
                held = old.format.decode(b"".join(old.flush()))
                self._send(new.push(held, rate=old.format.rate))
            return new
        return old


def _input_format(session: events.Session | None) -> events.AudioFormat | None:
    if not isinstance(session, (events.SessionConfig, events.TranscriptionSessionConfig)):
        return None
    if not session.audio or not session.audio.input:
        return None
    return session.audio.input.format or None


def _wire_format(acknowledged: events.AudioFormat | None) -> WireFormat:
    from realtime_client.audio import WireFormat

    return WireFormat.from_wire(acknowledged) if acknowledged else WireFormat()
