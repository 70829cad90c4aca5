"""What counts as a word, how alike two texts are, and what the instruction is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.errors import UsageError
from realtime_client.wording import SAY_EXACTLY, exact, instruction, match, words

SENTENCE = "Your call is recorded for quality."

# -- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Your  call\tis\nrecorded.", "your call is recorded"),
        ("  ", ""),
        ("... -- ? 「」", ""),
        ("Straße STRASSE Ｓｔｒａßｅ", "strasse strasse strasse"),
        ("ΣΑΣ σας", "σασ σασ"),
        ("caf\u00e9 cafe\u0301", "caf\u00e9 caf\u00e9"),
        ("ﬁne №", "fine no"),
        ("co\u00adop \u200bzero\u200d \ufeffmark", "coop zero mark"),
        ("don't don’t don‘t donʼt", "don't don't don't don't"),
        ("'tis the dogs' 'n' it''s", "tis the dogs n it s"),
        ("l'été qu'on", "l'été qu'on"),
        ("5's 5'6", "5's 5'6"),
        ("well-known — yes, no; a/b (c) d_e", "well known yes no a b c d e"),
        ("3.5 1,000 ½", "3 5 1 000 1 2"),
        ("x2 4th", "x2 4th"),
        ("50% off & $3", "50 % off & $ 3"),
        ("me@a.b #1 §2 5‰ 3€", "me @ a b # 1 § 2 5 ‰ 3 €"),
        ("1+1=2 3×4÷5", "1 + 1 = 2 3 × 4 ÷ 5"),
        ("20°C 20℃", "20 ° c 20 ° c"),
        ("-5 −5 (-5", "- 5 - 5 - 5"),
        ("10-5 a-5 - 5 é-5 你-5", "10 5 a 5 5 é 5 你 5"),
        ("नी-5 दि", "नी 5 दि"),
        ("❤️ 👍🏽 ok", "ok"),
        ("1️⃣", "1"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("שָׁלוֹם עולם", "שָׁלוֹם עולם"),
        ("한국어 문장", "한국어 문장"),
        ("你好，世界 hello世界", "你 好 世 界 hello 世 界"),
        ("𠀋〇々", "𠀋 〇 々"),
        ("ﾊﾟｿｺﾝのデータ", "パ ソ コ ン の デ ー タ"),
        ("ㄅㄆ", "ㄅ ㄆ"),
        ("ดีมั้ย", "ดี มั้ ย"),
        ("ສະ", "ສ ະ"),
        ("မြန်မာ", "မြ န် မာ"),
        ("ខ្មែរ", "ខ្ មែ រ"),
        ("๑๒๓ ครับ", "๑๒๓ ค รั บ"),
    ],
)
def test_a_text_is_its_words(text: str, expected: str) -> None:
    assert words(text) == expected.split()


def test_a_mark_with_nothing_to_stand_on_is_no_word() -> None:
    assert words("\u0301 \u0301a") == ["a"]


@given(st.text())
def test_no_word_has_white_space_and_reading_them_again_changes_nothing(text: str) -> None:
    found = words(text)
    assert all(word and not re.search(r"\s", word) for word in found)
    again = " ".join(found)
    # A minus and its number have come apart, and a mark may have lost what it stood on.
    assert words(again) == words(" ".join(words(again)))
    assert [word for word in words(again) if word != "-"] == [w for w in found if w != "-"]


# -- match ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "expected"),
    [
        (SENTENCE, SENTENCE, 1.0),
        (SENTENCE, "your call is recorded for QUALITY", 1.0),
        ("a b c d", "a b c", 0.75),
        ("a b c d", "a x c d", 0.75),
        ("a b c d", "a b c d e", 0.75),
        ("a b c d", "a c b d", 0.5),
        ("a b", "x y", 0.0),
        ("a", "a b c d e", 0.0),
        ("a b c", "a and so on and so forth", 0.0),
        ("你好世界", "你好世间", 0.75),
        ("你好世界", "你好", 0.5),
        ("สวัสดี", "สวัสดี", 1.0),
        ("It costs 50%", "It costs 50", 0.75),
        ("It is -5 degrees", "It is 5 degrees", 0.8),
        (SENTENCE, "", 0.0),
        (SENTENCE, "...", 0.0),
        ("", "", 0.0),
        ("", "a", 0.0),
        ("?", "?", 0.0),
    ],
)
def test_a_match_is_one_minus_the_word_error_rate(asked: str, said: str, expected: float) -> None:
    assert match(asked, said) == pytest.approx(expected)


def distance(asked: list[str], said: list[str]) -> int:
    """The textbook's edit distance, to compare the library with."""
    row = list(range(len(said) + 1))
    for i, word in enumerate(asked, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(said, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


SENTENCES = st.lists(st.sampled_from(["a", "b", "it's", "%", "é", "你"]), max_size=8).map(" ".join)


@given(SENTENCES.filter(bool), SENTENCES)
def test_the_match_is_the_textbooks(asked: str, said: str) -> None:
    errors = distance(asked.split(), said.split()) / len(asked.split())
    expected = max(0.0, 1 - errors) if said else 0.0
    assert match(asked, said) == pytest.approx(expected)


@given(st.text(), st.text())
def test_a_match_is_between_nothing_and_everything(asked: str, said: str) -> None:
    assert 0.0 <= match(asked, said) <= 1.0
    assert match(asked, asked) == (1.0 if words(asked) else 0.0)


# -- exact ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "same"),
    [
        (SENTENCE, SENTENCE, True),
        (SENTENCE, f" {SENTENCE.replace(' ', '  ')}\n", True),
        (SENTENCE, SENTENCE.lower(), False),
        (SENTENCE, SENTENCE.removesuffix("."), False),
        ("a b", "ab", False),
        ("a", "", False),
    ],
)
def test_exact_is_to_the_letter_but_for_white_space(asked: str, said: str, same: bool) -> None:
    assert exact(asked, said) is same


# -- the instruction ------------------------------------------------------------------------


def test_the_wording_is_the_documented_one() -> None:
    assert instruction(SENTENCE) == f"Say exactly the following: {SENTENCE}"
    assert instruction("x", SAY_EXACTLY) == "Say exactly the following: x"


@given(st.text())
def test_nothing_in_a_text_is_special(text: str) -> None:
    asked = f"a{{0}}{{text}}\\1 %s {text}"
    assert instruction(asked, "<{text}> {other} {}") == f"<{asked}> {{other}} {{}}"


@pytest.mark.parametrize("wording", ["", "Say this", "Say {text", "Say {Text}", "Say %s"])
def test_a_wording_without_a_place_for_the_text_is_refused(wording: str) -> None:
    with pytest.raises(UsageError, match=re.escape("{text}")):
        instruction(SENTENCE, wording)


@pytest.mark.parametrize("text", ["", "  \n", "...", "\u200b", "👍"])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        instruction(text)


def test_the_library_is_loaded_when_it_is_used() -> None:
    script = "import sys, realtime_client.wording as w; print('jiwer' in sys.modules); "
    script += "w.match('a', ''); print('jiwer' in sys.modules); print(w.match('a', 'a'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "1.0"], done.stderr
