"""What goes wrong with configuration elsewhere, and not here: what goes out, and when.

C1 to C7: what an update is compared with, and what of it is sent. Every test looks at both
sides: the frames that went out, what the server has in force, and what the client says that
the server acknowledged.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from realtime_client import Client, SessionGroup, events
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.errors import SessionUpdateRejected
from realtime_client.simulator import SimulatorPolicy, serve
from tests.scenarios import (
    FAST,
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

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}
SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}
LOUD: dict[str, Any] = {**SERVER_VAD, "threshold": 0.9}
WHISPER = {"model": "whisper-1", "language": "de", "prompt": "Namen"}
RATIO = {"type": "retention_ratio", "retention_ratio": 0.8}

VAD = "audio.input.turn_detection"
NOISE = "audio.input.noise_reduction"
TRANSCRIPTION = "audio.input.transcription"


# -- C1 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "path", "sent", "effective"),
    [
        ("voice", "marin", "audio.output.voice", "marin", "marin"),
        ("speed", 1.25, "audio.output.speed", 1.25, 1.25),
        ("turn_detection", LOUD, VAD, LOUD, LOUD | {"idle_timeout_ms": None}),
        ("turn_detection", None, VAD, None, None),
        ("transcription", WHISPER, TRANSCRIPTION, WHISPER, WHISPER),
        ("noise_reduction", "near_field", NOISE, {"type": "near_field"}, {"type": "near_field"}),
        ("tool_choice", "required", "tool_choice", "required", "required"),
        ("tracing", {"workflow_name": "w"}, "tracing", {"workflow_name": "w"},
         {"workflow_name": "w"}),
        ("max_output_tokens", 300, "max_output_tokens", 300, 300),
        ("truncation", RATIO, "truncation", RATIO, RATIO),
        ("instructions", "Be brief.", "instructions", "Be brief.", "Be brief."),
        ("tools", [LOOK], "tools", [LOOK], [LOOK]),
    ],
)  # fmt: skip
async def test_C1_updating_a_group_reaches_every_live_client(
    name: str, value: Any, path: str, sent: Any, effective: Any
) -> None:
    group = SessionGroup(output_modalities=["text"])
    change: Any = {name: value}
    async with (
        serve(FAST) as server,
        Client(endpoint=server.url, group=group) as first,
        Client(endpoint=server.url, group=group) as second,
        Client(endpoint=server.url, group=group, **change) as third,
    ):
        watches = {client: client.sent() for client in (first, second, third)}
        before = [len(received(session)) for session in server.sessions]
        outcomes = await group.update(**change)
        assert tuple(outcomes) == group.clients == (first, second, third)
        needed = [session_with(path, sent)]
        # The third has it already: its own server says so, whatever the others have.
        for client, session, old, needs in zip(
            watches, server.sessions, before, (needed, needed, []), strict=True
        ):
            answer = outcomes[client]
            assert isinstance(answer, Acknowledgement)
            assert (answer.changed, answer.ignored) == ((path,) if needs else (), ())
            assert updates(watches[client]) == received(session)[old:] == needs
            assert at(in_force(session), path) == effective
            agree(client, session)
        async with Client(endpoint=server.url, group=group) as later:
            assert at(in_force(server.sessions[3]), path) == effective
            agree(later, server.sessions[3])


# -- C2 ---------------------------------------------------------------------------------------


async def test_C2_none_is_sent_as_null_at_construction() -> None:
    async with connected(turn_detection=None) as (client, session):
        assert received(session) == [session_with(VAD, None)]
        assert at(in_force(session), VAD) is None
        agree(client, session)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("turn_detection", VAD, "semantic_vad"),
        ("transcription", TRANSCRIPTION, "whisper-1"),
        ("noise_reduction", NOISE, "far_field"),
        ("tool_choice", "tool_choice", "required"),
        ("prompt", "prompt", {"id": "pmpt_1"}),
        ("include", "include", ["item.input_audio_transcription.logprobs"]),
    ],
)
async def test_C2_none_is_sent_as_null_in_an_update(name: str, path: str, value: Any) -> None:
    async with connected(**{name: value}) as (client, session):
        assert at(in_force(session), path) is not None
        sent, off = client.sent(), {name: None}
        answer = await client.session.update(**off)  # type: ignore[arg-type]  # by its name
        assert updates(sent) == received(session)[1:] == [session_with(path, None)]
        assert answer.changed == (path,)
        assert at(in_force(session), path) is None
        agree(client, session)


async def test_C2_what_is_not_given_is_not_sent() -> None:
    async with connected() as (client, session):
        await client.session.update()
        assert received(session) == []
        await client.session.update(speed=1.25)
        assert received(session) == [session_with("audio.output.speed", 1.25)]
        assert at(in_force(session), VAD) == SERVER_VAD | {"idle_timeout_ms": None}
        agree(client, session)


@pytest.mark.parametrize(
    ("name", "path", "other", "default"),
    [
        ("turn_detection", VAD, None, SERVER_VAD),
        ("turn_detection", VAD, LOUD, SERVER_VAD),
        ("speed", "audio.output.speed", 1.25, 1.0),
        ("voice", "audio.output.voice", "marin", "alloy"),
        ("max_output_tokens", "max_output_tokens", 300, "inf"),
        ("tool_choice", "tool_choice", "none", "auto"),
        ("truncation", "truncation", "disabled", "auto"),
        ("tools", "tools", [LOOK], []),
        ("output_modalities", "output_modalities", ["text"], ["audio"]),
    ],
)
async def test_C2_a_default_can_be_set_back(name: str, path: str, other: Any, default: Any) -> None:
    async with connected(**{name: other}) as (client, session):
        sent, back = client.sent(), {name: default}
        await client.session.update(**back)
        assert updates(sent) == received(session)[1:] == [session_with(path, default)]
        expected = {**default, "idle_timeout_ms": None} if name == "turn_detection" else default
        assert at(in_force(session), path) == expected
        agree(client, session)


# -- C3 and C4 --------------------------------------------------------------------------------


async def test_C3_a_rejection_rolls_back_and_a_retry_goes_out() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with connected(policy, says("A very long answer. " * 50)) as (client, session):
        sent, before = client.sent(), in_force(session)
        response = await client.response.create()
        with pytest.raises(SessionUpdateRejected) as caught:
            await client.session.update(speed=1.25, instructions="Faster.")
        error = caught.value
        assert (error.code, error.param) == ("invalid_value", "session.audio.output.speed")
        assert error.message == "The speed cannot be changed while a response is in progress."
        asked = {"audio": {"output": {"speed": 1.25}}, "instructions": "Faster."}
        assert error.update == {"type": "realtime", **asked}
        assert in_force(session) == before
        agree(client, session)
        await response.cancel()
        answer = await client.session.update(speed=1.25, instructions="Faster.")
        assert updates(sent) == received(session) == [{"type": "realtime", **asked}] * 2
        assert set(answer.changed) == {"audio.output.speed", "instructions"}
        assert at(in_force(session), "audio.output.speed") == 1.25
        agree(client, session)


FASTER: dict[str, Any] = {"speed": 1.25, "instructions": "Faster."}
IMPOSSIBLE: dict[str, Any] = {"speed": 1.25, "tool_choice": "never"}


@pytest.mark.parametrize("rejected", ["first", "second"])
async def test_C4_each_of_two_updates_gets_its_own_outcome(rejected: str) -> None:
    accepted = "second" if rejected == "first" else "first"
    policy = SimulatorPolicy(update_after=0.02, late_error=0.02)
    async with connected(policy) as (client, session):
        sent = client.sent()
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                for name in ("first", "second"):
                    await askers.ask(name, **(IMPOSSIBLE if name == rejected else FASTER))
                assert len(client.session.in_flight) == 2
                assert len(received(session)) <= 1, "one on the wire"
        refusal, answer = askers.outcomes[rejected], askers.outcomes[accepted]
        assert isinstance(refusal, SessionUpdateRejected)
        assert (refusal.code, refusal.param) == ("invalid_value", "session.tool_choice")
        assert isinstance(answer, Acknowledgement)
        assert set(answer.changed) == {"audio.output.speed", "instructions"}
        faster: dict[str, Any] = {"audio": {"output": {"speed": 1.25}}, "instructions": "Faster."}
        bad: dict[str, Any] = {"tool_choice": "never"}
        if rejected == "first":  # what they share goes out with both: nobody has it yet
            bad |= {"audio": {"output": {"speed": 1.25}}}
        needs = [bad, faster] if rejected == "first" else [faster, bad]
        assert updates(sent) == received(session) == [{"type": "realtime", **one} for one in needs]
        assert at(in_force(session), "audio.output.speed") == 1.25
        assert at(in_force(session), "tool_choice") == "auto"
        agree(client, session)


# -- C5 ---------------------------------------------------------------------------------------


async def test_C5_an_option_changed_in_place_is_seen_as_changed() -> None:
    detection = dict(SERVER_VAD, threshold=0.6)
    async with connected(turn_detection=detection) as (client, session):
        for threshold in (0.7, 0.8):
            sent = client.sent()
            detection["threshold"] = threshold
            agree(client, session)
            answer = await client.session.update(turn_detection=detection)
            assert answer.changed == (VAD,)
            assert updates(sent) == received(session)[-1:] == [session_with(VAD, detection)]
            assert at(in_force(session), f"{VAD}.threshold") == threshold
        agree(client, session)


async def test_C5_an_option_changed_after_it_was_given_changes_nothing() -> None:
    tools: list[Any] = [LOOK]
    group = SessionGroup(tools=tools)
    tools.append({"type": "function", "name": "sneak"})
    async with connected(SimulatorPolicy(update_after=0.02), group=group) as (client, session):
        assert at(in_force(session), "tools") == [LOOK]
        detection = dict(SERVER_VAD, threshold=0.7)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                askers = Askers(client, tasks)
                await askers.ask("first", instructions="Wait.")
                await askers.ask("second", turn_detection=detection, tools=tools)
                detection["threshold"] = 0.1
                tools.clear()
        assert at(in_force(session), f"{VAD}.threshold") == 0.7
        assert [tool["name"] for tool in at(in_force(session), "tools")] == ["look", "sneak"]
        agree(client, session)


async def test_C5_what_is_shown_is_not_what_is_kept() -> None:
    group = SessionGroup(turn_detection=SERVER_VAD | {"threshold": 0.6}, tools=[LOOK])
    async with connected(group=group) as (client, session):
        client.session.desired["audio"]["input"]["turn_detection"]["threshold"] = 0.9
        client.session.desired["tools"].clear()
        group.config["tools"].clear()
        agree(client, session)
        assert group.config["tools"] == [LOOK]
        await client.session.update(turn_detection={"type": "server_vad", "threshold": 0.9})
        assert at(in_force(session), f"{VAD}.threshold") == 0.9
        with pytest.raises(AttributeError):
            client.session.acknowledged.instructions = "x"  # type: ignore[union-attr, misc]  # it is frozen
        assert isinstance(client.session.acknowledged, events.SessionConfig)


# -- C6 and C7 --------------------------------------------------------------------------------


async def test_C6_a_group_update_leaves_a_clients_own_override_alone() -> None:
    group = SessionGroup(noise_reduction="near_field", voice="marin")
    async with (
        serve(FAST) as server,
        Client(endpoint=server.url, group=group, noise_reduction="far_field") as opened,
        Client(endpoint=server.url, group=group) as updated,
    ):
        await updated.session.update(noise_reduction=None, voice="cedar")
        watches = [opened.sent(), updated.sent()]
        await group.update(speed=1.25)
        await group.update(turn_detection=None)
        for client, session, sent, noise, voice in zip(
            (opened, updated),
            server.sessions,
            watches,
            ({"type": "far_field"}, None),
            ("marin", "cedar"),
            strict=True,
        ):
            needed = [session_with("audio.output.speed", 1.25), session_with(VAD, None)]
            assert updates(sent) == received(session)[-2:] == needed
            assert at(in_force(session), NOISE) == noise
            assert at(in_force(session), "audio.output.voice") == voice
            agree(client, session)


async def test_C7_only_what_differs_goes_out() -> None:
    config: dict[str, Any] = {
        "tools": [LOOK],
        "turn_detection": LOUD,
        "transcription": WHISPER,
        "voice": "marin",
        "tracing": "auto",
    }
    async with connected(brain=says("Hello."), **config) as (client, session):
        await (await client.response.create()).done()
        before, sent = in_force(session), client.sent()
        await client.session.update({"instructions": "x"})
        await client.session.update(instructions="y", **config)
        assert updates(sent) == received(session)[1:]
        assert updates(sent) == [session_with("instructions", words) for words in "xy"]
        assert in_force(session) == {**before, "instructions": "y"}
        assert at(in_force(session), "tools") == [LOOK]
        answer = await client.session.update(instructions="y", **config)
        assert (answer.changed, answer.ignored) == ((), ())
        assert len(received(session)) == 3
        agree(client, session)
