"""The toolbox: whatever becomes of a call, the model gets one output, and nobody else notices."""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import msgspec
import pytest

from realtime_client import events
from realtime_client.errors import (
    ClientClosed,
    ConnectionLost,
    InvalidTool,
    RealtimeError,
    ReconnectFailed,
    ResponseWithdrawn,
    ServerError,
    SlowConsumer,
    UsageError,
    WouldDeadlock,
)
from realtime_client.protocol import Protocol
from realtime_client.response import Response
from realtime_client.streams import Once
from realtime_client.toolbox import Toolbox, ToolReport, refuse_deadlock
from realtime_client.toolbox import box as box_module
from realtime_client.toolbox import report as report_module
from realtime_client.tools import ToolError, ToolFunction, tool

T = TypeVar("T")
R = "resp_1"


class Desk:
    """A connection as a toolbox sees it: a real core, and a server that takes every output."""

    box: Toolbox
    reports: Once[ToolReport]

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.protocol = Protocol(nonce="n", now=0.0)
        self.sent: list[Any] = []
        self.followed: list[tuple[str, Any]] = []
        self.refusal: RealtimeError | None = None
        self.back: anyio.Event | None = None
        """Set when there is a connection again."""
        self.gone: ReconnectFailed | None = None
        self.silent = False
        self.busy: anyio.Event | None = None
        self.begins: Callable[[], None] = lambda: None
        self._tasks = tasks

    # what the toolbox asks for

    @property
    def outage(self) -> RealtimeError | None:
        waits = self.back is not None and not self.back.is_set()
        return ConnectionLost("it is gone") if waits else None

    async def ready(self) -> None:
        if self.back is not None:
            await self.back.wait()
        if self.gone is not None:
            raise self.gone

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        assert name.startswith("realtime_client tool ")
        self._tasks.start_soon(self._run, function, args, name=name)

    async def _run(self, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        await function(*args)

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        assert isinstance(command, events.ConversationItemCreate)
        assert isinstance(command.item, events.FunctionCallOutputItem)
        if isinstance(self.refusal, ConnectionLost):
            raise self.refusal
        self.sent.append((command.item.call_id, command.item.output))
        self.drain()
        await anyio.lowlevel.checkpoint()
        if self.silent:
            await anyio.sleep_forever()
        if self.refusal is not None:
            raise self.refusal
        self.protocol.calls.on_output_added(command.item.call_id)
        self.drain()
        added = events.ConversationItemAdded(item=command.item)
        assert isinstance(added, answer)
        return added

    async def request_response(
        self, command: events.ResponseCreate, *, when_busy: str = "interrupt"
    ) -> Response:
        assert when_busy == "wait"
        self.protocol.calls.on_asked(cast("str", command.event_id))
        self.sent.append("asked")
        self.drain()
        await anyio.lowlevel.checkpoint()
        if self.busy is not None:
            await self.busy.wait()
        if self.refusal is not None:
            raise self.refusal
        self.sent.append("response.create")
        self.begins()
        self.drain()
        return cast("Response", f"response {self.sent.count('response.create')}")

    def follow_up(self, previous_id: str, response: Response | None) -> None:
        self.followed.append((previous_id, response))

    # what the test does

    def drain(self) -> None:
        self.box.tell(self.protocol.calls.drain())

    def call(self, name: str, arguments: str = "{}", call_id: str = "call_1", **facts: Any) -> None:
        """The model calls something."""
        item = events.FunctionCallItem(
            call_id=call_id, name=name, status="completed", arguments=arguments
        )
        response_id = facts.pop("response_id", R)
        facts = {"out_of_band": False, "foreign": False, "tools_off": False, **facts}
        self.protocol.calls.on_call(response_id, item, **facts)
        self.drain()

    def done(self, status: str = "completed", response_id: str = R) -> None:
        self.protocol.calls.on_response_done(
            response_id, status, (), out_of_band=False, foreign=False, tools_off=False
        )
        self.drain()

    def acknowledge(self, **session: Any) -> None:
        """The server says what its session is."""
        session = {"type": "realtime", **session}
        frame = {"type": "session.created", "event_id": "e", "session": session}
        self.protocol.receive(msgspec.json.encode(frame), 0.0)

    async def report(self) -> ToolReport:
        with anyio.fail_after(10):
            return await anext(self.reports)

    async def settled(self) -> None:
        """Wait until no task of the toolbox runs."""
        with anyio.fail_after(10):
            while self.box._tasks:
                await anyio.lowlevel.checkpoint()

    async def output(self) -> Any:
        """Wait for the end of the one call; returns what the model got."""
        await self.report()
        ((call_id, output),) = [one for one in self.sent if isinstance(one, tuple)]
        assert call_id == "call_1"
        return output


@contextlib.asynccontextmanager
async def desk(*tools: ToolFunction[..., Any], **options: Any) -> AsyncIterator[Desk]:
    async with anyio.create_task_group() as tasks:
        desk = Desk(tasks)
        desk.box = Toolbox(desk, tools, **options)
        desk.reports = desk.box.reports()
        yield desk
        tasks.cancel_scope.cancel()


def error(words: str) -> str:
    return msgspec.json.encode({"error": words}).decode()


@tool
def add(a: int, b: int = 1) -> int:
    return a + b


@tool
async def greet(name: str) -> str:
    await anyio.lowlevel.checkpoint()
    return f"Hello {name}"


# -- results --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "output"),
    [("add", '{"a": 2}', "3"), ("add", '{"a":2,"b":2}', "4"), ("greet", '{"name":"x"}', "Hello x")],
)
async def test_a_call_is_answered_with_the_result(name: str, arguments: str, output: str) -> None:
    async with desk(add, greet) as d:
        assert d.box.names == ("add", "greet")
        d.call(name, arguments)
        assert await d.output() == output


async def test_sync_functions_do_not_run_in_the_loop() -> None:
    here = threading.get_ident()

    @tool
    def where() -> bool:
        return threading.get_ident() == here

    @tool
    async def there() -> bool:
        return threading.get_ident() == here

    async with desk(where, there) as d:
        d.call("where")
        assert await d.output() == "false"
        d.sent.clear()
        d.call("there")  # the same call again
        d.call("there", call_id="call_2")
        await d.report()
        assert d.sent == [("call_2", "true")]


async def test_a_plain_function_around_an_async_one() -> None:
    @tool
    def indirect(name: str) -> Any:
        return greet(name)

    async with desk(indirect) as d:
        d.call("indirect", '{"name": "x"}')
        assert await d.output() == "Hello x"


async def test_a_report_says_what_became_of_it() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 2}')
        assert await d.report() == ToolReport("answered", "call_1", "add", None)


# -- what goes wrong ------------------------------------------------------------------------


async def test_wrong_arguments_are_explained_to_the_model() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": "two"}')
        what, call_id, name, told = await d.report()
        assert (what, call_id, name) == ("wrong_arguments", "call_1", "add")
        assert isinstance(told, ToolError)
        words = "wrong arguments for add: Expected `int`, got `str` - at `$.a`"
        assert d.sent == [("call_1", error(words))]


async def test_an_exception_is_not_told_to_the_model(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    async def broken() -> None:
        raise RuntimeError("the key is 12345")

    async with desk(broken) as d:
        d.call("broken")
        what, _, _, raised = await d.report()
        assert what == "raised"
        assert str(raised) == "the key is 12345"
        assert d.sent == [("call_1", error("broken failed"))]
    (record,) = caplog.records
    assert record.getMessage() == "the tool broken raised"
    assert record.exc_info is not None
    assert record.exc_info[1] is raised


async def test_the_words_of_a_tool_error_are(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    def sold_out() -> None:
        raise ToolError("no tickets are left")

    async with desk(sold_out) as d:
        d.call("sold_out")
        what, _, _, raised = await d.report()
        assert (what, str(raised)) == ("failed", "no tickets are left")
        assert d.sent == [("call_1", error("no tickets are left"))]
    assert caplog.records == []


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("raised", [SystemExit, StopIteration, ExceptionGroup])
async def test_anything_may_be_raised(raised: Any, threaded: bool) -> None:
    logging.getLogger("realtime_client").disabled = True

    def leave() -> None:
        if raised is SystemExit:
            sys.exit(3)
        raise raised("many", [ValueError()]) if raised is ExceptionGroup else raised()

    async def leave_async() -> None:
        leave()

    try:
        async with desk(tool(name="leave")(leave if threaded else leave_async), add) as d:
            d.call("leave")
            assert await d.output() == error("leave failed")
            d.call("add", '{"a": 1}', "call_2")
            assert (await d.report()).what == "answered"
    finally:
        logging.getLogger("realtime_client").disabled = False


async def test_a_result_that_is_no_json() -> None:
    @tool
    def thing() -> object:
        return object()

    async with desk(thing) as d:
        d.call("thing")
        assert await d.output() == error("the function returned something that is not JSON")


@pytest.mark.parametrize("own_limit", [True, False])
async def test_a_call_that_takes_too_long(own_limit: bool) -> None:
    stopped = anyio.Event()

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    limited = tool(timeout=0.01 if own_limit else None)(wait)
    async with desk(limited, timeout=60 if own_limit else 0.01) as d:
        d.call("wait")
        what, _, _, told = await d.report()
        assert what == "timeout"
        assert isinstance(told, TimeoutError)
        assert str(told) == "wait took longer than 0.01 seconds"
        assert d.sent == [("call_1", error("wait took longer than 0.01 seconds"))]
        assert stopped.is_set()


async def test_a_thread_that_takes_too_long_is_left_behind() -> None:
    release = threading.Event()

    @tool(timeout=0.01)
    def block() -> str:
        release.wait(10)
        return "too late"

    async with desk(block) as d:
        try:
            d.call("block")
            assert await d.output() == error("block took longer than 0.01 seconds")
        finally:
            release.set()
        await d.settled()
        assert len(d.sent) == 1


async def test_no_limit() -> None:
    async with desk(tool(timeout=math.inf)(greet.function), timeout=0.001) as d:
        d.call("greet", '{"name": "x"}')
        assert await d.output() == "Hello x"


async def test_a_function_that_is_cancelled_by_itself(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("on trio nothing outside of a scope raises Cancelled")
    import asyncio

    @tool
    async def waiting() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with desk(waiting, add) as d:
        d.call("waiting")
        what, _, _, told = await d.report()
        assert what == "cancelled"
        assert isinstance(told, asyncio.CancelledError)
        assert d.sent == [("call_1", error("waiting was cancelled"))]
        d.call("add", '{"a": 1}', "call_2")
        assert (await d.report()).what == "answered"


async def test_a_tool_error_of_an_inner_timeout_is_not_ours() -> None:
    @tool
    async def impatient() -> None:
        with anyio.fail_after(0):
            await anyio.sleep_forever()

    logging.getLogger("realtime_client").disabled = True
    try:
        async with desk(impatient) as d:
            d.call("impatient")
            assert (await d.report()).what == "raised"
    finally:
        logging.getLogger("realtime_client").disabled = False


# -- calls that nobody has a function for ---------------------------------------------------


@pytest.mark.parametrize("tools", [[], [{"type": "function", "name": "other"}]])
async def test_an_unknown_tool_is_answered(tools: list[Any]) -> None:
    async with desk() as d:
        d.acknowledge(tools=tools)
        d.call("fly")
        assert (await d.report()).what == "unknown"
        assert d.sent == [("call_1", error("there is no tool named 'fly'"))]
        d.done()
        await d.settled()
        assert d.followed == [(R, "response 1")]


@pytest.mark.parametrize("offered", [True, False])
async def test_a_tool_without_a_function_is_the_users(offered: bool) -> None:
    async with desk(add) as d:
        mine = [{"type": "function", "name": "by_hand"}, {"type": "mcp", "server_label": "x"}]
        d.acknowledge(tools=[] if offered else mine)
        d.call("by_hand", offered=frozenset({"by_hand"} if offered else ()))
        assert await d.report() == ToolReport("by_hand", "call_1", "by_hand")
        d.done()
        d.protocol.calls.on_output_added("call_1")
        d.drain()
        assert d.sent == []
        assert d.followed == [(R, None)]
        d.call("by_hand", call_id="call_2", response_id="resp_2", offered=frozenset({"by_hand"}))
        assert not d.protocol.calls.claim("resp_2", "call_2")


@pytest.mark.parametrize(
    "session",
    [
        {},
        {"tools": None},
        {"tools": [{"type": "function", "function": {"name": "fly"}}]},
        {"tools": [{"type": "rocket", "name": 3}]},
    ],
)
async def test_where_the_server_does_not_say_what_it_has(session: dict[str, Any]) -> None:
    async with desk() as d:
        d.acknowledge(**session)
        d.call("fly")
        assert (await d.report()).what == "by_hand"
        d.box.add(add)
        d.call("fly", call_id="call_2")
        assert (await d.report()).what == "unknown"


async def test_before_the_session_is_known() -> None:
    async with desk() as d:
        d.call("fly")
        assert (await d.report()).what == "by_hand"


async def test_a_kind_of_tool_that_is_newer_than_this_release() -> None:
    async with desk() as d:
        d.acknowledge(tools=[{"type": "rocket", "name": "fly"}])
        d.call("fly")
        assert (await d.report()).what == "by_hand"
        d.call("swim", call_id="call_2")
        assert (await d.report()).what == "unknown"


async def test_calls_of_a_response_without_tools_are_not_run() -> None:
    ran: list[int] = []

    @tool
    def run() -> None:
        ran.append(1)

    async with desk(run) as d:
        d.call("run", tools_off=True)
        assert (await d.report()).what == "no_tools"
        assert d.sent == [("call_1", error("no tools may be called in this response"))]
        d.done()
        await d.settled()
        assert ran == []
        assert d.followed == [(R, None)]


async def test_a_call_out_of_band_is_reported_and_left_alone() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}', out_of_band=True)
        assert await d.report() == ToolReport("by_hand", "call_1", "add")
        await d.settled()
        assert d.sent == []


# -- functions ------------------------------------------------------------------------------


def also(word: str) -> ToolFunction[..., Any]:
    """Another function named `add`."""

    @tool(name="add")
    def add(a: int) -> str:
        return word

    return add


async def test_a_response_has_functions_of_its_own() -> None:
    async with desk(add) as d:
        own = also("own")
        with d.box.lending(events.ResponseCreate(), (own,)) as command:
            assert isinstance(command.event_id, str)
        d.call("add", '{"a": 1}', request=command.event_id)
        assert await d.output() == "own"
        assert d.box.names == ("add",)
        d.call("add", '{"a": 1}', "call_2", response_id="resp_2")
        await d.report()
        assert d.sent[-1] == ("call_2", "2")


async def test_a_create_without_functions_goes_out_as_it_is() -> None:
    async with desk(add) as d:
        command = events.ResponseCreate()
        with d.box.lending(command, ()) as asked:
            assert asked is command
        with (
            pytest.raises(UsageError, match="two tools are named 'add'"),
            d.box.lending(command, (add, also("other"))),
        ):
            pytest.fail("it would be sent")


async def test_the_functions_of_a_create_that_came_to_nothing_are_forgotten() -> None:
    async with desk(add) as d:
        event_id = ""
        with (
            pytest.raises(ServerError),
            d.box.lending(events.ResponseCreate(), (also("own"),)) as command,
        ):
            event_id = str(command.event_id)
            raise ServerError("no")
        d.call("add", '{"a": 1}', request=event_id)
        assert await d.output() == "2"
        assert not d.protocol.calls._lent


async def test_the_functions_of_a_create_that_nobody_waits_for_are_forgotten() -> None:
    """It is on the wire, and is cancelled when it begins."""
    async with desk(add) as d:
        d.acknowledge()
        with (
            pytest.raises(TimeoutError),
            d.box.lending(events.ResponseCreate(), (also("own"),)) as command,
        ):
            d.protocol.respond(command, now=0.0)
            assert d.protocol.router.occupants
            raise TimeoutError
        assert not d.protocol.calls._lent


@pytest.mark.parametrize("theirs", [True, False])
async def test_the_calls_of_another_party_are_theirs(theirs: bool) -> None:
    async with desk(add) as d:
        d.acknowledge()
        metadata = {"realtime_client": "someone-1"} if theirs else None
        call = {"type": "function_call", "id": "item_1", "call_id": "call_1", "name": "add",
                "arguments": '{"a": 1}', "status": "completed"}  # fmt: skip
        response = {"id": R, "object": "realtime.response", "metadata": metadata,
                    "conversation_id": "conv_1", "status": "in_progress"}  # fmt: skip
        done = {**response, "status": "completed", "output": [call]}
        for frame in (
            {"type": "response.created", "response": response},
            {"type": "response.output_item.done", "response_id": R, "item": call},
            {"type": "response.done", "response": done},
        ):
            d.protocol.receive(msgspec.json.encode({"event_id": str(id(frame)), **frame}), 0.0)
        d.drain()
        await d.settled()
        assert d.sent == ([] if theirs else [("call_1", "2"), "asked", "response.create"])


async def test_a_caller_who_gives_up_what_has_begun_leaves_its_functions_to_it() -> None:
    """Somebody else listens: it is cancelled before his ears, and its calls are answered."""
    async with desk(add) as d:
        d.acknowledge()
        own = also("own")
        event_id = ""
        with (
            pytest.raises(TimeoutError),
            d.box.lending(events.ResponseCreate(), (own,)) as command,
        ):
            event_id = d.protocol.respond(command, now=0.0)
            (frame,) = d.protocol.data_to_send()
            metadata = msgspec.json.decode(frame.raw)["response"]["metadata"]
            response = {"id": R, "object": "realtime.response", "metadata": metadata,
                        "conversation_id": "conv_1", "status": "in_progress"}  # fmt: skip
            created = {"type": "response.created", "event_id": "e1", "response": response}
            d.protocol.receive(msgspec.json.encode(created), 0.0)
            raise TimeoutError
        d.call("add", '{"a": 1}', request=event_id)
        assert await d.output() == "own"


def updated(**session: Any) -> bytes:
    session = {"type": "realtime", **session}
    frame = {"type": "session.updated", "event_id": "e", "session": session}
    return msgspec.json.encode(frame)


OLD: Any = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]


def asks(d: Desk, *functions: ToolFunction[..., Any]) -> tuple[Any, str]:
    """An update with these functions, on the wire; its leaves and its name."""
    asked: dict[tuple[str, ...], Any] = {
        ("tools",): [msgspec.to_builtins(one.definition) for one in functions]
    }
    event_id = d.protocol.update(asked, now=0.0, timeout=10.0)
    assert [frame.type for frame in d.protocol.data_to_send()] == ["session.update"]
    return asked, event_id


async def test_the_functions_of_an_update_come_with_its_acknowledgement() -> None:
    async with desk(add) as d:
        d.acknowledge(tools=OLD)
        new = also("new")
        definition = msgspec.to_builtins(new.definition)
        asked, _ = asks(d, new)
        with d.box.adopting(asked, (new,)):
            d.call("add", '{"a": 1}')  # it is not answered
            assert await d.output() == "2"
            d.protocol.receive(updated(tools=OLD, instructions="Sing."), 0.0)  # by somebody else
            d.call("add", '{"a": 1}', "call_x")
            await d.report()
            assert d.sent[-1] == ("call_x", "2")
            d.protocol.receive(updated(tools=[definition]), 0.0)
            d.call("add", '{"a": 1}', "call_2")  # nor does its caller know yet that it is
            await d.report()
            assert d.sent[-1] == ("call_2", "new")
        d.call("add", '{"a": 1}', "call_3")
        await d.report()
        assert d.sent[-1] == ("call_3", "new")


async def test_an_update_that_is_refused_brings_nothing() -> None:
    async with desk(add) as d:
        d.acknowledge(tools=OLD)
        new, more = also("new"), tool(name="more")(greet.function)
        asked, event_id = asks(d, new, more)
        with pytest.raises(ServerError), d.box.adopting(asked, (new, more)):
            error = {"type": "invalid_request_error", "message": "no", "event_id": event_id}
            frame = {"type": "error", "event_id": "e", "error": error}
            d.protocol.receive(msgspec.json.encode(frame), 0.0)
            d.call("add", '{"a": 1}')
            assert await d.output() == "2"
            raise ServerError("no")
        assert d.box.names == ("add",)
        d.call("add", '{"a": 1}', "call_2")
        await d.report()
        assert d.sent[-1] == ("call_2", "2")
        d.call("more", '{"name": "x"}', "call_3")
        assert (await d.report()).what == "unknown"


async def test_a_function_that_came_for_sure_after_all() -> None:
    """Its caller did not wait for the answer, and the server offers it."""
    async with desk(add) as d:
        d.acknowledge(tools=[])
        more = tool(name="more")(greet.function)
        with pytest.raises(TimeoutError), d.box.adopting({}, (more,)):
            raise TimeoutError
        d.call("more", '{"name": "x"}')
        assert (await d.report()).what == "unknown"
        assert d.box.names == ("add",)
        d.protocol.receive(updated(tools=[msgspec.to_builtins(more.definition)]), 0.0)
        d.call("more", '{"name": "x"}', "call_2")
        assert (await d.report()).what == "answered"


async def test_an_update_with_what_is_no_tool_is_not_asked_for() -> None:
    async with desk(add) as d:
        for wrong, error in ((greet.function, InvalidTool), (also("other"), UsageError)):
            with pytest.raises(error), d.box.adopting({}, (add, cast("Any", wrong))):
                pytest.fail("it would be sent")


async def test_what_is_taken_out_of_doubt_is_not_kept() -> None:
    async with desk() as d:
        d.acknowledge(tools=OLD)
        with d.box.adopting({}, (add,)):
            pass
        with pytest.raises(ServerError), d.box.adopting({}, (greet,)):
            raise ServerError("no")
        assert not d.box._functions._doubtful
        assert not d.box._functions._asked


async def test_functions_can_be_added_and_replaced() -> None:
    async with desk(add) as d:
        other = tool(name="add")(greet.function)
        d.box.add(other)
        d.box.add(other, other)  # the same twice is no conflict
        assert d.box.names == ("add",)
        d.call("add", '{"name": "x"}')
        assert await d.output() == "Hello x"
        with pytest.raises(UsageError, match="two tools are named 'add'"):
            d.box.add(add, greet, other)
        assert d.box.names == ("add",)
        with pytest.raises(InvalidTool, match=r"greet is .* put @tool on it"):
            d.box.add(cast("Any", greet.function))


@pytest.mark.parametrize(
    "options", [{"max_calls": 0}, {"max_rounds": -1}, {"timeout": 0}, {"timeout": math.nan}]
)
async def test_limits_that_cannot_be(options: dict[str, Any]) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(UsageError, match="max_calls must be at least 1"):
            Toolbox(Desk(tasks), **options)


# -- several at once ------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [1, 2])
async def test_calls_of_a_response_run_at_once_and_are_followed_up_once(rounds: int) -> None:
    together: dict[str, anyio.Event] = {}

    @tool
    async def meet(me: str, you: str) -> str:
        together[me].set()
        await together[you].wait()
        return me

    async with desk(meet, max_calls=2) as d:
        for number in range(rounds):  # as many as before may run again
            together.update(left=anyio.Event(), right=anyio.Event())
            d.sent.clear()
            d.followed.clear()
            r = f"resp_{number}"
            d.call("meet", '{"me": "left", "you": "right"}', "call_1", response_id=r)
            d.call("meet", '{"me": "right", "you": "left"}', "call_2", response_id=r)
            d.done(response_id=r)
            await d.settled()
            outputs, rest = d.sent[:2], d.sent[2:]
            assert sorted(outputs) == [("call_1", "left"), ("call_2", "right")]
            assert rest == ["asked", "response.create"]
            assert d.followed == [(r, "response 1")]
            d.protocol.calls.on_asked("event_of_the_user")
            assert d.protocol.calls.drain() == []  # there is nothing left to withdraw


@pytest.mark.parametrize("threaded", [True, False])
async def test_no_more_than_so_many_run_at_once(threaded: bool) -> None:
    running, most = 0, 0
    lock = threading.Lock()
    release = threading.Event()

    def enter(step: int) -> None:
        nonlocal running, most
        with lock:
            running += step
            most = max(most, running)

    def work() -> None:
        enter(1)
        release.wait(0.01)
        enter(-1)

    async def work_async() -> None:
        enter(1)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        enter(-1)

    async with desk(tool(name="work")(work if threaded else work_async), max_calls=2) as d:
        for number in range(6):
            d.call("work", call_id=f"call_{number}")
        assert [(await d.report()).what for _ in range(6)] == ["answered"] * 6
        assert most == 2


async def test_the_hosts_own_threads_are_not_used_up() -> None:
    async with desk(add) as d, anyio.to_thread.current_default_thread_limiter() as _:
        limiter = anyio.to_thread.current_default_thread_limiter()
        whole, limiter.total_tokens = limiter.total_tokens, 1
        try:
            d.call("add", '{"a": 1}')
            assert await d.output() == "2"
        finally:
            limiter.total_tokens = whole


async def test_calls_that_wait_are_begun_in_their_order() -> None:
    async with desk(add, max_calls=1) as d:
        for number in range(4):
            d.call("add", f'{{"a": {number}}}', f"call_{number}")
        await d.settled()
        assert [call_id for call_id, _ in d.sent] == ["call_0", "call_1", "call_2", "call_3"]


async def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "MAX_WAITING", 2)
    async with desk(add, max_calls=1) as d:
        for number in range(4):
            d.call("add", '{"a": 1}', f"call_{number}")
        what = {report.call_id: report.what for report in [await d.report() for _ in range(4)]}
        assert what.pop("call_3") == "too_many_calls"
        assert what == dict.fromkeys(["call_0", "call_1", "call_2"], "answered")
        assert ("call_3", error("too many calls wait for their turn; try again later")) in d.sent


async def test_a_slot_is_free_before_the_server_has_acknowledged() -> None:
    async with desk(add, max_calls=1) as d:
        d.silent = True
        d.call("add", '{"a": 1}', "call_1")
        d.call("add", '{"a": 2}', "call_2")
        with anyio.fail_after(10):
            while len(d.sent) < 2:
                await anyio.lowlevel.checkpoint()


# -- outputs and the server -----------------------------------------------------------------


async def test_an_output_that_the_server_refuses_is_reported() -> None:
    async with desk(add) as d:
        d.refusal = ServerError("no such call", code="invalid_tool_call_id")
        d.call("add", '{"a": 1}')
        assert await d.report() == ToolReport("refused", "call_1", "add", d.refusal)
        d.done()
        assert d.followed == [(R, None)]


async def test_a_server_that_never_acknowledges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "ECHO_WITHIN", 0.01)
    async with desk(add) as d:
        d.silent = True
        d.call("add", '{"a": 1}')
        assert (await d.report()).what == "answered"


async def test_a_call_that_the_user_has_answered_meanwhile() -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    @tool
    async def slow() -> None:
        begun.set()
        await go_on.wait()

    async with desk(slow) as d:
        d.call("slow")
        await begun.wait()
        d.protocol.calls.on_output_added("call_1")
        go_on.set()
        assert (await d.report()).what == "dropped"
        assert d.sent == []


# -- following up ---------------------------------------------------------------------------


async def test_a_follow_up_that_is_refused_is_reported() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        await d.report()
        d.refusal = ServerError("no")
        d.done()
        assert await d.report() == ToolReport("follow_up_failed", None, None, d.refusal)
        assert d.followed == [(R, None)]


async def test_a_follow_up_gives_way_to_another_response() -> None:
    async with desk(add) as d:
        d.busy = anyio.Event()
        d.call("add", '{"a": 1}')
        d.done()
        await d.report()
        with anyio.fail_after(10):
            while "asked" not in d.sent:
                await anyio.lowlevel.checkpoint()
        d.protocol.calls.on_asked()
        d.drain()
        await d.settled()
        assert d.followed == [(R, None)]
        assert "response.create" not in d.sent
        assert await d.report() == ToolReport("asked_already", None, None, None)
        d.box.end(ClientClosed("closed"))
        with pytest.raises(StopAsyncIteration):
            await d.report()  # once


async def test_a_follow_up_that_is_withdrawn_before_it_is_asked_for() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        await d.settled()
        d.done()
        d.protocol.calls.on_asked()
        d.drain()
        await d.settled()
        assert d.followed == [(R, None)]
        assert "asked" not in d.sent
        assert [(await d.report()).what for _ in range(2)] == ["answered", "asked_already"]


async def test_a_follow_up_that_another_response_has_made_needless_is_reported() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        await d.report()
        d.protocol.calls.on_asked("event_of_the_user")
        d.done()
        assert await d.report() == ToolReport("asked_already", None, None, None)
        assert d.followed == [(R, None)]


@pytest.mark.parametrize(
    ("response", "sees"),
    [
        ({}, True),
        ({"input": None}, True),
        ({"conversation": "auto"}, True),
        ({"input": []}, False),
        ({"input": [{"type": "item_reference", "id": "item_1"}]}, False),
        ({"conversation": "none"}, False),
    ],
)
async def test_which_creates_see_the_outputs(response: dict[str, Any], sees: bool) -> None:
    async with desk(add) as d:
        d.acknowledge()
        d.call("add", '{"a": 1}')
        await d.report()
        d.protocol.send({"type": "response.create", "response": response})
        d.done()
        await d.settled()
        assert d.followed == [(R, None if sees else "response 1")]


async def test_a_create_without_any_parameters_sees_the_outputs() -> None:
    async with desk(add) as d:
        d.acknowledge()
        d.call("add", '{"a": 1}')
        await d.report()
        d.protocol.send(events.ResponseCreate())
        d.done()
        assert (await d.report()).what == "asked_already"


async def test_a_follow_up_that_somebody_has_interrupted_is_reported() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        d.protocol.calls.on_interrupted()
        d.done()
        await d.settled()
        assert ("call_1", "2") in d.sent
        assert d.followed == [(R, None)]
        assert {(await d.report()).what for _ in range(2)} == {"answered", "interrupted"}


async def test_a_follow_up_that_waits_and_is_cancelled_by_an_interruption() -> None:
    """The core ends its request, too; that is no failure of its own."""
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        await d.report()
        d.busy = anyio.Event()
        d.done()
        with anyio.fail_after(10):
            while not d.busy.statistics().tasks_waiting:
                await anyio.lowlevel.checkpoint()
        d.refusal = ResponseWithdrawn("it was cancelled before it went out")
        d.busy.set()
        d.protocol.calls.on_interrupted()
        d.drain()
        assert await d.report() == ToolReport("interrupted", None, None, None)
        assert d.followed == [(R, None)]
        d.box.end(ClientClosed("closed"))
        with pytest.raises(StopAsyncIteration):
            await d.report()  # once


async def test_a_follow_up_that_has_begun_when_it_is_withdrawn_is_no_report() -> None:
    async with desk(add) as d:
        d.call("add", '{"a": 1}')
        await d.report()
        d.begins = d.protocol.calls.on_asked  # in the moment in which it begins
        d.done()
        await d.settled()
        assert d.followed == [(R, "response 1")]
        d.box.end(ClientClosed("closed"))
        with pytest.raises(StopAsyncIteration):
            await d.report()


async def test_no_rounds_at_all() -> None:
    async with desk(add, max_rounds=0) as d:
        d.call("add", '{"a": 1}')
        d.done()
        await d.settled()
        assert d.followed == [(R, None)]


async def test_too_many_rounds_are_reported() -> None:
    async with desk(add, max_rounds=1) as d:
        for number in range(2):
            d.call("add", '{"a": 1}', f"call_{number}", response_id=f"resp_{number}")
            await d.settled()
            d.done(response_id=f"resp_{number}")
            await d.settled()
        assert d.followed == [("resp_0", "response 1"), ("resp_1", None)]
        what = [(await d.report()).what for _ in range(3)]
        assert what == ["answered", "answered", "too_many_rounds"]


# -- the end of the connection --------------------------------------------------------------


async def test_a_call_that_runs_when_the_connection_closes_is_reported() -> None:
    begun = anyio.Event()

    @tool
    async def endless() -> None:
        begun.set()
        await anyio.sleep_forever()

    async with desk(endless, add, max_calls=1) as d:
        reports, box = d.reports, d.box
        d.call("endless")
        d.call("add", '{"a": 1}', "call_2")
        await begun.wait()
        closed = ClientClosed("the client was closed")
        box.end(closed)
    assert await anext(reports) == ToolReport("dropped", "call_2", "add", closed)
    assert await anext(reports) == ToolReport("dropped", "call_1", "endless", closed)
    with pytest.raises(StopAsyncIteration):
        await anext(reports)
    assert d.sent == []


async def test_tasks_within_a_call_end_with_it() -> None:
    begun = anyio.Event()

    async def nested() -> None:
        async with anyio.create_task_group() as inner:
            inner.start_soon(anyio.sleep_forever)
            begun.set()

    async with desk(tool(nested), tool(name="short", timeout=0.01)(nested)) as d:
        reports = d.reports
        d.call("short")
        assert (await d.report()).what == "timeout"
        begun = anyio.Event()
        d.call("nested", call_id="call_2")
        await begun.wait()
    assert (await anext(reports))[:2] == ("dropped", "call_2")


async def test_a_result_after_the_end_is_dropped_and_reported() -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    @tool
    async def slow() -> None:
        begun.set()
        await go_on.wait()

    async with desk(slow) as d:
        d.call("slow")
        await begun.wait()
        lost = ConnectionLost("it broke")
        d.protocol.calls.lost()
        d.box.end(lost)
        go_on.set()
        assert await d.report() == ToolReport("dropped", "call_1", "slow", lost)
        with pytest.raises(ConnectionLost):
            await d.report()
        with pytest.raises(ConnectionLost):
            d.box.reports()
        assert d.sent == []


async def test_an_output_whose_connection_goes_is_not_sent_again() -> None:
    async with desk(add) as d:
        d.refusal = ConnectionLost("it broke", uncertain=True)
        d.call("add", '{"a": 1}')
        assert await d.report() == ToolReport("dropped", "call_1", "add", d.refusal)
        assert d.sent == []


async def waits_for_a_connection(d: Desk) -> None:
    assert d.back is not None
    with anyio.fail_after(10):
        while not d.back.statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()


async def test_an_output_waits_for_another_connection() -> None:
    async with desk(add) as d:
        d.back = anyio.Event()
        d.call("add", '{"a": 1}')
        await waits_for_a_connection(d)
        assert d.sent == []
        d.back.set()
        assert (await d.report()).what == "answered"
        assert d.sent == [("call_1", "2")]


async def test_an_output_for_which_there_is_no_other_connection() -> None:
    async with desk(add) as d:
        d.back, d.gone = anyio.Event(), ReconnectFailed("there is none")
        d.call("add", '{"a": 1}')
        await waits_for_a_connection(d)
        d.back.set()
        assert await d.report() == ToolReport("dropped", "call_1", "add", d.gone)
        assert d.sent == []


async def test_an_output_that_somebody_gives_while_it_waits_for_a_connection() -> None:
    async with desk(add) as d:
        d.back = anyio.Event()
        d.call("add", '{"a": 1}')
        await waits_for_a_connection(d)
        d.protocol.calls.on_output_added("call_1")
        d.back.set()
        assert (await d.report()).what == "dropped"
        assert d.sent == []


async def lose_a_follow_up(d: Desk, refusal: RealtimeError) -> None:
    """It is asked for, and ends with its connection."""
    d.call("add", '{"a": 1}')
    await d.report()
    d.busy = anyio.Event()
    d.done()
    with anyio.fail_after(10):
        while not d.busy.statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()
    d.refusal, d.back = refusal, anyio.Event()
    d.busy.set()


async def test_a_follow_up_that_never_went_out_is_asked_for_again() -> None:
    async with desk(add) as d:
        await lose_a_follow_up(d, ConnectionLost("it broke"))
        await waits_for_a_connection(d)
        assert d.followed == []
        d.refusal = None
        assert d.back is not None
        d.back.set()
        await d.settled()
        assert d.sent == [("call_1", "2"), "asked", "asked", "response.create"]
        assert d.followed == [(R, "response 1")]
        assert d.reports.held == 0


@pytest.mark.parametrize(
    "refusal",
    [ConnectionLost("it broke", uncertain=True), ReconnectFailed("there is no other")],
)
async def test_a_follow_up_that_may_have_gone_out_is_not_asked_for_again(
    refusal: RealtimeError,
) -> None:
    async with desk(add) as d:
        await lose_a_follow_up(d, refusal)
        assert await d.report() == ToolReport("follow_up_failed", None, None, refusal)
        assert d.followed == [(R, None)]
        assert d.sent == [("call_1", "2"), "asked"]


async def test_reports_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "REPORTS_BOUND", 2)
    async with desk(add) as d:
        for number in range(3):
            d.call("add", '{"a": 1}', f"call_{number}")
            await d.settled()
            assert d.reports.held == [1, 2, 0][number]
        with pytest.raises(SlowConsumer, match=r"tools.reports\(\) was .* past 2 reports"):
            await d.report()


async def test_reports_that_nobody_holds_are_not_kept() -> None:
    async with desk(add) as d:
        watch = d.box.reports()
        assert len(d.box._reports._watches) == 2
        del watch
        gc.collect()
        assert len(d.box._reports._watches) == 1


# -- deadlock -------------------------------------------------------------------------------


def refused(host: object) -> bool:
    """Whether a response of the conversation may not be asked for here."""
    refuse_deadlock(host, out_of_band=True)  # always allowed
    try:
        refuse_deadlock(host, out_of_band=False)
    except WouldDeadlock as told:
        return "Return first" in str(told) and 'conversation="none"' in str(told)
    return False


async def test_inside_a_tool_the_conversation_cannot_be_asked() -> None:
    seen: list[bool] = []

    @tool
    async def inside() -> None:
        seen.append(refused(d))
        seen.append(refused(object()))  # another client is another matter

    @tool
    def in_thread() -> None:
        seen.append(refused(d))
        seen.append(anyio.from_thread.run_sync(refused, d))

    async with desk(inside, in_thread) as d:
        assert not refused(d)
        d.call("inside")
        await d.report()
        assert seen == [True, False]
        d.call("in_thread", call_id="call_2")
        await d.report()
        assert seen[2:] == [True, True]
        assert not refused(d)


async def test_what_a_tool_leaves_running_may_ask_once_the_output_is_sent() -> None:
    seen: list[bool] = []
    go_on, ended = anyio.Event(), anyio.Event()

    async def later() -> None:
        seen.append(refused(d))
        await go_on.wait()
        seen.append(refused(d))
        ended.set()

    async with desk() as d, anyio.create_task_group() as background:

        @tool
        async def spawn() -> None:
            background.start_soon(later)
            await anyio.lowlevel.checkpoint()
            while not seen:
                await anyio.lowlevel.checkpoint()

        d.box.add(spawn)
        d.call("spawn")
        await d.report()
        go_on.set()
        await ended.wait()
        assert seen == [True, False]


async def test_a_call_does_not_inherit_the_call_that_happened_to_bring_it() -> None:
    """A function that sends something drains what is ready, and so starts another's task."""
    seen: list[bool] = []
    go_on = anyio.Event()

    async with desk() as d, anyio.create_task_group() as background:

        async def later() -> None:
            await go_on.wait()
            seen.append(refused(d))

        @tool
        async def bringing() -> None:
            d.call("brought", call_id="call_2")
            while not seen:
                await anyio.lowlevel.checkpoint()

        @tool
        async def brought() -> None:
            background.start_soon(later)

        d.box.add(bringing, brought)
        d.call("bringing")
        assert (await d.report()).call_id == "call_2"
        go_on.set()  # `brought` is answered, `bringing` is not
        await d.report()
        assert seen == [False]


async def test_a_client_within_a_tool_of_another_client() -> None:
    seen: list[bool] = []

    @tool
    async def outer() -> None:
        @tool
        async def inner() -> None:
            seen.extend([refused(outside), refused(inside)])

        async with desk(inner) as inside:
            seen.extend([refused(outside), refused(inside)])
            inside.call("inner")
            await inside.report()

    async with desk(outer) as outside:
        outside.call("outer")
        await outside.report()
        assert seen == [True, False, True, True]
