"""No byte twice, none to somebody else, and everything ends: under any order of events.

The client side is the real core with its audience, frame by frame, without a socket. Several
responses run at once: ours, ours given up, ours cancelled, the server's own, another party's.
A network permutes, repeats, drops and delays what the server says, and time passes.
"""

from __future__ import annotations

import gc
import itertools
import math
import random
import weakref
from collections import Counter
from typing import Any

import anyio
import pytest

from realtime_client.audience import Audience
from realtime_client.creates import METADATA_KEY
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConversationBusy,
    ResponseAbandoned,
    ResponseRejected,
    ResponseWithdrawn,
)
from realtime_client.events import (
    ResponseCreate,
    ResponseCreateParams,
    ResponseOutputAudioDelta,
)
from realtime_client.frames import Happened
from realtime_client.lives import ResponseRecord, State, WhenBusy
from realtime_client.machines import Limits
from realtime_client.outcome import Outcome
from realtime_client.protocol import Protocol
from realtime_client.response import Response
from realtime_client.router import OVER
from realtime_client.streams import Once
from realtime_client.verdicts import DELTAS, Verdict
from realtime_client.watches import Waiter
from tests import wire
from tests.schedules import Author, Network, Script, Weather, initiator, owner
from tests.test_response import Nobody

NONCE = "n"
PATIENCE = 30.0
FAIR_END = (ResponseRejected, AcknowledgementTimeout, ResponseAbandoned, ResponseWithdrawn)
WEATHERS = (
    Weather(),
    Weather(duplicate=15, garbage=5),
    Weather(reorder=30),
    Weather(drop=10),
    Weather(reorder=20, duplicate=15, drop=10, garbage=5),
)
NAMES = ("unique", "unique", "constant", "by kind", "null", "none")
DIALECTS = (GA, GA, GA, Dialect("plain", echoes_metadata=False))


class Core(Protocol):
    """A core that remembers which outcomes it gave."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.given: list[Outcome] = []

    def outcomes(self) -> list[Outcome]:
        ended = super().outcomes()
        self.given += ended
        return ended


class Schedule:
    """One order of events."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.now = 0.0
        self.weather = rng.choice(WEATHERS)
        self.dialect = rng.choice(DIALECTS)
        limits = Limits(patience=PATIENCE)
        self.core = Core(nonce=NONCE, now=0.0, limits=limits, dialect=self.dialect)
        self.audience = Audience(Nobody())
        # Where ids name nothing, nobody can tell a repetition.
        self.author = Author(rng, "unique" if self.weather.duplicate else rng.choice(NAMES))
        self.network = Network(rng, self.weather)
        self.scripts: dict[str, Script] = {}
        self.callers: dict[str, Waiter] = {}
        self.gone: set[str] = set()
        """Callers who have given up."""
        self.gone_late: set[str] = set()
        """Callers who have given up with their handle in reach."""
        self.watched: set[str] = set()
        """Responses that were seen by whoever watches all of them."""
        self.touched: set[str] = set()
        """Responses that were cancelled, by whomever."""
        self.records: dict[int, ResponseRecord] = {}
        self.handles: dict[str, Response] = {}
        """Those that somebody holds."""
        self.strayed: set[str] = set()
        """Responses that were said to have what they have not."""
        self.late: list[tuple[float, Script]] = []
        """Responses that begin when their callers have been told that they will not."""
        self.told: dict[str, list[str]] = {}
        """The sound of each response that was not discarded."""
        self.exact = 0
        """How many were heard byte for byte."""
        self.watch: Once[Response] | None = None
        self.receive(wire.frame("session.created", session=wire.session()))
        self.core.given.clear()
        if rng.random() < 0.5:
            self.watch = self.audience.watches.new_responses()

    # -- what can happen ----------------------------------------------------------------------

    def step(self) -> None:
        actions = [self.deliver, self.ask, self.start, self.wait, self.cancel, self.leave]
        actions += [self.leave_late, self.look_away, self.stray]
        self.rng.choices(actions, weights=[70, 10, 3, 4, 3, 3, 2, 1, 1])[0]()
        self.pass_on()

    def deliver(self) -> None:
        for _ in range(self.rng.randint(1, 8)):
            frame = self.network.take()
            if frame is not None:
                self.receive(frame)

    def receive(self, raw: bytes) -> None:
        """A frame reaches the core, and everybody whom it concerns."""
        happened = self.core.receive(raw, self.now)
        record = happened.response
        if record is not None:
            assert record.id == owner(raw)
            self.check_route(record, happened)
        self.audience.tell(happened, self.now)
        self.settle()

    def check_route(self, record: ResponseRecord, happened: Happened) -> None:
        """Whose event it is, and whether he is told of it."""
        self.records[id(record)] = record
        assert record.id is not None
        if self.dialect.echoes_metadata:
            assert record.initiator == initiator(self.scripts[record.id], NONCE)
        if happened.verdict is Verdict.DUPLICATE:
            return
        told = happened.verdict is Verdict.DELIVERED
        item_id = getattr(happened.event, "item_id", None)
        if type(happened.event) in DELTAS and item_id in record.finished:
            assert not told, "its item is over"
        elif record.cancel_id is None:
            assert told or not record.created
        elif type(happened.event) in DELTAS:
            assert not told
        if record.initiator == "client" and record.asked is None:
            assert not told, "it is late"
        if told and isinstance(happened.event, ResponseOutputAudioDelta):
            self.told.setdefault(record.id, []).append(happened.event.delta.decode())

    def check_deadline(self) -> None:
        """Nobody is kept waiting: the next deadline is never later than anybody's."""
        router = self.core.router
        begun = [router.find(response_id) for response_id in router.active]
        records = [record for record in (*begun, *router.creates) if record is not None]
        needed = [record.heard + PATIENCE for record in records]
        needed += [one.asked.expires for one in records if one.asked and one.has_caller]
        needed += [one.retry_at for one in records if one.retry_at > self.now]
        assert (self.core.next_deadline() or math.inf) <= min(needed, default=math.inf)

    def settle(self) -> None:
        """What the shell does after every verb of the core."""
        self.audience.settle(self.core)
        self.audience.tell_notes(self.core)
        for event_id, waiter in self.callers.items():
            answer = waiter.outcome.answer if waiter.outcome is not None else None
            if isinstance(answer, Response) and event_id not in self.gone | self.gone_late:
                self.handles[answer.id] = answer
        if self.watch is not None:
            while self.watch._items:
                response = self.watch._items.popleft()
                self.watch.held -= 1
                self.watched.add(response.id)
                self.handles[response.id] = response
        self.check_deadline()

    def ask(self) -> None:
        when_busy: WhenBusy = self.rng.choice(["wait", "wait", "interrupt", "fail", "send"])
        where = self.rng.choice(["auto", "auto", "none"])
        params = ResponseCreateParams(conversation=where, metadata={"mine": "1"})
        timeout = self.rng.choice([math.inf, math.inf, 5.0, 20.0])
        command = ResponseCreate(response=params)
        try:
            event_id = self.core.respond(
                command, now=self.now, when_busy=when_busy, timeout=timeout
            )
        except ConversationBusy:
            assert when_busy == "fail"
            return
        self.callers[event_id] = self.audience.waiting[event_id] = Waiter()
        self.settle()

    def start(self) -> None:
        """The server, or another party, starts a response."""
        metadata = self.rng.choice([None, {}, {METADATA_KEY: "other-1"}, {METADATA_KEY: 7}])
        self.run(self.author.write(metadata, out_of_band=False))

    def wait(self) -> None:
        self.now += self.rng.choice([0.1, 1.0, 4.0, 16.0])
        self.keep_time()

    def keep_time(self) -> None:
        """Somebody looks at the clock, perhaps before it is time."""
        due = [script for when, script in self.late if when <= self.now]
        self.late = [(when, script) for when, script in self.late if when > self.now]
        for script in due:
            self.run(script)
        self.core.on_deadline(self.now)
        self.settle()
        deadline = self.core.next_deadline()
        assert deadline is None or deadline > self.now, "it would be asked again and again"

    def cancel(self) -> None:
        router = self.core.router
        begun = [router.find(response_id) for response_id in router.active]
        records = [record for record in (*begun, *router.creates) if record is not None]
        if records:
            record = self.rng.choice(records)
            self.core.cancel(record, self.now)
            self.settle()

    def leave(self) -> None:
        """A caller gives up: he has not got his handle."""
        waiting = [name for name in self.callers if name in self.audience.waiting]
        if waiting:
            event_id = self.rng.choice(waiting)
            self.gone.add(event_id)
            del self.audience.waiting[event_id]
            heard = bool(self.audience.watches.responses)
            self.core.give_up(event_id, self.now, heard=heard)
            self.settle()

    def leave_late(self) -> None:
        """A caller gives up in the moment in which he gets his handle: he does not hold it."""
        answered = [
            (name, waiter.outcome.answer)
            for name, waiter in self.callers.items()
            if waiter.outcome is not None and waiter.outcome.error is None
            if not waiter.outcome.answer._outputs.ended
        ]
        if answered:
            event_id, handle = self.rng.choice(answered)
            if self.rng.random() < 0.5:
                self.look_away()
            if handle.id not in self.watched:
                self.handles.pop(handle.id, None)
            self.gone_late.add(event_id)
            heard = bool(self.audience.watches.responses)
            self.core.give_up(event_id, self.now, heard=heard)
            self.settle()

    def look_away(self) -> None:
        """Whoever watches all responses stops, and keeps those that he has."""
        self.watch = None

    def stray(self) -> None:
        """The server says something of a response that does not fit it."""
        if self.weather.garbage and self.scripts:
            script = self.rng.choice(list(self.scripts.values()))
            self.network.spoiled.add(script.id)
            self.strayed.add(script.id)
            self.receive(self.author.stray(script))

    # -- the server ---------------------------------------------------------------------------

    def run(self, script: Script) -> None:
        self.scripts[script.id] = script
        self.network.put(script.id, script.frames)

    def pass_on(self) -> None:
        """What the core wants to say reaches the server."""
        for frame in self.core.data_to_send():
            command = wire.read(frame.raw)
            if command["type"] == "response.create":
                self.on_create(command)
            elif command["type"] == "response.cancel":
                self.on_cancel(command)

    def on_create(self, command: dict[str, Any]) -> None:
        mood = self.rng.choices(
            ["answer", "no beginning", "late", "busy", "refuse", "deaf"],
            weights=[80, 4, 5, 6, 3, 4],
        )[0]
        event_id, params = command["event_id"], command["response"]
        assert params["metadata"].keys() == {"mine", METADATA_KEY}
        if mood == "deaf":
            return
        if mood in ("busy", "refuse"):
            code = "conversation_already_has_active_response" if mood == "busy" else "invalid_value"
            self.network.put("", [wire.error(event_id, code)])
            return
        out_of_band = params["conversation"] == "none"
        beginning = mood != "no beginning"
        echo = params["metadata"] if self.dialect.echoes_metadata else None
        script = self.author.write(echo, out_of_band=out_of_band, beginning=beginning)
        if mood == "late":
            self.late.append((self.now + PATIENCE + 1.0, script))
        else:
            self.run(script)
        if not beginning:
            self.network.spoiled.add(script.id)

    def on_cancel(self, command: dict[str, Any]) -> None:
        response_id = command["response_id"]
        script = self.scripts[response_id]
        assert response_id not in self.touched, "cancelled twice"
        self.touched.add(response_id)
        mood = self.rng.choice(["end", "end", "end", "deaf", "refuse"])
        if mood == "deaf":
            return
        if mood == "end" and self.network.cut(response_id, self.rng.randint(0, 14)):
            self.network.put(response_id, [self.author.end(script, "cancelled")])
        else:
            error = wire.error(command["event_id"], "response_cancel_not_active")
            self.network.put("", [error])

    # -- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Everything arrives, and all the time that anybody waits for passes."""
        for _ in range(1_000):
            while self.network:
                self.deliver()
                self.pass_on()
            times = [when for when, _ in self.late]
            times += [when for when in (self.core.next_deadline(),) if when is not None]
            if not times:
                break
            self.now = max(self.now, min(times))
            self.keep_time()
            self.pass_on()
        assert self.core.next_deadline() is None
        assert not self.network

    def check(self) -> None:
        self.check_callers()
        self.check_empty()
        for handle in self.handles.values():
            self.check_ended(handle)

    def check_callers(self) -> None:
        given = Counter(outcome.event_id for outcome in self.core.given)
        assert given.keys() <= self.callers.keys()
        for event_id, waiter in self.callers.items():
            if event_id in self.gone:
                assert event_id not in given, "nobody waits for it"
                continue
            assert given[event_id] == 1
            assert waiter.outcome is not None
            error = waiter.outcome.error
            busy = isinstance(error, ConversationBusy)
            assert error is None or isinstance(error, FAIR_END) or busy
            assert (error is None) is isinstance(waiter.outcome.answer, Response)
        assert self.audience.waiting == {}

    def check_empty(self) -> None:
        router = self.core.router
        assert (router.active, tuple(router.creates), router.occupants) == ((), (), ())
        assert (router._by_item, router._to_cancel, router.abandoned) == ({}, [], [])
        assert router.is_idle
        assert len(router._over) <= OVER
        assert self.core._desk.open_requests == ()
        for record in self.records.values():
            assert (record.state, record.finished, record.seen) == (State.GONE, set(), {})

    def check_ended(self, handle: Response) -> None:
        streams = [stream for output in handle.outputs for stream in streams_of(output).values()]
        assert handle._outputs.ended
        assert all(stream.ended for stream in streams)
        assert all(output.ended for output in handle.outputs)

    async def listen(self) -> None:
        """What everybody who holds a handle hears of it."""
        for handle in self.handles.values():
            script = self.scripts[handle.id]
            items = {item.id: item for item in script.items}
            heard = {output.id: await listen_to(output) for output in handle.outputs}
            assert len(heard) == len(handle.outputs)
            for output in handle.outputs:
                assert output.id in items or handle.id in self.strayed
                check_parts(output)
                in_order = handle.id not in self.network.reordered | self.strayed
                for name in streams_of(output):
                    text = heard[output.id][name]
                    check_pieces(text, f"{handle.id}/{output.id}/", in_order=in_order)
            if handle.id not in self.network.reordered | self.strayed:
                sound = [pieces_of(streams["audio"]) for streams in heard.values()]
                told = "".join(self.told.get(handle.id, []))
                assert Counter(itertools.chain(*sound)) == Counter(pieces_of(told))
            spoiled = handle.id in self.network.spoiled | self.touched
            if not spoiled and handle.status == "completed" and handle._outputs._error is None:
                assert heard == {item.id: said(item, script.frames) for item in script.items}
                self.exact += 1


def streams_of(output: Any) -> dict[str, Any]:
    """The streams of an output that have an end."""
    texts = {"transcript": output.transcript, "text": output.text}
    if hasattr(output, "arguments"):
        texts["arguments"] = output.arguments
    return {"audio": output.audio} | {name: text._deltas for name, text in texts.items()}


async def listen_to(output: Any) -> dict[str, str]:
    """All that an output says, by stream."""
    heard: dict[str, str] = {}
    for name, stream in streams_of(output).items():
        pieces: list[Any] = []
        try:
            async for piece in stream:
                pieces.append(piece)  # noqa: PERF401 - what came before an error counts
        except ResponseAbandoned:
            heard["error"] = "it never ended"
        heard[name] = b"".join(pieces).decode() if name == "audio" else "".join(pieces)
    return heard


def pieces_of(text: str) -> list[str]:
    return [piece for piece in text.split(";") if piece]


def check_pieces(text: str, where: str, *, in_order: bool) -> None:
    """Every piece is for this output, is there once, and those of a part are in order."""
    pieces = pieces_of(text)
    assert all(piece.startswith(where) for piece in pieces)
    assert len(set(pieces)) == len(pieces)
    if in_order:
        places = [tuple(piece.split("/")[2:]) for piece in pieces]
        parts = list(dict.fromkeys(part for part, _ in places))
        assert places == sorted(places, key=lambda place: (parts.index(place[0]), place[1]))


def check_parts(output: Any) -> None:
    """No part of a text has a piece of another part."""
    for text in (output.transcript, output.text):
        for index, words in text._parts.items():
            assert all(piece.split("/")[2] == str(index) for piece in pieces_of(words))


def said(item: Any, frames: list[bytes]) -> dict[str, str]:
    """What an item says, stream by stream: each part whole, in the order of the first pieces."""
    streams: dict[str, dict[int, str]] = {"audio": {}, "transcript": {}, "text": {}}
    if item.kind != "message":
        streams["arguments"] = {}
    names = {
        "response.output_audio.delta": "audio",
        "response.output_audio_transcript.delta": "transcript",
        "response.output_text.delta": "text",
        "response.function_call_arguments.delta": "arguments",
        "response.mcp_call_arguments.delta": "arguments",
    }
    for raw in frames:
        event = wire.read(raw)
        if event["type"] in names and event["item_id"] == item.id:
            index = event.get("content_index", 0)
            streams[names[event["type"]]].setdefault(index, item.parts[index].whole)
    return {name: "".join(parts.values()) for name, parts in streams.items()}


async def play(seed: int) -> Schedule:
    schedule = Schedule(seed)
    for _ in range(80):
        schedule.step()
    schedule.finish()
    schedule.check()
    await schedule.listen()
    return schedule


async def play_all(seeds: range) -> Counter[str]:
    """Play schedules; returns what happened in them all together."""
    seen: Counter[str] = Counter()
    alive: list[weakref.ref[Response]] = []
    for seed in seeds:
        try:
            schedule = await play(seed)
        except BaseException:
            print(f"the schedule of seed {seed} went wrong")
            raise
        alive += [weakref.ref(handle) for handle in schedule.handles.values()]
        seen.update(outcomes_of(schedule))
        del schedule
    gc.collect()
    assert [ref() for ref in alive if ref() is not None] == []
    return seen


def outcomes_of(schedule: Schedule) -> Counter[str]:
    ends = (waiter.outcome for waiter in schedule.callers.values())
    seen = Counter(type(end.error or end.answer).__name__ for end in ends if end)
    verdicts = {name: sum(some.values()) for name, some in schedule.core.router.stats.items()}
    records = schedule.records.values()
    late = sum(one.initiator == "client" and one.asked is None for one in records)
    initiators = (handle.initiator for handle in schedule.handles.values())
    return seen + Counter(verdicts) + Counter(initiators) + Counter(exact=schedule.exact, late=late)


EVERYTHING = {
    "Response",
    "AcknowledgementTimeout",
    "ConversationBusy",
    "ResponseAbandoned",
    "ResponseRejected",
    "ResponseWithdrawn",
    "client",
    "delivered",
    "discarded",
    "duplicate",
    "exact",
    "late",
    "orphan",
    "other",
    "server",
}
"""What has to have happened, or the schedules are about less than they seem to be."""


@pytest.mark.parametrize("block", range(3))
def test_schedules(block: int) -> None:
    seen = anyio.run(play_all, range(block * 150, (block + 1) * 150))
    assert {name for name, count in seen.items() if count} >= EVERYTHING, seen


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_schedules() -> None:
    start = random.SystemRandom().randrange(10**9)
    print(f"seeds from {start}")
    for first in range(start, start + 10_000, 500):
        anyio.run(play_all, range(first, first + 500))
