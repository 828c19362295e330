"""Neighbours in languages whose words hold joiners, or stand between spaces that a program has put there.

Texts are drawn from small grammars: words of a group stand in the same places, so that each is nearest to its own.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from costs import usual

import seqlab

GROUPS = {
    "Persian": {
        "person": "مادر پدر خواهر برادر معلم",  # mother, father, sister, brother, teacher
        "animal": "گربه سگ اسب گاو خرگوش",  # cat, dog, horse, cow, rabbit
        "food": "نان پنیر برنج سیب انگور",  # bread, cheese, rice, apple, grapes
        "place": "مدرسه بازار باغ روستا کتابخانه",  # school, market, garden, village, library
        "writing": "کتاب\u200cها نامه\u200cها روزنامه\u200cها داستان\u200cها",  # books, letters, newspapers, stories
        "kitchen": "می\u200cپزد می\u200cخورد می\u200cخرد",  # cooks, eats, buys
        "moving": "می\u200cدود می\u200cخوابد می\u200cایستد",  # runs, sleeps, stands
        "reading": "می\u200cخواند می\u200cنویسد",  # reads, writes
    },
    "Sinhala": {
        "person": "අම්මා තාත්තා අක්කා මල්ලී ගුරුවරයා",  # mother, father, elder sister, younger brother, teacher
        "animal": "බල්ලා පූසා අශ්වයා හරකා හාවා",  # dog, cat, horse, ox, rabbit
        "food": "බත් පාන් පලතුරු මාළු එළවළු",  # rice, bread, fruit, fish, vegetables
        "place": "පාසල වෙළඳපොල ගම නගරය පුස්තකාලය",  # school, market, village, town, library
        "country": "ප්\u200dරංශය බ්\u200dරිතාන්\u200dයය බ්\u200dරසීලය ඉන්දියාව",  # France, Britain, Brazil, India
        "kitchen": "උයනවා කනවා ගන්නවා",  # cooks, eats, buys
        "moving": "දුවනවා නිදාගන්නවා ඉන්නවා",  # runs, sleeps, stays
    },
    "Chinese": {
        "person": "妈妈 爸爸 姐姐 弟弟 老师",  # mother, father, elder sister, younger brother, teacher
        "animal": "小狗 小猫 马 牛 兔子",  # dog, cat, horse, ox, rabbit
        "food": "米饭 面包 苹果 葡萄 豆腐",  # rice, bread, apple, grapes, tofu
        "place": "学校 市场 花园 村子 图书馆",  # school, market, garden, village, library
        "writing": "小说 信 报纸 故事",  # novel, letter, newspaper, story
        "kitchen": "做 吃 买",  # cooks, eats, buys
        "moving": "奔跑 睡觉 休息",  # runs, sleeps, rests
        "reading": "读 写",  # reads, writes
    },
}
FRAMES = {
    "Persian": [
        "person food را kitchen .",
        "animal در place moving .",
        "person به place رفت .",
        "person writing را reading .",
        "animal food را دید .",
    ],
    "Sinhala": [
        "person food kitchen .",
        "animal place තුළ moving .",
        "person place වෙත ගියා .",
        "person country රටට පියාසර කළා .",
        "animal food දුටුවා .",
    ],
    "Chinese": [
        "person kitchen food 。",
        "animal 在 place 里 moving 。",
        "person 去 place 了 。",
        "person reading writing 。",
        "animal 看见 了 food 。",
    ],
}


def written(language: str, sentences: int) -> str:
    draw = random.Random(language)
    groups = {name: words.split() for name, words in GROUPS[language].items()}
    frames = [frame.split() for frame in FRAMES[language]]
    lines = (" ".join(draw.choice(groups.get(part, [part])) for part in draw.choice(frames)) for _ in range(sentences))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("language", usual(GROUPS, "Sinhala"))
def test_the_nearest_words_are_of_the_same_group(language: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(written(language, 4000), "utf-8")
    vectors = seqlab.train_embeddings(path, seed=1, workers=1, quiet=True)
    groups = {word: name for name, words in GROUPS[language].items() for word in words.split()}
    assert set(groups) <= set(vectors.words)
    nearest = {word: vectors.neighbors(word, 1)[0][0] for word in groups}
    right = [groups.get(near) == groups[word] for word, near in nearest.items()]
    assert sum(right) >= 0.95 * len(right), nearest
