"""Conversation items: what the parties said, called and were answered.

A conversation is a list of items, and the same shapes travel both ways: a client creates
them, a server adds its own. Servers leave out more than the specification admits (xAI sends
messages without `content`, OpenAI sends no `object`, a `function_call_output` comes back
without `status`), so everything is optional here that an item can be understood without.

Content parts are one wide struct rather than one struct for each kind. Their `type` does not
decide their shape reliably: a part of a response says `text` or `audio` where the finished
item says `output_text` or `output_audio` (both seen on the wire), and every kind uses a
subset of the same few names.
"""

from typing import Any, TypeAlias

from realtime_client.events.base import UNSET, Maybe, Tagged, UnknownVariant, Wire

__all__ = [
    "ContentPart",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "Item",
    "ItemReference",
    "McpApprovalRequestItem",
    "McpApprovalResponseItem",
    "McpCallError",
    "McpCallItem",
    "McpListToolsItem",
    "McpToolInfo",
    "MessageItem",
    "assistant_message",
    "system_message",
    "user_message",
]


class ContentPart(Wire, frozen=True, kw_only=True):
    """One part of a message: text, audio or an image.

    `type` is `input_text`, `input_audio` or `input_image` from a user, `input_text` from
    the system, `output_text` or `output_audio` from the assistant; in `content_part` events
    it is `text` or `audio` (seen on the wire).

    - `text`: of a text part; at most 256,000 characters.
    - `audio`: base64 text, in the session's format. Only `conversation.item.retrieved`
      brings it from the server.
    - `transcript`: of an audio part; null until it is known.
    - `image_url`: a `data:` URL of a PNG or JPEG image; `detail` is `auto`, `low` or `high`.
    - `format`: of retrieved audio, such as `pcm16` (in the specification's example).
    """

    type: Maybe[str] = UNSET
    text: Maybe[str] = UNSET
    audio: Maybe[str] = UNSET
    transcript: Maybe[str] = UNSET
    image_url: Maybe[str] = UNSET
    detail: Maybe[str] = UNSET
    format: Maybe[str] = UNSET


class MessageItem(Tagged, frozen=True, kw_only=True, tag="message"):
    """Something said by the `user`, the `assistant` or the `system` (`role`).

    `status` is `in_progress`, `completed` or `incomplete`; `object` is `realtime.item`
    where it is sent at all. A client may choose the `id`, at most 32 characters. The
    specification requires `content`; xAI announces messages without it (seen on the wire).
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    role: str
    content: Maybe[tuple[ContentPart, ...]] = UNSET


class FunctionCallItem(Tagged, frozen=True, kw_only=True, tag="function_call"):
    """The model calls a function; `arguments` is JSON text, empty or cut short until `done`.

    Dispatch it only when its status is `completed`: a cancelled response delivers calls
    with status `incomplete` and half of their arguments (seen on the wire).
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    call_id: Maybe[str] = UNSET
    name: str
    arguments: Maybe[str] = UNSET


class FunctionCallOutputItem(Tagged, frozen=True, kw_only=True, tag="function_call_output"):
    """What a function returned, as free text; `call_id` names the call it answers.

    The server echoes it without `status` (seen on the wire).
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    call_id: str
    output: str


class McpToolInfo(Wire, frozen=True, kw_only=True):
    """One tool that an MCP server offers; `input_schema` is its JSON schema."""

    name: str
    description: Maybe[str] = UNSET
    input_schema: Maybe[Any] = UNSET
    annotations: Maybe[Any] = UNSET


class McpListToolsItem(Tagged, frozen=True, kw_only=True, tag="mcp_list_tools"):
    """The tools of the MCP server `server_label`; sent by the server when it has them."""

    id: Maybe[str] = UNSET
    server_label: Maybe[str] = UNSET
    tools: Maybe[tuple[McpToolInfo, ...]] = UNSET


class McpCallError(Wire, frozen=True, kw_only=True):
    """Why an MCP call failed.

    `type` is `protocol_error`, `tool_execution_error` or `http_error`; the first and the
    last have a numeric `code`.
    """

    type: Maybe[str] = UNSET
    code: Maybe[int] = UNSET
    message: Maybe[str] = UNSET


class McpCallItem(Tagged, frozen=True, kw_only=True, tag="mcp_call"):
    """The model called a tool of an MCP server, and the server ran it.

    `arguments` is JSON text; of `output` and `error` one is filled when it has ended.
    """

    id: Maybe[str] = UNSET
    server_label: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    arguments: Maybe[str] = UNSET
    approval_request_id: Maybe[str] = UNSET
    output: Maybe[str] = UNSET
    error: Maybe[McpCallError] = UNSET


class McpApprovalRequestItem(Tagged, frozen=True, kw_only=True, tag="mcp_approval_request"):
    """The model asks before it calls an MCP tool; answer with a `McpApprovalResponseItem`."""

    id: Maybe[str] = UNSET
    server_label: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    arguments: Maybe[str] = UNSET


class McpApprovalResponseItem(Tagged, frozen=True, kw_only=True, tag="mcp_approval_response"):
    """The answer to a `McpApprovalRequestItem`; the specification requires an `id` of its own."""

    id: Maybe[str] = UNSET
    approval_request_id: str
    approve: bool
    reason: Maybe[str] = UNSET


class ItemReference(Tagged, frozen=True, kw_only=True, tag="item_reference"):
    """An item of the conversation named by its `id`; valid in `response.input` only."""

    id: str


Item: TypeAlias = (
    MessageItem
    | FunctionCallItem
    | FunctionCallOutputItem
    | McpListToolsItem
    | McpCallItem
    | McpApprovalRequestItem
    | McpApprovalResponseItem
    | ItemReference
    | UnknownVariant
)
"""Any conversation item; one of a kind that we do not know is an `UnknownVariant`."""


def user_message(text: str) -> MessageItem:
    """Return a user's message with one text part."""
    return MessageItem(role="user", content=(ContentPart(type="input_text", text=text),))


def system_message(text: str) -> MessageItem:
    """Return a system message with one text part, which the model reads as instructions."""
    return MessageItem(role="system", content=(ContentPart(type="input_text", text=text),))


def assistant_message(text: str) -> MessageItem:
    """Return an assistant's message with one text part, as if the model had written it."""
    return MessageItem(role="assistant", content=(ContentPart(type="output_text", text=text),))
