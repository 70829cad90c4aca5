"""What goes wrong with configuration elsewhere, and not here: what is answered, and when not.

C8: what the server would refuse is refused before it is sent. C9 and C10: a server that
takes less than it was asked, or fills up what it was not. C14: answers that come late,
never, or to nobody.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from realtime_client import SessionGroup, events
from realtime_client.acknowledgement import Acknowledgement, Notice
from realtime_client.errors import AcknowledgementTimeout, ConfigDrift, InvalidConfig
from realtime_client.leaves import Drift
from realtime_client.simulator import SimulatedSession, SimulatorPolicy
from realtime_client.streams import Once
from tests.scenarios import (
    Askers,
    agree,
    at,
    connected,
    in_force,
    received,
    says,
    session_with,
    updates,
)

VAD = "audio.input.turn_detection"
TRANSCRIPTION = "audio.input.transcription"
SPEED = "audio.output.speed"


# -- C8 ---------------------------------------------------------------------------------------


async def test_C8_a_new_voice_after_the_first_word_is_refused_before_sending() -> None:
    async with connected(brain=says("Hello."), voice="marin") as (client, session):
        await client.session.update(voice="cedar")
        await (await client.response.create()).done()
        before, sent = in_force(session), client.sent()
        reason = r"audio\.output\.voice is 'cedar' and cannot change: the model has spoken"
        with pytest.raises(InvalidConfig, match=reason):
            await client.session.update(voice="ash", instructions="Good.")
        assert updates(sent) == []
        assert in_force(session) == before
        # What was valid beside it goes out without it, and beside the voice that there is.
        await client.session.update(voice="cedar", instructions="Good.")
        assert updates(sent) == received(session)[2:] == [session_with("instructions", "Good.")]
        agree(client, session)


async def test_C8_a_voice_that_waits_while_the_model_speaks_is_refused_at_its_turn() -> None:
    policy = SimulatorPolicy(pace="fast", created_after=0.02)
    async with connected(policy, says("Hello.")) as (client, session):
        sent = client.sent()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                tasks.start_soon(client.response.create)
                while not sent.held:
                    await anyio.lowlevel.checkpoint()
                await askers.ask("voice", voice="ash", when="between_turns")
                await askers.ask("words", instructions="Good.", when="between_turns")
        assert isinstance(askers.outcomes["voice"], InvalidConfig)
        assert isinstance(askers.outcomes["words"], Acknowledgement)
        assert updates(sent) == received(session) == [session_with("instructions", "Good.")]
        assert at(in_force(session), "audio.output.voice") == "alloy"
        agree(client, session)


# -- C9 and C10 -------------------------------------------------------------------------------

GREEDY = SimulatorPolicy(fastest=1.2, ignored_fields=frozenset({"truncation", f"{VAD}.threshold"}))
ASKED: dict[str, Any] = {
    "speed": 1.4,
    "truncation": "disabled",
    "turn_detection": {"type": "server_vad", "threshold": 0.9, "silence_duration_ms": 700},
    "instructions": "Taken.",
}
IGNORED = (
    Drift(SPEED, 1.4, 1.2),
    Drift("truncation", "disabled", "auto"),
    Drift(f"{VAD}.threshold", 0.9, 0.5),
)


def by_path(drifts: tuple[Drift, ...]) -> list[Drift]:
    return sorted(drifts, key=lambda drift: drift.path)


async def test_C9_what_the_server_did_not_take_is_told() -> None:
    async with connected(GREEDY) as (client, session):
        sent = client.sent()
        answer = await client.session.update(**ASKED)
        assert by_path(answer.ignored) == by_path(IGNORED)
        assert set(answer.changed) == {SPEED, VAD, "instructions"}
        (asked,) = updates(sent)
        assert received(session) == [asked]
        assert at(asked, SPEED) == 1.4
        assert at(in_force(session), SPEED) == 1.2
        assert at(in_force(session), f"{VAD}.silence_duration_ms") == 700
        agree(client, session)
        # It is the server's value that later updates are compared with: what was not taken
        # goes out when it is asked again, and what the server has already does not.
        await client.session.update(truncation="disabled")
        assert updates(sent)[1:] == [session_with("truncation", "disabled")]
        await client.session.update(speed=1.1)
        await client.session.update(speed=1.1, instructions="More.")
        assert updates(sent)[-1] == session_with("instructions", "More.")


async def test_C9_a_strict_update_raises_what_the_server_did_not_take() -> None:
    group = SessionGroup()
    async with connected(GREEDY, group=group) as (client, session):
        with pytest.raises(ConfigDrift, match=r"audio\.output\.speed") as caught:
            await client.session.update(strict=True, **ASKED)
        assert by_path(caught.value.ignored) == by_path(IGNORED)
        assert at(in_force(session), "instructions") == "Taken."
        agree(client, session)
        assert not (await client.session.update(strict=True, speed=1.1)).ignored
        drifted = (await group.update(strict=True, speed=1.4))[client]
        assert isinstance(drifted, ConfigDrift)
        assert drifted.ignored == (Drift(SPEED, 1.4, 1.2),)


REFILLS = SimulatorPolicy(pace="fast", refill_defaults=True)
OWN_VAD = {
    "type": "server_vad",
    "threshold": 0.6,
    "prefix_padding_ms": 50,
    "silence_duration_ms": 900,
    "create_response": False,
    "interrupt_response": False,
}
OWN_WORDS = {"model": "whisper-1", "language": "de", "prompt": "Namen"}


@pytest.mark.parametrize(
    ("name", "path", "own", "part"),
    [
        ("turn_detection", VAD, OWN_VAD, {"type": "server_vad", "silence_duration_ms": 700}),
        ("turn_detection", VAD, OWN_VAD, "server_vad"),
        ("transcription", TRANSCRIPTION, OWN_WORDS, {"model": "gpt-4o-transcribe"}),
    ],
)
async def test_C10_an_object_that_is_given_in_part_goes_out_whole(
    name: str, path: str, own: Any, part: Any
) -> None:
    async with connected(REFILLS, **{name: own}) as (client, session):
        sent, change = client.sent(), {name: part}
        answer = await client.session.update(instructions="Go.", **change)
        whole = {**own, **(part if isinstance(part, dict) else {})}
        needed = session_with("instructions", "Go.")
        if whole != own:
            needed |= session_with(path, whole)
        assert updates(sent) == received(session)[1:] == [needed]
        assert answer.ignored == ()
        effective = at(in_force(session), path)
        assert {key: value for key, value in effective.items() if value is not None} == whole
        agree(client, session)
        if isinstance(part, dict):
            # The same part without help: this server does fill it up with its own defaults.
            await client.send({"type": "session.update", "session": session_with(path, part)})
            assert (await anext(client.session.changes())).type == "realtime"
            assert at(in_force(session), path) != effective


# -- C14 --------------------------------------------------------------------------------------


def asked_ids(session: SimulatedSession) -> list[str]:
    """The ids of the updates that the server got, oldest first."""
    return [str(one.event_id) for one in session.received if isinstance(one, events.SessionUpdate)]


def kinds(notices: Once[Notice]) -> list[str]:
    """What has been noticed and not been read."""
    return [notice.kind for notice in notices._items]


UNDIFFED = {"type": "realtime", "instructions": "Mine.", "audio": {"output": {"speed": 1.0}}}
"""An update in doubt: the speed is what was acknowledged, and goes out all the same."""


async def test_C14_a_refusal_that_comes_after_later_answers_is_reported() -> None:
    async with connected(SimulatorPolicy(late_error=0.4)) as (client, session):
        sent, notices, happening = client.sent(), client.session.notices(), client.events()
        with pytest.raises(AcknowledgementTimeout) as caught:
            await client.session.update(tool_choice="never", timeout=0.05)
        assert caught.value.uncertain
        answer = await client.session.update(instructions="Mine.", speed=1.0)
        assert answer.changed == ("instructions",)
        assert (await anext(notices)).kind == "answer"
        with anyio.fail_after(5):
            notice = await anext(notices)
        assert (notice.kind, notice.event_id) == ("late_rejection", asked_ids(session)[0])
        assert notice.error is not None
        assert (notice.error.code, notice.error.param) == ("invalid_value", "session.tool_choice")
        assert [frame.type for frame in happening._items] == ["session.updated", "error"]
        assert updates(sent) == [session_with("tool_choice", "never"), UNDIFFED]
        agree(client, session)
        # Nothing is in doubt any more: what is known to be there does not go out.
        await client.session.update(instructions="Yours.", speed=1.0)
        assert updates(sent)[2:] == [session_with("instructions", "Yours.")]
        assert received(session) == updates(sent)
        agree(client, session)


async def test_C14_a_missing_answer_is_uncertain_for_its_caller_alone() -> None:
    async with connected(SimulatorPolicy(no_answer=frozenset({1}))) as (client, session):
        sent, notices = client.sent(), client.session.notices()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                await askers.ask("first", voice="marin", timeout=0.05)
                await askers.ask("second", instructions="Mine.", speed=1.0)
                await askers.ask("third", max_output_tokens=300, speed=1.0)
        first = askers.outcomes["first"]
        assert isinstance(first, AcknowledgementTimeout)
        assert first.uncertain
        second, third = askers.outcomes["second"], askers.outcomes["third"]
        assert isinstance(second, Acknowledgement)
        assert isinstance(third, Acknowledgement)
        # Its update did take effect, and the next answer shows it.
        assert set(second.changed) == {"audio.output.voice", "instructions"}
        assert third.changed == ("max_output_tokens",)
        voice, tokens = "audio.output.voice", "max_output_tokens"
        # The first may still be answered, out of order: nothing is compared meanwhile.
        last = {**session_with(tokens, 300), "audio": {"output": {"speed": 1.0}}}
        needed = [session_with(voice, "marin"), UNDIFFED, last]
        assert updates(sent) == received(session) == needed
        assert kinds(notices) == ["answer", "answer"]
        agree(client, session)


async def test_C14_an_update_that_waits_behind_a_silence_is_withdrawn_in_its_own_time() -> None:
    async with connected(SimulatorPolicy(no_answer=frozenset({1}))) as (client, session):
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                await askers.ask("first", voice="marin", timeout=0.1)
                await askers.ask("second", instructions="Never.", timeout=0.05)
        first, second = askers.outcomes["first"], askers.outcomes["second"]
        assert isinstance(first, AcknowledgementTimeout)
        assert isinstance(second, AcknowledgementTimeout)
        assert (first.uncertain, second.uncertain) == (True, False)
        assert received(session) == [session_with("audio.output.voice", "marin")]
        await client.session.update(instructions="After all.")
        agree(client, session)


async def test_C14_a_late_answer_is_reported_and_given_to_nobody() -> None:
    async with connected(SimulatorPolicy(update_after=0.3)) as (client, session):
        notices = client.session.notices()
        with pytest.raises(AcknowledgementTimeout) as caught:
            await client.session.update(instructions="Theirs.", speed=1.25, timeout=0.05)
        assert caught.value.uncertain
        answer = await client.session.update(instructions="Mine.")
        assert isinstance(answer.effective, events.SessionConfig)
        assert (answer.effective.instructions, answer.ignored) == ("Mine.", ())
        assert answer.changed == ("instructions",), "the late answer came before, with the speed"
        first, second = asked_ids(session)
        told = [(notice.kind, notice.event_id) for notice in notices._items]
        assert told == [("late", first), ("answer", second)]
        assert at(in_force(session), SPEED) == 1.25
        agree(client, session)


async def test_C14_another_partys_change_is_adopted_and_announced() -> None:
    async with connected(instructions="Ours.") as (client, session):
        sent, notices, changes = client.sent(), client.session.notices(), client.session.changes()
        session.foreign_update({"instructions": "Theirs."}, anyio.current_time())
        with anyio.fail_after(5):
            seen = await anext(changes)
        assert isinstance(seen, events.SessionConfig)
        assert seen.instructions == "Theirs."
        assert client.session.acknowledged == seen
        assert kinds(notices) == ["foreign"]
        agree(client, session)
        assert (await client.session.update(instructions="Theirs.")).changed == ()
        assert (await client.session.update(instructions="Ours.")).changed == ("instructions",)
        assert updates(sent) == received(session)[1:] == [session_with("instructions", "Ours.")]
        agree(client, session)


async def test_C14_another_partys_change_is_not_taken_for_our_answer() -> None:
    async with connected(SimulatorPolicy(update_after=0.02)) as (client, session):
        notices = client.session.notices()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                await askers.ask("ours", speed=1.25)
                session.foreign_update({"instructions": "Theirs."}, anyio.current_time())
        answer = askers.outcomes["ours"]
        assert isinstance(answer, Acknowledgement)
        assert answer.ignored == ()
        assert kinds(notices) == ["foreign", "answer"]
        assert at(in_force(session), "instructions") == "Theirs."
        assert at(in_force(session), SPEED) == 1.25
        agree(client, session)
