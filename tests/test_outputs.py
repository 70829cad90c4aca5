"""Outputs of a response: parts that are not mixed, times of words, calls and approvals by hand."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client import Call, McpApproval, McpCall, events
from realtime_client.codec import decode
from realtime_client.errors import ResponseFailed, SlowConsumer, UsageError
from realtime_client.response import Output, Response, Timings, deliver
from realtime_client.simulator import Answer, CallFunction, CallMcp, Question, Say
from realtime_client.speech import AUDIO_BOUND
from tests import wire
from tests.scenarios import connected
from tests.test_response import Nobody

AUDIO = "response.output_audio"
WORDS = "response.output_audio_transcript"


def begun(**fields: Any) -> Response:
    resource = events.ResponseResource(id="resp_1", status="in_progress", **fields)
    response = Response(
        resource,
        initiator="client",
        audio_format=None,
        acting=Nobody(),
        timings=Timings(asked=1.0, created=2.0),
    )
    tell(response, "response.output_item.added", item=wire.message("m"))
    return response


def tell(response: Response, type: str, now: float = 5.0, **fields: Any) -> None:  # noqa: A002 - the wire's own name
    deliver(response, decode(wire.frame(type, response_id="resp_1", **fields)), now)


def part(response: Response, kind: str, index: int, **fields: Any) -> None:
    tell(response, kind, item_id="m", output_index=0, content_index=index, **fields)


def message(response: Response) -> Output:
    (output,) = response.outputs
    return output


async def heard(output: Output) -> bytes:
    return b"".join([chunk async for chunk in output.audio])


async def test_the_audio_of_parts_that_grow_together_comes_part_by_part() -> None:
    response = begun()
    for index, delta in ((1, "AQEB"), (0, "AAAA"), (1, "AQEB"), (2, "AgIC"), (0, "AAAA")):
        part(response, f"{AUDIO}.delta", index, delta=delta)
    part(response, f"{AUDIO}.done", 0)
    assert message(response).audio.held == 15
    part(response, f"{AUDIO}.done", 1)
    part(response, f"{AUDIO}.delta", 2, delta="AgIC")
    tell(response, "response.output_item.done", item=wire.message("m", status="completed"))
    first_is_first = bytes([1] * 6 + [0] * 6 + [2] * 6)
    assert await heard(message(response)) == first_is_first


async def test_a_part_that_never_ends_holds_the_others_back_until_the_message_ends() -> None:
    response = begun()
    part(response, f"{AUDIO}.delta", 0, delta="AAAA")
    part(response, f"{AUDIO}.delta", 1, delta="AQEB")
    stream = message(response).audio
    assert list(stream._items) == [bytes(3)]
    tell(response, "response.output_item.done", item=wire.message("m", status="completed"))
    assert await heard(message(response)) == bytes([0, 0, 0, 1, 1, 1])


async def test_what_is_held_back_counts_against_the_bound() -> None:
    response = begun()
    half = "A" * (AUDIO_BOUND // 3 * 4 // 2 // 4 * 4)
    for index in (0, 1):
        part(response, f"{AUDIO}.delta", index, delta=half)
    stream = message(response).audio
    part(response, f"{AUDIO}.delta", 1, delta="AAAA" * 100)
    assert stream.ended
    with pytest.raises(SlowConsumer):
        await anext(stream)
    assert stream.held == 0
    end = {"id": "resp_1", "status": "completed", "output": []}
    deliver(response, decode(wire.frame("response.done", response=end)), 9.0)
    assert (await response.done()).status == "completed"


async def test_the_words_of_parts_that_grow_together_are_not_mixed() -> None:
    response = begun()
    for index, delta in ((0, "one "), (1, "three "), (0, "two "), (1, "fo")):
        part(response, f"{WORDS}.delta", index, delta=delta)
    part(response, f"{WORDS}.done", 1, transcript="three four")
    words = message(response).transcript
    assert words.parts == ("one two ", "three four")
    part(response, f"{WORDS}.done", 0, transcript="one two ")
    end = {"id": "resp_1", "status": "completed", "output": []}
    deliver(response, decode(wire.frame("response.done", response=end)), 9.0)
    assert [str(delta) async for delta in words] == ["one ", "two ", "three ", "fo", "ur"]
    assert await words.read() == "one two three four"


async def test_words_have_the_times_that_the_server_gives() -> None:
    response = begun()
    part(response, f"{WORDS}.delta", 0, delta="Hello ", start_time=0.25)
    part(response, f"{WORDS}.delta", 0, delta="there")
    words = aiter(message(response).transcript)
    first, second = await anext(words), await anext(words)
    assert (first, first.start_time) == ("Hello ", 0.25)
    assert (second, second.start_time) == ("there", None)


async def test_a_finished_item_has_the_last_word_where_no_event_had_it() -> None:
    response = begun()
    part(response, f"{WORDS}.delta", 0, delta="Hel")
    content = [{"type": "output_audio", "transcript": "Hello."}]
    item = wire.message("m", status="completed", content=content)
    tell(response, "response.output_item.done", item=item)
    assert await message(response).transcript.read() == "Hello."
    # What says less than the finished item changes nothing.
    tell(response, "response.output_item.added", item=wire.message("m", status="in_progress"))
    assert getattr(message(response).item, "status", None) == "completed"


async def test_a_response_that_is_nothing_but_its_end_says_what_it_said() -> None:
    resource = events.ResponseResource(id="resp_1", status="in_progress")
    response = Response(resource, initiator="server", audio_format=None, acting=Nobody())
    content = [{"type": "output_audio", "transcript": "Hello."}]
    output = [wire.message("m", status="completed", content=content)]
    end = {"id": "resp_1", "status": "completed", "output": output, "usage": {}}
    usage = {"total_tokens": 3, "output_tokens": 2}
    deliver(response, decode(wire.frame("response.done", response=end, usage=usage)), 9.0)
    assert response.transcript == "Hello."
    assert response.usage is not None
    assert response.usage.total_tokens == 3
    async for said in response:
        assert await said.transcript.read() == "Hello."
        assert await heard(said) == b""


async def test_numbers() -> None:
    response = begun()
    assert response.metrics.duration is None
    part(response, f"{WORDS}.delta", 0, now=3.0, delta="Hello")
    part(response, f"{AUDIO}.delta", 0, now=4.0, delta="AAAA")
    part(response, f"{AUDIO}.delta", 0, now=5.0, delta="AAAA")
    assert message(response).modalities == {"audio"}
    usage = {"output_tokens": 12}
    end = {"id": "resp_1", "status": "cancelled", "output": [], "usage": usage}
    deliver(response, decode(wire.frame("response.done", response=end)), 8.0)
    assert response.timings == Timings(1.0, 2.0, 4.0, 3.0, 8.0)
    numbers = response.metrics
    assert (numbers.time_to_first_audio, numbers.time_to_first_text) == (3.0, 2.0)
    assert (numbers.duration, numbers.cancelled, numbers.tokens_per_second) == (6.0, True, 2.0)


# -- by hand, over a real socket ------------------------------------------------------------------


def gone_on(question: Question) -> Answer:
    """Calls once, then says what it was answered."""
    if question.source == "tool":
        return [Say(f"It is {question.text}.")]
    return [CallFunction("look", {"where": "outside"}), Say("One moment.")]


async def test_a_call_is_answered_by_hand() -> None:
    look = events.FunctionTool(name="look", parameters={"type": "object"})
    async with connected(brain=gone_on, tools=[look]) as (client, session):
        await client.send_text("How is it?")
        response = await client.response.create()
        calls = [output async for output in response if isinstance(output, Call)]
        (call,) = calls
        assert call.is_whole
        assert await call.arguments.read() == '{"where": "outside"}'
        added = await call.answer("raining")
        assert isinstance(added.item, events.FunctionCallOutputItem)
        assert await response.follow_up() is None  # whoever answers by hand asks by hand
        following = await client.response.create()
        await following.done()
        assert following.transcript == "It is raining."
    assert any(
        isinstance(item, events.FunctionCallOutputItem) for item in session.conversation.items
    )


async def test_a_call_that_was_cut_off_cannot_be_answered() -> None:
    response = begun()
    cut = {"type": "function_call", "id": "f", "name": "look", "call_id": "c", "arguments": '{"wh'}
    tell(response, "response.output_item.done", item={**cut, "status": "incomplete"})
    call = response.outputs[1]
    assert isinstance(call, Call)
    with pytest.raises(UsageError, match="cut off"):
        await call.answer("nothing")
    end = {"id": "resp_1", "status": "failed", "output": []}
    deliver(response, decode(wire.frame("response.done", response=end)), 9.0)
    with pytest.raises(ResponseFailed):
        await response.outputs[0].done()


@pytest.mark.parametrize("allowed", [True, False])
async def test_an_mcp_call_is_approved_or_rejected(allowed: bool) -> None:
    def brain(question: Question) -> Answer:
        answers = [i for i in question.items if isinstance(i, events.McpApprovalResponseItem)]
        if not answers:
            return [CallMcp("weather", "look", {"at": "London"}, approval=True)]
        if not answers[0].approve:
            return [Say(f"Not then: {answers[0].reason}.")]
        return [CallMcp("weather", "look", {"at": "London"}, output="rain"), Say("It rains.")]

    async with connected(brain=brain) as (client, _):
        response = await client.response.create()
        (asked,) = [output async for output in response]
        assert isinstance(asked, McpApproval)
        await asked.done()
        assert (asked.name, asked.arguments.so_far) == ("look", '{"at": "London"}')
        await (asked.approve() if allowed else asked.reject("too dear"))
        following = await client.response.create()
        outputs = [output async for output in following]
        assert following.transcript == ("It rains." if allowed else "Not then: too dear.")
        if allowed:
            (call, _) = outputs
            assert isinstance(call, McpCall)
            assert isinstance(call.item, events.McpCallItem)
            assert call.item.output == "rain"
            assert client.stats["orphan"].total() == 0  # `mcp_call.*` name no response


async def test_a_picture_is_shown() -> None:
    seen: list[events.Item] = []

    def brain(question: Question) -> Answer:
        seen.extend(question.items)
        return [Say("A dot.")]

    png = b"\x89PNG\r\n\x1a\n" + bytes(16)
    async with connected(brain=brain) as (client, _):
        await client.send_image(png, "What is this?", detail="low")
        response = await client.response.create()
        await response.done()
    (item,) = seen
    assert isinstance(item, events.MessageItem)
    parts = {part.type: part for part in item.content or ()}
    assert parts["input_text"].text == "What is this?"
    assert str(parts["input_image"].image_url).startswith("data:image/png;base64,")
    assert parts["input_image"].detail == "low"


async def test_a_failure_comes_after_the_audio_of_all_messages() -> None:
    response = begun()
    tell(response, "response.output_item.added", item=wire.message("n"))
    for item_id, delta in (("m", "AAAA"), ("n", "AQEB")):
        where: dict[str, Any] = {"item_id": item_id, "content_index": 0}
        tell(response, f"{AUDIO}.delta", **where, delta=delta)
    end = {"id": "resp_1", "status": "failed", "output": []}
    deliver(response, decode(wire.frame("response.done", response=end)), 9.0)
    audio, heard_so_far = response.audio, []
    with pytest.raises(ResponseFailed):
        while True:
            heard_so_far.append(await anext(audio))
    assert heard_so_far == [bytes(3), bytes([1, 1, 1])]
    assert isinstance(response.error, ResponseFailed)


async def test_what_was_not_read_can_be_dropped() -> None:
    response = begun()
    part(response, f"{AUDIO}.delta", 0, delta="AAAA")
    response.audio.close()
    assert await heard(message(response)) == b""


async def test_audio_has_one_reader() -> None:
    response = begun()
    stream = message(response).audio
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.__anext__)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        with pytest.raises(UsageError, match="somebody else"):
            await anext(stream)
        part(response, f"{AUDIO}.delta", 0, delta="AAAA")
    part(response, f"{AUDIO}.delta", 0, delta="AQEB")
    assert await anext(stream) == bytes([1, 1, 1])


async def test_unknown_items_of_a_response_are_told_apart() -> None:
    response = begun()
    for name in "xy":
        item = {"type": "hologram", "id": name}
        tell(response, "response.output_item.added", item=item)
        tell(response, "response.output_item.done", item=item)
    assert [output.id for output in response.outputs] == ["m", "x", "y"]
    assert [output.ended for output in response.outputs] == [False, True, True]


async def test_a_call_without_a_status_is_whole_if_its_response_is() -> None:
    response = begun()
    item = {"type": "function_call", "id": "f", "name": "look", "call_id": "c", "arguments": "{}"}
    tell(response, "response.output_item.done", item=item)
    call = response.outputs[1]
    assert isinstance(call, Call)
    before = call.is_whole
    end = {"id": "resp_1", "status": "completed", "output": []}
    deliver(response, decode(wire.frame("response.done", response=end)), 9.0)
    assert (before, call.is_whole) == (False, True)
    with pytest.raises(AssertionError, match="nobody asks here"):
        await call.answer("outside")


@pytest.mark.parametrize("output", [{"rain": True}, None, 42, b"yes"])
async def test_a_call_is_answered_with_text(output: Any) -> None:
    response = begun()
    item = {"type": "function_call", "id": "c", "name": "f", "call_id": "call_1"}
    tell(response, "response.output_item.added", item=item, output_index=1)
    call = response.outputs[-1]
    assert isinstance(call, Call)
    with pytest.raises(UsageError, match=r"is text, not .*; for a value, .*json\.dumps\(\.\.\.\)"):
        await call.answer(output)
