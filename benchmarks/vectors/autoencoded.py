"""Word vectors in fewer dimensions by an autoencoder, next to principal components (`seqlab compress --method dim=N`).

    python -m benchmarks.vectors.autoencoded VECTORS [--rows vectors/autoencoded]

The encoder is linear or has one hidden layer, the decoder has one; both learn to write unit vectors again. Recall is
that of `seqlab compress`: the share of a word's ten nearest neighbours that are found in fewer dimensions, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from seqlab import load_vectors
from seqlab.compression.vectors.measure import recall
from seqlab.compression.vectors.reduce import fewer_dimensions
from seqlab.embeddings import WordVectors

from .. import rows

WORDS, DIMENSIONS = 20_000, (10, 25, 50)
HIDDEN, STEPS, BATCH, RATE = 256, 2_500, 256, 2e-3


def one_hidden_layer(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, outputs))


def encoded(unit_VD: torch.Tensor, encoder: nn.Module, dim: int) -> np.ndarray:
    """(V, K) codes of unit vectors after training with mean cosine distance."""
    decoder = one_hidden_layer(dim, unit_VD.shape[1])
    optimizer = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)
    for _ in range(STEPS):
        batch_BD = unit_VD[torch.randint(len(unit_VD), (BATCH,))]
        loss = 1 - torch.cosine_similarity(batch_BD, decoder(encoder(batch_BD))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return np.asarray(encoder(unit_VD).numpy(), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", type=Path)
    rows.add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    vectors = load_vectors(arguments.vectors).subset(WORDS)
    unit_VD = nn.functional.normalize(torch.from_numpy(np.array(vectors.matrix)))
    found: dict[str, dict[str, float | None]] = {}
    for dim in DIMENSIONS:
        torch.manual_seed(0)
        encoders = {"linear": nn.Linear(vectors.dim, dim), "hidden layer": one_hidden_layer(vectors.dim, dim)}
        matrices = {"principal components": np.asarray(fewer_dimensions(vectors, dim).matrix)}
        matrices |= {f"autoencoder, {name} encoder": encoded(unit_VD, one, dim) for name, one in encoders.items()}
        for name, matrix in matrices.items():
            kept = recall(vectors, WordVectors(vectors.words, matrix, vectors.counts, {}))[0]
            found.setdefault(name, {})[f"recall@10, {dim} of {vectors.dim} dimensions"] = kept
        print(found, flush=True)
    rows.record(arguments.rows, found, "principal components", where="one thread, other work beside it")


if __name__ == "__main__":
    main()
