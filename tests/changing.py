"""What goes on while a connection is to be changed, and when that is, for the tests of it."""

from __future__ import annotations

from typing import Any

import anyio

from realtime_client import Rollover, tool
from realtime_client.simulator import Answer, CallFunction, MemoryServer, Question, Say
from tests.outages import sure

EARLY = Rollover(age=100.0, window=200.0)
"""Looks for a quiet moment from 100 s on."""

FORCED = Rollover(age=100.0, window=1.0)
"""Does not wait longer than a second for it."""


def codes(server: MemoryServer) -> list[int | None]:
    """How each connection but the one in force has ended."""
    return [sure(one.ended).code for one in list(server.connections)[:-1]]


def weather(question: Question) -> Answer:
    if question.source == "tool":
        return [Say("Rain.")]
    return [CallFunction("weather", {})]


class Weather:
    """A tool that returns when it is told to."""

    def __init__(self) -> None:
        self.may_return = anyio.Event()

        @tool(name="weather")
        async def function() -> str:
            """Tell the weather."""
            await self.may_return.wait()
            return "rain"

        self.options: dict[str, Any] = {"tools": [function], "tool_timeout": 300}


LONG = "A long answer. " * 20
"""18 s of it."""
