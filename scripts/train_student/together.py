"""What several students say together, as the targets of one: labelled groups again, and lists that no one labelled.

    python scripts/train_student/together.py --members build/student/research build/student/plain-long

The labelled groups are drawn once, by the shares of one epoch. The unlabelled ones are of every query whose texts are
of MS MARCO: eight of BM25's first thirty among all those texts, the first three always. The target is the mean of the
members' logits. Writes a groups.npz with the column "taught" beside the others, and groups.json; each member's scores
are kept on the way, and read again where they stand.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from groups import SOURCES, Group, Pool
from learning import SHARES, Data
from mine import joined
from numpy.typing import NDArray
from overlap import words
from prepare import MS_MARCO, as_arrays, kept_away
from score import restored, scores
from tokenizers import Tokenizer

from whyrank.encode.weights import SHIPPED
from whyrank.types import Document

Array = NDArray[Any]
POOL = "pool"
SIZE, SURE, DEPTH = 8, 3, 30


def drawn(data: Data, shares: dict[str, float], seed: int) -> list[int]:
    """Groups of one epoch, none twice, and those that are held out."""
    rng = np.random.default_rng(seed)
    chosen = [g for n in shares for g in rng.permutation(data.of(n))[: round(min(1.0, shares[n]) * len(data.of(n)))]]
    held_out = [g for n in data.names for g in data.of(n, held_out=True)]
    return sorted(int(g) for g in chosen + held_out)


def kept(data: Data, groups: list[int]) -> dict[str, Any]:
    """The columns with these groups alone."""
    pairs = [p for g in groups for p in data.pairs(g)]
    spans = [slice(int(data.pair_starts[p]), int(data.columns["ends"][p])) for p in pairs]
    by_token = {n: np.concatenate([data.columns[n][s] for s in spans]) for n in ("ids", "sentences")}
    by_pair = {n: data.columns[n][pairs] for n in ("target", "gold", "known")}
    by_group = {n: data.columns[n][groups] for n in ("source", "order", "held_out")}
    ends = np.cumsum([s.stop - s.start for s in spans])
    sizes = [len(data.pairs(g)) for g in groups]
    return {
        "names": data.columns["names"], **by_token, **by_pair, **by_group, "ends": ends, "group_end": np.cumsum(sizes)
    }  # fmt: skip


def unlabelled(folder: Path, seed: int) -> list[Group]:
    """A list for every query that training may see, of the texts of all."""
    rng = np.random.default_rng(seed)
    found = [g for n in MS_MARCO for g in SOURCES[n].read(folder / SOURCES[n].folder, np.random.default_rng(seed))]
    pool = Pool([Document(str(i), text) for i, text in enumerate(dict.fromkeys(t for g in found for t in g.texts))])
    lists = []
    for query in {words(g.query): g.query for g in found}.values():
        near = pool.near(query, DEPTH)
        if len(near) >= SIZE:
            others = rng.permutation(len(near) - SURE)[: SIZE - SURE] + SURE
            texts = tuple(pool.texts[near[int(i)]] for i in (*range(SURE), *others))
            lists.append(Group(POOL, query, texts, (0.0,) * SIZE, "label", (None,) * SIZE))
    return lists


def member_scores(folder: Path, columns: dict[str, Any], out: Path) -> Array:
    """One logit a pair."""
    import torch

    torch.set_num_threads(1)
    path = out / f"member-{folder.name}.npy"
    if not path.exists():
        each = np.arange(len(columns["ends"]))
        found = {"ids": columns["ids"], "ends": columns["ends"], "did": each, "owner": each}
        np.save(path, scores(restored(folder), found, torch.bfloat16))
    return np.asarray(np.load(path))


def main() -> None:
    """Draw, ask every member, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WHYRANK_DATA", "../shared/data")))
    parser.add_argument("--members", type=Path, nargs="+", required=True)
    parser.add_argument("--shares", default="research", choices=tuple(SHARES))
    parser.add_argument("--out", type=Path, default=Path("build/student-together"))
    parser.add_argument("--seed", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "asked.npz"
    if not path.exists():
        away = kept_away(given.data, seed=0)
        held_out = {words(q) for q in away.lists}
        lists = [g for g in unlabelled(given.data, given.seed) if words(g.query) not in held_out]
        arrays, report = as_arrays({POOL: lists}, Tokenizer.from_file(str(SHIPPED / "tokenizer.json")), away)
        data = Data(given.data_folder / "groups.npz")
        np.savez(path, **joined(kept(data, drawn(data, SHARES[given.shares], given.seed)), arrays))
        sources = json.loads((given.data_folder / "groups.json").read_text())
        (given.out / "groups.json").write_text(json.dumps(sources | report, indent=1) + "\n")
    with np.load(path) as asked:
        columns = {name: asked[name] for name in asked.files}
    n = len(given.members)
    with ProcessPoolExecutor(max_workers=min(n, os.cpu_count() or 1)) as workers:
        said = list(workers.map(member_scores, given.members, [columns] * n, [given.out] * n))
    np.savez(given.out / "groups.npz", **columns, taught=np.mean(said, axis=0).astype(np.float32))


if __name__ == "__main__":
    main()
