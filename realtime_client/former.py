"""Names and shapes from elsewhere, and what they are called here.

People come from older clients, from Azure's preview, from frameworks. A name that used to
work and is silently ignored costs a day; so every such name is known, refused, and answered
with today's field. Nothing here is translated in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

from realtime_client.errors import InvalidConfig, UsageError

__all__ = [
    "advice_for_response",
    "refuse_flat_session",
    "refuse_former_names",
    "refuse_former_values",
    "refuse_variable_name",
    "warn_of_former_variables",
]

_TOKEN: Final = "Azure('https://RESOURCE.openai.azure.com', token=...)"

_FIELDS: Final[Mapping[str, str]] = {
    "modalities": "output_modalities=['audio'] or ['text']",
    "temperature": "nothing: the GA protocol has no temperature; leave it out",
    "input_audio_transcription": "transcription=",
    "input_audio_noise_reduction": "noise_reduction=",
    "input_audio_format": "input_format=",
    "output_audio_format": "output_format=",
    "max_response_output_tokens": "max_output_tokens=",
    "api_version": "nothing: the GA protocol has no api-version; leave it out",
    "azure_deployment": "model=, the name of the deployment",
    "azure_endpoint": "endpoint=Azure('https://RESOURCE.openai.azure.com')",
    "entra_token": f"endpoint={_TOKEN}",
    "azure_ad_token": f"endpoint={_TOKEN}",
    "azure_ad_token_provider": f"endpoint={_TOKEN}",
    "conn_options": "open_timeout= and reconnect=Reconnect(...)",
    "http_session": "connect=, for another transport; there is no shared HTTP session",
    "max_session_duration": "rollover=Rollover(age=...), in seconds",
    "base_url": "endpoint=OpenAI(base_url=...), or the URL of another server",
    "websocket_base_url": "endpoint=OpenAI(base_url=...), or the URL of another server",
    "organization": "endpoint=OpenAI(organization=...)",
    "project": "endpoint=OpenAI(project=...)",
    "chat_ctx": "conversation.item.create(...)",
    "headers": "endpoint=Endpoint(url, headers=...)",
    "default_headers": "endpoint=Endpoint(url, headers=...)",
    "extra_headers": "endpoint=Endpoint(url, headers=...)",
    "extra_query": "endpoint=, a URL with that query",
    "default_query": "endpoint=, a URL with that query",
    "url": "endpoint=",
    "dialect": "endpoint=Endpoint(url, dialect=...)",
    "token": "api_key=, or endpoint=Azure(..., token=...)",
    "max_retries": "reconnect=Reconnect(tries=...)",
    "websocket_connection_options": "ssl=, proxy= and keepalive=",
}
"""Keywords, and fields of the session object, that today have another name."""

_NESTED: Final[Mapping[str, str]] = {
    "voice": "session.audio.output.voice",
    "speed": "session.audio.output.speed",
    "turn_detection": "session.audio.input.turn_detection",
}

_SESSIONS: Final = frozenset(
    {
        "include", "input_format", "noise_reduction", "speed", "tracing", "transcription",
        "truncation", "turn_detection",
    }
)  # fmt: skip
"""Shortcuts for fields that a session has and a response has not."""

_IN_RESPONSE: Final[Mapping[str, str]] = {
    "chat_ctx": "input=[...], with conversation='none' or in place of the conversation",
    "output_audio_format": "audio={'output': {'format': {'type': 'audio/pcm', 'rate': 24000}}}",
    "output_format": "audio={'output': {'format': {'type': 'audio/pcm', 'rate': 24000}}}",
    "voice": "audio={'output': {'voice': ...}}",
    **{name: _FIELDS[name] for name in ("modalities", "temperature", "max_response_output_tokens")},
}
"""Options of a response by names of an older client, or by a session's shortcut."""

_FORMATS: Final[Mapping[str, str]] = {
    "pcm16": "{'type': 'audio/pcm', 'rate': 24000}",
    "g711_ulaw": "{'type': 'audio/pcmu'}",
    "g711_alaw": "{'type': 'audio/pcma'}",
}


def advice_for_response(path: str) -> str | None:
    """What to write in place of an option that a response does not have, where that is known.

    `path` is the option's in a `response.create`, such as `response.temperature`.
    """
    name = path.removeprefix("response.")
    if name in _IN_RESPONSE:
        return f"today it is {_IN_RESPONSE[name]}"
    name = name.removeprefix("audio.output.")
    if name in _SESSIONS:
        return f"it belongs to the session: `await client.session.update({name}=...)`"
    if name == "audio.input":
        shape = "session={'audio': {'input': ...}}"
        return f"it belongs to the session: `await client.session.update({shape})`"
    return None


def refuse_former_names(names: Mapping[str, Any]) -> None:
    """Raise for a field that has another name today.

    Raises:
        InvalidConfig: It names the field of today.
    """
    for name in names:
        if name in _FIELDS:
            raise InvalidConfig(f"{name!r} is from an older client; today it is {_FIELDS[name]}")


def refuse_flat_session(session: Mapping[str, Any]) -> None:
    """Raise for a field of the beta's flat session object that is nested today.

    Raises:
        InvalidConfig: It names the path of today.
    """
    for name in session:
        if name in _NESTED:
            raise InvalidConfig(
                f"session.{name} is from the beta shape; today it is {_NESTED[name]}, "
                f"or the shortcut {name}="
            )


def refuse_former_values(name: str, value: Any) -> None:
    """Raise for an audio format by its beta name.

    Raises:
        InvalidConfig: It shows the format of today.
    """
    kind = value.get("type") if isinstance(value, Mapping) else value
    is_format = name in {"input_format", "output_format", "format"}
    if is_format and isinstance(kind, str) and kind in _FORMATS:
        raise InvalidConfig(f"{name} {kind!r} is a beta name; today it is {_FORMATS[kind]}")


def warn_of_former_variables(environ: Mapping[str, str]) -> None:
    """Warn where an older client's variable is set that means nothing here."""
    if "OPENAI_API_VERSION" in environ:
        warnings.warn(
            "OPENAI_API_VERSION is set and not used: the GA protocol has no api-version. "
            "On Azure, give endpoint=Azure('https://RESOURCE.openai.azure.com') and model=, "
            "the name of the deployment",
            UserWarning,
            stacklevel=3,
        )


def refuse_variable_name(key: str, environ: Mapping[str, str]) -> None:
    """Raise where a key is the *name* of an environment variable.

    Raises:
        UsageError: It says how to pass the variable's value; no value is shown.
    """
    looks = key.isupper() and key.replace("_", "").isalnum() and "_" in key
    if looks and (key in environ or key.endswith(("_KEY", "_TOKEN", "_SECRET"))):
        raise UsageError(
            f"api_key={key!r} is the name of an environment variable, not a key; "
            f"pass its value: api_key=os.environ[{key!r}]"
        )
