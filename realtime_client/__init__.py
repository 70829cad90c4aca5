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
`realtime_client.audio` the sample-exact audio room, `realtime_client.rest` what the server offers
beside the session, and `realtime_client.simulator` a server to test against, without a key.
"""

from realtime_client.acknowledgement import Acknowledgement, Notice
from realtime_client.capabilities import Capabilities
from realtime_client.carrying import LeftBehind, Restored
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.client import Client
from realtime_client.conversation import Change, Interrupted
from realtime_client.credentials import Credential
from realtime_client.dialects import (
    BETA,
    GA,
    HUGGING_FACE,
    QWEN,
    VOICE_LIVE,
    XAI_GROK,
    Dialect,
)
from realtime_client.endpoints import XAI, Azure, Endpoint, OpenAI
from realtime_client.frames import Frame, Happened
from realtime_client.group import SessionGroup
from realtime_client.input import Span
from realtime_client.items import Synced
from realtime_client.machines import Limits
from realtime_client.options import SessionShortcuts
from realtime_client.pictures import image_part, user_image
from realtime_client.playback import Cut, Progress, StopPlaying
from realtime_client.player import Playback
from realtime_client.protocol import Protocol
from realtime_client.reconnect import DROP, OutageAudio, Reconnect, keep
from realtime_client.response import (
    AllAudio,
    Call,
    McpApproval,
    McpCall,
    Message,
    Metrics,
    Output,
    Response,
    Timings,
)
from realtime_client.rollover import Rollover
from realtime_client.say import Said, SayOptions, Spoken
from realtime_client.speech import AudioStream, Delta, TextStream
from realtime_client.targets import Target
from realtime_client.toolbox import Toolbox, ToolReport
from realtime_client.tools import ToolFunction, tool
from realtime_client.trace import Direction, Trace
from realtime_client.translated import TranslatedAudio
from realtime_client.translator import Translator
from realtime_client.transport import Connect, Keepalive, Transport, TransportClosed
from realtime_client.turns import UserSaid
from realtime_client.usage import Totals
from realtime_client.user_turn import UserTurn
from realtime_client.verbs import ResponseOptions

__all__ = [
    "BETA",
    "DROP",
    "GA",
    "HUGGING_FACE",
    "QWEN",
    "VOICE_LIVE",
    "XAI",
    "XAI_GROK",
    "Acknowledgement",
    "AllAudio",
    "AudioStream",
    "Azure",
    "Call",
    "Capabilities",
    "Change",
    "Client",
    "Connect",
    "Credential",
    "Cut",
    "Delta",
    "Dialect",
    "Direction",
    "Disconnected",
    "Endpoint",
    "Frame",
    "Happened",
    "Interrupted",
    "Keepalive",
    "LeftBehind",
    "Limits",
    "McpApproval",
    "McpCall",
    "Message",
    "Metrics",
    "Notice",
    "OpenAI",
    "OutageAudio",
    "Output",
    "Playback",
    "Progress",
    "Protocol",
    "Reconnect",
    "Reconnected",
    "Response",
    "ResponseOptions",
    "Restored",
    "Rollover",
    "Said",
    "SayOptions",
    "SessionGroup",
    "SessionShortcuts",
    "Span",
    "Spoken",
    "StopPlaying",
    "Synced",
    "Target",
    "TextStream",
    "Timings",
    "ToolFunction",
    "ToolReport",
    "Toolbox",
    "Totals",
    "Trace",
    "TranslatedAudio",
    "Translator",
    "Transport",
    "TransportClosed",
    "UserSaid",
    "UserTurn",
    "image_part",
    "keep",
    "tool",
    "user_image",
]
