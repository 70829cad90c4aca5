"""Microphone and speaker of this machine: an optional extra, `realtime-voice-client[devices]`.

    playout      what a speaker was given, and what became of every frame of it
    capture      what a microphone gave, until somebody takes it
    sound        the `sounddevice` package: loading it, finding a device, saying what is missing
    speaker      `Speaker`
    microphone   `Microphone`

The first two know neither a device nor a clock, and count exactly. A device calls from a thread
of its own, which asks for sound and for nothing else: everything that takes time or decides
happens on the event loop.
"""

from __future__ import annotations

from realtime_client.devices.capture import Capture, Overflow
from realtime_client.devices.microphone import Microphone
from realtime_client.devices.playout import Playout
from realtime_client.devices.speaker import Progress, Speaker
from realtime_client.errors import DeviceError

__all__ = [
    "Capture",
    "DeviceError",
    "Microphone",
    "Overflow",
    "Playout",
    "Progress",
    "Speaker",
]
