"""A server that has less than others have, or that does what no server should."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from realtime_client import events
from realtime_client.events import ServerEvent
from realtime_client.simulator import Say, SimulatorPolicy, listen
from tests.simulated import Frame, Sim, audio, of, one, scripted, types

Out = Sequence[ServerEvent]


def ids(frames: list[Frame]) -> list[str]:
    return [frame["event_id"] for frame in frames]


# --- what some servers do not have -----------------------------------------------------


def test_metadata_is_echoed_in_every_resource_by_default() -> None:
    sim = Sim(pace="fast")
    for metadata in ({"key": "value"}, None):
        frames = sim.respond(metadata=metadata)
        for name in ("response.created", "response.done"):
            assert one(frames, name)["response"]["metadata"] == metadata


def test_a_server_that_echoes_no_metadata() -> None:
    questions = []

    def brain(question: object) -> list[Say]:
        questions.append(question)
        return [Say("Hi")]

    sim = Sim(brain, pace="fast", echoes_metadata=False)
    for conversation in ("auto", "none"):
        frames = sim.respond(metadata={"key": "value"}, conversation=conversation)
        for name in ("response.created", "response.done"):
            assert "metadata" not in one(frames, name)["response"]
    assert [getattr(one_, "metadata", None) for one_ in questions] == [{"key": "value"}] * 2


def test_a_server_that_has_no_out_of_band_responses() -> None:
    sim = Sim(pace="fast", out_of_band=False)
    frames = sim.send("response.create", event_id="e1", response={"conversation": "none"})
    assert types(frames) == ["error"]
    assert sim.error() == ("invalid_value", "response.conversation")
    assert frames[0]["error"]["event_id"] == "e1"
    assert sim.session.conversation.items == ()
    for conversation in ("auto", None):
        assert of(sim.respond(conversation=conversation), "response.done")


# --- tampering -------------------------------------------------------------------------


def test_events_may_go_out_as_they_are() -> None:
    asked: list[ServerEvent] = []

    def look(event: ServerEvent) -> Out:
        asked.append(event)
        return [event]

    plain, tampered = Sim(pace="fast"), Sim(pace="fast", tamper=look)
    for sim in (plain, tampered):
        sim.user_says("Hello")
        sim.respond()
        sim.respond(nonsense=1)
    assert tampered.frames == plain.frames
    assert [event.type for event in asked] == types(plain.frames)
    assert [event.event_id for event in asked if hasattr(event, "event_id")] == ids(plain.frames)


def test_a_response_that_is_never_done() -> None:
    def endless(event: ServerEvent) -> Out:
        return [] if isinstance(event, events.ResponseDone) else [event]

    sim = Sim(pace="fast", tamper=endless)
    frames = sim.respond()
    assert types(frames)[-1] == "response.output_item.done"
    # The server knows that it is over.
    assert of(sim.respond(), "response.created")


def test_a_done_without_its_created() -> None:
    def headless(event: ServerEvent) -> Out:
        return [] if isinstance(event, events.ResponseCreated) else [event]

    frames = Sim(pace="fast", tamper=headless).respond()
    assert types(frames)[0] == "response.output_item.added"
    assert types(frames)[-1] == "response.done"


def test_status_details_as_a_string_and_no_usage() -> None:
    def like_xai(event: ServerEvent) -> Out:
        if not isinstance(event, events.ResponseDone):
            return [event]
        bare = replace(event.response, status_details="completed", usage=events.UNSET)
        return [replace(event, response=bare)]

    response = one(Sim(pace="fast", tamper=like_xai).respond(), "response.done")["response"]
    assert response["status_details"] == "completed"
    assert "usage" not in response
    assert response["status"] == "completed"


def test_a_true_duplicate_has_one_id() -> None:
    def twice(event: ServerEvent) -> Out:
        return [event, event] if isinstance(event, events.ResponseDone) else [event]

    frames = Sim(pace="fast", tamper=twice).respond()
    first, second = of(frames, "response.done")
    assert first == second
    assert len(set(ids(frames))) == len(frames) - 1


def test_an_event_held_back_keeps_its_id() -> None:
    held: list[ServerEvent] = []

    def end_before_beginning(event: ServerEvent) -> Out:
        if isinstance(event, events.ResponseCreated):
            held.append(event)
            return []
        if isinstance(event, events.ResponseDone):
            return [event, held.pop()]
        return [event]

    plain = Sim(pace="fast").respond()
    frames = Sim(pace="fast", tamper=end_before_beginning).respond()
    assert frames == [*plain[1:], plain[0]]
    assert types(frames)[-2:] == ["response.done", "response.created"]


def test_a_delta_after_the_end() -> None:
    last: list[ServerEvent] = []

    def late(event: ServerEvent) -> Out:
        if isinstance(event, events.ResponseOutputAudioDelta):
            last[:] = [event]
        return [event, *last] if isinstance(event, events.ResponseDone) else [event]

    frames = Sim(pace="fast", tamper=late).respond()
    assert types(frames)[-2:] == ["response.done", "response.output_audio.delta"]
    assert frames[-1] == of(frames, "response.output_audio.delta")[-2]


def test_an_invented_event_gets_an_id_of_its_own() -> None:
    def invent(event: ServerEvent) -> Out:
        if not isinstance(event, events.ResponseOutputAudioDelta):
            return [event]
        elsewhere = replace(event, item_id="item_unknown", event_id=events.UNSET)
        return [elsewhere, replace(event, content_index=7, event_id="mine"), event]

    sim = Sim(scripted([Say("Hi")]), pace="fast", tamper=invent)
    deltas = of(sim.respond(), "response.output_audio.delta")
    assert len(deltas) % 3 == 0
    assert {delta["item_id"] for delta in deltas[::3]} == {"item_unknown"}
    assert {delta["content_index"] for delta in deltas[1::3]} == {7}
    assert {delta["event_id"] for delta in deltas[1::3]} == {"mine"}
    assert listen(audio(deltas[2::3]), 24_000).text == "Hi"
    rest = [frame for frame in sim.frames if frame["event_id"] != "mine"]
    assert len(set(ids(rest))) == len(rest)


def test_refusals_and_the_beginning_can_be_tampered_with() -> None:
    sim = Sim(pace="fast", tamper=lambda event: [])
    assert sim.frames == []
    assert sim.respond(nonsense=1) == []


def test_late_events_are_tampered_with_as_well() -> None:
    sim = Sim(
        pace="fast",
        update_after=1.0,
        tamper=lambda event: [] if isinstance(event, events.SessionUpdated) else [event],
    )
    assert sim.update(instructions="Hi") == []
    assert sim.run(2) == []


def test_a_policy_with_tampering_is_a_value_like_any_other() -> None:
    def silent(event: ServerEvent) -> Out:
        return []

    assert SimulatorPolicy(tamper=silent) == SimulatorPolicy(tamper=silent)
    assert len({SimulatorPolicy(tamper=silent), SimulatorPolicy()}) == 2
