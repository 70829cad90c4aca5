"""Names and shapes from elsewhere are refused, and answered with those of today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_client import Client, Endpoint, OpenAI, SessionGroup, former
from realtime_client.errors import InvalidConfig, UsageError
from realtime_client.events import SessionConfig
from realtime_client.former import (
    refuse_former_names,
    refuse_former_values,
    refuse_variable_name,
    warn_of_former_variables,
)
from realtime_client.options import session_from
from realtime_client.targets import Target

URL = "ws://localhost/v1/realtime"

TODAY: dict[str, tuple[Any, str]] = {
    # name: (a value that people give, what the message must name)
    "modalities": (["audio", "text"], "output_modalities=['audio'] or ['text']"),
    "temperature": (0.7, "no temperature"),
    "input_audio_transcription": ({"model": "whisper-1"}, "transcription="),
    "input_audio_noise_reduction": (None, "noise_reduction="),
    "input_audio_format": ("pcm16", "input_format="),
    "output_audio_format": ("g711_ulaw", "output_format="),
    "max_response_output_tokens": (100, "max_output_tokens="),
    "api_version": ("2024-10-01-preview", "no api-version"),
    "azure_deployment": ("my-deployment", "model="),
    "azure_endpoint": ("https://r.openai.azure.com", "endpoint=Azure('https://RESOURCE.openai"),
    "entra_token": ("eyJ...", "azure.com', token=...)"),
    "azure_ad_token": ("eyJ...", "azure.com', token=...)"),
    "azure_ad_token_provider": ("eyJ...", "azure.com', token=...)"),
    "conn_options": ({}, "open_timeout= and reconnect=Reconnect("),
    "http_session": (None, "connect="),
    "max_session_duration": (600, "rollover=Rollover(age="),
    "headers": ({"x": "y"}, "endpoint=Endpoint(url, headers="),
    "default_headers": ({"x": "y"}, "endpoint=Endpoint(url, headers="),
    "extra_headers": ({"x": "y"}, "endpoint=Endpoint(url, headers="),
    "extra_query": ({"x": "y"}, "a URL with that query"),
    "default_query": ({"x": "y"}, "a URL with that query"),
    "url": ("wss://example.org", "endpoint="),
    "dialect": ("beta", "endpoint=Endpoint(url, dialect="),
    "token": ("abc", "api_key="),
    "max_retries": (3, "reconnect=Reconnect(tries="),
    "websocket_connection_options": ({}, "ssl=, proxy= and keepalive="),
    "base_url": ("https://api.openai.com/v1", "endpoint=OpenAI(base_url="),
    "websocket_base_url": ("wss://api.openai.com/v1", "endpoint=OpenAI(base_url="),
    "organization": ("org-1", "endpoint=OpenAI(organization="),
    "project": ("proj_1", "endpoint=OpenAI(project="),
    "chat_ctx": ([], "conversation.item.create"),
}


def test_every_former_name_is_tried_here() -> None:
    assert set(TODAY) == set(former._FIELDS)


@pytest.mark.parametrize("name", TODAY)
def test_a_former_name_is_answered_with_the_name_of_today(name: str) -> None:
    value, today = TODAY[name]
    given: Any = {name: value}
    makers: list[Callable[[], object]] = [
        lambda: Client(endpoint=URL, **given),
        lambda: Client(endpoint=URL, session=given),
        lambda: SessionGroup(**given),
        lambda: session_from(None, given),
        lambda: refuse_former_names({"voice": "marin", **given}),
    ]
    for make in makers:
        with pytest.raises(InvalidConfig) as caught:
            make()
        assert repr(name) in str(caught.value)
        assert today in str(caught.value)
        assert "sk-" not in str(caught.value)


def test_a_function_under_a_former_name_is_answered_as_well() -> None:
    provider: Any = {"azure_ad_token_provider": lambda: "very secret"}
    with pytest.raises(InvalidConfig, match=r"endpoint=Azure\(.*token=") as caught:
        Client(endpoint=URL, **provider)
    assert "very secret" not in str(caught.value)


def test_a_former_value_is_never_shown() -> None:
    with pytest.raises(InvalidConfig) as caught:
        Client(endpoint=URL, entra_token="very secret")  # type: ignore[call-arg]  # a former name
    assert "very secret" not in str(caught.value)


def test_names_of_today_pass() -> None:
    refuse_former_names({"voice": "marin", "speed": 1.0, "output_modalities": ["audio"]})
    refuse_former_names({})


def test_a_flat_voice_in_a_whole_session_is_the_beta_shape() -> None:
    with pytest.raises(InvalidConfig, match=r"today it is session\.audio\.output\.voice"):
        session_from({"type": "realtime", "voice": "marin"}, {})


@pytest.mark.parametrize("session", [SessionConfig(), {"type": "realtime"}])
def test_the_voice_shortcut_beside_a_session_object_is_not_the_beta_shape(session: Any) -> None:
    made = session_from(session, {"voice": "marin"})
    assert made == session_from(None, {"voice": "marin"})


@pytest.mark.parametrize("name", ["voice", "speed", "turn_detection"])
def test_the_flat_fields_of_the_beta_shape_are_answered_with_their_path(name: str) -> None:
    values: dict[str, Any] = {"voice": "marin", "speed": 1.0, "turn_detection": None}
    with pytest.raises(InvalidConfig, match=rf"session\.audio\.(in|out)put\.{name}"):
        session_from({name: values[name]}, {})


# -- formats ----------------------------------------------------------------------------------

FORMATS = {
    "pcm16": "{'type': 'audio/pcm', 'rate': 24000}",
    "g711_ulaw": "{'type': 'audio/pcmu'}",
    "g711_alaw": "{'type': 'audio/pcma'}",
}


def test_every_former_format_is_tried_here() -> None:
    assert dict(former._FORMATS) == FORMATS


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["input_format", "output_format", "format"])
def test_a_former_format_is_answered_with_the_object_of_today(name: str, kind: str) -> None:
    for value in (kind, {"type": kind}, {"type": kind, "rate": 8_000}):
        with pytest.raises(InvalidConfig) as caught:
            refuse_former_values(name, value)
        assert str(caught.value) == f"{name} {kind!r} is a beta name; today it is {FORMATS[kind]}"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", ["input", "output"])
def test_a_former_format_is_found_wherever_it_is_given(side: str, kind: str) -> None:
    places: list[tuple[Any, dict[str, Any]]] = [
        (None, {f"{side}_format": kind}),
        (None, {f"{side}_format": {"type": kind}}),
        ({"audio": {side: {"format": {"type": kind}}}}, {}),
        ({"audio": {side: {"format": kind}}}, {}),
    ]
    for session, shortcuts in places:
        with pytest.raises(InvalidConfig, match="is a beta name"):
            session_from(session, shortcuts)


@pytest.mark.parametrize("value", ["audio/pcm", {"type": "audio/pcmu"}, None, 5, {}, "pcm"])
def test_formats_of_today_pass(value: Any) -> None:
    for name in ("input_format", "output_format", "format"):
        refuse_former_values(name, value)


def test_the_words_mean_formats_only_where_a_format_stands() -> None:
    for name in ("voice", "instructions", "transcription"):
        refuse_former_values(name, "pcm16")
        refuse_former_values(name, {"type": "pcm16"})


@pytest.mark.parametrize("value", [["pcm16"], {"type": ["pcm16"]}])
def test_a_format_of_another_shape_is_an_error_of_ours(value: Any) -> None:
    with pytest.raises(InvalidConfig):
        session_from(None, {"input_format": value})


# -- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["AZURE_OPENAI_API_KEY", "OPENAI_API_KEY", "MY_TOKEN", "ENTRA_CLIENT_SECRET", "A_1_KEY"],
)
def test_the_name_of_a_variable_is_not_a_key(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_variable_name(key, {})
    assert f"api_key=os.environ[{key!r}]" in str(caught.value)
    assert "is the name of an environment variable, not a key" in str(caught.value)


def test_any_variable_that_exists_is_recognised_and_its_value_never_shown() -> None:
    environ = {"MY_REALTIME_PASS": "sk-the-secret-itself"}
    with pytest.raises(UsageError) as caught:
        refuse_variable_name("MY_REALTIME_PASS", environ)
    assert "sk-the-secret-itself" not in str(caught.value)
    refuse_variable_name("MY_REALTIME_PASS", {})
    refuse_variable_name("ABC123", {"ABC123": "a key of capitals may be a variable by chance"})


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-proj-abc",
        "sk_live_KEY",  # not in capitals
        "openai_api_key",
        "ABCDEF0123456789",  # an Azure key can be all capitals and digits
        "APIKEY",
        "AB-CD_KEY",
        "_KEY ",
        "eyJhbGciOi.J9_TOKEN",
        "AB CD_KEY",
    ],
)
def test_what_does_not_look_like_a_variable_is_a_key(key: str) -> None:
    refuse_variable_name(key, {})


def test_every_way_in_for_a_key_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "sk-secret")
    name = "AZURE_OPENAI_API_KEY"
    for make in (
        lambda: Client(api_key=name),
        lambda: Client(endpoint=URL, api_key=name),
        lambda: OpenAI(name),
        lambda: Endpoint(URL, api_key=name),
        lambda: Endpoint(URL, headers={"api-key": name}),
    ):
        with pytest.raises(UsageError, match="environment variable") as caught:
            make()
        assert "sk-secret" not in str(caught.value)


def test_a_variable_that_means_nothing_here_is_warned_of_without_its_value() -> None:
    with pytest.warns(UserWarning, match="OPENAI_API_VERSION is set and not used") as caught:
        warn_of_former_variables({"OPENAI_API_VERSION": "2024-10-01-preview"})
    assert len(caught) == 1
    assert "2024" not in str(caught[0].message)
    warn_of_former_variables({"OPENAI_API_KEY": "sk-x"})  # a warning would be an error here


def test_the_variable_of_the_api_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target.realtime("gpt-realtime")
    before = OpenAI("sk-x"), OpenAI("sk-x").connect_url(target)
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-01-preview")
    after = OpenAI("sk-x"), OpenAI("sk-x").connect_url(target)
    assert after == before
    assert "2024" not in str(after)
