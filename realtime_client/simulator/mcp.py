"""Calls of MCP tools, which the server makes itself, and the question whether it may.

A call grows like a function call and is then carried out: `response.mcp_call.in_progress`,
and `completed` or `failed`, which have no `response_id`. Its item carries what came of it.
One that was cut off while its arguments were written is not carried out at all.

A call that needs approval becomes an item that asks, and the response ends there. The client
answers by creating an item; what the model makes of that is the next response's business.
"""

from collections.abc import Sequence

from realtime_client.events import (
    McpApprovalRequestItem,
    McpCallError,
    McpCallItem,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
    ServerEvent,
)
from realtime_client.simulator.brain import CallMcp
from realtime_client.simulator.items import Entry
from realtime_client.simulator.place import Place
from realtime_client.simulator.question import text_tokens
from realtime_client.simulator.speech import Piece, TextPiece, padding, written

__all__ = ["make_mcp_output"]


def make_mcp_output(call: CallMcp, place: Place) -> "_Call | _Approval":
    """Return the item that a call becomes: itself, or the question whether it may be made."""
    return _Approval(place, call) if call.approval else _Call(place, call)


class _Call:
    """A call that is carried out as soon as its arguments are written."""

    text_only = False

    def __init__(self, place: Place, call: CallMcp) -> None:
        self.place = place
        self.pieces: Sequence[Piece] = written(call.arguments_text)
        self.seconds = self.pieces[-1].at if self.pieces else 0.0
        self._call = call
        self._arguments = ""

    def entry(self, status: str) -> Entry:
        call, error = self._call, self._call.error
        if isinstance(error, str):
            error = McpCallError(type="tool_execution_error", message=error)
        carried_out = status == "completed"
        return Entry(
            McpCallItem(
                id=self.place.item_id,
                server_label=call.server_label,
                name=call.name,
                arguments=self._arguments,
                approval_request_id=call.approval_request_id,
                output=call.output if carried_out and error is None else None,
                error=error if carried_out else None,
            )
        )

    def opening(self) -> list[ServerEvent]:
        return []

    def grow(self, piece: Piece) -> ServerEvent:
        assert isinstance(piece, TextPiece)
        self._arguments += piece.text
        return ResponseMcpCallArgumentsDelta(
            **self.place.item, delta=piece.text, obfuscation=padding(piece.text)
        )

    def closing(self) -> list[ServerEvent]:
        done = ResponseMcpCallArgumentsDone(**self.place.item, arguments=self._arguments)
        if self._arguments != self._call.arguments_text:
            return [done]
        item_id, index = self.place.item_id, self.place.output_index
        ended = ResponseMcpCallCompleted if self._call.error is None else ResponseMcpCallFailed
        return [
            done,
            ResponseMcpCallInProgress(item_id=item_id, output_index=index),
            ended(item_id=item_id, output_index=index),
        ]

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        more = piece.text if isinstance(piece, TextPiece) else ""
        return text_tokens(self._arguments + more), 0


class _Approval:
    """The question whether a call may be made. It comes whole."""

    text_only = False

    def __init__(self, place: Place, call: CallMcp) -> None:
        self.place = place
        self.pieces: Sequence[Piece] = ()
        self.seconds = 0.0
        self._call = call

    def entry(self, status: str) -> Entry:
        return Entry(
            McpApprovalRequestItem(
                id=self.place.item_id,
                server_label=self._call.server_label,
                name=self._call.name,
                arguments=self._call.arguments_text,
            )
        )

    def opening(self) -> list[ServerEvent]:
        return []

    def grow(self, piece: Piece) -> ServerEvent:
        raise AssertionError("an approval request has no pieces")

    def closing(self) -> list[ServerEvent]:
        return []

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        return text_tokens(self._call.arguments_text), 0
