"""The scripts of pages, run in node with a stand-in for the browser; pictures as objects in a notebook."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import seqlab.visualization.page as pages
from seqlab.base.errors import InputError
from seqlab.embeddings import WordVectors
from seqlab.visualization import PROJECTIONS, draw_curves, draw_map
from seqlab.visualization.choices import CurveAxis
from seqlab.visualization.curves.curves import AXES
from seqlab.visualization.curves.figure import curves_figure
from seqlab.visualization.output import drawing_rules

ASSETS = Path(pages.__file__).with_name("assets")
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed; it runs the scripts of pages")
WORDS = ["king", "queen", "Kingdom", "<b>bold</b>", "river", *(f"word{i}" for i in range(35))]


def some_vectors() -> WordVectors:
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32)
    return WordVectors(WORDS, matrix, counts=np.arange(len(WORDS), 0, -1) * 100)


def some_metrics(lines: int = 40, rising: bool = False) -> list[dict]:
    return [
        {"step": i, "tokens": 10 * i, "loss": 5 - i / 20, "lr": 0.1, "grad_norm": 10.0 ** (i % 5)}
        | ({"valid_loss": 4 + (i / 10 if rising else -i / 40)} if i % 10 == 9 else {})
        for i in range(lines)
    ]


def in_node(page: pages.Page, *steps: tuple[str, Any]) -> list[dict]:
    """What a page draws at first, and after each step."""
    command = [str(NODE), str(Path(__file__).with_name("page_in_node.js")), str(ASSETS / "page.js")]
    given = json.dumps({"data": page.data, "steps": steps})
    done = subprocess.run([*command, str(ASSETS / page.script)], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def map_page() -> pages.Page:
    return draw_map(some_vectors(), method="pca", highlight="king", neighbors=3, symbols=True).page()


def test_the_choices_of_help_pages_are_the_names_of_the_tables() -> None:
    assert get_args(CurveAxis) == tuple(AXES)


@needs_node
@pytest.mark.parametrize("script", sorted(path.name for path in ASSETS.glob("*.js")))
def test_scripts_are_valid(script: str) -> None:
    done = subprocess.run([str(NODE), "--check", str(ASSETS / script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@needs_node
def test_a_map_labels_the_chosen_first_escapes_markup_and_never_overlaps() -> None:
    (first,) = in_node(map_page())
    labels = first["labels"]
    (texts,) = labels["text"]
    assert texts[0] == "<b>king</b>"
    assert "&#60;b&#62;bold&#60;/b&#62;" in texts
    assert "<b>bold</b>" not in json.dumps(first["drawn"])
    assert len(texts) > 10
    (low, high), (bottom, top) = first["view"]
    boxes = []
    for text, x, y, place in zip(texts, labels["x"][0], labels["y"][0], labels["textposition"][0], strict=True):
        strong = text.startswith("<b>")
        word = html.unescape(text).removeprefix("<b>").removesuffix("</b>") if strong else html.unescape(text)
        width, gap = 7 * len(word) * (1.4 if strong else 1), 10 if strong else 6
        left, up = (x - low) / (high - low) * 800, (top - y) / (top - bottom) * 600
        left += {"middle right": gap, "middle left": -gap - width}.get(place, -width / 2)
        up += {"top center": -16 - gap / 2, "bottom center": gap / 2}.get(place, -8)
        boxes.append((left, up, left + width, up + 16))
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])


@needs_node
def test_a_map_finds_words_zooms_to_them_and_comes_back() -> None:
    near = [word for word, _ in map_page().data["neighbors"][1]]
    other = map_page().data["words"].index(near[0])
    first, typed, found, lost, clicked, escaped = in_node(
        map_page(), ("type", "kin"), ("search", "QUEEN"), ("search", "nowhere"), ("click", other), ("key", "Escape")
    )
    assert typed["matches"] == ["king", "Kingdom"]
    assert found["message"] == f"near: {', '.join(near)}"
    assert found["labels"]["text"][0][0] == "<b>queen</b>"
    assert found["view"] != first["view"]
    assert lost["message"] == '"nowhere" is not on this map'
    assert clicked["labels"]["text"][0][0] == f"<b>{near[0]}</b>"
    assert escaped["view"] == first["view"]
    assert escaped["message"] == ""
    assert not any(text.startswith("<b>") for text in escaped["labels"]["text"][0])


@needs_node
def test_a_closer_view_labels_more_of_its_words() -> None:
    page = map_page()
    x, y = page.data["x"], page.data["y"]
    middle = [(min(x) + max(x)) / 2, (min(y) + max(y)) / 2]
    view = [[middle[0] - 0.2, middle[0] + 0.2], [middle[1] - 0.2, middle[1] + 0.2]]
    inside = [i for i in range(len(x)) if abs(x[i] - middle[0]) < 0.2 and abs(y[i] - middle[1]) < 0.2]
    first, close = in_node(page, ("show", view))
    assert {page.data["x"].index(value) for value in close["labels"]["x"][0]} <= set(inside)
    assert close["labels"]["text"][0]
    assert close["times"] == first["times"]


@needs_node
def test_the_theme_button_draws_again_in_the_same_view() -> None:
    first, dark, light = in_node(map_page(), ("theme", None), ("theme", None))
    assert [first["theme"], dark["theme"], light["theme"]] == ["light", "dark", "light"]
    assert dark["times"] == first["times"] + 1
    assert dark["view"] == first["view"]


@needs_node
@pytest.mark.parametrize("unit", ["token", "prediction"])
def test_curves_have_a_legend_above_the_plot_and_escape_names(unit: str) -> None:
    page = draw_curves([("<i>a</i>", some_metrics()), ("b", some_metrics())], unit=unit).page()
    (first,) = in_node(page)
    layout, traces = first["drawn"]["layout"], first["drawn"]["traces"]
    assert layout["legend"]["y"] > 1
    assert layout["legend"]["yanchor"] == "bottom"
    named = [trace["name"] for trace in traces if trace["showlegend"]]
    assert len(named) == 2
    assert named[0].startswith("&#60;i&#62;a&#60;/i&#62;: best validation")
    assert ("yaxis99" in layout) == (unit == "token")
    assert "<i>" not in json.dumps(first["drawn"])
    panels = [note["text"] for note in layout["annotations"]]
    assert panels == ["learning rate", "gradient norm"]
    assert [layout[f"yaxis{p + 2}"]["type"] for p in range(2)] == ["linear", "log"]


def test_legends_of_drawn_curves_hide_no_point_and_logarithmic_axes_have_few_ticks() -> None:
    curves = draw_curves([(f"runs/with-a-long-name-{i}", some_metrics(rising=True)) for i in range(4)]).curves
    with drawing_rules():
        figure = curves_figure(curves, "tokens")
        figure.canvas.draw()
        loss, *panels = figure.axes
        top = loss.get_window_extent().y1
        legend, title = (artist.get_window_extent() for artist in (loss.get_legend(), loss._left_title))
        assert legend.y0 >= top
        assert title.y0 >= legend.y1
        assert loss.get_ylim()[1] > max(run.valid.y.max() for run in curves)
        (logarithmic,) = [axes for axes in panels if axes.get_yscale() == "log"]
        assert len(logarithmic.yaxis.get_minorticklocs()) == 0
        assert len(logarithmic.yaxis.get_majorticklocs()) <= 8


@pytest.mark.parametrize("kind", ["svg", "html"])
def test_words_beneath_the_curves_are_text_and_never_markup(kind: str, tmp_path: Path) -> None:
    words = ["<i>Healthy</i>: $x_1$ fell. " + "It goes on and on. " * 30, "b: second"]
    plain, said = (draw_curves([("run", some_metrics())], words=beneath).content(kind) for beneath in ((), words))
    text = said.decode("utf-8")
    assert "&lt;i&gt;Healthy&lt;/i&gt;: $x_1$ fell." in text
    assert "b: second" in text
    assert b"b: second" not in plain
    if kind == "svg":
        heights = [float(re.search(r'height="([\d.]+)pt"', one.decode())[1]) for one in (plain, said)]
        assert heights[1] > heights[0] + 60


# Pictures as objects


def test_nothing_is_drawn_before_it_is_needed_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    pca = PROJECTIONS["pca"]
    monkeypatch.setitem(PROJECTIONS, "pca", lambda *given: calls.append(1) or pca(*given))
    picture = draw_map(some_vectors(), method="pca", source="book")
    assert repr(picture) == "MapPicture(39 words of book · PCA · not saved)"
    assert picture.to_json() | {"notes": []} == {
        "path": None,
        "format": None,
        "method": "pca",
        "words": 39,
        "labels": None,
        "perplexity": None,
        "seed": 1,
        "missing": [],
        "skipped": [],
        "notes": [],
    }
    assert calls == []
    assert picture.save(tmp_path / "new" / "map.png") == tmp_path / "new" / "map.png"
    assert picture.to_json()["labels"] > 20
    picture.save(str(tmp_path / "map.html"))
    assert picture.to_json()["labels"] is None
    assert picture.to_json()["path"] == str(tmp_path / "map.html")
    assert calls == [1]


def test_a_notebook_shows_the_page_in_a_frame_that_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw_map(some_vectors(), method="pca", only=["king", "queen", "<b>bold</b>", "gone"])
    shown = picture._repr_html_()
    assert picture.missing == ["gone"]
    frame = re.fullmatch(r'<iframe title="3 words" style="[^"]*" sandbox="([^"]*)" srcdoc="([^"]*)"></iframe>', shown)
    assert frame is not None
    assert frame[1] == "allow-scripts allow-downloads"
    page = html.unescape(frame[2])
    assert "default-src 'none'" in page
    assert "DecompressionStream" in page
    assert "https:" not in page
    assert json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page)[1])["words"][:2] == ["king", "queen"]
    assert len(shown) < 3_000_000
    assert picture._repr_png_().startswith(b"\x89PNG")
    monkeypatch.setattr("seqlab.visualization.maps.draw.MOST_STILL", 2)
    assert picture._repr_png_() is None


@needs_node
def test_the_library_of_a_notebooks_page_unpacks_to_plotly() -> None:
    from plotly.offline import get_plotlyjs

    code = (
        "const t = require('fs').readFileSync(0, 'utf8');"
        "const s = new Blob([Uint8Array.from(atob(t), (c) => c.charCodeAt(0))]).stream();"
        "new Response(s.pipeThrough(new DecompressionStream('gzip'))).text().then((x) => process.stdout.write(x));"
    )
    packed = pages._packed_library()
    done = subprocess.run([str(NODE), "-e", code], input=packed, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout == get_plotlyjs()


def test_curves_are_an_object_too(tmp_path: Path) -> None:
    picture = draw_curves([("run", some_metrics())])
    assert repr(picture) == "CurvesPicture(run: best validation 3.025 (perplexity 20.59) · against tokens · not saved)"
    assert picture._repr_html_().startswith('<iframe title="Training curves"')
    assert picture._repr_png_() == picture.content("png")
    picture.save(tmp_path / "c.svg")
    assert picture.to_json()["format"] == "svg"


def test_a_sentence_tells_when_fewer_words_are_drawn_than_requested() -> None:
    vectors = WordVectors(["a", "b", "c", ".", "<unk>"], np.eye(5))
    sentence = "3 of the 900 requested words are drawn: the vectors hold 5, 2 of them symbols or control tokens"
    (note,) = draw_map(vectors, words=900).notes
    assert note.startswith(sentence)
    assert draw_map(vectors, words=900, symbols=True).notes == [
        "5 of the 900 requested words are drawn: the vectors hold 5."
    ]
    assert draw_map(vectors).notes == draw_map(vectors, words=3).notes == []


def test_progress_of_a_layout_counts_its_iterations(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.delenv("SEQLAB_QUIET", raising=False)
    monkeypatch.setattr("seqlab.base.progress.PLAIN_INTERVAL", 0.0)
    quiet = draw_map(some_vectors(), quiet=True).wordmap.position_N2
    assert capfd.readouterr() == ("", "")
    assert np.array_equal(draw_map(some_vectors()).wordmap.position_N2, quiet)
    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("laying out 39 points    0%  0/1000 iterations")
    assert any(line.startswith("laying out 39 points    5%  50/1000 iterations") for line in lines)
    assert len(lines) >= 5
    assert "100%  1000/1000 iterations" in lines[-1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: draw_map("vectors"), "A map is drawn from word vectors, not from 'vectors'"),
        (lambda: draw_map(some_vectors(), words="king"), "map: words: must be a whole number, not 'king'"),
        (lambda: draw_curves(["runs/book"]), "pairs of a name and lines of metrics"),
        (lambda: draw_curves("runs/book"), "pairs of a name and lines of metrics"),
    ],
)
def test_the_wrong_kind_of_thing_is_refused_in_one_sentence(wrong: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        wrong()
