"""From the conversation that is to the one that is wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from realtime_client.errors import RealtimeError, SyncIncomplete, UsageError
from realtime_client.events import (
    UNSET,
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    ItemReference,
    McpCallItem,
    McpListToolsItem,
    MessageItem,
    UnknownVariant,
    assistant_message,
    system_message,
    user_message,
)
from realtime_client.kept import id_of
from realtime_client.syncing import Plan, plan


def sync(have: Sequence[Item], want: Sequence[Item], *, as_text: bool = False) -> Plan:
    numbers = itertools.count(1)
    used = {id_of(item) for item in (*have, *want)}
    fresh = (name for number in numbers if (name := f"new_{number}") not in used)
    return plan(have, want, new_id=lambda: next(fresh), audio_as_text=as_text)


def user(item_id: str | None, text: str | None = None) -> MessageItem:
    return replace(user_message(text or str(item_id)), id=UNSET if item_id is None else item_id)


def shown(item: Any) -> Any:
    """As a server shows an item that it has."""
    if isinstance(item, MessageItem):
        parts = [
            ContentPart(type="input_audio", transcript=None) if part.audio else part
            for part in item.content or ()
        ]
        return replace(item, object="realtime.item", status="completed", content=tuple(parts))
    return replace(item, status="completed") if isinstance(item, FunctionCallItem) else item


def spoken(
    item_id: str | None, transcript: Any = UNSET, role: str = "user", **fields: Any
) -> MessageItem:
    kind = "output_audio" if role == "assistant" else "input_audio"
    part = ContentPart(type=kind, transcript=transcript, **fields)
    return MessageItem(id=UNSET if item_id is None else item_id, role=role, content=(part,))


def call(item_id: str | None, call_id: Any = "c", arguments: str = "{}") -> FunctionCallItem:
    given_id = UNSET if item_id is None else item_id
    return FunctionCallItem(id=given_id, call_id=call_id, name="f", arguments=arguments)


def output(item_id: str | None, call_id: str = "c", text: str = "1") -> FunctionCallOutputItem:
    given_id = UNSET if item_id is None else item_id
    return FunctionCallOutputItem(id=given_id, call_id=call_id, output=text)


def applied(have: Sequence[Item], todo: Plan) -> list[Item]:
    """What a strict server makes of it: every step has to be possible when it comes."""
    items = list(have)
    for item_id in todo.deletes:
        (place,) = [place for place, item in enumerate(items) if id_of(item) == item_id]
        del items[place]
    for create in todo.creates:
        there = [id_of(item) for item in items]
        assert id_of(create.item) is not None
        assert id_of(create.item) not in there
        if isinstance(create.item, FunctionCallOutputItem):
            calls = [item.call_id for item in items if isinstance(item, FunctionCallItem)]
            assert create.item.call_id in calls
        after = create.previous_item_id
        assert isinstance(after, str)
        items.insert(0 if after == "root" else there.index(after) + 1, shown(create.item))
    return items


def names(items: Sequence[Item]) -> str:
    return "".join(str(id_of(item)) for item in items)


def moved(have: str, want: str) -> tuple[str, str]:
    """The ids that are deleted and created to get from one order to another."""
    todo = sync([shown(user(one)) for one in have], [user(one) for one in want])
    after = applied([shown(user(one)) for one in have], todo)
    assert names(after) == want
    return "".join(todo.deletes), names([create.item for create in todo.creates])


def refusal(have: Sequence[Item], want: Sequence[Item], *, as_text: bool = False) -> str:
    with pytest.raises(UsageError) as raised:
        sync(have, want, as_text=as_text)
    return str(raised.value)


# -- what moves -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "want", "deletes", "creates"),
    [
        ("", "", "", ""),
        ("abc", "abc", "", ""),
        ("", "ab", "", "ab"),
        ("abc", "", "cba", ""),
        ("abc", "ac", "b", ""),
        ("ac", "abc", "", "b"),
        ("abcd", "bcda", "a", "a"),
        ("abcd", "dabc", "d", "d"),
        ("abcde", "xcey", "dba", "xy"),
    ],
)
def test_the_smallest_set(have: str, want: str, deletes: str, creates: str) -> None:
    assert moved(have, want) == (deletes, creates)


def test_every_create_names_the_item_before_it() -> None:
    todo = sync([user("b"), user("d")], [user("a"), user("b"), user("c"), user(None, "e")])
    assert [create.previous_item_id for create in todo.creates] == ["root", "b", "c"]
    assert names([create.item for create in todo.creates]) == "acnew_1"
    assert todo.deletes == ("d",)


def test_other_content_under_the_same_id_is_deleted_and_created() -> None:
    todo = sync([user("a", "old"), user("b")], [user("a", "new"), user("b")])
    assert todo.deletes == ("a",)
    (create,) = todo.creates
    assert create.item == user("a", "new")
    assert create.previous_item_id == "root"


def test_what_is_created_says_nothing_that_only_servers_say() -> None:
    have = [user("a"), user("b")]
    want = [shown(replace(assistant_message("x"), id="x")), shown(call("y")), output("z"), *have]
    want[2] = replace(want[2], status="completed", object="realtime.item")
    want[1] = replace(want[1], object="realtime.item")
    todo = sync(have, want)
    assert [create.item for create in todo.creates] == [
        replace(assistant_message("x"), id="x"),
        call("y"),
        output("z"),
    ]


def test_parts_are_created_under_the_names_of_their_role() -> None:
    spoken_by = {"user": "input_text", "system": "input_text", "assistant": "output_text"}
    for role, kind in spoken_by.items():
        want = replace(written("text", "hi"), role=role)
        (create,) = sync([], [want]).creates
        assert create.item == replace(written(kind, "hi"), role=role)
    (create,) = sync([], [written("of another day", "hi")]).creates
    assert create.item == written("of another day", "hi")


# -- what means the same --------------------------------------------------------------------

SAME = [
    (user("a", "hi"), user("a", "hi")),
    (replace(user("a"), content=None), replace(user("a"), content=())),
    (
        MessageItem(id="a", role="assistant", content=(ContentPart(type="text", text="hi"),)),
        replace(assistant_message("hi"), id="a"),
    ),
    (spoken("a", "hello"), spoken("a")),
    (spoken("a"), spoken("a", "hello")),
    (spoken("a", None), spoken("a", "hello")),
    (spoken("a", "hello"), spoken("a", "hello")),
    (spoken("a", "hello"), spoken("a", audio="UklGRg==")),
    (call("a"), call("a", UNSET)),
    (call("a", arguments=""), replace(call("a"), arguments=None)),
    (output("a"), replace(output("a"), status="completed")),
    (McpCallItem(id="a", output="1"), McpCallItem(id="a")),
    (UnknownVariant(raw={"type": "x", "id": "a"}), UnknownVariant(raw={"type": "x", "id": "a"})),
    (spoken("a", "hello"), ItemReference(id="a")),
]


def picture(url: Any, detail: Any = UNSET, item_id: Any = "a") -> MessageItem:
    part = ContentPart(type="input_image", image_url=url, detail=detail)
    return MessageItem(id=item_id, role="user", content=(part,))


def written(kind: str, text: str | None) -> MessageItem:
    return MessageItem(id="a", role="user", content=(ContentPart(type=kind, text=text),))


SAME += [
    (written("input_text", None), written("input_text", "")),
    (written("input_text", ""), written("text", None)),
    (picture("data:1", "auto"), picture("data:1")),
    (picture(None), picture("data:1")),
    (picture("data:1", "high"), picture(None, "high")),
]

DIFFERENT = [
    (user("a", "hi"), user("a", "ho")),
    (user("a", "hi"), replace(system_message("hi"), id="a")),
    (user("a", "hi"), replace(user("a"), content=user_message("hi").content * 2)),  # type: ignore[operator]  # it has content
    (call("a"), call("a", arguments="[]")),
    (call("a"), call("a", "another")),
    (call("a"), replace(call("a"), name="g")),
    (output("a"), output("a", text="2")),
    (picture("data:1"), picture("data:2")),
    (picture("data:1"), picture("data:1", "high")),
    (spoken("a", "hi"), user("a", "hi")),
    (user("a", "hi"), call("a")),
    (user("a", "hi"), output("a")),
    (output("a"), user("a", "hi")),
    (
        replace(user("a"), content=(ContentPart(type="x", text="1"),)),
        replace(user("a"), content=(ContentPart(type="x", text="2"),)),
    ),
]


@pytest.mark.parametrize(("have", "want"), SAME)
def test_what_means_the_same_stays(have: Item, want: Item) -> None:
    assert sync([shown(have)], [want]) == Plan((), ())


@pytest.mark.parametrize(("have", "want"), DIFFERENT)
def test_what_means_another_thing_is_made_anew(have: Item, want: Item) -> None:
    before = [call("0"), have]  # so that there is a call to answer
    todo = sync(before, [call("0"), want])
    assert todo.deletes == ("a",)
    assert [id_of(create.item) for create in todo.creates] == ["a"]


def test_two_transcripts_that_differ_are_not_the_same_audio() -> None:
    assert "item a has audio" in refusal([spoken("a", "hello")], [spoken("a", "goodbye")])


@pytest.mark.parametrize(
    "want",
    [
        [user_message("hi"), assistant_message("ho"), user_message("hi")],
        [system_message("be brief"), call(None), output(None), user_message("hi")],
        [call(None, UNSET)],
        [picture("data:1", "auto", UNSET)],
        [],
    ],
)
def test_a_list_without_ids_is_made_once(want: list[Item]) -> None:
    have = applied([], sync([], want))
    assert len(have) == len(want)
    assert sync(have, want) == Plan((), ())


def test_audio_without_an_id_is_known_by_its_transcript() -> None:
    assert sync([spoken("a", "heard")], [spoken(None, "heard")]) == Plan((), ())


@pytest.mark.parametrize(
    ("have", "want"),
    [
        (spoken("a"), spoken(None, audio="UklGRg==")),
        (spoken("a", "hi"), spoken(None, "hi", audio="UklGRg==")),
        (picture(None), picture("data:1", UNSET, UNSET)),
        (McpListToolsItem(id="a"), user(None, "hi")),
    ],
)
def test_without_an_id_nothing_is_taken_for_what_it_may_not_be(have: Item, want: Item) -> None:
    todo = sync([have], [want])
    assert todo.deletes == ("a",)
    assert len(todo.creates) == 1


def test_an_item_that_is_wanted_by_its_id_is_not_taken_for_another() -> None:
    have = [user("a", "hi"), user("b", "hi")]
    todo = sync(have, [user(None, "hi"), user("a", "hi")])
    assert todo.deletes == ("b",) or todo.deletes == ("a",)
    after = applied(have, todo)
    assert [id_of(item) for item in after][1] == "a"
    assert len(after) == 2


def test_an_id_that_the_server_does_not_have_is_a_new_item() -> None:
    todo = sync([user("a", "hi")], [user("x", "hi")])
    assert (todo.deletes, len(todo.creates)) == (("a",), 1)


# -- audio ----------------------------------------------------------------------------------


def test_audio_stays_where_it_is_and_the_others_move_around_it() -> None:
    have: list[Item] = [spoken("a", "hi"), user("b"), user("c")]
    want = [have[1], have[2], have[0]]
    for as_text in (False, True):
        todo = sync(have, want, as_text=as_text)
        assert names(applied(have, todo)) == "bca"
        assert todo.deletes == (("a",) if as_text else ("c", "b"))
    swap = sync(have[:2], [have[1], have[0]], as_text=True)
    assert swap.deletes == ("b",)
    assert sync([have[1], have[0]], have[:2], as_text=True).deletes == ("b",)


def test_audio_that_changes_places_with_audio_cannot() -> None:
    have = [spoken("a", "hi"), spoken("b", "ho", "assistant")]
    assert refusal(have, have[::-1]) in [
        f"item {one} has audio that cannot be created again: audio_as_text=True makes it text"
        for one in "ab"
    ]


def test_or_becomes_its_transcript_if_told() -> None:
    have = [spoken("a", "hi"), spoken("b", "ho", "assistant"), spoken("c", "hu", "assistant")]
    want = [have[2], have[1], have[0]]
    todo = sync(have, want, as_text=True)
    made = {id_of(create.item): create.item for create in todo.creates}
    assert len(made) == 2
    texts = {
        "a": user("a", "hi"),
        "b": replace(assistant_message("ho"), id="b"),
        "c": replace(assistant_message("hu"), id="c"),
    }
    assert made == {item_id: texts[str(item_id)] for item_id in made}
    after = applied(have, todo)
    assert names(after) == "cba"
    assert sync(after, want, as_text=True) == Plan((), ())


def test_the_transcript_that_the_server_has_is_as_good() -> None:
    have = [spoken("a", "hi"), spoken("b", "ho", "assistant")]
    want = [spoken("b", role="assistant"), spoken("a")]
    after = applied(have, sync(have, want, as_text=True))
    parts = [text_of(item) for item in after]
    assert [part.text or part.transcript for part in parts] == ["ho", "hi"]
    assert sync(after, want, as_text=True) == Plan((), ())


def test_audio_without_a_transcript_cannot_become_text() -> None:
    have = [spoken("a"), spoken("b", None, "assistant")]
    for want in (have[::-1], [spoken("new")], [spoken(None, role="assistant", audio="UklGRg==")]):
        assert refusal(have, want, as_text=True).endswith("created again: it has no transcript")
    # What can become text moves, and what cannot stays, whatever is shorter.
    more = [spoken("a"), spoken("b", "x"), spoken("c", "y")]
    assert sync(more, [*more[1:], more[0]], as_text=True).deletes == ("c", "b")


def test_an_edited_transcript_is_a_new_text_if_told() -> None:
    (create,) = sync([spoken("a", "hello")], [spoken("a", "goodbye")], as_text=True).creates
    assert create.item == user("a", "goodbye")


def test_text_that_stands_for_audio_counts_only_if_told() -> None:
    have, want = [user("a", "hi")], [spoken("a", "hi")]
    assert sync(have, want, as_text=True) == Plan((), ())
    assert sync([user("a", "hi")], [spoken(None, "hi")], as_text=True) == Plan((), ())
    assert "item a has audio" in refusal(have, want)
    assert "item 1 of the list has audio" in refusal(have, [spoken(None, "hi")])
    assert sync(have, [spoken("a", "ho")], as_text=True).deletes == ("a",)
    assert "no transcript" in refusal(have, [spoken(None)], as_text=True)


@pytest.mark.parametrize("as_text", [False, True])
def test_a_users_own_audio_is_created_as_audio(as_text: bool) -> None:
    bring = spoken(None, "hi", audio="UklGRg==", format="pcm16")
    named = replace(bring, id="a")
    (create,) = sync([user("a", "hi")], [named], as_text=as_text).creates
    part = ContentPart(type="input_audio", audio="UklGRg==", transcript="hi")
    assert create.item == MessageItem(id="a", role="user", content=(part,))
    (create,) = sync([user("b", "hi")], [bring], as_text=as_text).creates
    assert create.item == MessageItem(id="new_1", role="user", content=(part,))
    older = replace(named, content=(ContentPart(type="audio", audio="UklGRg=="),))
    (create,) = sync([], [older], as_text=as_text).creates
    assert create.item.content[0].type == "input_audio"  # type: ignore[union-attr, index]  # a message


def test_an_assistants_audio_is_never_created() -> None:
    want = spoken("a", "hi", "assistant", audio="UklGRg==")
    assert "item a has audio" in refusal([], [want])
    (create,) = sync([], [want], as_text=True).creates
    assert create.item == replace(assistant_message("hi"), id="a")


def test_a_picture_moves_if_it_is_here() -> None:
    have = [picture("data:1"), user("b"), user("c")]
    after = applied(have, sync(have, [user("b"), user("c"), picture(None)]))
    assert after[2] == shown(picture("data:1"))
    lost = [picture(None), user("b"), user("c")]
    assert sync(lost, [user("b"), user("c"), picture(None)]).deletes == ("c", "b")
    assert refusal([], [picture(None)]) == (
        "item a has a picture that is not here, and cannot be created again"
    )


# -- calls ----------------------------------------------------------------------------------


def test_an_output_comes_after_its_call() -> None:
    answers = "item o answers the call c, which has to be in the list before it"
    assert refusal([], [output("o"), call("a")]) == answers
    assert refusal([], [output("o")]) == answers
    assert refusal([], [user("b"), call("d", "d"), output("e", "d"), output("o")]) == answers
    assert refusal([call("a")], [output("o")]) == answers
    assert refusal([call("a"), output("o")], [output("o")]) == answers
    assert refusal([], [output(None)]).startswith("item 1 of the list answers the call c")
    todo = sync([], [call("a"), output("o")])
    assert names(applied([], todo)) == "ao"
    # An output whose call nobody has seen, and that stays, is none of our business.
    assert sync([output("o"), user("b")], [output("o")]).deletes == ("b",)


def test_a_call_that_moves_takes_the_servers_call_id_with_it() -> None:
    have: list[Item] = [call("a"), user("b"), user("c")]
    (create,) = sync(have, [user("b"), user("c"), call("a", UNSET)]).creates
    assert create.item == call("a")


# -- what cannot be -------------------------------------------------------------------------


def test_an_id_that_is_wanted_twice() -> None:
    assert refusal([], [user("a"), user("b"), user("a", "x")]) == "item a is wanted twice"
    assert refusal([user("a")], [user("a"), ItemReference(id="a")]) == "item a is wanted twice"


def test_a_reference_is_to_an_item_that_is_there() -> None:
    assert refusal([], [ItemReference(id="a")]) == (
        "item a is referred to, and the server has no such item"
    )
    have = [user("a"), user("b"), user("c")]
    want: list[Item] = [ItemReference(id=one) for one in "bca"]
    after = applied(have, sync(have, want))
    assert after == [user("b"), user("c"), shown(user("a"))]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (McpCallItem(id="a"), "mcp_call"),
        (McpListToolsItem(id="a"), "mcp_list_tools"),
        (UnknownVariant(raw={"type": "x", "id": "a"}), "x"),
    ],
)
def test_what_a_client_cannot_create(item: Item, kind: str) -> None:
    assert refusal([], [item]) == f"item a is of type {kind}, which a client cannot create"
    have: list[Item] = [item, user("b"), user("c")]
    assert sync(have, [user("b"), user("c"), item]).deletes == ("c", "b")
    assert sync(have, [user("b")]).deletes == ("c", "a")


def test_what_is_in_progress_stays_or_nothing_is_done() -> None:
    growing = replace(user("a"), status="in_progress")
    assert refusal([growing], []) == "item a is in progress and cannot be deleted yet"
    assert refusal([], [growing]) == "item a is in progress and cannot be created yet"
    assert "item a is in progress" in refusal([growing], [user("a", "x")])
    have = [growing, user("b"), user("c")]
    for item in (growing, user("a"), user(None, "a")):
        assert sync(have, [user("b"), user("c"), item]).deletes == ("c", "b")
    call_in_progress = replace(call("a"), status="in_progress")
    assert "item a is in progress" in refusal([], [call_in_progress])


def test_what_was_refused_is_told() -> None:
    no, never = RealtimeError("no"), RealtimeError("never")
    one = SyncIncomplete(created=("a",), deleted=("b",), refused=(("c", no),))
    assert str(one) == "the server refused a part of the sync: item c: no"
    assert (one.created, one.deleted, one.refused) == (("a",), ("b",), (("c", no),))
    two = SyncIncomplete(created=(), deleted=(), refused=(("c", no), ("d", never)))
    assert str(two) == "the server refused a part of the sync: item c: no, and 1 more"


# -- whatever is wanted ---------------------------------------------------------------------

TEXTS = st.sampled_from(["hi", "ho"])
HAVE_IDS = "abcdef"


@st.composite
def conversations(draw: st.DrawFn) -> list[Item]:
    items: list[Item] = []
    for item_id in HAVE_IDS[: draw(st.integers(0, 5))]:
        kind = draw(st.sampled_from(["text", "text", "text", "audio", "mcp", "growing"]))
        item: Item = shown(user(item_id, draw(TEXTS)))
        if kind == "audio":
            item = spoken(item_id, draw(TEXTS | st.none()))
        elif kind == "mcp":
            item = McpListToolsItem(id=item_id)
        elif kind == "growing":
            item = replace(user(item_id, draw(TEXTS)), status="in_progress")
        items.append(item)
    return items


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Item], list[Item], bool]:
    have = draw(conversations())
    new = st.one_of(
        st.builds(user, st.none(), TEXTS),
        st.builds(user, st.sampled_from("abxy"), TEXTS),
        st.builds(spoken, st.none(), TEXTS),
    )
    old = st.sampled_from(have) if have else new
    want = draw(st.lists(st.one_of(old, old, new), max_size=5, unique_by=by_id()))
    return have, want, draw(st.booleans())


def by_id() -> Any:
    numbers = itertools.count()
    return lambda item: id_of(item) or next(numbers)


def runs(have: Sequence[Item], want: Sequence[Item]) -> Iterator[dict[int, int]]:
    """Every way to let items stay in order."""
    size = min(len(have), len(want))
    for length in range(size, -1, -1):
        for places in itertools.combinations(range(len(want)), length):
            for indexes in itertools.combinations(range(len(have)), length):
                yield dict(zip(places, indexes, strict=True))


def text_of(item: Any) -> Any:
    """The one part of a message; None for what is no message."""
    if not isinstance(item, MessageItem):
        return None
    assert item.content
    (part,) = item.content
    return part


def brute(have: Sequence[Item], want: Sequence[Item], as_text: bool) -> int | None:
    """The smallest number of steps by trying everything; None where nothing works."""
    wanted = {id_of(item) for item in want} - {None}

    def alike(there: Item, item: Item) -> bool:
        if there.type != item.type:
            return False
        if id_of(item) is not None and id_of(item) != id_of(there):
            return False
        if id_of(item) is None and id_of(there) in wanted:
            return False
        ours, theirs = text_of(item), text_of(there)
        if ours is None or (ours.type == theirs.type == "input_audio" and id_of(item)):
            return ours is None or None in (ours.transcript, theirs.transcript) or ours == theirs
        if ours.type == theirs.type:
            return bool(ours == theirs)
        audio_for_text = ours.type == "input_audio" and theirs.type == "input_text"
        named = id_of(item) is not None and ours.transcript is None
        return as_text and audio_for_text and (named or bool(ours.transcript == theirs.text))

    def can_be_made(item: Item) -> bool:
        part = text_of(item)
        if part is None or getattr(item, "status", None) == "in_progress":
            return False
        if part.type == "input_text":
            return True
        twins = [there for there in have if id_of(there) == id_of(item) and alike(there, item)]
        known = [part, *map(text_of, twins)]
        return as_text and any(isinstance(one.transcript or one.text, str) for one in known)

    for run in runs(have, want):
        if not all(alike(have[index], want[place]) for place, index in run.items()):
            continue
        gone = [item for index, item in enumerate(have) if index not in run.values()]
        made = [item for place, item in enumerate(want) if place not in run]
        if any(getattr(item, "status", None) == "in_progress" for item in gone):
            continue
        if all(can_be_made(item) for item in made):
            return len(gone) + len(made)
    return None


def same_conversation(have: Sequence[Item], want: Sequence[Item], as_text: bool) -> bool:
    return brute(have, want, as_text) == 0


@settings(max_examples=300, deadline=None)
@given(cases())
def test_it_is_the_shortest_way_that_there_is(case: tuple[list[Item], list[Item], bool]) -> None:
    have, want, as_text = case
    shortest = brute(have, want, as_text)
    if shortest is None:
        refusal(have, want, as_text=as_text)
        return
    todo = sync(have, want, as_text=as_text)
    assert len(todo.deletes) + len(todo.creates) == shortest
    after = applied(have, todo)
    for item, wanted in zip(after, want, strict=True):
        assert id_of(wanted) in (None, id_of(item))
    assert same_conversation(after, want, as_text)
    assert sync(after, want, as_text=as_text) == Plan((), ())


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(30)), st.permutations(range(30)))
def test_a_new_order_of_many(have: list[int], want: list[int]) -> None:
    before = [shown(user(str(number))) for number in have[:20]]
    wanted = [user(str(number)) for number in want[:20]]
    after = applied(before, sync(before, wanted))
    assert [id_of(item) for item in after] == [id_of(item) for item in wanted]


def test_two_thousand_items_take_no_time() -> None:
    have = [shown(user(str(number), "the same")) for number in range(2_000)]
    want: list[Item] = [user(str(number), "the same") for number in reversed(range(2_000))]
    todo = sync(have, want)
    assert (len(todo.deletes), len(todo.creates)) == (1_999, 1_999)
