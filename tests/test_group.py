"""One configuration, many live clients: each compares it with what its own server has."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from realtime_client import (
    Client,
    Disconnected,
    Reconnect,
    Reconnected,
    Rollover,
    SessionGroup,
    TransportClosed,
    events,
    tool,
)
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.errors import (
    AcknowledgementTimeout,
    ClientClosed,
    ConfigDrift,
    ConnectFailed,
    ConnectionLost,
    InvalidConfig,
    RealtimeError,
    ReconnectFailed,
    SessionUpdateRejected,
    UsageError,
)
from realtime_client.leaves import Path, leaves
from realtime_client.simulator import MemoryServer, SimulatedSession, SimulatorPolicy
from realtime_client.simulator.memory import MemoryTransport
from realtime_client.streams import Once
from tests.scenarios import plain
from tests.test_scenarios_config_callers import virtual

URL = "ws://localhost/v1/realtime"
VAD: Path = ("audio", "input", "turn_detection")
NOISE: Path = ("audio", "input", "noise_reduction")
SPEED: Path = ("audio", "output", "speed")
VOICE: Path = ("audio", "output", "voice")
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}

CHANGES: list[tuple[dict[str, Any], Path, Any]] = [
    # C1's list: (what the group is told, where it shows, what every server then has)
    ({"voice": "marin"}, VOICE, "marin"),
    ({"speed": 1.25}, SPEED, 1.25),
    (
        {"turn_detection": events.ServerVad(threshold=0.7, silence_duration_ms=700)},
        VAD,
        {
            "type": "server_vad",
            "threshold": 0.7,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 700,
            "idle_timeout_ms": None,
            "create_response": True,
            "interrupt_response": True,
        },
    ),
    (
        {"transcription": "whisper-1"},
        ("audio", "input", "transcription"),
        {"model": "whisper-1", "language": None, "prompt": None},
    ),
    ({"noise_reduction": "near_field"}, NOISE, {"type": "near_field"}),
    ({"tool_choice": "required"}, ("tool_choice",), "required"),
    ({"tracing": "auto"}, ("tracing",), "auto"),
    ({"max_output_tokens": 512}, ("max_output_tokens",), 512),
    (
        {"truncation": events.RetentionRatio(retention_ratio=0.8)},
        ("truncation",),
        {"type": "retention_ratio", "retention_ratio": 0.8},
    ),
    ({"instructions": "Be brief."}, ("instructions",), "Be brief."),
    ({"tools": [FUNCTION]}, ("tools",), [FUNCTION]),
]


def server(**policy: Any) -> MemoryServer:
    return MemoryServer(SimulatorPolicy(pace="fast", **policy), closed=TransportClosed)


def client(where: MemoryServer, group: SessionGroup, **options: Any) -> Client:
    return Client(endpoint=URL, connect=where.connect, group=group, **options)


def held(session: SimulatedSession) -> Mapping[Path, Any]:
    """What a simulated server has, by leaves."""
    return leaves(plain(session.settings.session))


def updates(session: SimulatedSession) -> list[Mapping[Path, Any]]:
    """The updates that a simulated server has received, by leaves, without the type."""
    found = [
        leaves(plain(event.session))
        for event in session.received
        if isinstance(event, events.SessionUpdate)
    ]
    assert len(found) == len(session.received), "something else than updates was sent"
    return [{path: one[path] for path in one if path != ("type",)} for one in found]


@contextlib.asynccontextmanager
async def live(
    where: MemoryServer, group: SessionGroup, count: int, **options: Any
) -> AsyncIterator[list[Client]]:
    """Many clients, each in a task of its own, as bots are."""

    async def run(task_status: TaskStatus[Client]) -> None:
        async with client(where, group, **options) as one:
            task_status.started(one)
            await stop.wait()

    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        yield [await tasks.start(run) for _ in range(count)]
        stop.set()


# -- every option, every client ---------------------------------------------------------------


@pytest.mark.parametrize("count", [pytest.param(50), pytest.param(1_000, marks=[pytest.mark.long])])
async def test_every_option_changes_in_every_live_session_with_one_update_each(count: int) -> None:
    """C1, and Done-when 3."""
    where, group = server(), SessionGroup()
    async with live(where, group, count) as clients:
        assert group.clients == tuple(clients)
        for number, (change, path, expected) in enumerate(CHANGES, 1):
            assert all(held(session)[path] != expected for session in where.sessions)
            outcomes = await group.update(**change, timeout=60)
            assert list(outcomes) == clients
            for outcome in outcomes.values():
                assert isinstance(outcome, Acknowledgement)
                assert (outcome.changed, outcome.ignored) == ((".".join(path),), ())
            for session in where.sessions:
                sent = updates(session)
                assert len(sent) == number
                assert list(sent[-1]) == [path], "an update touches what it names"
        for session in where.sessions:
            for _, path, expected in CHANGES:
                assert held(session)[path] == expected
        for one in clients:
            theirs: dict[Path, Any] = {
                ("id",): one.session.id,
                ("expires_at",): one.session.expires_at,
            }
            acknowledged = leaves(plain(one.session.acknowledged))
            assert acknowledged == {**held(where.sessions[0]), **theirs}


async def test_all_clients_are_updated_at_the_same_time() -> None:
    where, group = server(update_after=0.05), SessionGroup()
    async with live(where, group, 20):
        began = anyio.current_time()
        await group.update(speed=1.5)
        assert anyio.current_time() - began < 20 * 0.05 / 2


# -- entering and leaving ---------------------------------------------------------------------


async def test_entering_applies_the_groups_fields_under_the_clients_own() -> None:
    where = server()
    group = SessionGroup(
        speed=1.5,
        instructions="Ours.",
        turn_detection={"type": "server_vad", "threshold": 0.9, "silence_duration_ms": 700},
    )
    own = {"instructions": "Mine.", "turn_detection": {"type": "server_vad", "threshold": 0.1}}
    async with client(where, group, **own):
        now = held(where.sessions[0])
        assert (now[SPEED], now[("instructions",)]) == (1.5, "Mine.")
        assert now[VAD]["threshold"] == 0.1
        assert now[VAD]["silence_duration_ms"] == 700
        assert len(updates(where.sessions[0])) == 1
    async with client(where, group):
        now = held(where.sessions[1])
        assert (now[SPEED], now[("instructions",)]) == (1.5, "Ours.")
        assert now[VAD]["threshold"] == 0.9


async def test_a_client_without_a_difference_sends_nothing() -> None:
    where, group = server(), SessionGroup(speed=1.0, tracing=None)
    async with client(where, group) as one:
        assert updates(where.sessions[0]) == []
        outcomes = await group.update(speed=1.0)
        assert updates(where.sessions[0]) == []
        outcome = outcomes[one]
        assert isinstance(outcome, Acknowledgement)
        assert outcome.changed == ()


async def test_clients_that_come_later_get_the_current_values() -> None:
    where, group = server(), SessionGroup(speed=1.5, instructions="First.")
    async with client(where, group):
        await group.update(speed=0.5, turn_detection=None)
        async with client(where, group, tool_choice="none"):
            now = held(where.sessions[1])
            assert (now[SPEED], now[VAD], now[("instructions",)]) == (0.5, None, "First.")
            assert len(updates(where.sessions[1])) == 1
        await group.update(instructions="Second.")
    async with client(where, group):
        now = held(where.sessions[2])
        assert (now[SPEED], now[VAD], now[("instructions",)]) == (0.5, None, "Second.")


async def test_parts_of_a_leaf_add_up_for_those_who_come_later() -> None:
    where, group = server(), SessionGroup(turn_detection={"type": "server_vad", "threshold": 0.9})
    await group.update(turn_detection={"type": "server_vad", "silence_duration_ms": 900})
    async with client(where, group):
        vad = held(where.sessions[0])[VAD]
        assert (vad["threshold"], vad["silence_duration_ms"]) == (0.9, 900)
    assert group.config == {
        "type": "realtime",
        "audio": {
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.9,
                    "silence_duration_ms": 900,
                }
            }
        },
    }


async def test_clients_are_public_in_the_order_in_which_they_entered() -> None:
    where, group = server(), SessionGroup()
    assert not group.clients
    async with client(where, group) as first:
        async with client(where, group) as second:
            assert list(group.clients) == [first, second]
        assert list(group.clients) == [first]
        assert list(await group.update(speed=1.1)) == [first]
        assert held(where.sessions[1])[SPEED] == 1.0
    assert not group.clients
    assert await group.update(speed=1.2) == {}


async def test_a_client_is_not_live_before_it_enters() -> None:
    where, group = server(), SessionGroup()
    client(where, group)
    assert not group.clients


@pytest.mark.parametrize("why", ["connect", "rejected", "cancelled"])
async def test_a_client_whose_opening_failed_is_not_live(why: str) -> None:
    where, group = server(), SessionGroup(input_format={"type": "audio/pcm", "rate": 16_000})

    @contextlib.asynccontextmanager
    async def connect(url: str, headers: Mapping[str, str]) -> AsyncIterator[MemoryTransport]:
        assert len(group.clients) == 1
        if why == "connect":
            raise ConnectFailed("no")
        if why == "cancelled":
            scope.cancel()
            await anyio.sleep_forever()
        async with where.connect(url, headers) as transport:
            yield transport

    kinds = {"connect": ConnectFailed, "rejected": SessionUpdateRejected}
    expected = pytest.raises(kinds[why]) if why in kinds else contextlib.nullcontext()
    with anyio.CancelScope() as scope, expected:
        async with Client(endpoint=URL, connect=connect, group=group):
            pytest.fail("it must not open")
    assert not group.clients


async def test_a_block_that_raises_leaves_the_group() -> None:
    where, group = server(), SessionGroup()
    with pytest.raises(KeyError):
        async with client(where, group):
            raise KeyError
    assert not group.clients


async def test_leaving_the_groups_block_forgets_the_clients_and_closes_none() -> None:
    where = server()
    group = SessionGroup(speed=1.5)
    async with group:
        one = client(where, group)
        await one.__aenter__()
        assert list(group.clients) == [one]
    assert not group.clients
    await one.session.update(speed=0.5)
    assert held(where.sessions[0])[SPEED] == 0.5
    await one.__aexit__(None, None, None)


# -- an update while somebody is on the way in or out -----------------------------------------


class Door:
    """A way to the server that stays shut until it is opened."""

    def __init__(self, where: MemoryServer) -> None:
        self._where = where
        self.knocked = anyio.Event()
        self.open = anyio.Event()

    @contextlib.asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[MemoryTransport]:
        self.knocked.set()
        await self.open.wait()
        async with self._where.connect(url, headers) as transport:
            yield transport


async def test_an_update_during_the_opening_of_a_client_is_not_missed() -> None:
    where, group = server(), SessionGroup(speed=1.5, instructions="First.")
    door, outcomes, stop = Door(where), {}, anyio.Event()

    async def enter() -> None:
        async with Client(endpoint=URL, connect=door.connect, group=group):
            await stop.wait()

    async def update() -> None:
        outcomes.update(await group.update(speed=0.5))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enter)
        await door.knocked.wait()
        (entering,) = group.clients
        tasks.start_soon(update)
        await anyio.wait_all_tasks_blocked()
        assert outcomes == {}
        door.open.set()
        await anyio.wait_all_tasks_blocked()
        assert isinstance(outcomes[entering], Acknowledgement)
        now = held(where.sessions[0])
        assert (now[SPEED], now[("instructions",)]) == (0.5, "First.")
        stop.set()


async def test_an_update_does_not_wait_for_a_client_whose_opening_fails() -> None:
    where, group = server(), SessionGroup(speed=1.5)
    door, outcomes = Door(where), {}

    async def enter() -> None:
        with pytest.raises(ConnectFailed):
            async with Client(endpoint=URL, connect=refuse, group=group):
                pytest.fail("it must not open")

    @contextlib.asynccontextmanager
    async def refuse(url: str, headers: Mapping[str, str]) -> AsyncIterator[MemoryTransport]:
        await door.open.wait()
        if door.open.is_set():
            raise ConnectFailed("refused")
        async with where.connect(url, headers) as transport:
            yield transport

    async def update() -> None:
        outcomes.update(await group.update(speed=0.5))

    with anyio.fail_after(5):
        async with client(where, group) as one, anyio.create_task_group() as tasks:
            tasks.start_soon(enter)
            await anyio.wait_all_tasks_blocked()
            _, other = group.clients
            tasks.start_soon(update)
            await anyio.wait_all_tasks_blocked()
            door.open.set()
    assert isinstance(outcomes[one], Acknowledgement)
    assert isinstance(outcomes[other], ConnectFailed)
    assert held(where.sessions[0])[SPEED] == 0.5


async def test_a_client_that_leaves_during_an_update_ends_its_part_of_it() -> None:
    where, group = server(no_answer=frozenset({1})), SessionGroup()
    outcomes: dict[Client, Acknowledgement | RealtimeError] = {}

    async def update() -> None:
        outcomes.update(await group.update(speed=0.5))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, client(where, group) as one:
            tasks.start_soon(update)
            await anyio.wait_all_tasks_blocked()
            assert outcomes == {}
    assert isinstance(outcomes[one], ClientClosed)


# -- each client its own outcome --------------------------------------------------------------


async def test_one_that_fails_does_not_stop_the_others() -> None:
    fine, slow, mute = server(), server(update_after=0.01), server(no_answer=frozenset({1}))
    other_rate = server(pcm_rates=(16_000, 24_000))
    group = SessionGroup()
    format_: Any = {"type": "audio/pcm", "rate": 16_000}
    async with (
        client(fine, group) as rejected,
        client(mute, group) as silent,
        client(slow, group) as also_rejected,
        client(other_rate, group) as accepted,
    ):
        outcomes = await group.update(input_format=format_, timeout=1.0)
        assert list(outcomes) == [rejected, silent, also_rejected, accepted]
        for one in (rejected, also_rejected):
            error = outcomes[one]
            assert isinstance(error, SessionUpdateRejected)
            assert error.param == "session.audio.input.format.rate"
        error = outcomes[silent]
        assert isinstance(error, AcknowledgementTimeout)
        assert error.uncertain
        answer = outcomes[accepted]
        assert isinstance(answer, Acknowledgement)
        assert answer.changed == ("audio.input.format",)
    assert held(other_rate.sessions[0])[("audio", "input", "format")] == format_


async def test_what_one_server_has_fixed_is_refused_for_that_client_alone() -> None:
    where, group = server(), SessionGroup()
    async with client(where, group) as spoken, client(where, group) as silent:
        response = await spoken.response.create()
        await response.done()
        outcomes = await group.update(voice="marin")
        assert isinstance(outcomes[spoken], InvalidConfig)
        assert isinstance(outcomes[silent], Acknowledgement)
        assert held(where.sessions[0])[VOICE] == "alloy"
        assert held(where.sessions[1])[VOICE] == "marin"


async def test_drift_is_each_servers_own_and_strict_makes_it_an_error() -> None:
    slow, fast, group = server(fastest=1.2), server(), SessionGroup()
    async with client(slow, group) as clamped, client(fast, group) as exact:
        outcomes = await group.update(speed=1.5)
        answer = outcomes[clamped]
        assert isinstance(answer, Acknowledgement)
        assert [tuple(one) for one in answer.ignored] == [("audio.output.speed", 1.5, 1.2)]
        outcomes = await group.update(speed=1.4, strict=True)
        assert isinstance(outcomes[clamped], ConfigDrift)
        assert isinstance(outcomes[exact], Acknowledgement)


async def test_a_clamped_answer_does_not_take_until_the_timeout() -> None:
    where, group = server(fastest=1.2), SessionGroup()
    async with client(where, group):
        with anyio.fail_after(5):  # half of what the time-out would take
            await group.update(speed=1.5)


async def test_a_retry_reaches_those_who_failed_and_sends_nothing_to_the_others() -> None:
    """As in C3: a value that the group has already is not "no difference"."""
    unsure, fine, group = server(no_answer=frozenset({1})), server(), SessionGroup()
    async with client(unsure, group) as first, client(fine, group) as second:
        with anyio.fail_after(5):  # the default would be ten seconds
            outcomes = await group.update(speed=0.5, timeout=0.05)
        assert isinstance(outcomes[first], AcknowledgementTimeout)
        outcomes = await group.update(speed=0.5)
        assert isinstance(outcomes[first], Acknowledgement)
        assert isinstance(outcomes[second], Acknowledgement)
        assert len(updates(unsure.sessions[0])) == 2
        assert len(updates(fine.sessions[0])) == 1


async def test_what_can_never_be_is_refused_before_anybody_hears_of_it() -> None:
    where, group = server(), SessionGroup(speed=1.5)
    async with client(where, group):
        wrongs: list[Any] = [{"speed": 2.0}, {"temperature": 0.7}, {"nonsense": 1}]
        for wrong in wrongs:
            with pytest.raises(InvalidConfig):
                await group.update(**wrong)
        assert len(updates(where.sessions[0])) == 1
        assert group.config["audio"]["output"] == {"speed": 1.5}
    with pytest.raises(InvalidConfig):
        SessionGroup(speed=2.0)


# -- a client's own ---------------------------------------------------------------------------


async def test_own_overrides_survive_updates_of_other_fields() -> None:
    """C6: an unrelated group update reverted a session's own noise reduction."""
    where, group = server(), SessionGroup(noise_reduction=None, instructions="Ours.")
    async with client(where, group, noise_reduction="far_field") as one, client(where, group):
        await one.session.update(tool_choice="none")
        await group.update(speed=0.5)
        await group.update(instructions="Ours again.")
        first, second = map(held, where.sessions)
        assert first[NOISE] == {"type": "far_field"}
        assert first[("tool_choice",)] == "none"
        assert second[NOISE] is None
        assert second[("tool_choice",)] == "auto"
        assert first[SPEED] == second[SPEED] == 0.5
        assert first[("instructions",)] == second[("instructions",)] == "Ours again."
        assert [list(one) for one in updates(where.sessions[0])[-2:]] == [
            [SPEED],
            [("instructions",)],
        ]


async def test_own_parts_of_a_leaf_survive_updates_of_its_other_parts() -> None:
    where, group = server(), SessionGroup()
    own = {"type": "server_vad", "threshold": 0.9}
    async with client(where, group, turn_detection=own), client(where, group):
        await group.update(turn_detection={"type": "server_vad", "silence_duration_ms": 900})
        first, second = map(held, where.sessions)
        assert (first[VAD]["threshold"], first[VAD]["silence_duration_ms"]) == (0.9, 900)
        assert (second[VAD]["threshold"], second[VAD]["silence_duration_ms"]) == (0.5, 900)


async def test_an_update_of_the_very_field_reaches_those_who_had_their_own() -> None:
    where, group = server(), SessionGroup(speed=1.0)
    async with client(where, group, speed=1.5):
        await group.update(speed=0.5)
        assert held(where.sessions[0])[SPEED] == 0.5


async def test_each_client_compares_with_its_own_server() -> None:
    """The first one's answer makes nobody else's difference disappear."""
    where, group = server(), SessionGroup()
    async with client(where, group, speed=0.5), client(where, group), client(where, group):
        await group.update(speed=0.5)
        assert [len(updates(session)) for session in where.sessions] == [1, 1, 1]
        assert [held(session)[SPEED] for session in where.sessions] == [0.5] * 3


async def test_updates_made_without_waiting_keep_their_order() -> None:
    where, group = server(update_after=0.01), SessionGroup()
    async with live(where, group, 5):
        async with anyio.create_task_group() as tasks:
            for speed in (0.5, 0.75, 1.25):
                tasks.start_soon(partial(group.update, speed=speed))
                await anyio.lowlevel.checkpoint()
        for session in where.sessions:
            assert [one[SPEED] for one in updates(session)] == [0.5, 0.75, 1.25]


async def test_values_given_to_a_group_cannot_be_changed_from_outside() -> None:
    where = server()
    vad = {"type": "server_vad", "threshold": 0.9}
    tools: list[Any] = [dict(FUNCTION)]
    group = SessionGroup(turn_detection=vad, tools=tools)
    vad["threshold"] = 0.1
    tools.append(dict(FUNCTION))
    async with client(where, group):
        assert held(where.sessions[0])[VAD]["threshold"] == 0.9
        assert held(where.sessions[0])[("tools",)] == [FUNCTION]


async def test_the_shown_configuration_cannot_change_the_group() -> None:
    where, group = server(), SessionGroup(turn_detection={"type": "server_vad", "threshold": 0.9})
    group.config["audio"]["input"]["turn_detection"]["threshold"] = 0.1
    async with client(where, group):
        assert held(where.sessions[0])[VAD]["threshold"] == 0.9


async def test_the_shown_state_of_a_client_cannot_hide_a_difference() -> None:
    where, group = server(), SessionGroup(turn_detection={"type": "server_vad", "threshold": 0.9})
    async with client(where, group) as one:
        one.session.desired["audio"]["input"]["turn_detection"]["threshold"] = 0.1
        await group.update(turn_detection={"type": "server_vad", "threshold": 0.1})
        assert held(where.sessions[0])[VAD]["threshold"] == 0.1


async def test_a_groups_model_is_the_model_of_its_clients() -> None:
    where, group = server(), SessionGroup(session={"type": "realtime", "model": "gpt-realtime-2"})
    async with client(where, group):
        assert held(where.sessions[0])[("model",)] == "gpt-realtime-2"


def test_a_group_needs_no_event_loop() -> None:
    assert SessionGroup(speed=1.5).config == {
        "type": "realtime",
        "audio": {"output": {"speed": 1.5}},
    }
    assert SessionGroup().config == {}
    assert SessionGroup(session=events.SessionConfig(instructions="x")).clients == ()


async def test_what_every_server_refuses_is_taken_back_for_those_who_come_later() -> None:
    where, group = server(), SessionGroup(instructions="x")
    before = group.config
    refused = {"type": "audio/pcm", "rate": 16_000}
    async with client(where, group) as one:
        outcomes = await group.update(input_format=refused, instructions="y")
        assert isinstance(outcomes[one], SessionUpdateRejected)
        assert group.config == before
        async with client(where, group):
            assert held(where.sessions[1])["instructions",] == "x"


async def test_what_one_server_takes_is_kept() -> None:
    takes, refuses = server(pcm_rates=(16_000, 24_000)), server()
    group = SessionGroup()
    async with client(takes, group), client(refuses, group):
        await group.update(input_format={"type": "audio/pcm", "rate": 16_000})
        assert group.config["audio"]["input"]["format"]["rate"] == 16_000


async def test_what_is_refused_does_not_undo_what_came_after_it() -> None:
    where, group = server(late_error=0.05), SessionGroup(instructions="old")
    async with client(where, group):
        async with anyio.create_task_group() as tasks:
            refused = {"type": "audio/pcm", "rate": 16_000}
            tasks.start_soon(partial(group.update, input_format=refused, instructions="one"))
            await anyio.wait_all_tasks_blocked()
            await group.update(instructions="two")
        assert group.config["instructions"] == "two"
        assert "input" not in group.config.get("audio", {})


async def test_the_dead_have_no_vote() -> None:
    where, dying, group = server(), server(expires_after=0.0), SessionGroup()
    async with client(where, group), client(dying, group, reconnect=None) as dead:
        with pytest.raises(ConnectionLost):
            async for _ in dead.events():
                pass
        before = group.config
        outcomes = await group.update(input_format={"type": "audio/pcm", "rate": 16_000})
        assert {type(end) for end in outcomes.values()} == {SessionUpdateRejected, ReconnectFailed}
        assert group.config == before


class Held:
    """A way to a server that is closed for whoever comes again, until it is opened."""

    def __init__(self, where: MemoryServer) -> None:
        self._where = where
        self.come, self.opened = anyio.Event(), anyio.Event()

    @contextlib.asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        if self._where.sessions:
            self.come.set()
            await self.opened.wait()
        async with self._where.connect(url, headers) as transport:
            yield transport


async def reconnected(one: Client, changes: Once[Disconnected | Reconnected]) -> Reconnected:
    with anyio.fail_after(5):
        async for change in changes:
            if isinstance(change, Reconnected):
                return change
    raise AssertionError("it was not")


async def test_what_is_asked_of_all_while_one_is_being_reconnected_reaches_that_one() -> None:
    """Also where its next connection is on its way already, and knows of nothing newer."""
    where, group = server(), SessionGroup(instructions="old")
    way, again = Held(where), Reconnect(first=0.0, longest=0.0)
    async with Client(endpoint=URL, connect=way.connect, group=group, reconnect=again) as one:
        changes = one.connections()
        where.connections[0].drop()
        lost = await group.update(instructions="newer")
        await way.come.wait()
        later = await group.update(speed=1.25)
        assert [type(end) for end in (lost[one], later[one])] == [ConnectionLost] * 2
        way.opened.set()
        report = await reconnected(one, changes)
        assert isinstance(report.effective, events.SessionConfig)
        assert report.effective.instructions == "newer"
        there = held(where.sessions[1])
        assert (there["instructions",], there[SPEED]) == ("newer", 1.25)
        asked = len(updates(where.sessions[1]))
        assert asked <= 2
        await one.session.update(speed=1.25)
        assert len(updates(where.sessions[1])) == asked, "nothing is left to be asked for"
        where.connections[1].drop()
        await reconnected(one, changes)
        assert [set(one) for one in updates(where.sessions[2])] == [{("instructions",), SPEED}]


@virtual
async def test_what_was_not_answered_when_one_was_replaced_is_asked_for_again() -> None:
    swallowed: list[events.ServerEvent] = []

    def swallows(event: events.ServerEvent) -> list[events.ServerEvent]:
        newer = isinstance(event, events.SessionUpdated) and "newer" in str(event.session)
        if newer and not swallowed:
            swallowed.append(event)
            return []
        return [event]

    where, group = server(tamper=swallows), SessionGroup(instructions="old")
    at_once = Rollover(age=1.0, window=0.0)
    async with client(where, group, rollover=at_once) as one:
        changes = one.connections()
        lost = (await group.update(instructions="newer"))[one]
        assert isinstance(lost, ConnectionLost)
        assert lost.uncertain
        assert (await reconnected(one, changes)).planned
        await anyio.sleep(0.5)
        assert held(where.sessions[1])["instructions",] == "newer"


async def test_what_every_server_refuses_does_not_keep_one_from_coming_back() -> None:
    where, group = server(), SessionGroup(instructions="x")
    way, again = Held(where), Reconnect(first=0.0, longest=0.0)
    async with Client(endpoint=URL, connect=way.connect, group=group, reconnect=again) as one:
        changes = one.connections()
        where.connections[0].drop()
        await way.come.wait()
        other = server()
        async with client(other, group) as alive:
            outcomes = await group.update(input_format={"type": "audio/pcm", "rate": 16_000})
            assert isinstance(outcomes[alive], SessionUpdateRejected)
            assert isinstance(outcomes[one], ConnectionLost)
            way.opened.set()
            report = await reconnected(one, changes)
        assert isinstance(report.effective, events.SessionConfig)
        assert report.effective.instructions == "x"
        assert len(updates(where.sessions[1])) == 1


async def test_a_group_of_transcription_sessions_opens_them_as_such() -> None:
    opened: list[str] = []

    def connect(url: str, headers: Mapping[str, str]) -> Any:
        opened.append(url)
        raise ConnectFailed("this is as far as it goes")

    group = SessionGroup(session=events.TranscriptionSessionConfig(), transcription="whisper-1")
    with pytest.raises(ConnectFailed):
        async with Client(endpoint=URL, group=group, connect=connect):
            pytest.fail("it must not open")
    assert opened == [f"{URL}?intent=transcription"]
    await group.update(transcription="gpt-4o-transcribe")
    assert group.config["type"] == "transcription"


@pytest.mark.parametrize("way", ["tools", "connect"])
async def test_a_client_that_could_not_be_entered_is_not_in_its_group(way: str) -> None:
    @tool(name="same")
    async def one() -> str:
        return "1"

    @tool(name="same")
    async def other() -> str:
        return "2"

    @contextlib.asynccontextmanager
    async def nowhere(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
        if url:
            raise ConnectFailed("nobody is there")
        yield

    group = SessionGroup(instructions="G")
    options: dict[str, Any] = {"tools": [one, other]} if way == "tools" else {}
    with pytest.raises(UsageError if way == "tools" else ConnectFailed):
        async with Client(endpoint=URL, group=group, connect=nowhere, **options):
            pass
    assert group.clients == ()
    assert await group.update(instructions="H") == {}
