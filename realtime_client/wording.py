"""How to ask for a text word for word, and how to tell what came of it.

A model cannot be made to say a text; it can be told to. What is documented is an instruction
that begins with `Say exactly the following:`. An assistant item given as input is context and
no script: the model does not speak it.

So what was said is compared with what was asked, as speech recognisers are: by the word error
rate, the least number of words that have to be substituted, deleted or inserted, divided by
the number of words asked for. Two spellings of the same sounds should not count as an error,
and a word that is missing should, so both texts are first reduced to their words::

    Unicode NFKC and case folding       Straße, STRASSE and Ｓtraße are one word
    invisible characters are dropped    soft hyphens, joiners, direction marks
    ’ ‘ and ʼ are the apostrophe '      which is kept inside a word: don't
    punctuation and symbols separate    well-known is well known, and "3.5" is "3 5"
    signs that are read out are words   % ‰ & @ # § ° + = × ÷, currencies, the - of -5
    a character that is written         Chinese, Japanese, Thai, Lao, Khmer, Burmese: one
    without spaces is a word by itself  word a line would make the rate all or nothing

So for Chinese this is the character error rate, for English the word error rate, and a
sentence in both needs no third rule. Nothing is interpreted: `5` is not `five`, and `1,000`
is not `1000`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from realtime_client.errors import UsageError

__all__ = ["SAY_EXACTLY", "exact", "instruction", "match", "words"]

SAY_EXACTLY: Final = "Say exactly the following: {text}"
"""The instruction that a text goes into. It is the documented one, and promises nothing."""

PLACEHOLDER: Final = "{text}"

_ONE_SPELLING: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "−": "-"})
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # how a character looks
_READ_OUT: Final = frozenset("%‰&@#§°+=×÷")
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese syllables and repetition marks
    "\u3100-\u312f\u31a0-\u31bf"  # Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Chinese characters
)

# A text is read twice: once as itself, once as one letter for the kind of each character.
# l letter, d digit, u a letter of a script without spaces, m a mark on the one before,
# a apostrophe, s a sign that is read out, n a minus where a digit follows, else a gap.
_WORD: Final = re.compile(
    r"um*"
    r"|[ld][ldm]*(?:a[ld][ldm]*)*"
    r"|s"
    r"|(?<![ldmu])n(?=d)"
)
_KINDS: Final = {"L": "l", "Nd": "d", "N": "l", "Mn": "m", "Mc": "m", "Sc": "s"}


def instruction(text: str, wording: str = SAY_EXACTLY) -> str:
    """Return the instruction to say `text`: `wording` with the text in place of `{text}`.

    Nothing else in the wording or in the text is special, braces least of all.

    Raises:
        UsageError: The wording has no `{text}`, or the text no word that could be said.
    """
    if PLACEHOLDER not in wording:
        raise UsageError(f"the wording has no {PLACEHOLDER} for what is to be said: {wording!r}")
    if not words(text):
        raise UsageError(f"there is no word in it that could be said: {text!r}")
    return wording.replace(PLACEHOLDER, text)


def match(asked: str, said: str) -> float:
    """Return how much of `asked` is in `said`: 1 minus the word error rate, within 0 to 1.

    1.0 is word for word, save what the module's normalisation drops. 0.0 is nothing in
    common, or so many words too many that they outnumber those asked for; also where either
    text has no words.
    """
    reference, hypothesis = words(asked), words(said)
    if not reference or not hypothesis:
        return 0.0
    import jiwer  # it is not needed to open a session, and so not loaded for that

    return max(0.0, 1.0 - jiwer.wer(" ".join(reference), " ".join(hypothesis)))


def exact(asked: str, said: str) -> bool:
    """Whether both are the same text to the letter, white space aside."""
    return asked.split() == said.split()


def words(text: str) -> list[str]:
    """Return the words of a text as `match` compares them."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = _SELECTORS.sub("", text.translate(_ONE_SPELLING))
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    kinds = "".join(map(_kind, text))
    return [text[found.start() : found.end()] for found in _WORD.finditer(kinds)]


def _kind(char: str) -> str:
    if char in _READ_OUT:
        return "s"
    if char == "-":
        return "n"
    if char == "'":
        return "a"
    category = unicodedata.category(char)
    kind = _KINDS.get(category) or _KINDS.get(category[0]) or " "
    return "u" if kind == "l" and _UNSPACED.match(char) else kind
