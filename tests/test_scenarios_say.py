"""R16 and R19: what is said is what is heard, and what is not to be remembered is not.

What was said is read from the audio. Whether it stayed out of the conversation is looked at on
both sides of the wire, by one checker; and because a checker that cannot fail shows nothing,
either side is broken on purpose, and the checker has to find it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from realtime_client import Client, Dialect, Endpoint, Response, Said, Spoken, events, tool
from realtime_client.audio import WireFormat
from realtime_client.conversation import Conversation
from realtime_client.errors import NotSupported, ResponseRejected, WouldDeadlock
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    listen,
    serve,
)
from realtime_client.simulator.generation import Generation
from realtime_client.simulator.items import Entry
from tests.scenarios import connected, plain

TEXT = "Your call is recorded for the quality of our service."
OUTSIDE = Dialect("no responses out of band", out_of_band=False)


def policy(**habits: Any) -> SimulatorPolicy:
    return SimulatorPolicy(pace="fast", **habits)


# -- what was said: by ear ----------------------------------------------------------------------


async def heard(speaking: Spoken | Response) -> str | None:
    """What a response says, read from its audio; None where there is nothing to hear."""
    audio = b"".join([chunk async for chunk in speaking.audio])
    wire = WireFormat.from_wire(speaking.audio_format)
    return listen(wire.decode(audio), wire.rate).text


async def check_said_aloud(speaking: Spoken | Response, text: str) -> None:
    """A `say` says its text: not that bytes came, but which words they sound."""
    aloud = await heard(speaking)
    assert aloud == text, f"asked for {text!r}, heard {aloud!r}"


# -- the conversation: on both sides ------------------------------------------------------------


class Sides(NamedTuple):
    """The conversation as the server has it and as the client sees it, item by item."""

    server: list[Any]
    client: list[Any]


async def look(client: Client, session: SimulatedSession) -> Sides:
    """Both sides, once everything that the server has said until now has arrived."""
    await client.input_audio_buffer.clear()
    server = [plain(item) for item in session.conversation.items]
    return Sides(server, [plain(item) for item in client.conversation.items])


def check_memory(before: Sides, after: Sides, text: str | None) -> None:
    """Both sides have exactly what they had, and one message that says `text` if that is given."""
    for side in Sides._fields:
        old, new = getattr(before, side), getattr(after, side)
        assert new[: len(old)] == old, f"the {side} has changed what it had"
        more = [(one["type"], one["role"], transcripts(one)) for one in new[len(old) :]]
        expected = [] if text is None else [("message", "assistant", [text])]
        assert more == expected, f"the {side} has {more}, should have {expected} more"
    assert ids(after.server) == ids(after.client)


def transcripts(item: Any) -> list[Any]:
    return [part.get("transcript") for part in item["content"]]


def ids(items: list[Any]) -> list[str]:
    return [item["id"] for item in items]


Saying = Callable[[Client, str], Awaitable[Spoken | Response]]


async def remembered(client: Client, text: str) -> Spoken:
    return await client.say(text)


async def ephemeral(client: Client, text: str) -> Spoken:
    return await client.say(text, remember=False)


async def as_an_item(client: Client, text: str) -> Response:
    """How a public attempt did it: the text as an assistant item of the input."""
    return await client.response.create(
        conversation="none",
        input=[events.assistant_message(text)],
        output_modalities=["audio"],
        tools=[],
        tool_choice="none",
    )


async def memory_of(
    saying: Saying,
    client: Client,
    session: SimulatedSession,
    tampering: Callable[[], None] = lambda: None,
) -> tuple[Sides, Sides]:
    """Both sides before and after something is said, in a conversation that is not empty."""
    await client.send_text("Hello.")
    await (await client.response.create()).done()
    before = await look(client, session)
    assert len(before.server) == len(before.client) == 2
    await (await saying(client, TEXT)).done()
    tampering()
    return before, await look(client, session)


# -- R16: said word for word, as far as it was --------------------------------------------------


@pytest.mark.parametrize("saying", [remembered, ephemeral])
@pytest.mark.parametrize("output_format", ["audio/pcm", "audio/pcmu"])
async def test_R16_a_text_is_said_aloud_word_for_word(saying: Saying, output_format: str) -> None:
    async with connected(policy(), output_format=output_format) as (client, _):
        for text in (TEXT, "Grüße, {text}: 5 % – „ja“!", "请注意，通话将被录音。"):
            spoken = await saying(client, text)
            assert isinstance(spoken, Spoken)
            await check_said_aloud(spoken, text)
            said = await spoken.done()
            assert (said.transcript, said.match, said.exact) == (text, 1.0, True)
            assert said.resource.status == "completed"


async def test_R16_an_item_of_the_input_is_not_said() -> None:
    async with connected(policy()) as (client, _):
        await client.send_text("Hello.")
        by_item = await as_an_item(client, TEXT)
        with pytest.raises(AssertionError, match="heard 'Nobody has said anything"):
            await check_said_aloud(by_item, TEXT)
        assert (await by_item.done()).status == "completed"  # and bytes came, as they did there
        await check_said_aloud(await client.say(TEXT), TEXT)


@pytest.mark.parametrize("remember", [True, False])
async def test_R16_the_match_tells_what_became_of_it(remember: bool) -> None:
    results: dict[str, Said] = {}
    for habit in ("verbatim", "paraphrase", "refusal", "tool_call"):
        async with connected(policy(say_exactly=habit)) as (client, _):
            spoken = await client.say(TEXT, remember=remember)
            aloud = await heard(spoken)
            results[habit] = said = await spoken.done()
            assert said.transcript == (aloud or ""), "the transcript is what is heard"
            assert said.exact is (habit == "verbatim")
    assert results["verbatim"].match == 1.0
    assert 0.2 < results["paraphrase"].match < 0.8
    assert results["refusal"].match < 0.2
    assert results["refusal"].transcript
    assert (results["tool_call"].match, results["tool_call"].transcript) == (0.0, "")
    (call,) = results["tool_call"].resource.output or ()
    assert isinstance(call, events.FunctionCallItem)


async def test_R16_written_words_are_not_said() -> None:
    def write(event: events.ServerEvent) -> Sequence[events.ServerEvent]:
        """What was spoken comes as text, and no sound comes."""
        if isinstance(event, events.ResponseOutputAudioTranscriptDelta):
            text = events.ResponseOutputTextDelta(
                response_id=event.response_id, item_id=event.item_id, delta=event.delta
            )
            return [text]
        if isinstance(event, events.ResponseDone):
            return [replace(event, response=replace(event.response, output=()))]
        other = event.type.startswith("response.") and event.type != "response.created"
        return [] if other else [event]

    async with connected(policy(tamper=write)) as (client, _):
        spoken = await client.say(TEXT)
        assert await heard(spoken) is None
        said = await spoken.done()
        assert (said.transcript, said.match, said.exact) == ("", 0.0, False)
        assert spoken.response.transcript == TEXT


async def test_R16_one_that_is_cut_off_has_said_less() -> None:
    async with connected(SimulatorPolicy(pace="realtime")) as (client, session):
        spoken = await client.say(TEXT)
        async for _ in spoken.audio:
            break
        await spoken.cancel()
        said = await spoken.done()
        assert said.resource.status == spoken.status == "cancelled"
        assert TEXT.startswith(said.transcript)
        assert 0.0 <= said.match < 1.0
        assert not session.responses.speaking


async def test_R16_a_function_may_say_something_beside_the_conversation_only() -> None:
    said: list[Said] = []

    @tool
    async def announce() -> str:
        """Tell the caller about the recording."""
        with pytest.raises(WouldDeadlock):
            await client.say(TEXT)
        said.append(await (await client.say(TEXT, remember=False)).done())
        return "It was said."

    def brain(question: Question) -> Answer:
        return [Say("Done.")] if question.source == "tool" else [CallFunction("announce", {})]

    async with connected(policy(), brain, tools=[announce]) as (client, _):
        await client.send_text("Tell me.")
        response = await client.response.create()
        following = await response.follow_up()
        assert following is not None
        assert await heard(following) == "Done."
        assert [one.exact for one in said] == [True]


# -- R16: an ephemeral one leaves no trace, on neither side -------------------------------------


@pytest.mark.parametrize("habit", ["verbatim", "paraphrase", "refusal", "tool_call"])
@pytest.mark.parametrize("item_events", [False, True])
async def test_R16_an_ephemeral_one_leaves_both_sides_as_they_were(
    item_events: bool, habit: Any
) -> None:
    """The negative control, whether or not the server announces the items of such responses."""
    habits = policy(out_of_band_item_events=item_events, say_exactly=habit)
    async with connected(habits) as (client, session):
        seen = client.events()
        before, after = await memory_of(ephemeral, client, session)
        check_memory(before, after, None)
        with pytest.raises(AssertionError, match="should have"):
            check_memory(before, after, TEXT)
        types = [frame.type for frame in seen._items]
        assert types.count("conversation.item.added") == (3 if item_events else 2)
        assert types.count("response.done") == 2


async def test_R16_a_remembered_one_is_one_item_on_both_sides() -> None:
    """The positive control: what has to be seen where it is wanted can be seen."""
    async with connected(policy()) as (client, session):
        before, after = await memory_of(remembered, client, session)
        check_memory(before, after, TEXT)
        with pytest.raises(AssertionError, match="the server has"):
            check_memory(before, after, None)


async def test_R16_what_follows_knows_of_the_one_and_not_of_the_other() -> None:
    """The third witness: what the model sees when it is asked next."""
    async with connected(policy()) as (client, session):
        await (await client.say("Not this.", remember=False)).done()
        await (await client.say(TEXT)).done()
        await client.send_text("What did you say?")
        await (await client.response.create()).done()
        known = [transcripts(plain(item)) for item in session.conversation.items]
        assert known == [[TEXT], [None], ["You said: What did you say?"]]


# -- R16: and where either side is broken, it is found ------------------------------------------


@contextlib.contextmanager
def found(side: str) -> Iterator[None]:
    """The checker must object, and to this side."""
    with pytest.raises(AssertionError, match=f"the {side} has"):
        yield


async def test_R16_broken_server_that_remembers_in_secret() -> None:
    async with connected(policy()) as (client, session):

        def remember() -> None:
            slip_in(session, TEXT)

        before, after = await memory_of(ephemeral, client, session, remember)
        with found("server"):
            check_memory(before, after, None)
        assert after.client == before.client  # that side alone could not have told


async def test_R16_broken_server_that_takes_no_notice_of_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It generates the response inside the conversation, and announces it there as well."""
    inside: list[Any] = []

    def generation(*args: Any, **options: Any) -> Generation:
        inside.append(options["conversation"])
        return Generation(*args, **{**options, "conversation": inside[0]})

    monkeypatch.setattr("realtime_client.simulator.responses.Generation", generation)
    async with connected(policy()) as (client, session):
        before, after = await memory_of(ephemeral, client, session)
        assert [one is None for one in inside] == [False, True]
        with found("server"):
            check_memory(before, after, None)
        assert after.client == before.client


async def test_R16_broken_client_that_mirrors_what_is_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def let_in(mirror: Conversation, item_id: str) -> None:
        """What keeps such items out does nothing."""

    monkeypatch.setattr(Conversation, "keep_out", let_in)
    async with connected(policy(out_of_band_item_events=True)) as (client, session):
        before, after = await memory_of(ephemeral, client, session)
        with found("client"):
            check_memory(before, after, None)
        assert after.server == before.server


async def test_R16_broken_client_that_forgets_what_it_had() -> None:
    async with connected(policy()) as (client, session):

        def forget() -> None:
            mirror = client._open().protocol.conversation
            gone = events.ConversationItemDeleted(item_id=ids_of(client)[0])
            mirror.on_deleted(gone)

        before, after = await memory_of(ephemeral, client, session, forget)
        with found("client"):
            check_memory(before, after, None)


@pytest.mark.parametrize("side", ["server", "client"])
async def test_R16_broken_memory_of_a_remembered_one(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(policy()) as (client, session):

        def forget() -> None:
            last = ids_of(client)[-1]
            if side == "server":
                session.conversation.delete(last)
            else:
                mirror = client._open().protocol.conversation
                mirror.on_deleted(events.ConversationItemDeleted(item_id=last))

        before, after = await memory_of(remembered, client, session, forget)
        with found(side):
            check_memory(before, after, TEXT)


async def test_R16_an_item_of_the_input_fails_though_it_leaves_no_trace_either() -> None:
    """Silence in the conversation is not enough: the two checks are two."""
    async with connected(policy()) as (client, session):
        before, after = await memory_of(as_an_item, client, session)
        check_memory(before, after, None)
        with pytest.raises(AssertionError):
            await check_said_aloud(await as_an_item(client, TEXT), TEXT)


def slip_in(session: SimulatedSession, text: str) -> None:
    """Put an item into the server's conversation, and tell nobody."""
    session.conversation.append(Entry(replace(events.assistant_message(text), id="item_secret")))


def ids_of(client: Client) -> list[str]:
    return ids([plain(item) for item in client.conversation.items])


# -- R19: an endpoint that has no responses out of band -----------------------------------------


async def test_R19_an_ephemeral_one_is_refused_before_anything_is_sent() -> None:
    async with (
        serve(policy(out_of_band=False)) as server,
        Client(endpoint=Endpoint(server.url, dialect=OUTSIDE)) as client,
    ):
        session = server.sessions[0]
        await client.send_text("Hello.")
        before, sent = await look(client, session), client.sent()
        with pytest.raises(NotSupported, match="out"):
            await client.say(TEXT, remember=False)
        check_memory(before, await look(client, session), None)
        assert [frame.type for frame in sent._items] == ["input_audio_buffer.clear"]
        asked = [type(one) for one in session.received]
        assert events.ResponseCreate not in asked
        spoken = await client.say(TEXT)
        await check_said_aloud(spoken, TEXT)
        check_memory(before, await look(client, session), TEXT)


async def test_R19_where_only_the_server_knows_it_refuses_and_nothing_differs() -> None:
    async with connected(policy(out_of_band=False)) as (client, session):
        await client.send_text("Hello.")
        before = await look(client, session)
        with pytest.raises(ResponseRejected, match=r"response\.conversation"):
            await client.say(TEXT, remember=False)
        check_memory(before, await look(client, session), None)
        await (await client.say(TEXT)).done()
        check_memory(before, await look(client, session), TEXT)


async def test_R19_broken_endpoint_that_remembers_anyway() -> None:
    """What this is about: the server has the text, and the client thinks that it has not."""
    async with connected(policy()) as (client, session):

        async def degrade(client: Client, text: str) -> Spoken:
            spoken = await client.say(text, remember=False)
            slip_in(session, text)
            return spoken

        before, after = await memory_of(degrade, client, session)
        with found("server"):
            check_memory(before, after, None)
