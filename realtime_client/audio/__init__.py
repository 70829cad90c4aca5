"""Audio of any shape in, exact samples out: mixing, resampling, G.711, chunks.

Nothing here does I/O or knows a clock. The pieces are small and each keeps one promise:

    pcm        what came in, as frames; one channel of float32; 16 bits again
    g711       µ-law and A-law, by table
    format     the wire's `audio/pcm`, `audio/pcmu` and `audio/pcma`
    quality    how well to resample, and how soon
    low_delay  a filter of our own, which holds nothing back
    resample   another sample rate, with an exact length
    chunk      pieces of one size
    counts     where every sample went
    pipeline   all of them in a row

This room loads numpy and soxr, so the rest of the package imports it only when it is used.
"""

from __future__ import annotations

from realtime_client.audio.chunk import Chunker
from realtime_client.audio.counts import Commit, Counts
from realtime_client.audio.format import WireFormat
from realtime_client.audio.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_client.audio.pcm import AudioData, mix, to_int16
from realtime_client.audio.pipeline import InputPipeline
from realtime_client.audio.quality import DEFAULT_QUALITY, LOW_DELAY_RATES, QUALITIES
from realtime_client.audio.resample import Resampler

__all__ = [
    "DEFAULT_QUALITY",
    "LOW_DELAY_RATES",
    "QUALITIES",
    "AudioData",
    "Chunker",
    "Commit",
    "Counts",
    "InputPipeline",
    "Resampler",
    "WireFormat",
    "alaw_decode",
    "alaw_encode",
    "mix",
    "to_int16",
    "ulaw_decode",
    "ulaw_encode",
]
