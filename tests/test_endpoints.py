"""Where a credential goes, and where it never shows."""

from __future__ import annotations

import pytest

from realtime_client import Client
from realtime_client.endpoints import Endpoint, OpenAI, shown
from realtime_client.errors import MissingCredentials, UsageError

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    ("url", "model", "opened"),
    [
        ("wss://a.b/v1/realtime", "m", "wss://a.b/v1/realtime?model=m"),
        ("https://a.b/v1/realtime", "m", "wss://a.b/v1/realtime?model=m"),
        ("http://127.0.0.1:8000/v1/realtime", "m", "ws://127.0.0.1:8000/v1/realtime?model=m"),
        ("wss://a.b/r?x=1&y=", "m n", "wss://a.b/r?x=1&y=&model=m%20n"),
        ("wss://a.b/r?model=mine", "m", "wss://a.b/r?model=mine"),
        ("wss://a.b/r?call_id=rtc_1", "m", "wss://a.b/r?call_id=rtc_1"),
        ("wss://a.b/r", None, "wss://a.b/r?intent=transcription"),
        ("wss://a.b/r#fragment", "m", "wss://a.b/r?model=m"),
    ],
)
def test_the_address_that_is_opened(url: str, model: str | None, opened: str) -> None:
    assert Endpoint(url).connect_url(model) == opened


@pytest.mark.parametrize(
    "url",
    ["", "a.b/v1/realtime", "ftp://a.b", "wss://", "/v1/realtime", "ws://localhost:99999/r",
     "ws://localhost:abc/r", "wss://[::1", "wss://a.b:0/r"],
)  # fmt: skip
def test_what_is_no_server_is_said_so(url: str) -> None:
    with pytest.raises(UsageError, match="looks like wss://"):
        Endpoint(url)


def test_a_key_goes_into_one_header() -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY, headers={"X-Trace": "1"})
    assert endpoint.connect_headers() == {"Authorization": f"Bearer {KEY}", "X-Trace": "1"}
    assert Endpoint("wss://a.b/r").connect_headers() == {}


def test_a_key_is_in_no_repr() -> None:
    endpoint = Endpoint(f"wss://a.b/r?api-key={KEY}", api_key=KEY, headers={"api-key": KEY})
    client = Client(endpoint=endpoint)
    for text in (repr(endpoint), str(endpoint), repr(client), f"{endpoint}{client}"):
        assert KEY not in text
    assert "a.b" in repr(client)


@pytest.mark.parametrize("url", [f"wss://user:{KEY}@a.b/r", f"wss://:{KEY}@a.b/r"])
def test_a_key_in_the_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url)
    assert KEY not in str(caught.value)
    assert KEY not in shown(url)


def test_a_bad_url_is_reported_without_its_query() -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(f"ftp://a.b/r?key={KEY}")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]"])
def test_plain_ws_may_carry_a_key_to_this_machine(host: str) -> None:
    Endpoint(f"ws://{host}:1/r", api_key=KEY)


@pytest.mark.parametrize("host", ["a.b", "10.0.0.1", "128.0.0.1", "localhost.a.b", "[::2]"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_and_to_no_other(scheme: str, host: str) -> None:
    Endpoint(f"{scheme}://{host}/r")
    for secret in ({"api_key": KEY}, {"headers": {"api-key": KEY}}):
        with pytest.raises(UsageError, match="wss://") as caught:
            Endpoint(f"{scheme}://{host}/r", **secret)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("bad", [f"{KEY}\n", f" {KEY}", f"{KEY}\u2026", f"{KEY}\r\nX: y"])
def test_a_key_that_cannot_be_in_a_header_is_refused_without_repeating_it(bad: str) -> None:
    for secret, named in (({"api_key": bad}, "api_key"), ({"headers": {"X-Key": bad}}, "X-Key")):
        with pytest.raises(UsageError, match=named) as caught:
            Endpoint("wss://a.b/r", **secret)
        assert KEY not in str(caught.value)


def test_headers_show_their_names_only() -> None:
    headers = Endpoint("wss://a.b/r", api_key=KEY).connect_headers()
    assert repr(headers) == "<headers Authorization>"
    assert KEY not in f"{headers} {[headers]} { ({'headers': headers}) }"


def test_an_endpoint_is_a_value() -> None:
    one, other = (Endpoint("wss://a.b/r", api_key=KEY, headers={"X": "1"}) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


def test_a_client_that_was_never_made_can_be_shown() -> None:
    assert repr(Client.__new__(Client)) == "<Client without an endpoint>"


def test_openai_takes_its_key_from_the_argument_or_its_own_variable() -> None:
    assert OpenAI(environ={"OPENAI_API_KEY": "a"}).api_key == "a"
    assert OpenAI("b", environ={"OPENAI_API_KEY": "a"}).api_key == "b"
    assert OpenAI("b").connect_url("m") == "wss://api.openai.com/v1/realtime?model=m"


def test_no_key_anywhere_names_the_variable_and_shows_the_simulator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for missing in ({}, {"api_key": ""}):
        with pytest.raises(MissingCredentials) as caught:
            Client(**missing)  # type: ignore[arg-type]  # nothing or an empty key
        assert "OPENAI_API_KEY" in str(caught.value)
        program = str(caught.value).split("simulator:\n")[1]
        assert "from realtime_client.simulator import serve" in program


def test_a_key_never_goes_to_an_endpoint_that_is_not_openai(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client = Client(endpoint="wss://elsewhere.example/r")
    assert client._endpoint.connect_headers() == {}


def test_a_credential_has_one_place() -> None:
    with pytest.raises(UsageError, match="one of them"):
        Client(endpoint=Endpoint("wss://a.b/r", api_key="a"), api_key="b")
