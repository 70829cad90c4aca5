"""Where a credential goes, and where it never shows."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_client
from realtime_client import Client, endpoints
from realtime_client.credentials import Secret
from realtime_client.dialects import GA, VOICE_LIVE, XAI_GROK
from realtime_client.endpoints import XAI, Azure, Endpoint, OpenAI
from realtime_client.errors import CredentialFailed, MissingCredentials, RealtimeError, UsageError
from realtime_client.targets import Target

KEY = "sk-very-secret"
RESOURCE = "https://mine.openai.azure.com"
MODEL = Target.realtime("m")


async def key_of(endpoint: Endpoint) -> dict[str, str]:
    return dict(await endpoint.connect_headers())


async def provider() -> str:
    return KEY


# -- the address ------------------------------------------------------------------------------


def test_the_url_is_completed_and_told_as_it_is() -> None:
    assert Endpoint("https://a.b").url == "wss://a.b/v1/realtime"
    assert Endpoint("https://a.b/v1?x=1").connect_url(MODEL) == "wss://a.b/v1/realtime?x=1&model=m"


def test_an_endpoint_can_be_replaced_in_parts() -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY)
    changed = dataclasses.replace(endpoint, url="wss://c.d/r", dialect=VOICE_LIVE)
    assert changed == Endpoint("wss://c.d/r", api_key=KEY, dialect=VOICE_LIVE)


@pytest.mark.parametrize(
    "url", ["", "a.b/v1/realtime", "ftp://a.b", "wss://:1", f"wss://{KEY}@a.b"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url)
    assert KEY not in str(caught.value)


def test_a_url_of_the_retired_preview_is_refused_wherever_it_is_pasted() -> None:
    url = f"{RESOURCE}/openai/realtime?api-version=2024-10-01-preview&deployment=voice"
    makers: list[Callable[[], object]] = [
        lambda: Endpoint(url, headers={"api-key": KEY}),
        lambda: Client(endpoint=url, api_key=KEY),
        lambda: Azure(url, KEY, environ={}),
        lambda: Azure(environ={"AZURE_OPENAI_ENDPOINT": url, "AZURE_OPENAI_API_KEY": KEY}),
    ]
    for make in makers:
        with pytest.raises(UsageError, match=rf"Azure\('{RESOURCE}'\) and model='voice'"):
            make()


# -- what is asked for ------------------------------------------------------------------------


def test_a_model_is_the_one_that_was_named_or_the_endpoints_own() -> None:
    assert Endpoint("wss://a.b").target() == Target.realtime("gpt-realtime")
    assert Endpoint("wss://a.b").target("m") == MODEL
    assert Endpoint("wss://a.b", default_model="x").target() == Target.realtime("x")
    assert XAI(KEY).target() == Target.realtime("grok-voice-latest")


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("model=mine", Target.realtime("mine")),
        ("intent=transcription", Target.transcription()),
        ("call_id=rtc_1", Target.sideband("rtc_1")),
    ],
)
def test_what_a_url_names_goes_before_a_default_and_not_beside_a_model(
    query: str, target: Target
) -> None:
    endpoint = Endpoint(f"wss://a.b/r?{query}")
    assert endpoint.target() == target
    assert endpoint.connect_url(endpoint.target()) == f"wss://a.b/r?{query}"
    name, value = target.query
    with pytest.raises(UsageError, match=f"model='other', but the URL asks for {name}='{value}'"):
        endpoint.target("other")


def test_the_model_of_the_url_may_be_named_again() -> None:
    assert Endpoint("wss://a.b/r?model=mine").target("mine") == Target.realtime("mine")


def test_a_deployment_has_no_default() -> None:
    with pytest.raises(UsageError, match="the name of a deployment"):
        Azure(RESOURCE, KEY, environ={}).target()
    assert Azure(RESOURCE, KEY, environ={}).target("voice") == Target.realtime("voice")


# -- the credential ---------------------------------------------------------------------------


async def test_a_key_goes_into_one_header() -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY, headers={"X-Trace": "1"})
    assert await key_of(endpoint) == {"Authorization": f"Bearer {KEY}", "X-Trace": "1"}
    assert await key_of(Endpoint("wss://a.b/r")) == {}


@pytest.mark.parametrize("name", ["api-key", "xi-api-key"])
async def test_a_key_goes_by_itself_into_a_header_of_another_name(name: str) -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY, key_header=name)
    assert await key_of(endpoint) == {name: KEY}


async def test_the_case_of_a_header_makes_no_difference() -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY, key_header="authorization")
    assert await key_of(endpoint) == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("key_header", ["Authorization", "api-key"])
async def test_a_function_gives_the_key_anew_each_time(key_header: str) -> None:
    keys = iter(["first", "second"])

    async def fresh() -> str:
        return next(keys)

    endpoint = Endpoint("wss://a.b/r", api_key=fresh, key_header=key_header)
    headers = [await key_of(endpoint), await key_of(endpoint)]
    assert [one[key_header].removeprefix("Bearer ") for one in headers] == ["first", "second"]


async def test_a_function_that_gives_nothing_is_an_error_of_its_own() -> None:
    async def empty() -> str:
        return ""

    with pytest.raises(CredentialFailed):
        await Endpoint("wss://a.b/r", api_key=empty).connect_headers()


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_credential_is_not_given_twice(name: str) -> None:
    with pytest.raises(UsageError, match="Authorization is given twice") as caught:
        Endpoint("wss://a.b/r", api_key=KEY, headers={name: f"Bearer {KEY}"})
    assert KEY not in str(caught.value)
    Endpoint("wss://a.b/r", headers={name: f"Bearer {KEY}"})
    Endpoint("wss://a.b/r", api_key=KEY, headers={name: "x"}, key_header="api-key")


@pytest.mark.parametrize("bad", [f"{KEY}\n", f" {KEY}", f"{KEY}\u2026", f"{KEY}\r\nX: y"])
def test_a_key_that_cannot_be_in_a_header_is_refused_without_repeating_it(bad: str) -> None:
    both: list[tuple[dict[str, Any], str]] = [
        ({"api_key": bad}, "api_key"),
        ({"headers": {"X-Key": bad}}, "X-Key"),
    ]
    for given, named in both:
        with pytest.raises(UsageError, match=named) as caught:
            Endpoint("wss://a.b/r", **given)
        assert KEY not in str(caught.value)


def test_a_header_for_the_key_that_can_be_none() -> None:
    with pytest.raises(UsageError, match="cannot be the name of a header"):
        Endpoint("wss://a.b/r", api_key=KEY, key_header="api key")


def test_a_credential_has_one_place() -> None:
    with pytest.raises(UsageError, match="one of them"):
        Client(endpoint=Endpoint("wss://a.b/r", api_key="a"), api_key="b")


# -- in no text -------------------------------------------------------------------------------


def shown_by(endpoint: Endpoint) -> list[str]:
    client = Client(endpoint=endpoint, model="m")
    fields = dataclasses.asdict(endpoint)
    return [repr(endpoint), str(endpoint), f"{endpoint}{client}", repr(fields), str(fields)]


def test_a_key_is_in_nothing_that_is_shown() -> None:
    for endpoint in (
        Endpoint("wss://a.b/r", api_key=KEY, headers={"api-key": KEY}),
        Azure(RESOURCE, KEY, environ={}),
        Azure(RESOURCE, token=KEY, environ={}),
        OpenAI(KEY, environ={}),
        XAI(KEY, environ={}),
    ):
        for text in shown_by(endpoint):
            assert KEY not in text
    url = f"wss://a.b/r?api-key={KEY}"
    assert repr(Endpoint(url)) == "Endpoint('wss://a.b/r', dialect='ga')"
    assert KEY not in repr(Client(endpoint=url, model="m"))


def test_the_difference_of_two_endpoints_shows_no_key() -> None:
    one, other = (Endpoint("wss://a.b/r", api_key=key) for key in (KEY, f"{KEY}-2"))
    assert one != other
    for field in dataclasses.fields(Endpoint):
        assert KEY not in repr(getattr(one, field.name))


def test_an_endpoint_with_a_key_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="a credential is not pickled"):
        pickle.dumps(Endpoint("wss://a.b/r", api_key=KEY))
    with pytest.raises(TypeError, match="a credential is not pickled"):
        pickle.dumps(Endpoint("wss://a.b/r", headers={"api-key": KEY}))


async def test_headers_show_their_names_only() -> None:
    headers = await Endpoint("wss://a.b/r", api_key=KEY).connect_headers()
    assert repr(headers) == "<headers Authorization>"
    assert KEY not in f"{headers} {[headers]} { ({'headers': headers}) }"


def test_an_endpoint_is_a_value() -> None:
    one, other = (Endpoint("wss://a.b/r", api_key=KEY, headers={"X": "1"}) for _ in range(2))
    assert one == other == copy.deepcopy(one)
    assert hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.url = "wss://elsewhere.example"  # type: ignore[misc]  # that is what is tested
    headers: Any = one.headers
    with pytest.raises(TypeError):
        headers["api-key"] = KEY


def test_a_client_that_was_never_made_can_be_shown() -> None:
    assert repr(Client.__new__(Client)) == "<Client without an endpoint>"


# -- over plain text --------------------------------------------------------------------------

CREDENTIALS: list[dict[str, Any]] = [
    {"api_key": KEY},
    {"api_key": provider},
    {"api_key": KEY, "key_header": "api-key"},
    {"headers": {"api-key": KEY}},
]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "[::1]"])
def test_plain_ws_may_carry_a_key_to_this_machine(host: str) -> None:
    for credential in CREDENTIALS:
        Endpoint(f"ws://{host}:1/r", **credential)


@pytest.mark.parametrize("host", ["a.b", "10.0.0.1", "128.0.0.1", "localhost.a.b", "[::2]"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_and_to_no_other(scheme: str, host: str) -> None:
    Endpoint(f"{scheme}://{host}/r")
    for credential in CREDENTIALS:
        with pytest.raises(UsageError, match="wss://") as caught:
            Endpoint(f"{scheme}://{host}/r", **credential)
        assert KEY not in str(caught.value)
        assert f"plain_host='{host.strip('[]')}'" in str(caught.value)
    with pytest.raises(UsageError, match="wss://") as caught:
        Endpoint(f"{scheme}://{host}/r?api-key={KEY}")
    assert KEY not in str(caught.value)


def test_but_to_one_that_was_named_for_it() -> None:
    for credential in CREDENTIALS:
        for name in ("gateway.internal", "Gateway.Internal"):
            Endpoint("ws://gateway.internal:8080/v1", **credential, plain_host=name)
        for name in ("other.internal", "internal", "", "x.gateway.internal"):
            with pytest.raises(UsageError, match="could be read"):
                Endpoint("ws://gateway.internal/v1", **credential, plain_host=name)


def test_a_gateway_in_the_environment_is_no_exception() -> None:
    with pytest.raises(UsageError, match=r"plain_host='gateway\.internal'"):
        OpenAI(KEY, base_url="http://gateway.internal/v1", environ={})
    with pytest.raises(UsageError, match=r"plain_host='gateway\.internal'"):
        Azure("http://gateway.internal", KEY, environ={})


# -- OpenAI -----------------------------------------------------------------------------------

OPENAI = {
    "OPENAI_API_KEY": "of-openai",
    "OPENAI_BASE_URL": "https://gateway.example/openai/v1/",
    "OPENAI_ORG_ID": "org-1",
    "OPENAI_PROJECT_ID": "proj_1",
}
AZURE = {"AZURE_OPENAI_ENDPOINT": RESOURCE, "AZURE_OPENAI_API_KEY": "of-azure"}
GROK = {"XAI_API_KEY": "of-xai"}


async def test_openai_takes_its_key_from_the_argument_or_its_own_variable() -> None:
    bearer = {"Authorization": "Bearer of-openai"}
    assert await key_of(OpenAI(environ={"OPENAI_API_KEY": "of-openai"})) == bearer
    assert await key_of(OpenAI("of-openai", environ={"OPENAI_API_KEY": "a"})) == bearer
    assert await key_of(OpenAI(provider, environ={})) == {"Authorization": f"Bearer {KEY}"}
    assert OpenAI(KEY, environ={}).connect_url(MODEL) == "wss://api.openai.com/v1/realtime?model=m"
    assert OpenAI(KEY, environ={}).dialect is GA


async def test_openai_has_the_variables_of_the_openai_package() -> None:
    endpoint = OpenAI(environ=OPENAI)
    assert endpoint.url == "wss://gateway.example/openai/v1/realtime"
    assert await key_of(endpoint) == {
        "Authorization": "Bearer of-openai",
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj_1",
    }


async def test_an_argument_goes_before_a_variable() -> None:
    endpoint = OpenAI(
        "mine", base_url="https://a.b/v1", organization="org-2", project="proj_2", environ=OPENAI
    )
    assert endpoint.url == "wss://a.b/v1/realtime"
    assert await key_of(endpoint) == {
        "Authorization": "Bearer mine",
        "OpenAI-Organization": "org-2",
        "OpenAI-Project": "proj_2",
    }


async def test_an_empty_variable_is_none() -> None:
    endpoint = OpenAI(environ={**dict.fromkeys(OPENAI, ""), "OPENAI_API_KEY": "k"})
    assert endpoint.url == "wss://api.openai.com/v1/realtime"
    assert await key_of(endpoint) == {"Authorization": "Bearer k"}


def test_the_key_of_openai_does_not_go_to_azure() -> None:
    for given in ({"base_url": f"{RESOURCE}/openai/v1"}, {}):
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{RESOURCE}/openai/v1"}
        with pytest.raises(UsageError, match=r"endpoint=Azure\("):
            OpenAI(environ=environ, **given)


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


def test_an_empty_key_is_not_made_up_for_by_the_environment() -> None:
    with pytest.raises(MissingCredentials):
        OpenAI("", environ=OPENAI)
    with pytest.raises(MissingCredentials):
        Azure(RESOURCE, "", environ=AZURE)
    with pytest.raises(MissingCredentials):
        Azure(RESOURCE, token="", environ=AZURE)
    with pytest.raises(MissingCredentials):
        XAI("", environ=GROK)


# -- Azure ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["mine.openai.azure.com", "Mine.OpenAI.Azure.com/openai/v1"])
def test_a_resource_of_azure_needs_no_scheme(host: str) -> None:
    endpoint = Azure(host, KEY, environ={})
    assert endpoint.url.lower() == "wss://mine.openai.azure.com/openai/v1/realtime"
    with pytest.raises(UsageError, match="without a scheme"):
        Azure("gateway.example", KEY, environ={})


async def test_azure_takes_a_key_or_a_token() -> None:
    assert await key_of(Azure(RESOURCE, KEY, environ={})) == {"api-key": KEY}
    assert await key_of(Azure(RESOURCE, provider, environ={})) == {"api-key": KEY}
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert await key_of(Azure(RESOURCE, token=KEY, environ={})) == bearer
    assert await key_of(Azure(RESOURCE, token=provider, environ={})) == bearer


def test_azure_does_not_take_both() -> None:
    with pytest.raises(UsageError, match="api_key= and token=") as caught:
        Azure(RESOURCE, KEY, token=KEY, environ={})
    assert KEY not in str(caught.value)


async def test_azure_has_the_variables_of_the_openai_package() -> None:
    endpoint = Azure(environ=AZURE)
    assert endpoint.url == "wss://mine.openai.azure.com/openai/v1/realtime"
    assert await key_of(endpoint) == {"api-key": "of-azure"}
    token = {**AZURE, "AZURE_OPENAI_AD_TOKEN": "of-entra"}
    assert await key_of(Azure(environ=token)) == {"Authorization": "Bearer of-entra"}
    assert await key_of(Azure(api_key="mine", environ=token)) == {"api-key": "mine"}
    assert await key_of(Azure(token="mine", environ=token)) == {"Authorization": "Bearer mine"}
    assert await key_of(Azure(environ={**AZURE, "AZURE_OPENAI_AD_TOKEN": ""})) == {
        "api-key": "of-azure"
    }
    assert Azure("https://other.openai.azure.com", environ=AZURE).url.startswith("wss://other.")


@pytest.mark.parametrize(
    ("environ", "error", "named"),
    [
        ({}, UsageError, "AZURE_OPENAI_ENDPOINT"),
        ({"AZURE_OPENAI_ENDPOINT": " "}, UsageError, "AZURE_OPENAI_ENDPOINT"),
        ({"AZURE_OPENAI_ENDPOINT": RESOURCE}, MissingCredentials, "AZURE_OPENAI_API_KEY"),
        (OPENAI, UsageError, "AZURE_OPENAI_ENDPOINT"),
        ({**OPENAI, "AZURE_OPENAI_ENDPOINT": RESOURCE}, MissingCredentials, "AZURE_OPENAI_API_KEY"),
    ],
)
def test_what_is_missing_for_azure_is_named(
    environ: dict[str, str], error: type[RealtimeError], named: str
) -> None:
    with pytest.raises(error, match=named):
        Azure(environ=environ)


def test_azure_takes_the_model_as_the_name_of_a_deployment() -> None:
    endpoint = Azure(RESOURCE, KEY, environ={})
    url = "wss://mine.openai.azure.com/openai/v1/realtime?model=my-deployment"
    assert endpoint.connect_url(endpoint.target("my-deployment")) == url


# -- xAI, and each its own --------------------------------------------------------------------


async def test_xai() -> None:
    endpoint = XAI(environ=GROK)
    assert endpoint.connect_url(MODEL) == "wss://api.x.ai/v1/realtime?model=m"
    assert endpoint.dialect is XAI_GROK
    assert await key_of(endpoint) == {"Authorization": "Bearer of-xai"}
    assert await key_of(XAI("mine", environ=GROK)) == {"Authorization": "Bearer mine"}
    with pytest.raises(MissingCredentials, match="XAI_API_KEY"):
        XAI(environ={**OPENAI, **AZURE})


async def test_each_variable_is_read_for_its_own_endpoint_only() -> None:
    everything = {**OPENAI, **AZURE, **GROK}
    sent = {
        "of-openai": await key_of(OpenAI(environ=everything)),
        "of-azure": await key_of(Azure(environ=everything)),
        "of-xai": await key_of(XAI(environ=everything)),
    }
    for own, headers in sent.items():
        assert own in str(headers)
        assert not any(other in str(headers) for other in sent if other != own)
    assert "org-1" not in str((sent["of-azure"], sent["of-xai"]))


async def test_the_environment_is_the_processs_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**OPENAI, **AZURE, **GROK}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AZURE_OPENAI_AD_TOKEN", raising=False)
    assert OpenAI() == OpenAI(environ=OPENAI)
    assert Azure() == Azure(environ=AZURE)
    assert XAI() == XAI(environ=GROK)


async def test_a_key_never_goes_to_an_endpoint_that_is_not_openai(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client = Client(endpoint="wss://elsewhere.example/r")
    assert await key_of(client._means.endpoint) == {}


def test_a_secret_is_kept_as_one() -> None:
    endpoint = Endpoint("wss://a.b/r", api_key=KEY)
    assert isinstance(endpoint.api_key, Secret)


# -- the page ---------------------------------------------------------------------------------

PAGE = Path(__file__).parents[1] / "docs" / "endpoints.md"
MAKERS: dict[str, Callable[[str], Endpoint]] = {
    "Endpoint": Endpoint,
    "OpenAI": lambda url: OpenAI(KEY, base_url=url, environ={}),
    "Azure": lambda url: Azure(url, KEY, environ={}),
}


def rows() -> list[tuple[str, ...]]:
    """The table of what people paste."""
    lines = PAGE.read_text().partition("| pasted into |")[2].partition("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]


@pytest.mark.parametrize(("maker", "url", "opened"), rows())
def test_the_table_of_the_page_is_true(maker: str, url: str, opened: str) -> None:
    if opened == "refused":
        with pytest.raises(UsageError):
            MAKERS[maker](url)
    else:
        assert MAKERS[maker](url).url == opened


def test_the_table_of_the_page_is_all_there() -> None:
    assert len(rows()) == 20
    assert {row[0] for row in rows()} == set(MAKERS)


def test_the_programs_of_the_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OPENAI, **AZURE, **GROK}.items():
        monkeypatch.setenv(name, value)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile: context)
    programs = PAGE.read_text().split("```python\n")[1:]
    assert len(programs) == 4
    for program in programs:
        names: dict[str, Any] = {**vars(realtime_client), **vars(endpoints), "key": KEY, "ssl": ssl}
        exec(program.partition("```")[0], {**names, "VOICE_LIVE": VOICE_LIVE})
