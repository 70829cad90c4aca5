"""What a caller holds of the user's turns, from the machine's notes and over a real socket."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client.errors import ClientClosed, ConnectionLost, RealtimeError, SlowConsumer
from realtime_client.events import MessageItem
from realtime_client.simulator import sing
from realtime_client.streams import Once
from realtime_client.turns import TurnBegan, TurnDelta, TurnEnded, TurnNote, TurnText, UserSaid
from realtime_client.user_turn import TURNS_BOUND, UserTurn, UserTurns
from tests.scenarios import connected

LOST = ConnectionLost("gone")
CLOSED = ClientClosed("closed")


def said(item_id: str = "a", text: str | None = "Hello.") -> UserSaid:
    status: Any = "untranscribed" if text is None else "transcribed"
    return UserSaid(item_id=item_id, status=status, text=text, began_at=1.0)


def ended(item_id: str = "a", text: str | None = "Hello.") -> TurnEnded:
    return TurnEnded(item_id, said(item_id, text))


async def one(turns: UserTurns, *notes: TurnNote) -> UserTurn:
    """The turn that these notes begin."""
    watch = turns.subscribe()
    turns.tell([TurnBegan("a"), *notes])
    return await anext(watch)


async def collect(stream: Any) -> list[Any]:
    return [element async for element in stream]


# -- a turn ---------------------------------------------------------------------------------


async def test_a_turn_appears_when_it_begins_and_tells_as_it_goes() -> None:
    turns = UserTurns()
    watch, heard = turns.subscribe(), []

    async def listen() -> None:
        turn = await anext(watch)
        heard.append(turn.item_id)
        async for delta in turn:
            heard.append(delta)  # noqa: PERF401 - what is there while it grows is the point
        heard.append(f"= {(await turn.done()).text}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        steps: list[tuple[TurnNote, list[str]]] = [
            (TurnBegan("a"), ["a"]),
            (TurnDelta("a", 0, "Hel"), ["a", "Hel"]),
            (TurnDelta("b", 0, "other"), ["a", "Hel"]),
            (TurnText("a", 0, "Hello."), ["a", "Hel", "lo."]),
            (ended(), ["a", "Hel", "lo.", "= Hello."]),
        ]
        for note, so_far in steps:
            turns.tell([note])
            await anyio.wait_all_tasks_blocked()
            assert heard == so_far


async def test_every_reader_starts_at_the_first_word() -> None:
    turn = await one(UserTurns(), TurnDelta("a", 0, "1"), TurnDelta("a", 0, "2"), ended())
    assert await collect(turn) == ["1", "2"]
    assert await collect(turn) == ["1", "2"]


@pytest.mark.parametrize(
    ("notes", "so_far", "deltas"),
    [
        ([], "", []),
        ([TurnDelta("a", 0, "He"), TurnDelta("a", 0, "y")], "Hey", ["He", "y"]),
        ([TurnText("a", 0, "Hey")], "Hey", ["Hey"]),
        ([TurnText("a", 0, "")], "", []),
        ([TurnDelta("a", 0, "Hey"), TurnText("a", 0, "Hey")], "Hey", ["Hey"]),
        ([TurnDelta("a", 0, " Hey"), TurnText("a", 0, "Hey.")], "Hey.", [" Hey"]),
        ([TurnText("a", 0, "Hey"), TurnText("a", 0, "Hey you")], "Hey you", ["Hey", " you"]),
        ([TurnDelta("a", 1, "you"), TurnDelta("a", 0, "Hey ")], "Hey you", ["you", "Hey "]),
        ([TurnDelta("a", 1, "y"), TurnText("a", 0, "-"), TurnText("a", 1, "u")], "-u", ["y", "-"]),
    ],
)  # fmt: skip
async def test_the_whole_text_of_a_part_wins(
    notes: list[TurnNote], so_far: str, deltas: list[str]
) -> None:
    turn = await one(UserTurns(), *notes)
    assert turn.so_far == so_far
    turn._tell(ended())
    assert await collect(turn) == deltas


async def test_a_turn_that_nobody_wrote_down_is_over_all_the_same() -> None:
    turn = await one(UserTurns(), ended(text=None))
    assert (await turn.done()).text is None
    assert await collect(turn) == []


async def test_a_later_word_corrects_what_was_said() -> None:
    turns = UserTurns()
    turn = await one(turns, TurnDelta("a", 0, "to"), ended(text="to"))
    turns.tell([TurnText("a", 0, "to be"), ended(text="to be")])
    assert (await turn.done()).text == turn.so_far == "to be"
    assert await collect(turn) == ["to"]


async def test_what_is_said_of_a_turn_is_there_when_it_is_over() -> None:
    turns = UserTurns()
    turn = await one(turns)
    assert (turn.said, repr(turn)) == (None, "<UserTurn a in_progress>")
    turns.tell([ended()])
    assert (turn.said, repr(turn)) == (said(), "<UserTurn a transcribed>")


async def test_done_can_be_cancelled_and_asked_again() -> None:
    turns = UserTurns()
    turn = await one(turns)
    with anyio.move_on_after(0) as scope:
        await turn.done()
    assert scope.cancelled_caught
    turns.tell([ended()])
    assert await turn.done() == said()


# -- who listens ----------------------------------------------------------------------------


async def test_everybody_who_listens_holds_the_same_turn() -> None:
    turns = UserTurns()
    first, second = turns.subscribe(), turns.subscribe()
    turns.tell([TurnBegan("a")])
    late = turns.subscribe()
    turns.tell([TurnBegan("b")])
    turn = await anext(first)
    assert turn is await anext(second)
    assert (await anext(late)).item_id == "b"
    turns.tell([ended()])
    assert await turn.done() == said()


async def test_turns_that_go_on_at_once_do_not_mix() -> None:
    turns = UserTurns()
    watch = turns.subscribe()
    turns.tell([TurnBegan("a"), TurnBegan("b"), TurnDelta("b", 0, "B"), TurnDelta("a", 0, "A")])
    turns.tell([ended("b", "B"), TurnDelta("a", 0, "a"), ended("a", "Aa")])
    first, second = await anext(watch), await anext(watch)
    assert (await collect(first), (await first.done()).text) == (["A", "a"], "Aa")
    assert (await collect(second), (await second.done()).text) == (["B"], "B")


async def test_what_nobody_holds_is_not_kept() -> None:
    turns = UserTurns()
    turns.tell([TurnBegan("a")])
    assert len(turns._turns) == 0
    watch = turns.subscribe()
    turns.tell([TurnBegan("b")])
    turn = await anext(watch)
    words = aiter(turn)
    gone = weakref.ref(turn)
    del turn
    gc.collect()
    assert gone() is not None, "who reads its words holds the turn"
    del words
    gc.collect()
    assert (gone(), len(turns._turns)) == (None, 0)
    turns.tell([TurnDelta("b", 0, "x"), ended("b")])
    del watch
    gc.collect()
    turns.tell([TurnBegan("c")])
    assert (len(turns._watches), len(turns._turns)) == (0, 0)


async def test_turns_that_nobody_reads_end_that_watch_alone() -> None:
    turns = UserTurns()
    idle, busy = turns.subscribe(), turns.subscribe()
    for number in range(TURNS_BOUND + 1):
        assert idle.held == number
        turns.tell([TurnBegan(f"i{number}")])
        assert (await anext(busy)).item_id == f"i{number}"
    with pytest.raises(SlowConsumer, match=f"user_turns\\(\\) .* {TURNS_BOUND} turns"):
        await anext(idle)
    turns.tell([TurnBegan("more")])
    assert (await anext(busy)).item_id == "more"


# -- the end of the connection --------------------------------------------------------------


async def rest(watch: Once[UserTurn]) -> tuple[list[str], RealtimeError | None]:
    """The turns that a watch still gives, and the error that it ends with."""
    got: list[str] = []
    try:
        async for turn in watch:
            got.append(turn.item_id)  # noqa: PERF401 - what came before the error counts
    except RealtimeError as error:
        return got, error
    return got, None


@pytest.mark.parametrize(("error", "raised"), [(LOST, LOST), (CLOSED, None)])
async def test_the_end_of_the_connection_ends_the_turns_to_come(
    error: RealtimeError, raised: RealtimeError | None
) -> None:
    turns = UserTurns()
    watch = turns.subscribe()
    turns.tell([TurnBegan("a")])
    turns.end(error)
    assert await rest(watch) == (["a"], raised)


@pytest.mark.parametrize("error", [LOST, CLOSED])
async def test_the_end_of_the_connection_ends_the_turns_that_go_on(error: RealtimeError) -> None:
    turns = UserTurns()
    watch = turns.subscribe()
    turns.tell([TurnBegan("a"), TurnBegan("b"), TurnDelta("a", 0, "cut"), ended("b")])
    cut, whole = await anext(watch), await anext(watch)
    turns.end(error)
    with pytest.raises(type(error)) as caught:
        await cut.done()
    assert caught.value is error
    words: list[str] = []
    with pytest.raises(type(error)):
        async for delta in cut:
            words.append(delta)  # noqa: PERF401 - what came before the error counts
    assert (words, cut.so_far) == (["cut"], "cut")
    assert await whole.done() == said("b")


# -- over a real socket, through `Client.user_turns()` --------------------------------------

LOGPROBS = "item.input_audio_transcription.logprobs"


def spoken(text: str) -> Any:
    """What a user says, with silence before it and enough after it to end the turn."""
    return np.concatenate([np.zeros(12_000, np.int16), sing(text), np.zeros(24_000, np.int16)])


async def test_two_spoken_turns_from_the_first_word_to_the_last() -> None:
    texts = ["one two", "and three"]
    async with connected(
        turn_detection="server_vad", transcription="whisper-1", include=[LOGPROBS]
    ) as (client, session):
        user_turns = client.user_turns()
        got: list[UserSaid] = []
        for text in texts:
            await client.send_audio(spoken(text), rate=24_000)
            turn = await anext(user_turns)
            partials = await collect(turn)
            got.append(await turn.done())
            assert len(partials) > 1
            assert "".join(partials) == turn.so_far == got[-1].text == text
        assert [turn.text for turn in session.hearing.heard] == texts
        messages = [one for one in client.conversation.items if isinstance(one, MessageItem)]
        spoke = [message.id for message in messages if message.role == "user"]
        assert spoke == [one.item_id for one in got]
    end_ms = 0
    for text, what in zip(texts, got, strict=True):
        assert (what.status, what.error, what.confidence) == ("transcribed", None, 1.0)
        assert what.started_ms is not None
        assert what.ended_ms is not None
        begin_ms, end_ms = end_ms, end_ms + len(spoken(text)) * 1000 // 24_000
        assert begin_ms < what.started_ms < begin_ms + 500 < what.ended_ms < end_ms
        assert what.committed_at is not None
        assert what.final_at is not None
        assert what.began_at <= what.committed_at <= what.final_at
    assert got[0].final_at < got[1].began_at  # type: ignore[operator]  # it is there, as shown above


async def test_a_turn_of_a_session_that_transcribes_nothing_ends_at_its_commit() -> None:
    async with connected(turn_detection="server_vad") as (client, _):
        user_turns = client.user_turns()
        await client.send_audio(spoken("one two"), rate=24_000)
        turn = await anext(user_turns)
        what = await turn.done()
        assert (what.status, what.text, what.confidence) == ("untranscribed", None, None)
        assert await collect(turn) == []


async def test_closing_the_client_is_a_clean_end_of_its_turns() -> None:
    async with connected() as (client, _):
        user_turns = client.user_turns()
    assert await collect(user_turns) == []
