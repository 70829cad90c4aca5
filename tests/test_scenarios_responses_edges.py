"""What goes wrong with responses elsewhere, and not here: an order that nobody expected.

R18: what a server says about one response comes in another order, twice, not at all, or about
things that nobody knows. Nothing raises, nothing hangs, what nobody is told of is counted; and what
is said next is heard to the last word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio
import pytest
from msgspec.structs import replace

from realtime_client import events
from realtime_client.errors import ResponseRejected
from realtime_client.events import ServerEvent
from realtime_client.simulator import Part, SimulatorPolicy
from realtime_client.verdicts import Verdict
from tests.responding import all_heard, heard, of_type, quiet, round_trip
from tests.scenarios import answers, connected

WORDS = ["I am one,", "and only one."]
SCRIPT: dict[str, Sequence[str | Part]] = {"odd": WORDS, "even": ["All is", "well again."]}
BRAIN = answers(SCRIPT)
AUDIO = events.ResponseOutputAudioDelta
SILENCE = bytes(4_800)

Said = list[ServerEvent]


class Odd:
    """Gathers all that is said of the first response, and says it in another order."""

    def __init__(self, order: Callable[[Said], Said]) -> None:
        self.told: Said | None = None
        self._order = order
        self._said: Said = []

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        if self.told is not None or not event.type.startswith("response."):
            return [event]
        self._said.append(event)
        if not isinstance(event, events.ResponseDone):
            return []
        self.told = self._order(self._said)
        return self.told


def first(said: Said, kind: type) -> Any:
    return next(one for one in said if isinstance(one, kind))


def without(said: Said, *kinds: type) -> Said:
    return [one for one in said if not isinstance(one, kinds)]


def moved_behind(said: Said, moved: type, behind: type) -> Said:
    """With the first event of a kind behind the first of another one."""
    one = first(said, moved)
    rest = [other for other in said if other is not one]
    at = rest.index(first(rest, behind)) + 1
    return [*rest[:at], one, *rest[at:]]


def sound_behind_its_part(said: Said) -> Said:
    end = said.index(first(said, events.ResponseContentPartDone))
    last = max(i for i, one in enumerate(said[:end]) if isinstance(one, AUDIO))
    return [*said[:last], *said[last + 1 : end + 1], said[last], *said[end + 1 :]]


def with_extra(said: Said, **fields: Any) -> Said:
    """With a delta of silence that has other fields, before the first audio."""
    one = first(said, AUDIO)
    at = said.index(one)
    extra = replace(one, delta=SILENCE, event_id="event_extra", **fields)
    return [*said[:at], extra, *said[at:]]


class Case(NamedTuple):
    """An order, and what is to come of it. `heard` has None where no sound can be known."""

    order: Callable[[Said], Said]
    heard: list[str | None]
    orphans: bool = False
    duplicates: Callable[[Said], int] = lambda said: 0


NO_SOUND: list[str | None] = [None, None]
CASES = {
    "as it should be": Case(lambda said: said, [*WORDS]),
    "done before created": Case(
        lambda said: [said[-1], *said[:-1]], NO_SOUND, orphans=True, duplicates=lambda said: 1
    ),
    "backwards": Case(lambda said: said[::-1], NO_SOUND, orphans=True, duplicates=lambda said: 1),
    "created after all that was said": Case(
        lambda said: [*said[1:-1], said[0], said[-1]], NO_SOUND, orphans=True
    ),
    "done twice": Case(lambda said: [*said, said[-1]], [*WORDS], duplicates=lambda said: 1),
    "created twice": Case(lambda said: [said[0], *said], [*WORDS], duplicates=lambda said: 1),
    "everything twice": Case(
        lambda said: [one for one in said for _ in "12"],
        [*WORDS],
        duplicates=lambda said: len(said),
    ),
    "all of it twice": Case(
        lambda said: said + said, [*WORDS], orphans=True, duplicates=lambda said: 2
    ),
    "a delta after done": Case(
        lambda said: moved_behind(
            said, events.ResponseOutputAudioTranscriptDelta, events.ResponseDone
        ),
        [*WORDS],
        orphans=True,
    ),
    "a delta after the end of its text": Case(
        lambda said: moved_behind(
            said,
            events.ResponseOutputAudioTranscriptDelta,
            events.ResponseOutputAudioTranscriptDone,
        ),
        [*WORDS],
    ),
    "the end of an item before its beginning": Case(
        lambda said: moved_behind(
            said, events.ResponseOutputItemAdded, events.ResponseOutputItemDone
        ),
        [*WORDS],
    ),
    "sound after the end of its part": Case(sound_behind_its_part, [*WORDS]),
    "no item and no part begins": Case(
        lambda said: without(said, events.ResponseOutputItemAdded, events.ResponseContentPartAdded),
        [*WORDS],
    ),
    "nothing but created, sound and done": Case(
        lambda said: [said[0], *(one for one in said if isinstance(one, AUDIO)), said[-1]], [*WORDS]
    ),
    "an item that nobody knows": Case(
        lambda said: with_extra(said, item_id="item_unknown"), [*WORDS, None]
    ),
    "no item at all": Case(lambda said: with_extra(said, item_id=events.UNSET), [*WORDS, None]),
    "a part that nobody knows": Case(lambda said: with_extra(said, content_index=7), [*WORDS]),
    "a part that cannot be": Case(lambda said: with_extra(said, content_index=-1), [*WORDS]),
    "an output that cannot be": Case(lambda said: with_extra(said, output_index=10**9), [*WORDS]),
    "a response that nobody knows": Case(
        lambda said: with_extra(said, response_id="resp_unknown"), [*WORDS], orphans=True
    ),
    "no response at all": Case(
        lambda said: with_extra(said, response_id=events.UNSET), [*WORDS], orphans=True
    ),
    "no indexes": Case(
        lambda said: [
            replace(one, content_index=events.UNSET) if hasattr(one, "content_index") else one
            for one in said
        ],
        [*WORDS],
    ),
    "ids that name nothing": Case(
        lambda said: [replace(one, event_id="event_TODO") for one in said], [*WORDS]
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_R18_an_odd_order_costs_nothing_but_what_it_hides(name: str, caplog: Any) -> None:
    case = CASES[name]
    odd = Odd(case.order)
    policy = SimulatorPolicy(pace="fast", tamper=odd)
    with quiet(caplog), anyio.fail_after(10):
        async with connected(policy, BRAIN) as (c, _):
            strays, happening = c.orphans(), c.events()
            response = await c.response.create(instructions="odd")
            await response.done()
            await round_trip(c)
            assert await heard_by_message(response) == {
                output.id: words
                for output, words in zip(response.outputs, in_order(response, case), strict=True)
            }
            assert (response.status, response.initiator) == ("completed", "client")
            assert sorted(response.transcript.split("\n")) == sorted(WORDS)
            assert odd.told is not None
            verdicts = [one.verdict.value for one in strays._items]
            assert bool(verdicts.count("orphan")) is case.orphans
            assert verdicts.count("duplicate") == case.duplicates(odd._said)
            assert verdicts.count("discarded") == 0
            told = [frame for frame in happening._items if str(frame.type).startswith("response.")]
            assert len(told) == sum(kind.total() for kind in c.stats.values()), "each has a verdict"
            assert not c.active
            even = await c.response.create(instructions="even", when_busy="fail")
            assert await all_heard(even) == SCRIPT["even"]


async def heard_by_message(response: Any) -> dict[str, str | None]:
    return {output.id: await heard(output) for output in response.outputs}


def in_order(response: Any, case: Case) -> list[str | None]:
    """What is to be heard of each output, in the order in which they became known."""
    expected = dict(zip(("item_1", "item_2"), case.heard, strict=False))
    return [expected.get(output.id) for output in response.outputs]


@pytest.mark.parametrize("shown", [events.ResponseCreated, events.ResponseDone])
async def test_R18_what_has_no_id_is_refused_and_cancelled_by_nobody(shown: type) -> None:
    """Whether it is its beginning that is seen, or its end."""

    def nameless(event: ServerEvent) -> Sequence[ServerEvent]:
        if isinstance(event, events.ResponseCreated | events.ResponseDone):
            nobody = replace(event, response=replace(event.response, id=events.UNSET))
            return [nobody] if isinstance(event, shown) else []
        return [event]

    policy = SimulatorPolicy(pace="fast", tamper=nameless)
    async with connected(policy, BRAIN) as (c, _):
        sent = c.sent()
        for _ in range(2):
            with anyio.fail_after(5), pytest.raises(ResponseRejected, match="without an id"):
                await c.response.create(instructions="odd")
        await round_trip(c)
        assert not c.active
        assert of_type(sent, "response.cancel") == []
        assert c.stats["delivered"].total() == 0
        kind = "response.created" if shown is events.ResponseCreated else "response.done"
        assert c.stats["orphan"][kind] == 2


@pytest.mark.parametrize("beside", [True, False])
async def test_R18_an_odd_one_does_not_touch_the_one_beside_it(beside: bool) -> None:
    """Every event of both is doubled, and every second one is told late."""
    late: Said = []

    def tamper(event: ServerEvent) -> Sequence[ServerEvent]:
        if not isinstance(event, AUDIO) or event.response_id != "resp_1":
            return [event, event]
        if late:
            return [event, late.pop(), event]
        late.append(event)
        return []

    policy = SimulatorPolicy(pace="fast", tamper=tamper, begin_together=2)
    async with connected(policy, BRAIN) as (c, _), anyio.create_task_group() as tasks:
        others: list[Any] = []
        strays = c.orphans()

        async def ask() -> None:
            options: dict[str, Any] = {"conversation": "none"}
            others.append(await c.response.create(instructions="odd", **options))

        if beside:
            tasks.start_soon(ask)
            await round_trip(c)
            even = await c.response.create(instructions="even")
        else:
            tasks.start_soon(c.response.create)
            await round_trip(c)
            even = await c.response.create(instructions="even", conversation="none")
        assert even.id == "resp_2"
        assert await all_heard(even) == SCRIPT["even"]
        orphans = [one.event for one in strays._items if one.verdict is Verdict.ORPHAN]
        # What was told after the end of its own item.
        assert {getattr(event, "response_id", None) for event in orphans} <= {"resp_1"}
