"""Damage: what can happen to a file, and digests that fit all the same."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

EXTREME_NUMBERS = (
    "-1", "0", "1", "2", "-0.0", "1e308", "-1e308", "1e400", "1e-320", "NaN", "Infinity", "nan", "inf", "127", "128",
    "255", "256", "32768", "65535", "65536", "2147483647", "2147483648", "4294967296", "9223372036854775807",
    "9223372036854775808", "-2147483649", "1000000007", "99999999999999999999999999", "9" * 5000, "1_000",
    "٣", "0x10", "1,5", "true", "null", "", "1e", "--1",
)  # fmt: skip
EXTREME_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, 1e308, -1e308, float("nan"), float("inf"), 2**31, 2**63, 2**64, 10**30,
    "", "a", "\x00", "\ud800", "\x1b[31m", "../../x", "/etc/passwd", [], {}, [[]], [1, 2], ["a"], {"a": 1}, [None],
    "9" * 5000, [[[[[[[[[[]]]]]]]]]],
)  # fmt: skip
EXTREME_BYTES = (
    b"\x00",
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x00" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\x00\x00\xc0\x7f",
    b"\x00\x00\x80\x7f",
    b"\x80",
)
NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
LARGEST = 400_000

Draw = random.Random


def flipped(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """A few bits are other ones."""
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def deleted(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """Some bytes are gone."""
    start, length = draw.randrange(len(data)), draw.choice((1, 1, 2, 8, 100))
    del data[start : start + length]
    return data


def inserted(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """There are more bytes."""
    start = draw.randrange(len(data) + 1)
    data[start:start] = draw.randbytes(draw.choice((1, 2, 4, 50)))
    return data


def repeated(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """Some bytes are there several times."""
    start, length = draw.randrange(len(data)), draw.choice((1, 8, 100, 5000))
    data[start:start] = bytes(data[start : start + length]) * draw.choice((1, 1, 3, 20))
    return data


def truncated(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """The end is missing."""
    return data[: draw.choice((0, 1, 8, len(data) // 2, len(data) - 1, draw.randrange(len(data))))]


def spliced(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """From somewhere on it is another file."""
    start = draw.randrange(len(data))
    return data[:start] + other[draw.randrange(len(other) + 1) :]


def blanked(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """A stretch is zeros, as after a crash of the machine."""
    start, length = draw.randrange(len(data)), draw.choice((1, 16, 512, 4096))
    data[start : start + length] = bytes(len(data[start : start + length]))
    return data


def with_extreme_number(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """A number in a text is another one."""
    found = list(NUMBER.finditer(data[:LARGEST]))
    if not found:
        return with_extreme_bytes(data, draw, other)
    for match in sorted(draw.sample(found, min(len(found), draw.choice((1, 1, 3)))), key=lambda one: -one.start()):
        data[match.start() : match.end()] = draw.choice(EXTREME_NUMBERS).encode()
    return data


def with_extreme_bytes(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """Some bytes are those of an extreme number, more often near the beginning."""
    written = draw.choice(EXTREME_BYTES)
    start = draw.randrange(len(data) if draw.random() < 0.5 else min(len(data), 64))
    data[start : start + len(written)] = written
    return data


def with_extreme_value(data: bytearray, draw: Draw, other: bytes) -> bytearray:
    """A value of JSON, or of one of its lines, has another type or an extreme size, or its name is gone."""
    lines = data.split(b"\n") if data.count(b"\n{") > 1 else [data]
    place = draw.randrange(len(lines))
    try:
        value = json.loads(lines[place])
    except ValueError:
        return with_extreme_number(data, draw, other)
    holder, key = draw.choice(leaves({"": value}))
    if draw.random() < 0.15:
        del holder[key]
    else:
        holder[key] = draw.choice(EXTREME_VALUES)
    if value is not None:
        lines[place] = bytearray(json.dumps(value).encode())
    return bytearray(b"\n").join(lines)


def leaves(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a value of JSON: what holds it and its key."""
    found = []
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((value, key))
        if isinstance(one, dict | list):
            found += leaves(one)
    return found


OF_BYTES: tuple[Callable[[bytearray, Draw, bytes], bytearray], ...] = (
    flipped, flipped, deleted, inserted, repeated, truncated, spliced, blanked, with_extreme_number, with_extreme_bytes,
)  # fmt: skip


def damage(path: Path, draw: Draw, other: bytes) -> str:
    """Damage a file; says how, with "anew" where the file carries a digest that fits."""
    data = bytearray(path.read_bytes())
    if not data or draw.random() < 0.02:
        path.unlink()
        if draw.random() < 0.5:
            path.mkdir()
            return "a folder instead"
        return "removed"
    if path.suffix == ".safetensors" and draw.random() < 0.5:
        return damage_tensors(path, draw)
    how = draw.choice(OF_BYTES)
    if path.suffix in (".json", ".jsonl") and draw.random() < 0.6:
        how = with_extreme_value
    path.write_bytes(how(data, draw, other))
    return how.__name__


def damage_tensors(path: Path, draw: Draw) -> str:
    """Change arrays or texts of a tensor file and compute the digest that it carries anew."""
    from seqlab.base.files import load_tensors, save_tensors

    arrays, texts = load_tensors(path)
    if texts and draw.random() < 0.4:
        name = draw.choice(sorted(texts))
        texts[name] = with_extreme_value(bytearray(texts[name].encode()), draw, b"").decode("utf-8", "replace")
        how = f"text {name}"
    elif arrays:
        name = draw.choice(sorted(arrays))
        arrays[name] = other_array(arrays[name], draw)
        how = f"array {name} is {arrays[name].dtype} {arrays[name].shape}"
        if draw.random() < 0.1:
            del arrays[name]
            how = f"no array {name}"
    else:
        return "nothing to change"
    save_tensors(path, arrays, texts)
    return f"{how}, anew"


def other_array(array: np.ndarray, draw: Draw) -> np.ndarray:
    """An array with an extreme number in it, or of another type or shape."""
    array, kind = array.copy(), draw.choice(("number", "number", "number", "many", "type", "shape", "longer", "empty"))
    if kind in ("number", "many") and array.size and array.dtype != bool:
        extremes = [-1, 0, 1, array.size, 2**15, 2**31 - 1, 2**31, 2**62]
        if array.dtype.kind == "f":
            extremes = [np.nan, np.inf, -np.inf, 3e38, 1e-40, -1.0, 0.0]
        flat = array.reshape(-1)
        for _ in range(1 if kind == "number" else max(1, array.size // 3)):
            wanted = draw.choice(extremes)
            flat[draw.randrange(array.size)] = (
                wanted if array.dtype.kind == "f" else wanted % (np.iinfo(array.dtype).max + 1)
            )
    elif kind == "type":
        with np.errstate(all="ignore"):
            array = array.astype(
                draw.choice(("int8", "uint8", "int32", "int64", "float16", "float32", "float64", "bool"))
            )
    elif kind == "shape":
        array = array.reshape(draw.choice(([-1], [1, -1], [-1, 1])))
    elif kind == "longer" and array.ndim:
        array = np.concatenate([array, array[-1:]] if draw.random() < 0.5 else [array, array, array])
    elif kind == "empty" and array.ndim:
        array = array[:0]
    return array


def with_fitting_digests(folder: Path) -> bool:
    """Compute the digests of a folder anew, as far as its files let us. Returns whether that was done."""
    from seqlab.base.files import write_manifest

    try:
        if (folder / "corpus.json").is_file():
            _corpus_digests(folder)
        names = [
            str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file() and one.name != "manifest.json"
        ]
        write_manifest(folder, names)
    except Exception:  # whatever a damaged file makes of it
        return False
    return True


def _corpus_digests(folder: Path) -> None:
    from seqlab.base.files import write_json
    from seqlab.text import load_tokenizer
    from seqlab.text.ids.token_file import SplitCounts, corpus_digest

    header = json.loads((folder / "corpus.json").read_bytes())
    for name, split in header["splits"].items():
        digest = hashlib.sha256()
        for shard in split["shards"]:
            shard["bytes"] = (folder / shard["name"]).stat().st_size
            digest.update((folder / shard["name"]).read_bytes())
        documents = np.load(folder / f"{name}.documents.npy", allow_pickle=False)
        digest.update(documents.tobytes())
        split["counts"] |= {"documents": len(documents), "sha256": digest.hexdigest()}
    counts = {name: SplitCounts(**split["counts"]) for name, split in header["splits"].items()}
    header["digest"] = corpus_digest(load_tokenizer(folder / "tokenizer.json").digest, counts)
    write_json(folder / "corpus.json", header)
