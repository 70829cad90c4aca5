from __future__ import annotations

from functools import partial

from realtime_client.simulator.agenda import Agenda


def test_order_is_by_time_and_then_by_writing_down() -> None:
    agenda, done = Agenda(), list[str]()
    for when, name in [(2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b"), (3.0, "late")]:
        agenda.at(when, partial(done.append, name))
    assert agenda.next_due() == 1.0
    agenda.run(0.5)
    assert done == []
    agenda.run(2.0)
    assert done == ["a", "b", "c", "d"]
    assert agenda.next_due() == 3.0


def test_an_action_runs_at_the_time_it_was_due() -> None:
    agenda, times = Agenda(), list[float]()

    def tick() -> None:
        times.append(agenda.now)
        if len(times) < 4:
            agenda.after(0.5, tick)

    agenda.at(1.0, tick)
    agenda.run(2.1)
    assert times == [1.0, 1.5, 2.0]
    assert agenda.now == 2.1
    agenda.run(9.0)
    assert times == [1.0, 1.5, 2.0, 2.5]
    assert agenda.now == 9.0
    assert agenda.next_due() is None


def test_an_action_for_now_runs_after_what_waits_for_now() -> None:
    agenda, done = Agenda(), list[str]()

    def first() -> None:
        done.append("first")
        agenda.after(0, partial(done.append, "third"))

    agenda.at(1.0, first)
    agenda.at(1.0, partial(done.append, "second"))
    agenda.run(1.0)
    assert done == ["first", "second", "third"]


def test_clear_forgets() -> None:
    agenda, done = Agenda(), list[str]()
    agenda.at(1.0, partial(done.append, "x"))
    agenda.clear()
    agenda.run(2.0)
    assert done == []
