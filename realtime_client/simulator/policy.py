"""What a simulated server is like, as one frozen value.

Servers differ, and some of what OpenAI's does nobody has shown. Each such question is a
field here with both answers behind it, so that a test can ask for either; nothing in the
simulator decides an open question in silence. Defaults are what has been seen on the wire,
or the friendlier reading of the specification where nothing has.

All times are in seconds unless a name says otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from realtime_client.events import ServerEvent
from realtime_client.simulator.mishaps import Mishap

__all__ = ["Pace", "SayExactly", "SimulatorPolicy", "Tamper"]

Pace = Literal["realtime", "wire", "fast"]
"""How fast audio is sent: as it would be played, four times as fast, or all at once."""

SayExactly = Literal["verbatim", "paraphrase", "refusal", "tool_call", "brain"]
"""What a model does that is asked to say a text word for word."""

Tamper: TypeAlias = Callable[[ServerEvent], Sequence[ServerEvent]]
"""From an event, with its `event_id`, to what goes out in its place."""


@dataclass(frozen=True, kw_only=True)
class SimulatorPolicy:
    """The habits of one simulated server.

    Who may come in:

    - `api_keys`: the keys it accepts, from `Authorization: Bearer` or `api-key`; None accepts
      everybody. A bad or missing key still upgrades; then one `error` and close 3000.
    - `models`: the models it knows; None knows all. A bad or missing model closes with 4000.
    - `expires_after`: the length of a session. At its end `session_expired` and close 1001.
    - `keepalive`: how often it pings over a socket; a client that has not answered by the next
      ping is closed with 1011. None does not ping.

    How fast it is:

    - `pace`: of the audio deltas. `realtime` sends each when it would start to play, `wire`
      four times as fast (what real servers do), `fast` everything at once.
    - `created_after`: from the request to `response.created`. In between, a cancel finds
      nothing to cancel and the response is created anyway.
    - `begin_together`: responses that were asked for wait, before `response.created`, until
      there are this many; then all begin in one moment, and at the pace `fast` too their
      deltas alternate, one of each in turn. The one response of the default conversation
      counts among them; what is left over waits for more.
    - `transcription_after`: from the end of a turn to the transcription of it.
    - `late_commit_error`: how late the refusal of a commit arrives; about 1 on the real wire,
      after the acknowledgements of later events.
    - `late_error`: the same for the refusal of a `session.update`. Nobody has seen it for
      updates, and nobody knows that it does not happen.
    - `update_after`: from a `session.update` to its `session.updated`, which shows the session
      as it was when the update was applied.

    What its model does:

    - `say_exactly`: when the instructions of a response begin with "Say exactly the
      following:", the text after it is said (`verbatim`), said in other words (`paraphrase`),
      or not said: a sentence that refuses (`refusal`), or the call of a function
      (`tool_call`: the first of the request's tools, else of the session's, else `lookup`).
      With `brain` that is left to the brain, which is not asked otherwise. An item in the
      `input` of a response is context: nothing is ever said because of it.

    What it does where servers differ, or where nobody knows:

    - `out_of_band`: whether there are responses outside the conversation. Without them
      `conversation: "none"` is refused with `invalid_value`.
    - `echoes_metadata`: without it no response has `metadata`, as on xAI.
    - `deltas_after_cancel`: how many more deltas were in flight when a response was cancelled
      (14 have been logged).
    - `no_answer`: which `session.update` events of a session get no answer, by their number
      from 1 on. They are applied, or discarded, like any other.
    - `ignored_fields`: dotted paths such as `audio.output.speed` that an update may name and
      that it does not take.
    - `fastest`: a speed above this one is taken as this one.
    - `refill_defaults`: an incomplete `turn_detection` or `transcription` is filled up from
      the defaults, as Voice Live does, and not from the current value.
    - `empty_instructions`: what `instructions: ""` does. `default` puts the server's own back
      (OpenAI's echo on a new session), `clear` empties them (the specification).
    - `duplicate_item_id`: creating an item under an id that exists is refused, or accepted,
      and then replaces the old one in its place.
    - `out_of_band_item_events`: whether `conversation.item.added` and `.done` are sent for the
      items of a response outside the conversation.
    - `mute_after_bad_truncate`: after a truncate beyond the end of the audio the session
      answers no more, as some real ones do.
    - `rate_limits`: whether `rate_limits.updated`, of tokens alone, follows `response.done`.
    - `transcribes_items`: whether audio that a client puts into the conversation as an item is
      written down as the audio of a turn is. It is heard in any case.
    - `pcm_rates`: the sample rates of `audio/pcm` that it accepts, in hertz. OpenAI's knows
      24,000 alone; others also 16,000.

    What is wrong with it:

    - `mishaps`: what goes wrong with its first connections, one after the other, None being
      nothing; all later ones are well, or with `mishaps_repeat` it begins again. A server
      that is down for a moment, and one that hangs up on everybody after two seconds::

          SimulatorPolicy(mishaps=(None, Refuse(503), Drop(upgrade=False)))
          SimulatorPolicy(mishaps=(Drop(after=2.0),), mishaps_repeat=True)

    - `transcription_fails`: every transcription ends with `...transcription.failed` and no
      word of it. What the model hears is not touched.
    - `tamper`: is asked about every event, after it got its `event_id`, and returns what goes
      out in its place: nothing, itself, itself twice (a true duplicate, with one id), another
      event, or one that it held back before. An event without an id gets one. What the server
      itself knows does not change by it. All sessions of a server share the function. Here
      the end of a response overtakes its beginning::

          held: list[ServerEvent] = []

          def end_before_beginning(event: ServerEvent) -> Sequence[ServerEvent]:
              if isinstance(event, ResponseCreated):
                  held.append(event)
                  return []
              if isinstance(event, ResponseDone):
                  return [event, held.pop()]
              return [event]

    What it keeps for whoever looks at it:

    - `keep_received`: how many of the client's events it remembers.
    """

    api_keys: frozenset[str] | None = None
    models: frozenset[str] | None = None
    expires_after: float = 3600.0
    keepalive: float | None = 20.0

    pace: Pace = "wire"
    created_after: float = 0.0
    begin_together: int = 1
    transcription_after: float = 0.0
    late_commit_error: float = 0.0
    late_error: float = 0.0
    update_after: float = 0.0

    say_exactly: SayExactly = "verbatim"

    out_of_band: bool = True
    echoes_metadata: bool = True
    deltas_after_cancel: int = 2
    no_answer: frozenset[int] = frozenset()
    ignored_fields: frozenset[str] = frozenset()
    fastest: float = 1.5
    refill_defaults: bool = False
    empty_instructions: Literal["default", "clear"] = "default"
    duplicate_item_id: Literal["reject", "accept"] = "reject"
    out_of_band_item_events: bool = False
    mute_after_bad_truncate: bool = False
    rate_limits: bool = False
    transcribes_items: bool = True
    pcm_rates: tuple[int, ...] = (24_000,)

    mishaps: tuple[Mishap | None, ...] = ()
    mishaps_repeat: bool = False
    transcription_fails: bool = False
    tamper: Tamper | None = None

    keep_received: int = 10_000

    @property
    def slowness(self) -> float:
        """Seconds between deltas for each second of their playing time."""
        return {"realtime": 1.0, "wire": 0.25, "fast": 0.0}[self.pace]
