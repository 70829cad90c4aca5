"""From the server's conversation to the one that is wanted, by deletes and creates.

The wire can delete an item and create one, and cannot move or change any. So an item either
stays as it is, or goes and comes back. What stays is a longest run of items that both lists
have in the same order; among runs of one length it is the one that loses no audio. Audio is
why the shortest way is not always a way: the mirror has none of it and nobody can create an
assistant's, so an item with audio has to stay, and the others move around it. Only where two
such items change places there is no way, and then nothing is sent.

An item that is wanted without an id is whichever item of the server's means the same and
stands in the right place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from realtime_client.errors import UsageError
from realtime_client.events import (
    ConversationItemCreate,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    ItemReference,
)
from realtime_client.kept import id_of, is_growing
from realtime_client.meaning import as_created, has_audio, same, words

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """What to send: the ids to delete, and once those are gone, the creates in their order."""

    deletes: tuple[str, ...]
    creates: tuple[ConversationItemCreate, ...]


def plan(
    have: Sequence[Item],
    want: Sequence[Item],
    *,
    new_id: Callable[[], str],
    audio_as_text: bool = False,
) -> Plan:
    """The fewest deletes and creates that make the items `have` mean the items `want`.

    `new_id` gives ids to created items that have none. With `audio_as_text`, audio that would
    have to be created again becomes its transcript as text, and an item that is text already
    counts as that audio.

    Raises:
        UsageError: An id that is wanted twice, an output that does not come after its call, an
            item that would have to be created and cannot be (audio that is not here, items of
            MCP), or one that is in progress and would have to go. The message names it.
    """
    there = {_named(item): item for item in have}
    wanted = _resolved(want, there)
    drafts = [
        _draft(item, place, there.get(id_of(item) or ""), audio_as_text)
        for place, item in enumerate(wanted)
    ]
    stays = _heaviest(_pairs(have, wanted, drafts, audio_as_text), len(have))
    kept = {place: have[index] for place, index in stays.items()}
    staying = set(stays.values())
    gone = [item for index, item in enumerate(have) if index not in staying]
    made = {place: _made(draft) for place, draft in enumerate(drafts) if place not in kept}
    _check_gone(gone)
    _check_calls([kept.get(place) or made[place] for place in range(len(want))], kept, have)
    # The newest first, so that no call goes before its output.
    deletes = tuple(_named(item) for item in reversed(gone))
    return Plan(deletes, tuple(_creates(kept, made, new_id)))


def _named(item: Item) -> str:
    item_id = id_of(item)
    assert item_id is not None, "an item of the server has an id"
    return item_id


def _resolved(want: Sequence[Item], there: Mapping[str, Item]) -> list[Item]:
    """What is wanted, with the items in the place of references to them."""
    seen: set[str] = set()
    resolved = []
    for item in want:
        item_id = id_of(item)
        if item_id in seen:
            raise UsageError(f"item {item_id} is wanted twice")
        if item_id is not None:
            seen.add(item_id)
        if isinstance(item, ItemReference):
            if item.id not in there:
                raise UsageError(f"item {item.id} is referred to, and the server has no such item")
            item = there[item.id]
        resolved.append(item)
    return resolved


def _creates(
    kept: Mapping[int, Item], made: Mapping[int, Item], new_id: Callable[[], str]
) -> Iterator[ConversationItemCreate]:
    """Each create names the item before it, so that it finds its place whatever comes between."""
    previous = "root"
    for place in range(len(kept) + len(made)):
        if place in kept:
            previous = _named(kept[place])
            continue
        item: Any = made[place]
        item_id = id_of(item) or new_id()
        yield ConversationItemCreate(previous_item_id=previous, item=replace(item, id=item_id))
        previous = item_id


def _check_gone(gone: Sequence[Item]) -> None:
    for item in gone:
        if is_growing(item):
            raise UsageError(f"item {_named(item)} is in progress and cannot be deleted yet")


def _check_calls(final: Sequence[Item], kept: Mapping[int, Item], have: Sequence[Item]) -> None:
    """No output before its call, and none whose call goes or never was, if it is up to us."""
    before = {item.call_id for item in have if isinstance(item, FunctionCallItem)}
    seen = set()
    for place, item in enumerate(final):
        if isinstance(item, FunctionCallItem):
            seen.add(item.call_id)
        if not isinstance(item, FunctionCallOutputItem) or item.call_id in seen:
            continue
        if place not in kept or item.call_id in before:
            raise UsageError(
                f"{_called(item, place)} answers the call {item.call_id}, "
                "which has to be in the list before it"
            )


# -- what stays -----------------------------------------------------------------------------
#
# A run of pairs (place in `want`, index in `have`), growing in both. Its weight is a number of
# three digits to the base n + 1: items that cannot go, items, items with audio.


def _pairs(
    have: Sequence[Item], want: Sequence[Item], drafts: Sequence[_Draft], as_text: bool
) -> list[list[tuple[int, int]]]:
    """For each wanted item the items that may be it, as (index, weight)."""
    indexes = {_named(item): index for index, item in enumerate(have)}
    claimed = {id_of(item) for item in want}
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(have):
        if _named(item) not in claimed:
            alike[words(item)].append(index)
    base = len(want) + 1
    rows = []
    for item, draft in zip(want, drafts, strict=True):
        item_id = id_of(item)
        if item_id is None:
            found = [i for i in alike[words(item)] if same(have[i], item, as_text, named=False)]
        else:
            found = [indexes[item_id]] if draft.is_there else []
        stuck = isinstance(draft.item, UsageError)
        rows.append(
            [
                (
                    index,
                    base * base * (stuck or is_growing(have[index]))
                    + base
                    + has_audio(have[index]),
                )
                for index in found
            ]
        )
    return rows


def _heaviest(rows: Sequence[Sequence[tuple[int, int]]], width: int) -> dict[int, int]:
    """The heaviest run of pairs that grows in both: place to index, in O(pairs · log width).

    `tops` is a Fenwick tree of the best run that ends before an index; a run is its weight,
    its last pair, and the run before that.
    """
    tops: list[Any] = [(0,)] * (width + 1)

    def best(end: int) -> Any:
        run = tops[0]
        while end:
            run = max(run, tops[end], key=_weight)
            end &= end - 1
        return run

    for place, row in enumerate(rows):
        runs = [(best(index), index, weight) for index, weight in row]
        for before, index, weight in runs:
            run = (before[0] + weight, place, index, before)
            slot = index + 1
            while slot <= width:
                tops[slot] = max(tops[slot], run, key=_weight)
                slot += slot & -slot
    stays = {}
    run = best(width)
    while len(run) > 1:
        _, place, index, run = run
        stays[place] = index
    return stays


def _weight(run: Any) -> int:
    weight: int = run[0]
    return weight


# -- what is wanted -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Draft:
    """What a create would send, or why it cannot; and whether the server has it under its id."""

    item: Item | UsageError
    is_there: bool


def _draft(item: Item, place: int, twin: Item | None, as_text: bool) -> _Draft:
    is_there = twin is not None and same(twin, item, as_text, named=True)
    try:
        created = as_created(item, _called(item, place), twin if is_there else None, as_text)
    except UsageError as error:
        return _Draft(error, is_there)
    return _Draft(created, is_there)


def _made(draft: _Draft) -> Item:
    if isinstance(draft.item, UsageError):
        raise draft.item
    return draft.item


def _called(item: Item, place: int) -> str:
    item_id = id_of(item)
    return f"item {item_id}" if item_id is not None else f"item {place + 1} of the list"
