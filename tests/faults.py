"""What can be done to a TCP connection, and where: the faults of `tests.chaos`, as values.

A fault happens at an offset in one direction of one connection: when so many bytes have been
passed on and the next is there. Random offsets come from the seed, the number of the connection
and the direction alone, never from the clock or from who runs first, so a seed gives the same
faults again.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Direction = Literal["up", "down"]
"""`up` is from the client to the server."""


@dataclass(frozen=True)
class Cut:
    """The connection ends in both directions: by FIN, or with `reset` by RST."""

    reset: bool = False


@dataclass(frozen=True)
class Stall:
    """Nothing passes for so many seconds."""

    seconds: float = 0.05


@dataclass(frozen=True)
class Throttle:
    """The next `length` bytes pass at `rate` bytes a second."""

    rate: float = 1_000_000
    length: int = 50_000


@dataclass(frozen=True)
class Delay:
    """The next `length` bytes are each held for so many seconds, as they come."""

    seconds: float = 0.01
    length: int = 50_000


@dataclass(frozen=True)
class Corrupt:
    """One bit is flipped in each of the next `length` bytes."""

    length: int = 1


Fault: TypeAlias = Cut | Stall | Throttle | Delay | Corrupt


@dataclass(frozen=True)
class At:
    """A fault at one offset. `connection` counts from 1; 0 is every one of them."""

    offset: int
    fault: Fault
    direction: Direction = "up"
    connection: int = 0


@dataclass(frozen=True)
class Often:
    """A fault at random offsets, in both directions: once in `mean` bytes of each."""

    fault: Fault
    mean: float


Planned: TypeAlias = At | Often

MEAN: Final[dict[type[Fault], float]] = {
    Cut: 300_000,
    Stall: 100_000,
    Throttle: 200_000,
    Delay: 200_000,
    Corrupt: 300_000,
}
"""The default rate of each class of faults: bytes in one direction from one to the next."""


def often(fault: Fault) -> Often:
    """A fault at the default rate of its class."""
    return Often(fault, MEAN[type(fault)])


CLASSES: Final[dict[str, Fault]] = {
    "fin": Cut(),
    "reset": Cut(reset=True),
    "stall": Stall(),
    "throttle": Throttle(),
    "delay": Delay(),
    "corrupt": Corrupt(),
}
"""The classes of faults, each as it is by default."""


@dataclass(frozen=True)
class Happened:
    """A fault that has happened."""

    connection: int
    direction: Direction
    offset: int
    fault: Fault


def plan(
    faults: Sequence[Planned], seed: int, connection: int, direction: Direction
) -> Iterator[tuple[int, Fault]]:
    """The faults of one direction of one connection, by offset; endless with an `Often`."""

    def once(at: At) -> Iterator[tuple[int, int, Fault]]:
        if at.direction == direction and at.connection in (0, connection):
            yield at.offset, 0, at.fault

    def again(number: int, fault: Often) -> Iterator[tuple[int, int, Fault]]:
        dice = random.Random(f"{seed}/{connection}/{direction}/{number}")
        offset = 0.0
        while True:
            offset += dice.expovariate(1 / fault.mean)
            yield int(offset), number, fault.fault

    streams = [
        once(one) if isinstance(one, At) else again(number, one)
        for number, one in enumerate(faults, start=1)
    ]
    for offset, _, fault in heapq.merge(*streams, key=lambda entry: entry[:2]):
        yield offset, fault
