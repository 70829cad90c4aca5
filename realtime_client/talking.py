"""Verbs for people: what one says to a model, on top of the wire's own verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from realtime_client import events
from realtime_client.connection import Connection
from realtime_client.pictures import user_image
from realtime_client.rooms import Rooms
from realtime_client.say import SayOptions, Spoken, say
from realtime_client.wording import SAY_EXACTLY

if TYPE_CHECKING:
    from realtime_client.audio import AudioData

__all__ = ["Talking"]


class Talking:
    """What a client can be told to say and do."""

    _rooms: Rooms

    def _open(self) -> Connection:
        """The session, once it has been entered."""
        raise NotImplementedError

    def _entered(self) -> Rooms:
        self._open()
        return self._rooms

    async def send_text(self, text: str) -> events.ConversationItemAdded:
        """Say something in writing, as the user; returns when the server has the item.

        Ask for the answer with `response.create`. At most 256,000 characters.
        """
        return await self._entered().conversation.item.create(events.user_message(text))

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
        wait loses nothing: the audio is queued by then. Only while a change of the input format
        is on its way does it wait before it takes the audio, in which format nobody knows yet;
        who cancels that wait has to give the audio again.

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
        item = user_image(image, text, detail=detail)
        return await self._entered().conversation.item.create(item)

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
            self._entered().response,
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
        await self._open().interrupt()

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
