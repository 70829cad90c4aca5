"""The client: one session with a Realtime model, as an asynchronous context manager.

Entering connects and configures: it returns once the server has acknowledged the
configuration, or raises an error that says why not. Leaving closes cleanly and ends every
stream. What it does is decided in the core and carried out by the connection; here are the
names that people call it by.
"""

from __future__ import annotations

import os
import secrets
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, Unpack

import anyio

from realtime_client import events, protocol
from realtime_client.config import asked_by
from realtime_client.connection import Connection, Making
from realtime_client.credentials import Credential, Headers
from realtime_client.dialects import Dialect
from realtime_client.endpoints import Endpoint, OpenAI, shown
from realtime_client.errors import ClientClosed, CredentialFailed, RealtimeError, UsageError
from realtime_client.former import warn_of_former_variables
from realtime_client.items import ConversationVerbs
from realtime_client.keeper import Keeper
from realtime_client.leaves import Leaves
from realtime_client.looking import Looking
from realtime_client.machines import Limits
from realtime_client.options import AnySession, SessionShortcuts, session_from, tool_functions
from realtime_client.player import Playback
from realtime_client.reconnect import Reconnect
from realtime_client.restoring import Estate
from realtime_client.rollover import Rollover
from realtime_client.rooms import How, Rooms
from realtime_client.session import SessionVerbs
from realtime_client.talking import Talking
from realtime_client.targets import Target
from realtime_client.toolbox import Toolbox
from realtime_client.tools import ToolFunction
from realtime_client.trace import Trace
from realtime_client.transport import Connect, Keepalive, connect_websocket
from realtime_client.verbs import InputAudioBufferVerbs, ResponseVerbs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

__all__ = ["Client"]


class Group(Protocol):
    """What a client needs of the group that it belongs to; see `SessionGroup`."""

    @property
    def functions(self) -> tuple[ToolFunction[..., Any], ...]:
        """The tools that every client of the group runs."""

    def enter(self, client: Client, own: Leaves) -> Leaves:
        """Count the client as live; returns the group's fields under its own."""

    def missed(self, client: Client) -> Leaves:
        """What was asked of all clients while this one had no connection."""

    def caught_up(self, client: Client) -> None:
        """The client has what it had missed."""

    def leave(self, client: Client) -> None:
        """The client is not live any more."""


class Client(Talking, Looking):
    """A session with a Realtime model. Use it as `async with Client(...) as c:`, once.

    Where: `endpoint` is an `Endpoint` or a URL (`wss://host/v1/realtime`); without one it is
    OpenAI, with `api_key` or `OPENAI_API_KEY`. `model` names the model.

    What: `session` is the GA session object, as `SessionConfig`, `TranscriptionSessionConfig`
    or a plain dict; the keyword shortcuts (`voice`, `instructions`, `turn_detection`, ...,
    see `SessionShortcuts`) are the same fields by shorter names. `None` is sent as null, what
    is not given is not sent, and a field given twice is an error.

    A function with `@tool` among the `tools` is run here when the model calls it.

    `call_id` joins a call over SIP or WebRTC that is there already; such a sideband sends no
    configuration of its own. `group` is a `SessionGroup` whose configuration lies under the
    client's own.

    How: `open_timeout` seconds for connecting and again for the acknowledgement,
    `close_timeout` seconds for the closing handshake, `response_timeout` seconds of silence
    before a response counts as abandoned, `chunk_ms` (20 to 1,000) for the length of the
    appended audio, `quality` of its resampling (soxr's names, or `low_delay`),
    `on_short_commit` for turns under 100 ms, `unheard` for what becomes at an interruption of
    messages that nobody has heard a word of, `max_items` items of the conversation to be
    mirrored, `max_calls` functions to run at once, `max_rounds` of calls in a row,
    `tool_timeout` seconds for each call. `ssl` is a TLS context, `proxy` the URL of one or None
    for none, `connect` another transport than a WebSocket, `trace` is called with every frame.

    How long: a lost connection is replaced as `reconnect` says, and one whose session is about
    to end as `rollover` says; None turns that off. What the user said comes back to a new
    session as its transcript, or with `keep_user_audio` as it was said.

    Raises:
        MissingCredentials: No key in either place.
        UsageError: Something that cannot be; nothing was sent.
    """

    def __init__(
        self,
        *,
        endpoint: Endpoint | str | None = None,
        model: str | None = None,
        api_key: Credential | None = None,
        call_id: str | None = None,
        session: AnySession | Mapping[str, Any] | None = None,
        open_timeout: float = 10.0,
        close_timeout: float = 2.0,
        response_timeout: float = 60.0,
        keepalive: Keepalive | None = None,
        reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - frozen
        rollover: Rollover | None = Rollover(),  # noqa: B008 - frozen
        keep_user_audio: bool = False,
        chunk_ms: int = 100,
        quality: str = "HQ",
        on_short_commit: Literal["pad", "error"] = "pad",
        unheard: Literal["truncate", "delete"] = "truncate",
        max_items: int = 2_000,
        max_calls: int = 16,
        max_rounds: int = 8,
        tool_timeout: float = 30.0,
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
        connect: Connect | None = None,
        trace: Trace | None = None,
        group: Group | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> None:
        warn_of_former_variables(os.environ)
        self._config = session_from(session, shortcuts)
        self._endpoint = _endpoint(endpoint, api_key)
        self._model = _model(model, self._config)
        self._call_id = call_id
        self._functions = tool_functions(session, shortcuts)
        self._group = group
        planned = rollover.replay * 1000 if rollover else 0
        replayed = max(planned, reconnect.audio.ms if reconnect else 0)
        self._how = How(
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            limits=Limits(response_timeout, max_items, unheard, int(replayed), keep_user_audio),
            reconnect=reconnect,
            rollover=rollover,
            trace=trace,
            chunk_ms=chunk_ms,
            quality=quality,
            on_short_commit=on_short_commit,
            max_calls=max_calls,
            max_rounds=max_rounds,
            tool_timeout=tool_timeout,
        )
        self._how.check()
        self._connect = connect or connect_websocket(
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            keepalive=keepalive,
            ssl=ssl,
            proxy=proxy,
        )
        self._connection: Connection | None = None

    def __repr__(self) -> str:
        endpoint = getattr(self, "_endpoint", None)  # __init__ may have failed
        return f"<Client {shown(endpoint.url) if endpoint else 'without an endpoint'}>"

    async def __aenter__(self) -> Self:
        """Connect, configure, and wait for the server's acknowledgement.

        Raises:
            ConnectFailed: No connection, or the server refused the session.
            SessionUpdateRejected: The server refused the configuration.
        """
        if self._connection is not None:
            raise UsageError("a Client is entered once; make another one for another session")
        try:
            self._session = self._enter_group()
            connection = self._new_connection()
            await connection.enter()
            try:
                await self._keeper.open()
            except RealtimeError as error:
                connection.finish(error)
                raise
            finally:
                if not connection.protocol.is_open:
                    connection.finish(ClientClosed("it did not open"))
                    await connection.leave()
        except BaseException:
            self._leave_group()
            raise
        if self._how.reconnect is not None or self._how.rollover is not None:
            connection.start(self._keeper.run, name="realtime_client keeper")
        return self

    def _new_connection(self) -> Connection:
        """A connection that is to be opened, and what belongs to it."""
        how = self._how
        connection = Connection(
            Making(
                core=self._new_core,
                connect=self._connect,
                where=self._where,
                close_timeout=how.close_timeout,
                reconnect=how.reconnect,
                # What a sideband joins is not its own to replace.
                rollover=None if self._target.kind == "sideband" else how.rollover,
                session_seconds=self._endpoint.dialect.session_seconds,
                trace=how.trace,
            )
        )
        self._connection, self._rooms = connection, Rooms.of(connection, how)
        self._keeper = Keeper(connection)
        connection.on_moved = self._moved
        if self._group is not None:
            self._rooms.tools.add(*self._group.functions)
        self._rooms.tools.add(*self._functions)
        return connection

    def _moved(self, samples: int) -> None:
        """Another link is in force, which begins with this much audio of the old one."""
        self._rooms.uplink.moved(samples)
        if self._group is not None:
            self._group.caught_up(self)

    def _new_core(self, before: Estate | None) -> protocol.Protocol:
        """The core of a link: with what the one before has left, if there was one."""
        return protocol.Protocol(
            nonce=secrets.token_hex(4),
            now=anyio.current_time(),
            session=self._session if before is None else self._missed(),
            open_timeout=self._how.open_timeout,
            limits=self._how.limits,
            dialect=self._endpoint.dialect,
            before=before,
            resumes=self._target.kind == "sideband",
        )

    async def _where(self) -> tuple[str, Headers]:
        """The address and the credential: anew for each connection, as tokens expire."""
        url, seconds = self._endpoint.connect_url(self._target), self._how.open_timeout
        with anyio.move_on_after(seconds):
            return url, await self._endpoint.connect_headers()
        raise CredentialFailed(f"no credential came within {seconds:g} seconds", retryable=True)

    async def aclose(self) -> None:
        """Close, in bounded time, from any state and any task. Every stream and call ends.

        Leaving the block does it, too. What was queued is written first, within the time for
        closing. A second call does nothing.
        """
        self._leave_group()
        if self._connection is not None:
            self._keeper.close()
            await self._connection.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
            await self._open().leave()
        except anyio.get_cancelled_exc_class():
            # The owner is being cancelled. What his block raised is his, and comes first.
            if exc is None:
                raise

    # -- the wire's own verbs, grouped as the wire groups them ---------------------------

    @property
    def session(self) -> SessionVerbs:
        """`session.*`: the acknowledged configuration, and changing it."""
        self._open()
        return self._rooms.session

    @property
    def response(self) -> ResponseVerbs:
        """`response.*`: asking for responses."""
        self._open()
        return self._rooms.response

    @property
    def conversation(self) -> ConversationVerbs:
        """`conversation.*`: the server's items."""
        self._open()
        return self._rooms.conversation

    @property
    def input_audio_buffer(self) -> InputAudioBufferVerbs:
        """`input_audio_buffer.*`: the turn, by hand."""
        self._open()
        return self._rooms.input_audio_buffer

    @property
    def tools(self) -> Toolbox:
        """The functions that run here when the model calls them."""
        self._open()
        return self._rooms.tools

    @property
    def playback(self) -> Playback:
        """What the listener has heard: for players to say, and to be told when to stop."""
        self._open()
        return self._rooms.playback

    def _enter_group(self) -> Leaves | None:
        """What to configure: our own fields over the group's. The model is in the URL."""
        own = asked_by(self._config) if self._config is not None else {}
        wanted = self._group.enter(self, own) if self._group is not None else own
        self._target = self._asks_for(wanted)
        if self._target.kind == "sideband":
            if wanted:
                raise UsageError(
                    "a sideband sends no configuration of its own: the session is somebody else's. "
                    "Give no session fields with call_id=, and call session.update() once connected"
                )
            return None
        return {path: value for path, value in wanted.items() if path != ("model",)} or None

    def _asks_for(self, wanted: Leaves) -> Target:
        if self._call_id is not None:
            if self._model is not None:
                raise UsageError("a sideband has the model of the call that it joins")
            return Target.sideband(self._call_id)
        if wanted.get(("type",)) == "transcription":
            return Target.transcription()
        return self._endpoint.target(self._model or wanted.get(("model",)))

    def _missed(self) -> Leaves | None:
        """What the group has asked for while there was no connection."""
        return self._group.missed(self) if self._group is not None else None

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.leave(self)

    @property
    def _dialect(self) -> Dialect:
        return self._endpoint.dialect

    def _open(self) -> Connection:
        if self._connection is None:
            raise UsageError("the client is not connected: use it as `async with Client() as c:`")
        return self._connection


def _endpoint(endpoint: Endpoint | str | None, api_key: Credential | None) -> Endpoint:
    if isinstance(endpoint, Endpoint):
        if api_key is not None:
            raise UsageError("the endpoint has its own credential; give api_key= to one of them")
        return endpoint
    return OpenAI(api_key) if endpoint is None else Endpoint(endpoint, api_key=api_key)


def _model(model: str | None, config: AnySession | None) -> str | None:
    """The model that was named; a transcription session has none."""
    if isinstance(config, events.TranscriptionSessionConfig):
        if model is not None:
            raise UsageError(
                "a transcription session has no model of its own; "
                "name it in audio.input.transcription.model"
            )
        return None
    configured = config.model if config is not None else None
    if model is not None and configured and configured != model:
        raise UsageError(f"the model is given twice: {model!r} and session.model {configured!r}")
    return model or configured or None
