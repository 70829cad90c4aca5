"""Pictures for the model: a content part of a user's message.

On the wire a picture is a `data:` URL: "Base64-encoded image bytes as a data URI", PNG or
JPEG. What kind the bytes are is read from the bytes, because a wrong name makes the server
refuse the item, after the upload. How a picture looks is nobody's business here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pybase64 import b64encode

from realtime_client.errors import InvalidImage
from realtime_client.events import UNSET, ContentPart, MessageItem

__all__ = ["MAX_IMAGE", "MAX_URL", "image_part", "user_image"]

MAX_IMAGE: Final = 15 * 1024 * 1024
"""Bytes of one picture. No limit for pictures is documented; this is the one that is documented
for the payload of an event, the 15 MiB of audio in an append."""

MAX_URL: Final = MAX_IMAGE * 4 // 3 + 1024
"""Characters of a URL: such a picture as base64, with room for what precedes it."""

_MEDIA_TYPE: Final = re.compile(r"image/[a-z0-9][a-z0-9.+-]*")
_URL: Final = re.compile(r"data:image/|https://", re.IGNORECASE)

_DETAILS: Final = ("auto", "low", "high")

_MAGIC: Final[Mapping[bytes, str]] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
_OTHERS: Final[Mapping[bytes, str]] = {
    b"GIF8": "a GIF",
    b"RIFF": "a RIFF file, such as WebP",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"<": "text, such as SVG or HTML",
}
"""What people try; only to name it in the error."""


def image_part(
    data: bytes | bytearray | memoryview | str,
    *,
    media_type: str | None = None,
    detail: str | None = None,
) -> ContentPart:
    """Return an `input_image` part.

    `data` is the bytes of a PNG or JPEG file, at most 15 MiB; or text, a `data:image/...` URL
    or an `https:` URL, which goes out as it is (the specification promises the first only).
    `media_type`, such as `image/webp`, is for bytes of another kind that your server takes.
    `detail` is `auto`, `low` or `high`; left out it is the server's choice.

    Raises:
        InvalidImage: Empty, too long, not a picture of such a kind, not the kind it is
            said to be, or another `detail`.
    """
    if detail is not None and detail not in _DETAILS:
        raise InvalidImage(f"detail is 'auto', 'low' or 'high'; got {detail!r}")
    if isinstance(data, str):
        url = _checked_url(data, media_type)
    else:
        raw = _bytes(data)
        kind = _checked_kind(raw, media_type)
        url = f"data:{kind};base64,{b64encode(raw).decode()}"
    return ContentPart(
        type="input_image", image_url=url, detail=UNSET if detail is None else detail
    )


def user_image(
    data: bytes | bytearray | memoryview | str,
    text: str | None = None,
    *,
    media_type: str | None = None,
    detail: str | None = None,
) -> MessageItem:
    """Return a user's message with a picture, and before it what is said about it.

    `data`, `media_type`, `detail` and what is raised are as for `image_part`.
    """
    picture = image_part(data, media_type=media_type, detail=detail)
    said = (ContentPart(type="input_text", text=text),) if text else ()
    return MessageItem(role="user", content=(*said, picture))


def _bytes(data: bytes | bytearray | memoryview) -> bytes:
    try:
        view = memoryview(data)
    except TypeError:
        name = type(data).__name__
        raise InvalidImage(f"a picture is the bytes of a file, or a URL; got {name}") from None
    if view.nbytes > MAX_IMAGE:
        raise InvalidImage(f"a picture of {view.nbytes:,} bytes; at most {MAX_IMAGE:,} fit")
    if not view.nbytes:
        raise InvalidImage("an empty picture")
    return view.tobytes()


def _checked_kind(raw: bytes, media_type: str | None) -> str:
    """The media type of these bytes."""
    found = _named(raw, _MAGIC)
    if media_type is None:
        if found is None:
            other = _named(raw, _OTHERS) or f"bytes that begin with {raw[:8]!r}"
            raise InvalidImage(f"a picture is a PNG or a JPEG; this is {other}")
        return found
    kind = media_type.lower()
    if not _MEDIA_TYPE.fullmatch(kind):
        raise InvalidImage(f"media_type is image/png or another image/...; got {media_type!r}")
    if found != kind and (found is not None or kind in _MAGIC.values()):
        raise InvalidImage(f"these bytes are no {kind}" + (f" but {found}" if found else ""))
    return kind


def _checked_url(url: str, media_type: str | None) -> str:
    if not _URL.match(url):
        # Not quoted in full: what is no URL may be a whole file.
        raise InvalidImage(
            f"text must be a data:image/... or https: URL, read a file as bytes; got {url[:40]!r}"
        )
    if media_type is not None:
        raise InvalidImage("media_type is for bytes; a URL says it by itself")
    if len(url) > MAX_URL:
        raise InvalidImage(f"a URL of {len(url):,} characters; at most {MAX_URL:,} fit")
    return url


def _named(raw: bytes, table: Mapping[bytes, str]) -> str | None:
    return next((name for magic, name in table.items() if raw.startswith(magic)), None)
