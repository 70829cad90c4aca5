"""What a toolbox needs of its connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, TypeVar

from realtime_client import events, protocol
from realtime_client.errors import RealtimeError
from realtime_client.response import Response

__all__ = ["Host"]

T = TypeVar("T")


class Host(Protocol):
    """What a toolbox needs of its connection."""

    @property
    def protocol(self) -> protocol.Protocol:
        """The core of the connection that there is now."""

    @property
    def outage(self) -> RealtimeError | None:
        """What the connection was lost with, while there is no other yet."""

    async def ready(self) -> None:
        """Wait for a connection where there is none now."""

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Run a task until its end, or until the connection closes."""

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        """Send a command, and wait for its answer."""

    async def request_response(
        self, command: events.ResponseCreate, *, when_busy: Literal["wait"]
    ) -> Response:
        """Ask for a response when its turn comes, and wait for its beginning."""

    def follow_up(self, previous_id: str, response: Response | None) -> None:
        """The model was asked to go on, by `response`, or never will be."""
