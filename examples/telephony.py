"""A phone number that is answered by a model: Twilio Media Streams, bridged to a session.

    python examples/telephony.py --simulator | --openai     (which has OPENAI_API_KEY)

Both sides speak G.711 µ-law at 8 kHz, so no byte of sound is decoded, resampled or coded again.

Twilio queues what we send. So behind every 20 ms of sound goes a mark, which comes back when all
before it was played: that is how the client knows what was heard. When the caller speaks over the
model, the client truncates there and tells us to stop, and we have Twilio throw away the rest. The
marks of that come back too, and mean nothing. See `docs/telephony.md`.
"""

import json
import logging
import sys
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from realtime_client import Client, Endpoint, OpenAI, Output, Reconnect, events
from realtime_client.errors import ConnectionLost, RealtimeError, ResponseAbandoned, ResponseFailed
from realtime_client.simulator import serve as simulate

PORT = 8080
PIECE = 160  # bytes of µ-law in 20 ms: how finely we learn what was heard
RECONNECT = Reconnect(total=10.0)  # nobody listens to a silent line for longer
Model = partial(Client, input_format="audio/pcmu", output_format="audio/pcmu", chunk_ms=20)

log = logging.getLogger("telephony")


def understood(raw: str | bytes) -> tuple[str, Any]:
    """A message of Twilio's: its event, and what matters of it. Raises `ValueError`."""
    match json.loads(raw):
        case {"event": "media", "media": {"payload": str(payload)}}:
            return "media", b64decode(payload, validate=True)
        case {"event": "mark", "mark": {"name": str(name)}}:
            return "mark", name
        case {"event": "dtmf", "dtmf": {"digit": str(key)}} if key in tuple("0123456789*#ABCD"):
            return "dtmf", key
        case {"event": "start", "streamSid": str(stream_sid)}:
            return "start", stream_sid
        case {"event": "connected" | "stop" as event}:
            return event, None
    raise ValueError("it is no message of Media Streams")


class Phone:
    """Twilio's end of one call. `socket` is a connection of `websockets`, on either loop."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._stream_sid = ""

    async def receive(self) -> tuple[str, Any]:
        """The next message; what cannot be understood is passed over, and the call goes on."""
        while True:
            raw = await self._socket.recv()
            try:
                return understood(raw)
            except (ValueError, RecursionError) as error:
                log.warning("not understood: %s", error)

    async def started(self) -> bool:
        """Wait until the call has begun; False where it was over before."""
        while (event := await self.receive())[0] not in ("start", "stop"):
            pass
        self._stream_sid = event[1]
        return event[0] == "start"

    async def send(self, event: str, **fields: Any) -> None:
        """Tell Twilio: `media` and `mark` are queued, `clear` throws away what is queued."""
        message = {"event": event, "streamSid": self._stream_sid, **fields}
        await self._socket.send(json.dumps(message))


class Call:
    """One call: three tasks between a phone and a client, until either is gone."""

    def __init__(self, phone: Phone, client: Client) -> None:
        self._phone, self._client = phone, client
        self._responses, self._stops = client.responses(), client.playback.stops()
        self._speaking = anyio.Lock()
        self._cut: set[str] = set()
        self._names = map(str, count(1))
        self._sent = 0  # bytes since the last clear
        self._marks: dict[str, float] = {}  # the milliseconds before each

    async def hold(self) -> None:
        """Carry the sound of both until somebody hangs up."""
        self._client.playback.played(0)  # it will be told what was played
        async with anyio.create_task_group() as tasks:
            for part in (self._listen, self._speak, self._stop):
                tasks.start_soon(self._until_over, part, tasks.cancel_scope)

    async def _until_over(self, part: Callable[[], Awaitable[None]], call: Any) -> None:
        try:
            await part()
        except ConnectionClosed:
            log.info("the phone is gone")
        except RealtimeError as error:
            log.warning("the model is gone: %s", error)
        call.cancel()

    async def _listen(self) -> None:
        """The caller's sound, and what Twilio tells of ours."""
        client = self._client
        while True:
            match await self._phone.receive():
                case "media", sound:
                    await client.send_audio(sound, rate=8_000, dtype="mulaw")
                case "mark", name:
                    self._played(name)
                case "dtmf", key:
                    item = events.user_message(f"(The caller pressed the key {key}.)")
                    await client.ready()
                    await client.send(events.ConversationItemCreate(item=item))
                case "stop", _:
                    return

    def _played(self, name: str) -> None:
        """A mark has come back. None counts between a stop and the clear that belongs to it."""
        played = self._marks.pop(name, None)
        if played is not None and not self._stops.held:
            self._client.playback.played(played)

    async def _speak(self) -> None:
        """What the model says, one response after the other."""
        async for response in self._responses:
            try:
                async for output in response:
                    await self._say(output)
            except (ResponseFailed, ResponseAbandoned, ConnectionLost) as error:
                log.warning("an answer broke off: %s", error)

    async def _say(self, output: Output) -> None:
        async for chunk in output.audio:
            while self._stops.held:  # an interruption before this chunk: the clear goes first
                await checkpoint()
            async with self._speaking:
                for begin in range(0, len(chunk), PIECE):
                    if output.id in self._cut:
                        break
                    await self._play(chunk[begin : begin + PIECE])

    async def _play(self, sound: bytes) -> None:
        self._sent += len(sound)
        self._marks[name := next(self._names)] = self._sent / 8
        await self._phone.send("media", media={"payload": b64encode(sound).decode()})
        await self._phone.send("mark", mark={"name": name})

    async def _stop(self) -> None:
        """The caller has interrupted, and the client has truncated: Twilio is to be silent."""
        async for stop in self._stops:
            self._cut.update(stop.items)
            self._marks.clear()
            self._sent = 0
            self._client.playback.count_from(0)
            async with self._speaking:
                await self._phone.send("clear")


async def answer(socket: Any, endpoint: Endpoint) -> None:
    """One connection of Twilio's, which is one call."""
    try:
        if await (phone := Phone(socket)).started():
            async with Model(endpoint=endpoint, reconnect=RECONNECT) as client:
                await Call(phone, client).hold()
    except ConnectionClosed:
        log.info("the phone was gone before the call began")
    except RealtimeError as error:
        log.warning("the model does not answer: %s", error)


async def take_calls(endpoint: Endpoint) -> None:
    """Answer every call until the program is stopped."""
    async with serve(partial(answer, endpoint=endpoint), "", PORT, compression=None) as server:
        print(f"waiting for calls on port {PORT}", flush=True)
        await server.serve_forever()


async def main() -> None:
    if "--openai" in sys.argv:
        await take_calls(OpenAI())
    else:
        async with simulate() as simulator:
            await take_calls(Endpoint(simulator.url))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    anyio.run(main)
