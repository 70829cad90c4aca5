"""The client: one session with a Realtime model, as an asynchronous context manager.

Entering connects and configures: it returns once the server has acknowledged the
configuration, or raises an error that says why not. Leaving closes cleanly and ends every
stream. What it does is decided in the core and carried out by the connection; here are the
names that people call it by.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, Unpack

import anyio

from realtime_client import events, protocol
from realtime_client.config import asked_by
from realtime_client.connection import Connection
from realtime_client.endpoints import DEFAULT_MODEL, Endpoint, OpenAI, shown
from realtime_client.errors import UsageError
from realtime_client.events import RateLimit
from realtime_client.former import warn_of_former_variables
from realtime_client.frames import Frame, Happened
from realtime_client.items import ConversationVerbs
from realtime_client.leaves import Leaves
from realtime_client.machines import Limits
from realtime_client.options import AnySession, SessionShortcuts, session_from, tool_functions
from realtime_client.pictures import user_image
from realtime_client.player import Playback
from realtime_client.response import Response
from realtime_client.rooms import How, Rooms
from realtime_client.say import SayOptions, Spoken, say
from realtime_client.session import SessionVerbs
from realtime_client.streams import Once
from realtime_client.toolbox import Toolbox
from realtime_client.tools import ToolFunction
from realtime_client.transport import Connect, Keepalive, connect_websocket
from realtime_client.usage import Totals
from realtime_client.user_turn import UserTurn
from realtime_client.verbs import InputAudioBufferVerbs, ResponseVerbs
from realtime_client.wording import SAY_EXACTLY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realtime_client.audio import AudioData

__all__ = ["Client"]


class Group(Protocol):
    """What a client needs of the group that it belongs to; see `SessionGroup`."""

    @property
    def functions(self) -> tuple[ToolFunction[..., Any], ...]:
        """The tools that every client of the group runs."""

    def enter(self, client: Client, own: Leaves) -> Leaves:
        """Count the client as live; returns the group's fields under its own."""

    def leave(self, client: Client) -> None:
        """The client is not live any more."""


class Client:
    """A session with a Realtime model. Use it as `async with Client(...) as c:`, once.

    Where: `endpoint` is an `Endpoint` or a URL (`wss://host/v1/realtime`); without one it is
    OpenAI, with `api_key` or `OPENAI_API_KEY`. `model` names the model.

    What: `session` is the GA session object, as `SessionConfig`, `TranscriptionSessionConfig`
    or a plain dict; the keyword shortcuts (`voice`, `instructions`, `turn_detection`, ...,
    see `SessionShortcuts`) are the same fields by shorter names. `None` is sent as null, what
    is not given is not sent, and a field given twice is an error.

    A function with `@tool` among the `tools` is run here when the model calls it.

    `group` is a `SessionGroup` whose configuration lies under the client's own.

    How: `open_timeout` seconds for connecting and again for the acknowledgement,
    `close_timeout` seconds for the closing handshake, `response_timeout` seconds of silence
    before a response counts as abandoned, `chunk_ms` (20 to 1,000) for the length of the
    appended audio, `quality` of its resampling (soxr's names, or `low_delay`),
    `on_short_commit` for turns under 100 ms, `unheard` for what becomes at an interruption of
    messages that nobody has heard a word of, `max_items` items of the conversation to be
    mirrored, `max_calls` functions
    to run at once, `max_rounds` of calls in a row, `tool_timeout` seconds for each call,
    `connect` for another transport than a WebSocket.

    Raises:
        MissingCredentials: No key in either place.
        UsageError: Something that cannot be; nothing was sent.
    """

    def __init__(
        self,
        *,
        endpoint: Endpoint | str | None = None,
        model: str | None = None,
        api_key: str | None = None,
        session: AnySession | Mapping[str, Any] | None = None,
        open_timeout: float = 10.0,
        close_timeout: float = 2.0,
        response_timeout: float = 60.0,
        keepalive: Keepalive | None = None,
        chunk_ms: int = 100,
        quality: str = "HQ",
        on_short_commit: Literal["pad", "error"] = "pad",
        unheard: Literal["truncate", "delete"] = "truncate",
        max_items: int = 2_000,
        max_calls: int = 16,
        max_rounds: int = 8,
        tool_timeout: float = 30.0,
        connect: Connect | None = None,
        group: Group | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> None:
        warn_of_former_variables(os.environ)
        self._config = session_from(session, shortcuts)
        self._endpoint = _endpoint(endpoint, api_key)
        self._model = _model(model, self._config)
        self._functions = tool_functions(session, shortcuts)
        self._group = group
        self._how = How(
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            limits=Limits(response_timeout, max_items, unheard),
            chunk_ms=chunk_ms,
            quality=quality,
            on_short_commit=on_short_commit,
            max_calls=max_calls,
            max_rounds=max_rounds,
            tool_timeout=tool_timeout,
        )
        self._how.check()
        self._connect = connect or connect_websocket(
            open_timeout=open_timeout, close_timeout=close_timeout, keepalive=keepalive
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
            AcknowledgementTimeout: The server said nothing in time.
        """
        if self._connection is not None:
            raise UsageError("a Client is entered once; make another one for another session")
        session = self._enter_group()
        try:
            connection = self._new_connection(session)
            await connection.open(
                self._connect,
                self._endpoint.connect_url(self._model),
                self._endpoint.connect_headers(),
            )
        except BaseException:
            self._leave_group()
            raise
        return self

    def _new_connection(self, session: Leaves | None) -> Connection:
        """A connection that is to be opened, and what belongs to it."""
        how = self._how
        core = protocol.Protocol(
            nonce=secrets.token_hex(4),
            now=anyio.current_time(),
            session=session,
            open_timeout=how.open_timeout,
            limits=how.limits,
            dialect=self._endpoint.dialect,
        )
        connection = Connection(core, close_timeout=how.close_timeout)
        self._connection, self._rooms = connection, Rooms.of(connection, how)
        if self._group is not None:
            self._rooms.tools.add(*self._group.functions)
        self._rooms.tools.add(*self._functions)
        return connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave_group()
        try:
            await self._open().aclose()
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

    # -- verbs for people -------------------------------------------------------------

    async def send_text(self, text: str) -> events.ConversationItemAdded:
        """Say something in writing, as the user; returns when the server has the item.

        Ask for the answer with `response.create`. At most 256,000 characters.
        """
        return await self.conversation.item.create(events.user_message(text))

    async def send_audio(
        self,
        audio: AudioData,
        *,
        rate: int = 24_000,
        channels: int = 1,
        dtype: str | None = None,
    ) -> None:
        """Say something: any shape of audio, in chunks of any size.

        `audio` is bytes, bytearray or memoryview (little-endian, interleaved, of `dtype`,
        int16 if not given), or a numpy array of int16, int32, float32 or float64, 1-D
        interleaved or 2-D (frames, channels); floats are full scale at 1.0. `rate` in hertz,
        8,000 to 192,000. It is mixed to mono, resampled, and appended in chunks of
        `chunk_ms` in the input format that the server acknowledged. What does not fill a
        chunk waits for more, or for `input_audio_buffer.commit`.

        Returns when it is queued; waits only while the network is behind. Cancelling that
        wait loses nothing: the audio is queued by then.

        Raises:
            InvalidAudio: Not finite, not a rate, not a shape. Nothing was sent.
            ConnectionLost: The connection is gone.
        """
        connection = self._open()
        await self._rooms.uplink.settled()
        self._rooms.uplink.push(audio, rate=rate, channels=channels, dtype=dtype)
        await connection.drain()

    async def send_image(
        self,
        image: bytes | bytearray | memoryview | str,
        text: str | None = None,
        *,
        detail: str | None = None,
    ) -> events.ConversationItemAdded:
        """Show a picture, as the user, with words where there are any.

        `image` is the bytes of a PNG or JPEG file, or its `data:` URL; `detail` is `auto`,
        `low` or `high`. Returns when the server has the item.

        Raises:
            InvalidImage: It is no picture. Nothing was sent.
        """
        return await self.conversation.item.create(user_image(image, text, detail=detail))

    async def say(
        self,
        text: str,
        *,
        remember: bool = True,
        wording: str = SAY_EXACTLY,
        when_busy: Literal["wait", "interrupt", "fail"] = "wait",
        timeout: float | None = None,  # noqa: ASYNC109 - the response is given up with it
        **options: Unpack[SayOptions],
    ) -> Spoken:
        """Have the model speak a text, as closely as it does; returns when it begins.

        The handle's `done()` says what was said: `transcript`, `match` between 0 and 1, and
        `exact`. The match judges the server's transcript, not the sound. Word for word is not
        guaranteed: the model is asked to, by `wording`, and nobody has published how often
        it complies.

        With `remember` it becomes a part of the conversation. Without, it runs out of band and
        touches neither the server's conversation nor ours.

        Raises:
            UsageError: There is nothing to say, or the wording has no `{text}`.
            NotSupported: The endpoint has no out-of-band responses. Nothing was sent.
            RealtimeError: As `response.create`.
        """
        return await say(
            self.response,
            text,
            remember=remember,
            wording=wording,
            when_busy=when_busy,
            timeout=timeout,
            **options,
        )

    async def interrupt(self) -> None:
        """Stop what is said in the conversation, and cut what was not heard of it.

        The active response is cancelled by its id, one whose id is not known yet as soon as it
        is, and those that wait for their turn are withdrawn. Every message that was not heard
        to its end is truncated at what was (see `playback`), and whoever watches
        `playback.stops()` is told to stop. Returns when the server has ended the response.
        With the server's VAD this happens by itself when the user begins to speak.

        Raises:
            ConnectionLost: The connection broke before the end.
        """
        await self._live().interrupt()

    async def send(self, event: events.ClientEvent | dict[str, Any]) -> None:
        """Send any client event, typed or as a dict in the wire's shape.

        A dict goes out with exactly the fields it has, plus the ids by which an answer is
        found. Returns when it is queued; what the server says to it comes in `events()`.

        Raises:
            InvalidClientEvent: It does not fit the protocol. Nothing was sent.
        """
        connection = self._open()
        connection.send(event)
        await connection.drain()

    # -- what happens -----------------------------------------------------------------

    def responses(self) -> Once[Response]:
        """Every response that begins from now on, whoever started it.

        The server starts responses by itself, after a turn that the VAD has ended or an
        idle time-out. The subscription begins with this call, so make it before what you
        want to hear the answer of.
        """
        return self._live().watches.new_responses()

    def events(self) -> Once[Frame]:
        """Every event that the server sends from now on, typed, with its raw bytes."""
        watches = self._live().watches
        return watches.frames(watches.received, "events()")

    def sent(self) -> Once[Frame]:
        """Every event that goes out from now on, typed, with its raw bytes."""
        watches = self._live().watches
        return watches.frames(watches.sent, "sent()")

    def orphans(self) -> Once[Happened]:
        """Every event from now on that nobody is told of, and why.

        `verdict` is `discarded` where its response was given up or is being cancelled,
        `orphan` where it names a response that nobody knows or that is over, `duplicate`
        where it has come before.
        """
        return self._live().watches.new_strays()

    def user_turns(self) -> Once[UserTurn]:
        """Every spoken turn of the user that begins from now on, with its transcript."""
        return self._live().audience.user_turns.subscribe()

    # -- what is known ------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether a response is being said or asked for."""
        return not self._open().protocol.router.is_idle

    @property
    def speech(self) -> str | None:
        """The item id of the turn in which the user is heard speaking now, by the VAD."""
        return self._open().protocol.turns.speaking

    @property
    def usage(self) -> Totals:
        """The tokens of the session so far, by kind, transcription included."""
        return self._open().protocol.usage.totals

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        """The last word of the server on each limit, by its name; many never say any."""
        return self._open().protocol.usage.rate_limits

    @property
    def stats(self) -> Mapping[str, Counter[str]]:
        """How many events of responses there were, by verdict and then by their type.

        `stats["discarded"].total()` is how many were discarded in all.
        """
        return self._open().protocol.router.stats

    def _enter_group(self) -> Leaves | None:
        """What to configure: our own fields over the group's. The model is in the URL."""
        own = asked_by(self._config) if self._config is not None else {}
        wanted = self._group.enter(self, own) if self._group is not None else own
        transcribes = wanted.get(("type",)) == "transcription"
        if self._model is None and not transcribes:
            self._model = wanted.get(("model",)) or DEFAULT_MODEL
        return {path: value for path, value in wanted.items() if path != ("model",)} or None

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.leave(self)

    def _live(self) -> Connection:
        connection = self._open()
        connection.check_open()
        return connection

    def _open(self) -> Connection:
        if self._connection is None:
            raise UsageError("the client is not connected: use it as `async with Client() as c:`")
        return self._connection


def _endpoint(endpoint: Endpoint | str | None, api_key: str | None) -> Endpoint:
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
