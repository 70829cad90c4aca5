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
from typing import TYPE_CHECKING, Any, Protocol, Self, Unpack

import anyio

from realtime_client import events, protocol
from realtime_client.config import asked_by
from realtime_client.connection import Connection
from realtime_client.endpoints import DEFAULT_MODEL, Endpoint, OpenAI, shown
from realtime_client.errors import UsageError
from realtime_client.former import warn_of_former_variables
from realtime_client.frames import Frame
from realtime_client.items import ConversationVerbs
from realtime_client.leaves import Leaves
from realtime_client.options import AnySession, SessionShortcuts, session_from
from realtime_client.response import Response
from realtime_client.session import SessionVerbs
from realtime_client.streams import Once
from realtime_client.transport import Connect, Keepalive, connect_websocket
from realtime_client.uplink import Uplink
from realtime_client.verbs import InputAudioBufferVerbs, ResponseVerbs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realtime_client.audio import AudioData

__all__ = ["Client"]


class Group(Protocol):
    """What a client needs of the group that it belongs to; see `SessionGroup`."""

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

    `group` is a `SessionGroup` whose configuration lies under the client's own.

    How: `open_timeout` seconds for connecting and again for the acknowledgement,
    `close_timeout` seconds for the closing handshake, `chunk_ms` (20 to 1,000) for the length
    of the appended audio, `connect` for another transport than a WebSocket.

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
        keepalive: Keepalive | None = None,
        chunk_ms: int = 100,
        connect: Connect | None = None,
        group: Group | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> None:
        warn_of_former_variables(os.environ)
        self._config = session_from(session, shortcuts)
        self._endpoint = _endpoint(endpoint, api_key)
        self._model = _model(model, self._config)
        self._group = group
        self._open_timeout = open_timeout
        self._close_timeout = close_timeout
        self._chunk_ms = chunk_ms
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
        core = protocol.Protocol(
            nonce=secrets.token_hex(4),
            now=anyio.current_time(),
            session=self._enter_group(),
            open_timeout=self._open_timeout,
            dialect=self._endpoint.dialect,
        )
        connection = Connection(core, close_timeout=self._close_timeout)
        self._connection = connection
        self._uplink = Uplink(connection, chunk_ms=self._chunk_ms)
        self._session = SessionVerbs(connection)
        self._response = ResponseVerbs(connection)
        self._conversation = ConversationVerbs(connection)
        self._input_audio_buffer = InputAudioBufferVerbs(connection, self._uplink)
        try:
            await connection.open(
                self._connect,
                self._endpoint.connect_url(self._model),
                self._endpoint.connect_headers(),
            )
        except BaseException:
            self._leave_group()
            raise
        return self

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
        return self._session

    @property
    def response(self) -> ResponseVerbs:
        """`response.*`: asking for responses."""
        self._open()
        return self._response

    @property
    def conversation(self) -> ConversationVerbs:
        """`conversation.*`: the server's items."""
        self._open()
        return self._conversation

    @property
    def input_audio_buffer(self) -> InputAudioBufferVerbs:
        """`input_audio_buffer.*`: the turn, by hand."""
        self._open()
        return self._input_audio_buffer

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
        await self._uplink.settled()
        self._uplink.push(audio, rate=rate, channels=channels, dtype=dtype)
        await connection.drain()

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

    @property
    def stats(self) -> Mapping[str, int]:
        """How many events of responses were delivered, discarded, or belonged to nobody."""
        counts = self._open().protocol.router.counts
        return {verdict.value: count for verdict, count in counts.items()}

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
