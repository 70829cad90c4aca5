"""What the server does with what the user says.

Audio goes into the buffer; a turn ends because the voice activity detection says so or
because the client commits. Either way the turn becomes a user's message, and its words are
heard at once, for the brain. Turn detection alone then asks for a response, and alone
interrupts one; which of the two it may do are two separate settings.

Transcription starts when the message is there and takes its own time, one delta after the
other, between whatever else the session is saying.
"""

from collections import deque
from functools import partial

from msgspec.structs import replace

from realtime_client.events import (
    ContentPart,
    ConversationItemAdded,
    ConversationItemDone,
    InputAudioBufferAppend,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    MessageItem,
    SemanticVad,
    ServerVad,
)
from realtime_client.simulator.buffer import InputBuffer, Turn, TurnEnded, TurnStarted
from realtime_client.simulator.conversation import Conversation
from realtime_client.simulator.items import Entry, hear
from realtime_client.simulator.reader import Heard, listen
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.request import default_request
from realtime_client.simulator.responses import Responses
from realtime_client.simulator.services import Services
from realtime_client.simulator.settings import Settings
from realtime_client.simulator.transcription import Completed, Delta, failed, transcribe

__all__ = ["Hearing"]

LARGEST_APPEND = 15 * 1024 * 1024  # bytes of audio


class Hearing:
    """The input side of one session. `heard` is what each turn said, in order.

    That is what came through the buffer. Audio that a client puts into the conversation as an
    item is no turn; what was heard in it is in its entry (`Conversation.told`).
    """

    def __init__(
        self,
        services: Services,
        settings: Settings,
        conversation: Conversation,
        responses: Responses,
    ) -> None:
        self._services = services
        self._settings = settings
        self._conversation = conversation
        self._responses = responses
        self._buffer = InputBuffer(settings.input_format, services.ids)
        self.heard: list[Heard] = []
        self.configure()

    @property
    def appended(self) -> int:
        """How many samples have been appended in all, whatever became of them."""
        return self._buffer.appended

    @property
    def _detection(self) -> ServerVad | SemanticVad | None:
        detection = self._settings.input.turn_detection
        return detection if isinstance(detection, ServerVad | SemanticVad) else None

    def configure(self) -> None:
        """Follow the session's settings after an accepted update."""
        self._buffer.configure(self._settings.input_format, self._detection)

    def append(self, event: InputAudioBufferAppend) -> None:
        """Take audio; answer only what the turn detection makes of it."""
        audio = event.audio
        if isinstance(audio, str):
            raise Refusal(
                "invalid_value", "Invalid 'audio': expected base64-encoded audio.", "audio"
            )
        if not audio:
            raise Refusal("invalid_value", "Invalid 'audio': expected some audio.", "audio")
        if len(audio) > LARGEST_APPEND:
            raise Refusal("invalid_value", "Invalid 'audio': more than 15 MiB.", "audio")
        for turn_event in self._buffer.append(audio):
            if isinstance(turn_event, TurnStarted):
                self._on_started(turn_event)
            else:
                self._on_ended(turn_event)

    def commit(self, event_id: str | None) -> None:
        """End the turn by hand. The refusal of it may come late, as on the real wire."""
        late = self._services.policy.late_commit_error
        try:
            turn = self._buffer.commit()
        except Refusal as refusal:
            if not late:
                raise
            error = refusal.event(event_id)
            self._services.agenda.after(late, partial(self._services.emit, error))
            return
        self._commit(turn)

    def clear(self) -> None:
        """Drop what was not committed."""
        self._buffer.clear()
        self._services.emit(InputAudioBufferCleared())

    def _on_started(self, started: TurnStarted) -> None:
        self._services.emit(
            InputAudioBufferSpeechStarted(
                item_id=started.item_id, audio_start_ms=started.audio_start_ms
            )
        )
        if self._detection is not None and self._detection.interrupt_response:
            self._responses.interrupt()

    def _on_ended(self, ended: TurnEnded) -> None:
        self._services.emit(
            InputAudioBufferSpeechStopped(
                item_id=ended.turn.item_id, audio_end_ms=ended.audio_end_ms
            )
        )
        self._commit(ended.turn)
        if self._detection is None or not self._detection.create_response:
            return
        try:
            self._responses.request(default_request(self._settings))
        except Refusal as refusal:
            # "If `interrupt_response` is set to `false` this may fail to create a response
            # if the model is already responding." No client event is to blame for it.
            self._services.emit(refusal.event(None))

    def _commit(self, turn: Turn) -> None:
        emit = self._services.emit
        heard = listen(turn.clip.samples, turn.clip.format.rate)
        self.heard.append(heard)
        item = MessageItem(
            id=turn.item_id,
            status="completed",
            role="user",
            content=(ContentPart(type="input_audio", transcript=None),),
        )
        previous = self._conversation.append(Entry(item, {0: turn.clip}, heard))
        emit(InputAudioBufferCommitted(previous_item_id=previous, item_id=turn.item_id))
        emit(ConversationItemAdded(previous_item_id=previous, item=item))
        emit(ConversationItemDone(previous_item_id=previous, item=item))
        self._transcribe(turn.item_id, heard)

    def write_down(self, entry: Entry) -> None:
        """Transcribe the audio of an item that a client has put into the conversation."""
        if self._services.policy.transcribes_items:
            for index, clip in entry.clips.items():
                heard = entry.heard if len(entry.clips) == 1 else hear({index: clip})
                assert heard is not None
                self._transcribe(entry.id, heard, index)

    def _transcribe(self, item_id: str, heard: Heard, index: int = 0) -> None:
        transcription = self._settings.input.transcription
        if not transcription:
            return
        delay = self._services.policy.transcription_after
        if self._services.policy.transcription_fails:
            event = failed(item_id, index)
            self._services.agenda.after(delay, partial(self._services.emit, event))
            return
        include = self._settings.session.include or ()
        events = deque(
            transcribe(
                item_id,
                index,
                heard,
                transcription,
                logprobs="item.input_audio_transcription.logprobs" in include,
            )
        )
        self._services.agenda.after(delay, partial(self._write, events))

    def _write(self, events: deque[Delta | Completed]) -> None:
        event = events.popleft()
        self._services.emit(event)
        if isinstance(event, Completed):
            self._remember(event)
        else:
            self._services.agenda.after(0, partial(self._write, events))

    def _remember(self, completed: Completed) -> None:
        """Put the transcript into the item, if it is still there."""
        entry = self._conversation.find(str(completed.item_id))
        if entry is None or not isinstance(entry.item, MessageItem):
            return
        written = ContentPart(type="input_audio", transcript=completed.transcript)
        content = tuple(
            written if i == completed.content_index and part.type == "input_audio" else part
            for i, part in enumerate(entry.item.content or ())
        )
        item = replace(entry.item, content=content)
        self._conversation.replace(Entry(item, entry.clips, entry.heard))
