"""What a step of training reads and what it loses: groups.npz as batches, epochs, losses, figures on held-out lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whyrank.train import losses
from whyrank.train.body import Batch, Read, Student, sentence_scores

# Q groups of a step, D candidates of the longest group

BROAD = {  # how often an epoch shows each group of a source
    "dual-reasons": 2.0, "windows": 1.0, "rank-zephyr": 1.0, "splade": 1.0, "instructir": 0.6, "trecqa": 1.0,
    "checkthat": 0.3, "scifact": 0.5, "nfcorpus": 0.5, "squad": 0.12, "nq": 0.25, "pubmedqa": 0.4, "medquad": 0.4,
}  # fmt: skip
RESIDUAL = {  # without NFCorpus, whose unlabelled texts are as good as its labelled ones, and with less that is easy
    "dual-reasons": 2.0, "windows": 1.2, "rank-zephyr": 1.0, "splade": 2.0, "instructir": 0.3, "trecqa": 1.0,
    "checkthat": 0.1, "scifact": 0.5, "squad": 0.12, "nq": 0.1, "pubmedqa": 0.2, "medquad": 0.4,
}  # fmt: skip
RESEARCH = {
    "dual-reasons": 2.0, "windows": 1.0, "rank-zephyr": 1.5, "splade": 1.0, "instructir": 0.5, "trecqa": 1.0,
    "checkthat": 0.3, "scifact": 0.5, "squad": 0.3, "nq": 0.3, "pubmedqa": 0.3, "medquad": 0.5,
}  # fmt: skip
OPEN = {"squad": 1.0, "nq": 0.5, "pubmedqa": 0.5, "medquad": 1.0}
OPEN_PLAIN = {"squad": 0.4, "nq": 0.7, "pubmedqa": 0.7, "medquad": 1.0}
LISTS = {"dual-reasons": 1.0, "windows": 1.0}
TOGETHER = {**dict.fromkeys(RESEARCH, 1.0), "dual-reasons": 2.0, "pool": 1.0}  # of what `together.py` drew by RESEARCH
MINED = {
    **TOGETHER,
    **dict.fromkeys(("mined-nq", "mined-instructir", "mined-squad", "mined-scifact"), 0.5),
}  # `mine.py`
INTERACTION = {**TOGETHER, "anchors": 1.0}  # what `anchors.py` adds
OPEN_INTERACTION = {**OPEN, "anchors-open": 1.0}
SHARES = {
    "broad": BROAD, "residual": RESIDUAL, "research": RESEARCH, "mined": MINED, "open-plain": OPEN_PLAIN, "open": OPEN,
    "lists": LISTS, "together": TOGETHER, "interaction": INTERACTION, "open-interaction": OPEN_INTERACTION,
}  # fmt: skip
SHARPNESS = 20.0  # logits a unit of the evidence's score is worth where its own body is trained
TEMPERATURE = 2.0  # of what is taught, as published for DeAR


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that fixes a run but the data and the machine."""

    data: str = "research"  # a key of SHARES
    seed: int = 0
    rank: int = 32
    scale: float = 2.0
    rate: float = 5e-4
    head_rate: float = 2e-3
    warm_up: float = 0.05
    groups: int = 8
    pairs: int = 45_000
    pairwise: float = 0.4
    listwise: float = 0.4
    evidence: float = 0.2
    taught: float = 0.0  # of the KL to what several students say together, where the groups hold it
    known: float = 10.0  # logits a unit of the evidence ranker's score is worth, where the student is added to it
    alone: float = 0.5  # share of the ranking losses that the student bears alone, without the evidence
    lists: int = 0  # teacher lists used at most, 0 for all


class Data:
    """groups.npz, opened."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as found:
            self.columns: dict[str, Any] = {name: found[name] for name in found.files}
        self.names = [str(n) for n in self.columns["names"]]
        self.group_starts = np.concatenate([[0], self.columns["group_end"][:-1]])
        self.pair_starts = np.concatenate([[0], self.columns["ends"][:-1]])

    def of(self, *names: str, held_out: bool = False) -> np.ndarray[Any, Any]:
        """Groups of these sources."""
        sources = [self.names.index(n) for n in names]
        return np.flatnonzero(np.isin(self.columns["source"], sources) & (self.columns["held_out"] == held_out))

    def pairs(self, group: int) -> range:
        """The group's pairs."""
        return range(int(self.group_starts[group]), int(self.columns["group_end"][group]))

    def batch(self, pairs: list[int]) -> Batch:
        """These pairs, end to end."""
        spans = [slice(int(self.pair_starts[p]), int(self.columns["ends"][p])) for p in pairs]
        ids = np.concatenate([self.columns["ids"][s] for s in spans]).astype(np.int64)
        sentences = np.concatenate([self.columns["sentences"][s] for s in spans]).astype(np.int64)
        return Batch(torch.from_numpy(ids), torch.from_numpy(sentences), tuple(s.stop - s.start for s in spans))


def epochs(data: Data, settings: Settings) -> Iterator[int]:
    """Groups without end: each epoch holds every source's share, drawn and shuffled with the seed."""
    rng = np.random.default_rng(settings.seed)
    allowed = {name: data.of(name) for name in SHARES[settings.data]}
    if settings.lists:
        every = np.concatenate([allowed[name] for name in LISTS])
        kept = rng.permutation(every)[: settings.lists]
        allowed = {n: np.intersect1d(g, kept) if n in LISTS else g for n, g in allowed.items()}
    while True:
        epoch: list[int] = []
        for name, groups in allowed.items():
            wanted = round(SHARES[settings.data][name] * len(groups))
            while wanted > 0:
                epoch += rng.permutation(groups)[:wanted].tolist()
                wanted -= len(groups)
        yield from rng.permutation(epoch).tolist()


def step_losses(data: Data, chosen: list[int], batch: Batch, read: Read, settings: Settings) -> dict[str, Tensor]:
    """The losses of one step that have a weight; those of ranking for the student alone and beside the evidence."""
    sizes = [len(data.pairs(g)) for g in chosen]
    pairs = [p for g in chosen for p in data.pairs(g)]
    known_P = settings.known * torch.from_numpy(data.columns["known"][pairs])
    targets_QD = table([torch.from_numpy(data.columns["target"][list(data.pairs(g))]) for g in chosen])
    mask_QD = table([torch.ones(n) for n in sizes]) > 0
    is_order_Q = torch.from_numpy(data.columns["order"][chosen])
    found: dict[str, Tensor] = {}
    for added_P, share in ((0 * known_P, settings.alone), (known_P, 1 - settings.alone)):
        if not share:
            continue
        scores_QD = table(list((read.scores_P + added_P).split(sizes)))
        if settings.pairwise:
            loss = share * losses.rank_net(scores_QD, targets_QD, mask_QD)
            found["pairwise"] = found.get("pairwise", 0) + loss
        if settings.listwise:
            loss = share * listwise(scores_QD, targets_QD, mask_QD, is_order_Q)
            found["listwise"] = found.get("listwise", 0) + loss
        if settings.taught:
            taught_P = torch.from_numpy(data.columns["taught"][pairs]) + added_P
            taught_QD = table(list(taught_P.split(sizes)))
            loss = share * losses.kl(scores_QD, taught_QD, mask_QD, temperature=TEMPERATURE)
            found["taught"] = found.get("taught", 0) + loss
    if settings.evidence:
        found["evidence"] = evidence_loss(data, pairs, batch, read)
    return found


def listwise(scores_QD: Tensor, targets_QD: Tensor, mask_QD: Tensor, is_order_Q: Tensor) -> Tensor:
    """ListNet on a teacher's order, by the number of texts that stand above; softmax cross-entropy on a label."""
    better = (targets_QD[:, None, :] > targets_QD[:, :, None]) & mask_QD[:, None, :]
    on_order = losses.list_net(scores_QD, -better.sum(dim=2).float(), mask_QD & is_order_Q[:, None])
    on_label = losses.softmax_cross_entropy(scores_QD, targets_QD, mask_QD & ~is_order_Q[:, None])
    share = is_order_Q.float().mean()
    return share * on_order + (1 - share) * on_label


def evidence_loss(data: Data, pairs: list[int], batch: Batch, read: Read) -> Tensor:
    """Cross-entropy of the sentence that carries the reason, over the pairs where one is known and others stand."""
    gold = data.columns["gold"][pairs].tolist()
    rows = [(s, g) for s, g in zip(sentence_scores(read, batch), gold, strict=True) if 0 <= g < len(s) and len(s) > 1]
    if not rows:
        return read.tokens_N.sum() * 0
    scores, there = table([s for s, _ in rows]), table([torch.ones(len(s)) for s, _ in rows]) > 0
    wanted = torch.nn.functional.one_hot(torch.tensor([g for _, g in rows]), scores.shape[1])
    return losses.softmax_cross_entropy(scores, wanted, there)


def table(rows: list[Tensor]) -> Tensor:
    """Rows of different lengths as one [Q, D], filled with zeros."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def held_out_figures(data: Data, student: Student, known: float = 10.0) -> dict[str, float]:
    """On the held-out teacher lists: share of the teacher's preferences kept, and sentences pointed at as it did."""
    right = preferences = pointed = sentences = together = 0
    for group in data.of("dual-reasons", held_out=True):
        pairs = list(data.pairs(group))
        batch = data.batch(pairs)
        with torch.no_grad():
            read = student.read(batch, dtype=torch.bfloat16)
        targets = torch.from_numpy(data.columns["target"][pairs])
        prefers = targets[:, None] > targets[None, :]
        right += int(((read.scores_P[:, None] > read.scores_P[None, :]) & prefers).sum())
        both = read.scores_P + known * torch.from_numpy(data.columns["known"][pairs])
        together += int(((both[:, None] > both[None, :]) & prefers).sum())
        preferences += int(prefers.sum())
        for scores, gold in zip(sentence_scores(read, batch), data.columns["gold"][pairs].tolist(), strict=True):
            if 0 <= gold < len(scores) and len(scores) > 1:
                pointed += int(scores.argmax()) == gold
                sentences += 1
    kept = {"teacher_pairs": right / preferences, "with_known": together / preferences}
    return kept | {"pointed": pointed / sentences, "sentences": sentences}
