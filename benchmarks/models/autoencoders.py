"""Autoencoders over lines: what is remembered of a held-out line, whether collapse is named, and lines of the prior.

`reconstruction` trains every kind with one budget on the same lines and writes held-out ones again (BLEU where
sacrebleu is installed); `collapse` trains models that must collapse (no annealing, no free bits, a decoder that sees
everything) and healthy ones, and counts which of them the report names; `prior` counts new lines among those drawn.

    python -m benchmarks.models.autoencoders reconstruction names.txt --lines 2000 --steps 600 --rows autoencoders/names
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import add_option, record
from seqlab.autoencoders.figures import collapse
from seqlab.autoencoders.train import train_autoencoder
from seqlab.autoencoders.trained import TrainedAutoencoder
from seqlab.config import AutoencoderConfig, merge
from seqlab.text.ids.lines import line_lengths

KINDS: dict[str, dict[str, Any]] = {
    "plain": {"kind": "plain"},
    "denoising": {"kind": "denoising"},
    "stacked, 2 layers": {"kind": "plain", "layers": 2, "stacked": True},
    "joint, 2 layers": {"kind": "plain", "layers": 2},
    "variational": {"kind": "variational"},
}
COLLAPSING = {"kind": "variational", "annealing": "none", "free_bits": 0.0, "word_dropout": 0.0, "dropout": 0.0}


def edits(a: list[str], b: list[str]) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        left, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(left[j] + 1, row[j - 1] + 1, left[j - 1] + (x != y)))
    return row[-1]


def trained(path: Path, options: dict[str, Any], folder: Path) -> TrainedAutoencoder:
    given = merge({}, AutoencoderConfig.qualified(options))
    run, model, summary = train_autoencoder(str(path), folder, quiet=True, given=given)
    return TrainedAutoencoder(run, summary=summary, model=model)


def held_out(ae: TrainedAutoencoder, most: int) -> list[str]:
    """Validation lines that are short enough, as text."""
    from seqlab.autoencoders.lines import short_lines
    from seqlab.evaluation.sources import read_source

    tokens = short_lines(read_source(ae.run, None, "valid").tokens, ae.run.config.autoencoder.max_length or 10**9)
    lengths_L = line_lengths(tokens)
    pairs = zip(tokens.documents[:most].tolist(), lengths_L[:most].tolist(), strict=True)
    return [ae.tokenizer.decode(tokens[start : start + length - 1]) for start, length in pairs]


def cut(line: str, by_characters: bool) -> list[str]:
    return list(line) if by_characters else line.split()


def reconstruction(path: Path, options: dict[str, Any], most: int) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, own in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            ae = trained(path, {**options, **own}, Path(folder) / "run")
            lines = held_out(ae, most)
            written = ae.reconstruct(lines)
            chars = ae.tokenizer.kind in ("char", "byte")
            pairs = [(cut(a, chars), cut(b, chars)) for a, b in zip(lines, written, strict=True)]
            bleu = None
            try:
                from sacrebleu.metrics import BLEU

                joined = [[" ".join(part) for part in side] for side in zip(*pairs, strict=True)]
                bleu = BLEU(tokenize="none", effective_order=True).corpus_score(joined[1], [joined[0]]).score
            except ImportError:
                print("sacrebleu is not installed: no BLEU")
            found[name] = {
                "exact match [%]": 100 * float(np.mean([a == b for a, b in pairs])),
                "edit distance [per token]": sum(edits(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs),
                "BLEU": bleu,
                "reconstruction [nats/line]": ae.summary["valid"]["reconstruction"],
                "KL [nats/line]": ae.summary["valid"].get("kl"),
                "active units": ae.summary["valid"].get("active_units"),
                "training [s]": ae.summary["seconds"],
            }
            print(name, found[name], list(zip(lines, written, strict=True))[:5], flush=True)
    return found


def detection(path: Path, options: dict[str, Any], runs: int) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, own in (("made to collapse", COLLAPSING), ("healthy", {"kind": "variational"})):
        named, kls, information = 0, [], []
        for seed in range(1, runs + 1):
            with tempfile.TemporaryDirectory() as folder:
                ae = trained(path, {**options, **own, "seed": seed}, Path(folder) / "run")
                scores = ae.run.scores
                assert scores is not None
                named += bool(collapse(scores).findings)
                kls.append(scores.kl)
                information.append(scores.mutual_information)
        found[name] = {
            "named collapsed [of 10]": 10 * named / runs,
            "KL [nats/line]": float(np.mean(kls)),
            "mutual information [nats]": float(np.mean(information)),
        }
        print(name, named, "of", runs, kls, information, flush=True)
    return found


def prior(path: Path, options: dict[str, Any], count: int) -> dict[str, dict[str, float | None]]:
    with tempfile.TemporaryDirectory() as folder:
        ae = trained(path, options, Path(folder) / "run")
        found: dict[str, dict[str, float | None]] = {}
        for name, writing in (("likeliest tokens", {}), ("drawn tokens", {"temperature": 1.0})):
            items = ae.sample(count, seed=1, **writing)
            found[name] = {
                "new lines [%]": 100 * float(np.mean([not one.seen for one in items])),
                "different lines [%]": 100 * len({one.text for one in items}) / count,
            }
            print(name, [one.text for one in items[:10]], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reconstruction", "collapse", "prior"])
    parser.add_argument("text", type=Path, help="one item a line")
    parser.add_argument("--lines", type=int, default=2000, help="of the text to take")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--count", type=int, default=200, help="held-out lines, runs or drawn lines")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    add_option(parser)
    args = parser.parse_args()
    from seqlab.config import parse_set

    options: dict[str, Any] = {"threads": 1, **parse_set(args.settings)}
    options |= {name: value for name in ("steps", "minutes") if (value := getattr(args, name)) is not None}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        lines = args.text.read_text("utf-8").splitlines()
        chosen = np.random.default_rng(0).permutation(len(lines))[: args.lines]
        path.write_text("\n".join(lines[number] for number in sorted(chosen.tolist())) + "\n", "utf-8")
        measure = {"reconstruction": reconstruction, "collapse": detection, "prior": prior}[args.what]
        found = measure(path, options, args.count)
    record(args.rows, found, where="one thread, shared with other work")


if __name__ == "__main__":
    main()
