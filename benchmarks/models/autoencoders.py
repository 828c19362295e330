"""Autoencoders over lines: what settings bring, what is remembered of a held-out line, how good the bound is, whether
collapse is named, and lines of the prior.

`settings` trains a variational autoencoder for every `--try`, each a line of the table, counts new lines among those of
the prior, and prints some, with lines between two others. `bounds` trains one next to a language model of the decoder's
size, and says how often each has read the lines; `--set epochs=N` lets both read them as often, where minutes leave the
language model several times the passes. `reconstruction` trains every kind with one budget and writes held-out lines
again (BLEU where sacrebleu is installed: pip install sacrebleu). `collapse` trains models that must collapse (no
annealing, no free bits, a decoder that sees everything) and healthy ones, and counts which of them the report names.

    python -m benchmarks.models.autoencoders settings names.txt --minutes 1 --try default --try "no bits: free_bits=0"
    python -m benchmarks.models.autoencoders reconstruction names.txt --lines 2000 --steps 600 --rows autoencoders/names

With `--cpu-time` minutes are those that this process has the CPU, for a machine with other work.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.rows import add_option, record, slug

Figures = dict[str, float | None]

KINDS: dict[str, dict[str, Any]] = {
    "plain": {"kind": "plain"},
    "denoising": {"kind": "denoising"},
    "stacked, 2 layers": {"kind": "plain", "layers": 2, "stacked": True},
    "joint, 2 layers": {"kind": "plain", "layers": 2},
    "variational": {"kind": "variational"},
}
COLLAPSING = {"annealing": "none", "free_bits": 0.0, "word_dropout": 0.0, "dropout": 0.0}
STEPS = 6
"""Lines of an interpolation, both ends included."""


class Measurement(NamedTuple):
    """What is to be measured. text: of one item a line. options: of all trainings. count: lines to write, or runs.
    keep: folder in which runs stay."""

    text: Path
    options: dict[str, Any]
    count: int
    tries: dict[str, dict[str, Any]]
    keep: Path | None

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """Where a run is written."""
        if self.keep is not None:
            yield self.keep / slug(name)
            return
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / "run"


def trained(task: Measurement, own: dict[str, Any], folder: Path, baseline: Path | None = None) -> Any:
    """A `TrainedAutoencoder`."""
    from seqlab.autoencoders.train import train_autoencoder
    from seqlab.autoencoders.trained import TrainedAutoencoder
    from seqlab.config import AutoencoderConfig, merge

    given = merge({}, AutoencoderConfig.qualified({**task.options, **own}))
    run, model, summary = train_autoencoder(str(task.text), folder, quiet=True, given=given, baseline=baseline)
    return TrainedAutoencoder(run, summary=summary, model=model)


def held_out(ae: Any, most: int) -> list[str]:
    """Validation lines that are short enough, as text."""
    from seqlab.autoencoders.lines import short_lines
    from seqlab.evaluation.sources import read_source
    from seqlab.text.ids.lines import line_lengths

    tokens = short_lines(read_source(ae.run, None, "valid").tokens, ae.run.config.autoencoder.max_length or 10**9)
    pairs = zip(tokens.documents[:most].tolist(), line_lengths(tokens)[:most].tolist(), strict=True)
    return [ae.tokenizer.decode(tokens[start : start + length - 1]) for start, length in pairs]


def cut(ae: Any, line: str) -> list[str]:
    """A line in what edits are counted in: words where the text has some, else characters."""
    return list(line) if ae.tokenizer.kind in ("char", "byte") else line.split()


def edits(a: list[str], b: list[str]) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        left, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(left[j] + 1, row[j - 1] + 1, left[j - 1] + (x != y)))
    return row[-1]


def bounds_of(valid: dict[str, Any]) -> Figures:
    """The figures of validation lines."""
    return {
        "-log p at most [nats/line]": valid["nll"],
        "± [nats/line]": 1.96 * valid["iw_error"],
        "-ELBO [nats/line]": -valid["elbo"],
        "KL [nats/line]": valid["kl"],
        "mutual information [nats]": valid["mutual_information"],
        "active units": valid["active_units"],
    }


def writing(ae: Any, count: int) -> Figures:
    """New lines among those of the prior, and how gradually lines change between two held-out ones."""
    found: Figures = {}
    for name, options in (("likeliest", {}), ("drawn", {"temperature": 1.0})):
        items = ae.sample(count, seed=1, **options)
        found[f"new lines, {name} tokens [%]"] = 100 * float(np.mean([not one.seen for one in items]))
        if not options:
            found["different lines [%]"] = 100 * len({one.text for one in items}) / count
        print(f"{name}:", [one.text for one in items[:12]], flush=True)
    lines, jumps = held_out(ae, 20), []
    for a, b in zip(lines[::2], lines[1::2], strict=False):
        texts = ae.interpolate(a, b, STEPS).texts
        print("between", a, "and", b, texts, flush=True)
        cuts = [cut(ae, text) for text in texts]
        steps = [edits(*pair) for pair in zip(cuts, cuts[1:], strict=False)]
        jumps.append(max(steps) / max(1, edits(cuts[0], cuts[-1])))
    found["largest step between two lines [% of their distance]"] = 100 * float(np.mean(jumps))
    return found


def settings(task: Measurement) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name, own in task.tries.items():
        with task.folder(name) as folder:
            ae = trained(task, own, folder)
            found[name] = {**bounds_of(ae.summary["valid"]), **writing(ae, task.count), "steps": ae.summary["steps"]}
            print(name, found[name], flush=True)
    return found


def bounds(task: Measurement) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name, own in task.tries.items():
        with task.folder(name) as folder:
            ae = trained(task, own, folder, folder.with_name("lm"))
            valid, lm = ae.summary["valid"], ae.summary["baseline"]
            nats = lm["valid"]["nats_per_token"] * valid["tokens"] / valid["lines"]
            found[name] = {**bounds_of(valid), **reading(ae.summary, ae)}
            of = "" if len(task.tries) == 1 else f", {name}"
            found[f"language model of the decoder's size{of}"] = {
                "-log p at most [nats/line]": nats,
                **reading(lm, ae),
            }
            print(name, found, valid, flush=True)
    return found


def reading(summary: dict[str, Any], ae: Any) -> Figures:
    """How much of the lines a training has read, and in which time."""
    tokens = ae.run.record["corpus"]["splits"]["train"]["tokens"]
    return {"steps": summary["steps"], "passes": summary["tokens"] / tokens, "minutes": summary["seconds"] / 60}


def reconstruction(task: Measurement) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name, own in KINDS.items():
        with task.folder(name) as folder:
            ae = trained(task, own, folder)
            lines = held_out(ae, task.count)
            written = ae.reconstruct(lines)
            pairs = [(cut(ae, a), cut(ae, b)) for a, b in zip(lines, written, strict=True)]
            found[name] = {
                "exact match [%]": 100 * float(np.mean([a == b for a, b in pairs])),
                "edit distance [per token]": sum(edits(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs),
                "BLEU": bleu(pairs),
                "reconstruction [nats/line]": ae.summary["valid"]["reconstruction"],
                "KL [nats/line]": ae.summary["valid"].get("kl"),
                "active units": ae.summary["valid"].get("active_units"),
                "steps": ae.summary["steps"],
            }
            print(name, found[name], list(zip(lines, written, strict=True))[:5], flush=True)
    return found


def bleu(pairs: list[tuple[list[str], list[str]]]) -> float | None:
    """Of written lines against the lines, None where sacrebleu is not installed."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        print("sacrebleu is not installed: no BLEU")
        return None
    lines, written = ([" ".join(tokens) for tokens in side] for side in zip(*pairs, strict=True))
    return float(BLEU(tokenize="none", effective_order=True).corpus_score(written, [lines]).score)


def detection(task: Measurement) -> dict[str, Figures]:
    from seqlab.autoencoders import train
    from seqlab.autoencoders.figures import collapse

    train.LIKELIHOOD_SECONDS = 0.0
    found: dict[str, Figures] = {}
    for name, own in (("made to collapse", COLLAPSING), ("healthy", {})):
        named, kls, information = 0, [], []
        for seed in range(1, task.count + 1):
            with task.folder(f"{name} {seed}") as folder:
                scores = trained(task, {**own, "seed": seed}, folder).run.scores
                named += bool(collapse(scores).findings)
                kls.append(scores.kl)
                information.append(scores.mutual_information)
        found[name] = {
            "named collapsed [of 10]": 10 * named / task.count,
            "KL [nats/line]": float(np.mean(kls)),
            "mutual information [nats]": float(np.mean(information)),
        }
        print(name, named, "of", task.count, kls, information, flush=True)
    return found


WHAT: dict[str, Callable[[Measurement], dict[str, Figures]]] = {
    "settings": settings,
    "bounds": bounds,
    "reconstruction": reconstruction,
    "collapse": detection,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("text", type=Path, help="one item a line")
    parser.add_argument("--lines", type=int, default=0, help="of the text to take, drawn by chance; 0: all")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--cpu-time", action="store_true", help="minutes count while this process has the CPU")
    parser.add_argument("--count", type=int, default=100, help="held-out lines, drawn lines, or runs of each sort")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--try", action="append", default=[], metavar="NAME: KEY=VALUE ...", dest="tries")
    parser.add_argument("--keep", type=Path, help="folder for the runs; by default none stays")
    parser.add_argument("--note", default="")
    add_option(parser)
    args = parser.parse_args()
    if args.cpu_time:  # before any other module takes the clock
        time.monotonic = time.process_time
    from seqlab.config import parse_set

    options: dict[str, Any] = {"threads": 1, **parse_set(args.settings)}
    options |= {name: value for name in ("steps", "minutes") if (value := getattr(args, name)) is not None}
    tries = {name.strip(): parse_set(own.split()) for name, _, own in (one.partition(":") for one in args.tries)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        lines = args.text.read_text("utf-8").splitlines()
        chosen = np.random.default_rng(0).permutation(len(lines))[: args.lines or len(lines)]
        path.write_text("\n".join(lines[number] for number in sorted(chosen.tolist())) + "\n", "utf-8")
        found = WHAT[args.what](Measurement(path, options, args.count, tries or {"variational": {}}, args.keep))
    where = "one thread, CPU time, other work beside it" if args.cpu_time else "one thread, shared with other work"
    record(args.rows, found, where=where, note=args.note)


if __name__ == "__main__":
    main()
