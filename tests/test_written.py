"""What a person wrote as a dict goes out whole, or does not go out."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import events
from realtime_client.errors import InvalidClientEvent
from realtime_client.written import event_from, item_from, lost

PART = {"type": "input_text", "text": "x"}
ITEM: dict[str, Any] = {"type": "message", "role": "user", "content": [PART]}


def response(**options: Any) -> Any:
    return event_from({"type": "response.create", "response": options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"instructions": "", "conversation": "none", "input": [], "metadata": {"a": "b"}},
        {"input": [ITEM, {"type": "item_reference", "id": "i"}, {"type": "newer", "field": 1}]},
        {"audio": {"output": {"voice": {"id": "v"}, "format": {"type": "audio/pcm"}}}},
        {"tools": [{"type": "function", "name": "f", "parameters": {"anything": [{"at": "all"}]}}]},
        {"tools": [{"type": "newer", "field": 1}], "tool_choice": {"type": "newer", "field": 1}},
        {"prompt": {"id": "p", "variables": {"name": {"type": "input_text", "text": "x"}}}},
        {"max_output_tokens": "inf", "parallel_tool_calls": None, "reasoning": {"effort": "low"}},
    ],
)
def test_every_option_of_the_wire_is_read(options: Any) -> None:
    assert isinstance(response(**options), events.ResponseCreate)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"instruction": "x"}, "response.instruction"),
        ({"instruction": None}, "response.instruction"),
        ({"audio": {"output": {"voice": "a", "volume": 1}}}, "response.audio.output.volume"),
        ({"prompt": {"id": "p", "verison": "1"}}, "response.prompt.verison"),
        ({"reasoning": {"effrot": "low"}}, "response.reasoning.effrot"),
        ({"input": [ITEM, {**ITEM, "nmae": "x"}]}, "response.input[1].nmae"),
        (
            {"input": [{**ITEM, "content": [PART, {**PART, "txet": "x"}]}]},
            "response.input[0].content[1].txet",
        ),
        (
            {"tools": [{"type": "function", "name": "f", "strict": True}]},
            "response.tools[0].strict",
        ),
        ({"tool_choice": {"type": "function", "name": "f", "a": 1}}, "response.tool_choice.a"),
    ],
)
def test_an_unknown_key_is_named_at_every_depth(options: Any, path: str) -> None:
    with pytest.raises(InvalidClientEvent) as caught:
        response(**options)
    message = str(caught.value)
    assert message.startswith(f"response.create has no field {path}; ")
    assert "client.send({'type': 'response.create', ...})" in message


def test_an_unknown_option_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidClientEvent, match=r"it takes .*instructions, output_modalities"):
        response(instruction="x")


@pytest.mark.parametrize(
    ("options", "today"),
    [
        ({"modalities": ["text"]}, "output_modalities=['audio'] or ['text']"),
        ({"temperature": 0.7}, "nothing: the GA protocol has no temperature"),
        ({"voice": "ash"}, "audio={'output': {'voice': ...}}"),
        ({"output_audio_format": "pcm16"}, "audio={'output': {'format': {'type': 'audio/pcm'"),
        ({"max_response_output_tokens": 5}, "max_output_tokens="),
        ({"audio": {"output": {"speed": 1.2}}}, "session.update(speed=...)"),
        ({"speed": 1.2}, "session.update(speed=...)"),
        ({"turn_detection": None}, "session.update(turn_detection=...)"),
        ({"audio": {"input": {}}}, "session.update(session={'audio': {'input': ...}})"),
    ],
)
def test_a_former_name_is_answered_with_the_one_of_today(options: Any, today: str) -> None:
    with pytest.raises(InvalidClientEvent) as caught:
        response(**options)
    assert today in str(caught.value)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({**ITEM, "foo": 1}, "item.foo"),
        ({**ITEM, "created_at": 5}, "item.created_at"),
        ({**ITEM, "content": [{**PART, "txet": "x"}]}, "item.content[0].txet"),
        ({"type": "function_call", "name": "f", "args": "{}"}, "item.args"),
    ],
)
def test_an_item_loses_nothing_either(item: Any, path: str) -> None:
    with pytest.raises(InvalidClientEvent) as caught:
        item_from(item)
    message = str(caught.value)
    assert message.startswith(f"conversation.item.create has no field {path}; a field newer than ")
    assert "client.send({'type': 'conversation.item.create', ...})" in message


def test_a_name_that_means_something_elsewhere_means_nothing_in_an_item() -> None:
    with pytest.raises(InvalidClientEvent) as caught:
        item_from({**ITEM, "voice": "ash"})
    assert "today" not in str(caught.value)
    assert "session" not in str(caught.value)


def test_an_item_goes_where_it_is_told() -> None:
    assert item_from(ITEM) == events.ConversationItemCreate(item=events.user_message("x"))
    after = item_from(events.user_message("x"), after="root")
    assert after.previous_item_id == "root"
    assert after.item == events.user_message("x")


@pytest.mark.parametrize("item", [{"role": "user", "content": "hi"}, {}, {"type": None}])
def test_an_item_without_a_type_is_told_so(item: Any) -> None:
    with pytest.raises(InvalidClientEvent, match=r"^an item needs a `type`, such as \{'type'"):
        item_from(item)


@pytest.mark.parametrize("item", ["hello", None, 5, [ITEM]])
def test_what_is_no_item_is_told_so(item: Any) -> None:
    with pytest.raises(InvalidClientEvent, match=r"^an item is a struct or a dict .* not (?!.*h)"):
        item_from(item)


def test_a_newer_kind_of_item_stays_whole() -> None:
    newer = {"type": "newer", "field": {"a": [1]}}
    assert item_from(newer).item == events.UnknownVariant(raw=newer)


def test_lost_is_what_is_not_there_any_more() -> None:
    given = {"a": 1, "b": [{"c": 1}, {"d": 2, "e": None}], "f": {"g": {"h": 1}}}
    assert list(lost(given, given)) == []
    kept = {"a": 2, "b": [{}, {"d": 2}], "f": {"g": {}}}
    assert list(lost(given, kept)) == ["b[0].c", "b[1].e", "f.g.h"]
