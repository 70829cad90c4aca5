"""What belongs to one connection of a client: its verbs, its uplink, its tools."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from realtime_client.connection import Connection
from realtime_client.given import check_choice, check_seconds, check_whole
from realtime_client.items import ConversationVerbs
from realtime_client.machines import Limits
from realtime_client.player import Playback
from realtime_client.session import SessionVerbs
from realtime_client.toolbox import Toolbox
from realtime_client.uplink import Uplink
from realtime_client.verbs import InputAudioBufferVerbs, ResponseVerbs

__all__ = ["HOW_WELL", "How", "Rooms"]

HOW_WELL: Final = ("QQ", "LQ", "MQ", "HQ", "VHQ", "low_delay")
"""The qualities of resampling. The audio room has them too, and is loaded for audio only."""


class How(NamedTuple):
    """How a client goes about it. All times are in seconds but `chunk_ms`."""

    limits: Limits
    chunk_ms: int
    quality: str
    on_short_commit: Literal["pad", "error"]
    max_calls: int
    max_rounds: int
    tool_timeout: float

    def check(self) -> None:
        """Raise for what cannot work, by the names that `Client` gives it.

        Raises:
            UsageError: It names the parameter and its range.
        """
        check_seconds("response_timeout", self.limits.patience, zero=False)
        check_seconds("tool_timeout", self.tool_timeout, zero=False)
        check_whole("max_items", self.limits.max_items, 1)
        check_whole("max_calls", self.max_calls, 1)
        check_whole("max_rounds", self.max_rounds, 0)
        check_whole("chunk_ms", self.chunk_ms, 20, 1_000)
        check_choice("quality", self.quality, HOW_WELL)
        check_choice("on_short_commit", self.on_short_commit, ("pad", "error"))
        check_choice("unheard", self.limits.unheard, ("truncate", "delete"))


class Rooms(NamedTuple):
    """What belongs to one connection."""

    uplink: Uplink
    session: SessionVerbs
    response: ResponseVerbs
    conversation: ConversationVerbs
    input_audio_buffer: InputAudioBufferVerbs
    tools: Toolbox
    playback: Playback

    @classmethod
    def of(cls, connection: Connection, how: How) -> Rooms:
        """The rooms of a connection that is to be opened."""
        uplink = Uplink(
            connection,
            chunk_ms=how.chunk_ms,
            quality=how.quality,
            on_short_commit=how.on_short_commit,
        )
        tools = Toolbox(
            connection,
            max_calls=how.max_calls,
            max_rounds=how.max_rounds,
            timeout=how.tool_timeout,
        )
        connection.audience.runner = tools
        return cls(
            uplink,
            SessionVerbs(connection, tools),
            ResponseVerbs(connection, tools),
            ConversationVerbs(connection),
            InputAudioBufferVerbs(connection, uplink),
            tools,
            Playback(connection),
        )
