"""Pictures: what the bytes are is read from the bytes, and what is no picture is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client import events
from realtime_client.codec import decode_client, encode
from realtime_client.errors import InvalidImage, UsageError
from realtime_client.pictures import MAX_IMAGE, MAX_URL, image_part, user_image
from realtime_client.simulator import Answer, Question, Say
from tests.scenarios import connected


def png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


PNG = png()
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\xff\xd9"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L"


def split(part: events.ContentPart) -> tuple[str, bytes]:
    """The media type of a part, and its bytes."""
    assert isinstance(part.image_url, str)
    head, _, payload = part.image_url.partition(";base64,")
    return head.removeprefix("data:"), pybase64.b64decode(payload, validate=True)


@pytest.mark.parametrize(("data", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
@pytest.mark.parametrize("shape", [bytes, bytearray, memoryview])
def test_the_kind_is_read_from_the_bytes(data: bytes, kind: str, shape: Any) -> None:
    part = image_part(shape(data))
    assert part.type == "input_image"
    assert split(part) == (kind, data)
    assert part.detail is events.UNSET


@given(st.binary(max_size=300))
def test_the_bytes_go_out_as_they_are(tail: bytes) -> None:
    assert split(image_part(JPEG + tail)) == ("image/jpeg", JPEG + tail)


def test_a_view_of_every_second_byte_is_those_bytes() -> None:
    spread = bytes(byte for one in PNG for byte in (one, 0))
    assert split(image_part(memoryview(spread)[::2]))[1] == PNG


def test_the_detail_goes_out_as_it_is() -> None:
    assert image_part(PNG, detail="low").detail == "low"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (PNG, "IMAGE/PNG"),
        (JPEG, "image/jpeg"),
        (WEBP, "image/webp"),
        (b"anything", "image/x-own"),
    ],
)
def test_a_kind_can_be_named(data: bytes, kind: str) -> None:
    assert split(image_part(data, media_type=kind)) == (kind.lower(), data)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (PNG, "image/jpeg", "no image/jpeg but image/png"),
        (JPEG, "image/webp", "no image/webp but image/jpeg"),
        (WEBP, "image/png", "no image/png$"),
        (b"anything", "image/jpeg", "no image/jpeg$"),
        (PNG, "png", "got 'png'"),
        (WEBP, "video/webm", "got 'video/webm'"),
        (WEBP, "image/", "got 'image/'"),
        (WEBP, "image/ ", "got 'image/ '"),
        (WEBP, "image/webp;base64,x", "got 'image/webp;base64,x'"),
        (WEBP, "an image/webp", "got 'an image/webp'"),
        (WEBP, "", "got ''"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(data: bytes, kind: str, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        image_part(data, media_type=kind)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (memoryview(b""), "empty"),
        (PNG[:7], "begin with"),
        (JPEG[:2], "begin with"),
        (PNG[1:], "begin with b'PNG"),
        (b"GIF89a", "a GIF"),
        (WEBP, "WebP"),
        (b"BM\0\0", "a BMP"),
        (b"II*\0", "a TIFF"),
        (b"MM\0*", "a TIFF"),
        (b"%PDF-1.7", "a PDF"),
        (b"<svg>", "SVG"),
        (bytes(40), "begin with"),
        (Path("picture.png"), "got PosixPath|got WindowsPath"),
        (None, "got NoneType"),
        (5, "got int"),
    ],
)
def test_what_is_no_picture_is_refused(data: Any, words: str) -> None:
    with pytest.raises(InvalidImage, match=words) as caught:
        image_part(data)
    assert isinstance(caught.value, UsageError)


def test_a_picture_has_the_size_of_an_event_at_most() -> None:
    largest = JPEG + bytes(MAX_IMAGE - len(JPEG))
    part = image_part(largest)
    with pytest.raises(InvalidImage, match="15,728,641 bytes"):
        image_part(largest + b"\0")
    assert isinstance(part.image_url, str)
    assert image_part(part.image_url) == part


def test_a_url_has_the_size_of_such_a_picture_at_most() -> None:
    head = "data:image/png;base64,"
    longest = head + "A" * (MAX_URL - len(head))
    assert image_part(longest).image_url == longest
    with pytest.raises(InvalidImage, match="20,972,545 characters"):
        image_part(longest + "A")


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:IMAGE/JPEG;base64,/9j/",
        "https://example.com/a.png",
        "HTTPS://example.com/a",
    ],
)
def test_a_url_goes_out_as_it_is(url: str) -> None:
    assert image_part(url).image_url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "picture.png",
        "http://example.com/a.png",
        "file:///a.png",
        "data:text/plain;base64,AAAA",
        "iVBORw0KGgo=",
        "see https://example.com/a.png",
        "https:/example.com",
    ],
)
def test_text_that_is_no_url_of_a_picture_is_refused(text: str) -> None:
    with pytest.raises(InvalidImage, match="URL"):
        image_part(text)


def test_what_is_no_url_is_not_repeated_at_length() -> None:
    with pytest.raises(InvalidImage) as caught:
        image_part("secret " * 100)
    assert len(str(caught.value)) < 200


def test_a_url_says_its_kind_by_itself() -> None:
    with pytest.raises(InvalidImage, match="media_type"):
        image_part("https://example.com/a", media_type="image/png")


def test_a_message_with_a_picture() -> None:
    item = user_image(PNG, "What is this?", detail="high")
    assert item.role == "user"
    said, picture = item.content or ()
    assert (said.type, said.text) == ("input_text", "What is this?")
    assert picture == image_part(PNG, detail="high")


@pytest.mark.parametrize("text", [None, ""])
def test_a_picture_alone_is_a_message(text: str | None) -> None:
    assert user_image(WEBP, text, media_type="image/webp").content == (
        image_part(WEBP, media_type="image/webp"),
    )


def test_it_is_a_client_event_that_survives_the_wire() -> None:
    event = events.ConversationItemCreate(item=user_image(JPEG, "Look"))
    assert decode_client(encode(event)) == event


async def test_a_picture_reaches_the_model() -> None:
    seen: list[events.Item] = []

    def brain(question: Question) -> Answer:
        seen.extend(question.items)
        return [Say("One red pixel.")]

    async with connected(brain=brain) as (client, _):
        await client.send_image(PNG, "What is this?", detail="low")
        await (await client.response.create()).done()
    (item,) = seen
    assert isinstance(item, events.MessageItem)
    assert item.content == user_image(PNG, "What is this?", detail="low").content


@pytest.mark.parametrize("detail", ["ultra", "", "HIGH", 1, ["low"]])
def test_a_detail_that_is_none_is_refused(detail: Any) -> None:
    told = "^detail is 'auto', 'low' or 'high'; got "
    for data in (PNG, "https://example.com/x.png"):
        with pytest.raises(InvalidImage, match=told):
            image_part(data, detail=detail)
    with pytest.raises(InvalidImage, match=told):
        user_image(PNG, detail=detail)
