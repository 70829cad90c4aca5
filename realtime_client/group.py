"""One configuration for many live clients.

The shared options of a group are values that nobody can change behind anybody's back: an
update goes to every live client as an intent of its own, and each compares it with what *its*
server acknowledged. So no client can find "no difference" because another one was first, and
an update touches the fields that it names in each session, and nothing else.

A client that enters takes the group's values as they are then, under its own. It is counted
as live from that moment on, before it is connected, so that no update can fall between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self, Unpack

import anyio

from realtime_client.acknowledgement import Acknowledgement
from realtime_client.client import Client
from realtime_client.config import asked_by
from realtime_client.errors import ConnectionFailed, RealtimeError, SessionUpdateRejected
from realtime_client.events import UNSET
from realtime_client.leaves import Leaves, Path, tree, whole
from realtime_client.options import AnySession, SessionShortcuts, session_from, tool_functions
from realtime_client.tools import ToolFunction

__all__ = ["SessionGroup"]


class SessionGroup:
    """A configuration shared by the clients that were made with `group=` this one.

    Takes `session` and the keyword shortcuts of `Client`. `async with` is optional: leaving it
    forgets the clients, and closes none of them.

    Raises:
        InvalidConfig: As `Client` does.
    """

    def __init__(
        self,
        session: AnySession | Mapping[str, Any] | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> None:
        config = session_from(session, shortcuts)
        self._functions = _by_name(tool_functions(session, shortcuts))
        self._leaves: dict[Path, Any] = asked_by(config) if config is not None else {}
        self._clients: dict[Client, dict[Path, Any]] = {}  # and what each has missed

    @property
    def clients(self) -> tuple[Client, ...]:
        """The live clients, in the order in which they entered."""
        return tuple(self._clients)

    @property
    def config(self) -> dict[str, Any]:
        """What the group asks for, in the session's own shape."""
        return tree(self._leaves)

    @property
    def functions(self) -> tuple[ToolFunction[..., Any], ...]:
        """The tools that every client of the group runs."""
        return tuple(self._functions.values())

    async def update(
        self,
        session: AnySession | Mapping[str, Any] | None = None,
        *,
        strict: bool = False,
        timeout: float = 10.0,  # noqa: ASYNC109 - handed to each client's own update
        **shortcuts: Unpack[SessionShortcuts],
    ) -> dict[Client, Acknowledgement | RealtimeError]:
        """Change the fields that are named in every live session, all at the same time.

        Returns what became of it for each client: its `Acknowledgement`, or the error that
        `client.session.update` would have raised. One that fails does not stop the others; one
        that is between two connections gets the values with the next, although this says
        `ConnectionLost`. Clients that enter later get the new values too, unless every live
        server has refused them.

        Raises:
            InvalidConfig: It cannot be, for any session; nothing was sent to anybody.
        """
        kind = self._leaves.get(("type",), "realtime")
        config = session_from(session, shortcuts, kind=kind)
        asked = asked_by(config) if config is not None else {}
        self._functions.update(_by_name(tool_functions(session, shortcuts)))
        before, wanted = dict(self._leaves), whole(asked, self._leaves)
        self._leaves.update(wanted)
        outcomes: dict[Client, Acknowledgement | RealtimeError] = {}

        async def update_one(client: Client) -> None:
            try:
                outcomes[client] = await client.session.update(
                    session, strict=strict, timeout=timeout, **shortcuts
                )
            except RealtimeError as error:
                outcomes[client] = error
                if isinstance(error, ConnectionFailed) and client in self._clients:
                    self._clients[client].update(asked)
                    client._catch_up()  # it may have another connection by now

        clients = self.clients
        async with anyio.create_task_group() as tasks:
            for client in clients:
                tasks.start_soon(update_one, client)
        alive = [end for end in outcomes.values() if not isinstance(end, ConnectionFailed)]
        if alive and all(isinstance(end, SessionUpdateRejected) for end in alive):
            self._take_back(wanted, before)
            self._forget(asked)
        return {client: outcomes[client] for client in clients}

    def _take_back(self, refused: Leaves, before: Leaves) -> None:
        """What no server takes would keep every later client from opening.

        A field that somebody has set to another value meanwhile is theirs.
        """
        for path, value in refused.items():
            if self._leaves.get(path, UNSET) is not value:
                continue
            if path in before:
                self._leaves[path] = before[path]
            else:
                del self._leaves[path]

    def _forget(self, refused: Leaves) -> None:
        """What no server takes would keep every client from coming back, too."""
        for missed in self._clients.values():
            for path, value in refused.items():
                if missed.get(path, UNSET) is value:
                    del missed[path]

    def enter(self, client: Client, own: Leaves) -> dict[Path, Any]:
        """Count a client as live; returns the group's fields under its own."""
        self._clients[client] = {}
        return {**self._leaves, **whole(own, self._leaves)}

    def missed(self, client: Client) -> Leaves:
        """What was asked of all clients while this one had no connection."""
        return self._clients.get(client, {})

    def caught_up(self, client: Client) -> None:
        """The client has what it had missed."""
        if client in self._clients:
            self._clients[client] = {}

    def leave(self, client: Client) -> None:
        """The client is not live any more."""
        self._clients.pop(client, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clients.clear()


def _by_name(functions: Iterable[ToolFunction[..., Any]]) -> dict[str, ToolFunction[..., Any]]:
    return {one.name: one for one in functions}
