"""Whose commit was that? Every order of answers, refusals and callers who give up."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from realtime_client.committing import Answered, Commit, Commits
from realtime_client.events import InputAudioBufferCommitted


def committed(name: str) -> InputAudioBufferCommitted:
    return InputAudioBufferCommitted(item_id=name)


def waiting(*names: str) -> Commits:
    commits = Commits()
    for place, name in enumerate(names, 1):
        commits.add(name, place)
    return commits


def test_the_oldest_is_answered_and_what_is_left_over_is_the_vads() -> None:
    commits = waiting("a", "b")
    assert commits.on_committed(committed("1")) == Answered(commit=Commit("a", 1))
    assert bool(commits)
    assert commits.on_committed(committed("2")) == Answered(commit=Commit("b", 2))
    assert not commits
    assert commits.on_committed(committed("3")) == Answered(is_vads=True)


def test_one_that_was_given_up_holds_what_may_be_its_answer() -> None:
    commits = waiting("a", "b")
    commits.give_up("a")
    assert commits.certain == 0
    assert commits.on_committed(committed("1")) == Answered()
    assert commits.certain == 1, "whichever it answers, the first is in a turn"
    both = commits.on_committed(committed("2"))
    assert both == Answered(((Commit("a", 1), committed("1")),), Commit("b", 2))
    assert commits.certain == 0
    commits.add("a", 3)
    assert commits.on_committed(committed("3")).commit == Commit("a", 3), "a new one of that name"


def test_a_refusal_gives_what_was_held_to_the_next() -> None:
    commits = waiting("a", "b")
    commits.give_up("a")
    commits.on_committed(committed("1"))
    assert commits.on_refused("a")
    assert commits.take_held("a") == committed("1")
    assert commits.take_held("a") is None
    assert commits.on_committed(committed("1")) == Answered(commit=Commit("b", 2))


def test_a_refusal_of_one_that_is_waited_for_frees_nothing() -> None:
    commits = waiting("a", "b")
    commits.give_up("a")
    commits.on_committed(committed("1"))
    assert commits.on_refused("b")
    assert commits.take_held("b") is None
    assert commits.certain == 1


def test_what_nobody_asked_can_be_neither_given_up_nor_refused() -> None:
    commits = waiting("a")
    commits.give_up("x")
    assert not commits.on_refused("x")
    commits.add("x", 2)
    commits.on_committed(committed("1"))
    assert commits.on_committed(committed("2")).commit == Commit("x", 2), "it was not given up"


def test_the_last_one_given_up_and_then_the_vad() -> None:
    commits = waiting("a")
    commits.give_up("a")
    assert commits.on_committed(committed("1")) == Answered()
    ended = commits.on_committed(committed("2"))
    assert ended == Answered(((Commit("a", 1), committed("1")),), is_vads=True)


@pytest.mark.parametrize("given_up", list(product([False, True], repeat=3)))
@pytest.mark.parametrize("refused", list(product([False, True], repeat=3)))
def test_once_everything_has_come_everybody_has_his_own(
    given_up: tuple[bool, ...], refused: tuple[bool, ...]
) -> None:
    """A refusal may come at any time after its commit; the answers of the others come in order."""
    names = "abc"
    taken = [name for name, no in zip(names, refused, strict=True) if not no]
    for order in permutations(range(3)):
        commits = waiting(*names)
        for name, up in zip(names, given_up, strict=True):
            if up:
                commits.give_up(name)
        refusals = [names[index] for index in order if refused[index]]
        answers: dict[str, str] = {}

        def take(event: InputAudioBufferCommitted) -> None:
            answered = commits.on_committed(event)  # noqa: B023 - called within the loop only
            for commit, held in answered.given_up:
                answers[commit.event_id] = str(held.item_id)  # noqa: B023 - as above
            if answered.commit is not None:
                answers[answered.commit.event_id] = str(event.item_id)  # noqa: B023 - as above

        for name in refusals:  # they come first, or, as below, last
            assert commits.on_refused(name)
            assert commits.take_held(name) is None
        for name in taken:
            take(committed(name))
        # What was given up is sure only with the word after it.
        last = commits.on_committed(committed("vad"))
        answers |= {commit.event_id: str(held.item_id) for commit, held in last.given_up}
        assert answers == {name: name for name in taken}
        assert last.is_vads


def test_refusals_that_come_late_are_late_only_for_those_who_have_given_up() -> None:
    commits = waiting("a", "b", "c")
    commits.give_up("a")
    commits.give_up("b")
    assert commits.on_committed(committed("c")) == Answered()
    assert commits.on_refused("a")
    held = commits.take_held("a")
    assert held == committed("c")
    assert commits.on_committed(held) == Answered(), "it may be the second one's, now"
    assert commits.on_refused("b")
    again = commits.take_held("b")
    assert again is held
    assert commits.on_committed(again) == Answered(commit=Commit("c", 3))
