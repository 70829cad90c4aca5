"""The configuration machine: every row of its table, and a reference server to argue with."""

from __future__ import annotations

import itertools
import math
from typing import Any

import msgspec
import pytest

from realtime_client import events
from realtime_client.acknowledgement import (
    LATE_WINDOW,
    SETTLE,
    TABLE,
    Acknowledgement,
    Input,
    Intent,
    Meaning,
    State,
)
from realtime_client.config import Configuration, asked_by
from realtime_client.errors import (
    AcknowledgementTimeout,
    InvalidConfig,
    ServerError,
    SessionUpdateRejected,
)
from realtime_client.leaves import leaves
from realtime_client.outcome import Outcome

SPEED = ("audio", "output", "speed")
VAD = ("audio", "input", "turn_detection")
DEFAULTS: dict[str, Any] = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "default",
    "tools": [],
    "tracing": None,
    "audio": {
        "input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}},
        "output": {"speed": 1.0, "voice": "alloy"},
    },
}


def session(**fields: Any) -> events.SessionConfig:
    """The default session with other values; `speed` by its short name."""
    audio = dict(DEFAULTS["audio"])
    if "speed" in fields:
        audio["output"] = {**audio["output"], "speed": fields.pop("speed")}
    return msgspec.convert({**DEFAULTS, "audio": audio, **fields}, events.SessionConfig)


def created() -> Configuration:
    config = Configuration()
    config.on_created(session(), 0.0)
    config.notices.clear()
    return config


def ask(
    config: Configuration,
    name: str,
    asked: dict[Any, Any],
    *,
    expires: float = 10.0,
    between_turns: bool = False,
) -> None:
    config.ask(Intent(name, asked, expires, between_turns))


def sent(config: Configuration, *, between_turns: bool = True) -> Any:
    """The update that goes out now, as its session object; None where there is none."""
    command = config.next_update(between_turns=between_turns)
    if command is None:
        return None
    assert isinstance(command, dict)
    assert command["type"] == "session.update"
    return command["session"]


def ended(config: Configuration) -> list[Outcome]:
    outcomes, config.outcomes = config.outcomes, []
    return outcomes


def answer(config: Configuration, name: str) -> Acknowledgement:
    (outcome,) = ended(config)
    assert outcome.event_id == name
    assert isinstance(outcome.answer, Acknowledgement)
    return outcome.answer


def kinds(config: Configuration) -> list[tuple[str, str | None]]:
    notices, config.notices = config.notices, []
    return [(notice.kind, notice.event_id) for notice in notices]


def state_of(config: Configuration) -> State:
    return config.state


def in_state(state: State) -> Configuration:
    """A machine in that state; the update on the wire is `b`, the unanswered one `a`."""
    config = Configuration()
    if state is State.UNBORN:
        return config
    config.on_created(session(), 0.0)
    if state in (State.DOUBTFUL, State.ASKING_IN_DOUBT):
        ask(config, "a", {SPEED: 1.1}, expires=1.0)
        assert sent(config) is not None
        config.on_deadline(1.0)
    if state in (State.ASKING, State.ASKING_IN_DOUBT):
        ask(config, "b", {SPEED: 1.2}, expires=20.0)
        assert sent(config) is not None
    assert state_of(config) is state
    config.outcomes.clear()
    config.notices.clear()
    return config


# -- the table --------------------------------------------------------------------------------


def test_the_table_has_every_pair() -> None:
    assert set(TABLE) == set(itertools.product(State, Input))


EXPECTED: dict[tuple[State, Input], tuple[State, str | None, str | None, list[str]]] = {
    # (state, input): (next state, notice, whom it names, who is answered), for a session
    # that does not show what `b` asked
    (State.UNBORN, Input.CREATED): (State.QUIET, "created", None, []),
    (State.UNBORN, Input.UPDATED): (State.QUIET, "created", None, []),
    (State.QUIET, Input.CREATED): (State.QUIET, "foreign", None, []),
    (State.QUIET, Input.UPDATED): (State.QUIET, "foreign", None, []),
    (State.ASKING, Input.CREATED): (State.ASKING, "foreign", None, []),
    (State.ASKING, Input.UPDATED): (State.ASKING, None, None, []),
    (State.DOUBTFUL, Input.CREATED): (State.DOUBTFUL, "foreign", None, []),
    (State.DOUBTFUL, Input.UPDATED): (State.QUIET, "late", "a", []),
    (State.ASKING_IN_DOUBT, Input.CREATED): (State.ASKING_IN_DOUBT, "foreign", None, []),
    (State.ASKING_IN_DOUBT, Input.UPDATED): (State.ASKING, "late", "a", []),
}


@pytest.mark.parametrize(("state", "happened"), list(itertools.product(State, Input)))
def test_every_state_and_input(state: State, happened: Input) -> None:
    config = in_state(state)
    theirs = session(instructions="theirs")
    (config.on_created if happened is Input.CREATED else config.on_updated)(theirs, 0.0)
    after, kind, named, answered = EXPECTED[state, happened]
    assert config.acknowledged == theirs
    assert state_of(config) is after
    assert kinds(config) == ([(kind, named)] if kind else [])
    assert [outcome.event_id for outcome in ended(config)] == answered


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", ["a", "b", "nobody", ""])
def test_every_state_and_refusal(state: State, name: str) -> None:
    config = in_state(state)
    before = config.acknowledged
    outcome = config.on_refused(name, ServerError("no", code="c", event_id=name))
    on_wire = name == "b" and state in (State.ASKING, State.ASKING_IN_DOUBT)
    late = name == "a" and state in (State.DOUBTFUL, State.ASKING_IN_DOUBT)
    assert (outcome is not None) is on_wire
    assert kinds(config) == ([("late_rejection", "a")] if late else [])
    assert config.acknowledged == before
    after = {
        (State.ASKING, "b"): State.QUIET,
        (State.ASKING_IN_DOUBT, "b"): State.DOUBTFUL,
        (State.ASKING_IN_DOUBT, "a"): State.ASKING,
        (State.DOUBTFUL, "a"): State.QUIET,
    }
    assert state_of(config) is after.get((state, name), state)


@pytest.mark.parametrize("state", list(State))
def test_every_state_and_silence(state: State) -> None:
    config = in_state(state)
    config.on_deadline(20.0)
    asking = state in (State.ASKING, State.ASKING_IN_DOUBT)
    assert [outcome.event_id for outcome in ended(config)] == (["b"] if asking else [])
    doubtful = asking or state is State.DOUBTFUL
    assert state_of(config) is (State.DOUBTFUL if doubtful else state)


def test_an_answer_in_doubt_is_known_by_what_it_shows() -> None:
    config = in_state(State.ASKING_IN_DOUBT)
    config.on_updated(session(speed=1.2), 0.0)
    assert answer(config, "b").ignored == ()
    assert kinds(config) == [("answer", "b")]
    config = in_state(State.ASKING_IN_DOUBT)
    config.on_updated(session(speed=1.1), 0.0)
    assert ended(config) == []
    assert kinds(config) == [("late", "a")]
    config.on_updated(session(speed=1.3), 5.0)
    config.on_deadline(5.0 + SETTLE)
    (drifted,) = answer(config, "b").ignored
    assert drifted == ("audio.output.speed", 1.2, 1.3)


def test_an_answer_that_shows_what_was_asked_is_one_at_once() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(speed=1.2, instructions="also"), 0.0)
    assert answer(config, "b").changed == ("instructions", "audio.output.speed")
    assert kinds(config) == [("answer", "b")]
    assert state_of(config) is State.QUIET


def test_what_does_not_show_it_is_ours_after_a_while() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(speed=1.4), 5.0)
    assert config.acknowledged == session(speed=1.4)
    assert config.next_deadline() == 5.0 + SETTLE
    config.on_deadline(4.9 + SETTLE)
    assert ended(config) == []
    config.on_deadline(5.0 + SETTLE)
    acknowledgement = answer(config, "b")
    assert acknowledgement.ignored == (("audio.output.speed", 1.2, 1.4),)
    assert acknowledgement.changed == ("audio.output.speed",)
    assert kinds(config) == [("answer", "b")]
    assert config.next_deadline() is None


def test_a_presumed_answer_is_not_trusted_until_one_is_sure() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(speed=1.4), 5.0)
    config.on_deadline(5.0 + SETTLE)
    ended(config)
    config.on_updated(session(instructions="theirs", speed=1.4), 6.0)
    ask(config, "c", {SPEED: 1.4})
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.4}}}
    config.on_updated(session(speed=1.4), 7.0)
    answer(config, "c")
    ask(config, "d", {SPEED: 1.4})
    assert sent(config) is None
    answer(config, "d")


def test_an_error_after_a_presumed_answer_is_reported() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(instructions="theirs"), 5.0)
    config.on_deadline(5.0 + SETTLE)
    kinds(config)
    for _ in range(2):
        assert config.on_refused("b", ServerError("no")) is None
    assert kinds(config) == [("late_rejection", "b")]
    config = in_state(State.ASKING_IN_DOUBT)
    config.on_updated(session(instructions="clamped"), 5.0)
    kinds(config)
    config.on_refused("a", ServerError("no"))
    assert kinds(config) == [("late_rejection", "a")]


def test_and_its_callers_patience_is_not_stretched_for_that() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(speed=1.4), 19.9)
    config.on_deadline(20.0)
    assert answer(config, "b").ignored == (("audio.output.speed", 1.2, 1.4),)
    assert state_of(config) is State.QUIET


def test_somebody_elses_change_before_the_answer_is_told_apart_from_it() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(instructions="theirs"), 5.0)
    config.on_updated(session(instructions="theirs again"), 5.1)
    assert kinds(config) == [("foreign", None)]
    config.on_updated(session(instructions="theirs again", speed=1.2), 5.2)
    assert answer(config, "b").changed == ("audio.output.speed",)
    assert kinds(config) == [("foreign", None), ("answer", "b")]
    assert config.next_deadline() is None


def test_a_rejection_after_somebody_elses_change_is_a_rejection() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(instructions="theirs"), 5.0)
    assert config.on_refused("b", ServerError("no")) is not None
    assert kinds(config) == [("foreign", None)]
    assert config.next_deadline() is None
    config.on_deadline(5.0 + SETTLE)
    assert ended(config) == []


def test_what_a_server_never_echoes_does_not_make_its_answer_unclear() -> None:
    config = in_state(State.ASKING)
    config.on_updated(events.SessionConfig(instructions="x"), 5.0)
    (ignored,) = answer(config, "b").ignored
    assert ignored == ("audio.output.speed", 1.2, events.UNSET)


def test_the_update_that_opens_is_answered_by_whatever_comes() -> None:
    config = created()
    config.ask(Intent("a", {SPEED: 1.5}, math.inf, opening=True))
    sent(config)
    config.on_updated(session(speed=1.25), 0.0)
    assert answer(config, "a").ignored == (("audio.output.speed", 1.5, 1.25),)


# -- what goes out ----------------------------------------------------------------------------


def test_nothing_goes_out_before_the_session_exists() -> None:
    config = Configuration()
    ask(config, "a", {SPEED: 1.5})
    assert sent(config) is None
    config.on_created(session(), 0.0)
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.5}}}


def test_one_update_at_a_time_in_the_order_of_asking() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.1})
    ask(config, "b", {SPEED: 1.2})
    assert sent(config) is not None
    assert sent(config) is None
    assert [intent.event_id for intent in config.in_flight] == ["a", "b"]
    assert config.unsent == {"b"}
    config.on_updated(session(speed=1.1), 0.0)
    answer(config, "a")
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.2}}}
    assert config.unsent == frozenset()


def test_each_is_compared_when_its_turn_comes_not_when_it_was_asked() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5, ("instructions",): "x"})
    ask(config, "b", {SPEED: 1.5})
    sent(config)
    assert config.on_refused("a", ServerError("no")) is not None
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.5}}}
    config.on_updated(session(speed=1.5), 0.0)
    ask(config, "c", {SPEED: 1.0})
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.0}}}


def test_what_changes_nothing_is_answered_without_a_byte() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.0, ("type",): "realtime"})
    ask(config, "b", {})
    ask(config, "c", {SPEED: 1.5})
    assert sent(config) is not None
    first, second = ended(config)
    assert (first.event_id, second.event_id) == ("a", "b")
    assert first.answer == Acknowledgement(session(), (), ())
    assert [intent.event_id for intent in config.in_flight] == ["c"]


def test_null_is_a_value_and_a_default_can_be_set_back() -> None:
    config = created()
    ask(config, "a", {VAD: None})
    assert sent(config) == {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    off: dict[str, Any] = {**DEFAULTS["audio"], "input": {"turn_detection": None}}
    config.on_updated(session(audio=off), 0.0)
    assert "audio.input.turn_detection" in answer(config, "a").changed
    ask(config, "b", {VAD: {"type": "server_vad", "threshold": 0.5}})
    assert sent(config) == {
        "type": "realtime",
        "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}}},
    }


def test_a_leaf_goes_out_whole() -> None:
    config = created()
    ask(config, "a", {VAD: {"silence_duration_ms": 500}})
    assert sent(config)["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "silence_duration_ms": 500,
    }


def test_a_command_of_the_callers_own_goes_out_as_it_is() -> None:
    config = created()
    command = {"type": "session.update", "session": {"type": "realtime", "brand_new": 1}}
    config.ask(Intent("a", {}, math.inf, command=command))
    assert config.next_update(between_turns=True) is command
    config.on_updated(session(), 0.0)
    answer(config, "a")


def test_an_empty_kind_of_session_is_named_as_a_conversation() -> None:
    config = Configuration()
    config.on_created(events.UnknownVariant(raw={"id": "s"}), 0.0)
    ask(config, "a", {SPEED: 1.5})
    assert sent(config)["type"] == "realtime"


def test_the_kind_of_session_is_the_acknowledged_one() -> None:
    config = Configuration()
    config.on_created(events.TranscriptionSessionConfig(), 0.0)
    ask(config, "a", {("include",): []})
    assert sent(config) == {"type": "transcription", "include": []}


def test_between_turns_waits_and_so_does_what_comes_after_it() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5}, between_turns=True)
    ask(config, "b", {("instructions",): "x"})
    assert sent(config, between_turns=False) is None
    assert sent(config, between_turns=True)["audio"] == {"output": {"speed": 1.5}}


# -- what is refused here ---------------------------------------------------------------------


def test_what_is_fixed_is_refused_at_once_and_asked_of_nobody() -> None:
    config = created()
    config.spoken = True
    for path, value in ((("audio", "output", "voice"), "marin"), (("model",), "other")):
        with pytest.raises(InvalidConfig):
            ask(config, "a", {path: value, SPEED: 1.5})
    assert sent(config) is None
    assert config.in_flight == ()


def test_what_has_become_fixed_while_it_waited_is_refused_then() -> None:
    config = created()
    ask(config, "a", {("audio", "output", "voice"): "marin"}, between_turns=True)
    ask(config, "b", {SPEED: 1.5})
    config.spoken = True
    assert sent(config)["audio"] == {"output": {"speed": 1.5}}
    (refused,) = ended(config)
    assert refused.event_id == "a"
    assert isinstance(refused.error, InvalidConfig)


# -- outcomes ---------------------------------------------------------------------------------


def test_acknowledged_is_what_the_server_said_and_what_it_ignored_is_named() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5, VAD: {"threshold": 0.9}, ("tools",): []})
    sent(config)
    assert config.acknowledged == session()
    config.on_updated(session(speed=1.25, instructions="theirs"), 0.0)
    config.on_deadline(SETTLE)
    acknowledgement = answer(config, "a")
    assert (
        acknowledgement.effective
        == config.acknowledged
        == session(speed=1.25, instructions="theirs")
    )
    assert acknowledgement.changed == ("instructions", "audio.output.speed")
    assert acknowledgement.ignored == (
        ("audio.output.speed", 1.5, 1.25),
        ("audio.input.turn_detection.threshold", 0.9, 0.5),
    )


def test_a_field_that_appears_or_goes_has_changed() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5})
    sent(config)
    config.on_updated(events.SessionConfig(audio=None, prompt=events.Prompt(id="p")), 0.0)
    config.on_deadline(SETTLE)
    changed = answer(config, "a").changed
    assert "prompt" in changed
    assert "audio.output.speed" in changed
    assert "tracing" not in changed


def test_a_rejection_is_its_callers_own_and_carries_the_update() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5})
    ask(config, "b", {SPEED: 1.25})
    sent(config)
    error = ServerError("words", code="invalid_value", type="t", param="session.x", event_id="a")
    outcome = config.on_refused("a", error)
    assert outcome is not None
    assert outcome.event_id == "a"
    assert isinstance(outcome.error, SessionUpdateRejected)
    rejected = outcome.error
    assert (rejected.message, rejected.code, rejected.type) == ("words", "invalid_value", "t")
    assert (rejected.param, rejected.event_id) == ("session.x", "a")
    assert rejected.update == {"audio": {"output": {"speed": 1.5}}}
    assert config.acknowledged == session()
    assert sent(config)["audio"] == {"output": {"speed": 1.25}}


def test_silence_tells_its_caller_alone_and_the_next_names_all_its_fields() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5}, expires=5.0)
    ask(config, "b", {SPEED: 1.0, ("instructions",): "default"}, expires=50.0)
    sent(config)
    assert config.next_deadline() == 5.0
    config.on_deadline(4.9)
    assert ended(config) == []
    config.on_deadline(5.0)
    (outcome,) = ended(config)
    assert outcome.event_id == "a"
    assert isinstance(outcome.error, AcknowledgementTimeout)
    assert outcome.error.uncertain is True
    assert "session.update was sent and may still take effect" in str(outcome.error)
    assert sent(config) == {
        "type": "realtime",
        "instructions": "default",
        "audio": {"output": {"speed": 1.0}},
    }
    config.on_updated(session(), 0.0)
    answer(config, "b")
    ask(config, "c", {SPEED: 1.0}, expires=99.0)
    assert sent(config) == {"type": "realtime", "audio": {"output": {"speed": 1.0}}}
    config.on_deadline(5.0 + LATE_WINDOW)
    config.on_updated(session(), 70.0)
    answer(config, "c")
    ask(config, "d", {SPEED: 1.0}, expires=99.0)
    assert sent(config) is None
    answer(config, "d")


def test_what_waited_too_long_is_withdrawn_and_certain() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5}, expires=20.0)
    ask(config, "b", {SPEED: 1.25}, expires=5.0)
    sent(config)
    assert config.next_deadline() == 5.0
    config.on_deadline(5.0)
    (outcome,) = ended(config)
    assert outcome.event_id == "b"
    assert isinstance(outcome.error, AcknowledgementTimeout)
    assert outcome.error.uncertain is False
    assert "session.update waited for its turn and was withdrawn" in str(outcome.error)
    assert [intent.event_id for intent in config.in_flight] == ["a"]
    assert state_of(config) is State.ASKING


def test_a_late_answer_restores_trust_and_a_second_silence_needs_two() -> None:
    config = in_state(State.DOUBTFUL)
    config.on_updated(session(speed=1.1), 0.0)
    ask(config, "b", {SPEED: 1.1})
    assert sent(config) is None
    answer(config, "b")
    config = in_state(State.ASKING_IN_DOUBT)
    config.on_deadline(20.0)
    ended(config)
    config.on_updated(session(speed=1.1), 0.0)
    assert kinds(config) == [("late", "a")]
    ask(config, "c", {SPEED: 1.1}, expires=60.0)
    assert sent(config) is not None
    config.on_updated(session(speed=1.2), 0.0)
    assert kinds(config) == [("late", "b")]
    config.on_updated(session(speed=1.1), 0.0)
    answer(config, "c")


def test_a_late_rejection_restores_trust_too() -> None:
    config = in_state(State.DOUBTFUL)
    config.on_refused("a", ServerError("no"))
    ask(config, "b", {SPEED: 1.0})
    assert sent(config) is None
    answer(config, "b")


def test_one_of_two_rejections_does_not() -> None:
    config = in_state(State.ASKING_IN_DOUBT)
    config.on_deadline(20.0)
    ended(config)
    config.on_refused("a", ServerError("no"))
    assert state_of(config) is State.DOUBTFUL
    ask(config, "c", {SPEED: 1.0}, expires=60.0)
    assert sent(config) is not None


def test_a_foreign_word_restores_trust_only_where_nothing_is_owed() -> None:
    config = in_state(State.DOUBTFUL)
    config.on_created(session(), 0.0)
    ask(config, "b", {SPEED: 1.0})
    assert sent(config) is not None
    config = in_state(State.DOUBTFUL)
    config.on_deadline(1.0 + LATE_WINDOW)
    assert state_of(config) is State.QUIET
    ask(config, "b", {SPEED: 1.0}, expires=200.0)
    assert sent(config) is not None
    config.on_refused("b", ServerError("no"))
    config.on_updated(session(), 0.0)
    ask(config, "c", {SPEED: 1.0}, expires=200.0)
    assert sent(config) is None


def test_a_late_answer_is_waited_for_no_longer_than_the_window() -> None:
    config = in_state(State.DOUBTFUL)
    assert config.next_deadline() == 1.0 + LATE_WINDOW
    config.on_deadline(0.9 + LATE_WINDOW)
    assert state_of(config) is State.DOUBTFUL
    config.on_deadline(1.0 + LATE_WINDOW)
    assert state_of(config) is State.QUIET
    assert config.next_deadline() is None
    config.on_updated(session(), 0.0)
    assert kinds(config) == [("foreign", None)]


def test_withdrawing_what_waits_and_not_what_is_out() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5})
    ask(config, "b", {SPEED: 1.25})
    sent(config)
    assert config.withdraw("a") is False
    assert config.withdraw("b") is True
    assert config.withdraw("b") is False
    assert [intent.event_id for intent in config.in_flight] == ["a"]


def test_an_answer_after_its_caller_left_is_an_answer_all_the_same() -> None:
    config = created()
    ask(config, "a", {SPEED: 1.5})
    sent(config)
    config.withdraw("a")
    config.on_updated(session(speed=1.5), 0.0)
    assert kinds(config) == [("answer", "a")]
    assert state_of(config) is State.QUIET


def test_desired_is_acknowledged_and_all_that_is_in_flight() -> None:
    config = created()
    assert config.desired == DEFAULTS
    ask(config, "a", {SPEED: 1.5, VAD: {"threshold": 0.9}})
    ask(config, "b", {VAD: {"silence_duration_ms": 700}, ("instructions",): "x"})
    sent(config)
    desired = leaves(config.desired)
    assert desired[SPEED] == 1.5
    assert desired["instructions",] == "x"
    assert desired[VAD] == {
        "type": "server_vad",
        "threshold": 0.9,
        "silence_duration_ms": 700,
    }
    config.on_refused("a", ServerError("no"))
    assert leaves(config.desired)[VAD] == {
        "type": "server_vad",
        "threshold": 0.5,
        "silence_duration_ms": 700,
    }


def test_what_a_session_asks_is_its_leaves() -> None:
    asked = asked_by(events.SessionConfig(instructions="x", tracing=None))
    assert asked == {("type",): "realtime", ("instructions",): "x", ("tracing",): None}


def test_notices_carry_the_servers_words() -> None:
    config = created()
    theirs = session(instructions="theirs")
    error = ServerError("no")
    config.on_updated(theirs, 0.0)
    ask(config, "a", {SPEED: 1.5}, expires=1.0)
    sent(config)
    config.on_updated(theirs, 0.0)
    config.on_refused("a", error)
    ask(config, "b", {SPEED: 1.5}, expires=1.0)
    sent(config)
    config.on_deadline(1.0)
    config.on_updated(theirs, 1.0)
    ask(config, "c", {SPEED: 1.5}, expires=3.0)
    sent(config)
    config.on_deadline(3.0)
    config.on_refused("c", error)
    ask(config, "d", {SPEED: 1.5}, expires=9.0)
    sent(config)
    config.on_updated(theirs, 3.0)
    config.on_deadline(3.0 + SETTLE)
    config.on_refused("d", error)
    ask(config, "e", {SPEED: 1.0}, expires=9.0)
    sent(config)
    config.on_updated(theirs, 4.0)
    assert config.notices == [
        ("foreign", theirs, None, None),
        ("foreign", theirs, None, None),
        ("late", theirs, "b", None),
        ("late_rejection", None, "c", error),
        ("answer", theirs, "d", None),
        ("late_rejection", None, "d", error),
        ("answer", theirs, "e", None),
    ]


def test_only_the_last_few_presumed_answers_are_remembered() -> None:
    config = created()
    for number in range(17):
        ask(config, f"u{number}", {("instructions",): f"asked {number}"})
        sent(config)
        config.on_updated(session(instructions="clamped"), 0.0)
        config.on_deadline(SETTLE)
    config.notices.clear()
    for number in range(17):
        config.on_refused(f"u{number}", ServerError("no"))
    assert kinds(config) == [("late_rejection", f"u{number}") for number in range(1, 17)]


def test_the_kind_of_session_alone_is_nothing_to_send_even_in_doubt() -> None:
    config = in_state(State.DOUBTFUL)
    ask(config, "b", {("type",): "realtime"}, expires=99.0)
    assert sent(config) is None
    assert [outcome.event_id for outcome in ended(config)] == ["b"]


def test_nobody_has_spoken_and_nothing_is_due_at_first() -> None:
    config = created()
    assert config.spoken is False
    assert config.next_deadline() is None


def test_a_leaf_keeps_the_fields_that_we_have_no_name_for() -> None:
    config = Configuration()
    vad = {"type": "server_vad", "threshold": 0.5, "remove_filler_words": True}
    shown = {**DEFAULTS, "audio": {"input": {"turn_detection": vad}}}
    for hear in (config.on_created, config.on_updated):
        hear(session(), 0.0, {**DEFAULTS, "tools": ["x"]})
        hear(session(), 0.0, shown)
        assert config.desired == shown
    ask(config, "a", {VAD: {"type": "server_vad", "silence_duration_ms": 900}})
    assert sent(config)["audio"]["input"]["turn_detection"] == {
        **vad,
        "silence_duration_ms": 900,
    }


def test_what_only_the_server_makes_is_not_asked_for() -> None:
    theirs = events.SessionConfig(id="s", object="o", expires_at=1, instructions="x")
    assert asked_by(theirs) == {("type",): "realtime", ("instructions",): "x"}


def test_what_was_unclear_when_the_connection_went_was_still_the_servers_word() -> None:
    config = in_state(State.ASKING)
    config.on_updated(session(instructions="theirs"), 5.0)
    assert config.on_wire is not None
    config.lost()
    assert kinds(config) == [("foreign", None)]


def test_meanings_are_the_kinds_of_notices() -> None:
    assert {meaning.value for meaning in Meaning} == {
        "created",
        "foreign",
        "answer",
        "late",
        "answer or foreign",
        "answer or late",
    }
