"""What opens an endpoint, and how it is kept from being seen.

Three things must be true of a credential. It is fresh: an Entra or an ephemeral token that
was good when the endpoint was made has expired by the time of a reconnection, so where it
comes from a function, that function is awaited at every connect. It is sendable: the library
below quotes a header that it cannot send, so it is checked before. And it has no text: a
value ends in a log by way of a repr, a traceback with its locals, the diff of a failed
assertion or a pickle, so what holds it shows a name and refuses to be written down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from inspect import isawaitable
from typing import Any, Final, NoReturn, Self, TypeAlias

from realtime_client.errors import CredentialFailed, MissingCredentials, RealtimeError, UsageError
from realtime_client.former import refuse_variable_name
from realtime_client.redaction import HIDDEN

__all__ = ["Credential", "Headers", "Provider", "Secret", "check_header", "check_name"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header is made of (RFC 9110, 5.6.2)."""


class _Untold:
    """What is neither pickled nor copied: a copy of a value that never changes is that value."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a credential is not pickled: it would lie in a file or in another process for "
            "all to read; make the endpoint where it is needed"
        )


class Secret(_Untold):
    """A credential: a text, or an async function that gives one at every connect.

    Raises:
        UsageError: It is neither, or cannot be in a header.
        MissingCredentials: It is empty.
    """

    __slots__ = ("_given",)

    def __init__(self, given: str | Provider, name: str) -> None:
        if isinstance(given, str):
            if not given:
                raise MissingCredentials(f"{name} is empty; leave it out where none is needed")
            check_header(name, given)
            if given.lower().startswith("bearer ") or "://" in given:
                what = "a URL" if "://" in given else "a header's value; leave out `Bearer`"
                raise UsageError(f"{name} is the key alone, and this is {what}")
        elif not callable(given):
            raise UsageError(f"{name} is a text, or an async function that returns one")
        self._given = given

    @classmethod
    def of(cls, given: Credential, name: str) -> Secret:
        """The credential that was given as the argument `name`."""
        return given if isinstance(given, Secret) else cls(given, name)

    async def reveal(self) -> str:
        """The credential as it is now.

        Raises:
            CredentialFailed: The function raised, or returned what is no credential. Nothing
                of what it raised or returned is in the error, save an error of this
                package, which has no credential in it.
        """
        if isinstance(self._given, str):
            return self._given
        answer = await _ask(self._given)
        if isinstance(answer, str) and answer and _is_sendable(answer):
            return answer
        kind = type(answer).__name__
        del answer  # a traceback may be shown with its locals
        if kind != "str":
            raise _failed(f"returned {kind}, not a text")
        raise _failed("returned a text that is empty or cannot be in a header")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._given == other._given

    def __hash__(self) -> int:
        return hash(self._given)

    def __repr__(self) -> str:
        return HIDDEN


Provider: TypeAlias = Callable[[], Awaitable[str]]
"""Gives the credential of the moment; awaited at every connect."""

Credential: TypeAlias = str | Provider | Secret


class Headers(_Untold, Mapping[str, str]):
    """Headers that do not change, and do not show their values wherever they are printed.

    Raises:
        UsageError: A name or a value that cannot be in a header, or one name twice.
    """

    __slots__ = ("_values",)

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._values = dict(headers or {})
        for name, value in self._values.items():
            check_name(name)
            check_header(f"headers[{name!r}]", value)
        if len({name.lower() for name in self._values}) < len(self._values):
            raise UsageError(f"a header is given twice: {', '.join(self._values)}")

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


def check_name(name: object) -> None:
    """Raise for what cannot be the name of a header.

    Raises:
        UsageError: It shows nothing of it, in case name and value are mixed up.
    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise UsageError("headers has a name that cannot be the name of a header")


def check_header(what: str, value: object) -> None:
    """Raise for what cannot be the value of a header, before a library quotes it.

    Raises:
        UsageError: It names `what`, and shows nothing of the value.
    """
    if not isinstance(value, str):
        raise UsageError(f"{what} is not a text")
    if not _is_sendable(value):
        raise UsageError(
            f"{what} has a character that cannot be in a header; "
            "is there a line break or a space at its end?"
        )
    refuse_variable_name(value, os.environ)


def _is_sendable(value: str) -> bool:
    return value == value.strip() and all(" " <= letter <= "~" for letter in value)


async def _ask(provider: Provider) -> object:
    """What the provider gives, or `CredentialFailed` in place of what it raises."""
    cause: RealtimeError | None = None
    try:
        pending: object = provider()
        if isawaitable(pending):
            answer: object = await pending
            return answer
        failed = _failed("is not an async function; a synchronous one would hold up the loop")
    except RealtimeError as error:
        failed, cause = _raised(error, retryable=error.retryable), error
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the provider's
        # Those who hand out tokens have no common root of errors, and most of these are a
        # network's. To give up on one costs a call, to try again costs a request.
        failed = _raised(error, retryable=True)
    # Raised out here, so that the provider's error, which may quote a token, is no context.
    raise failed from cause


def _raised(error: Exception, *, retryable: bool) -> CredentialFailed:
    return _failed(f"raised {type(error).__name__}", retryable=retryable)


def _failed(what: str, *, retryable: bool = False) -> CredentialFailed:
    return CredentialFailed(
        f"no credential: the function that was given for it {what}", retryable=retryable
    )
