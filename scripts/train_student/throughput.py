"""Training steps of the same groups, unpadded and padded: same loss, same gradients, how much faster.

    python scripts/train_student/throughput.py --data-folder build/student [--steps 8] [--dtype bfloat16]

The padded body is written out here as libraries run it: every pair as long as the longest of the step, the mask in
attention and in the mean. Times are processor time of this process, the two taken in turn.
"""

import argparse
import time
from pathlib import Path

import torch
from learning import Data, Settings, epochs, step_losses
from torch import Tensor
from torch.nn import functional

from whyrank.train import losses
from whyrank.train.body import EPSILON, HEADS, Batch, Read, Student, shipped_numbers

# P pairs, T tokens of the longest, W width, H heads


def padded(student: Student, numbers: dict[str, Tensor], batch: Batch, dtype: torch.dtype) -> Read:
    """What `Student.read` says, over padded rows."""

    def linear(x_PTW: Tensor, name: str) -> Tensor:
        a, b = student.adapter[f"{name}.a"].to(dtype), (student.scale * student.adapter[f"{name}.b"]).to(dtype)
        x_PTW = x_PTW.to(dtype)
        return x_PTW @ numbers[f"{name}.weight"].to(dtype) + (x_PTW @ a) @ b

    def norm(x_PTW: Tensor, name: str) -> Tensor:
        weight, bias = numbers[f"{name}.weight"], numbers[f"{name}.bias"]
        return functional.layer_norm(x_PTW, weight.shape, weight, bias, EPSILON)

    ids_PT = torch.nn.utils.rnn.pad_sequence(batch.ids_N.split(list(batch.lengths)), batch_first=True)
    pairs, longest = ids_PT.shape
    lengths = torch.tensor(batch.lengths)[:, None]
    there_PT = torch.arange(longest) < lengths
    x = norm(numbers["word"][ids_PT] + numbers["position"][:longest], "norm")
    for n in range(student.layers):
        qkv = linear(x, f"{n}.qkv") + numbers[f"{n}.qkv.bias"].to(dtype)
        q, k, v = qkv.view(pairs, longest, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        likeness = (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).masked_fill(~there_PT[:, None, None], -torch.inf)
        mixed = (torch.softmax(likeness, dim=3) @ v).transpose(1, 2).reshape(pairs, longest, -1)
        y = norm(linear(mixed, f"{n}.attention").float() + numbers[f"{n}.attention.bias"] + x, f"{n}.attention.norm")
        up = functional.gelu(linear(y, f"{n}.up") + numbers[f"{n}.up.bias"].to(dtype))
        x = norm(linear(up, f"{n}.down").float() + numbers[f"{n}.down.bias"] + y, f"{n}.down.norm")
    means = (x * there_PT[:, :, None]).sum(dim=1) / lengths
    return Read(means @ student.heads["relevance"], (x @ student.heads["evidence"])[there_PT])


def main() -> None:
    """Take steps in turn; print the ratio and the largest differences."""
    parser = argparse.ArgumentParser(description="Unpadded against padded training steps.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    given = parser.parse_args()
    data, settings, dtype = Data(given.data_folder / "groups.npz"), Settings(), getattr(torch, given.dtype)
    numbers = shipped_numbers()
    student = Student(numbers, rank=settings.rank, scale=settings.scale, seed=0)
    generator = torch.Generator().manual_seed(0)
    for tensor in student.parameters().values():
        tensor.data += 0.02 * torch.randn(tensor.shape, generator=generator)
    weights = {"pairwise": settings.pairwise, "listwise": settings.listwise, "evidence": settings.evidence}
    groups = epochs(data, settings)
    seconds, tokens, slots = {"unpadded": 0.0, "padded": 0.0}, 0, 0
    apart_loss = apart_gradient = 0.0
    for step in range(given.steps + 1):
        chosen = [next(groups) for _ in range(settings.groups)]
        batch = data.batch([p for g in chosen for p in data.pairs(g)])
        found = {}
        for name in seconds:
            started = time.process_time()
            read = student.read(batch, dtype=dtype) if name == "unpadded" else padded(student, numbers, batch, dtype)
            loss = losses.weighted_sum(step_losses(data, chosen, batch, read, settings), weights)
            loss.backward()
            seconds[name] += (time.process_time() - started) * (step > 0)  # the first warms up
            found[name] = loss.item(), {n: t.grad for n, t in student.parameters().items() if t.grad is not None}
            for tensor in student.parameters().values():
                tensor.grad = None
        (one, mine), (other, theirs) = found["unpadded"], found["padded"]
        apart_loss = max(apart_loss, abs(one - other))
        apart_gradient = max(apart_gradient, *(float((mine[n] - theirs[n]).abs().max()) for n in mine))
        tokens += len(batch.ids_N) * (step > 0)
        slots += len(batch.lengths) * max(batch.lengths) * (step > 0)
    print(f"{given.dtype}, {given.steps} steps, {tokens} tokens in {slots} padded places ({slots / tokens:.2f} times)")
    print(" · ".join(f"{name} {tokens / s:.0f} tokens a second" for name, s in seconds.items()))
    print(f"{seconds['padded'] / seconds['unpadded']:.2f} times as fast unpadded")
    print(f"largest difference: loss {apart_loss:.1e}, gradient {apart_gradient:.1e}")


if __name__ == "__main__":
    main()
