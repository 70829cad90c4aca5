"""What outlives a connection as it is: the machines that the next one takes over or asks."""

from __future__ import annotations

from typing import NamedTuple

from realtime_client.calls import Calls
from realtime_client.conversation import Conversation
from realtime_client.input import InputLedger
from realtime_client.memories import Memories
from realtime_client.playback import PlaybackLedger
from realtime_client.router import Router
from realtime_client.usage import UsageLedger

__all__ = ["Survivors"]


class Survivors(NamedTuple):
    """What a new connection takes over from the one before."""

    calls: Calls
    playback: PlaybackLedger
    usage: UsageLedger
    router: Router
    input: InputLedger
    conversation: Conversation
    memories: Memories
