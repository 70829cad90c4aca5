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
