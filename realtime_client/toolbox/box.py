"""`client.tools`: decides, synchronously, what becomes of a call, and starts the task for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from typing import Any, Final

import anyio
import msgspec

from realtime_client import events
from realtime_client.calls import ByHand, Calls, Dispatch, FollowUp, News, NoFollowUp, Withdraw
from realtime_client.errors import RealtimeError, ServerError, UsageError
from realtime_client.leaves import Leaves
from realtime_client.settling import DUPLICATE_ITEM
from realtime_client.streams import Once
from realtime_client.toolbox.following import FollowUps
from realtime_client.toolbox.functions import Function, Functions, by_name
from realtime_client.toolbox.host import Host
from realtime_client.toolbox.report import Reports, ToolReport, What
from realtime_client.toolbox.running import Ended, Running, perform, refuse_deadlock, run_as
from realtime_client.tools import error_text

__all__ = ["Toolbox"]

MAX_WAITING: Final = 1_000
"""Calls that may wait for their turn to be run."""

ECHO_WITHIN: Final = 10.0
"""Seconds for which the server may refuse an output. Some servers never acknowledge one."""


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
        self._max_rounds = max_rounds
        self._timeout = timeout
        self._functions = Functions(lambda: host.protocol.config)
        self._free = max_calls
        self._threads = anyio.CapacityLimiter(max_calls)
        self._waiting: deque[tuple[Dispatch, Function]] = deque()
        self._reports = Reports()
        self._follow_ups = FollowUps(host, self._reports)
        self._tasks = 0
        self._ended: RealtimeError | None = None
        # Tasks begin in the context in which the client was opened, not in that of whoever
        # happens to send something while a call comes: that may be another tool.
        self._context = copy_context()
        self.add(*tools)

    @property
    def _calls(self) -> Calls:
        """What the model has called, on whichever connection."""
        calls = self._host.protocol.calls
        calls.max_rounds = self._max_rounds
        return calls

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the functions here."""
        return self._functions.names

    def add(self, *tools: Function) -> None:
        """Have these functions run when the model calls them; a newer one replaces its namesake.

        This does not offer them: the model may call what the `tools` of the session, or of a
        response, name. `session.update(tools=[...])` does both.

        Raises:
            InvalidTool: Something is not made by `@tool`.
            UsageError: Two have the same name.
        """
        self._functions.add(by_name(tools))

    def reports(self) -> Once[ToolReport]:
        """What becomes of each call from now on; ends when the connection and its calls have.

        Raises:
            ConnectionLost: The connection is gone.
            ClientClosed: The client was closed.
        """
        if self._ended is not None:
            raise self._ended.with_traceback(None)
        return self._reports.watch()

    # -- from the verbs -----------------------------------------------------------------

    @contextmanager
    def lending(
        self, command: events.ResponseCreate, tools: Iterable[Function]
    ) -> Iterator[events.ResponseCreate]:
        """Within the block a response is asked for, by the create that this gives.

        Its functions are its own: nobody else's calls are run by them.

        Raises:
            UsageError: As `add`, or an out-of-band response is given functions.
        """
        functions = by_name(tools)
        if not functions:
            yield command
            return
        if command.response and command.response.conversation == "none":
            name = next(iter(functions))
            raise UsageError(
                f"{name} cannot be run out of band: its output would have to go into the "
                f"conversation, which that response is no part of. Give {name}.definition, and "
                "look at the `Call` among the outputs yourself; nothing was sent"
            )
        core, event_id = self._host.protocol, self._host.protocol.new_id("event")
        self._calls.lend(event_id, functions)
        try:
            yield msgspec.structs.replace(command, event_id=event_id)
        except BaseException:
            # What has begun comes to an end of its own, even where its caller has given it up.
            inside = core.router.occupants
            if not any(one.event_id == event_id and one.id is not None for one in inside):
                self._calls.take_back(event_id)
            raise

    def adopting(self, asked: Leaves, tools: Iterable[Function]) -> AbstractContextManager[None]:
        """Within the block these leaves are asked for; the functions come with the answer.

        Raises:
            UsageError: As `add`.
        """
        return self._functions.adopting(asked, by_name(tools))

    # -- from the connection ------------------------------------------------------------

    def tell(self, news: Iterable[News]) -> None:
        """Do what the calls need."""
        for one in news:
            match one:
                case Dispatch():
                    self._dispatch(one)
                case ByHand():
                    self._report("by_hand", one)
                case FollowUp(response_id):
                    self._start("follow-up", *self._follow_ups.ask(response_id))
                case Withdraw(response_id, why):
                    self._follow_ups.withdraw(response_id, why)
                case NoFollowUp(response_id, why):
                    self._follow_ups.leave_out(response_id, why)

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
        function = call.own or self._functions.get(call.name)
        by_hand = function is None and self._is_by_hand(call)
        function = self._functions.reserve(call.name) if by_hand else function
        if call.tools_off:
            words = "no tools may be called in this response"
            self._start(call.name, self._answer, call, Ended("no_tools", error_text(words)))
        elif function is not None and len(self._waiting) >= MAX_WAITING:
            words = "too many calls wait for their turn; try again later"
            self._start(call.name, self._answer, call, Ended("too_many_calls", error_text(words)))
        elif function is not None:
            self._waiting.append((call, function))
            self._run_next()
        elif by_hand:
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
        try:
            await self._host.ready()
        except RealtimeError as lost:
            self._report("dropped", call, lost)
            return
        if not self._calls.claim(call.response_id, call.call_id):
            self._report("dropped", call, self._ended or ended.error)
            return
        what, error = ended.what, ended.error
        try:
            await self._put(call.call_id, ended.output)
        except ServerError as refusal:
            self._calls.on_output_refused(call.response_id, call.call_id)
            what, error = "refused", refusal
        except RealtimeError as lost:
            what, error = "dropped", lost
        finally:
            self._report(what, call, error)

    async def _put(self, call_id: str, output: str) -> None:
        """Create the output, and wait for a while for the server to refuse it.

        A connection that is lost meanwhile is waited for, and it is created on the next one. It
        has an id of its own, so a server that has it already does not take it twice.
        """
        item_id = self._host.protocol.new_id("item")
        item = events.FunctionCallOutputItem(id=item_id, call_id=call_id, output=output)
        create = events.ConversationItemCreate(item=item)
        again = False
        while True:
            try:
                with anyio.move_on_after(ECHO_WITHIN) as waiting:
                    await self._host.request(create, events.ConversationItemAdded)
            except ServerError as refusal:
                if again and refusal.name == DUPLICATE_ITEM:
                    return
                raise
            if not waiting.cancelled_caught or self._host.outage is None:
                return
            await self._host.ready()
            again = True

    # -- telling ------------------------------------------------------------------------

    def _report(
        self, what: What, call: Dispatch | ByHand | None, error: BaseException | None = None
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
