"""N4, N13: what a new connection knows of the old one, and in which order it is told."""

from __future__ import annotations

from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Client, Endpoint, SessionGroup, events
from realtime_client.errors import ReconnectFailed, SessionUpdateRejected
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Question,
    Say,
    SimulatorPolicy,
    serve,
    sing,
)
from tests.outages import (
    AT_ONCE,
    FAST,
    Held,
    failing,
    heard,
    in_virtual_time,
    kinds,
    reconnected,
    sure,
    talking,
    until,
)
from tests.responding import speak
from tests.test_pictures import PNG
from tests.test_scenarios_config_callers import virtual

VAD = {"type": "server_vad"}
TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]


# -- the order --------------------------------------------------------------------------------


async def test_N4_configuration_conversation_audio_in_this_order() -> None:
    configured: dict[str, Any] = {
        "instructions": "Be brief.",
        "voice": "marin",
        "speed": 1.2,
        "tools": TOOLS,
    }
    async with talking(**configured) as (client, server, changes):
        await client.session.update(instructions="Be very brief.", max_output_tokens=500)
        await client.send_text("one")
        await client.send_text("two")
        await client.send_audio(sing("three"))
        server.connections[0].drop()
        await reconnected(changes)
        await client.send_audio(sing("three"))
        await client.input_audio_buffer.commit()
        old, new = server.sessions
        assert list(dict.fromkeys(kinds(new))) == [
            "session.update",
            "conversation.item.create",
            "input_audio_buffer.append",
            "input_audio_buffer.commit",
        ]
        assert kinds(new).count("session.update") == 1
        assert kinds(new).count("conversation.item.create") == 2
        before, after = old.settings.session, new.settings.session
        for name in ("instructions", "tools", "max_output_tokens", "audio"):
            assert getattr(after, name) == getattr(before, name), name
        assert client.session.acknowledged == after
        assert [words for _, words in new.conversation.told][:2] == ["one", "two"]


@virtual
async def test_N4_each_step_is_acknowledged_before_the_next() -> None:
    policy = SimulatorPolicy(pace="fast", update_after=2.0)
    async with in_virtual_time(policy, reconnect=AT_ONCE) as (client, server, changes):
        await client.send_text("hello")
        server.connections[0].drop()
        await anyio.sleep(1.0)
        assert kinds(server.sessions[1]) == ["session.update"]
        assert not client.is_connected
        await client.send_audio(sing("hello"))
        await anyio.sleep(0.5)
        assert kinds(server.sessions[1]) == ["session.update"]
        report = await reconnected(changes)
        assert report.seconds == 2.0
        await anyio.sleep(0.1)
        assert kinds(server.sessions[1])[:3] == [
            "session.update", "conversation.item.create", "input_audio_buffer.append"
        ]  # fmt: skip


@virtual
async def test_N4_nothing_is_said_to_a_server_that_has_not_got_the_conversation() -> None:
    policy = SimulatorPolicy(pace="fast", tamper=Held("conversation.item.added", after=1))
    async with in_virtual_time(policy, reconnect=AT_ONCE) as (client, server, changes):
        await client.send_text("hello")
        server.connections[0].drop()
        await client.send_audio(sing("hello"))
        await anyio.sleep(5.0)
        assert not client.is_connected
        server.policy = FAST
        await reconnected(changes)
        await anyio.sleep(0.1)
        assert kinds(server.sessions[1]) == ["session.update", "conversation.item.create"]
        assert "input_audio_buffer.append" in kinds(server.sessions[-1])


# -- the conversation -------------------------------------------------------------------------


def brain(question: Question) -> Answer:
    """Calls a tool when it is asked in writing, and says the rest."""
    if question.text == "weather?":
        return [CallFunction("weather", {"city": "London"})]
    if question.text == "write":
        return [Say("In writing.", modality="text")]
    return [Say(f"You said: {question.text}")]


async def converse(client: Client) -> None:
    """Everything that a conversation may have in it."""
    create = client.response.create
    await client.send_text("hello")
    await (await create()).done()
    await client.send_text("write")
    await (await create(output_modalities=["text"])).done()
    system = events.MessageItem(
        role="system", content=(events.ContentPart(type="input_text", text="Be kind."),)
    )
    await client.conversation.item.create(system)
    await client.send_image(PNG, "What is this?")
    await client.send_text("weather?")
    response = await create(tools=TOOLS)
    await response.done()
    call: Any = response.outputs[0].item
    await client.conversation.item.create(
        events.FunctionCallOutputItem(call_id=call.call_id, output='"rain"')
    )
    await client.send_audio(sing("spoken"))
    await client.input_audio_buffer.commit()
    await (await create()).done()


@pytest.mark.parametrize("keeps", [False, True], ids=["as text", "as audio"])
async def test_N4_the_conversation_is_what_it_was(keeps: bool) -> None:
    transcription = {"model": "whisper-1"}
    options: dict[str, Any] = {"keep_user_audio": keeps, "transcription": transcription}
    async with talking(brain=brain, **options) as (client, server, changes):
        await converse(client)
        items = client.conversation.items
        server.connections[0].drop()
        report = await reconnected(changes)
        old, new = server.sessions
        assert new.conversation.told == old.conversation.told
        assert len(new.conversation.told) == 11
        ids = [str(item.id) for item in items]
        assert [one.item_id for one in report.restored] == ids
        assert [item.id for item in client.conversation.items] == ids
        assert report.not_restored == ()
        assert report.forgotten == 0
        forms = dict(report.restored)
        spoken = ids[-2]
        assert forms[spoken] == ("whole" if keeps else "text")
        assert [forms[ids[1]], forms[ids[-1]]] == ["text", "text"]
        clips = sure(new.conversation.find(str(spoken))).clips
        assert [np.array_equal(clip.samples, sing("spoken")) for clip in clips.values()] == (
            [True] if keeps else []
        )
        await (await client.response.create()).done()
        assert new.conversation.told[-1] == ("assistant", "You said: spoken")


async def test_N4_what_cannot_be_restored_is_said_with_its_reason() -> None:
    async with talking(max_items=3) as (client, server, changes):
        for text in ("one", "two", "three"):
            await client.send_text(text)
        await client.send_audio(sing("never written down"))
        committed = await client.input_audio_buffer.commit()
        await until(lambda: client.conversation.forgotten == 1)
        server.connections[0].drop()
        report = await reconnected(changes)
        assert report.forgotten == 1
        (left,) = report.not_restored
        assert left.item_id == committed.item_id
        assert "no transcript" in left.why
        assert isinstance(left.item, events.MessageItem)
        assert [words for _, words in server.sessions[1].conversation.told] == ["two", "three"]


async def test_N4_the_report_says_where_the_new_server_does_otherwise() -> None:
    async with talking(speed=1.4, instructions="Stay.") as (client, server, changes):
        server.policy = SimulatorPolicy(pace="fast", fastest=1.1)
        server.connections[0].drop()
        report = await reconnected(changes)
        effective: Any = report.effective
        assert effective.audio.output.speed == 1.1
        assert effective.instructions == "Stay."
        assert client.session.acknowledged == effective
        assert [(one.path, one.asked, one.effective) for one in report.ignored] == [
            ("audio.output.speed", 1.4, 1.1)
        ]


async def test_N4_a_configuration_that_the_new_server_refuses_ends_the_client() -> None:
    rate = {"type": "audio/pcm", "rate": 16_000}
    policy = SimulatorPolicy(pace="fast", pcm_rates=(16_000, 24_000))
    async with talking(policy, input_format=rate) as (client, server, changes):
        server.policy = FAST
        server.connections[0].drop()
        error = await failing(reconnected(changes))
        assert isinstance(error, ReconnectFailed)
        assert isinstance(error.cause, SessionUpdateRejected)
        assert await failing(client.send_text("x")) is error
        assert len(server.handshakes) == 2


async def test_N4_what_a_group_asks_for_meanwhile_is_asked_of_the_new_connection() -> None:
    slow = Reconnect(first=0.2, longest=0.2)
    async with (
        serve(FAST) as server,
        SessionGroup(instructions="Before.") as group,
        Client(endpoint=server.url, group=group, reconnect=slow) as client,
    ):
        changes = client.connections()
        server.connections[0].drop()
        await until(lambda: not client.is_connected)
        await group.update(instructions="Meanwhile.")
        report = await reconnected(changes)
        effective: Any = report.effective
        assert effective.instructions == "Meanwhile."
        assert kinds(server.sessions[1]) == ["session.update"]


async def test_N4_a_conversation_survives_several_losses() -> None:
    async with talking(instructions="Stay.") as (client, server, changes):
        for number in range(1, 6):
            await client.send_text(f"word {number}")
            await (await client.response.create()).done()
            server.connections[-1].drop()
            report = await reconnected(changes)
            assert len(report.restored) == 2 * number
        told = [("user", f"word {n}") for n in range(1, 6)]
        said = [("assistant", f"You said: word {n}") for n in range(1, 6)]
        assert list(server.sessions[-1].conversation.told) == [
            one for pair in zip(told, said, strict=True) for one in pair
        ]
        assert server.sessions[-1].settings.session.instructions == "Stay."


async def test_N4_turns_after_a_loss_are_turns_as_before() -> None:
    async with talking(turn_detection=VAD, transcription={"model": "whisper-1"}) as (
        client,
        server,
        changes,
    ):
        responses, turns = client.responses(), client.user_turns()
        for number in range(3):
            await speak(client, f"turn {number}")
            response = await anext(responses)
            await response.done()
            assert response.transcript == f"You said: turn {number}"
            said = await (await anext(turns)).done()
            assert said.text == f"turn {number}"
            server.connections[-1].drop()
            await reconnected(changes)
        assert [heard(one) for one in server.sessions] == [
            ["turn 0"], ["turn 1"], ["turn 2"], []
        ]  # fmt: skip


# -- N13 --------------------------------------------------------------------------------------


async def test_N13_every_connection_has_a_credential_of_its_own() -> None:
    asked: list[str] = []

    async def provider() -> str:
        asked.append(f"token-{len(asked) + 1}")
        return asked[-1]

    async with serve(FAST) as server:
        endpoint = Endpoint(server.url, api_key=provider)
        async with Client(endpoint=endpoint, reconnect=AT_ONCE) as client:
            changes = client.connections()
            for number in range(3):
                server.connections[number].close(1001, "session_expired", "session_expired")
                await reconnected(changes)
        assert [hello.api_key for hello in server.handshakes] == asked == [
            f"token-{number}" for number in range(1, 5)
        ]  # fmt: skip
