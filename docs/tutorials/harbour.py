"""A text to try things on: the made-up chronicle of a harbour town, different for every seed.

    python docs/tutorials/harbour.py > book.txt
    python docs/tutorials/harbour.py 300 2 > chapter.txt

A day is a paragraph about one household. Who does what, where and with what tool is always the same; the rest is
drawn. So there is something to learn at every distance: spelling, agreement, who is meant by "she", and what a
baker needs.
"""

from __future__ import annotations

import random
import sys

PEOPLE = [
    ("father", "mother"), ("son", "daughter"), ("brother", "sister"), ("uncle", "aunt"), ("boy", "girl"),
    ("man", "woman"), ("husband", "wife"), ("grandfather", "grandmother"), ("nephew", "niece"), ("king", "queen"),
    ("prince", "princess"), ("widower", "widow"),
]  # fmt: skip
NAMES = [
    ("Anton", "Clara"), ("Jonas", "Edda"), ("Matthis", "Ruth"), ("Oskar", "Lena"), ("Paul", "Ida"), ("Emil", "Greta"),
    ("Viktor", "Johanna"), ("Hugo", "Martha"), ("Simon", "Agnes"), ("Albert", "Selma"),
]  # fmt: skip
TRADES = [  # trade, works in, tool, material, makes
    ("baker", "bakery", "oven", "flour", "bread"),
    ("smith", "forge", "hammer", "iron", "nails"),
    ("fisher", "harbour", "net", "salt", "herring"),
    ("miller", "mill", "millstone", "grain", "flour"),
    ("carpenter", "workshop", "saw", "oak", "tables"),
    ("tailor", "shop", "needle", "cloth", "coats"),
    ("weaver", "loft", "loom", "wool", "cloth"),
    ("potter", "kiln", "wheel", "clay", "jugs"),
    ("farmer", "field", "plough", "seed", "grain"),
    ("gardener", "garden", "spade", "earth", "roses"),
    ("teacher", "school", "chalk", "paper", "letters"),
    ("printer", "cellar", "press", "ink", "books"),
]
SEASONS = {
    "winter": (("December", "January", "February"), ("snow", "ice", "frost"), ("cold", "dark", "white")),
    "spring": (("March", "April", "May"), ("rain", "mist", "blossom"), ("mild", "green", "wet")),
    "summer": (("June", "July", "August"), ("sunshine", "dust", "thunder"), ("hot", "bright", "dry")),
    "autumn": (("September", "October", "November"), ("wind", "fog", "storms"), ("grey", "windy", "short")),
}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
ANIMALS = [  # animal, its noise, its food, its home
    ("dog", "barked", "bones", "yard"), ("cat", "purred", "milk", "kitchen"), ("hen", "clucked", "corn", "coop"),
    ("cow", "mooed", "hay", "stable"), ("goat", "bleated", "leaves", "meadow"), ("gull", "screamed", "fish", "pier"),
    ("horse", "neighed", "oats", "stable"), ("bee", "hummed", "nectar", "hive"),
]  # fmt: skip
VERBS = [("walk", "walked"), ("hurry", "hurried"), ("return", "returned"), ("climb", "climbed"), ("row", "rowed")]
PLACES = ["market", "church", "lighthouse", "bridge", "well", "inn", "old tower", "ferry", "square", "river"]
FEELINGS = [("glad", "laughed"), ("sad", "wept"), ("tired", "yawned"), ("angry", "shouted"), ("calm", "smiled")]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
GROWING = [("small", "smaller"), ("long", "longer"), ("cold", "colder"), ("warm", "warmer"), ("old", "older")]


def plural(noun: str) -> str:
    return noun if noun.endswith("s") else noun + "s"


def day(draw: random.Random) -> str:
    """One paragraph: a day of one household."""
    season, (months, weathers, moods) = draw.choice(list(SEASONS.items()))
    month, weekday, weather, mood = draw.choice(months), draw.choice(DAYS), draw.choice(weathers), draw.choice(moods)
    trade, room, tool, material, goods = draw.choice(TRADES)
    buyer = draw.choice([one[0] for one in TRADES if one[0] != trade])
    sex = draw.randrange(2)
    he, him, his = (("he", "him", "his"), ("she", "her", "her"))[sex]
    pair, other = draw.sample(PEOPLE, 2)
    kin, name, friend = pair[sex], draw.choice(NAMES)[sex], draw.choice(NAMES)[1 - sex]
    animal, noise, food, home = draw.choice(ANIMALS)
    feeling, shown = draw.choice(FEELINGS)
    now, then = draw.choice(VERBS)
    place, far = draw.sample(PLACES, 2)
    count = draw.randrange(1, 9)
    less, more = draw.choice(GROWING)
    sentences = [
        draw.choice(
            [
                f"On a {mood} {weekday} in {month}, {name} the {trade} opened the {room}.",
                f"It was {weekday}, and {season} had come with {weather}.",
                f"{weather.capitalize()} lay over the town at {NUMBERS[count]} o'clock, and {name} was in the {room}.",
            ]
        ),
        draw.choice(
            [
                f"The {trade} needs {material} and a {tool}, and {he} had both.",
                f"With {his} {tool} and some {material}, the {trade} made {goods} all day.",
                f"There was no {material} left for the {tool}, so the {trade} made no {goods}.",
            ]
        ),
        draw.choice(
            [
                f"The {animal} {noise} near the {home} until {his} {kin} gave it {food}.",
                f"Near the {home} {NUMBERS[count]} {plural(animal)} waited for {food}.",
                f"One {animal} {noise}, then {NUMBERS[count]} {plural(animal)} did the same.",
            ]
        ),
        draw.choice(
            [
                f'"Shall we {now} to the {place}?" asked {friend}, and they {then} there.',
                f"Every {weekday} {he} would {now} to the {place}; today {he} {then} to the {far}.",
                f"The {other[sex]} of the {buyer} {then} from the {place} to the {far}.",
            ]
        ),
        draw.choice(
            [
                f"The {buyer} bought {NUMBERS[count]} of the {goods} and paid {NUMBERS[count]} coins.",
                f'"How many of the {goods} do you want?" "{NUMBERS[count].capitalize()}," said the {buyer}.',
                f"{friend} carried the {goods} to the {place}, where the {buyer} was waiting.",
            ]
        ),
        draw.choice(
            [
                f"{name} was {feeling} and {shown}, because the days in {season} are {mood}.",
                f"In {month} the nights grow {more}; last year they were only {less}.",
                f"The {pair[0]} and the {pair[1]} went home, and {he} was {feeling}.",
            ]
        ),
    ]
    chosen = [sentences[0], *draw.sample(sentences[1:], draw.randrange(2, 6))]
    if draw.random() < 0.3:
        chosen.append(f'"Good night, {name}," said the {kin} of the {buyer} to {him}.')
    return " ".join(one[0].upper() + one[1:] for one in chosen)


def chronicle(days: int = 2500, seed: int = 1) -> str:
    """So many days, one paragraph each."""
    draw = random.Random(seed)
    return "".join(day(draw) + "\n\n" for _ in range(days))


if __name__ == "__main__":
    sys.stdout.write(chronicle(*map(int, sys.argv[1:])))
