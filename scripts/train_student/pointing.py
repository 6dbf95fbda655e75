"""How often simple rules point at the teacher's sentence, on the held-out lists: what the evidence head must beat.

    python scripts/train_student/pointing.py --data-folder build/student

The first sentence; the sentence with the highest BM25 (over word pieces, document frequencies from all training
pairs); the sentence whose vector is nearest to the query's in the shipped body.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from learning import Data
from numpy.typing import NDArray

from whyrank.encode.engine import Encoder, unit
from whyrank.encode.passages import CLS, SEP, Passage

Ids = NDArray[Any]
K1, B = 0.9, 0.4


def parts(data: Data, pair: int) -> tuple[Ids, list[Ids]]:
    """The query's tokens, and those of each sentence."""
    span = slice(int(data.pair_starts[pair]), int(data.columns["ends"][pair]))
    ids, places = data.columns["ids"][span], data.columns["sentences"][span]
    query = ids[1 : int(np.flatnonzero(ids == SEP)[0])]
    return query, [ids[places == s] for s in range(int(places.max()) + 1)]


def bm25(query: Ids, sentences: list[Ids], rarity: NDArray[np.float64]) -> list[float]:
    """BM25 of each sentence within its passage."""
    mean = sum(map(len, sentences)) / len(sentences)

    def one(sentence: Ids) -> float:
        found = {int(t): int(np.count_nonzero(sentence == t)) for t in set(query.tolist())}
        long = K1 * (1 - B + B * len(sentence) / mean)
        return sum(float(rarity[t]) * n * (K1 + 1) / (n + long) for t, n in found.items())

    return [one(s) for s in sentences]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Baselines of pointing.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    given = parser.parse_args()
    data = Data(given.data_folder / "groups.npz")
    frequency = np.zeros(30_522)
    for start, end in zip(data.pair_starts, data.columns["ends"], strict=True):
        frequency[np.unique(data.columns["ids"][start:end])] += 1
    total = len(data.columns["ends"])
    rarity = np.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
    encoder = Encoder(threads=1)
    right = {"first sentence": 0, "BM25": 0, "MiniLM": 0, "chance": 0.0}
    count = 0
    for group in data.of("dual-reasons", held_out=True):
        for pair in data.pairs(group):
            gold = int(data.columns["gold"][pair])
            query, sentences = parts(data, pair)
            if not 0 <= gold < len(sentences) or len(sentences) < 2:
                continue
            read = [Passage((CLS, *map(int, t), SEP), ((0, 0),) * len(t)) for t in (query, *sentences)]
            vectors = {i: unit(v.mean(axis=0)) for i, v in encoder.run(read)}
            near = [float(vectors[0] @ vectors[i + 1]) for i in range(len(sentences))]
            count += 1
            right["first sentence"] += gold == 0
            right["BM25"] += int(np.argmax(bm25(query, sentences, rarity))) == gold
            right["MiniLM"] += int(np.argmax(near)) == gold
            right["chance"] += 1 / len(sentences)
    print(f"{count} passages\n" + "\n".join(f"| {name} | {n / count:.3f} |" for name, n in right.items()))


if __name__ == "__main__":
    main()
