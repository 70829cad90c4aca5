"""What a trace shows: everything, but the credentials of tools."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from realtime_client import events
from realtime_client.codec import decode, decode_client, encode
from realtime_client.dialects import VOICE_LIVE, XAI_GROK, outgoing
from realtime_client.errors import TraceFailed
from realtime_client.events import InvalidEvent, UnknownEvent
from realtime_client.frames import Frame
from realtime_client.trace import Direction, traced
from tests import wire

SECRET = "sk-do-not-tell"
MCP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}


def received(raw: bytes) -> Frame:
    return Frame(decode(raw), raw)


def sent(raw: bytes) -> Frame:
    return Frame(decode_client(raw), raw)


def shown(direction: Direction, frame: Frame) -> Frame:
    """What a trace is called with."""
    calls: list[tuple[Direction, Frame]] = []
    assert traced(lambda *call: calls.append(call), direction, frame) is None
    ((way, found),) = calls
    assert way == direction
    return found


def texts(frame: Frame) -> str:
    """All that can be read in a frame."""
    raw = getattr(frame.event, "raw", b"")
    return frame.raw.decode() + repr(frame.event) + repr(raw)


# -- what has none is passed on as it is ------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        wire.frame("session.created", session=wire.session()),
        wire.frame("session.updated", session=wire.session(tools=[MCP])),
        wire.frame("response.output_audio.delta", response_id="r", item_id="i", delta="AAAA"),
        wire.frame("conversation.item.added", item=wire.message("i", text='"authorization"')),
        b'{"type":"response.output_text.delta","item_id":"i","delta":"sch\\u00f6n"}',
        b'{"type":"brand.new","headers":{}}',
        b'{"type":"brand.new","headers":null,"authorization":7}',
        b"not JSON at all",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_frame_without_credentials_is_itself(raw: bytes) -> None:
    for direction, frame in (("received", received(raw)), ("sent", sent(raw))):
        assert shown(direction, frame) is frame  # type: ignore[arg-type]  # both are directions


# -- what has some ----------------------------------------------------------------------------

WHERE: list[dict[str, Any]] = [
    {**MCP, "authorization": SECRET},
    {**MCP, "headers": {"X-Api-Key": SECRET, "X-Other": SECRET}},
    {**MCP, "server_url": f"https://user:{SECRET}@shop.example/mcp"},
    {**MCP, "server_url": f"https://{SECRET}@shop.example/mcp"},
]


@pytest.mark.parametrize("tool", WHERE)
@pytest.mark.parametrize("escapes", [False, True])
def test_every_credential_is_hidden_in_the_bytes_and_in_the_event(
    tool: dict[str, Any], escapes: bool
) -> None:
    update = {"type": "session.update", "event_id": "e", "session": wire.session(tools=[tool])}
    create = {"type": "response.create", "response": {"tools": [tool], "instructions": "hello"}}
    updated = {"type": "session.updated", "session": wire.session(tools=[tool])}
    unknown = {"type": "brand.new", "deep": [{"tool": tool}]}
    for direction, made, value in (
        ("sent", sent, update),
        ("sent", sent, create),
        ("received", received, updated),
        ("received", received, unknown),
    ):
        raw = json.dumps(value).encode()
        if escapes:
            for name in ("authorization", "headers", "server_url"):
                raw = raw.replace(
                    f'"{name}"'.encode(), f'"\\u{ord(name[0]):04x}{name[1:]}"'.encode()
                )
        frame = made(raw)
        found = shown(direction, frame)  # type: ignore[arg-type]  # it is one of the two
        assert SECRET not in texts(found)
        assert "***" in found.raw.decode()
        assert type(found.event) is type(frame.event)
        assert SECRET in texts(frame), "what goes out is not touched"
        clean = json.loads(found.raw)
        assert clean.keys() == value.keys()
        assert "shop" in json.dumps(clean), "the rest is as it was"


def test_what_is_around_a_credential_is_as_it_was() -> None:
    value = {"type": "session.updated", "session": wire.session(tools=[WHERE[0]], speed=1.25)}
    found = shown("received", received(json.dumps(value).encode()))
    value["session"]["tools"][0]["authorization"] = "***"  # type: ignore[index]  # it is a dict
    assert json.loads(found.raw) == value
    assert isinstance(found.event, events.SessionUpdated)
    (tool,) = found.event.session.tools or ()  # type: ignore[union-attr]  # a realtime session
    assert isinstance(tool, events.McpTool)
    assert (tool.server_label, tool.authorization) == ("shop", "***")


@pytest.mark.parametrize("dialect", [VOICE_LIVE, XAI_GROK])
def test_the_event_is_ga_s_and_the_bytes_are_the_dialect_s(dialect: Any) -> None:
    event = events.SessionUpdate(
        session=events.SessionConfig(
            tools=(events.McpTool(server_label="shop", authorization=SECRET),),
            audio=events.AudioConfig(output=events.AudioOutput(voice="alloy")),
        )
    )
    raw = outgoing(dialect, encode(event))
    found = shown("sent", Frame(event, raw))
    assert SECRET not in texts(found)
    assert isinstance(found.event, events.SessionUpdate)
    theirs = json.loads(raw)
    assert json.loads(found.raw).keys() == theirs.keys()
    assert json.loads(found.raw)["session"].keys() == theirs["session"].keys()
    assert isinstance(found.event.session, events.SessionConfig)
    assert found.event.session.audio == event.session.audio  # type: ignore[union-attr]  # as above


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"session.updated","session":{"tools":[{"authorization":"' + SECRET.encode(),
        b'{"type":"x","headers":{"a":"' + SECRET.encode() + b'\xff"}}',
        b'{"type":"x\\ud800","server_url":"https://' + SECRET.encode() + b"@host",
        b'{"headers":{"a":"' + SECRET.encode() + b'"},"deep":' + b"[" * 600 + b"]" * 600 + b"}",
    ],
)
def test_what_cannot_be_read_and_may_hold_some_is_not_shown(raw: bytes) -> None:
    for direction, frame in (("received", received(raw)), ("sent", sent(raw))):
        found = shown(direction, frame)  # type: ignore[arg-type]  # both are directions
        assert isinstance(found.event, InvalidEvent)
        assert SECRET not in texts(found)


def test_an_unknown_event_stays_one() -> None:
    found = shown("received", received(json.dumps({"type": "new", "tool": WHERE[0]}).encode()))
    assert isinstance(found.event, UnknownEvent)
    assert found.event.payload["tool"]["authorization"] == "***"


# -- a trace that raises ----------------------------------------------------------------------


def test_a_trace_that_raises_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    failure = ValueError("disk full")

    def trace(direction: Direction, frame: Frame) -> None:
        raise failure

    with caplog.at_level(logging.ERROR, logger="realtime_client"):
        error = traced(trace, "sent", sent(wire.frame("response.create")))
    assert isinstance(error, TraceFailed)
    assert error.error is failure
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [failure]


def test_what_is_no_failure_of_the_trace_goes_through() -> None:
    def trace(direction: Direction, frame: Frame) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        traced(trace, "received", received(b"{}"))
