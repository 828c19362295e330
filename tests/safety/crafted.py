"""Folders that pass every digest and are wrong: made by changing one, then computing all digests anew."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.base.files import load_tensors, save_tensors, write_json, write_manifest
from seqlab.text import load_tokenizer
from seqlab.text.ids.token_file import SplitCounts, corpus_digest

Change = Callable[[Path, dict[str, Any]], None]


def crafted_corpus(original: Path, folder: Path, change: Change) -> Path:
    """A copy of a corpus after `change(folder, header)`, with digests that fit."""
    shutil.copytree(original, folder)
    header = json.loads((folder / "corpus.json").read_text("utf-8"))
    change(folder, header)
    for name, split in header["splits"].items():
        digest = hashlib.sha256()
        for shard in split["shards"]:
            file = folder / shard["name"]
            shard["bytes"] = file.stat().st_size
            digest.update(file.read_bytes())
        documents = np.load(folder / f"{name}.documents.npy", allow_pickle=False)
        digest.update(documents.tobytes())
        split["counts"]["documents"] = len(documents)
        split["counts"]["sha256"] = digest.hexdigest()
    counts = {name: SplitCounts(**split["counts"]) for name, split in header["splits"].items()}
    header["digest"] = corpus_digest(load_tokenizer(folder / "tokenizer.json").digest, counts)
    write_json(folder / "corpus.json", header)
    write_manifest(folder, [file.name for file in folder.iterdir() if file.name != "manifest.json"])
    return folder


def id_beyond(seed: int, types: int) -> Change:
    """One id, or a few, at or beyond the vocabulary: another place, shard, split, type and size for every seed."""
    draw = random.Random(seed)

    def change(folder: Path, header: dict[str, Any]) -> None:
        name = draw.choice(list(header["splits"]))
        split = header["splits"][name]
        if draw.random() < 0.5:  # ids of four bytes
            for one in header["splits"].values():
                for shard in one["shards"]:
                    ids = np.fromfile(folder / shard["name"], one["dtype"])
                    ids.astype(np.uint32).tofile(folder / shard["name"])
                one["dtype"] = "uint32"
        file = folder / draw.choice(split["shards"])["name"]
        ids = np.fromfile(file, split["dtype"])
        most = np.iinfo(ids.dtype).max
        wrong = draw.choice([types, types + 1, types + draw.randrange(2000), most // 2, most - 1, most])
        place = draw.choice([0, len(ids) - 1, draw.randrange(len(ids))])
        ids[place : place + draw.choice([1, 1, 5])] = wrong
        ids.tofile(file)

    return change


def wrong_documents(kind: str) -> Change:
    """Offsets of documents that are negative, beyond the text, in descending order or huge."""

    def change(folder: Path, header: dict[str, Any]) -> None:
        file = folder / "train.documents.npy"
        documents, tokens = np.load(file), header["splits"]["train"]["counts"]["tokens"]
        last = len(documents) - 1
        documents[{"negative": 0, "beyond": last, "huge": last, "descending": last // 2}[kind]] = {
            "negative": -5,
            "beyond": tokens + 1,
            "huge": 2**62,
            "descending": tokens,
        }[kind]
        np.save(file, documents)

    return change


def crafted_tensors(path: Path, change: Callable[[dict[str, np.ndarray], dict[str, str]], None]) -> None:
    """Change the arrays, or the texts, of a tensor file that carries its own digest."""
    arrays, texts = load_tensors(path)
    change(arrays, texts)
    save_tensors(path, arrays, texts)
    manifest = path.parent / "manifest.json"
    if manifest.exists():
        write_manifest(path.parent, list(json.loads(manifest.read_text())["files"]))
