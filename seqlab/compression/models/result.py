"""`CompressedModel`: a smaller model, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...base.results import Result, Table, line

if TYPE_CHECKING:
    from ...trained import TrainedLanguageModel
    from ...visualization import Picture
    from ...visualization.charts.chart import Series

MEMBERS = ("network", "counts")


@dataclass(frozen=True, repr=False)
class CompressedModel(Result):
    """A compressed language model and the one it was made from.

    Attributes:
        out: its run folder.
        method: what was done, in order, such as "prune=0.8,int8".
        bytes: of its weights; the same in memory and, but for the names, on disk.
        bytes_before: of the weights before.
        scores: exact scores on the text, as `evaluate` gives them.
        scores_before: of the model before, on the same text.
        text_name: what they are scores on.
        interval: 95 % interval of the change of the network's perplexity on other text of this kind, in percent.
    """

    out: str
    method: str
    bytes: int
    bytes_before: int
    scores: Mapping[str, Any]
    scores_before: Mapping[str, Any]
    text_name: str
    interval: tuple[float, float]

    @property
    def perplexity(self) -> float:
        """Of the whole model: the network, and the counts where it has any."""
        return float(self.scores["perplexity"])

    @property
    def perplexity_before(self) -> float:
        """The same before."""
        return float(self.scores_before["perplexity"])

    @property
    def loss(self) -> float:
        """By how much the network's perplexity rose, in percent; below zero it fell."""
        return 100.0 * (network_of(self.scores)["perplexity"] / network_of(self.scores_before)["perplexity"] - 1.0)

    @property
    def smaller(self) -> float:
        """How many times smaller the weights are."""
        return self.bytes_before / self.bytes

    def __repr__(self) -> str:
        before, after = (network_of(one)["perplexity"] for one in (self.scores_before, self.scores))
        low, high = self.interval
        cost = f"network's perplexity {before:.4g} to {after:.4g} ({self.loss:+.2f} %, 95 % {low:+.2f} to {high:+.2f})"
        return line("CompressedModel", [self.out, self.method, f"{self.smaller:.3g}x smaller", cost])

    def record(self) -> dict[str, Any]:
        """What the run's config.json says of it."""
        before, after = (network_of(one)["perplexity"] for one in (self.scores_before, self.scores))
        return {
            "method": self.method,
            "bytes": self.bytes,
            "bytes_before": self.bytes_before,
            "network": after,
            "network_before": before,
            "network_change": self.loss,
            "interval": list(self.interval),
            "text": self.text_name,
        }

    def model(self) -> TrainedLanguageModel:
        """The compressed model, ready to use."""
        from ...trained import TrainedLanguageModel

        return TrainedLanguageModel.load(self.out)

    def table(self) -> Table:
        """Before and after."""
        rows: list[tuple[str, Any, Any, str]] = [
            ("weights, MB", self.bytes_before / 1e6, self.bytes / 1e6, f"{self.smaller:.2f}x smaller")
        ]
        pairs = [("perplexity", self.scores_before, self.scores)]
        for member in MEMBERS:
            if member in self.scores and member in self.scores_before:
                pairs.append((f"perplexity of the {member}", self.scores_before[member], self.scores[member]))
        for name, before, after in pairs:
            change = 100.0 * (after["perplexity"] / before["perplexity"] - 1.0)
            rows.append((name, before["perplexity"], after["perplexity"], f"{change:+.2f} %"))
        return Table(("", "before", "after", "change"), rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """What `seqlab compress --json` prints."""
        return {
            "out": self.out,
            "method": self.method,
            "bytes": self.bytes,
            "bytes_before": self.bytes_before,
            "perplexity": self.perplexity,
            "perplexity_before": self.perplexity_before,
            "network_change": self.loss,
            "interval": list(self.interval),
            "text": self.text_name,
            "scores": dict(self.scores),
            "scores_before": dict(self.scores_before),
        }


def network_of(scores: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scores of the network alone, among those of a model."""
    found: Mapping[str, Any] = scores.get("network", scores)
    return found


@dataclass(frozen=True)
class Point:
    """One method of a study.

    Attributes:
        method: what was done; "float32" is the model as trained.
        bytes: of the weights.
        perplexity: of the network.
        change: of it, in percent.
        interval: 95 % interval of the change on other text of this kind, in percent.
        tokens_per_second: by number of streams written side by side.
    """

    method: str
    bytes: int
    perplexity: float
    change: float
    interval: Sequence[float]
    tokens_per_second: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class CompressionStudy(Result):
    """A model compressed by many methods.

    Attributes:
        path: the study's folder; every method has its run folder in it.
        name: of the run.
        points: the model as trained first.
    """

    path: Path
    name: str
    points: Sequence[Point]

    def __repr__(self) -> str:
        front = [point.method for point in self.points if self.on_front(point)]
        return line("CompressionStudy", [self.name, f"{len(self.points) - 1} methods", f"front: {', '.join(front)}"])

    def on_front(self, point: Point) -> bool:
        """Whether no other point is both smaller and better (the Pareto front)."""
        return not any(
            other.bytes <= point.bytes
            and other.perplexity <= point.perplexity
            and (other.bytes, other.perplexity) != (point.bytes, point.perplexity)
            for other in self.points
        )

    def table(self) -> Table:
        """A row a method."""
        streams = list(self.points[0].tokens_per_second)
        headers = ("method", "MB", "smaller", "perplexity", "change, %", "95 % from", "to")
        rows = [
            (
                *(one.method, one.bytes / 1e6, self.points[0].bytes / one.bytes, one.perplexity, one.change),
                *one.interval,
                *(round(one.tokens_per_second[key]) for key in streams),
                self.on_front(one),
            )
            for one in self.points
        ]
        speeds = [f"tokens/s, {key} stream{'s' * (key != '1')}" for key in streams]
        return Table((*headers, *speeds, "on the front"), rows, repr(self))

    def picture(self) -> Picture:
        """Size against perplexity with the front, and speed against perplexity."""
        from ...visualization.charts.chart import ChartPanel
        from ...visualization.charts.picture import ChartPicture

        sizes = self._series([one.bytes / 1e6 for one in self.points], front=True)
        panels = [ChartPanel("Size", "MB of weights", "change of the perplexity, %", sizes, logarithmic=True)]
        for key in self.points[0].tokens_per_second:
            title = f"Speed, {key} stream{'s' * (key != '1')}"
            speeds = self._series([one.tokens_per_second[key] / 1e3 for one in self.points])
            panels.append(ChartPanel(title, "thousand tokens per second", "change, %", speeds, logarithmic=True))
        caption = "Further left and lower is better on the left; further right and lower on the right."
        return ChartPicture(f"{self.name}, compressed", caption, panels, self.to_json())

    def _series(self, x: Sequence[float], front: bool = False) -> list[Series]:
        """A point a method, those on the front apart; with `front` a line through these, and names in the legend."""
        from ...visualization.charts.chart import Series

        found, places = list[Series](), sorted(zip(x, self.points, strict=True), key=lambda pair: pair[0])
        for name, color in (("none is smaller and better", 1), ("others", 0)):
            some = [(place, one) for place, one in places if self.on_front(one) is (color == 1)]
            at, changes = [place for place, _ in some], [one.change for _, one in some]
            if front and color == 1:
                found.append(Series("", at, changes, "faint"))
            found.append(
                Series(name if front and some else "", at, changes, "points", color, [one.method for _, one in some])
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The points, and which are on the front."""
        return {
            "run": self.name,
            "points": [{**asdict(one), "front": self.on_front(one)} for one in self.points],
        }
