"""Collections of queries, documents and judgements, by one short name.

    from whyrank import datasets

    scifact = datasets.load("beir/scifact")        # or a folder, or "ir:<id of ir_datasets>"
    rankings = scifact.rankings("bm25", depth=100)
    grades = scifact.qrels

A name is looked for in the folder of the environment variable WHYRANK_DATA first, then in `ir_datasets` (an extra,
which may need the network); `known` lists the names. Nothing is read before it is asked for.
"""

from whyrank.datasets.collection import Dataset
from whyrank.datasets.finding import Known, known, load

__all__ = ["Dataset", "Known", "known", "load"]
