"""R12, R13, R14 and R22: tools, over a real socket, and what is said of their results."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from realtime_client import Call, Client, Response, events
from realtime_client.audio import WireFormat
from realtime_client.errors import WouldDeadlock
from realtime_client.simulator import (
    Answer,
    Brain,
    CallFunction,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    listen,
)
from realtime_client.toolbox import ToolReport
from realtime_client.tools import ToolError, tool
from tests.scenarios import connected

BY_HAND = events.FunctionTool(name="by_hand", parameters={"type": "object", "properties": {}})


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Tools that raise are logged, and many do here."""
    logging.getLogger("realtime_client").disabled = True
    yield
    logging.getLogger("realtime_client").disabled = False


async def heard(response: Response) -> str | None:
    """What a response says, read from its audio."""
    audio = b"".join([chunk async for chunk in response.audio])
    wire = WireFormat.from_wire(response.audio_format)
    return listen(wire.decode(audio), wire.rate).text


def calling(*calls: CallFunction) -> Brain:
    """A model that calls these, and then says what the newest outputs are, in order."""

    def brain(question: Question) -> Answer:
        if question.source != "tool":
            return list(calls)
        outputs = [
            item.output
            for item in question.items
            if isinstance(item, events.FunctionCallOutputItem)
        ]
        return [Say(" and ".join(sorted(outputs)))]

    return brain


def outputs(session: SimulatedSession) -> list[tuple[str, str]]:
    """What the server's conversation has of calls and their outputs."""
    return [
        (item.call_id, item.output)
        for item in session.conversation.items
        if isinstance(item, events.FunctionCallOutputItem)
    ]


def creates(session: SimulatedSession) -> int:
    """How often the server was asked for a response."""
    return sum(isinstance(one, events.ResponseCreate) for one in session.received)


async def followed(response: Response) -> Response:
    with anyio.fail_after(10):
        follow_up = await response.follow_up()
    assert follow_up is not None
    return follow_up


async def quiet(client: Client) -> None:
    """Everything that the server has said until now has arrived."""
    await client.input_audio_buffer.clear()


# -- R12 ------------------------------------------------------------------------------------


@tool
def book(city: str) -> str:
    booked.append(city)
    return "booked"


booked: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_booked() -> None:
    booked.clear()


async def test_R12_a_call_cut_off_by_a_cancellation_is_never_run() -> None:
    brain = calling(CallFunction("book", {"city": "Llanfair " * 400}))
    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[book]) as (client, session):
        response = await client.response.create()
        call = await anext(aiter(response))
        assert isinstance(call, Call)
        assert await anext(aiter(call.arguments))
        await response.cancel()
        assert response.status == "cancelled"
        (item,) = response.resource.output or ()
        assert isinstance(item, events.FunctionCallItem)
        assert item.status == "incomplete"
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(item.arguments or "")
        assert await response.follow_up() is None
        await quiet(client)
        assert booked == []
        assert outputs(session) == []
        assert creates(session) == 1


async def test_R12_a_call_cut_off_by_the_bound_on_tokens_is_never_run() -> None:
    brain = calling(CallFunction("book", {"city": "Llanfair " * 400}))
    async with connected(brain=brain, tools=[book]) as (client, session):
        response = await client.response.create(max_output_tokens=20)
        assert (await response.done()).status == "incomplete"
        assert await response.follow_up() is None
        await quiet(client)
        assert booked == []
        assert outputs(session) == []


async def test_R12_a_whole_call_of_a_cancelled_response_is_answered_and_nothing_follows() -> None:
    brain = calling(
        CallFunction("book", {"city": "Ulm"}), CallFunction("book", {"city": "Llanfair " * 400})
    )
    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[book]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        second = [output async for output in _first(response, 2)][1]
        assert await anext(aiter(second.arguments))
        await response.cancel()
        assert {(await anext(reports)).what for _ in range(2)} == {"answered", "interrupted"}
        assert await response.follow_up() is None
        assert booked == ["Ulm"]
        assert [output for _, output in outputs(session)] == ["booked"]
        assert creates(session) == 1


async def _first(response: Response, count: int) -> Any:
    async for output in response:
        yield output
        count -= 1
        if not count:
            return


# -- R13 ------------------------------------------------------------------------------------


async def test_R13_the_results_of_a_response_are_followed_up_once() -> None:
    turns = [anyio.Event() for _ in range(4)]
    turns[3].set()

    @tool
    async def work(number: int) -> str:
        """Ends in another order than it was begun in."""
        await turns[number + 1].wait()
        turns[number].set()
        return f"result {number}"

    brain = calling(*(CallFunction("work", {"number": number}) for number in range(3)))
    async with connected(brain=brain, tools=[work]) as (client, session):
        response = await client.response.create()
        follow_up = await followed(response)
        assert await heard(follow_up) == "result 0 and result 1 and result 2"
        await follow_up.done()
        assert [output for _, output in outputs(session)] == ["result 2", "result 1", "result 0"]
        assert creates(session) == 2
        assert await follow_up.follow_up() is None


async def test_R13_the_follow_up_waits_for_the_end_of_the_response() -> None:
    """All outputs are in while the response is still speaking."""

    @tool
    def quick() -> str:
        return "quick"

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say("The tool was quick.")]
        return [CallFunction("quick", {}), Say("One moment please.")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[quick]) as (client, session):
        reports, sent = client.tools.reports(), client.sent()
        response = await client.response.create()
        assert (await anext(reports)).what == "answered"
        assert response.status == "in_progress"
        assert await heard(await followed(response)) == "The tool was quick."
        types = [frame.type for frame in sent._items]
        assert types == ["response.create", "conversation.item.create", "response.create"]
        assert creates(session) == 2


async def test_R13_a_response_that_sees_the_outputs_is_the_follow_up() -> None:
    """Somebody asks by hand while the response that called is still speaking."""

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say(question.text or "")]
        return [CallFunction("book", {"city": "Ulm"}), Say("One moment please.")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[book]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        assert (await anext(reports)).what == "answered"
        by_hand = await client.response.create()
        assert await heard(by_hand) == "booked"
        assert await response.follow_up() is None
        assert (await anext(reports)).what == "asked_already"
        await quiet(client)
        assert creates(session) == 2


async def test_R13_a_turn_of_the_user_takes_the_place_of_a_follow_up_that_waits() -> None:
    """A tool ends while the answer to a later turn is being given."""
    go_on = anyio.Event()

    @tool
    async def slow_one() -> str:
        await go_on.wait()
        return "slow"

    def brain(question: Question) -> Answer:
        if question.source == "none":
            return [CallFunction("slow_one", {})]
        return [Say(f"{question.source}: {question.text}")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[slow_one]) as both:
        client, session = both
        reports = client.tools.reports()
        first = await client.response.create()
        await first.done()
        await client.send_text("And you?")
        second = await client.response.create()
        go_on.set()
        assert (await anext(reports)).what == "answered"
        third = await client.response.create()  # behind the follow-up, and instead of it
        assert await heard(second) == "text: And you?"
        assert await heard(third) == "tool: slow"
        assert await first.follow_up() is None
        assert (await anext(reports)).what == "asked_already"
        assert creates(session) == 3


@pytest.mark.parametrize("how", ["say", "create"])
async def test_R13_what_does_not_see_the_outputs_is_no_follow_up(how: str) -> None:
    """Somebody is told to wait, by a response that has an input of its own."""

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say(question.text or "")]
        if question.instructions == "Call.":
            return [CallFunction("book", {"city": "Ulm"}), Say("and more words.")]
        return [Say("One moment please.")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[book],
                         instructions="Call.") as (client, session):  # fmt: skip
        reports = client.tools.reports()
        response = await client.response.create()
        assert (await anext(reports)).what == "answered"
        assert response.status == "in_progress"
        if how == "say":
            await (await client.say("One moment please.")).done()
        else:
            aside = [events.user_message("Hello?")]
            await (await client.response.create(input=aside, instructions="Say hi")).done()
        assert await heard(await followed(response)) == "booked"
        assert creates(session) == 3


async def test_R13_a_follow_up_in_the_line_is_not_withdrawn_by_what_does_not_see() -> None:
    go_on = anyio.Event()

    @tool
    async def slow_one() -> str:
        await go_on.wait()
        return "slow"

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say(question.text or "")]
        if question.instructions == "Call.":
            return [CallFunction("slow_one", {})]
        return [Say("One moment please.")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[slow_one],
                         instructions="Call.") as (client, session):  # fmt: skip
        reports = client.tools.reports()
        first = await client.response.create()
        await first.done()
        await client.say("One moment please.")
        go_on.set()
        assert (await anext(reports)).what == "answered"
        second = await client.say("Still looking.")  # behind the follow-up
        await second.done()
        assert await heard(await followed(first)) == "slow"
        assert creates(session) == 4


@pytest.mark.parametrize("how", ["cancel", "interrupt"])
async def test_R13_who_interrupts_while_a_tool_runs_is_not_spoken_over(how: str) -> None:
    go_on = anyio.Event()

    @tool
    async def slow_one() -> str:
        await go_on.wait()
        return "slow"

    async with connected(brain=calling(CallFunction("slow_one", {})), tools=[slow_one]) as both:
        client, session = both
        reports = client.tools.reports()
        response = await client.response.create()
        await response.done()
        await (client.response.cancel() if how == "cancel" else client.interrupt())
        go_on.set()
        assert {(await anext(reports)).what for _ in range(2)} == {"answered", "interrupted"}
        assert await response.follow_up() is None
        assert [output for _, output in outputs(session)] == ["slow"]
        assert creates(session) == 1
        # What came of it is there for whoever asks next.
        assert await heard(await client.response.create()) == "slow"


@pytest.mark.parametrize("how", ["cancel", "interrupt"])
async def test_R13_a_follow_up_that_waits_for_its_turn_is_interrupted_too(how: str) -> None:
    go_on = anyio.Event()

    @tool
    async def slow_one() -> str:
        await go_on.wait()
        return "slow"

    def brain(question: Question) -> Answer:
        if question.source == "none":
            return [CallFunction("slow_one", {})]
        return [Say("A long answer to somebody else.")]

    async with connected(SimulatorPolicy(pace="wire"), brain, tools=[slow_one]) as both:
        client, session = both
        reports = client.tools.reports()
        first = await client.response.create()
        await first.done()
        await client.send_text("And you?")
        second = await client.response.create()
        go_on.set()
        assert (await anext(reports)).what == "answered"
        with anyio.fail_after(5):
            while not client._connection.protocol.router.creates.waiting:  # type: ignore[union-attr]  # it is open
                await anyio.lowlevel.checkpoint()
        await (client.response.cancel() if how == "cancel" else client.interrupt())
        assert second.status == "cancelled"
        assert await anext(reports) == ToolReport("interrupted", None, None, None)
        assert await first.follow_up() is None
        assert creates(session) == 2


async def test_R13_an_output_by_hand_counts_with_those_of_functions() -> None:
    brain = calling(CallFunction("book", {"city": "Ulm"}), CallFunction("by_hand", {}))
    async with connected(brain=brain, tools=[book, BY_HAND]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        assert {(await anext(reports)).what, (await anext(reports)).what} == {"answered", "by_hand"}
        await response.done()
        await quiet(client)
        assert creates(session) == 1
        _, hand = [one async for one in response if isinstance(one, Call)]
        assert hand.call_id is not None
        await client.conversation.item.create(
            events.FunctionCallOutputItem(call_id=hand.call_id, output="by hand")
        )
        assert await heard(await followed(response)) == "booked and by hand"
        assert creates(session) == 2


async def test_R13_rounds_in_a_row_are_bounded_and_told() -> None:
    def brain(question: Question) -> Answer:
        return [CallFunction("book", {"city": "Ulm"})]

    async with connected(brain=brain, tools=[book], max_rounds=3) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        for _ in range(3):
            response = await followed(response)
        assert await response.follow_up() is None
        what = sorted([(await anext(reports)).what for _ in range(5)])
        assert what == [*["answered"] * 4, "too_many_rounds"]
        assert creates(session) == 4
        # Somebody's own turn begins a new row.
        await followed(await client.response.create())


# -- R14 ------------------------------------------------------------------------------------


@tool
def broken() -> None:
    raise RuntimeError("the password is 12345")


@tool
async def refuses() -> None:
    raise ToolError("the shop is closed")


@tool(timeout=0.02)
async def slow() -> None:
    await anyio.sleep_forever()


@tool
def odd() -> object:
    return object()


@pytest.mark.parametrize(
    ("call", "said", "what"),
    [
        (CallFunction("fly", {}), "there is no tool named 'fly'", "unknown"),
        (CallFunction("broken", {}), "broken failed", "raised"),
        (CallFunction("refuses", {}), "the shop is closed", "failed"),
        (CallFunction("slow", {}), "slow took longer than 0.02 seconds", "timeout"),
        (CallFunction("odd", {}), "the function returned something that is not JSON", "failed"),
        (
            CallFunction("book", {"city": 3}),
            "wrong arguments for book: Expected `str`, got `int` - at `$.city`",
            "wrong_arguments",
        ),
        (
            CallFunction("book", {}),
            "wrong arguments for book: Object missing required field `city`",
            "wrong_arguments",
        ),
        (
            CallFunction("book", '{"city": "Ul'),
            "the arguments for book are not a JSON object: Input data was truncated",
            "wrong_arguments",
        ),
    ],
)
async def test_R14_the_model_is_told_and_goes_on(call: CallFunction, said: str, what: str) -> None:
    tools = [book, broken, refuses, slow, odd]
    async with connected(brain=calling(call), tools=tools) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        follow_up = await followed(response)
        assert await heard(follow_up) == msgspec.json.encode({"error": said}).decode()
        assert len(outputs(session)) == 1
        assert (await anext(reports)).what == what
        assert booked == []
        assert creates(session) == 2


async def test_R14_a_broken_tool_costs_its_neighbour_nothing() -> None:
    brain = calling(CallFunction("broken", {}), CallFunction("book", {"city": "Ulm"}))
    async with connected(brain=brain, tools=[book, broken]) as (client, _):
        follow_up = await followed(await client.response.create())
        assert await heard(follow_up) == 'booked and {"error":"broken failed"}'


async def test_R14_a_call_in_a_response_without_tools_is_answered_and_not_run() -> None:
    brain = calling(CallFunction("book", {"city": "Ulm"}))
    async with connected(brain=brain, tools=[book]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create(tool_choice="none")
        assert (await anext(reports)).what == "no_tools"
        assert await response.follow_up() is None
        await quiet(client)
        assert len(outputs(session)) == 1
        assert booked == []
        assert creates(session) == 1


async def test_R14_a_call_outside_the_conversation_is_nobodys() -> None:
    brain = calling(CallFunction("book", {"city": "Ulm"}))
    async with connected(brain=brain, tools=[book]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create(conversation="none", input=[])
        await response.done()
        assert await response.follow_up() is None
        (call,) = response.outputs
        assert isinstance(call, Call)
        assert await anext(reports) == ToolReport("by_hand", call.call_id, "book")
        await quiet(client)
        assert outputs(session) == []
        assert booked == []


async def test_R14_a_tool_that_runs_when_the_client_leaves() -> None:
    begun = anyio.Event()
    stopped: list[bool] = []

    @tool
    async def endless() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(True)

    with anyio.fail_after(10):
        async with connected(brain=calling(CallFunction("endless", {})), tools=[endless]) as both:
            client, session = both
            reports = client.tools.reports()
            await client.response.create()
            await begun.wait()
        assert stopped == [True]
        (report,) = [one async for one in reports]
    assert isinstance(report, ToolReport)
    assert (report.what, report.name) == ("dropped", "endless")
    assert outputs(session) == []


async def test_R14_tools_that_come_later() -> None:
    async with connected(brain=calling(CallFunction("book", {"city": "Ulm"}))) as (client, _):
        assert not client.tools.names
        await client.session.update(tools=[book])
        assert "book" in client.tools.names
        assert await heard(await followed(await client.response.create())) == "booked"


# -- R22 ------------------------------------------------------------------------------------


async def test_R22_a_tool_that_waits_for_the_conversation_is_told_at_once() -> None:
    clients: list[Client] = []

    @tool
    async def ask() -> str:
        with pytest.raises(WouldDeadlock):
            await clients[0].response.create()
        with pytest.raises(WouldDeadlock):
            await clients[0].say("Wait for me.")
        aside = await clients[0].response.create(conversation="none", input=[], tools=[])
        return f"refused, but aside I heard {await heard(aside)}"

    def brain(question: Question) -> Answer:
        if question.out_of_band:
            return [Say("a whisper")]
        if question.source == "tool":
            return [Say(question.text or "")]
        return [CallFunction("ask", {})]

    async with connected(brain=brain, tools=[ask]) as (client, session):
        clients.append(client)
        follow_up = await followed(await client.response.create())
        assert await heard(follow_up) == "refused, but aside I heard a whisper"
        assert creates(session) == 3


async def test_R22_what_a_tool_has_left_running_may_ask() -> None:
    clients: list[Client] = []
    said: list[str | None] = []

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say("It was started.")]
        return [Say("Later.")] if question.source == "text" else [CallFunction("start", {})]

    async with anyio.create_task_group() as background:

        @tool
        async def start() -> str:
            background.start_soon(later, clients[0].tools.reports())
            return "started"

        async def later(reports: Any) -> None:
            assert (await anext(reports)).what == "answered"
            await clients[0].send_text("And now?")
            said.append(await heard(await clients[0].response.create()))
            done.set()

        done = anyio.Event()
        async with connected(brain=brain, tools=[start]) as (client, _):
            clients.append(client)
            await client.response.create()
            with anyio.fail_after(10):
                await done.wait()
    assert said == ["Later."]
