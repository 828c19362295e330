"""Projections, label placing, maps and curves: judged by what a picture shows, and against brute force."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from xml.dom import minidom

import matplotlib
import numpy as np
import pytest
from costs import usual
from hypothesis import given, settings
from hypothesis import strategies as st
from plotly.offline import get_plotlyjs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

from seqlab.base.errors import InputError
from seqlab.config import MapConfig
from seqlab.embeddings import WordVectors
from seqlab.visualization import PROJECTIONS, draw_curves, draw_map
from seqlab.visualization.curves.curves import perplexity_ticks, read_run, small_panels, smoothed
from seqlab.visualization.labels import place_labels
from seqlab.visualization.maps.figure import map_figure
from seqlab.visualization.maps.projection import tsne, usable_perplexity
from seqlab.visualization.maps.wordmap import choose_words, cluster
from seqlab.visualization.output import drawing_rules
from seqlab.visualization.style import font_families, label_text

HOSTILE = [
    "</script><b>",
    "<img src=x onerror=alert(1)>",
    "$x_1$",
    "a\x1b[31mred",
    "\ud800z",
    "%{y} &amp;",
    "x" * 90,
]


def clustered(clusters: int = 12, each: int = 20, dim: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (N, dim) around random centres, and the cluster of each."""
    rng = np.random.default_rng(seed)
    matrix = np.repeat(rng.normal(size=(clusters, dim)), each, axis=0) + 0.7 * rng.normal(size=(clusters * each, dim))
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit.astype(np.float32), np.repeat(np.arange(clusters), each)


def some_vectors(words: list[str] | None = None, count: int = 120, seed: int = 0) -> WordVectors:
    words = words or [f"word{i}" for i in range(count)]
    matrix = np.random.default_rng(seed).normal(size=(len(words), 16)).astype(np.float32)
    return WordVectors(words, matrix, counts=np.arange(len(words), 0, -1))


# Projections


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_a_projection_gives_finite_distinct_places_again_and_again(name: str, count: int) -> None:
    unit, _ = clustered(clusters=count, each=1)
    places = PROJECTIONS[name](unit, 3, 30.0)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count
    assert np.array_equal(places, PROJECTIONS[name](unit, 3, 30.0))


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("shape", [(6, 3), (6, 1)])
def test_a_projection_survives_equal_vectors_and_one_dimension(name: str, shape: tuple[int, int]) -> None:
    places = PROJECTIONS[name](np.ones(shape, np.float32), 1, 30.0)
    assert places.shape == (6, 2)
    assert np.isfinite(places).all()


def test_tsne_keeps_neighbourhoods_far_better_than_pca() -> None:
    unit, _ = clustered()
    kept = {
        name: trustworthiness(unit, project(unit, 1, 30.0), n_neighbors=10) for name, project in PROJECTIONS.items()
    }
    assert kept["tsne"] > 0.98
    assert 1 - kept["tsne"] < (1 - kept["pca"]) / 5


def test_pca_equals_scikit_learn_and_ignores_the_sign_of_its_axes() -> None:
    unit, _ = clustered()
    ours = PROJECTIONS["pca"](unit, 1, 30.0)
    theirs = PCA(2, svd_solver="full").fit_transform(unit.astype(np.float64))
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-5)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in ours.T)


def test_tsne_settings_are_those_the_docstring_states(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.manifold

    made = []

    class Recorder(sklearn.manifold.TSNE):
        def fit_transform(self, vectors: np.ndarray, y: None = None) -> np.ndarray:
            made.append(self)
            return super().fit_transform(vectors)

    monkeypatch.setattr(sklearn.manifold, "TSNE", Recorder)
    unit, _ = clustered(clusters=10, each=4)
    tsne(unit, seed=7, perplexity=30.0)
    (model,) = made
    assert model.learning_rate_ == max(len(unit) / 48, 50)
    assert model.perplexity == usable_perplexity(30.0, len(unit)) == 13.0
    assert model.init[:, 0].std() == pytest.approx(1e-4)
    assert model.random_state == 7


def test_perplexity_is_brought_down_for_few_words() -> None:
    assert [usable_perplexity(30.0, n) for n in (2, 4, 31, 91, 5000)] == [1.0, 1.0, 10.0, 30.0, 30.0]


# Labels


def overlapping(boxes: np.ndarray) -> int:
    """Pairs of boxes (x, y, width, height) that share an area, by comparing every pair."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    meet = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2)
    return int(np.triu(meet, 1).sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.integers(0, 12), st.floats(0.01, 1.0))
def test_labels_never_overlap_nor_hide_a_labelled_dot(seed: int, count: int, required: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    dots = 200 + 190 * spread * rng.uniform(-1, 1, size=(count, 2))
    sizes = np.stack([rng.uniform(5, 60, count), rng.uniform(6, 12, count)], axis=1)
    labels = place_labels(dots, sizes, (400.0, 400.0), rng.permutation(count), required=min(required, count))
    boxes = np.array([[label.x, label.y, *sizes[label.word]] for label in labels])
    assert overlapping(boxes) == 0
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 400).all()
    labelled = dots[[label.word for label in labels]]
    hidden = (labelled[:, None] > boxes[None, :, :2]) & (labelled[:, None] < boxes[None, :, :2] + boxes[None, :, 2:])
    assert not hidden.all(axis=2).any()


def test_the_first_in_rank_get_the_room_and_required_labels_are_led_back_by_a_line() -> None:
    dots = np.full((6, 2), 200.0) + np.arange(6)[:, None] * 0.01
    sizes = np.full((6, 2), (40.0, 10.0))
    order = np.array([3, 1, 0, 2, 4, 5])
    near = place_labels(dots, sizes, (400.0, 400.0), order)
    assert near[0].word == 3
    assert len(near) < 6
    assert all(label.line is None for label in near)
    assert place_labels(dots, sizes, (400.0, 400.0), order) == near
    far = place_labels(dots, sizes, (400.0, 400.0), order, required=6)
    assert [label.word for label in far] == order.tolist()
    assert any(label.line is not None for label in far)


def test_ten_thousand_words_are_labelled() -> None:
    rng = np.random.default_rng(0)
    dots = np.clip(700 + 200 * rng.normal(size=(10_000, 2)), 10, 1390)
    sizes = np.stack([rng.uniform(8, 50, 10_000), np.full(10_000, 9.0)], axis=1)
    labels = place_labels(dots, sizes, (1400.0, 1400.0), np.arange(10_000))
    assert len(labels) > 800
    assert overlapping(np.array([[label.x, label.y, *sizes[label.word]] for label in labels])) == 0


# Choosing words


def test_words_are_chosen_by_count_and_symbols_are_left_out() -> None:
    words = ["rare", ".", "<unk>", "often", "&", "50", "été"]
    vectors = WordVectors(words, np.eye(7), counts=np.array([1, 90, 80, 70, 60, 50, 40]))
    rows, missing, skipped = choose_words(vectors, MapConfig(words=3))
    assert [words[row] for row in rows] == ["often", "50", "été"]
    assert missing == skipped == []
    rows, *_ = choose_words(vectors, MapConfig(words=3, symbols=True))
    assert [words[row] for row in rows] == [".", "<unk>", "often"]
    rows, *_ = choose_words(vectors, MapConfig(words=2, skip=1))
    assert [words[row] for row in rows] == ["50", "été"]
    rows, missing, _ = choose_words(vectors, MapConfig(only=["rare", "often", "never", ".", "rare", "never"]))
    assert [words[row] for row in rows] == [".", "often", "rare"]
    assert missing == ["never"]


def test_frequent_words_near_no_others_are_left_out_by_default_and_named() -> None:
    """Forty groups of ten words, and thirty frequent words in directions of their own."""
    unit, _ = clustered(clusters=40, each=10)
    alone = np.linalg.qr(np.random.default_rng(1).normal(size=(50, 50)))[0][:30].astype(np.float32)
    grouped = [f"group{i}" for i in range(400)]
    order = np.random.default_rng(2).permutation(60)
    frequent = [*(f"the{i}" for i in range(30)), *grouped[::13][:30]]
    words = [frequent[i] for i in order] + [word for word in grouped if word not in frequent]
    rows = {**dict(zip(grouped, unit, strict=True)), **{f"the{i}": row for i, row in enumerate(alone)}}
    vectors = WordVectors(words, np.stack([rows[word] for word in words]))
    picture = draw_map(vectors, words=400, method="pca", quiet=True)
    assert len(picture.skipped) == 30
    assert sum(word.startswith("the") for word in picture.skipped) >= 20  # by frequency alone 15
    assert not {*picture.wordmap.words} & {*picture.skipped}
    assert "30 frequent words near no others" in picture.notes[0]
    assert "30 frequent words near no others" in picture.wordmap.caption
    assert draw_map(vectors, words=400, skip=0, quiet=True).skipped == []
    assert draw_map(vectors, words=len(words), quiet=True).skipped == []
    assert draw_map(WordVectors(words, vectors.matrix, meta={"of": "lines"}), words=400, quiet=True).skipped == []


def test_highlighted_words_bring_their_neighbours_and_their_rank_among_all_words() -> None:
    vectors = some_vectors()
    wordmap = draw_map(vectors, words=10, method="pca", highlight=["word100"], neighbors=4).wordmap
    assert [wordmap.words[i] for i in wordmap.highlighted] == ["word100"]
    near = [word for word, _ in vectors.neighbors("word100", 4)]
    assert [wordmap.words[i] for i in wordmap.related] == near
    assert wordmap.rank_N[wordmap.highlighted[0]] == 101
    assert set(wordmap.words) == {f"word{i}" for i in range(10)} | {"word100", *near}


def test_clusters_are_found_in_the_high_dimensional_vectors() -> None:
    unit, truth = clustered(clusters=6, each=15)
    found = cluster(unit)
    assert adjusted_rand_score(truth, found) == 1.0
    assert np.bincount(found).tolist() == sorted(np.bincount(found).tolist(), reverse=True)
    assert cluster(unit[:7]).max() == 0


def test_colours_show_the_length_of_a_word_or_its_label(tmp_path: Path) -> None:
    words = [letter * length for length in (1, 4, 9) for letter in "abcdefgh"]
    vectors = some_vectors(words)
    shades = draw_map(vectors, color="length", method="pca").wordmap.coloring
    assert len(set(shades.colors_N)) == 3
    assert shades.colors_N[0] == shades.colors_N[7] != shades.colors_N[8]
    assert "dark 1 to light 9 characters" in shades.caption
    labels = {word: "</script>$x_1$" if len(word) == 4 else f"label {word[0]}" for word in words if len(word) > 1}
    drawn = draw_map(vectors, labels=labels, method="pca")
    coloring = drawn.wordmap.coloring
    assert [name for name, _ in coloring.legend][::6] == ["</script>$x_1$", "others"], "five more, and the rest is grey"
    assert len({coloring.colors_N[words.index(word)] for word in words if len(word) == 4}) == 1
    for kind in ("html", "svg"):
        drawn.save(tmp_path / f"map.{kind}")
    assert "others" in (tmp_path / "map.svg").read_text("utf-8")
    assert "</script>$x" not in (tmp_path / "map.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"out": "map.gif"}, r"map\.gif: the name of a picture ends in"),
        ({"out": "."}, r"ends in"),
        ({"out": "folder.png"}, r"folder\.png: is a folder"),
        ({"out": "file/map.png"}, r"map\.png: cannot be written"),
        ({"method": "tnse"}, r"'tnse'.*Did you mean 'tsne'"),
        ({"color": "rainbow"}, r"'rainbow'.*cluster, frequency"),
        ({"words": 1}, r"words: must be 2 or more, not 1"),
        ({"only": ["word1", "nothing", "nowhere"]}, r"found 1 to draw \(2 of the requested words"),
        ({"highlight": ["wrod12"]}, r"'wrod12'.*Did you mean 'word12'"),
        ({"perplexity": 0.0}, r"map: perplexity: must be above 0"),
        ({"perplexity": math.nan}, r"perplexity"),
    ],
)
def test_a_map_that_cannot_be_drawn_says_why(change: dict, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    options = {"out": "map.png", "method": "pca", **change}
    out = tmp_path / options.pop("out")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=sentence):
        draw_map(some_vectors(), **options).save(out)
    assert sorted(tmp_path.rglob("*")) == before


# The static map


def test_drawn_labels_do_not_overlap_as_the_renderer_measures_them() -> None:
    vectors = some_vectors(count=300)
    wordmap = draw_map(vectors, words=300, method="pca", highlight=["word7", "word90"]).wordmap
    with drawing_rules():
        figure, sheet = map_figure(wordmap)
        figure.canvas.draw()
        extents = [text.get_window_extent().bounds for text in figure.axes[0].texts]
    assert len(extents) == len(sheet.labels) > 100
    assert overlapping(np.array(extents)) == 0
    labelled = {wordmap.words[label.word] for label in sheet.labels}
    for word in ("word7", "word90"):
        assert {word, *(other for other, _ in vectors.neighbors(word, 8))} <= labelled


@pytest.mark.parametrize("kind", usual(["png", "svg", "pdf"], "svg"))
def test_the_same_map_is_drawn_byte_for_byte_and_nothing_global_changes(kind: str, tmp_path: Path) -> None:
    vectors = some_vectors(["日本", "Ελλάδα", "Москва", *HOSTILE], seed=2)
    settings_before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a", "b"):
            picture = draw_map(vectors, source="$a$ <b>.vec", symbols=True)
            picture.save(tmp_path / f"{name}.{kind}")
    report = picture.to_json()
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert dict(matplotlib.rcParams) == settings_before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
    assert report["words"] == report["labels"] == 10
    assert report["perplexity"] == 3.0


def test_svg_text_stays_text_and_is_well_formed(tmp_path: Path) -> None:
    words = ["king", "queen", "日本", *HOSTILE]
    draw_map(some_vectors(words), symbols=True, source="my.vec", seed=5).save(tmp_path / "map.svg")
    document = minidom.parse(str(tmp_path / "map.svg"))
    texts = ["".join(node.data for node in text.childNodes) for text in document.getElementsByTagName("text")]
    assert {label_text(word) for word in words} <= set(texts)
    assert "10 words of my.vec" in texts
    caption = " ".join(texts)
    for setting in ("t-SNE", "perplexity 3", "seed 5", "10 of 10 words", "16 dimensions", "k-means"):
        assert setting in caption


def test_words_that_no_font_covers_are_told_in_one_sentence(tmp_path: Path) -> None:
    words = ["plain", "\U00012000word", "Ωμέγα", "\u0e00\U00013000"]
    assert font_families(words[::2]) == (["DejaVu Sans"], [])
    _, uncovered = font_families(words)
    assert words[1] in uncovered
    assert not {"plain", "Ωμέγα"} & set(uncovered)
    words += [f"word{i}" for i in range(30)]
    picture = draw_map(some_vectors(words), method="pca")
    picture.save(tmp_path / "map.png")
    (note,) = picture.notes
    assert "no font here covers" in note
    picture.save(tmp_path / "map.svg")
    assert picture.notes == []


def test_any_installed_font_serves_what_the_usual_ones_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    rare = "\u24ea"  # a circled zero, which of matplotlib's own fonts STIX has
    families, uncovered = font_families(["plain", rare])
    assert families[0] == "DejaVu Sans"
    assert len(families) == 2
    assert "Last Resort" not in families[1]
    assert uncovered == []
    monkeypatch.setattr("seqlab.visualization.style.WIDE_COVERAGE", ("STIXGeneral",))
    assert font_families(["plain", rare]) == (["DejaVu Sans", "STIXGeneral"], [])


def test_fonts_that_matplotlib_has_not_seen_yet_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    from seqlab.visualization import style

    name = font_manager.findfont("STIXGeneral")
    new = tmp_path / "new.ttf"
    new.write_bytes(Path(name).read_bytes())
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    known = [entry for entry in font_manager.fontManager.ttflist if entry.name != "STIXGeneral"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", known)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(new), str(tmp_path / "damaged.ttf")])
    style._find_new_fonts.cache_clear()
    style._find_new_fonts()
    assert [entry.fname for entry in font_manager.fontManager.ttflist if entry.name == "STIXGeneral"] == [str(new)]


def test_a_still_map_that_no_font_can_show_is_refused_before_any_work(tmp_path: Path) -> None:
    picture = draw_map(some_vectors(["plain", *(chr(0x12000 + i) for i in range(9))]))
    for kind in ("png", "pdf"):
        with pytest.raises(InputError, match=rf"map\.{kind}: 9 of 10 words.*no installed font has.*\.html"):
            picture.save(tmp_path / f"map.{kind}")
    assert "wordmap" not in vars(picture)
    assert not list(tmp_path.iterdir())
    assert picture._repr_png_() is None
    picture.save(tmp_path / "map.svg")


def test_label_text_escapes_controls_and_cuts_long_words() -> None:
    assert label_text("\U000f0001") == "\\U000f0001"
    assert label_text("a\x00\n\u202e") == "a\\x00\\n\\u202e"
    assert label_text("é日") == "é日"
    assert label_text("y" * 100) == "y" * 31 + "…"


# Pages


class Elements(HTMLParser):
    """Tags, addresses and script texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.addresses += [str(found[name]) for name in ("src", "href", "action") if name in found]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


def check_page(path: Path) -> tuple[dict, str]:
    """Assert that a page needs no network; return its data and its text without plotly's script."""
    text = path.read_text("utf-8")
    page = Elements()
    page.feed(text)
    library, data, _ = page.scripts
    assert library == get_plotlyjs()
    assert page.addresses == []
    assert page.policy.startswith("default-src 'none'")
    assert "form-action 'none'" in page.policy
    assert not set(page.tags) & {"link", "img", "iframe", "b", "object", "embed"}
    rest = text.replace(library, "")
    assert not re.search(r"//[\w-]+\.\w|https?:|cdn|\bimport\b|fetch\(|XMLHttp", rest)
    return json.loads(data), rest


def test_the_map_page_opens_offline_and_holds_words_as_data_only(tmp_path: Path) -> None:
    words = ["king", "queen", *HOSTILE]
    vectors = some_vectors(words)
    picture = draw_map(
        vectors,
        method="pca",
        symbols=True,
        highlight=["king"],
        source="</title><b>.vec",
    )
    picture.save(tmp_path / "map.html")
    assert picture.to_json()["labels"] is None
    data, rest = check_page(tmp_path / "map.html")
    assert "<img src=x" not in rest
    assert "</script><b>" not in rest
    assert data["words"] == [label_text(word, 80) for word in words]
    assert data["counts"] == vectors.counts.tolist()
    assert data["rank"] == list(range(1, 10))
    assert [words[i] for i in data["highlighted"]] == ["king"]
    assert data["neighbors"][0][:2] == [
        [label_text(word, 80), round(score, 3)] for word, score in vectors.neighbors("king", 2)
    ]
    for line in ("scattergl", "plotly_relayout", 'type="search"', "modeBarButtons"):
        assert line in rest


# Curves


def metrics(lines: int = 200, valid_every: int = 20) -> list[dict]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(lines):
        loss = 2 + 3 * math.exp(-i / 30) + 0.1 * rng.normal()
        found.append(
            {"step": i, "tokens": 100 * i, "seconds": 0.5 * i, "loss": loss, "lr": 1e-3, "grad_norm": 1.0}
            | ({"valid_loss": loss + 0.1} if i % valid_every == valid_every - 1 else {})
        )
    return found


def test_smoothing_is_a_centred_mean_without_lag() -> None:
    y = np.random.default_rng(0).normal(size=500)
    smooth = smoothed(y)
    for i in (0, 1, 4, 5, 250, 497, 499):
        half = min(i, 5)
        assert smooth[i] == pytest.approx(y[i - half : i + half + 1].mean())
    line = np.linspace(9, 3, 400)
    assert np.allclose(smoothed(line)[:390], line[:390])


@pytest.mark.parametrize("low_high", [(0.2, 1.1), (1.4, 4.6), (4.0, 10.4), (9.05, 9.15), (4.60, 4.70)])
def test_perplexity_ticks_are_round_and_inside(low_high: tuple[float, float]) -> None:
    low, high = low_high
    ticks = perplexity_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert all(low <= math.log(tick) <= high for tick in ticks)
    assert all(float(f"{tick:.3g}") == pytest.approx(tick) for tick in ticks)
    assert ticks == sorted(ticks)


def test_a_run_is_read_in_order_once_per_step_and_without_broken_values() -> None:
    lines = [
        {"step": 1, "tokens": 10, "loss": 5.0},
        {"step": 2, "tokens": 20, "loss": math.nan},
        {"step": 3, "tokens": 30, "loss": 9.0},
        {"step": 4, "tokens": 40, "valid_loss": 3.5},
        {"step": 3, "tokens": 30, "loss": 4.0, "lr": 0.1},
        {"step": 5, "loss": 1.0},
        {"step": 6, "tokens": "many", "loss": 1.0},
    ]
    run = read_run("run", lines, "tokens")
    assert run.loss.x.tolist() == [10, 30]
    assert run.loss.y.tolist() == [5.0, 4.0]
    assert run.valid.y.tolist() == [3.5]
    assert run.panels["lr"].y.tolist() == [0.1]
    assert run.label == "run: best validation 3.500 (perplexity 33.12)"


@pytest.mark.parametrize(
    ("kind", "x"),
    usual(itertools.product(["png", "svg", "pdf"], ["tokens", "seconds"]), ("png", "tokens"), ("svg", "seconds")),
)
def test_curves_are_drawn_byte_for_byte(kind: str, x: str, tmp_path: Path) -> None:
    runs = [("first", metrics()), ("$second$ <b>", metrics(valid_every=10**6)), ("one line", metrics(1))]
    picture = draw_curves(runs, x=x)
    picture.save(tmp_path / f"a.{kind}")
    report = picture.to_json()
    draw_curves(runs, x=x).save(tmp_path / f"b.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert [run["name"] for run in report["runs"]] == ["first", "$second$ <b>", "one line"]
    assert report["runs"][0]["valid_loss"] == min(line["valid_loss"] for line in metrics() if "valid_loss" in line)
    assert report["runs"][1]["valid_loss"] is None
    if kind == "svg":
        texts = [node.firstChild.data for node in minidom.parse(str(tmp_path / "a.svg")).getElementsByTagName("text")]
        assert any(text.startswith("$second$ <b>: training loss") for text in texts)
        assert {"perplexity", "loss, nats per token", "learning rate", "gradient norm"} <= set(texts)
        assert "tokens per second" not in texts


def test_the_curves_page_opens_offline(tmp_path: Path) -> None:
    draw_curves([("</script><b>", metrics()), ("other", metrics(40))], x="steps").save(tmp_path / "curves.html")
    data, rest = check_page(tmp_path / "curves.html")
    assert "</script><b>" not in rest
    assert [run["name"] for run in data["runs"]] == ["</script><b>", "other"]
    assert data["runs"][1]["loss"]["x"] == list(range(40))
    assert data["runs"][1]["loss"]["y"] == pytest.approx([line["loss"] for line in metrics(40)], rel=1e-5)
    assert [panel["title"] for panel in data["panels"]] == ["learning rate", "gradient norm"]


@pytest.mark.parametrize(
    ("runs", "out", "x", "sentence"),
    [
        ([("empty", [])], "c.png", "tokens", "empty: its metrics hold no training loss"),
        ([("odd", [{"step": 1, "loss": 2.0}])], "c.png", "seconds", "odd: .*against seconds"),
        ([], "c.png", "tokens", "no run"),
        ([("run", metrics(5))], "c.png", "token", "Did you mean 'tokens'"),
        ([("run", metrics(5))], "c.jpeg", "tokens", "c.jpeg: the name of a picture"),
    ],
)
def test_curves_that_cannot_be_drawn_say_why(runs: list, out: str, x: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        draw_curves(runs, x=x).save(tmp_path / out)
    assert not list(tmp_path.iterdir())


def detailed(lines: int = 60) -> list[dict]:
    """Metrics with all that training logs: parts, saturation, a growing batch, an average."""
    return [
        line
        | {
            "batch_size": 8 if i < lines // 2 else 16,
            "grad_norms": {"output": 0.3, "cell2": 0.2, "cell1": 0.1, "embedding": 0.05, "cell10": 0.4},
            "saturated": {"cell1": 0.1, "cell1 input": 0.2, "cell2": 0.3, "cell2 input": 0.6},
        }
        | (
            {"live_valid_loss": line["valid_loss"] + 0.2, "valid_network_loss": line["valid_loss"] + 0.5}
            if "valid_loss" in line
            else {}
        )
        for i, line in enumerate(metrics(lines))
    ]


def test_parts_of_a_single_run_have_lines_of_their_own() -> None:
    run = read_run("run", detailed(), "tokens")
    panels = {panel.title: panel for panel in small_panels([run])}
    assert list(panels) == ["learning rate", "batch size, streams", "gradient norm", "saturated, share"]
    norms = panels["gradient norm"]
    assert [name for name, *_ in norms.lines] == ["all", "embedding", "cell1", "cell2", "cell10", "output"]
    assert [curve.y[0] for *_, curve in norms.lines] == [1.0, 0.05, 0.1, 0.2, 0.4, 0.3]
    saturated = panels["saturated, share"]
    assert {name: curve.y[-1] for name, _, _, curve in saturated.lines} == pytest.approx(
        {"units": 0.2, "input gate": 0.4}
    )
    assert run.live.y == pytest.approx(run.valid.y + 0.2)
    assert run.alone.y == pytest.approx(run.valid.y + 0.5)
    assert run.label.endswith(f"network alone {run.alone.y.min():.3f}")


def test_several_runs_have_one_line_each_and_only_panels_that_say_something() -> None:
    runs = [read_run("a", detailed(), "tokens"), read_run("b", metrics(), "tokens")]
    panels = {panel.title: panel for panel in small_panels(runs)}
    assert {title: [name for name, *_ in panel.lines] for title, panel in panels.items()} == {
        "learning rate": ["a", "b"],
        "batch size, streams": ["a"],
        "gradient norm": ["a", "b"],
        "saturated, share": ["a"],
    }
    assert panels["saturated, share"].lines[0][3].y[0] == pytest.approx(0.3)
    assert not any(panel.parts for panel in panels.values())
    constant = [line | {"batch_size": 8} for line in metrics()]
    assert [panel.title for panel in small_panels([read_run("c", constant, "tokens")])] == [
        "learning rate",
        "gradient norm",
    ]


def test_dead_units_are_told_by_cell() -> None:
    lines = [line | {"dead": {"cell1": 0.5, "cell2": 0.25}} for line in metrics()]
    (panel,) = [p for p in small_panels([read_run("run", lines, "tokens")]) if p.title.startswith("dead")]
    assert [(name, curve.y[0]) for name, _, _, curve in panel.lines] == [("cell1", 0.5), ("cell2", 0.25)]


@pytest.mark.parametrize("kind", ["svg", "html"])
@pytest.mark.parametrize("unit", ["token", "prediction"])
def test_new_metrics_and_units_reach_the_picture(kind: str, unit: str, tmp_path: Path) -> None:
    out = tmp_path / f"curves.{kind}"
    draw_curves([("run", detailed())], unit=unit).save(out)
    if kind == "html":
        data, _ = check_page(out)
        assert data["unit"] == unit
        assert [panel["parts"] for panel in data["panels"]] == [False, False, True, True]
        assert len(data["runs"][0]["alone"]["y"]) == 3
        assert len(data["runs"][0]["live"]["y"]) == len(data["runs"][0]["valid"]["y"]) == 3
        assert ("perplexity" in data["runs"][0]["label"]) == (unit == "token")
        return
    texts = [node.firstChild.data for node in minidom.parse(str(out)).getElementsByTagName("text")]
    assert {f"loss, nats per {unit}", "batch size, streams", "cell10", "input gate"} <= set(texts)
    assert any("rings: without averaging" in text for text in texts)
    assert any("perplexity" in text for text in texts) == (unit == "token")


def test_a_run_that_diverged_and_came_back_is_drawn(tmp_path: Path) -> None:
    lines = [line | ({"loss": 1e17} if i < 50 else {}) for i, line in enumerate(metrics())]
    run = read_run("run", lines, "tokens")
    assert run.smooth.y[-1] == pytest.approx(run.loss.y[-5:].mean(), abs=0.2)  # no digits lost to what was huge
    draw_curves([("run", lines), ("lost", [line | {"loss": 1e300} for line in metrics()])]).save(tmp_path / "c.png")
