"""What a translator is made of: the session object and the address, and what cannot be."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from realtime_client import Azure
from realtime_client.errors import MissingCredentials, UsageError
from realtime_client.translator import Translator
from tests.interpreting import Booth


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"voice": "marin"}, "the shortcuts are language, transcription, noise_reduction"),
        ({"session": {"type": "realtime"}}, "must be 'translation'"),
        ({"session": {"audio": {"output": {"voice": "x"}}}}, "no field audio.output.voice"),
        ({"session": {"audio": {"output": {"language": "de"}}}, "language": "fr"}, "given twice"),
        ({"language": 1}, "language"),
        ({"temperature": 1}, "no temperature"),
        ({"session": {"model": "a"}, "model": "b"}, "the model is given twice: 'b' and 'a'"),
        ({"endpoint": "wss://h/v1/realtime/translations?model=a", "model": "b"}, "given twice"),
        ({"endpoint": "wss://h/v1/realtime?model=a"}, "asks for model='a', which is no trans"),
        ({"endpoint": "wss://h/v1/realtime?call_id=rtc_1"}, "asks for call_id='rtc_1'"),
        ({"chunk_ms": 19}, "chunk_ms is a whole number, 20 to 1,000"),
        ({"quality": "hq"}, "quality is"),
        ({"open_timeout": 0}, "open_timeout is in seconds"),
        ({"trace": 1}, "trace is a function"),
    ],
)
def test_a_translator_that_could_not_work_is_not_made(options: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Translator(**{"endpoint": "ws://localhost/r", **options})
    gc.collect()  # it shows itself in nobody's way, half made as it is


def test_the_deployment_has_to_be_named_on_azure() -> None:
    where = Azure("https://r.openai.azure.com", "key")
    with pytest.raises(UsageError, match="name the model; on Azure"):
        Translator(endpoint=where)
    assert repr(Translator(endpoint=where, model="mine")).startswith("<Translator wss://r.openai")


def test_without_a_key_there_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingCredentials):
        Translator()
    assert "sk-secret" not in repr(Translator(api_key="sk-secret"))


async def test_the_url_may_name_the_model() -> None:
    booth = Booth()
    url = "ws://localhost/v1/realtime/translations?model=mine"
    async with booth.translator(endpoint=url, model="mine"):
        pass
    assert booth.urls == [url]
