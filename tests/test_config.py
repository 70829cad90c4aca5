"""One update on the wire; the server's word and nobody else's."""

from __future__ import annotations

from typing import Any

from realtime_client import events
from realtime_client.config import Configuration
from realtime_client.errors import ServerError, SessionUpdateRejected


def session(**fields: Any) -> events.SessionConfig:
    return events.SessionConfig(**fields)


def ask(config: Configuration, event_id: str, **fields: Any) -> None:
    update = events.SessionUpdate(event_id=event_id, session=session(**fields))
    assert isinstance(update.session, events.SessionConfig)
    config.ask(event_id, update.session, update)


def created() -> Configuration:
    config = Configuration()
    config.on_created(events.SessionCreated(session=session(instructions="default")))
    return config


def test_nothing_goes_out_before_the_session_exists() -> None:
    config = Configuration()
    ask(config, "a", instructions="x")
    assert config.next_update() is None
    config.on_created(events.SessionCreated(session=session()))
    assert config.next_update() is not None


def test_one_update_at_a_time_in_order() -> None:
    config = created()
    ask(config, "a", instructions="1")
    ask(config, "b", instructions="2")
    first = config.next_update()
    assert isinstance(first, events.SessionUpdate)
    assert first.event_id == "a"
    assert config.next_update() is None
    assert [one.instructions for one in config.in_flight if isinstance(one, events.SessionConfig)]
    assert [waiting.event_id for waiting in config.waiting] == ["b"]
    outcome = config.on_updated(events.SessionUpdated(session=session(instructions="one")))
    assert outcome is not None
    assert outcome.event_id == "a"
    second = config.next_update()
    assert isinstance(second, events.SessionUpdate)
    assert second.event_id == "b"


def test_acknowledged_is_what_the_server_said_not_what_was_asked() -> None:
    config = created()
    ask(config, "a", instructions="asked")
    config.next_update()
    assert config.acknowledged == session(instructions="default")
    config.on_updated(events.SessionUpdated(session=session(instructions="clamped")))
    assert config.acknowledged == session(instructions="clamped")


def test_a_rejection_is_its_own_and_leaves_the_acknowledged() -> None:
    config = created()
    ask(config, "a", instructions="1")
    ask(config, "b", instructions="2")
    config.next_update()
    assert config.on_refused("b", ServerError("no")) is None
    outcome = config.on_refused("a", ServerError("no", code="invalid_value", param="session.x"))
    assert outcome is not None
    assert isinstance(outcome.error, SessionUpdateRejected)
    assert (outcome.error.code, outcome.error.param) == ("invalid_value", "session.x")
    assert config.acknowledged == session(instructions="default")
    assert config.next_update() is not None


def test_an_update_that_nobody_asked_for_is_the_servers_word_too() -> None:
    config = created()
    assert config.on_updated(events.SessionUpdated(session=session(instructions="theirs"))) is None
    assert config.acknowledged == session(instructions="theirs")
