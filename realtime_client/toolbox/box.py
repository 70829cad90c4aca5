"""`client.tools`: decides, synchronously, what becomes of a call, and starts the task for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from typing import Any, Final, Literal, Protocol, TypeVar

import anyio

from realtime_client import events, protocol
from realtime_client.calls import Dispatch, FollowUp, News, NoFollowUp, Why, Withdraw
from realtime_client.errors import RealtimeError, ServerError, UsageError
from realtime_client.response import Response
from realtime_client.streams import Once
from realtime_client.toolbox.report import Reports, ToolReport, What
from realtime_client.toolbox.running import Ended, Running, perform, refuse_deadlock, run_as
from realtime_client.tools import ToolFunction, error_text

__all__ = ["Host", "Toolbox"]

T = TypeVar("T")
Function = ToolFunction[..., Any]

MAX_WAITING: Final = 1_000
"""Calls that may wait for their turn to be run."""

ECHO_WITHIN: Final = 10.0
"""Seconds for which the server may refuse an output. Some servers never acknowledge one."""


class Host(Protocol):
    """What a toolbox needs of its connection."""

    protocol: protocol.Protocol

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Run a task until its end, or until the connection closes."""

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        """Send a command, and wait for its answer."""

    async def request_response(
        self, command: events.ResponseCreate, *, when_busy: Literal["wait"]
    ) -> Response:
        """Ask for a response when its turn comes, and wait for its beginning."""

    def follow_up(self, previous_id: str, response: Response | None) -> None:
        """The model was asked to go on, by `response`, or never will be."""


class Toolbox:
    """The functions of one client: `client.tools`.

    At most `max_calls` of them run at once, the others wait their turn. The model is asked to
    go on at most `max_rounds` times in a row. A call that takes longer than `timeout` seconds,
    or than its function's own, is answered with an error; a sync function cannot be stopped
    and keeps its thread until it returns.
    """

    def __init__(
        self,
        host: Host,
        tools: Iterable[Function] = (),
        *,
        max_calls: int = 16,
        max_rounds: int = 8,
        timeout: float = 30.0,
    ) -> None:
        if max_calls < 1 or max_rounds < 0 or not timeout > 0:
            raise UsageError(
                "max_calls must be at least 1, max_rounds at least 0, timeout above 0 seconds; "
                f"got {max_calls!r}, {max_rounds!r}, {timeout!r}"
            )
        self._host = host
        self._calls = host.protocol.calls
        self._calls.max_rounds = max_rounds
        self._timeout = timeout
        self._functions: dict[str, Function] = {}
        self._free = max_calls
        self._threads = anyio.CapacityLimiter(max_calls)
        self._waiting: deque[tuple[Dispatch, Function]] = deque()
        self._follow_ups: dict[str, anyio.CancelScope] = {}
        self._reports = Reports()
        self._tasks = 0
        self._ended: RealtimeError | None = None
        # Tasks begin in the context in which the client was opened, not in that of whoever
        # happens to send something while a call comes: that may be another tool.
        self._context = copy_context()
        self.add(*tools)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the functions here."""
        return tuple(self._functions)

    def add(self, *tools: Function) -> None:
        """Have these functions run when the model calls them; a newer one replaces its namesake.

        This does not offer them: the model may call what the `tools` of the session, or of a
        response, name. `session.update(tools=[...])` does both.

        Raises:
            UsageError: Something is not made by `@tool`, or two have the same name.
        """
        named: dict[str, Function] = {}
        for one in tools:
            if not isinstance(one, ToolFunction):
                raise UsageError(f"{one!r} is not a tool; make it one with @tool")
            if named.setdefault(one.name, one) is not one:
                raise UsageError(f"two tools are named {one.name!r}")
        self._functions.update(named)

    def reports(self) -> Once[ToolReport]:
        """What becomes of each call from now on; ends when the connection and its calls have."""
        watch = self._reports.watch()
        self._see_whether_over()
        return watch

    # -- from the connection ------------------------------------------------------------

    def tell(self, news: Iterable[News]) -> None:
        """Do what the calls need."""
        for one in news:
            match one:
                case Dispatch():
                    self._dispatch(one)
                case FollowUp(response_id):
                    scope = self._follow_ups[response_id] = anyio.CancelScope()
                    self._start("follow-up", self._follow_up, response_id, scope)
                case Withdraw(response_id) if response_id in self._follow_ups:
                    self._follow_ups[response_id].cancel()
                case NoFollowUp(response_id, why):
                    if why is Why.TOO_MANY_ROUNDS:
                        self._report("too_many_rounds", None)
                    self._host.follow_up(response_id, None)

    def refuse_deadlock(self) -> None:
        """Refuse to wait for a response that waits for the call within which this is asked.

        Raises:
            WouldDeadlock: The output of the call is not on its way yet.
        """
        refuse_deadlock(self._host, out_of_band=False)

    def end(self, error: RealtimeError) -> None:
        """The connection is over; what still runs is reported when it ends."""
        self._ended = error
        while self._waiting:
            self._report("dropped", self._waiting.popleft()[0], error)
        self._see_whether_over()

    # -- deciding -----------------------------------------------------------------------

    def _dispatch(self, call: Dispatch) -> None:
        function = self._functions.get(call.name)
        if call.tools_off:
            words = "no tools may be called in this response"
            self._start(call.name, self._answer, call, Ended("no_tools", error_text(words)))
        elif function is not None and len(self._waiting) >= MAX_WAITING:
            words = "too many calls wait for their turn; try again later"
            self._start(call.name, self._answer, call, Ended("too_many_calls", error_text(words)))
        elif function is not None:
            self._waiting.append((call, function))
            self._run_next()
        elif self._is_by_hand(call):
            self._calls.leave(call.response_id, call.call_id)
            self._report("by_hand", call)
        else:
            words = f"there is no tool named {call.name!r}"
            self._start(call.name, self._answer, call, Ended("unknown", error_text(words)))

    def _is_by_hand(self, call: Dispatch) -> bool:
        """Whether the model was offered this tool, which has no function here."""
        if call.name in call.offered:
            return True
        tools = getattr(self._host.protocol.config.acknowledged, "tools", None)
        if not isinstance(tools, tuple):
            tools = (None,)
        names = [_name(tool) for tool in tools if not isinstance(tool, events.McpTool)]
        if None in names:
            # The server does not say what it has. Whoever has functions here leaves the rest to us.
            return not self._functions
        return call.name in names

    def _run_next(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            call, function = self._waiting.popleft()
            self._start(call.name, self._run, call, function)

    # -- the tasks ----------------------------------------------------------------------

    def _start(self, what: str, task: Callable[..., Awaitable[None]], *args: Any) -> None:
        self._tasks += 1
        context = self._context.copy()
        context.run(self._host.start, self._task, task, args, name=f"realtime_client tool {what}")

    async def _task(self, task: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await task(*args)
        finally:
            self._tasks -= 1
            self._see_whether_over()

    async def _run(self, call: Dispatch, function: Function) -> None:
        running = Running(self._host)
        run_as(running)
        limit = self._timeout if function.timeout is None else function.timeout
        ended: Ended | None = None
        try:
            ended = await perform(function, call.arguments, limit=limit, threads=self._threads)
        finally:
            if ended is None:  # the connection closes
                self._report("dropped", call, self._ended)
            self._free += 1
            self._run_next()
        running.answered = True
        await self._answer(call, ended)

    async def _answer(self, call: Dispatch, ended: Ended) -> None:
        """Put the output into the conversation, unless somebody has, and see it taken."""
        if not self._calls.claim(call.response_id, call.call_id):
            self._report("dropped", call, self._ended or ended.error)
            return
        item = events.FunctionCallOutputItem(call_id=call.call_id, output=ended.output)
        what, error = ended.what, ended.error
        try:
            with anyio.move_on_after(ECHO_WITHIN):
                await self._host.request(
                    events.ConversationItemCreate(item=item), events.ConversationItemAdded
                )
        except ServerError as refusal:
            self._calls.on_output_refused(call.response_id, call.call_id)
            what, error = "refused", refusal
        except RealtimeError as lost:
            what, error = "dropped", lost
        finally:
            self._report(what, call, error)

    async def _follow_up(self, response_id: str, scope: anyio.CancelScope) -> None:
        response = None
        event_id = self._host.protocol.new_id("event")
        self._calls.follow(response_id, event_id)
        try:
            with scope:
                if not scope.cancel_called:
                    response = await self._host.request_response(
                        events.ResponseCreate(event_id=event_id), when_busy="wait"
                    )
        except RealtimeError as error:
            self._report("follow_up_failed", None, error)
        finally:
            del self._follow_ups[response_id]
            self._calls.followed(response_id)
            self._host.follow_up(response_id, response)

    # -- telling ------------------------------------------------------------------------

    def _report(
        self, what: What, call: Dispatch | None, error: BaseException | None = None
    ) -> None:
        call_id, name = (call.call_id, call.name) if call is not None else (None, None)
        self._reports.tell(ToolReport(what, call_id, name, error))

    def _see_whether_over(self) -> None:
        if self._ended is not None and not self._tasks:
            self._reports.end(self._ended)


def _name(tool: object) -> str | None:
    """The name of an offered tool, where it can be read."""
    raw = tool.raw if isinstance(tool, events.UnknownVariant) else {}
    name = getattr(tool, "name", None) or raw.get("name")
    return name if isinstance(name, str) else None
