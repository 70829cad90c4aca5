"""Which responses are running, and when each says its next word.

The default conversation has one response at a time; asking for a second is refused. Outside
it any number run beside it and beside each other. A response occupies the conversation from
the request on, but it can be cancelled only once it was created: "cancelling before
`response.created` is a no-op error and the response is still created".

Responses that run at once take turns, one step each, because the agenda keeps the order of
what is due at the same time. With `SimulatorPolicy.begin_together` several begin in one moment
and so interleave delta by delta at any pace.
"""

from functools import partial

from realtime_client.events import Maybe, ResponseDone, ServerEvent, Usage
from realtime_client.simulator.brain import Answer, Brain, Question, said_exactly
from realtime_client.simulator.conversation import Conversation
from realtime_client.simulator.generation import Generation
from realtime_client.simulator.limits import rate_limits
from realtime_client.simulator.question import make_question
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.request import Request
from realtime_client.simulator.services import Services

__all__ = ["Responses"]


class Responses:
    """All responses of one session. Their events go to `emit` as they fall due."""

    def __init__(self, services: Services, brain: Brain, conversation: Conversation) -> None:
        self._services = services
        self._brain = brain
        self._conversation = conversation
        self._conversation_id = services.ids("conv")
        self._gathered: list[Request] = []  # until there are enough to begin together
        self._running: dict[str, Generation] = {}
        self._occupied = False  # by a response of the default conversation
        self.spoken = False  # whether any has sent audio
        self.muted = False  # answers no request any more

    @property
    def active(self) -> Generation | None:
        """The response of the default conversation, from `response.created` on."""
        running = self._running.values()
        return next((one for one in running if not one.request.out_of_band), None)

    @property
    def speaking(self) -> bool:
        """Whether any response is in progress."""
        return bool(self._running)

    def request(self, request: Request) -> None:
        """Begin a response, or raise `Refusal`."""
        if not request.out_of_band:
            self._refuse_second()
        if self.muted:
            return
        self._occupied = self._occupied or not request.out_of_band
        if delay := self._services.policy.created_after:
            self._services.agenda.after(delay, partial(self._gather, request))
        else:
            self._gather(request)

    def cancel(self, response_id: Maybe[str]) -> None:
        """Cancel by id, or the default conversation's; raise `Refusal` where there is none."""
        found = self._running.get(response_id) if isinstance(response_id, str) else self.active
        if found is None:
            raise Refusal(
                "response_cancel_not_active", "Cancellation failed: no active response found."
            )
        self._cancel(found, "client_cancelled")

    def interrupt(self) -> None:
        """Cancel what the user has started to speak over, if anything."""
        if self.active is not None:
            self._cancel(self.active, "turn_detected")

    def _refuse_second(self) -> None:
        if self._occupied:
            name = f": {self.active.id}" if self.active is not None else ""
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress{name}. "
                "Wait until the response is finished before creating a new one.",
            )

    def _gather(self, request: Request) -> None:
        self._gathered.append(request)
        if len(self._gathered) >= self._services.policy.begin_together:
            together, self._gathered = self._gathered, []
            for one in together:
                self._begin(one)

    def _begin(self, request: Request) -> None:
        context = request.context
        if context is None:
            context = self._conversation.entries
        question = make_question(
            context,
            instructions=request.instructions,
            tools=request.tools,
            metadata=request.metadata,
            out_of_band=request.out_of_band,
        )
        outside = request.out_of_band
        generation = Generation(
            request,
            self._answer(question, request),
            context,
            ids=self._services.ids,
            conversation=None if outside else self._conversation,
            conversation_id=None if outside else self._conversation_id,
            policy=self._services.policy,
            start=self._services.agenda.now,
        )
        self._running[generation.id] = generation
        self._services.emit(generation.created())
        self._plan(generation)

    def _answer(self, question: Question, request: Request) -> Answer:
        habit = self._services.policy.say_exactly
        said = said_exactly(question.instructions, habit, request.known_tools)
        return self._brain(question) if said is None else said

    def _plan(self, generation: Generation) -> None:
        due = generation.next_due
        if due is not None:
            self._services.agenda.at(due, partial(self._step, generation))

    def _step(self, generation: Generation) -> None:
        if generation.done:  # it was cancelled meanwhile
            return
        self._say(generation, generation.step())
        self._plan(generation)

    def _cancel(self, generation: Generation, reason: str) -> None:
        in_flight = self._services.policy.deltas_after_cancel
        self._say(generation, generation.cancel(reason, in_flight=in_flight))

    def _say(self, generation: Generation, events: list[ServerEvent]) -> None:
        for event in events:
            self._services.emit(event)
            if isinstance(event, ResponseDone) and self._services.policy.rate_limits:
                self._services.emit(rate_limits(event.response.usage or Usage()))
        self.spoken = self.spoken or generation.spoken
        if generation.done:
            del self._running[generation.id]
            self._occupied = self._occupied and generation.request.out_of_band
