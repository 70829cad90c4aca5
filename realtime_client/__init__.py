"""A client for Realtime voice models over WebSocket, without a framework.

::

    async with Client(model="gpt-realtime", voice="marin") as c:
        await c.send_text("What is the capital of France?")
        response = await c.response.create()
        async for message in response:
            async for chunk in message.audio:
                speaker.write(chunk)

`realtime_client.events` has the words of the wire, `realtime_client.codec` turns them into
bytes and back, `realtime_client.errors` is everything that can be raised,
`realtime_client.audio` the sample-exact audio room, and `realtime_client.simulator` a server
to test against, without a key.
"""

from realtime_client.client import Client
from realtime_client.dialects import GA, Dialect
from realtime_client.endpoints import Endpoint, OpenAI
from realtime_client.frames import Frame, Happened
from realtime_client.group import SessionGroup
from realtime_client.options import SessionShortcuts
from realtime_client.protocol import Protocol
from realtime_client.response import AllAudio, Call, Message, Output, Response
from realtime_client.speech import AudioStream, TextStream
from realtime_client.transport import Connect, Keepalive, Transport, TransportClosed
from realtime_client.verbs import ResponseOptions

__all__ = [
    "GA",
    "AllAudio",
    "AudioStream",
    "Call",
    "Client",
    "Connect",
    "Dialect",
    "Endpoint",
    "Frame",
    "Happened",
    "Keepalive",
    "Message",
    "OpenAI",
    "Output",
    "Protocol",
    "Response",
    "ResponseOptions",
    "SessionGroup",
    "SessionShortcuts",
    "TextStream",
    "Transport",
    "TransportClosed",
]
