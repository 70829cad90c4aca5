"""How well to resample: soxr's recipes by soxr's own names, and one of our own.

soxr works in blocks. Whatever the recipe, output waits for a block to fill, so all those that
reject aliases well hold audio back for the same time, and cost nearly the same: between `MQ`,
`HQ` and `VHQ` there is nothing to choose but the filter. The default, `HQ`, has 20 bits of
precision, and the wire has 16. `LQ` holds back half as long and cuts the band early. `QQ` has no
filter against aliases at all, so all that is above the band comes back inside it; it is here
because soxr has it.

`low_delay` (see `low_delay.py`) is a filter that looks ahead by less than 2 ms and holds nothing
back, for the rates that voice comes in. `docs/audio.md` has the measurements of all of them.
"""

from __future__ import annotations

from typing import Final

from realtime_client.errors import InvalidAudio

__all__ = [
    "DEFAULT_QUALITY",
    "LOW_DELAY",
    "LOW_DELAY_RATES",
    "QUALITIES",
    "checked_quality",
    "used",
]

LOW_DELAY: Final = "low_delay"

QUALITIES: Final = ("QQ", "LQ", "MQ", "HQ", "VHQ", LOW_DELAY)
"""soxr's own names, from quick to very high quality, and `low_delay`."""

DEFAULT_QUALITY: Final = "HQ"

LOW_DELAY_RATES: Final = (8_000, 16_000, 24_000, 32_000, 48_000)
"""`low_delay` is between any two of these. They are small multiples of each other, which is
what makes its filters short."""


def checked_quality(quality: str) -> str:
    """One of `QUALITIES`; else `InvalidAudio`."""
    if quality not in QUALITIES:
        raise InvalidAudio(f"quality must be one of {', '.join(QUALITIES)}; got {quality!r}")
    return quality


def used(quality: str, rate: int, target: int) -> str:
    """The quality that is used between two rates when `quality` was asked for.

    `low_delay` asks for less delay where that can be had. Where it cannot, the default takes its
    place: a microphone at 44.1 kHz is no reason to refuse to listen.
    """
    designed = rate in LOW_DELAY_RATES and target in LOW_DELAY_RATES
    return DEFAULT_QUALITY if quality == LOW_DELAY and not designed else quality
