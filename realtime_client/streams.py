"""Two small streams between the reader task and the people who consume.

The reader must never wait, so `push` is synchronous and both streams are a list with a bell:
whoever finds nothing waits for the bell, and one ring wakes everybody. `Kept` keeps what
came, and every reader starts at the beginning: texts and outputs, which are small. `Once`
hands each element out once and is bounded in bytes: audio, which is not. A stream ends
exactly once, cleanly or with an error, and the error comes after everything that came
before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from realtime_client.errors import SlowConsumer

__all__ = ["Bell", "Kept", "Once", "Reader"]

T = TypeVar("T")

FAIR: Final = 32
"""Elements that may be read without letting others run, and without being cancellable. A
checkpoint for each would cost more than the element."""


class Bell:
    """Wakes everybody who waits; an `anyio.Event` is made only when somebody does."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def ring(self) -> None:
        """Wake everybody who waits now; who comes later waits for the next ring."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait for the next ring."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


class _Stream(Generic[T]):
    __slots__ = ("_bell", "_error", "ended")

    def __init__(self) -> None:
        self._bell = Bell()
        self._error: BaseException | None = None
        self.ended = False

    def end(self, error: BaseException | None = None) -> None:
        """No more elements; the first end counts."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._bell.ring()

    @property
    def error(self) -> BaseException | None:
        """What it ended with, if that is an error."""
        return self._error

    def _finish(self) -> None:
        """Raise what an ended stream ends with."""
        if self._error is not None:
            # Raised as often as somebody asks: without the last one's traceback.
            raise self._error.with_traceback(None)
        raise StopAsyncIteration


class Kept(_Stream[T]):
    """A growing list. Each `async for` reads it from the start."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        super().__init__()
        self.items: list[T] = []

    def push(self, item: T) -> None:
        """Append, unless the stream has ended."""
        if not self.ended:
            self.items.append(item)
            self._bell.ring()

    def read(self, owner: object = None) -> Reader[T]:
        """A new reader at the start, which keeps `owner` alive as long as it is read."""
        return Reader(self, owner)

    def __aiter__(self) -> Reader[T]:
        return Reader(self, None)

    async def wait_ended(self) -> None:
        """Wait for the end, and raise the error that it came with."""
        while not self.ended:
            await self._bell.wait()
        if self._error is not None:
            raise self._error.with_traceback(None)


class Reader(Generic[T]):
    """One reader's place in a `Kept`. Not a generator: a loop can be left at any time."""

    __slots__ = ("_index", "_owner", "_stream")

    def __init__(self, stream: Kept[T], owner: object) -> None:
        self._stream = stream
        self._owner = owner
        self._index = 0

    def __aiter__(self) -> Reader[T]:
        return self

    async def __anext__(self) -> T:
        stream = self._stream
        while self._index >= len(stream.items):
            if stream.ended:
                stream._finish()
            await stream._bell.wait()
        item = stream.items[self._index]
        self._index += 1
        if self._index % FAIR == 0:
            await checkpoint()
        return item


class Once(_Stream[T]):
    """A queue that hands each element out once, bounded by the sum of their sizes.

    `size` measures an element in `unit`s. Past `bound` of them that nobody has read the
    stream ends with `SlowConsumer` and lets go of what it held: the reader never waits.
    """

    __slots__ = (
        "__weakref__",
        "_bound",
        "_handed",
        "_items",
        "_size",
        "_unit",
        "_what",
        "held",
    )

    def __init__(
        self, what: str, *, bound: int, size: Callable[[T], int], unit: str = "bytes"
    ) -> None:
        super().__init__()
        self._what = what
        self._bound = bound
        self._size = size
        self._unit = unit
        self._items: deque[T] = deque()
        self._handed = 0
        self.held = 0
        """How much waits to be read."""

    def push(self, item: T) -> None:
        """Append, unless the stream has ended."""
        if self._hold(self._size(item)):
            self._items.append(item)
            self._bell.ring()

    def _hold(self, size: int) -> bool:
        """Count what is to be kept; whether there is room for it."""
        if self.ended:
            return False
        self.held += size
        if self.held <= self._bound:
            return True
        self._drop()
        self.end(SlowConsumer(self._what, self._bound, self._unit))
        return False

    def _drop(self) -> None:
        """Let go of what was held."""
        self._items.clear()
        self.held = 0

    def close(self) -> None:
        """The consumer is done: nothing more is kept for it."""
        self._drop()
        self.end()

    def __aiter__(self) -> Once[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self.ended:
                self._finish()
            await self._bell.wait()
        self._handed = (self._handed + 1) % FAIR
        if self._handed == 0:
            await checkpoint()
            if not self._items:
                return await Once.__anext__(self)  # what a subclass adds, it adds once
        item = self._items.popleft()
        self.held -= self._size(item)
        return item

    def __enter__(self) -> Once[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
