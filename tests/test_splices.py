"""Recorded sessions, spliced: what servers really said, in orders that hurt.

The session objects of recordings (or samples of our own, where there are none) are the words
of a scripted server. Updates are asked, and each meets a fate: accepted, clamped, rejected,
answered late, refused late, or met with silence; between them another party changes the
session. Whatever the order, `acknowledged` is the server's last word, every caller has got
exactly one outcome, which is his own, and nothing is pending.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client import Protocol, events
from realtime_client.acknowledgement import SETTLE, Acknowledgement, Notice, State
from realtime_client.codec import decode, encode
from realtime_client.errors import (
    AcknowledgementTimeout,
    RealtimeError,
    ServerError,
    SessionUpdateRejected,
)
from realtime_client.leaves import leaves
from realtime_client.outcome import Outcome
from tests import wire
from tests.simulated import RECORDINGS

Tree = dict[str, Any]

PATIENCE = 5.0
"""Seconds for which a caller waits."""


class Exchange(NamedTuple):
    """What a recorded session began with, what its client asked, and what it was told."""

    created: Tree
    asked: Tree
    updated: Tree


def _recorded(name: str) -> Exchange:
    frames = [
        msgspec.json.decode(line)["frame"] for line in (RECORDINGS / name).read_bytes().splitlines()
    ]
    frames = [msgspec.json.decode(one) if isinstance(one, str) else one for one in frames]
    (created,) = [one["session"] for one in frames if one["type"] == "session.created"]
    asked = next(one["session"] for one in frames if one["type"] == "session.update")
    updated = next(one["session"] for one in frames if one["type"] == "session.updated")
    return Exchange(created, asked, updated)


def _sample(**updated: Any) -> Exchange:
    vad = {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 300}
    created = wire.session(
        model="m", instructions="Be kind.", tools=[], tracing=None, max_output_tokens="inf"
    )
    created["audio"]["input"] |= {"turn_detection": vad, "transcription": None}
    created["audio"]["output"] |= {"speed": 1.0}
    created |= {"output_modalities": ["audio"], "tool_choice": "auto"}
    asked = {"type": "realtime", **updated}
    return Exchange(created, asked, merged(created, asked))


def merged(current: Tree, given: Tree, path: tuple[str, ...] = ()) -> Tree:
    """What a server makes of an update: `audio` merges level by level, the rest is replaced."""
    result = dict(current)
    for name, value in given.items():
        group = (*path, name) in {("audio",), ("audio", "input"), ("audio", "output")}
        result[name] = merged(result.get(name) or {}, value, (*path, name)) if group else value
    return result


OWN = {
    "text": _sample(output_modalities=["text"], instructions="In writing."),
    "no turns": _sample(audio={"input": {"turn_detection": None}}, tool_choice="none"),
    "tools": _sample(tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}}]),
    "words": _sample(
        audio={"input": {"transcription": {"model": "whisper-1", "language": "de"}}},
        instructions="",
    ),
}
RECORDED = {
    path.stem: _recorded(path.name)
    for path in sorted(RECORDINGS.glob("*.jsonl"))
    if path.name.startswith(("openai-", "azure-")) and "voice-live" not in path.name
}
EXCHANGES = {**OWN, **RECORDED}
NAMES = sorted(EXCHANGES)

VARIANTS: list[Tree] = [
    {},
    {"audio": {"output": {"speed": 1.2}}},
    {"audio": {"input": {"turn_detection": None}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}},
    {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}},
    {"audio": {"output": {"voice": "marin"}, "input": {"transcription": None}}},
    {"tools": [], "tool_choice": "auto", "max_output_tokens": 300},
]
"""What is asked beyond the recording's own update, so that updates share fields."""

FATES = ("accept", "clamp", "reject", "late answer", "late error", "silence")


class Step(NamedTuple):
    """One update, whose fields are those of `name` and a variant, and what becomes of it."""

    fate: str
    name: str
    variant: int = 0
    foreign: str | None = None
    """The recording whose session another party sets before the fate; None for nobody."""
    applied: bool = False
    """Whether a server that answers late or never has done it all the same."""


class Server:
    """A scripted server. `session` is what it has, `last_word` what it has said of it."""

    def __init__(self, created: Tree) -> None:
        self.session = created
        self.last_word = created
        self.said = 0

    def say(self, kind: str = "session.updated", session: Tree | None = None) -> bytes:
        self.last_word = copy.deepcopy(self.session if session is None else session)
        self.said += 1
        return wire.frame(kind, session=self.last_word)


class Stage:
    """A core, a scripted server, and everything that was ever told."""

    def __init__(self, created: Tree) -> None:
        self.now = 100.0
        self.core = Protocol(nonce="n", now=self.now)
        self.server = Server(created)
        self.outcomes: dict[str, list[Outcome]] = {}
        self.notices: list[Notice] = []
        self.asked: dict[str, tuple[Step, Tree]] = {}
        self.sent: dict[str, Tree] = {}
        self.refused = 0
        self.mistaken = False
        """Whether their word was taken for the answer of an update that was answered late."""
        self.owed: list[tuple[str, bytes | None]] = []
        """What the server will say late: an update's id, and an error, or None for yes."""
        self.hear(self.server.say("session.created"))

    def ask(self, step: Step, number: int) -> str:
        """Ask; the number makes this update's instructions its own."""
        wanted = merged(EXCHANGES[step.name].asked, VARIANTS[step.variant])
        wanted["instructions"] = f"{wanted.get('instructions', '')} ({number})"
        event_id = self.core.update(leaves(wanted), now=self.now, timeout=PATIENCE)
        self.asked[event_id] = step, wanted
        self.collect()
        return event_id

    def hear(self, frame: bytes) -> None:
        self.refused += wire.read(frame)["type"] == "error"
        self.core.receive(frame, self.now)
        self.collect()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.core.on_deadline(self.now)
        self.collect()

    def collect(self) -> None:
        for outcome in self.core.outcomes():
            self.outcomes.setdefault(outcome.event_id, []).append(outcome)
        self.notices += self.core.config.notices
        self.core.config.notices.clear()
        for frame in self.core.data_to_send():
            update = wire.read(frame.raw)
            assert update["type"] == "session.update"
            assert update["session"]["type"] == "realtime"
            assert not self.pending, "two updates on the wire"
            self.sent[update["event_id"]] = update["session"]

    def state(self) -> State:
        return self.core.config.state

    @property
    def pending(self) -> list[str]:
        """What is on the wire and its caller waits for."""
        return [event_id for event_id in self.sent if event_id not in self.outcomes]

    # -- fates --------------------------------------------------------------------------

    def meet(self, event_id: str) -> None:
        """Let the update that is on the wire meet its fate."""
        step, _ = self.asked[event_id]
        if step.foreign is not None:
            self.foreign(step.foreign)
        if event_id not in self.pending:
            return  # the foreign word was taken for its answer, or it has expired
        server, update = self.server, self.sent[event_id]
        match step.fate:
            case "accept":
                server.session = merged(server.session, update)
                if step.foreign is None and not self.mistaken:
                    # Else it was compared with what they have changed on the way, and what
                    # that cost is in `ignored`.
                    self.assert_nothing_is_lost(event_id)
                self.hear(server.say())
            case "clamp":
                server.session = merged(server.session, update)
                server.session["instructions"] += " [clamped]"
                self.hear(server.say())
                self.wait(SETTLE)
            case "reject":
                self.hear(refusal(event_id))
            case "late answer":
                server.session = merged(server.session, update)
                self.wait(PATIENCE)
                self.owed.append((event_id, None))
            case "late error":
                self.wait(PATIENCE)
                self.owed.append((event_id, refusal(event_id)))
            case _:
                if step.applied:
                    server.session = merged(server.session, update)
                self.wait(PATIENCE)

        late = step.fate in {"late answer", "silence"}
        self.mistaken |= late and isinstance(self.end(event_id), Acknowledgement)

    def foreign(self, name: str) -> None:
        """Another party sets what a recorded session had, and everybody is told."""
        theirs = {**EXCHANGES[name].updated, "id": self.server.session.get("id")}
        self.server.session = copy.deepcopy(theirs)
        self.hear(self.server.say())

    def pay(self, count: int | None = None) -> None:
        """Say what is owed, oldest first."""
        for _ in range(len(self.owed) if count is None else count):
            if self.owed:
                _, error = self.owed.pop(0)
                self.hear(error if error is not None else self.server.say())

    def assert_nothing_is_lost(self, event_id: str) -> None:
        """The server has every field that this caller asked for, whatever went before."""
        _, wanted = self.asked[event_id]
        held = leaves(self.server.session)
        for path, value in leaves(wanted).items():
            assert shows(held.get(path), value), f"{path} was lost: {held.get(path)} != {value}"

    # -- the end ------------------------------------------------------------------------

    def assert_the_truth(self) -> None:
        """What must hold at the end of every sequence."""
        config = self.core.config
        assert config.acknowledged is not None
        assert config.acknowledged == session_of(self.server.last_word)
        assert msgspec.json.decode(encode(config.acknowledged)) == self.server.last_word
        assert config.desired == self.server.last_word
        assert {name: len(told) for name, told in self.outcomes.items()} == {
            self.core.opening: 1,
            **dict.fromkeys(self.asked, 1),
        }
        assert config.in_flight == ()
        assert config.unsent == frozenset()
        assert self.pending == []
        assert self.core.outbox_bytes == 0
        rejected = [one for name in self.asked if isinstance(one := self.end(name), ServerError)]
        late = [one for one in self.notices if one.kind == "late_rejection"]
        assert len(rejected) + len(late) <= self.refused
        assert self.server.said == len([one for one in self.notices if one.session is not None])

    def end(self, event_id: str) -> Any:
        """What this caller was told: an answer, or an error."""
        (outcome,) = self.outcomes[event_id]
        return outcome.error or outcome.answer


def refusal(event_id: str) -> bytes:
    words = f"no to {event_id}"
    return wire.error(event_id, "invalid_value", words, param="session.instructions")


def session_of(session: Tree) -> Any:
    """A session object as the codec reads it."""
    event = decode(wire.frame("session.updated", session=session))
    assert isinstance(event, events.SessionUpdated)
    return event.session


def shows(held: Any, asked: Any) -> bool:
    if isinstance(held, dict) and isinstance(asked, dict):
        return all(shows(held.get(name), value) for name, value in asked.items())
    return bool(held == asked)


def assert_own(stage: Stage, event_id: str) -> None:
    """The outcome is about this update and about no other."""
    step, wanted = stage.asked[event_id]
    end = stage.end(event_id)
    if isinstance(end, SessionUpdateRejected):
        assert step.fate == "reject"
        assert end.message == f"no to {event_id}"
        assert end.event_id == event_id
        assert end.update == wanted
    elif isinstance(end, AcknowledgementTimeout):
        assert end.uncertain == (event_id in stage.sent)
    else:
        assert isinstance(end, Acknowledgement)
        effective = leaves(msgspec.json.decode(encode(end.effective)))
        drifted = {drift.path for drift in end.ignored}
        for path, value in leaves(wanted).items():
            named = any(one.startswith(".".join(path)) for one in drifted)
            assert shows(effective.get(path), value) != named


# -- orders that are known to hurt ------------------------------------------------------------


def told(stage: Stage, ids: list[str]) -> list[str]:
    """The ends of these callers, by kind."""
    return [type(stage.end(event_id)).__name__ for event_id in ids]


def play(created: Tree, steps: list[Step], *, eager: bool, pay_after: int = 0) -> Stage:
    """Play a sequence. Eager callers ask everything at once, the others one at a time.

    What is owed is said once `pay_after` more updates have met their fate.
    """
    stage = Stage(copy.deepcopy(created))
    ids = [stage.ask(step, number) for number, step in enumerate(steps)] if eager else []
    for number, step in enumerate(steps):
        event_id = ids[number] if eager else stage.ask(step, number)
        before = len(stage.owed)
        stage.meet(event_id)
        if before and number >= pay_after:
            stage.pay(before)
        while not eager and event_id not in stage.outcomes:
            stage.wait(PATIENCE)  # it took the fate of another: the late answer's
    stage.pay()
    while stage.core.config.in_flight:
        stage.wait(PATIENCE)
    return stage


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fates", [("reject", "accept"), ("accept", "reject")])
def test_of_two_neighbours_one_is_rejected(fates: tuple[str, str], name: str, eager: bool) -> None:
    """C4 and C14: shared fields, either order, then a third one that must not be lost."""
    steps = [Step(fate, name, 1) for fate in (*fates, "accept")]
    stage = play(EXCHANGES[name].created, steps, eager=eager)
    kinds = {"accept": "Acknowledgement", "reject": "SessionUpdateRejected"}
    assert told(stage, list(stage.asked)) == [kinds[step.fate] for step in steps]
    for event_id in stage.asked:
        assert_own(stage, event_id)
    stage.assert_the_truth()
    assert Counter(one.kind for one in stage.notices) == {"created": 1, "answer": 2}


@pytest.mark.parametrize("name", NAMES)
def test_an_error_after_later_acknowledgements_is_reported_and_given_to_nobody(name: str) -> None:
    steps = [Step("late error", name, 1), Step("accept", name, 1), Step("accept", name, 3)]
    stage = play(EXCHANGES[name].created, steps, eager=False, pay_after=2)
    assert told(stage, list(stage.asked)) == [
        "AcknowledgementTimeout",
        "Acknowledgement",
        "Acknowledgement",
    ]
    stage.assert_the_truth()
    (late,) = [one for one in stage.notices if one.kind == "late_rejection"]
    assert late.event_id == next(iter(stage.asked))
    assert late.error is not None
    assert late.error.message == f"no to {late.event_id}"
    assert stage.state() is State.QUIET


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_comes_too_late_is_the_servers_word_and_nobodys_answer(name: str) -> None:
    steps = [Step("accept", name), Step("late answer", name, 2), Step("reject", name, 1)]
    stage = Stage(copy.deepcopy(EXCHANGES[name].created))
    first, late, last = (stage.ask(step, number) for number, step in enumerate(steps))
    stage.meet(first)
    stage.meet(late)
    assert stage.state() is State.DOUBTFUL
    stage.pay()
    assert stage.state() is State.QUIET
    assert told(stage, [first, late, last]) == [
        "Acknowledgement",
        "AcknowledgementTimeout",
        "AcknowledgementTimeout",
    ]
    assert stage.end(late).uncertain
    assert not stage.end(last).uncertain, "it never went out"
    (notice,) = [one for one in stage.notices if one.kind == "late"]
    assert notice.event_id == late
    assert stage.core.config.acknowledged == session_of(stage.server.session)
    stage.assert_the_truth()


@pytest.mark.parametrize("name", NAMES)
def test_after_silence_the_next_update_names_all_its_fields(name: str) -> None:
    steps = [Step("accept", name, 1), Step("silence", name, 4), Step("accept", name, 1)]
    stage = play(EXCHANGES[name].created, steps, eager=False)
    ids = list(stage.asked)
    assert told(stage, ids) == ["Acknowledgement", "AcknowledgementTimeout", "Acknowledgement"]
    _, wanted = stage.asked[ids[2]]
    assert set(leaves(stage.sent[ids[2]])) == set(leaves(wanted))
    stage.assert_the_truth()
    assert shows(leaves(stage.server.session), leaves(wanted))


@pytest.mark.parametrize("theirs", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_what_another_party_changes_is_adopted_announced_and_compared_with(
    name: str, theirs: str
) -> None:
    stage = Stage(copy.deepcopy(EXCHANGES[name].created))
    ids = []
    for number in range(3):
        ids.append(stage.ask(Step("accept", name, 1), number))
        stage.meet(ids[-1])
        stage.foreign(theirs)
        assert stage.core.config.acknowledged == session_of(stage.server.session)
    assert told(stage, ids) == ["Acknowledgement"] * 3
    assert Counter(one.kind for one in stage.notices) == {
        "created": 1,
        "answer": 3,
        "foreign": 3,
    }
    stage.assert_the_truth()
    # What they took away goes out again, though this caller has asked for it before.
    _, wanted = stage.asked[ids[1]]
    for path, value in leaves(wanted).items():
        if not shows(leaves(EXCHANGES[theirs].updated).get(path), value):
            assert path in leaves(stage.sent[ids[1]])


@pytest.mark.parametrize("name", NAMES)
def test_what_the_server_has_already_is_answered_without_a_byte(name: str) -> None:
    stage = Stage(copy.deepcopy(EXCHANGES[name].created))
    asked = leaves(EXCHANGES[name].asked)
    first = stage.core.update(asked, now=stage.now, timeout=PATIENCE)
    stage.collect()
    stage.server.session = EXCHANGES[name].updated
    stage.hear(stage.server.say())
    stage.wait(SETTLE)
    again = [stage.core.update(asked, now=stage.now, timeout=PATIENCE) for _ in range(3)]
    stage.collect()
    echoed = [drift.path for drift in stage.end(first).ignored]
    # `instructions: ""` brings the server's own back, so it is asked for again each time.
    assert echoed == (["instructions"] if asked.get(("instructions",)) == "" and echoed else [])
    if not echoed:
        assert list(stage.sent) == [first]
        assert [stage.end(event_id).changed for event_id in again] == [(), (), ()]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_every_fate_between_every_other(name: str, eager: bool, fate: str) -> None:
    for other in FATES:
        fates = (fate, other, fate, "accept")
        for pay_after in range(4):
            steps = [
                Step(one, name, number + 1, foreign=name if number == 2 else None, applied=True)
                for number, one in enumerate(fates)
            ]
            stage = play(EXCHANGES[name].created, steps, eager=eager, pay_after=pay_after)
            for event_id in stage.asked:
                assert_own(stage, event_id)
            stage.assert_the_truth()


@pytest.mark.parametrize(
    "steps",
    [
        # Their word was taken for the answer of ours, which the server then refuses.
        [Step("late error", "text", 1, foreign="words")],
        # The clamped answer of the second was taken for the late one of the first.
        [Step("late error", "text", 1), Step("clamp", "text", 2)],
    ],
)
def test_an_error_for_an_update_that_seemed_to_be_answered_is_reported(steps: list[Step]) -> None:
    stage = play(OWN["text"].created, steps, eager=False, pay_after=len(steps))
    assert stage.refused == 1
    (late,) = [one for one in stage.notices if one.kind == "late_rejection"]
    assert late.event_id == next(iter(stage.asked))


def test_after_an_answer_that_was_only_supposed_the_next_update_names_all_its_fields() -> None:
    vad = ("audio", "input", "turn_detection")
    steps = [Step("late answer", "text", 3, foreign="no turns"), Step("accept", "no turns")]
    stage = play(OWN["text"].created, steps, eager=False, pay_after=2)
    first, second = stage.asked
    assert isinstance(stage.end(first), Acknowledgement), "their word was taken for the answer"
    assert vad in leaves(stage.sent[second])
    assert leaves(stage.server.session)[vad] is None


# -- any order --------------------------------------------------------------------------------

STEPS = st.lists(
    st.builds(
        Step,
        fate=st.sampled_from(FATES),
        name=st.sampled_from(NAMES),
        variant=st.integers(0, len(VARIANTS) - 1),
        foreign=st.none() | st.sampled_from(NAMES),
        applied=st.booleans(),
    ),
    min_size=3,
    max_size=10,
)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(NAMES), steps=STEPS, eager=st.booleans(), pay_after=st.integers(0, 10))
def test_any_order(name: str, steps: list[Step], eager: bool, pay_after: int) -> None:
    stage = play(EXCHANGES[name].created, steps, eager=eager, pay_after=pay_after)
    for event_id in stage.asked:
        assert_own(stage, event_id)
    stage.assert_the_truth()


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(NAMES), steps=STEPS)
def test_any_order_without_doubt_gives_every_caller_what_the_server_decided(
    name: str, steps: list[Step]
) -> None:
    """Where every update is answered in time, there is nothing to be uncertain about."""
    steps = [
        step._replace(fate="accept" if step.fate == "silence" else step.fate, foreign=None)
        for step in steps
        if "late" not in step.fate
    ]
    stage = play(EXCHANGES[name].created, steps, eager=True)
    kinds = {"reject": SessionUpdateRejected, "accept": Acknowledgement, "clamp": Acknowledgement}
    for event_id, (step, _) in stage.asked.items():
        end = stage.end(event_id)
        assert isinstance(end, kinds[step.fate])
        assert not isinstance(end, Acknowledgement) or bool(end.ignored) == (step.fate == "clamp")
        assert_own(stage, event_id)
    stage.assert_the_truth()
    assert stage.core.config.acknowledged == session_of(stage.server.session)


def test_the_recordings_are_there_or_the_samples_stand_in_for_them() -> None:
    assert len(OWN) >= 3
    if RECORDINGS.exists():
        assert len(RECORDED) >= 3
    assert not isinstance(session_of(OWN["text"].created), RealtimeError)
