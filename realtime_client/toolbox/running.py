"""One call being run: in the loop or in a thread, in its time, and always to an end.

The one thing that comes out as an exception is the cancellation of the task from outside, when
the connection closes. A function can also be cancelled by itself (on asyncio whoever waits for
a cancelled future is); that is an end like any other, and the two are told apart by whether
the scope around is cancelled.
"""

from __future__ import annotations

import logging
import math
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from realtime_client.errors import WouldDeadlock
from realtime_client.toolbox.report import What
from realtime_client.tools import ToolError, ToolFunction, error_text, output_text

__all__ = ["Ended", "Running", "perform", "refuse_deadlock", "run_as"]

_log = logging.getLogger("realtime_client")


class Running:
    """A call that is being run, as its own task and those that it starts know it."""

    __slots__ = ("answered", "host")

    def __init__(self, host: object) -> None:
        self.host = host
        self.answered = False
        """Whether its output is on its way."""


_calls: ContextVar[tuple[Running, ...]] = ContextVar("realtime_client_calls", default=())
"""The calls within which this task runs: more than one where a function has a client of its own."""


def run_as(running: Running) -> None:
    """From here on this task runs a call."""
    _calls.set((*_calls.get(), running))


def refuse_deadlock(host: object, *, out_of_band: bool) -> None:
    """Refuse to wait for a response that waits for the call within which this is asked.

    `host` is the connection of the response. Also to be asked before `response.follow_up()`.

    Raises:
        WouldDeadlock: A function that the model called on this connection asks for a response
            of the conversation, and its own output is not on its way yet.
    """
    if out_of_band:
        return
    if any(one.host is host and not one.answered for one in _calls.get()):
        raise WouldDeadlock(
            "a tool cannot wait for a response of the conversation: that comes after the tool's "
            "own output. Return first (what you return is followed up by itself), or ask out of "
            'band with conversation="none"'
        )


class Ended(NamedTuple):
    """How a call ended: the output for the model, and the error for whoever looks."""

    what: What
    output: str
    error: BaseException | None = None


async def perform(
    function: ToolFunction[..., Any],
    arguments: str,
    *,
    limit: float,
    threads: anyio.CapacityLimiter,
) -> Ended:
    """Run a function on the model's arguments, for at most `limit` seconds."""
    try:
        with anyio.move_on_after(limit):
            return await _perform(function, arguments, threads)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's own code: anything may come
        if isinstance(error, ToolError):
            return Ended("failed", error_text(str(error)), error)
        _log.error("the tool %s raised", function.name, exc_info=error)
        return Ended("raised", error_text(f"{function.name} failed"), error)
    words = f"{function.name} took longer than {limit:g} seconds"
    return Ended("timeout", error_text(words), TimeoutError(words))


async def _perform(
    function: ToolFunction[..., Any], arguments: str, threads: anyio.CapacityLimiter
) -> Ended:
    try:
        given = function.parse(arguments)
    except ToolError as error:
        return Ended("wrong_arguments", error_text(str(error)), error)
    try:
        if function.is_async:
            value = await function(**given)
        else:

            def work() -> tuple[Any]:
                return (function(**given),)  # trio would refuse a bare coroutine

            (value,) = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=threads)
            if isawaitable(value):  # a plain function around an async one
                value = await value
        return Ended("answered", output_text(value))
    except anyio.get_cancelled_exc_class() as error:
        if anyio.current_effective_deadline() == -math.inf:
            raise
        return Ended("cancelled", error_text(f"{function.name} was cancelled"), error)
