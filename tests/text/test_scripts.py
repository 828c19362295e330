"""Scripts without spaces between words: named, and left as they are where a program has put spaces."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from seqlab.config import TextConfig
from seqlab.text.inspection.inspect import inspect
from seqlab.text.preparation.prepare import prepare
from seqlab.text.scripts import segmented, spaceless
from seqlab.text.tokenizers.table import choose_tokenizer

WORDS = {
    "Chinese": ("我们 今天 去 看 老 房子 的 朋友 在 学校 学习 音乐 和 历史 图书馆 里 有 很多 书", "， 。"),
    "Japanese": ("わたし は 今日 古い 家 を 見 に 行き ます 友だち と 学校 で 音楽 コンピューター の 本", "、 。"),
    "Thai": ("ฉัน ไป โรงเรียน กับ เพื่อน และ อ่าน หนังสือ ที่ บ้าน เก่า วันนี้ แม่ ทำ อาหาร อร่อย", ""),
    "Lao": ("ຂ້ອຍ ໄປ ໂຮງຮຽນ ກັບ ໝູ່ ແລະ ອ່ານ ປຶ້ມ ຢູ່ ເຮືອນ ມື້ນີ້ ແມ່ ເຮັດ ອາຫານ", ""),
    "Khmer": ("ខ្ញុំ ទៅ សាលា ជាមួយ មិត្ត និង អាន សៀវភៅ នៅ ផ្ទះ ថ្ងៃនេះ ម្តាយ ធ្វើ ម្ហូប", "។"),
    "Burmese": ("ကျွန်တော် ကျောင်း သွား သူငယ်ချင်း နဲ့ စာအုပ် ဖတ် အိမ် မှာ ဒီနေ့ အမေ ဟင်း ချက်", "၊ ။"),
    "Tibetan": ("ང་ དེ་རིང་ སློབ་གྲྭ་ ལ་ འགྲོ་ གྲོགས་པོ་ དང་ དེབ་ ཀློག་ ཁང་པ་ ན་ ཡོད་", "།"),
}


def written(script: str, space: str, lines: int = 30, phrase: int = 1) -> str:
    """Lines of eight to sixteen words, with `space` between them and, where it is empty, one behind every fifth."""
    draw = random.Random(len(script))
    words, marks = (part.split() for part in WORDS[script])
    text = []
    for _ in range(lines):
        found = draw.choices(words, k=draw.randint(8, 16))
        found = [word + (space + draw.choice(marks) if marks and draw.random() < 0.2 else "") for word in found]
        if space or script in ("Chinese", "Japanese"):
            text.append(space.join(found))
        else:
            text.append(" ".join("".join(found[place : place + 5]) for place in range(0, len(found), 5)))
    return "\n".join(text) + "\n"


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)


@pytest.mark.parametrize("script", WORDS)
def test_text_segmented_beforehand_keeps_its_words(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written(script, " ", 60)
    assert segmented(text) == script
    (tmp_path / "a.txt").write_text(text, "utf-8")
    for for_words in (False, True):
        corpus = prepare(tmp_path / "a.txt", tmp_path / f"c{for_words}", for_words=for_words)
        assert corpus.tokenizer.kind == "whitespace"
        assert set(WORDS[script][0].split()) <= set(corpus.tokenizer.vocab.itos)
        assert f"spaces part the words of this {script} text already" in capsys.readouterr().err
    [advice] = [finding for finding in inspect(tmp_path / "a.txt", quiet=True).findings if "tokenizer" in finding]
    assert advice.startswith("tokenizer='whitespace' suits the text")


@pytest.mark.parametrize("script", WORDS)
def test_scripts_without_spaces_are_named(script: str, tmp_path: Path) -> None:
    text = written(script, "", 60)
    assert segmented(text) == ""
    assert spaceless({character: text.count(character) for character in set(text)})[0] == script
    assert choose_tokenizer(text, 5_000_000)[0] == "bpe"
    (tmp_path / "a.txt").write_text(text, "utf-8")
    found = "\n".join(inspect(tmp_path / "a.txt", quiet=True).findings)
    assert f"a script without spaces between words, {script}:" in found
    assert "encoded?" not in found


@pytest.mark.parametrize(
    "text",
    [
        "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。\n" * 30,
        "春 天\n山田 太郎\n林 花子\n" * 60,
        "山路来て　何やらゆかし　すみれ草\n" * 60,
        "张伟\n王芳\n李娜\n" * 60,
        "한국어 문장은 단어 사이를 띄어 씁니다.\n" * 30,
        "The word 学习 means to learn , and 朋友 a friend .\n" * 10,
        "わたしは あした がっこうに いきます。\n" * 30,
        "плоский текст со словами\n" * 30,
        "",
    ],
)
def test_verse_names_and_phrases_are_not_segmented_text(text: str) -> None:
    assert segmented(text) == ""


def test_words_asked_for_by_name_are_answered_with_a_word_on_spaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(written("Chinese", " ", 60), "utf-8")
    prepare(tmp_path / "a.txt", tmp_path / "c", TextConfig(tokenizer="word"))
    assert "tokenizer='whitespace' keeps them whole" in capsys.readouterr().err


def test_joiners_are_asked_about_where_no_script_needs_them_only(tmp_path: Path) -> None:
    for text, asked in (("می\u200cخواهم ශ්\u200dරී\n", False), ("zero\u200cwidth\n", True), ("a\u200bب\n", True)):
        (tmp_path / "a.txt").write_text(text * 9, "utf-8")
        found = "\n".join(inspect(tmp_path / "a.txt", quiet=True).findings)
        assert ("invisible characters" in found) is asked
