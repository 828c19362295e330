"""The export of a run: an ONNX file that ONNX Runtime agrees with, its tokens, and how to use both."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...base.errors import InputError, SeqlabError
from ...base.files import atomic_file
from ...base.progress import Progress
from ...base.results import Result, Table, line
from ...base.storage.outputs import check_file, is_stream
from ...models import LanguageModel
from ...run import Run
from ...text.tokenizers.characters import ByteDecoder
from ...text.tokenizers.words import WholeWords
from .network import onnx_of, state_names
from .usage import usage

if TYPE_CHECKING:
    from ...text import Tokenizer

ENDING = ".onnx"
STEPS = 1000
"""Tokens that both read, one at a time."""
WINDOWS, BATCH, LENGTH = 2, 3, 7
"""Then so many windows of another size, by several streams."""
TOLERANCE = 1e-4
"""Nats between log-probabilities of a float32 file and of the run."""
ROUNDING = 10.0
"""A network that enlarges rounding errors may differ by so many times what its own float32 differs from float64."""


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """What an export wrote, and how it compares with the run.

    Attributes:
        path: the ONNX file.
        files: all files, the ONNX file first.
        bytes: of the ONNX file.
        int8: whether its matrices are int8.
        difference: the largest between log-probabilities of the file and of the run's network, in nats.
        cost: what the file loses on text of the network itself, in nats a token: the mean divergence of its
            distributions from the network's.
        steps: tokens read for both figures.
        counts: whether the run has counts, which are no part of the file.
    """

    path: Path
    files: tuple[Path, ...]
    bytes: int
    int8: bool
    difference: float
    cost: float
    steps: int
    counts: bool

    def __repr__(self) -> str:
        return line("Exported", [str(self.path), f"{self.bytes / 1e6:,.3g} MB", "int8" if self.int8 else "float32"])

    def table(self) -> Table:
        """A fact a row."""
        rows: list[tuple[str, Any]] = [
            ("file", str(self.path)),
            ("next to it", ", ".join(path.name for path in self.files[1:])),
            ("size", f"{self.bytes / 1e6:,.3g} MB, matrices in {'int8' if self.int8 else 'float32'}"),
            ("largest difference", f"{self.difference:.2g} nats in {self.steps:,} steps"),
            ("cost", f"{self.cost:.2g} nats per token, on text of the network itself"),
            ("holds", "the network alone, without the run's counts" if self.counts else "the network"),
        ]
        return Table(("", ""), rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """The attributes; `out` is the ONNX file."""
        return {
            "out": str(self.path),
            "files": [str(path) for path in self.files],
            "bytes": self.bytes,
            "int8": self.int8,
            "largest_difference": self.difference,
            "nats_per_token_lost": self.cost,
            "steps": self.steps,
            "counts_left_out": self.counts,
        }


def export(run: Run, out: str | Path, *, int8: bool = False, quiet: bool = False) -> Exported:
    """Write a run's network as an ONNX file, once ONNX Runtime was seen to compute the same.

    The state is an explicit input and output, so that a program generates token by token in any language that has an
    ONNX runtime. Next to `out` go `NAME.tokens.json` and `NAME.README.md`, with the loop in Python and JavaScript.
    The counts of a run are no part of it.

    Args:
        run: whose network is written.
        out: the ONNX file, replaced if it is there.
        int8: matrices in int8, a quarter of the size; otherwise float32.
        quiet: show no progress.

    Raises:
        InputError: no weights yet, a place that cannot be written to, or onnx and onnxruntime are not installed.
        SeqlabError: ONNX Runtime computes something else than the run; nothing is written.
    """
    out = Path(out)
    require_runtime()
    files = (out, out.with_name(f"{out.stem}.tokens.json"), out.with_name(f"{out.stem}.README.md"))
    if is_stream(out):
        raise InputError(f"{out}: is no file; an export is three files with names of their own.")
    for file in files:
        check_file(file)
    if out.suffix.lower() != ENDING:
        raise InputError(f"{out}: the name of an ONNX file ends in {ENDING}.")
    members = run.load_members()
    model, tokenizer = members.network, run.tokenizer
    sizes = {
        name: part.shape[1]
        for names, parts in zip(state_names(model), model.init_state(1), strict=True)
        for name, part in zip(names, parts, strict=True)
    }
    metadata = {"seqlab": str(run.record["seqlab"]), "start": str(tokenizer.start_id), "tokenizer": tokenizer.kind}
    data = onnx_of(model, metadata, int8)
    with Progress("checking", STEPS, "tokens", quiet) as progress:
        difference, cost = compare(model, data, tokenizer.start_id, None if int8 else TOLERANCE, progress)
    tokens = {
        "start": tokenizer.start_id,
        "join": " " if isinstance(tokenizer, WholeWords) else "",
        "state": sizes,
        "tokens": latin(tokenizer),
    }
    written = [
        (files[1], json.dumps(tokens, ensure_ascii=True).encode() + b"\n"),
        (files[2], usage(out.name, files[1].name, tokenizer, int8, members.counts is not None).encode()),
        (files[0], data),
    ]
    for file, content in written:
        with atomic_file(file) as handle:
            handle.write(content)
    return Exported(out, files, len(data), int8, difference, cost, STEPS, members.counts is not None)


def require_runtime() -> None:
    """Raise InputError where onnx or onnxruntime is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"export needs {error.name}, which is not installed here: pip install 'seqlab[onnx]'."
        ) from None


def latin(tokenizer: Tokenizer) -> list[str]:
    """Every token's bytes of UTF-8, each as the character with its number: pieces of a character are tokens too."""
    decoder = tokenizer.decoder()
    if isinstance(decoder, ByteDecoder):
        pieces = list(decoder.pieces)
    else:
        texts = (tokenizer.decode([id]) for id in range(len(tokenizer.vocab)))
        pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
    return [piece.decode("latin-1") for piece in pieces]


@torch.no_grad()
def compare(
    model: LanguageModel, data: bytes, start_id: int, tolerance: float | None, progress: Progress, steps: int = STEPS
) -> tuple[float, float]:
    """Read the same with ONNX Runtime and with the network: single steps of one stream through a text that the network
    draws, then windows of several streams, the state carried along.

    Args:
        model: the network.
        data: the ONNX file.
        start_id: what is read before the first token.
        tolerance: largest difference of log-probabilities that is allowed, in nats; None: any that is finite.
        progress: told the tokens read.
        steps: single steps.

    Returns:
        The largest difference of log-probabilities in nats, and the mean divergence of the file's distributions from
        the network's at the single steps, in nats.

    Raises:
        SeqlabError: a larger difference.
    """
    theirs = Session(model, data)
    draw = torch.Generator().manual_seed(0)
    id, text, largest, divergence = start_id, [start_id], 0.0, 0.0
    state, carried = model.init_state(1), theirs.init_state(1)
    for step in range(steps):
        logits_BV, state = model.step(torch.tensor([id]), state)
        exact_V = logits_BV[0].double().log_softmax(-1)
        log_probs_BTV, carried = theirs.read(np.array([[id]]), carried)
        seen_V = torch.from_numpy(log_probs_BTV[0, 0]).double()
        probs_V = exact_V.exp()
        largest = max(largest, float((seen_V - exact_V).abs().max()))
        divergence += float((probs_V * (exact_V - seen_V)).sum()) / steps
        id = int(torch.multinomial(probs_V, 1, generator=draw))
        text.append(id)
        progress.update(step + 1)
    bound = sys.float_info.max if tolerance is None else tolerance
    if largest > bound:
        bound = max(bound, ROUNDING * _rounding(model, text))
    if not largest <= bound:
        raise SeqlabError(_unequal(largest))
    tokens_KBT = torch.randint(model.vocab_size, (WINDOWS, BATCH, LENGTH), generator=draw)
    state, carried = model.init_state(BATCH), theirs.init_state(BATCH)
    for tokens_BT in tokens_KBT:
        logits_BTV, state = model.sequence_logits(tokens_BT, state)
        log_probs_BTV, carried = theirs.read(tokens_BT.numpy(), carried)
        worst = float((torch.from_numpy(log_probs_BTV) - logits_BTV.log_softmax(-1)).abs().max())
        if not worst <= bound:
            raise SeqlabError(_unequal(worst))
        largest = max(largest, worst)
    return largest, max(0.0, divergence)


def _unequal(difference: float) -> str:
    return (
        f"ONNX Runtime's log-probabilities differ from the run's by {difference:.2g} nats, so nothing was written; "
        "please report this with the versions of onnxruntime and torch."
    )


def _rounding(model: LanguageModel, text: list[int]) -> float:
    """The largest difference in log-probabilities that float32 itself makes along a text, in nats."""
    exact, largest = copy.deepcopy(model).double(), 0.0
    state, exact_state = model.init_state(1), exact.init_state(1)
    for id in text[:-1]:
        logits_BV, state = model.step(torch.tensor([id]), state)
        exact_BV, exact_state = exact.step(torch.tensor([id]), exact_state)
        largest = max(largest, float((logits_BV.double().log_softmax(-1) - exact_BV.log_softmax(-1)).abs().max()))
    return largest


class Session:
    """An ONNX file in ONNX Runtime, on one thread."""

    def __init__(self, model: LanguageModel, data: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self.model = model
        self.names = [name for names in state_names(model) for name in names]

    def init_state(self, batch: int) -> dict[str, np.ndarray]:
        """The state before any token, by its names."""
        parts = [part.numpy() for cell_state in self.model.init_state(batch) for part in cell_state]
        return dict(zip(self.names, parts, strict=True))

    def read(self, tokens_BT: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Log-probabilities (B, T, V) of each next token, and the new state."""
        log_probs_BTV, *new = self.session.run(None, {"tokens": tokens_BT, **state})
        return log_probs_BTV, dict(zip(self.names, new, strict=True))
