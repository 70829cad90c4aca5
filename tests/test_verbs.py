"""What `response.create` refuses before anything is sent."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from realtime_client import events
from realtime_client.errors import InvalidClientEvent, UsageError
from realtime_client.verbs import ResponseOptions
from tests import wire
from tests.scripted import opens, scripted


def replies(frame: dict[str, Any]) -> Any:
    if frame["type"] != "response.create":
        return opens(frame)
    metadata = frame["response"]["metadata"]
    response_id = f"resp_{metadata['realtime_client']}"
    return [wire.created(response_id, metadata), wire.done(response_id)]


def test_the_options_are_those_of_the_wire() -> None:
    assert set(get_type_hints(ResponseOptions)) == set(
        events.ResponseCreateParams.__struct_fields__
    )


KEY, VALUE = "k" * 64, "v" * 512


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"instruction": "x"}, InvalidClientEvent, "no field response.instruction; "),
        ({"modalities": ["text"]}, InvalidClientEvent, "output_modalities="),
        ({"audio": {"output": {"speed": 1.2}}}, InvalidClientEvent, "response.audio.output.speed"),
        ({"input": [{"type": "message", "role": "user", "a": 1}]}, InvalidClientEvent, "[0].a"),
        ({"timeout": "5"}, UsageError, "timeout is in seconds, 0 or more; got '5'"),
        ({"timeout": float("nan")}, UsageError, "timeout is in seconds, 0 or more; got nan"),
        ({"timeout": True}, UsageError, "timeout is in seconds, 0 or more; got True"),
        ({"when_busy": "Wait"}, UsageError, "when_busy is 'wait', 'interrupt' or 'fail'; got"),
        ({"when_busy": ["wait"]}, UsageError, "when_busy is 'wait', 'interrupt' or 'fail'; got"),
        ({"extra_instructions": 5}, UsageError, "extra_instructions is a text, not int"),
        ({"extra_instructions": b""}, UsageError, "extra_instructions is a text, not bytes"),
        ({"metadata": {"realtime_client": "x"}}, UsageError, "'realtime_client' is the client's"),
        ({"metadata": {str(i): "" for i in range(16)}}, UsageError, "15 pairs of your own; got 16"),
        ({"metadata": {KEY + "k": "x"}}, UsageError, "64 characters; got one of 65: 'kkk"),
        ({"metadata": {"a": VALUE + "v"}}, UsageError, "512 characters; that of 'a' has 513"),
        ({"metadata": {"a": 1}}, UsageError, "values; that of 'a' is int"),
        ({"metadata": {"a": None}}, UsageError, "values; that of 'a' is NoneType"),
        ({"metadata": {1: "a"}}, UsageError, "metadata has texts for its keys, not 1"),
        ({"metadata": "a=b"}, UsageError, "metadata is pairs of texts, not str"),
    ],
)
async def test_a_create_that_cannot_be_is_refused_and_nothing_is_sent(
    options: Any, error: type[UsageError], words: str
) -> None:
    async with scripted(replies, instructions="Be brief.") as (client, server):
        sent = len(server.received)
        with pytest.raises(error) as caught:
            await client.response.create(**options)
        assert words in str(caught.value)
        assert "v" * 100 not in str(caught.value)
        await client.response.create()
        assert [frame["type"] for frame in server.received[sent:]] == ["response.create"]


@pytest.mark.parametrize(
    ("options", "instructions"),
    [
        ({"extra_instructions": ""}, None),
        ({"extra_instructions": "X"}, "Be brief.\n\nX"),
        ({"instructions": "", "extra_instructions": "X"}, "X"),
        ({"instructions": "", "extra_instructions": ""}, ""),
        ({"instructions": "A", "extra_instructions": ""}, "A"),
        ({"instructions": None, "extra_instructions": "X"}, "Be brief.\n\nX"),
    ],
)
async def test_what_is_empty_adds_nothing_and_replaces(
    options: Any, instructions: str | None
) -> None:
    def acknowledges(frame: dict[str, Any]) -> Any:
        if frame["type"] == "session.update":
            session = wire.session(instructions="Be brief.")
            return [wire.frame("session.updated", session=session)]
        return replies(frame)

    async with scripted(acknowledges, instructions="Be brief.") as (client, server):
        await client.response.create(**options)
        assert server.received[-1]["response"].get("instructions") == instructions


async def test_metadata_up_to_its_ends_goes_out() -> None:
    mine = {f"{number:02}{KEY[2:]}": VALUE for number in range(15)}
    async with scripted(replies) as (client, server):
        await client.response.create(metadata=mine)
        sent = server.received[-1]["response"]["metadata"]
        assert {key: value for key, value in sent.items() if key != "realtime_client"} == mine
        await client.response.create(metadata=None)  # type: ignore[arg-type]  # null, on the wire
        assert set(server.received[-1]["response"]["metadata"]) == {"realtime_client"}


async def test_a_raw_create_goes_out_as_it_is() -> None:
    async with scripted(replies) as (client, server):
        await client.send({"type": "response.create", "response": {"instruction": "x"}})
        await client.response.create()
        assert server.received[-2]["response"]["instruction"] == "x"
