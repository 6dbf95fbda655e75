"""Several processes that train one student, started by torchrun: each reads other lists, gradients are added up.

    torchrun --nproc-per-node 2 -m whyrank train --config config.yaml

What is trained is small, an adapter and a head: every process holds it, its gradient goes round as one tensor a step,
and each process then takes the same step. The frozen layers are whole in every process too, unless `shard` has spread
them. Without torchrun there is one process and nothing to add.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.device_mesh import init_device_mesh
from transformers.modeling_layers import GradientCheckpointingLayer

from whyrank._extras import require
from whyrank.errors import BadInput, MissingExtra
from whyrank.rankers.student_network import Network
from whyrank.train.learning_student import LearningStudent

Item = TypeVar("Item")


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

    def parts(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """What each process takes of them, by rank."""
        return [items[rank :: self.size] for rank in range(self.size)]

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


def require_sharding(group: Group) -> None:
    """Refuse what cannot be sharded, before anything is read.

    Raises:
        BadInput: there is one process.
        MissingExtra: this torch is too old.
    """
    if group.size == 1:
        raise BadInput(
            "'model.shard' is 'fsdp', which spreads a model over processes, and there is one: start several (torchrun "
            "--nproc-per-node 2 -m whyrank train …), or set model.shard to none"
        )
    _fully_shard()


def shard(network: Network, group: Group) -> None:
    """Spread the frozen weights of a network's layers over the processes; a layer is brought together to be used.

    Embeddings, output head and what is trained stay whole in each. From now on a pass is taken by all processes at
    once: `keep_pace`.

    Raises:
        BadInput: the model's layers cannot be told.
        MissingExtra: this torch is too old.
    """
    model, fully_shard = network.causal.base_model, _fully_shard()
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise BadInput(f"{type(network.causal).__name__} has no layers that can be sharded; set model.shard to none")
    mesh = init_device_mesh(torch.device(group.device).type, (group.size,))
    trained = set(network.trainable().values())
    for layer in layers:
        fully_shard(layer, mesh=mesh, ignored_params=trained)
    # The model itself holds nothing more, and makes its layers fetch the next one while one computes.
    fully_shard(model, mesh=mesh, ignored_params=set(model.parameters()))


def keep_pace(student: LearningStudent, group: Group, passes: Sequence[int]) -> None:
    """Take the passes that other processes take and this one does not; nothing is learnt in them.

    Args:
        student: whose model is sharded; a layer is there when all processes ask for it.
        group: the processes.
        passes: how many each of them takes, by rank.
    """
    for _ in range(max(passes) - passes[group.rank]):
        nothing = student.score([("", ("",))], packed=False)[0].sum() * 0
        if torch.is_grad_enabled():
            nothing.backward()


def _fully_shard() -> Any:
    found = getattr(require("torch.distributed.fsdp", extra="train", purpose="model.shard"), "fully_shard", None)
    if found is None or "ignored_params" not in inspect.signature(found).parameters:
        raise MissingExtra(
            f"'model.shard' is 'fsdp', which needs a newer torch than {torch.__version__} (its fully_shard with "
            "ignored_params): pip install --upgrade torch, or set model.shard to none"
        )
    return found
