"""What people paste, and the address that it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.addresses import Address, is_azure, is_loopback, secrets_in, shown
from realtime_client.errors import UsageError
from realtime_client.targets import Target

SECRET = "sk-very-secret"

HOME = "wss://api.openai.com/v1/realtime"
AZURE = "wss://mine.openai.azure.com/openai/v1/realtime"

ENDPOINTS = {
    # a host alone, and what is seen of the base URL of a REST API
    "wss://a.b": "wss://a.b/v1/realtime",
    "https://a.b/": "wss://a.b/v1/realtime",
    "https://a.b/v1": "wss://a.b/v1/realtime",
    "https://a.b/v1/": "wss://a.b/v1/realtime",
    "https://a.b/v1/realtime": "wss://a.b/v1/realtime",
    "wss://a.b/v1/realtime/": "wss://a.b/v1/realtime",
    "https://a.b//v1//realtime": "wss://a.b/v1/realtime",
    "https://a.b/openai/v1": "wss://a.b/openai/v1/realtime",
    "https://a.b/team/v1/": "wss://a.b/team/v1/realtime",
    "http://localhost:8000/v1": "ws://localhost:8000/v1/realtime",
    "http://[::1]:8000": "ws://[::1]:8000/v1/realtime",
    " https://a.b/v1\n": "wss://a.b/v1/realtime",
    "HTTPS://a.b/v1": "wss://a.b/v1/realtime",
    # a path of one's own is left alone, with the slash at its end and all
    "wss://a.b/r": "wss://a.b/r",
    "wss://a.b/openai": "wss://a.b/openai",
    "wss://a.b/realtime": "wss://a.b/realtime",
    "wss://a.b/ws/realtime/": "wss://a.b/ws/realtime/",
    "wss://a.b/x//y": "wss://a.b/x//y",
    "wss://a.b/v1/realtime/translations": "wss://a.b/v1/realtime/translations",
    "wss://mine.services.ai.azure.com/voice-live/realtime?api-version=2025-10-01": (
        "wss://mine.services.ai.azure.com/voice-live/realtime?api-version=2025-10-01"
    ),
    # the query stays, the fragment goes
    "wss://a.b?x=1&y=": "wss://a.b/v1/realtime?x=1&y=",
    "wss://a.b/v1?x=a+b": "wss://a.b/v1/realtime?x=a%20b",
    "wss://a.b/r#fragment": "wss://a.b/r",
    "wss://a.b/r?api-version=1": "wss://a.b/r?api-version=1",
    # hosts that are known have one address, whatever is missing
    **dict.fromkeys(
        [
            "https://api.openai.com",
            "https://api.openai.com/v1",
            "https://api.openai.com/v1/",
            "https://api.openai.com/realtime",
            "https://api.openai.com/v1/realtime",
            "wss://api.openai.com/openai/v1/realtime/",
        ],
        HOME,
    ),
    "https://eu.api.openai.com/v1": "wss://eu.api.openai.com/v1/realtime",
    "https://api.x.ai/v1": "wss://api.x.ai/v1/realtime",
    **dict.fromkeys(
        [
            "https://mine.openai.azure.com",
            "https://mine.openai.azure.com/",
            "https://mine.openai.azure.com/openai",
            "https://mine.openai.azure.com/openai/",
            "https://mine.openai.azure.com/openai/v1",
            "https://mine.openai.azure.com/openai/v1/",
            "https://mine.openai.azure.com/openai/realtime",
            "https://mine.openai.azure.com/openai/v1/realtime",
            "wss://mine.openai.azure.com/v1/realtime/",
            "wss://mine.openai.azure.com//realtime",
        ],
        AZURE,
    ),
    "https://api.openai.com.evil.example/v1/x": "wss://api.openai.com.evil.example/v1/x",
    "wss://vm.westeurope.cloudapp.azure.com/v1": "wss://vm.westeurope.cloudapp.azure.com/v1/realtime",
}

BASE_URLS = {
    "https://api.openai.com/v1": HOME,
    "https://api.openai.com/v1/": HOME,
    "https://api.openai.com": HOME,
    "https://api.openai.com/realtime": HOME,
    "wss://api.openai.com/v1/realtime": HOME,
    "https://api.openai.com/v1?model=m": f"{HOME}?model=m",
    "http://localhost:4000": "ws://localhost:4000/v1/realtime",
    "https://gateway.example/openai": "wss://gateway.example/openai/realtime",
    "https://gateway.example/openai/v1/": "wss://gateway.example/openai/v1/realtime",
    "https://gateway.example/a//b/": "wss://gateway.example/a/b/realtime",
    "https://gateway.example/a/realtime": "wss://gateway.example/a/realtime",
    "https://gateway.example/a/realtime/translations": (
        "wss://gateway.example/a/realtime/translations"
    ),
}

RESOURCES = {
    **{pasted: address for pasted, address in ENDPOINTS.items() if address == AZURE},
    "https://mine.cognitiveservices.azure.com/": (
        "wss://mine.cognitiveservices.azure.com/openai/v1/realtime"
    ),
    "https://mine.services.ai.azure.com": "wss://mine.services.ai.azure.com/openai/v1/realtime",
    "https://mine.openai.azure.us": "wss://mine.openai.azure.us/openai/v1/realtime",
    "https://gateway.example": "wss://gateway.example/openai/v1/realtime",
    "https://gateway.example/v1": "wss://gateway.example/openai/v1/realtime",
    "https://gateway.example/realtime": "wss://gateway.example/openai/v1/realtime",
    "https://gateway.example/openai/realtime/": "wss://gateway.example/openai/v1/realtime",
    "https://gateway.example/ai": "wss://gateway.example/ai/openai/v1/realtime",
    "https://gateway.example/ai/openai": "wss://gateway.example/ai/openai/v1/realtime",
    "https://gateway.example/ai/openai/v1/": "wss://gateway.example/ai/openai/v1/realtime",
    "https://gateway.example/ai/realtime": "wss://gateway.example/ai/openai/v1/realtime",
    "https://mine.openai.azure.com/?x=1": f"{AZURE}?x=1",
}


@pytest.mark.parametrize(("pasted", "address"), ENDPOINTS.items())
def test_the_address_of_a_session_is_completed(pasted: str, address: str) -> None:
    assert Address.read(pasted).completed().url() == address


@pytest.mark.parametrize(("pasted", "address"), BASE_URLS.items())
def test_beneath_a_base_url_of_the_openai_package(pasted: str, address: str) -> None:
    assert Address.read(pasted).as_base_url().url() == address


@pytest.mark.parametrize(("pasted", "address"), RESOURCES.items())
def test_at_an_azure_resource_or_a_gateway_before_one(pasted: str, address: str) -> None:
    assert Address.read(pasted).as_azure().url() == address


@given(
    host=st.sampled_from(["a.b", "api.openai.com", "mine.openai.azure.com", "gw.example:8443"]),
    parts=st.lists(st.sampled_from(["openai", "v1", "realtime", "x", "", "translations"])),
)
def test_what_is_complete_stays_as_it_is(host: str, parts: list[str]) -> None:
    address = Address.read(f"https://{host}/{'/'.join(parts)}")
    elsewhere = host == "api.openai.com"
    for made in [address.completed()] + ([] if elsewhere else [address.as_azure()]):
        assert Address.read(made.url()).completed() == made
        assert Address.read(made.url()) == made


@pytest.mark.parametrize(
    "pasted",
    ["", "ftp://a.b", "wss://", "https:///v1", "ws://localhost:99999/r", "ws://localhost:abc/r",
     "wss://[::1", "wss://a.b:0/r", "wss://a b/r", "wss://a.b/r\tx", "://a.b"],
)  # fmt: skip
def test_what_is_no_server_is_said_so(pasted: str) -> None:
    with pytest.raises(UsageError, match="looks like wss://"):
        Address.read(pasted)


@pytest.mark.parametrize("pasted", [SECRET, f"eyJ.{SECRET}.x", f"{SECRET}/v1", "a.b/v1/realtime"])
def test_what_has_no_scheme_may_be_a_key_and_is_not_repeated(pasted: str) -> None:
    with pytest.raises(UsageError, match="without a scheme") as caught:
        Address.read(pasted)
    assert pasted not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "pasted",
    [
        f"wss://user:{SECRET}@a.b/r", f"wss://:{SECRET}@a.b/r", f"wss://{SECRET}@a.b/r",
        f"ftp://user:{SECRET}@a.b/r", f"ftp://user:{SECRET}/x@a.b/r", f"wss://u:{SECRET}?x@a.b/r",
        f"wss://u:{SECRET}#x@a.b/r", f"ftp://u:1/{SECRET}@a.b/r", f"ftp://a.b/r?key={SECRET}",
        f"ftp://a.b/r#{SECRET}", f"wss://a.b:x/r?key={SECRET}",
    ],
)  # fmt: skip
def test_a_credential_in_the_wrong_place_is_refused_without_repeating_it(pasted: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.read(pasted)
    assert SECRET not in str(caught.value)
    assert SECRET not in shown(pasted)
    assert caught.value.__context__ is None or SECRET not in str(caught.value.__context__)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("wss://a.b:1/r?x=1#y", "wss://a.b:1/r"),
        ("ws://[::1]:80/r", "ws://[::1]:80/r"),
        ("wss://user:pw@a.b/r", "wss://a.b/r"),
        ("wss://a.b/r@2", "wss://***"),
        ("wss://a.b:x/r", "wss://***"),
        ("sk-key", "***"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, seen: str) -> None:
    assert shown(url) == seen


def test_an_address_shows_no_query() -> None:
    address = Address.read(f"wss://a.b:1/r?key={SECRET}")
    assert repr(address) == "<Address wss://a.b:1/r>"


# -- Azure's retired preview ------------------------------------------------------------------

PREVIEW = {
    # the pasted URL: (the host to write, the model to write)
    "https://mine.openai.azure.com/openai/realtime?api-version=2024-10-01&deployment=voice": (
        "https://mine.openai.azure.com", "'voice'",
    ),
    "wss://mine.openai.azure.com/openai/realtime?deployment=voice&api-version=2025-04-01-preview": (
        "https://mine.openai.azure.com", "'voice'",
    ),
    "wss://mine.openai.azure.com/openai/realtime/?Api-Version=anything": (
        "https://mine.openai.azure.com", "..., the name of the deployment",
    ),
    "https://mine.openai.azure.com/openai?deployment=voice": (
        "https://mine.openai.azure.com", "'voice'",
    ),
    "https://mine.openai.azure.com?api-version=2024-10-01-preview": (
        "https://mine.openai.azure.com", "..., the name of the deployment",
    ),
    "https://mine.openai.azure.com/openai/v1/realtime?api-version=preview&model=m": (
        "https://mine.openai.azure.com", "..., the name of the deployment",
    ),
    "https://mine.openai.azure.com/openai/deployments/voice/realtime?api-version=2024-10-01": (
        "https://mine.openai.azure.com", "'voice'",
    ),
    "https://mine.openai.azure.com/openai/deployments/voice": (
        "https://mine.openai.azure.com", "'voice'",
    ),
    "https://gateway.example/ai/openai/realtime?api-version=2024-10-01&deployment=voice": (
        "https://gateway.example/ai", "'voice'",
    ),
    "https://gateway.example:8443/ai/openai/deployments/voice/chat?api-version=1": (
        "https://gateway.example:8443/ai", "'voice'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("pasted", PREVIEW)
def test_the_retired_preview_is_answered_with_what_to_write(pasted: str) -> None:
    host, model = PREVIEW[pasted]
    for reading in (Address.completed, Address.as_azure):
        with pytest.raises(UsageError, match="retired on 2026-04-30") as caught:
            reading(Address.read(f"{pasted}#x"))
        assert f"endpoint=Azure('{host}') and model={model}" in str(caught.value)


def test_what_to_write_in_place_of_the_preview_has_no_secret() -> None:
    url = f"wss://m.openai.azure.com/openai/realtime?api-version=1&deployment=d&api-key={SECRET}"
    with pytest.raises(UsageError) as caught:
        Address.read(url).completed()
    assert SECRET not in str(caught.value)


def test_azure_is_not_openai() -> None:
    with pytest.raises(UsageError, match=r"endpoint=Azure\('https://mine\.openai\.azure\.com'\)"):
        Address.read("https://mine.openai.azure.com/openai/v1").as_base_url()


@pytest.mark.parametrize("host", ["api.openai.com", "eu.api.openai.com", "api.x.ai"])
def test_openai_and_xai_are_not_azure(host: str) -> None:
    with pytest.raises(UsageError, match=f"{host} is not Azure"):
        Address.read(f"https://{host}/v1").as_azure()


def test_voice_live_is_not_azure_openai() -> None:
    url = "https://mine.services.ai.azure.com/voice-live/realtime?api-version=2025-10-01"
    with pytest.raises(UsageError, match="dialect=VOICE_LIVE"):
        Address.read(url).as_azure()


# -- what is asked for ------------------------------------------------------------------------

REALTIME, TRANSLATION = Target.realtime("m n"), Target.translation("gpt-realtime-translate")
TRANSCRIPTION, SIDEBAND = Target.transcription(), Target.sideband("rtc_1")


@pytest.mark.parametrize(
    ("url", "target", "opened"),
    [
        ("wss://a.b/r", REALTIME, "wss://a.b/r?model=m%20n"),
        ("wss://a.b/r?x=1&y=", REALTIME, "wss://a.b/r?x=1&y=&model=m%20n"),
        ("wss://a.b/r", TRANSCRIPTION, "wss://a.b/r?intent=transcription"),
        ("wss://a.b/r", SIDEBAND, "wss://a.b/r?call_id=rtc_1"),
        ("wss://a.b/r?model=x&z=1", SIDEBAND, "wss://a.b/r?z=1&call_id=rtc_1"),
        ("wss://a.b/r?model=x", TRANSCRIPTION, "wss://a.b/r?intent=transcription"),
        ("wss://a.b/r?intent=transcription", REALTIME, "wss://a.b/r?model=m%20n"),
        ("wss://a.b/r?call_id=rtc_0", REALTIME, "wss://a.b/r?model=m%20n"),
        (
            "wss://a.b/v1/realtime/",
            TRANSLATION,
            "wss://a.b/v1/realtime/translations?model=gpt-realtime-translate",
        ),
        (
            "wss://a.b/v1/realtime/translations/?x=1",
            TRANSLATION,
            "wss://a.b/v1/realtime/translations/?x=1&model=gpt-realtime-translate",
        ),
    ],
)
def test_what_is_asked_for_is_in_the_query(url: str, target: Target, opened: str) -> None:
    assert Address.read(url).opened(target) == opened
    assert Address.read(opened).target == target


@pytest.mark.parametrize("target", [REALTIME, TRANSCRIPTION, SIDEBAND])
def test_an_address_for_translation_is_for_nothing_else(target: Target) -> None:
    with pytest.raises(UsageError, match=f"is for translation; this is {target.kind}"):
        Address.read("wss://a.b/v1/realtime/translations").opened(target)


@pytest.mark.parametrize(
    "query", ["", "?x=1", "?model=", "?intent=", "?call_id=", "?intent=other", "?model=%20"]
)
def test_a_url_that_names_nothing(query: str) -> None:
    assert Address.read(f"wss://a.b/r{query}").target is None


# -- hosts and secrets ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["a.b", "10.0.0.1", "128.0.0.1", "localhost.a.b", "::2", ""])
def test_another_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["azure.com", "openai.azure.com", "mine.openai.azure.com.evil.example", "mine.azure.com",
     "mine.openai.azure.org", "mineopenai.azure.com", "x.cloudapp.azure.com"],
)  # fmt: skip
def test_hosts_that_are_no_resource_of_azure(host: str) -> None:
    assert not is_azure(host)


@pytest.mark.parametrize("name", ["api-key", "api_key", "key", "token", "access_token", "Token"])
def test_a_credential_in_the_query_is_found_by_its_name(name: str) -> None:
    assert secrets_in(f"wss://a.b/r?model=m&{name}={SECRET}") == (SECRET,)
    assert secrets_in(f"wss://a.b/{name}={SECRET}") == ()
