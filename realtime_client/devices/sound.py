"""The `sounddevice` package: loading it, opening a stream, and saying what is missing.

Three things can be missing, one after the other: the Python package, the PortAudio library below
it (its wheels for macOS and Windows bring it, Linux has it as a system package), and a device.
Each is one `DeviceError` that says what to do.
"""

from __future__ import annotations

import importlib
from typing import Any, Final, Literal, TypeAlias

from realtime_client.errors import DeviceError

__all__ = ["BLOCK_MS", "Device", "DeviceError", "Kind", "Latency", "open_stream", "start_stream"]

Kind: TypeAlias = Literal["input", "output"]
Device: TypeAlias = int | str | None
"""A number, a part of a name, or None for the system's default."""
Latency: TypeAlias = float | Literal["low", "high"]

BLOCK_MS: Final = 20
"""How much sound a device gives or asks for at a time, in milliseconds."""

PREFERRED_RATE: Final = 48_000
"""What devices run at. Where a system converts rates at all, it does that best from this one."""

_NAMES: Final = {"input": "microphone", "output": "speaker"}


def open_stream(
    kind: Kind,
    *,
    rate: int | None,
    device: Device,
    latency: Latency,
    block_ms: int,
    callback: Any,
    finished: Any,
) -> tuple[Any, int]:
    """Open a stream of 16-bit mono blocks, not started; returns it and its rate.

    A `rate` of None is 48,000 where the device takes that, else the device's own.
    """
    sounddevice = _load()
    info = _info(sounddevice, kind, device)
    if rate is None:
        own = round(info["default_samplerate"])
        rate = PREFERRED_RATE if _takes(sounddevice, kind, device, PREFERRED_RATE) else own
    make = sounddevice.RawInputStream if kind == "input" else sounddevice.RawOutputStream
    try:
        stream = make(
            samplerate=rate,
            blocksize=rate * block_ms // 1000,
            device=device,
            channels=1,
            dtype="int16",
            latency=latency,
            callback=callback,
            finished_callback=finished,
        )
    except sounddevice.PortAudioError as error:
        raise _not_opened(sounddevice, kind, device, rate, info, error) from None
    return stream, rate


def start_stream(stream: Any, kind: Kind) -> None:
    """Start a stream that was opened."""
    try:
        stream.start()
    except _load().PortAudioError as error:
        raise DeviceError(f"the {_NAMES[kind]} cannot be started ({error})") from None


def _load() -> Any:
    try:
        # By name: the package is an extra, and nobody else needs to know it.
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        if error.name != "sounddevice":
            raise
        raise DeviceError(
            "microphone and speaker need the package sounddevice: "
            "pip install 'realtime-voice-client[devices]'"
        ) from None
    except OSError as error:
        raise DeviceError(
            f"sounddevice finds no PortAudio library ({error}): install it with the system's "
            "package manager (Debian, Ubuntu: apt install libportaudio2; Fedora: dnf install "
            "portaudio; macOS: brew install portaudio)"
        ) from None


def _info(sounddevice: Any, kind: Kind, device: Device) -> Any:
    """What the system knows about a device."""
    try:
        return sounddevice.query_devices(device, kind)
    except (sounddevice.PortAudioError, ValueError) as error:
        if device is None:
            raise DeviceError(
                f"this machine has no {_NAMES[kind]}: connect one, or start the sound server "
                "(PipeWire, PulseAudio); `python -m sounddevice` lists what there is"
            ) from None
        raise DeviceError(
            f"no {_NAMES[kind]} is called {device!r} ({error}); "
            "`python -m sounddevice` lists what there is"
        ) from None


def _takes(sounddevice: Any, kind: Kind, device: Device, rate: int) -> bool:
    check = getattr(sounddevice, f"check_{kind}_settings")
    try:
        check(device=device, channels=1, dtype="int16", samplerate=rate)
    except sounddevice.PortAudioError:
        return False
    return True


def _not_opened(
    sounddevice: Any, kind: Kind, device: Device, rate: int, info: Any, error: Exception
) -> DeviceError:
    own = round(info["default_samplerate"])
    name = f"the {_NAMES[kind]} {info['name']!r}"
    if not _takes(sounddevice, kind, device, rate) and _takes(sounddevice, kind, device, own):
        return DeviceError(
            f"{name} does not take {rate:,} Hz, its own rate is {own:,}: give rate={own}, "
            "or rate=None for what it likes best, and resample"
        )
    return DeviceError(f"{name} cannot be opened ({error}); is another program using it?")
