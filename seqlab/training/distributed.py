"""Data-parallel training: every process reads its own streams of one joint batch, gradients are averaged, process 0
writes. Started by torchrun; without it there is one process and nothing here does anything.

    torchrun --nproc-per-node=2 -m seqlab_cli.main train lm book.txt -o runs/book

On several machines, on each of them, with the run in a folder that all of them see:

    torchrun --nnodes=2 --nproc-per-node=1 --rdzv-backend=c10d --rdzv-endpoint=FIRST_MACHINE:29500 \\
        -m seqlab_cli.main train lm book.txt -o SHARED/runs/book
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from ..base.errors import InputError


class World:
    """The processes that train one model together.

    Attributes:
        rank: number of this process; 0 writes and speaks.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def local_device(self, device: str) -> str:
        """The device of this process: GPUs are dealt out by torchrun's LOCAL_RANK."""
        return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if self.size > 1 and device == "cuda" else device

    def rows(self, batch_size: int) -> slice:
        """This process's streams of a joint batch.

        Raises:
            InputError: they cannot be dealt out evenly.
        """
        if batch_size % self.size:
            raise InputError(f"a batch of {batch_size} streams cannot be shared by {self.size} processes evenly.")
        share = batch_size // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    @contextmanager
    def one_after_the_other(self) -> Iterator[None]:
        """Process 0 goes first, the others follow: they find in the cache what it left there."""
        if not self.first:
            self.barrier()
        yield
        if self.first:
            self.barrier()

    def barrier(self) -> None:
        """Wait for all."""
        if self.size > 1:
            dist.barrier()

    def agreed(self, *figures: float) -> list[float]:
        """What process 0 gave, in every process."""
        if self.size == 1:
            return list(figures)
        shared = torch.tensor(figures, dtype=torch.float64)
        dist.broadcast(shared, 0)
        return [float(figure) for figure in shared]

    def any(self, flag: bool) -> bool:
        """Whether it is true in some process."""
        if self.size == 1:
            return flag
        shared = torch.tensor(float(flag))
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return bool(shared)

    def mean_(self, tensor: Tensor) -> Tensor:
        """Replace `tensor` by its mean over all processes."""
        if self.size > 1:
            host = tensor.cpu()
            dist.all_reduce(host)
            tensor.copy_(host / self.size)
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """`tensor` of every process, in their order; shapes may differ in the first dimension."""
        if self.size == 1:
            return [tensor]
        host = tensor.cpu()
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(host)]))
        longest = max(map(int, lengths))
        padded = torch.cat([host, host.new_zeros(longest - len(host), *host.shape[1:])])
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        return [part[: int(length)].to(tensor.device) for part, length in zip(parts, lengths, strict=True)]


def join() -> World:
    """The processes torchrun started, or this one alone. Joins them on first use."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return World()
    if not dist.is_initialized():
        dist.init_process_group("gloo")
        atexit.register(leave)
    return World(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """End the group's threads before the process does, which aborts otherwise."""
    if dist.is_initialized():
        dist.destroy_process_group()
