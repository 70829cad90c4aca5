"""The life of a response: every (state, input) pair, and what a create asks for."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from realtime_client import events
from realtime_client.errors import ResponseWithdrawn
from realtime_client.lives import BEGUN, TRANSITIONS, Input, ResponseRecord, State
from tests.routing import asked

# A row for each state, a column for each input, in the order of `INPUTS`. A point stays.
INPUTS = "SENT CREATED REFUSED BUSY CANCELLED GIVEN_UP DONE SILENCE"
LIFE = """
WAITING     REQUESTED  .           GONE  .        GONE        GONE       .     .
REQUESTED   .          ACTIVE      GONE  WAITING  REVOKED     UNWANTED   GONE  GONE
REVOKED     .          CANCELLING  GONE  GONE     .           UNWANTED   GONE  GONE
UNWANTED    .          DISCARDED   GONE  GONE     .           .          GONE  GONE
ACTIVE      .          .           .     .        CANCELLING  DISCARDED  GONE  GONE
CANCELLING  .          .           .     .        .           DISCARDED  GONE  GONE
DISCARDED   .          .           .     .        .           .          GONE  GONE
GONE        .          .           .     .        .           .          .     .
"""


def life() -> dict[tuple[State, Input], State]:
    rows = [line.split() for line in LIFE.strip().splitlines()]
    return {
        (State[row[0]], Input[happened]): State[row[0] if to == "." else to]
        for row in rows
        for happened, to in zip(INPUTS.split(), row[1:], strict=True)
    }


@pytest.mark.parametrize(("state", "happened"), list(itertools.product(State, Input)))
def test_every_state_and_input(state: State, happened: Input) -> None:
    record = ResponseRecord(state, "client")
    assert record.step(happened) is life()[state, happened]
    assert record.state is life()[state, happened]


def test_the_table_has_no_pair_that_changes_nothing() -> None:
    assert {pair: to for pair, to in life().items() if pair[0] is not to} == TRANSITIONS


def test_begun_is_what_has_an_id_and_no_end() -> None:
    assert {state.name for state in BEGUN} == {"ACTIVE", "CANCELLING", "DISCARDED"}


@pytest.mark.parametrize(
    ("params", "inside", "off", "offered"),
    [
        ({}, True, False, set()),
        ({"instructions": "x"}, True, False, set()),
        ({"conversation": "auto"}, True, False, set()),
        ({"conversation": "none"}, False, False, set()),
        ({"conversation": None}, True, False, set()),
        ({"tools": ()}, True, True, set()),
        ({"tool_choice": "none"}, True, True, set()),
        ({"tool_choice": "auto"}, True, False, set()),
        ({"tools": None}, True, False, set()),
        ({"tools": (events.FunctionTool(name="f"),)}, True, False, {"f"}),
        (
            {"tools": (events.FunctionTool(name="f"),), "tool_choice": "none"},
            True,
            True,
            {"f"},
        ),
        ({"tools": (events.McpTool(server_label="m"),)}, True, False, set()),
    ],
)
def test_what_a_create_asks_for(
    params: dict[str, Any], inside: bool, off: bool, offered: set[str]
) -> None:
    create = asked(**params)
    assert (create.in_conversation, create.tools_off) == (inside, off)
    assert create.offered == frozenset(offered)


def test_a_null_response_asks_for_nothing_special() -> None:
    command = events.ResponseCreate(response=None)
    create = asked()._replace(event=command)
    assert (create.in_conversation, create.tools_off, create.offered) == (True, False, frozenset())


def test_a_record_begins_with_nothing_heard_of_it() -> None:
    record = ResponseRecord(State.ACTIVE, "server")
    assert (record.id, record.cancel_id, record.event_id, record.key) == (None, None, None, None)
    assert (record.created, record.has_caller, record.in_conversation) == (False, False, True)
    assert (record.heard, record.retry_at, record.tries) == (math.inf, -math.inf, 0)
    assert (record.items, record.seen) == ([], {})


def test_a_request_has_one_end() -> None:
    record = ResponseRecord(State.REQUESTED, "client", asked=asked("event_7"))
    assert record.event_id == "event_7"
    error = ResponseWithdrawn("x")
    assert record.outcome(error=error) == ("event_7", None, error)
    assert record.outcome("answer") is None


def test_who_has_given_up_is_told_nothing() -> None:
    record = ResponseRecord(State.REQUESTED, "client", asked=asked())
    record.step(Input.CANCELLED)
    assert record.has_caller
    record.step(Input.GIVEN_UP)
    assert record.outcome("answer") is None


def test_what_nobody_here_asked_for_ends_nobodys_request() -> None:
    assert ResponseRecord(State.ACTIVE, "server").outcome("answer") is None
