"""The client: one session with a Realtime model, as an asynchronous context manager.

Entering connects and configures: it returns once the server has acknowledged the
configuration, or raises an error that says why not. Leaving closes cleanly and ends every
stream. What it does is decided in the core and carried out by the connection; here are the
names that people call it by.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack

import anyio

from realtime_client import events, protocol
from realtime_client.config import asked_by
from realtime_client.connection import Connection
from realtime_client.credentials import Credential
from realtime_client.dialects import Dialect
from realtime_client.endpoints import Endpoint
from realtime_client.entering import Entering, Means
from realtime_client.errors import InvalidConfig, UsageError
from realtime_client.former import warn_of_former_variables
from realtime_client.items import ConversationVerbs
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
from realtime_client.transport import Connect, Keepalive
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


class Client(Entering, Talking, Looking):
    """A session with a Realtime model. Use it as `async with Client(...) as c:`, once.

    Where: `endpoint` is an `Endpoint` or a URL (`wss://host/v1/realtime`); without one it is
    OpenAI, with `api_key` or `OPENAI_API_KEY`. `model` names the model.

    What: `session` is the GA session object, as `SessionConfig`, `TranscriptionSessionConfig`
    or a plain dict; the keyword shortcuts (`voice`, `instructions`, `turn_detection`, ...,
    see `SessionShortcuts`) are the same fields by shorter names. `None` is sent as null, what
    is not given is not sent, and a field given twice is an error.

    A function with `@tool` among the `tools` is run here when the model calls it.

    `call_id` joins a call over SIP or WebRTC that is there already; such a sideband sends no
    configuration of its own, and runs the functions among its `tools` when the session of the
    call has them. `group` is a `SessionGroup` whose configuration lies under the
    client's own.

    How: `open_timeout` seconds for connecting and again for the acknowledgement,
    `close_timeout` seconds for the closing handshake, `response_timeout` seconds of silence
    before a response counts as abandoned, or a request about an item as not answered,
    `chunk_ms` (20 to 1,000) for the length of the appended audio, `quality` of its resampling
    (soxr's names, or `low_delay`), `on_short_commit` for turns under 100 ms, `unheard` for what
    becomes at an interruption of messages that nobody has heard a word of, `max_items` items of
    the conversation to be mirrored, `max_calls` functions to run at once, `max_rounds` of calls
    in a row, `tool_timeout` seconds for each call. `ssl` is a TLS context, `proxy` the URL of
    one or None for none, `connect` another transport than a WebSocket, `trace` is called with
    every frame.

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
        self._model = _model(model, self._config)
        self._call_id = call_id
        self._functions = tool_functions(session, shortcuts)
        self._group = group
        self._means = Means.of(
            endpoint,
            api_key,
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            patience=response_timeout,
            keepalive=keepalive,
            reconnect=reconnect,
            rollover=rollover,
            ssl=ssl,
            proxy=proxy,
            connect=connect,
            trace=trace,
        )
        replay_ms = self._means.replay_ms
        self._how = How(
            limits=Limits(response_timeout, max_items, unheard, replay_ms, keep_user_audio),
            chunk_ms=chunk_ms,
            quality=quality,
            on_short_commit=on_short_commit,
            max_calls=max_calls,
            max_rounds=max_rounds,
            tool_timeout=tool_timeout,
        )
        self._how.check()

    def _begin(self) -> None:
        self._session = self._enter_group()

    def _furnish(self, connection: Connection) -> None:
        self._rooms = Rooms.of(connection, self._how)
        if self._group is not None:
            self._rooms.tools.add(*self._group.functions)
        self._rooms.tools.add(*self._functions)

    def _moved(self, samples: int) -> None:
        self._rooms.uplink.moved(samples)
        self._catch_up()

    def _catch_up(self) -> None:
        """What the group has asked for while there was no connection is asked for now.

        The new one was opened with most of it, and for that nothing goes out.
        """
        connection = self._open()
        if self._group is None or connection.outage is not None or connection.ended is not None:
            return
        missed = self._group.missed(self)
        self._group.caught_up(self)
        if missed:
            with suppress(InvalidConfig):  # what this server could never take
                connection.protocol.update(missed, now=anyio.current_time(), timeout=10.0)
                connection.link.after()

    def _new_core(self, before: Estate | None) -> protocol.Protocol:
        return protocol.Protocol(
            nonce=secrets.token_hex(4),
            now=anyio.current_time(),
            session=self._session if before is None else None,
            open_timeout=self._means.open_timeout,
            limits=self._how.limits,
            dialect=self._dialect,
            before=before,
            resumes=self._target.kind == "sideband",
        )

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
            only_functions = len(self._functions) == len(wanted.get(("tools",)) or ())
            if wanted.keys() - {("tools",), ("type",)} or not only_functions:
                raise UsageError(
                    "a sideband sends no configuration of its own: the session is somebody else's. "
                    "With call_id= give no session fields but functions among the tools=, which "
                    "are run here, and call session.update() once connected"
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
        return self._means.endpoint.target(self._model or wanted.get(("model",)))

    def _missed(self) -> Leaves:
        """What the group has asked for while there was no connection."""
        return self._group.missed(self) if self._group is not None else {}

    def _over(self) -> None:
        if self._group is not None:
            self._group.leave(self)

    @property
    def _dialect(self) -> Dialect:
        return self._means.endpoint.dialect


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
