"""Words of all scripts: the rules of UAX #29, and where seqlab's differ."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import uniseg.wordbreak

from benchmarks.text.word_breaks import cases, tailored
from seqlab.base.errors import InputError
from seqlab.text import load_tokenizer
from seqlab.text.scripts import SINGLE
from seqlab.text.tokenizers import boundaries
from seqlab.text.tokenizers.boundaries import word_finder
from seqlab.text.tokenizers.vocab import Vocab
from seqlab.text.tokenizers.words import WordTokenizer

words_of = word_finder(2)

SAMPLES = {
    "ALetter": "aZéßЖαاहঅகമ가ᄀᠠⰀꙀⓂℹ",
    "Hebrew_Letter": "אבש",
    "Numeric": "07٣५၄",
    "Katakana": "アカーﾊ",
    "ExtendNumLet": "_‿＿",
    "MidLetter": ":·״‧",
    "MidNum": ",;٬⁄",
    "MidNumLet": ".’․＇",
    "quotes": "'\"",
    "Extend": "\u0301\u093f\u200c\ufe0f\U0001f3fd\u0d4d\U000e0067",
    "Format": "\u00ad\u2060\u200e\u061c",
    "ZWJ": "\u200d",
    "Regional_Indicator": "🇩🇫🇯",
    "pictures": "👩❤🔥©㊗",
    "other": "漢字ひら-‐‑!(«。،$\u200b",
}
"""Characters of every class of the annex, other than white space and the scripts that need a dictionary."""


def oracle(text: str) -> list[str]:
    """The annex's words by an independent library, with seqlab's choices made on top."""
    return tailored(uniseg.wordbreak.words(text))


def test_words_equal_an_independent_implementation_on_random_strings_of_all_classes() -> None:
    draw = random.Random(1)
    classes = list(SAMPLES.values())
    for number in range(6000):
        few = draw.sample(classes, 3) if number % 2 else classes
        text = "".join(draw.choice(draw.choice(few)) for _ in range(draw.randint(1, 9)))
        assert words_of(text) == oracle(text), ascii(text)


def test_words_equal_an_independent_implementation_on_all_pairs_and_triples_of_classes() -> None:
    firsts = [characters[0] for characters in SAMPLES.values()] + ["'", "\U0001f3fd", "."]
    texts = [a + b + c for a in firsts for b in firsts for c in ("", *firsts)]
    assert [words_of(text) for text in texts] == [oracle(text) for text in texts]


def test_lines_of_the_unicode_test_file_are_read_as_words(tmp_path: Path) -> None:
    file = tmp_path / "WordBreakTest.txt"
    file.write_text("# a comment\n÷ 0061 × 0308 ÷ 0020 ÷ 002E ÷\t# ÷ [0.2] A\n÷ 0061 × 0027 × 0062 ÷\n", "utf-8")
    assert list(cases(file)) == [["a\u0308", " ", "."], ["a'b"]]


# One word each, though letters of it are joined or parted by what is not a letter.
WHOLE = {
    "Persian": "می\u200cخواهم کتاب\u200cها نمی\u200cدانستم",
    "Arabic": "كِتَابٌ السَّلَامُ",
    "Urdu": "ہم\u200cدردی",
    "Hebrew": 'צה״ל צה"ל ג׳ירף שָׁלוֹם',
    "Hindi": "हिन्दी क्\u200dषेत्र विद्यार्थी",
    "Bengali": "বাংলা র\u200d্যাব",
    "Malayalam": "മലയാളം അവന്\u200d",
    "Sinhala": "ශ්\u200dරී සිංහල ප්\u200dරශ්නය",
    "Tamil": "தமிழ் மொழி",
    "Telugu": "తెలుగు",
    "Kannada": "ಕನ್ನಡ ರ\u200d್ಯಾಂಕ್",
    "Gujarati": "ગુજરાતી",
    "Punjabi": "ਪੰਜਾਬੀ",
    "Tibetan": "བོད\u0f72ས\u0f92ྐད",
    "Greek": "καλημέρα Ὀδυσσεύς",
    "Russian": "что-то объём",
    "Georgian": "საქართველო",
    "Armenian": "Հայաստան ինչո՞ւ",
    "Amharic": "አማርኛ",
    "Korean": "한국어 한국어",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ\u180e",
    "Cherokee": "ᏣᎳᎩ",
    "Japanese": "テキスト コンピュータ",
    "Thai": "สวัสดี ครับ น้ำ",
    "Lao": "ສະບາຍດີ",
    "Khmer": "ភាសា ខ្មែរ",
    "Burmese": "မြန်မာ",
    "Catalan": "col·laborar intel·ligència",
    "French": "aujourd’hui l'été peut-être",
    "Swedish": "EU:s k:a",
    "Vietnamese": "Tiê\u0301ng Việt",
    "soft hyphens": "Donau\u00addampf\u00adschiff",
    "word joiners": "a\u2060b",
    "hyphens": "mother-in-law co‐operate non‑breaking",
    "numbers": "1,000.50 3.14 ١٬٠٠٠ 90's 1⁄2",
    "names of programs": "snake_case __init__ x2",
    "families": "👨\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👩🏽\u200d🚀",
    "skin tones and variants": "👍🏽 ❤\ufe0f 1\ufe0f\u20e3",
    "flags": "🇩🇪 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
}


@pytest.mark.parametrize("script", WHOLE)
def test_words_of_many_scripts_are_whole(script: str) -> None:
    for word in WHOLE[script].split():
        assert words_of(word) == [word]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("🇩🇪🇫🇷🇯", ["🇩🇪", "🇫🇷", "🇯"]),
        ("👩👩🏽", ["👩", "👩🏽"]),
        ("漢字ひらカタカナ", ["漢", "字", "ひ", "ら", "カタカナ"]),
        ("葛\U000e0100飾区", ["葛\U000e0100", "飾", "区"]),
        ("«Привет!»", ["«", "Привет", "!", "»"]),
        ("क्या।", ["क्या", "।"]),
        ("سلام،چطوری؟", ["سلام", "،", "چطوری", "؟"]),
        ("ሰላም።", ["ሰላም", "።"]),
        ("os.path", ["os", ".", "path"]),
        ("m²", ["m", "²"]),
        ("a-", ["a", "-"]),
        ("-a", ["-", "a"]),
        ("ภาษาไทย๑๒", ["ภาษาไทย", "๑๒"]),
        ("\u0301a", ["\u0301", "a"]),
    ],
)
def test_where_words_end(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_as_the_first_rules_had_them() -> None:
    """They read the corpora and runs that were made with them."""
    text = "می\u200cخواهم mother-in-law’s 1,000.50 テキスト👍🏽 l·l"
    first = ["می", "\u200c", "خواهم", "mother-in-law’s", "1,000.50", *"テキスト", "👍", "🏽", "l", "·", "l"]
    assert word_finder(1)(text) == first
    assert re.fullmatch(f"[{SINGLE}]+", "テキスト漢字")


def test_rules_of_a_later_version_are_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    WordTokenizer(Vocab(["a", "b"], [2, 1])).save(path)
    values = json.loads(path.read_text("utf-8"))
    values["options"]["rules"] = 3
    path.write_text(json.dumps(values), "utf-8")
    with pytest.raises(
        InputError, match=re.escape(f"{path}: its words follow rules 3, of which this seqlab knows 1 to 2")
    ):
        load_tokenizer(path)


def test_ascii_text_needs_no_tables_for_the_same_words() -> None:
    draw, characters = random.Random(2), [chr(code) for code in range(33, 127)] + [*"aZ09_'.,:;-\""] * 8
    for _ in range(3000):
        text = "".join(draw.choices(characters, k=draw.randint(1, 9)))
        assert words_of(text) == boundaries._basic_pattern().findall(text)


def test_all_patterns_find_the_same_words() -> None:
    draw, characters = random.Random(3), [c for c in "".join(SAMPLES.values()) if c <= "\uffff"]
    for _ in range(2000):
        text = "".join(draw.choices(characters, k=draw.randint(1, 9)))
        assert boundaries._basic_pattern().findall(text) == boundaries._full_pattern().findall(text), ascii(text)
    find, text = word_finder(boundaries.RULES), "слово, 漢字 " * 4
    before = find(text)
    assert find(text * (boundaries.TABLES_PAY // len(text) + 1))[: len(before)] == before == find(text)
