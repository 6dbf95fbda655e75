"""Several processes that train one student, started by torchrun: each reads other lists, gradients are added up.

    torchrun --nproc-per-node 2 -m whyrank train --config config.yaml

Every process holds the whole student. What is trained is small, an adapter and a head, so its gradient goes round as
one tensor a step; each process then takes the same step. Without torchrun there is one process and nothing to add.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed


class Group(NamedTuple):
    """The processes of a training.

    Attributes:
        rank: which of them this one is; 0 writes the files.
        size: how many there are.
        device: where this one computes.
    """

    rank: int
    size: int
    device: str

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in fp32."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.detach().float().flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(total.view_as(tensor))

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: str | None = None) -> Iterator[Group]:
    """This process among those that torchrun has started; alone without it.

    Args:
        device: as torch names it; None takes a GPU where there is one, in torchrun the process's own.
    """
    if not distributed.is_torchelastic_launched():
        yield Group(0, 1, device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return
    has_gpu = device is None and torch.cuda.is_available()
    distributed.init_process_group("nccl" if has_gpu or (device or "").startswith("cuda") else "gloo")
    try:
        rank = distributed.get_rank()
        own = device or (f"cuda:{distributed.get_node_local_rank()}" if has_gpu else "cpu")
        if own.startswith("cuda:"):
            torch.cuda.set_device(own)
        yield Group(rank, distributed.get_world_size(), own)
    finally:
        distributed.destroy_process_group()
