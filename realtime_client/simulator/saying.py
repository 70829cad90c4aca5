"""Being asked to say a text word for word, and what a model makes of it.

"Say exactly the following: ..." in the instructions is the documented way to ask, and it is a
request and no command: models keep to the words, put them in their own, refuse, or do something
else. A client that reports what was said has to be seen with each of these, so each is here as
a function of the text alone. An item in the `input` of a response never asks for anything: "the
item is context, not a script".

A paraphrase is not meant to be good English. It is meant to be the same every time, and to be
told from the text by the words that differ: every second word is another one.
"""

import re

__all__ = ["SAY_EXACTLY", "paraphrase", "refusal", "text_to_say"]

SAY_EXACTLY = "Say exactly the following:"

_OTHER_WORDS = {
    "a": "one",
    "and": "plus",
    "are": "get",
    "call": "conversation",
    "for": "towards",
    "hello": "greetings",
    "is": "gets",
    "of": "from",
    "recorded": "taped",
    "the": "that",
    "to": "towards",
    "you": "everybody",
    "your": "this",
}
_ANY_WORD = ("something", "anything")

_REFUSALS = (
    "Sorry, I can't help with that.",
    "Unfortunately, no.",
    "Nope.",
)


def text_to_say(instructions: str) -> str | None:
    """Return the text that instructions ask to be said word for word; None if they do not."""
    if not instructions.startswith(SAY_EXACTLY):
        return None
    return instructions.removeprefix(SAY_EXACTLY).strip()


def paraphrase(text: str) -> str:
    """Return the text with every second word replaced, the first one kept.

    So of two words or more some stay and some differ. A single word is cut in half, which a
    word error rate takes for another word and a character error rate does not.
    """
    pieces = re.split(r"(\s+)", text)
    places = [i for i, piece in enumerate(pieces) if any(map(str.isalnum, piece))]
    if not places:
        return _ANY_WORD[0]
    if len(places) == 1:
        before, word, after = _bare(text)
        return before + (word[: len(word) // 2] or _ANY_WORD[0]) + after
    for i in places[1::2]:
        before, word, after = _bare(pieces[i])
        pieces[i] = before + _other(word) + after
    return "".join(pieces)


def refusal(text: str) -> str:
    """Return a sentence that refuses, the one that shares the fewest words with the text."""
    asked = _words(text)
    return min(_REFUSALS, key=lambda sentence: len(asked & _words(sentence)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _other(word: str) -> str:
    lower = word.casefold()
    other = _OTHER_WORDS.get(lower) or next(one for one in _ANY_WORD if one != lower)
    return other.capitalize() if word[0].isupper() else other


def _bare(piece: str) -> tuple[str, str, str]:
    """Return a word apart from the punctuation before and after it."""
    letters = [i for i, letter in enumerate(piece) if letter.isalnum()]
    first, end = letters[0], letters[-1] + 1
    return piece[:first], piece[first:end], piece[end:]
