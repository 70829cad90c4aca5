"""MCP tools: calls that the server makes itself, and the question whether it may."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.events import McpApprovalResponseItem, McpCallError
from realtime_client.simulator import Answer, CallMcp, Question, Say, sing
from tests.simulated import Frame, Sim, collapsed, of, one, scripted, types

LOOK = CallMcp("docs", "search", {"q": "tides", "n": 3}, output="Two a day.")
ARGUMENTS = '{"q": "tides", "n": 3}'
CALL = [
    "response.output_item.added",
    "conversation.item.added",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "conversation.item.done",
    "response.output_item.done",
]
ASKS = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def calling(**call: Any) -> CallMcp:
    return CallMcp("docs", "search", {"q": "tides"}, **call)


def approve(sim: Sim, request_id: str, **fields: Any) -> list[Frame]:
    item = {
        "type": "mcp_approval_response", "approval_request_id": request_id, "approve": True,
    }  # fmt: skip
    return sim.send("conversation.item.create", item=item | fields)


# --- calls -----------------------------------------------------------------------------


def test_a_call_in_the_literal_order() -> None:
    frames = Sim(scripted([LOOK]), pace="fast").respond()
    assert collapsed(types(frames)) == ["response.created", *CALL, "response.done"]
    item = {
        "id": "item_1",
        "type": "mcp_call",
        "server_label": "docs",
        "name": "search",
        "arguments": ARGUMENTS,
        "approval_request_id": None,
        "output": "Two a day.",
        "error": None,
    }
    assert one(frames, "response.output_item.added")["item"] == item | {
        "arguments": "",
        "output": None,
    }
    for name in ("conversation.item.done", "response.output_item.done"):
        assert one(frames, name)["item"] == item
    assert one(frames, "response.done")["response"]["output"] == [item]
    assert one(frames, "response.done")["response"]["status"] == "completed"
    deltas = of(frames, "response.mcp_call_arguments.delta")
    assert "".join(frame["delta"] for frame in deltas) == ARGUMENTS
    assert one(frames, "response.mcp_call_arguments.done")["arguments"] == ARGUMENTS


def test_the_progress_of_a_call_names_no_response() -> None:
    frames = Sim(scripted([Say("Wait."), LOOK]), pace="fast").respond()
    item_id = of(frames, "response.output_item.added")[1]["item"]["id"]
    for name in ("response.mcp_call.in_progress", "response.mcp_call.completed"):
        frame = one(frames, name)
        assert frame.keys() == {"type", "event_id", "item_id", "output_index"}
        assert (frame["item_id"], frame["output_index"]) == (item_id, 1)
    response_id = one(frames, "response.created")["response"]["id"]
    for frame in frames:
        if frame["type"].startswith("response.mcp_call_arguments"):
            assert frame["response_id"] == response_id
            assert (frame["item_id"], frame["output_index"]) == (item_id, 1)


def test_a_message_may_follow_a_call() -> None:
    sim = Sim(scripted([LOOK, Say("Two.", modality="text")]), pace="fast")
    output = one(sim.respond(), "response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["mcp_call", "message"]
    assert [item.type for item in sim.session.conversation.items] == ["mcp_call", "message"]


def test_the_end_of_a_call_names_no_predecessor() -> None:
    sim = Sim(scripted([LOOK]), pace="fast")
    before = sim.user_says("Hello")[0]["item"]["id"]
    frames = sim.respond()
    assert one(frames, "conversation.item.added")["previous_item_id"] == before
    assert one(frames, "conversation.item.done")["previous_item_id"] is None


def test_a_call_waits_for_its_turn_and_the_next_one_for_the_call() -> None:
    said, told = Say("ab"), Say("one two three", modality="text")
    sim = Sim(scripted([said, LOOK, told]), pace="realtime")
    began = sim.now
    sim.respond()
    sim.run(60)
    at = dict(zip(types(sim.frames), sim.times, strict=True))  # the last of each type
    played = len(sing("ab")) / 24_000
    # A delta of text is due 0.02 s after the one before it: four here, and then three.
    assert at["response.mcp_call.completed"] - began == pytest.approx(played + 0.06)
    assert at["response.output_text.delta"] - began == pytest.approx(played + 0.06 + 0.04)


def test_nothing_is_called_while_a_message_is_still_playing() -> None:
    sim = Sim(scripted([Say("ab"), LOOK]), pace="realtime", deltas_after_cancel=0)
    sim.respond()
    sim.run(len(sing("ab")) / 24_000 - 0.01)
    frames = sim.send("response.cancel")
    assert [item["type"] for item in frames[-1]["response"]["output"]] == ["message"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("no tides", {"type": "tool_execution_error", "message": "no tides"}),
        (McpCallError(type="http_error", code=502, message="Bad gateway"),
         {"type": "http_error", "code": 502, "message": "Bad gateway"}),
    ],
)  # fmt: skip
def test_a_call_that_fails(error: McpCallError | str, shown: dict[str, Any]) -> None:
    frames = Sim(scripted([calling(output="unseen", error=error)]), pace="fast").respond()
    failed = [name.replace("completed", "failed") for name in CALL]
    assert collapsed(types(frames)) == ["response.created", *failed, "response.done"]
    item = one(frames, "response.output_item.done")["item"]
    assert (item["error"], item["output"]) == (shown, None)
    assert one(frames, "response.output_item.added")["item"]["error"] is None
    assert one(frames, "response.done")["response"]["status"] == "completed"


def test_a_call_that_was_cut_off_is_not_made() -> None:
    sim = Sim(scripted([LOOK]), pace="realtime", deltas_after_cancel=0)
    sim.respond()
    sim.run(0.03)
    frames = sim.send("response.cancel")
    assert types(frames) == [
        "response.mcp_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    item = frames[-1]["response"]["output"][0]
    assert (item["arguments"], item["output"], item["error"]) == ('{"q": "tides",', None, None)


def test_arguments_may_be_text_and_may_be_nothing() -> None:
    sim = Sim(scripted([CallMcp("m", "f", "")], [CallMcp("m", "f", "[1,")]), pace="fast")
    for text in ("", "[1,"):
        frames = sim.respond()
        assert one(frames, "response.mcp_call_arguments.done")["arguments"] == text
        assert of(frames, "response.mcp_call.completed")


def test_a_call_is_paid_for() -> None:
    sim = Sim(scripted([LOOK], []), pace="fast", session={"instructions": "?" * 4})
    usage = one(sim.respond(), "response.done")["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (1, -(-len(ARGUMENTS) // 4))
    usage = one(sim.respond(), "response.done")["response"]["usage"]
    assert usage["input_tokens"] == 1 + -(-len("search" + ARGUMENTS + "Two a day.") // 4)


def test_a_call_that_is_too_long_is_cut_off() -> None:
    sim = Sim(scripted([LOOK]), pace="fast")
    frames = sim.respond(max_output_tokens=4)
    assert not of(frames, "response.mcp_call.in_progress")
    # 14 characters are four tokens; the next piece would be the fifth.
    assert one(frames, "response.output_item.done")["item"]["arguments"] == '{"q": "tides",'
    assert one(frames, "response.done")["response"]["status"] == "incomplete"


# --- approvals -------------------------------------------------------------------------


def test_a_request_for_approval_ends_the_response() -> None:
    sim = Sim(scripted([calling(approval=True), Say("never said")]), pace="fast")
    frames = sim.respond()
    assert types(frames) == ASKS
    item = {
        "id": "item_1", "type": "mcp_approval_request", "server_label": "docs", "name": "search",
        "arguments": '{"q": "tides"}',
    }  # fmt: skip
    for name in ASKS[1:5]:
        assert one(frames, name)["item"] == item
    response = one(frames, "response.done")["response"]
    assert (response["status"], response["output"]) == ("completed", [item])
    assert response["usage"]["output_tokens"] == -(-len('{"q": "tides"}') // 4)
    assert sim.session.conversation.approvals == {"item_1"}


@pytest.mark.parametrize("approved", [True, False])
def test_a_brain_goes_on_with_the_answer(approved: bool) -> None:
    def brain(question: Question) -> Answer:
        last = question.items[-1]
        if not isinstance(last, McpApprovalResponseItem):
            return [calling(approval=True)]
        if not last.approve:
            return [Say(f"Then not: {last.reason}", modality="text")]
        request_id = last.approval_request_id
        return [calling(output="Two.", approval_request_id=request_id), Say("Two.")]

    sim = Sim(brain, pace="fast")
    sim.user_says("How many tides?")
    request = one(sim.respond(), "response.output_item.done")["item"]
    reason = {} if approved else {"reason": "too dear"}
    frames = approve(sim, request["id"], approve=approved, **reason)
    assert types(frames) == ["conversation.item.added", "conversation.item.done"]
    assert frames[0]["previous_item_id"] == request["id"]
    assert (
        frames[0]["item"]
        == frames[1]["item"]
        == {
            "id": frames[0]["item"]["id"],
            "type": "mcp_approval_response",
            "approval_request_id": request["id"],
            "approve": approved,
            **reason,
        }
    )
    output = one(sim.respond(), "response.done")["response"]["output"]
    if approved:
        assert output[0]["approval_request_id"] == request["id"]
        assert output[0]["output"] == "Two."
        assert len(output) == 2
    else:
        assert output[0]["content"] == [{"type": "output_text", "text": "Then not: too dear"}]


def test_an_answer_keeps_the_id_that_the_client_gave_it() -> None:
    sim = Sim(scripted([calling(approval=True)]), pace="fast")
    request = one(sim.respond(), "response.output_item.done")["item"]
    assert approve(sim, request["id"], id="mine")[0]["item"]["id"] == "mine"


@pytest.mark.parametrize("other", ["ghost", "item_1"])
def test_an_answer_to_no_request_is_refused(other: str) -> None:
    sim = Sim(pace="fast")
    first = sim.user_says("Hello")[0]["item"]["id"]
    assert first == "item_1"  # an item, but no request
    frames = approve(sim, other)
    assert types(frames) == ["error"]
    assert sim.error() == ("invalid_value", "item.approval_request_id")
    assert len(sim.session.conversation.items) == 1


def test_a_request_that_was_deleted_cannot_be_answered() -> None:
    sim = Sim(scripted([calling(approval=True)]), pace="fast")
    request = one(sim.respond(), "response.output_item.done")["item"]
    sim.send("conversation.item.delete", item_id=request["id"])
    approve(sim, request["id"])
    assert sim.error() == ("invalid_value", "item.approval_request_id")


def test_an_answer_in_the_input_of_a_response() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return [calling(approval=True)] if len(questions) == 1 else []

    sim = Sim(brain, pace="fast")
    request = one(sim.respond(), "response.output_item.done")["item"]
    answer = {"type": "mcp_approval_response", "approve": True}
    sim.respond(input=[answer | {"approval_request_id": request["id"]}])
    (item,) = questions[1].items
    assert isinstance(item, McpApprovalResponseItem)
    assert item.approval_request_id == request["id"]
    sim.respond(input=[answer | {"approval_request_id": "ghost"}])
    assert sim.error() == ("invalid_value", "response.input[0].approval_request_id")


def test_clients_make_no_calls_of_their_own() -> None:
    sim = Sim(pace="fast")
    for kind in ("mcp_call", "mcp_approval_request", "mcp_list_tools"):
        sim.send("conversation.item.create", item={"type": kind, "id": "x"})
        assert sim.error() == ("invalid_value", "item.type")
