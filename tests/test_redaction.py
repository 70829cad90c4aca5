"""What is shown of a credential: that it was there, and nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import events
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.errors import ConfigDrift, SessionUpdateRejected
from realtime_client.leaves import Drift, drift
from realtime_client.redaction import HIDDEN, redacted
from tests import wire
from tests.scenarios import connected
from tests.scripted import opens, scripted

SECRETS = ("KEY-1", "KEY-2", "pw-3", "user-4")
TOOL: dict[str, Any] = {
    "type": "mcp",
    "server_label": "s",
    "server_url": "https://user-4:pw-3@mcp.example/x",
    "authorization": "KEY-1",
    "headers": {"X-Key": "KEY-2", "X-None": "KEY-2"},
}
SHOWN: dict[str, Any] = {
    "type": "mcp",
    "server_label": "s",
    "server_url": "https://***@mcp.example/x",
    "authorization": "***",
    "headers": {"X-Key": "***", "X-None": "***"},
}
STRUCT = events.McpTool(**{name: value for name, value in TOOL.items() if name != "type"})


def hides(shown: str) -> bool:
    return not any(secret in shown for secret in SECRETS)


def test_the_shape_stays_and_the_values_go() -> None:
    assert redacted({"tools": [TOOL, {"a": (TOOL,)}]}) == {"tools": [SHOWN, {"a": (SHOWN,)}]}


def test_what_was_given_is_not_changed() -> None:
    given = {"tools": [dict(TOOL)]}
    redacted(given)
    assert given == {"tools": [TOOL]}


@pytest.mark.parametrize(
    "value",
    [
        {"authorization": None, "headers": None},
        {"headers": {"a": None}},
        {"server_url": "https://mcp.example/a@b?c=d:e@f"},
        {"server_url": None},
        {"instructions": "authorization: say user:pw@host"},
        {"type": "function", "parameters": {"properties": {"headers": {"type": "string"}}}},
        {"type": "function", "parameters": {"authorization": "a word of the schema"}},
        [1, 2.5, True, None, "x"],
    ],
)
def test_what_is_no_credential_stays(value: Any) -> None:
    assert redacted(value) == value


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://u@h", "wss://***@h"),
        ("https://u:p@h:8/p?q#f", "https://***@h:8/p?q#f"),
        ("https://u:p@q@h/p", "https://***@h/p"),
        ("u:p@h/p", "***@h/p"),
        ("https://u:p@h?q=@", "https://***@h?q=@"),
    ],
)
def test_user_and_password_go_from_an_address(url: str, shown: str) -> None:
    assert redacted({"server_url": url}) == {"server_url": shown}


def test_a_struct_is_redacted_as_the_tuple_and_the_drift_it_stands_in() -> None:
    (one,) = redacted((Drift("tools", [TOOL], events.UNSET),))
    assert one == Drift("tools", [SHOWN], events.UNSET)
    assert isinstance(one, Drift)


@pytest.mark.parametrize("show", [repr, str, lambda value: repr(list(value.__rich_repr__()))])
def test_a_tool_does_not_show_its_credentials(show: Any) -> None:
    assert hides(show(STRUCT))
    assert "server_label" in show(STRUCT)


def test_a_tool_shows_the_rest_as_every_struct_does() -> None:
    assert repr(STRUCT) == (
        "McpTool(server_label='s', server_url='https://***@mcp.example/x', "
        "authorization='***', headers={'X-Key': '***', 'X-None': '***'})"
    )
    assert repr(events.McpTool(server_label="s")) == "McpTool(server_label='s')"
    assert STRUCT.authorization == "KEY-1"


def test_what_holds_a_tool_does_not_show_them_either() -> None:
    session = events.SessionConfig(tools=(STRUCT,))
    asked = drift({("tools",): [TOOL]}, {("tools",): []})
    for holder in (
        session,
        events.SessionUpdate(session=session),
        events.ResponseCreateParams(tools=(STRUCT,)),
        Acknowledgement(session, (), asked),
    ):
        assert hides(repr(holder))
    assert asked == (Drift("tools", [SHOWN], []),)


def test_no_error_carries_them() -> None:
    rejected = SessionUpdateRejected("no", update={"tools": [TOOL]})
    assert rejected.update == {"tools": [SHOWN]}
    drifted = ConfigDrift((Drift("tools", [TOOL], []), ("tools", [TOOL], [])))
    assert drifted.ignored == (Drift("tools", [SHOWN], []), ("tools", [SHOWN], []))
    assert drifted.ignored[0].path == "tools"
    assert hides(repr(vars(rejected)) + repr(vars(drifted)))


async def test_a_rejected_update_sends_the_key_and_does_not_keep_it() -> None:
    def refuses(frame: dict[str, Any]) -> list[bytes]:
        if "tools" in frame.get("session", {}):
            return [wire.error(frame["event_id"], "invalid_value")]
        return list(opens(frame))  # type: ignore[arg-type]  # it says no exceptions

    async with scripted(refuses, instructions="x") as (client, server):
        with pytest.raises(SessionUpdateRejected) as caught:
            await client.session.update(tools=[STRUCT])
        assert server.received[-1]["session"]["tools"] == [TOOL]
    assert caught.value.update["tools"] == [SHOWN]
    assert hides(repr(vars(caught.value)))


async def test_a_drift_in_strict_mode_does_not_keep_it() -> None:
    async with scripted(instructions="x") as (client, _):
        with pytest.raises(ConfigDrift) as caught:
            await client.session.update(tools=[TOOL], strict=True)
    assert [path for path, _, _ in caught.value.ignored] == ["tools"]
    assert hides(repr(vars(caught.value)))


async def test_what_is_desired_can_be_shown() -> None:
    tool = events.McpTool(server_label="weather", server_url="https://x", authorization="SECRET")
    async with connected(tools=[tool]) as (client, _):
        shown = repr((client.session.desired, client.session.in_flight))
        assert "SECRET" not in shown
        assert client.session.desired["tools"][0]["authorization"] == HIDDEN
