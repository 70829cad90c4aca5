"""Webhooks: whose they are, when they were signed, and whether they were here before."""

from __future__ import annotations

import hmac
import http.client
import io
import json
import time
import traceback
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openai import InvalidWebhookSignatureError
from openai.lib._webhooks import webhook_signature_matches
from openai.types.webhooks import RealtimeCallIncomingWebhookEvent

from realtime_client.errors import UsageError, WebhookRefused
from realtime_client.rest import IncomingCall, Replays, UnknownWebhook, verify

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + b64encode(KEY).decode()
NOW = 1_800_000_000
EVENT: dict[str, Any] = {
    "object": "event",
    "id": "evt_1",
    "type": "realtime.call.incoming",
    "created_at": NOW - 2,
    "data": {
        "call_id": "rtc_1",
        "sip_headers": [
            {"name": "From", "value": "sip:+14255551212@sip.example.com"},
            {"name": "To", "value": "sip:+18005551212@sip.example.com"},
            {"name": "from", "value": "the second one"},
        ],
    },
}
BODY = json.dumps(EVENT).encode()
CALL = IncomingCall(
    "rtc_1",
    (
        ("From", "sip:+14255551212@sip.example.com"),
        ("To", "sip:+18005551212@sip.example.com"),
        ("from", "the second one"),
    ),
    "evt_1",
    NOW - 2,
    "wh_1",
)


def signature(
    body: bytes = BODY, webhook_id: str = "wh_1", moment: int | str = NOW, key: bytes = KEY
) -> str:
    signed = f"{webhook_id}.{moment}.".encode() + body
    return "v1," + b64encode(hmac.new(key, signed, "sha256").digest()).decode()


def headers(
    body: bytes = BODY, webhook_id: str = "wh_1", moment: int | str = NOW, key: bytes = KEY
) -> dict[str, str]:
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(body, webhook_id, moment, key),
    }


def reason(*args: Any, **options: Any) -> str | None:
    """Why it is refused; None where it is not. Nothing of the secret is in that."""
    refused = None
    try:
        verify(*args, **{"now": NOW, **options})
    except WebhookRefused as error:
        refused = error
    if refused is None:
        return None
    shown = "".join(traceback.format_exception(refused))
    assert SECRET not in shown
    assert signature()[3:] not in shown
    assert len(str(refused)) > 20
    assert "None" not in str(refused)
    assert refused.__context__ is None
    return refused.reason


# -- what is genuine --------------------------------------------------------------------------


def test_a_call() -> None:
    assert RealtimeCallIncomingWebhookEvent.model_validate(EVENT).data.call_id == "rtc_1"
    assert verify(BODY, headers(), SECRET, now=NOW) == CALL


def test_who_calls_is_read_in_any_case_and_not_shown() -> None:
    assert CALL.sip_header("FROM") == "sip:+14255551212@sip.example.com"
    assert CALL.sip_header("Diversion") is None
    assert "4255551212" not in repr(CALL)
    assert "rtc_1" in repr(CALL)


def test_another_event_is_not_lost() -> None:
    body = b'{"type":"live.call.incoming","data":{"session_id":"live_1"}}'
    webhook = verify(body, headers(body), SECRET, now=NOW)
    assert webhook == UnknownWebhook("live.call.incoming", json.loads(body), "wh_1")
    assert "live_1" not in repr(webhook)


def test_without_a_time_it_is_now() -> None:
    moment = int(time.time())
    assert isinstance(verify(BODY, headers(moment=moment), SECRET), IncomingCall)
    assert reason(BODY, headers(), SECRET, now=None) in ("too_old", "too_new")


@pytest.mark.parametrize("shape", ["dict", "upper", "pairs", "asgi", "http.server"])
def test_headers_of_any_library(shape: str) -> None:
    plain = {**headers(), "Content-Type": "application/json", "webhook": "x", "x-webhook-id": "y"}
    shapes: dict[str, Any] = {
        "dict": plain,
        "upper": {name.upper(): value for name, value in plain.items()},
        "pairs": list(plain.items()),
        "asgi": [(name.encode(), value.encode()) for name, value in plain.items()],
        "http.server": http.client.parse_headers(
            io.BytesIO("".join(f"{name}: {value}\r\n" for name, value in plain.items()).encode())
        ),
    }
    assert verify(BODY, shapes[shape], SECRET, now=NOW) == CALL


def test_one_of_several_signatures_is_enough() -> None:
    others = [signature(key=b"an older key"), "v1a,abc", signature(key=b"another")]
    for place in range(4):
        several = [*others[:place], signature(), *others[place:]]
        given = {**headers(), "webhook-signature": "  ".join(several)}
        assert reason(BODY, given, SECRET) is None


# -- what is not --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        signature(key=b"wrong"), signature(body=BODY + b" "), signature(webhook_id="wh_2"),
        signature(moment=NOW + 1), signature()[3:], signature().replace("v1,", "v2,"),
        signature().replace("v1,", "V1,"), signature()[:-1], signature() + "=", "v1,", "v1", "ä",
        "v1,ä", "v1,\udcff", signature().swapcase(),
    ],
)  # fmt: skip
def test_a_signature_that_is_none(wrong: str) -> None:
    assert reason(BODY, {**headers(), "webhook-signature": wrong}, SECRET) == "signature"


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_that_was_changed_anywhere(place: int, change: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= change
    assert reason(bytes(changed), headers(), SECRET) == "signature"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_there_once(name: str) -> None:
    plain = headers()
    assert reason(BODY, {key: plain[key] for key in plain if key != name}, SECRET) == "headers"
    assert reason(BODY, {**plain, name: ""}, SECRET) == "headers"
    assert reason(BODY, [*plain.items(), (name.title(), plain[name])], SECRET) == "headers"


@pytest.mark.parametrize(
    "moment", ["soon", "1.8e9", "1800000000.0", "-1", "+1800000000", " 1800000000", "1_800_000_000",
               "１８００００００００", "9" * 13, "1800000000\n"],
)  # fmt: skip
def test_a_time_that_is_none(moment: str) -> None:
    assert reason(BODY, headers(moment=moment), SECRET) == "headers"


@pytest.mark.parametrize(
    ("age", "tolerance", "expected"),
    [
        (0, 300.0, None), (300, 300.0, None), (-300, 300.0, None),
        (301, 300.0, "too_old"), (-301, 300.0, "too_new"),
        (0, 0.0, None), (1, 0.0, "too_old"), (-1, 0.0, "too_new"),
        (NOW - 999_999_999_999, 300.0, "too_new"),
        (86_400, float("inf"), None),
    ],
)  # fmt: skip
def test_the_window_is_to_both_sides(age: int, tolerance: float, expected: str | None) -> None:
    assert reason(BODY, headers(moment=NOW - age), SECRET, tolerance=tolerance) == expected


def test_a_part_of_a_second_counts() -> None:
    assert reason(BODY, headers(), SECRET, now=NOW + 0.5, tolerance=0) == "too_old"
    assert reason(BODY, headers(), SECRET, now=NOW - 0.5, tolerance=0) == "too_new"


def test_an_id_that_cannot_be_written_is_signed_by_nobody() -> None:
    assert reason(BODY, {**headers(), "webhook-id": "\udcff"}, SECRET) == "signature"


def test_the_default_window_is_five_minutes() -> None:
    assert reason(BODY, headers(moment=NOW - 300), SECRET) is None
    assert reason(BODY, headers(moment=NOW - 301), SECRET) == "too_old"


def test_it_says_how_far_the_clocks_are_apart() -> None:
    with pytest.raises(WebhookRefused, match=r"400 s behind this clock; 300 s are allowed"):
        verify(BODY, headers(moment=NOW - 400), SECRET, now=NOW)
    with pytest.raises(WebhookRefused, match=r"400 s ahead of this clock"):
        verify(BODY, headers(moment=NOW + 400), SECRET, now=NOW)


def test_a_clock_that_is_none_lets_nothing_in() -> None:
    assert reason(BODY, headers(), SECRET, now=float("nan")) == "too_old"


def test_of_what_nobody_has_signed_nothing_else_is_told() -> None:
    assert reason(BODY, headers(moment=5, key=b"wrong"), SECRET) == "signature"
    assert reason(b"{", headers(b"{", key=b"wrong"), SECRET) == "signature"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b'{"type":5}', b"[" * 20_000,
        b'{"type":"realtime.call.incoming"}',
        json.dumps({**EVENT, "data": {"sip_headers": []}}).encode(),
        json.dumps({**EVENT, "data": {"call_id": "rtc_1"}}).encode(),
        json.dumps({**EVENT, "data": {"call_id": 1, "sip_headers": []}}).encode(),
        json.dumps({**EVENT, "data": {"call_id": "rtc_1", "sip_headers": [["a", "b"]]}}).encode(),
        json.dumps({**EVENT, "created_at": "today"}).encode(),
    ],
)  # fmt: skip
def test_a_payload_that_is_no_event(body: bytes) -> None:
    assert reason(body, headers(body), SECRET) == "payload"


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_ä", "whsec_a", SECRET[:20] + "!" + SECRET[20:], "whsec_====",
     b64encode(KEY).decode(), "hunter2-ABCDEF", "WHSEC_" + SECRET[6:], None, SECRET.encode()],
)  # fmt: skip
def test_a_secret_that_is_none(secret: Any) -> None:
    with pytest.raises(UsageError, match="whsec_") as caught:
        verify(BODY, headers(key=b""), secret, now=NOW)
    shown = "".join(traceback.format_exception(caught.value))
    assert not secret or len(secret) < 10 or str(secret) not in shown


@pytest.mark.parametrize("payload", [BODY.decode(), EVENT, bytearray(BODY), None])
def test_a_payload_that_somebody_has_read_before(payload: Any) -> None:
    with pytest.raises(UsageError, match="bytes"):
        verify(payload, headers(), SECRET, now=NOW)


@pytest.mark.parametrize("tolerance", [-1, float("nan"), "300", None])
def test_a_tolerance_that_is_none(tolerance: Any) -> None:
    with pytest.raises(UsageError, match="tolerance"):
        verify(BODY, headers(), SECRET, now=NOW, tolerance=tolerance)


def test_the_comparison_is_the_one_that_takes_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return bool(one == other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert reason(BODY, headers(), SECRET) is None
    assert compared == [(signature().encode(), signature().encode())]


@given(
    st.binary(max_size=40),
    st.text("abc.123-_", min_size=1, max_size=8),
    st.integers(NOW - 400, NOW + 400),
    st.sampled_from([KEY, b"wrong", b"x"]),
    st.booleans(),
)
@example(b"{}", "a.b", NOW, KEY, False)
def test_it_agrees_with_the_openai_package(
    body: bytes, webhook_id: str, moment: int, key: bytes, changed: bool
) -> None:
    given_headers = headers(body, webhook_id, moment, key)
    sent = body + b"!" if changed else body
    ours = reason(sent, given_headers, SECRET)
    shift = int(time.time()) - NOW  # it has no clock to give it
    shifted = headers(body, webhook_id, moment + shift, key)
    try:
        # It looks at the time first, and reads the body as text, which JSON is.
        theirs = webhook_signature_matches(
            sent.decode("ascii"), shifted, secret=SECRET, tolerance=300
        )
    except InvalidWebhookSignatureError:
        theirs = False
    except UnicodeDecodeError:
        return
    if abs(abs(moment - NOW) - 300) > 5:  # its clock goes on meanwhile
        assert (ours in (None, "payload")) == theirs


# -- repetitions ----------------------------------------------------------------------------------


def test_the_same_webhook_is_taken_once() -> None:
    replays = Replays()
    assert verify(BODY, headers(), SECRET, now=NOW, replays=replays) == CALL
    assert reason(BODY, headers(), SECRET, replays=replays) == "repeated"
    assert reason(BODY, headers(moment=NOW + 9), SECRET, replays=replays) == "repeated"
    assert reason(BODY, headers(webhook_id="wh_2"), SECRET, replays=replays) is None
    assert reason(BODY, headers(), SECRET, replays=None) is None


def test_what_came_to_nothing_may_come_again() -> None:
    replays = Replays()
    verify(BODY, headers(), SECRET, now=NOW, replays=replays)
    replays.forget("wh_1")
    replays.forget("never seen")
    assert reason(BODY, headers(), SECRET, replays=replays) is None


@pytest.mark.parametrize(
    "refused",
    [
        (BODY, headers(key=b"wrong")),
        (BODY, headers(moment=NOW - 400)),
        (b"{", headers(b"{")),
    ],
)
def test_what_was_refused_was_not_here(refused: tuple[bytes, dict[str, str]]) -> None:
    replays = Replays()
    assert reason(*refused, SECRET, replays=replays)
    assert len(replays) == 0


@pytest.mark.parametrize("moment", [NOW - 300, NOW, NOW + 300])
def test_it_is_remembered_as_long_as_its_time_is_in_the_window(moment: int) -> None:
    replays = Replays()
    given_headers = headers(moment=moment)
    assert reason(BODY, given_headers, SECRET, replays=replays) is None
    last = moment + 300
    assert reason(BODY, given_headers, SECRET, now=last, replays=replays) == "repeated"
    assert reason(BODY, given_headers, SECRET, now=last + 1, replays=replays) == "too_old"


def test_what_is_out_of_the_window_is_forgotten() -> None:
    replays = Replays()
    for number in range(100):
        assert replays.take(f"wh_{number}", number + 10, now=number)
    assert len(replays) == 11  # one each second, for ten seconds to the end
    assert replays.take("wh_0", 1_000, now=500)
    assert len(replays) == 1


def test_one_that_ends_early_behind_one_that_ends_late_goes_with_it() -> None:
    replays = Replays()
    replays.take("late", 20, now=0)
    replays.take("early", 5, now=0)
    replays.take("next", 20, now=10)
    assert len(replays) == 3
    replays.take("after", 40, now=30)
    assert len(replays) == 1


def test_the_memory_is_bounded_and_the_oldest_goes_first() -> None:
    replays = Replays(most=3)
    for name in "abcd":
        assert replays.take(name, 10, now=0)
    assert len(replays) == 3
    assert not replays.take("b", 10, now=0)
    assert replays.take("a", 10, now=0)
    assert Replays(most=1).take("a", 10, now=0)
    with pytest.raises(UsageError, match="most"):
        Replays(most=0)


def test_a_secret_is_base64_to_both() -> None:
    assert b64decode(SECRET.removeprefix("whsec_")) == KEY
