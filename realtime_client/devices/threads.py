"""Between the event loop and threads: a device's calls block, so they are made in others.

A thread cannot be cancelled. So whoever waits for it may be gone when it is done, and what it has
opened must not stay open: either he finds it and closes it, or the thread does.

Starting a device takes as long as the device likes, and the loop never waits for that. To stop one
that is just starting is to say so; the thread that starts it then stops it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, Literal

import anyio
import anyio.to_thread

from realtime_client.devices.sound import Kind, start_stream

__all__ = ["Switch", "from_any_thread", "open_in_thread"]


class Switch:
    """Starts, stops and closes one stream."""

    def __init__(self, stream: Any, kind: Kind) -> None:
        self._stream = stream
        self._kind = kind
        self._state: Literal["off", "starting", "stopping", "on", "closed"] = "off"
        self._changing = Lock()  # the state; for a moment only, because the loop waits for it
        self._calling = Lock()  # the device: one thread starts it, or closes it

    @property
    def is_on(self) -> bool:
        """Whether it was started and not stopped."""
        return self._state == "on"

    def start(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Start it, if that is `wanted` still and it does not run. In a thread.

        Raises:
            DeviceError: It cannot be started.
        """
        with self._calling:
            if not self._begins(wanted):
                return
            try:
                start_stream(self._stream, self._kind)
            except BaseException:
                self._state = "off"
                raise
            self._began()

    def stop(self, forget: Callable[[], int]) -> int:
        """Silence it at once, and `forget` what it was to play; on the loop."""
        with self._changing:
            forgotten = forget()
            if self._state in ("starting", "stopping"):
                self._state = "stopping"
            else:
                self._stream.abort()
                self._state = "off"
        return forgotten

    def close(self) -> None:
        """Close it, for good. In a thread."""
        with self._calling:
            self._state = "closed"
            self._stream.close()

    def _begins(self, wanted: Callable[[], bool]) -> bool:
        with self._changing:
            begins = self._state == "off" and wanted()
            if begins:
                self._state = "starting"
            return begins

    def _began(self) -> None:
        with self._changing:
            if self._state == "stopping":
                self._stream.abort()
                self._state = "off"
            else:
                self._state = "on"


class _Opening:
    """A stream that is being opened, for somebody who may be gone when it is there."""

    def __init__(self, make: Callable[[], tuple[Any, int]]) -> None:
        self._make = make
        self._lock = Lock()
        self._is_wanted = True
        self._stream: Any = None

    def run(self) -> tuple[Any, int]:
        """Open it; close it where nobody wants it any more. In a thread."""
        stream, rate = self._make()
        with self._lock:
            self._stream = stream
            is_wanted = self._is_wanted
        if not is_wanted:
            stream.close()
        return stream, rate

    def give_up(self) -> Any:
        """Nobody wants it any more; returns the stream, where it is open already."""
        with self._lock:
            self._is_wanted = False
            return self._stream


async def open_in_thread(make: Callable[[], tuple[Any, int]]) -> tuple[Any, int]:
    """What `make` opens. Where the caller is cancelled, by whatever means, it is closed again.

    "Whatever" because asyncio's own `Task.cancel` ends the wait for a thread at once.
    """
    opening = _Opening(make)
    try:
        return await anyio.to_thread.run_sync(opening.run)
    except BaseException:
        stream = opening.give_up()
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(stream.close)
        raise


def from_any_thread(ring: Callable[[], None]) -> Callable[[], object]:
    """The same call, carried out on this event loop, from any thread and without waiting."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        token = trio.lowlevel.current_trio_token()
        return partial(token.run_sync_soon, ring, idempotent=True)
    import asyncio

    return partial(asyncio.get_running_loop().call_soon_threadsafe, ring)
