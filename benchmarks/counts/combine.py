"""How a network and the Kneser-Ney counts of its text are best combined, after training for seconds or minutes.

    python -m benchmarks.counts.combine shakespeare --time 10s 1m 5m  mixtures whose weight is one number, by bucket,
    by a gate on the hidden state, and network and counts trained together
    python -m benchmarks.counts.combine wikitext-2 --time 10s --rows counts/combine

Test perplexity of each; whatever is tuned is tuned on stretches of the validation text. Trainings and what they read
are kept in a folder, so that another mixture is tried in seconds. Budgets are steps (see `texts`): one thread, so the
results do not depend on what else the machine does; seconds are CPU time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import pickle
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.base.devices import torch_globals_restored
from seqlab.models.counts.kneser_ney import NGramModel

from .. import rows
from . import networks, texts
from .caches import Recent, recent
from .geometric import Exponents
from .knowledge import Known, Places, additions, places, score, tables
from .networks import CountedWindows, MixedWindows, Read
from .weights import Gate, bucket_weights, buckets, features, flat_weights, loss

WAYS = {
    "alone": "alone",
    "alone-no-dropout": "alone without dropout",
    "product": "product",
    "product-half": "product with half of log p of the counts",
    "product-no-dropout": "product without dropout",
    "mixed": "trained as a mixture",
    "mixed-both": "trained as a mixture and by itself",
}
"""How the network was trained, for short and in words."""
POOL = 50_000
"""Validation tokens that are scored for tuning, spread over the text."""
TUNING = (5_000, 20_000)
"""How many of them weights are tuned on; the last one unless several are tried."""
TEST = 60_000
"""Test tokens that are scored, spread over the text."""
STRENGTH = 50.0
"""Tokens at the overall weight that every bucket is smoothed by."""
KINDS = {
    "counts": "what the counts know",
    "summary": "that and the network's entropy and peak",
    "hidden": "the hidden state",
    "both": "all of these",
}
"""Features of the gate, see `weights.features`, and the same in words."""
TIMES = {"10s": "10 s", "1m": "1 min", "5m": "5 min", "60m": "60 min"}
PENALTIES = (3e-3, 3e-4)
"""On the gate's weights; the best on the validation tokens that it was not fitted to is taken."""


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What `make` returned once; written by this program into its own folder, never read from elsewhere."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return value


class Study:
    """One text: its counts, and the combinations after a training of some length."""

    def __init__(self, name: str):
        self.name, self.corpus = name, texts.corpus(name)
        self.start_id, self.size = self.corpus.tokenizer.start_id, len(self.corpus.tokenizer.vocab)
        self.valid, self.test = self.corpus.valid, self.corpus.test
        began, found = time.process_time(), {}
        for order in texts.ORDERS[name]:
            model = NGramModel.train(self.corpus.train, self.size, self.start_id, order)
            found[order] = -model.log_probs(self.valid).mean(), model
        self.order = min(found, key=lambda order: float(found[order][0]))
        self.counts = found[self.order][1]
        self.tables = tables(self.counts)
        self.places = {split: places(self.counts, self.corpus.splits[split]) for split in ("train", "valid", "test")}
        tuning = texts.spread_places(self.valid, POOL)
        rest = np.setdiff1d(np.arange(len(self.valid)), tuning)[:: max(1, len(self.valid) // 30_000)]
        self.at = {"valid": np.concatenate([tuning, rest]), "test": texts.spread_places(self.test, TEST, 1.0)}
        self.tuned, self.rest = np.arange(len(tuning)), len(tuning) + np.arange(len(rest))
        self.known = {split: self.knows(split) for split in ("valid", "test")}
        self.log_u_V = np.log(self.tables.u_V)
        print(f"{name}: counts of {self.order} tokens, {time.process_time() - began:.0f} s", file=sys.stderr)

    def knows(self, split: str) -> Known:
        """What the counts know at the scored places of a text."""
        return score(self.tables, Places(*(part[self.at[split]] for part in self.places[split])))

    def path(self, *parts: str) -> Path:
        return texts.WORK.joinpath(self.name, *parts)

    def network(self, budget: str, way: str) -> dict[str, Any]:
        """Train, and read validation and test text: {"valid", "test": Read, and figures of the training}; for a mixture
        that was trained together also the counts' "weights" by split."""
        kind, steps = way.split("-")[0], texts.STEPS[self.name][budget]
        given = {"model": {"dropout": 0.0}} if "no-dropout" in way else None
        share = 0.5 if "half" in way else 1.0
        bias_V = self.log_u_V if kind == "product" else None
        look, windows = None, networks.PlainWindowReader
        if kind == "product":

            def windows(model: Any) -> CountedWindows:
                return CountedWindows(model, self.tables, self.places["train"], share)

        elif kind == "mixed":
            own = 1.0 if "both" in way else 0.0
            known = score(self.tables, self.places["train"], loo=True)
            bucket_N, size = buckets(known, self.order)

            def windows(model: Any) -> MixedWindows:
                return MixedWindows(model, known.log_p_N, bucket_N, size, own)

        def added(split: str) -> dict[str, Any]:
            return {"added": (self.tables, self.places[split]), "share": share} if kind == "product" else {}

        def weights(split: str, model: Any, read: Read, part: np.ndarray) -> np.ndarray:
            bucket_K = buckets(self.known[split], self.order)[0][part]
            return networks.gate_weights(model, read.hidden_ND, bucket_K)

        def quick(model: Any) -> float:
            text, some = self.valid, self.tuned[:10_000]
            streams = max(1, min(32, len(text) // 1000))
            read = networks.read(
                model, text, self.start_id, streams=streams, at_K=self.at["valid"][some], **added("valid")
            )
            if kind != "mixed":
                return float(-read.log_p_N.mean())
            weight_K = weights("valid", model, read, some)
            pair = np.stack([read.log_p_N, self.known["valid"].log_p_N[some]], 1)
            return loss(pair, np.stack([1 - weight_K, weight_K], 1))

        if self.size < 1024:
            look = quick
        with torch_globals_restored():
            net = networks.train(self.corpus, steps, windows, bias_V, look, given)
            found: dict[str, Any] = {"steps": steps, "tokens": net.tokens, "looks": net.look_losses}
            for split in ("valid", "test"):
                text = self.corpus.splits[split]
                found[split] = networks.read(net.model, text, self.start_id, at_K=self.at[split], **added(split))
            output = net.model.output
            found["output"] = output.weight.detach().numpy().copy(), output.bias.detach().numpy().ravel().copy()
            if kind == "mixed":
                found["weights"] = {
                    split: weights(split, net.model, found[split], np.arange(len(self.at[split])))
                    for split in ("valid", "test")
                }
        return {**found, "seconds": {"training": net.seconds, "reading": found["test"].seconds}}

    def caches(self) -> dict[str, Recent]:
        """The recent words at the scored places, with the reach, decay and match that suit counts on tuning text."""

        def cache(split: str, *knobs: Any) -> Recent:
            return recent(np.asarray(self.corpus.splits[split][:]), self.at[split], *knobs, self.size)

        best: tuple[float, Any] = (math.inf, None)
        for knobs in itertools.product((4000,), (1.0, 0.9995, 0.999), (5.0, 20.0, 80.0)):
            found = cache("valid", *knobs)
            log_p_NM = np.stack([self.known["valid"].log_p_N, found.log_p_K], 1)[self.tuned]
            nats = loss(log_p_NM, flat_weights(log_p_NM))
            best = min(best, (nats, knobs))
        print(f"cache: reach, decay, match {best[1]}", file=sys.stderr)
        return {split: cache(split, *best[1]) for split in ("valid", "test")}

    def mixtures(self, nets: dict[str, Any] | None, cache: bool = False, gates: bool = True) -> dict[str, Any]:
        """Test losses of the mixtures of network (if any), counts and cache (if wanted), each with what it took."""
        splits = ("valid", "test")
        columns = {split: [self.known[split].log_p_N] for split in splits}
        extra: dict[str, list[np.ndarray]] = {split: [] for split in splits}
        if nets is not None:
            columns = {split: [nets[split].log_p_N, *columns[split]] for split in splits}
        if cache:
            for split, found in self.kept_caches().items():
                columns[split].append(found.log_p_K)
                extra[split] += [found.longest_K, np.log1p(self.at[split])]
        pairs = {split: np.stack(columns[split], 1) for split in splits}
        tuned, rest = self.tuned, self.rest
        found: dict[str, dict[str, float]] = {}

        def add(name: str, weight_NM: np.ndarray, **more: float) -> None:
            found[name] = {"nats": loss(pairs["test"], weight_NM), **more}

        members = ["network"] * (nets is not None) + ["counts"] + ["cache"] * cache
        for number, name in enumerate(members):
            if name != "cache":
                add(name, np.eye(len(members))[number])
        if nets and "weights" in nets and not cache:
            weight_N = nets["weights"]["test"]
            add("gate trained together", np.stack([1 - weight_N, weight_N], 1))
        weights = flat_weights(pairs["valid"][tuned])
        add("one weight", weights, **dict(zip(members, weights.tolist(), strict=True)))
        place = {split: buckets(self.known[split], self.order) for split in splits}
        (valid_N, size), (test_N, _) = place["valid"], place["test"]
        if cache:
            shared = {split: np.minimum(one.longest_K, 3) for split, one in self.kept_caches().items()}
            valid_N, test_N, size = 4 * valid_N + shared["valid"], 4 * test_N + shared["test"], 4 * size
        for count in TUNING:
            some = self.some(count)
            if some is None:
                continue
            weight_KM = bucket_weights(pairs["valid"][some], valid_N[some], size, weights, STRENGTH)
            add(f"weight by bucket, {len(some):,} tuning tokens", weight_KM[test_N])
        for kind in KINDS if gates else ():
            if nets is None and kind != "counts":
                continue
            for count in TUNING if kind == "both" else TUNING[-1:]:
                some = self.some(count)
                if some is None:
                    continue
                x = {
                    split: np.column_stack([features(kind, nets and nets[split], self.known[split]), *extra[split]])
                    for split in splits
                }
                began, tried = time.process_time(), []
                for l2 in PENALTIES:
                    gate = Gate(l2).fit(pairs["valid"][some], x["valid"][some], valid_N[some], size)
                    nats = loss(pairs["valid"][rest], gate.weights(x["valid"][rest], valid_N[rest]))
                    tried.append((nats, l2, gate))
                _, l2, gate = min(tried, key=lambda one: one[0])
                seconds = (time.process_time() - began) / len(tried)
                name = f"gate by {KINDS[kind]}, {len(some):,} tuning tokens"
                add(name, gate.weights(x["test"], test_N), l2=l2, seconds=seconds)
        return found

    def all_words(self, split: str, at: np.ndarray) -> np.ndarray:
        """log P of every word by the counts (K, V) at some of the scored places."""
        seen = Places(*(part[self.at[split][at]] for part in self.places[split]))
        added_KV, own_K = np.zeros((len(at), self.size), np.float32), np.empty(len(at))
        additions(self.tables, seen, False, np.arange(self.size), added_KV, own_K)
        added_KV += self.log_u_V.astype(np.float32)
        return added_KV - np.logaddexp.reduce(added_KV, axis=1, keepdims=True)

    def geometric(self, nets: dict[str, Any]) -> dict[str, dict[str, float]]:
        """Test losses of the geometric mixtures of network and counts: for small vocabularies, as all words matter."""
        splits, found = ("valid", "test"), {}
        place = {split: buckets(self.known[split], self.order) for split in splits}
        ids = {split: np.asarray(self.corpus.splits[split][:], np.int64)[at] for split, at in self.at.items()}
        tuned = self.some(TUNING[-1])
        assert tuned is not None

        def inputs(kind: str, split: str, at: np.ndarray) -> tuple[Any, ...]:
            x_NF = features(kind, nets[split], self.known[split])
            both = [nets[split].log_p_NV[at], self.all_words(split, at)]
            return both, ids[split][at], x_NF[at], place[split][0][at]

        for kind in ("none", *KINDS):
            began, tried = time.process_time(), []
            for l2 in PENALTIES if kind != "none" else PENALTIES[-1:]:
                one = Exponents(l2, flat=kind == "none").fit(*inputs(kind, "valid", tuned), place["valid"][1])
                tried.append((-one.log_probs(*inputs(kind, "valid", self.rest)).mean(), l2, one))
            seconds = (time.process_time() - began) / len(tried)
            _, l2, one = min(tried, key=lambda some: float(some[0]))
            nats = -one.log_probs(*inputs(kind, "test", np.arange(len(self.at["test"])))).mean()
            network, counts = one.bias_2.tolist()
            name = "two exponents" if kind == "none" else f"by {KINDS[kind]}"
            found[f"geometric, {name}"] = {
                "nats": float(nats),
                "l2": l2,
                "seconds": seconds,
                "network": network,
                "counts": counts,
            }
        return found

    @cached_property
    def _caches(self) -> dict[str, Recent]:
        return self.caches()

    def kept_caches(self) -> dict[str, Recent]:
        """`caches`, made once."""
        return self._caches

    def some(self, count: int) -> np.ndarray | None:
        """Places of `count` tuning tokens, None where the text has not enough of them."""
        if count > len(self.tuned):
            return self.tuned if count == TUNING[-1] else None
        stretch = texts.STRETCH
        return self.tuned[(self.tuned // stretch) % (len(self.tuned) // count) == 0][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", choices=texts.TEXTS)
    parser.add_argument("--time", nargs="*", default=["10s", "1m", "5m"], choices=["10s", "1m", "5m", "60m"])
    parser.add_argument("--ways", nargs="+", default=["alone"], choices=WAYS, help="how the network was trained")
    parser.add_argument("--cache", action="store_true", help="with the words of the text so far as a third member")
    parser.add_argument("--geometric", action="store_true", help="also p^a q^b, for texts of characters")
    rows.add_option(parser)
    options = parser.parse_args()
    study = Study(options.text)
    lines: dict[str, dict[str, float | None]] = {}
    if options.cache:
        lines |= shown("no network, with the cache: ", {}, study.mixtures(None, True))
    for budget in options.time:
        for way in options.ways:
            path = study.path(budget, f"{way}.pkl")
            nets = kept(path, lambda budget=budget, way=way: study.network(budget, way))
            found = study.mixtures(nets) | (study.geometric(nets) if options.geometric and way == "alone" else {})
            lines |= shown(f"{TIMES[budget]}, {WAYS[way]}: ", nets, found)
            if options.cache:
                lines |= shown(f"{TIMES[budget]}, {WAYS[way]}, with the cache: ", nets, study.mixtures(nets, True))
    note = f"test text, counts of {study.order} tokens; CPU time on one thread beside other work"
    rows.record(options.rows and f"{options.rows}-{options.text}", lines, note=note)


def shown(prefix: str, nets: dict[str, Any], found: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Print the losses after a training; the same as lines of a table."""
    counts = math.exp(found["counts"]["nats"])
    print(
        json.dumps({key: nets[key] for key in ("steps", "tokens", "seconds", "looks") if key in nets}), file=sys.stderr
    )
    lines = {}
    for name, one in found.items():
        perplexity = math.exp(one["nats"])
        more = {key: float(f"{value:.3g}") for key, value in one.items() if key != "nats"}
        share = perplexity / counts
        print(f"{prefix}{name}: {one['nats']:.4f} nats, {perplexity:.2f}, {share:.3f}", more or "", flush=True)
        lines["counts alone" if name == "counts" else prefix + name] = {
            "perplexity": perplexity,
            "share of counts alone": share,
            "loss [nats per token]": one["nats"],
            "training [s]": nets["seconds"]["training"] if name == "network" else None,
            "fitting [s]": one.get("seconds"),
        }
    return lines


if __name__ == "__main__":
    main()
