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
from torch.distributed.rendezvous import rendezvous

from ..base.errors import InputError, SeqlabError


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
    def together(self) -> Iterator[None]:
        """What all processes do: where it fails in one, it fails in all.

        The one that fails leaves the group, which ends whatever the others wait for; they leave too, and all can join
        again. Without that they would wait for what never comes, or take the next training for the rest of this one.
        """
        try:
            yield
        except BaseException:
            if self.size > 1:
                leave()
            raise

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
            with _reaching_all():
                dist.barrier()

    def agreed(self, *figures: float) -> list[float]:
        """What process 0 gave, in every process."""
        if self.size == 1:
            return list(figures)
        shared = torch.tensor(figures, dtype=torch.float64)
        with _reaching_all():
            dist.broadcast(shared, 0)
        return [float(figure) for figure in shared]

    def any(self, flag: bool) -> bool:
        """Whether it is true in some process."""
        if self.size == 1:
            return flag
        shared = torch.tensor(float(flag))
        with _reaching_all():
            dist.all_reduce(shared, dist.ReduceOp.MAX)
        return bool(shared)

    def mean_(self, tensor: Tensor) -> Tensor:
        """Replace `tensor` by its mean over all processes."""
        if self.size > 1:
            host = tensor.cpu()
            with _reaching_all():
                dist.all_reduce(host)
            tensor.copy_(host / self.size)
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """`tensor` of every process, in their order; shapes may differ in the first dimension."""
        if self.size == 1:
            return [tensor]
        host = tensor.cpu()
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        with _reaching_all():
            dist.all_gather(lengths, torch.tensor([len(host)]))
            longest = max(map(int, lengths))
            padded = torch.cat([host, host.new_zeros(longest - len(host), *host.shape[1:])])
            parts = [torch.empty_like(padded) for _ in range(self.size)]
            dist.all_gather(parts, padded)
        return [part[: int(length)].to(tensor.device) for part, length in zip(parts, lengths, strict=True)]


@contextmanager
def _reaching_all() -> Iterator[None]:
    """Around what all processes take part in: says so where another one is gone."""
    try:
        yield
    except RuntimeError as error:
        raise SeqlabError("another process of this training has stopped; its own message says why.") from error


class Joined:
    """How often this process has joined the others. Each time they meet under another name: what stands in the store
    from before are addresses that are no longer listened at."""

    store: dist.Store | None = None
    rank = size = times = 0


def join() -> World:
    """The processes torchrun started, or this one alone. Joins them on first use, and again after `leave`."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return World()
    if not dist.is_initialized():
        if Joined.store is None:
            Joined.store, Joined.rank, Joined.size = next(rendezvous("env://"))
            atexit.register(leave)
        Joined.times += 1
        store = dist.PrefixStore(f"seqlab-{Joined.times}", Joined.store)
        with _reaching_all():
            dist.init_process_group("gloo", store=store, rank=Joined.rank, world_size=Joined.size)
    return World(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """End the group's threads before the process does, which aborts otherwise."""
    if dist.is_initialized():
        dist.destroy_process_group()
