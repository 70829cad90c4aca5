"""Cancelling ends whatever the server does: refuses, goes silent, or has never heard of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from realtime_client import Client
from realtime_client.errors import (
    ConversationBusy,
    RealtimeError,
    ResponseAbandoned,
    ResponseRejected,
    ResponseWithdrawn,
    UsageError,
)
from tests import wire
from tests.scripted import opens, scripted


class Creates:
    """Callers of `response.create`, and what each of them got."""

    def __init__(self, client: Client, tasks: anyio.abc.TaskGroup) -> None:
        self._client, self._tasks = client, tasks
        self.got: dict[str, Any] = {}

    async def ask(self, name: str, **options: Any) -> None:
        before = len(list(self._router.creates))
        self._tasks.start_soon(self._create, name, options)
        while len(list(self._router.creates)) == before:
            await anyio.lowlevel.checkpoint()

    @property
    def _router(self) -> Any:
        connection = self._client._connection
        assert connection is not None
        return connection.protocol.router

    async def _create(self, name: str, options: dict[str, Any]) -> None:
        try:
            self.got[name] = await self._client.response.create(**options)
        except RealtimeError as error:
            self.got[name] = error


async def written(server: Any, kind: str, nth: int = 1) -> dict[str, Any]:
    """The nth frame of a kind, once the server has it."""
    while True:
        found: list[dict[str, Any]] = [one for one in server.received if one["type"] == kind]
        if len(found) >= nth:
            return found[nth - 1]
        await anyio.lowlevel.checkpoint()


async def test_cancelling_returns_when_the_server_refuses_the_create_after_all() -> None:
    async with scripted() as (client, server), anyio.create_task_group() as tasks:
        creates = Creates(client, tasks)
        await creates.ask("refused")
        create = await written(server, "response.create")
        async with anyio.create_task_group() as cancelling:
            cancelling.start_soon(client.response.cancel)
            await anyio.lowlevel.checkpoint()
            server.say(wire.error(create["event_id"], "invalid_value"))
        assert not client.active
    assert isinstance(creates.got["refused"], ResponseRejected)


async def test_cancelling_withdraws_what_waits_and_ends_what_is_on_its_way() -> None:
    async with scripted() as (client, server), anyio.create_task_group() as tasks:
        creates = Creates(client, tasks)
        await creates.ask("first")
        await creates.ask("second")
        await creates.ask("aside", conversation="none")
        with pytest.raises(ConversationBusy):
            await client.response.create(when_busy="fail")
        create = await written(server, "response.create")
        async with anyio.create_task_group() as cancelling:
            cancelling.start_soon(client.response.cancel)
            await anyio.lowlevel.checkpoint()
            server.say(wire.created("resp_1", create["response"]["metadata"]))
            cancel = await written(server, "response.cancel")
            assert cancel["response_id"] == "resp_1"
            server.say(wire.done("resp_1", "cancelled"))
        assert isinstance(creates.got["second"], ResponseWithdrawn)
        assert creates.got["first"].status == "cancelled"
        assert "aside" not in creates.got
        assert client.active
        aside = await written(server, "response.create", 2)
        server.say(wire.created("resp_2", aside["response"]["metadata"]), wire.done("resp_2"))
    assert creates.got["aside"].status == "completed"


async def test_cancelling_what_the_server_does_not_know_any_more_ends_it() -> None:
    def answers(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] == "response.create":
            return [wire.created("resp_1", frame["response"]["metadata"])]
        if frame["type"] == "response.cancel":
            return [wire.error(frame["event_id"], "response_cancel_not_active")]
        return opens(frame)

    async with scripted(answers) as (client, _):
        response = await client.response.create()
        with pytest.raises(ResponseAbandoned, match="not active"):
            await response.cancel()
        with pytest.raises(ResponseAbandoned):
            await response.done()
        assert not client.active


async def test_silence_ends_a_response_and_lets_the_next_one_go() -> None:
    def answers(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] != "response.create":
            return opens(frame)
        number = frame["response"]["metadata"].get("number")
        if number == "1":
            return [wire.created("resp_1", frame["response"]["metadata"])]
        ends = [wire.created("resp_2", frame["response"]["metadata"]), wire.done("resp_2")]
        return ends if number == "2" else []

    async with scripted(answers, response_timeout=0.02) as (client, server):
        silent = await client.response.create(metadata={"number": "1"})
        following = await client.response.create(metadata={"number": "2"})
        with pytest.raises(ResponseAbandoned, match=r"0\.02 seconds") as caught:
            await silent.done()
        assert caught.value.response_id == "resp_1"
        with pytest.raises(ResponseAbandoned):
            await anext(aiter(silent))
        assert (await following.done()).status == "completed"
        cancel = await written(server, "response.cancel")
        assert cancel["response_id"] == "resp_1"
        with pytest.raises(ResponseAbandoned, match="never began") as unbegun:
            await client.response.create(metadata={"number": "3"})
        assert unbegun.value.response_id is None


async def test_what_cannot_be_waited_for_is_said_before_anything_is_sent() -> None:
    async with scripted() as (client, server):
        for wrong in ({"when_busy": "later"}, {"timeout": -1}, {"timeout": float("nan")}):
            with pytest.raises(UsageError, match="nothing was sent"):
                await client.response.create(**wrong)
        assert server.received == []


async def test_cancelling_returns_when_what_was_given_up_is_refused() -> None:
    async with scripted() as (client, server):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.response.create)
            create = await written(server, "response.create")
            tasks.cancel_scope.cancel()
        async with anyio.create_task_group() as cancelling:
            cancelling.start_soon(client.response.cancel)
            await anyio.lowlevel.checkpoint()
            server.say(wire.error(create["event_id"], "invalid_value"))
        assert not client.active


@pytest.mark.parametrize("response_id", [5, b"resp_1", ["resp_1"]])
async def test_an_id_that_is_no_text_is_refused(response_id: Any) -> None:
    async with scripted() as (client, server):
        with pytest.raises(UsageError, match="a response's id is a text"):
            await client.response.cancel(response_id)
    assert "response.cancel" not in [one["type"] for one in server.received]
