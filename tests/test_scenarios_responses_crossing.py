"""What goes wrong with responses elsewhere, and not here: what is on its way when plans change.

R8: refusals. R9: a create that crosses with the answer to a turn of the user, which nobody here
has asked for and which occupies the conversation all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from realtime_client.errors import ConversationBusy, ResponseRejected
from realtime_client.simulator import Part, SimulatorPolicy
from tests.responding import OUT_OF_BAND, Gate, all_heard, cancelled, creators, of_type, speak
from tests.scenarios import answers, connected, in_memory
from tests.test_scenarios_config_callers import virtual

GHOST = "Boo! I am the ghost of a question. " * 12
THEIRS = "This is the answer to the turn."
SCRIPT: dict[str, Sequence[str | Part]] = {
    "ghost": [GHOST],
    "living": ["I am alive,", "and well."],
    "ours": ["Ours,", "in full."],
}
BRAIN = answers(SCRIPT, otherwise=THEIRS)
BUSY = "conversation_already_has_active_response"


# -- R8 ---------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"conversation": "none"}, "invalid_value", "response.conversation"),
    ({"tool_choice": "never"}, "invalid_value", "response.tool_choice"),
    ({"input": [{"type": "item_reference", "id": "item_x"}]}, "invalid_value",
     "response.input[0].id"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "code", "param"), REFUSED)
@pytest.mark.parametrize("when_busy", ["wait", "interrupt", "fail"])
async def test_R8_a_refusal_is_told_at_once_and_the_next_goes_out(
    options: dict[str, Any], code: str, param: str, when_busy: Any
) -> None:
    policy = SimulatorPolicy(pace="fast", out_of_band=False)
    async with connected(policy, BRAIN, response_timeout=3_600) as (c, _):
        with anyio.fail_after(5), pytest.raises(ResponseRejected) as caught:
            await c.response.create(when_busy=when_busy, timeout=3_600, **options)
        error = caught.value
        assert (error.code, error.param) == (code, param)
        assert error.message
        assert not error.retryable
        assert not c.active
        following = await c.response.create(instructions="ours", when_busy="fail")
        assert await all_heard(following) == SCRIPT["ours"]


@virtual
async def test_R8_at_once_is_no_time_at_all() -> None:
    async with in_memory(SimulatorPolicy(pace="fast"), BRAIN) as (c, _):
        before = anyio.current_time()
        with pytest.raises(ResponseRejected):
            await c.response.create(tool_choice="never", timeout=10)
        assert anyio.current_time() == before


async def test_R8_of_several_the_refused_one_is_told() -> None:
    policy = SimulatorPolicy(pace="fast", begin_together=3)
    bad = {"tool_choice": "never"}
    async with connected(policy, BRAIN) as (c, _), creators(c) as callers:
        await callers.ask("ours", **OUT_OF_BAND)
        await callers.ask("refused", **OUT_OF_BAND, **bad)
        await callers.ask("default refused", **bad)
        await callers.ask("living")
        await callers.ask("one more", **OUT_OF_BAND)
        for name in ("refused", "default refused"):
            error = await callers.outcome(name)
            assert isinstance(error, ResponseRejected)
            assert error.code == "invalid_value"
        for name in ("ours", "living"):
            assert await all_heard(await callers.response(name)) == SCRIPT[name]


# -- R9 ---------------------------------------------------------------------------------------


def refusals(happening: Any) -> list[str]:
    return [event.error.code for event in of_type(happening, "error")]


async def test_R9_a_create_that_an_unseen_answer_keeps_out_goes_out_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer occupies the conversation before its `response.created` is sent."""
    monkeypatch.setattr("realtime_client.creates.RETRY", 0.01)
    policy = SimulatorPolicy(pace="fast", begin_together=2)
    async with connected(policy, BRAIN) as (c, _):
        happening, responses, strays = c.events(), c.responses(), c.orphans()
        await speak(c)
        async with creators(c) as callers:
            await callers.ask("ours")
            assert refusals(happening)[:1] == [BUSY]
            assert callers.outcomes == {}, "that is no news for the caller"
            await callers.ask("living", **OUT_OF_BAND)  # with it the answer begins
            theirs, living = await anext(responses), await anext(responses)
            assert (theirs.initiator, await callers.response("living")) == ("server", living)
            assert await all_heard(theirs) == [THEIRS]
            assert await all_heard(living) == SCRIPT["living"]
            await callers.ask("another", **OUT_OF_BAND)  # and with this one ours
            ours = await callers.response("ours")
            assert await all_heard(ours) == SCRIPT["ours"]
        assert (ours.initiator, ours.status) == ("client", "completed")
        assert strays.held == 0


async def test_R9_where_the_answer_can_be_seen_the_create_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_client.creates.RETRY", 1_000.0)
    gate = Gate()
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), BRAIN) as (c, session):
        happening, sent, responses = c.events(), c.sent(), c.responses()
        await speak(c)
        assert session.responses.active is not None
        gate.is_open = True  # the answer is seen after the create has gone out
        with anyio.fail_after(5):
            ours = await c.response.create(instructions="ours")
            theirs = await anext(responses)
            assert (theirs.initiator, theirs.status) == ("server", "completed")
            assert await all_heard(theirs) == [THEIRS]
            assert await all_heard(ours) == SCRIPT["ours"]
        assert refusals(happening) == [BUSY]
        creates = of_type(sent, "response.create")
        assert len(creates) == 2
        assert creates[0].event_id == creates[1].event_id
        assert cancelled(sent) == []


@pytest.mark.parametrize("seen", [True, False])
async def test_R9_an_interruption_ends_the_answer_by_its_id_and_goes_out(
    seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_client.creates.RETRY", 0.01)
    gate, brain = Gate(), answers(SCRIPT, otherwise=GHOST)
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), brain) as (c, _):
        happening, sent, responses = c.events(), c.sent(), c.responses()
        await speak(c)
        gate.is_open = seen
        async with creators(c) as callers:
            await callers.ask("ours", when_busy="interrupt")
            await gate.open(c)
            ours = await callers.response("ours")
            assert await all_heard(ours) == SCRIPT["ours"]
        theirs = await anext(responses)
        assert (theirs.initiator, theirs.status) == ("server", "cancelled")
        assert cancelled(sent) == [theirs.id]
        assert BUSY in refusals(happening)


@pytest.mark.parametrize("known", [True, False])
async def test_R9_one_that_is_not_to_wait_is_told(known: bool) -> None:
    gate, brain = Gate(), answers(SCRIPT, otherwise=GHOST)
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), brain) as (c, _):
        sent, responses = c.sent(), c.responses()
        await speak(c)
        if known:
            await gate.open(c)
        with anyio.fail_after(5), pytest.raises(ConversationBusy) as caught:
            await c.response.create(instructions="ours", when_busy="fail")
        assert len(of_type(sent, "response.create")) == (0 if known else 1)
        await gate.open(c)
        theirs = await anext(responses)
        assert caught.value.active == ((theirs.id,) if known else ())
        assert caught.value.retryable
        assert theirs.status == "in_progress"
        await theirs.cancel()
        ours = await c.response.create(instructions="ours", when_busy="fail")
        assert await all_heard(ours) == SCRIPT["ours"]


@virtual
async def test_R9_the_answer_begins_long_after_it_has_occupied_the_conversation() -> None:
    policy = SimulatorPolicy(pace="realtime", created_after=3.0)
    async with in_memory(policy, BRAIN) as (c, _):
        happening, responses = c.events(), c.responses()
        await speak(c)
        ours = await c.response.create(instructions="ours", timeout=30)
        theirs = await anext(responses)
        assert await all_heard(theirs) == [THEIRS]
        assert await all_heard(ours) == SCRIPT["ours"]
        assert set(refusals(happening)) == {BUSY}
        assert 3 < len(refusals(happening)) < 10, "it is tried again now and then"
        kinds = [frame.type for frame in happening._items]
        assert kinds.index("response.done") < len(kinds) - kinds[::-1].index("response.created")


@virtual
async def test_R9_what_keeps_it_out_for_ever_is_told_in_the_end() -> None:
    async with in_memory(SimulatorPolicy(created_after=3_000.0), BRAIN) as (c, _):
        happening = c.events()
        await speak(c)
        before = anyio.current_time()
        with pytest.raises(ResponseRejected) as caught:
            await c.response.create(instructions="ours")
        assert caught.value.code == BUSY
        assert 5 < anyio.current_time() - before < 20
        assert len(refusals(happening)) == 21


async def test_R9_one_that_was_kept_out_goes_before_those_that_came_after_it() -> None:
    gate = Gate(lambda event: event.type.startswith(("response.", "error")))
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), BRAIN) as (c, _):
        happening = c.events()
        await speak(c)
        async with creators(c) as callers:
            await callers.ask("ours")
            await callers.ask("living")
            assert len(gate.held) > 1
            await gate.open(c)
            assert refusals(happening) == [BUSY]
            ours, living = [await callers.response(name) for name in ("ours", "living")]
            assert await all_heard(ours) == SCRIPT["ours"]
            assert await all_heard(living) == SCRIPT["living"]
        order = [event.response.id for event in of_type(happening, "response.created")]
        assert order[1:] == [ours.id, living.id]


@pytest.mark.parametrize("when_busy", ["wait", "interrupt"])
async def test_R9_creates_for_the_conversation_take_turns(when_busy: Any) -> None:
    script: dict[str, Sequence[str | Part]] = {str(n): [f"Number {n}."] for n in range(4)}
    async with connected(SimulatorPolicy(pace="wire"), answers(script)) as (c, session):
        happening, sent = c.events(), c.sent()
        async with creators(c) as callers:
            await callers.ask("0")
            for n in (1, 2):
                await callers.ask(str(n))
            await callers.ask("3", when_busy=when_busy)
            responses = [await callers.response(str(n)) for n in range(4)]
            for n, response in enumerate(responses):
                if n or when_busy == "wait":
                    assert await all_heard(response) == [f"Number {n}."]
        order = [event.response.id for event in of_type(happening, "response.created")]
        turn = (0, 1, 2, 3) if when_busy == "wait" else (0, 3, 1, 2)
        assert order == [responses[n].id for n in turn]
        assert cancelled(sent) == ([] if when_busy == "wait" else [responses[0].id])
        kinds = [
            f.type for f in happening._items if f.type in ("response.created", "response.done")
        ]
        assert kinds == ["response.created", "response.done"] * 4
        assert refusals(happening) == []
        assert not session.responses.speaking
