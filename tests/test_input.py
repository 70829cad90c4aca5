"""Whose commit was that, and how much audio the server has been sent."""

from __future__ import annotations

import base64

from realtime_client.errors import ServerError
from realtime_client.events import InputAudioBufferCleared, InputAudioBufferCommitted
from realtime_client.input import InputLedger
from realtime_client.outcome import Outcome

COMMITTED = InputAudioBufferCommitted(item_id="i")
CLEARED = InputAudioBufferCleared()


def test_appended_counts_bytes_however_they_are_written() -> None:
    for size in range(7):
        ledger = InputLedger()
        ledger.on_append(bytes(size))
        ledger.on_append(base64.b64encode(bytes(size)).decode())
        assert ledger.appended == 2 * size


def test_our_commits_are_answered_in_order_and_the_rest_is_the_vads() -> None:
    ledger = InputLedger()
    ledger.commit("a")
    ledger.commit("b")
    answers = [ledger.on_committed(COMMITTED) for _ in range(3)]
    assert answers == [Outcome("a", COMMITTED), Outcome("b", COMMITTED), None]
    assert ledger.vad_commits == 1


def test_clears_and_commits_do_not_answer_each_other() -> None:
    ledger = InputLedger()
    ledger.clear("c")
    assert ledger.on_committed(COMMITTED) is None
    assert ledger.on_cleared(CLEARED) == Outcome("c", CLEARED)
    assert ledger.on_cleared(CLEARED) is None


def test_a_refused_commit_does_not_eat_the_next_answer() -> None:
    ledger = InputLedger()
    ledger.commit("a")
    ledger.commit("b")
    refusal = ServerError("buffer too small", code="input_audio_buffer_commit_empty")
    assert ledger.on_refused("a", refusal) == Outcome("a", error=refusal)
    assert ledger.on_refused("a", refusal) is None
    assert ledger.on_committed(COMMITTED) == Outcome("b", COMMITTED)


def test_a_commit_that_was_given_up_and_refused_late_leaves_the_answer_to_the_next() -> None:
    ledger = InputLedger()
    ledger.commit("first")
    ledger.give_up("first")
    ledger.commit("second")
    committed = InputAudioBufferCommitted(item_id="item_1")
    assert ledger.on_committed(committed) is None
    refused = ledger.on_refused("first", ServerError("empty"))
    assert refused is not None
    assert ledger.outcomes == [Outcome("second", committed)]


def test_a_commit_that_was_given_up_and_taken_does_not_take_the_answer_of_the_next() -> None:
    ledger = InputLedger()
    ledger.commit("first")
    ledger.give_up("first")
    ledger.commit("second")
    one, two = (InputAudioBufferCommitted(item_id=name) for name in "ab")
    assert ledger.on_committed(one) is None
    assert ledger.on_committed(two) == Outcome("second", two)
    assert ledger.outcomes == [Outcome("first", one)]
    assert ledger.on_committed(one) is None
    assert ledger.vad_commits == 1


def test_several_that_were_given_up() -> None:
    ledger = InputLedger()
    for name in ("first", "second", "third"):
        ledger.commit(name)
    for name in ("first", "second", "unknown"):
        ledger.give_up(name)
    one, two, three = (InputAudioBufferCommitted(item_id=name) for name in "abc")
    assert [ledger.on_committed(event) for event in (one, two)] == [None, None]
    assert ledger.on_committed(three) == Outcome("third", three)
    assert ledger.outcomes == [Outcome("first", one), Outcome("second", two)]
