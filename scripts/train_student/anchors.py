"""Lists on which nothing is to change: long queries and other trades, with the plain evidence's own scores as targets.

    python scripts/train_student/anchors.py --data-folder build/student-together --out build/student-interaction

What teachers and labels ask about are short questions; a body that learns from those alone forgets the rest. A passage
of each collection is put as a query to its neighbours in BM25, and NFCorpus' queries to theirs; no label of theirs is
read. Writes a groups.npz: the given groups, whose column "taught" is now what the students say beside the evidence
(`together.py`), or the evidence alone where no student was asked; and the anchors, whose "taught" is what
`train_interaction.py` starts from; and groups.json.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from groups import SOURCES, Group, Pool
from learning import SHARPNESS, Data, Settings
from mine import joined
from prepare import DRAWN, as_arrays, kept_away
from tokenizers import Tokenizer

from whyrank.encode.weights import SHIPPED
from whyrank.types import Document

EACH, SIZE, DEPTH = 220, 6, 20
LONG = 300  # characters of a passage that is a long query


def anchors(folder: Path, name: str, seed: int) -> list[Group]:
    """The lists, drawn with the seed."""
    rng = np.random.default_rng(seed)
    lists = []
    for source in DRAWN[name]:
        found = list(SOURCES[source].read(folder / SOURCES[source].folder, np.random.default_rng(seed)))
        pool = Pool([Document(str(i), t) for i, t in enumerate(dict.fromkeys(t for g in found for t in g.texts))])
        long = [t for t in pool.texts.values() if len(t) >= LONG]
        queries = [long[i] for i in rng.permutation(len(long))[:EACH]]
        if source == "nfcorpus":
            queries += list(dict.fromkeys(g.query for g in found))
        for query in queries:
            near = [t for t in (pool.texts[i] for i in pool.near(query, DEPTH)) if t != query]
            texts = tuple(near[i] for i in sorted(rng.permutation(len(near))[:SIZE].tolist()))
            if len(texts) == SIZE:
                lists.append(Group(name, query, texts, (0.0,) * SIZE, "label", (None,) * SIZE))
    return lists


def main() -> None:
    """Draw, join, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-together"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WHYRANK_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("build/student-interaction"))
    parser.add_argument("--name", default="anchors", choices=[name for name in DRAWN if name.startswith("anchors")])
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    away = kept_away(given.data, seed=0)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    arrays, report = as_arrays({given.name: anchors(given.data, given.name, given.seed)}, tokenizer, away)
    columns = Data(given.data_folder / "groups.npz").columns
    alone = np.float32(SHARPNESS)
    is_asked = "taught" in columns
    columns["taught"] = (
        columns["taught"] + np.float32(Settings().known) * columns["known"] if is_asked else alone * columns["known"]
    )
    arrays["taught"] = alone * arrays["known"]
    np.savez(given.out / "groups.npz", **joined(columns, arrays))
    sources = json.loads((given.data_folder / "groups.json").read_text())
    (given.out / "groups.json").write_text(json.dumps(sources | report, indent=1) + "\n")


if __name__ == "__main__":
    main()
