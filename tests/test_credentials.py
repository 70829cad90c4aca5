"""A credential is fresh, can be sent, and has no text."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from realtime_client.credentials import Headers, Secret, check_header, check_name
from realtime_client.errors import (
    ConnectFailed,
    CredentialFailed,
    HandshakeRefused,
    MissingCredentials,
    RealtimeError,
    SessionRefused,
    UsageError,
)
from tests.traces import seen_by_collectors

KEY = "sk-very-secret"


def secret(given: Any) -> Secret:
    return Secret(given, "api_key")


def raises(error: BaseException) -> Callable[[], Awaitable[str]]:
    async def provider() -> str:
        raise error

    return provider


def gives(answer: Any) -> Callable[[], Awaitable[str]]:
    async def provider() -> str:
        await anyio.lowlevel.checkpoint()
        return answer  # type: ignore[no-any-return]  # what people give back is anything

    return provider


# -- fresh ------------------------------------------------------------------------------------


async def test_a_text_is_itself() -> None:
    assert await secret(KEY).reveal() == KEY


async def test_a_function_is_awaited_each_time() -> None:
    tokens = iter(["first", "second"])

    async def provider() -> str:
        await anyio.lowlevel.checkpoint()
        return next(tokens)

    one = secret(provider)
    assert [await one.reveal(), await one.reveal()] == ["first", "second"]


async def test_an_object_that_is_called_will_do() -> None:
    class Identity:
        async def __call__(self) -> str:
            return "token"

    assert await secret(Identity()).reveal() == "token"


@pytest.mark.parametrize(
    "error",
    [OSError(KEY), TimeoutError(KEY), RuntimeError(KEY), ExceptionGroup(KEY, [OSError(KEY)])],
)
async def test_what_a_function_raises_is_named_and_not_quoted(error: Exception) -> None:
    with pytest.raises(CredentialFailed) as caught:
        await secret(raises(error)).reveal()
    failed = caught.value
    assert f"raised {type(error).__name__}" in str(failed)
    assert failed.retryable
    assert isinstance(failed, ConnectFailed)
    assert failed.__cause__ is None
    assert failed.__context__ is None
    assert KEY not in seen_by_collectors(failed)


@pytest.mark.parametrize(
    "error", [HandshakeRefused(401, ""), HandshakeRefused(503, ""), SessionRefused("no")]
)
async def test_an_error_of_ours_has_no_secret_and_says_whether_to_try_again(
    error: RealtimeError,
) -> None:
    with pytest.raises(CredentialFailed) as caught:
        await secret(raises(error)).reveal()
    assert caught.value.__cause__ is error
    assert caught.value.retryable is error.retryable


async def test_cancellation_is_no_failure() -> None:
    with anyio.move_on_after(0) as scope:
        await secret(gives("never")).reveal()
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "returned NoneType, not a text"),
        (b"bytes", "returned bytes, not a text"),
        ((KEY, 3600), "returned tuple, not a text"),
        ("", "empty or cannot be in a header"),
        (f"{KEY}\n", "empty or cannot be in a header"),
        (f"{KEY}\u2026", "empty or cannot be in a header"),
        (f"{KEY}\r\nX: y", "empty or cannot be in a header"),
    ],
)
async def test_what_is_no_credential_is_not_tried_again(answer: Any, words: str) -> None:
    with pytest.raises(CredentialFailed, match=words) as caught:
        await secret(gives(answer)).reveal()
    assert not caught.value.retryable
    assert KEY not in seen_by_collectors(caught.value)


async def test_a_synchronous_function_would_hold_up_the_loop() -> None:
    with pytest.raises(CredentialFailed, match="not an async function") as caught:
        await secret(lambda: KEY).reveal()
    assert not caught.value.retryable
    assert KEY not in str(caught.value)


# -- sendable ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [f"{KEY}\n", f" {KEY}", f"{KEY}\u2026", f"{KEY}\r\nX: y", 5, None])
def test_what_cannot_be_in_a_header_is_refused_without_repeating_it(bad: Any) -> None:
    makers: list[Callable[[], object]] = [
        lambda: check_header("X-Key", bad),
        lambda: Headers({"X-Key": bad}),
    ]
    if isinstance(bad, str):
        makers.append(lambda: Secret(bad, "X-Key"))
    for make in makers:
        with pytest.raises(UsageError, match="X-Key") as caught:
            make()
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", f"{KEY}=", "\u00e9", 5])
def test_a_name_that_cannot_be_a_headers_is_refused_without_repeating_it(name: Any) -> None:
    for make in (lambda: check_name(name), lambda: Headers({name: "x"})):
        with pytest.raises(UsageError, match="cannot be the name of a header") as caught:
            make()
        assert KEY not in str(caught.value)


def test_one_header_is_not_given_twice() -> None:
    with pytest.raises(UsageError, match="given twice: api-key, API-Key") as caught:
        Headers({"api-key": KEY, "API-Key": "other"})
    assert KEY not in str(caught.value)


def test_the_name_of_a_variable_is_no_credential() -> None:
    for make in (lambda: Secret("OPENAI_API_KEY", "token"), lambda: Headers({"x": "MY_TOKEN"})):
        with pytest.raises(UsageError, match="name of an environment variable"):
            make()


def test_an_empty_credential_is_none() -> None:
    with pytest.raises(MissingCredentials, match="token is empty"):
        Secret("", "token")


@pytest.mark.parametrize("given", [5, b"bytes", ["text"]])
def test_what_is_neither_a_text_nor_a_function_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="api_key is a text, or an async function"):
        secret(given)


# -- no text ----------------------------------------------------------------------------------

HIDDEN = [secret(KEY), Headers({"api-key": KEY})]


@pytest.mark.parametrize("hidden", HIDDEN, ids=["secret", "headers"])
def test_it_is_in_nothing_that_is_written_down(hidden: Any) -> None:
    for text in (repr(hidden), str(hidden), f"{hidden}", f"{[hidden]} { ({'it': hidden}) }"):
        assert KEY not in text
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(hidden)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("hidden", HIDDEN, ids=["secret", "headers"])
def test_a_copy_is_the_same(hidden: Any) -> None:
    assert copy.copy(hidden) is hidden
    assert copy.deepcopy([hidden])[0] is hidden


def test_a_secret_is_a_value() -> None:
    assert secret(KEY) == secret(KEY) != secret("other")
    assert hash(secret(KEY)) == hash(secret(KEY))
    assert secret(KEY) != KEY
    one = secret(KEY)
    assert Secret.of(one, "x") is one
    assert Secret.of(KEY, "x") == one


def test_headers_are_a_mapping_that_shows_its_names() -> None:
    given = {"X-One": KEY, "X-Two": ""}
    headers = Headers(given)
    given["X-Three"] = "later"
    assert headers == {"X-One": KEY, "X-Two": ""}
    assert dict(headers) == {"X-One": KEY, "X-Two": ""}
    assert len(headers) == 2
    assert headers["X-One"] == KEY
    assert repr(headers) == "<headers X-One, X-Two>"
    assert not Headers()
