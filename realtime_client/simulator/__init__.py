"""A Realtime server in the package: what the tests, the demo and your own tests talk to.

`serve` puts it on a loopback socket, `MemoryTransport` and `MemoryServer` need none, and
`SimulatedSession` is the server itself, without I/O. What it says is decided by a `Brain`, how it
behaves by a `SimulatorPolicy`, what goes wrong by the policy's mishaps or by hand, on one of the
server's `ServerConnection`s. Its voice can be read back: `sing` and `listen`.

Not simulated: `idle_timeout_ms` is accepted and echoed but nothing happens after it, `speed`
does not change the voice, images are handed to the brain and not looked at, no MCP server is ever
asked for its tools or called (a brain says what a call returned: `CallMcp`), and there are no
transcription or translation sessions.

This room loads numpy and websockets; nothing outside it imports it until it is used.
"""

from realtime_client.simulator.admission import Hello
from realtime_client.simulator.brain import (
    Answer,
    Brain,
    CallFunction,
    CallMcp,
    Fail,
    Part,
    Question,
    Say,
    Stop,
    echo,
)
from realtime_client.simulator.clock import Clock, LoopClock, ManualClock
from realtime_client.simulator.connection import Ending, ServerConnection
from realtime_client.simulator.memory import MemoryServer, MemoryTransport
from realtime_client.simulator.mishaps import (
    Close,
    Drop,
    Freeze,
    Ignore,
    Mishap,
    Refuse,
    redirect,
)
from realtime_client.simulator.policy import Pace, SayExactly, SimulatorPolicy, Tamper
from realtime_client.simulator.reader import Heard, Utterance, listen
from realtime_client.simulator.reception import Reception
from realtime_client.simulator.serve import Server, serve
from realtime_client.simulator.server import SimulatedSession
from realtime_client.simulator.services import counting_ids
from realtime_client.simulator.vad import EnergyVad, SpeechStarted, SpeechStopped
from realtime_client.simulator.voice import sing

__all__ = [
    "Answer",
    "Brain",
    "CallFunction",
    "CallMcp",
    "Clock",
    "Close",
    "Drop",
    "Ending",
    "EnergyVad",
    "Fail",
    "Freeze",
    "Heard",
    "Hello",
    "Ignore",
    "LoopClock",
    "ManualClock",
    "MemoryServer",
    "MemoryTransport",
    "Mishap",
    "Pace",
    "Part",
    "Question",
    "Reception",
    "Refuse",
    "Say",
    "SayExactly",
    "Server",
    "ServerConnection",
    "SimulatedSession",
    "SimulatorPolicy",
    "SpeechStarted",
    "SpeechStopped",
    "Stop",
    "Tamper",
    "Utterance",
    "counting_ids",
    "echo",
    "listen",
    "redirect",
    "serve",
    "sing",
]
