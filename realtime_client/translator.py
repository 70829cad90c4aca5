"""The translator: a session that says what it hears in another language, as it is spoken.

"Translation sessions: continuous, no responses." Nobody takes turns, so there is nothing to be
committed, asked for or interrupted: audio goes in, and its translation comes out some seconds
later, as sound and as words, until one side ends it. What is still on its way then is said when
the end is asked for (`finish`), and is lost when the session is only closed.

A connection that is replaced in time is asked for the same first: it says all that it has heard,
while what is said meanwhile waits for the next one. Of one that is lost, what it had heard and
not said yet is lost with it; from where it had come to, the next one hears it again.
"""

from __future__ import annotations

import math
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack

import anyio

from realtime_client import events, protocol
from realtime_client.calling import Making
from realtime_client.config import asked_by
from realtime_client.connection import Connection
from realtime_client.credentials import Credential
from realtime_client.endpoints import Endpoint
from realtime_client.entering import Entering, Means
from realtime_client.errors import (
    AcknowledgementTimeout,
    ClientClosed,
    ConnectionLost,
    RealtimeError,
    ServerError,
    UsageError,
)
from realtime_client.former import warn_of_former_variables
from realtime_client.given import check_choice, check_seconds, check_whole
from realtime_client.leaves import Leaves
from realtime_client.looking import Watching
from realtime_client.machines import Limits
from realtime_client.reconnect import Reconnect
from realtime_client.restoring import Estate
from realtime_client.rollover import Rollover
from realtime_client.rooms import HOW_WELL
from realtime_client.session import TranslationVerbs
from realtime_client.streams import Once
from realtime_client.trace import Trace
from realtime_client.translated import Translated, TranslatedAudio
from realtime_client.translation import (
    AnyTranslation,
    TranslationShortcuts,
    translation_from,
    translation_target,
)
from realtime_client.transport import Connect, Keepalive
from realtime_client.uplink import Uplink

if TYPE_CHECKING:
    from ssl import SSLContext

    from realtime_client.audio import AudioData

__all__ = ["Translator"]

FLUSH: Final = 10.0
"""Seconds for a connection that is about to be replaced to say what it has heard."""


class Translator(Entering, Watching):
    """A session that translates. Use it as `async with Translator(...) as t:`, once.

    Where: `endpoint`, `api_key` and `model` are as for `Client`; without a model it is
    `gpt-realtime-translate`, on Azure the deployment has to be named.

    What: `language` is the code of the language to be spoken, such as `de`; `transcription`
    has what is heard written down, `noise_reduction` filters it. `session` is the session
    object that they are fields of, as `TranslationSessionConfig` or a plain dict.

    How: `open_timeout`, `close_timeout`, `keepalive`, `reconnect`, `rollover`, `quality`,
    `ssl`, `proxy`, `connect` and `trace` are as for `Client`. `chunk_ms` (20 to 1,000) is the
    length of the appended audio: "translation consumes 200 ms frames".

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
        session: AnyTranslation | None = None,
        open_timeout: float = 10.0,
        close_timeout: float = 2.0,
        keepalive: Keepalive | None = None,
        reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - frozen
        rollover: Rollover | None = Rollover(),  # noqa: B008 - frozen
        chunk_ms: int = 200,
        quality: str = "HQ",
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
        connect: Connect | None = None,
        trace: Trace | None = None,
        **shortcuts: Unpack[TranslationShortcuts],
    ) -> None:
        warn_of_former_variables(os.environ)
        config = translation_from(session, shortcuts)
        check_whole("chunk_ms", chunk_ms, 20, 1_000)
        check_choice("quality", quality, HOW_WELL)
        self._chunk_ms, self._quality = chunk_ms, quality
        self._means = Means.of(
            endpoint,
            api_key,
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            patience=math.inf,  # the only request of the kind has a time-out of its own
            keepalive=keepalive,
            reconnect=reconnect,
            rollover=rollover,
            ssl=ssl,
            proxy=proxy,
            connect=connect,
            trace=trace,
        )
        self._target = translation_target(self._means.endpoint, model, config)
        self._session = _asked(config)
        self._said = Translated(self._closed)
        self._finishing = False
        self._changing = False
        """Whether the connection says its last before another one replaces it."""
        self._asking = anyio.Lock()

    # -- what is said and heard -----------------------------------------------------------

    @property
    def session(self) -> TranslationVerbs:
        """`session.*`: the acknowledged configuration, and changing it."""
        return TranslationVerbs(self._open())

    @property
    def audio(self) -> TranslatedAudio:
        """The translation as sound: bytes in `audio_format`, 16 MiB of them at most unread."""
        return self._said.audio

    @property
    def audio_format(self) -> events.AudioFormat:
        """What the audio is written in: 24 kHz 16-bit PCM, unless the first delta named another
        rate."""
        return self._said.audio.format

    @property
    def transcript(self) -> Once[str]:
        """What is said, in the listener's language: pieces, to be put together as they are."""
        return self._said.transcript

    @property
    def heard(self) -> Once[str]:
        """What was heard, in the speaker's language; nothing without `transcription`."""
        return self._said.heard

    async def send_audio(
        self,
        audio: AudioData,
        *,
        rate: int = 24_000,
        channels: int = 1,
        dtype: str | None = None,
    ) -> None:
        """Have it hear something: any shape of audio, in chunks of any size, as `Client` takes it.

        Silence, too: "keep appending silence while the session is active", for what comes after
        a gap is heard as if there had been none. What does not fill a chunk waits for more, or
        for `finish`. Returns when it is queued; waits only while the network is behind.

        Raises:
            InvalidAudio: Not finite, not a rate, not a shape. Nothing was sent.
            UsageError: `finish` was called.
            ConnectionLost: The connection is gone.
        """
        connection = self._open()
        connection.check_alive()
        if self._finishing:
            raise UsageError("finish() was called, and nothing more is heard; nothing was sent")
        self._uplink.push(audio, rate=rate, channels=channels, dtype=dtype)
        await connection.drain()

    async def send(self, event: events.TranslationClientEvent | dict[str, Any]) -> None:
        """Send any client event, typed or as a dict in the wire's shape.

        Returns when it is queued; what the server says to it comes in `events()`.

        Raises:
            InvalidClientEvent: It does not fit the protocol. Nothing was sent.
        """
        connection = self._open()
        connection.send(event)
        await connection.drain()

    async def finish(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - it says which
        """End the session: hear what is held here, and wait until the server has said it all.

        Every stream ends, without an error, with what was said last. A connection that is lost
        meanwhile is replaced as always, and asked again. `timeout` is in seconds. A second call
        waits for the same end.

        Raises:
            AcknowledgementTimeout: It is not over in time; `uncertain` where it was asked for.
            ServerError: The server refused to end it, and it goes on.
            ConnectionLost: The connection broke, and there is no other.
        """
        check_seconds("timeout", timeout, zero=True)
        connection = self._open()
        self._finishing = True
        with anyio.move_on_after(timeout):
            try:
                await self._finish(connection)
            except ServerError:
                self._finishing = False
                raise
            return
        core = connection.protocol
        asked = core.closing.is_asked and core.was_sent(core.closing.event_id)
        raise AcknowledgementTimeout("session.close was asked for", uncertain=asked)

    # -- the end --------------------------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        """Whether the server has said everything, and no other connection is to go on."""
        return self._open().protocol.closing.is_done and not self._changing

    @property
    def _can_ask(self) -> bool:
        """Whether there is a connection, and nobody has asked it to say its last."""
        connection = self._open()
        return connection.outage is None and not connection.protocol.closing.is_asked

    async def _finish(self, connection: Connection) -> None:
        if connection.ended is None:
            self._uplink.flush()
        while not self._is_over:
            connection.check_alive()
            async with self._asking:
                asks = self._can_ask
                if asks:
                    with suppress(ConnectionLost):
                        await connection.request(events.SessionClose(), events.SessionClosed)
            if not asks and connection.ended is None:
                await connection.lost.wait()  # for another connection, or the end

    async def _flush(self) -> None:
        """The connection is about to be replaced: it says what it has heard, for some seconds."""
        connection = self._open()
        async with self._asking:
            if self._can_ask:
                self._changing = True
                with anyio.move_on_after(FLUSH), suppress(RealtimeError):
                    await connection.request(events.SessionClose(), events.SessionClosed)

    def _closed(self) -> None:
        """The server has said everything: before it closes the connection, the session ends."""
        if self._is_over:
            self._keeper.close()
            self._open().finish(ClientClosed("the session was finished"))

    # -- its connection -------------------------------------------------------------------

    def _making(self) -> Making:
        return super()._making()._replace(flush=self._flush)

    def _furnish(self, connection: Connection) -> None:
        self._uplink = Uplink(connection, chunk_ms=self._chunk_ms, quality=self._quality)
        connection.audience.hearer = self._said

    def _new_core(self, before: Estate | None) -> protocol.Protocol:
        return protocol.Protocol(
            nonce=secrets.token_hex(4),
            now=anyio.current_time(),
            session=self._session if before is None else None,
            open_timeout=self._means.open_timeout,
            limits=Limits(replay_ms=self._means.replay_ms),
            surface=events.TRANSLATION,
            dialect=self._means.endpoint.dialect,
            before=before,
        )

    def _moved(self, samples: int) -> None:
        self._changing = False
        self._uplink.moved(samples)
        self._said.audio.moved()


def _asked(config: events.TranslationSessionConfig | None) -> Leaves | None:
    """What is configured; the model is in the URL."""
    asked = asked_by(config) if config is not None else {}
    return {path: value for path, value in asked.items() if path != ("model",)} or None
