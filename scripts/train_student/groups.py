"""What the student learns from: one query, some texts, and what a teacher or a label says about them.

Every source is a function that reads one collection and yields `Group`s. Terms decide who may use the result:
`open` sources carry licences that allow any use; `research` sources do not, or carry none.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from whyrank import formats
from whyrank.retrieve import BM25
from whyrank.types import Document, Query

Kind = Literal["order", "label"]


@dataclass(frozen=True, slots=True)
class Group:
    """One list to learn from.

    Attributes:
        source: the collection.
        query: its text.
        texts: the candidates, titles included.
        targets: higher is more relevant; comparable within the group only.
        kind: "order" if every two different targets are a preference; "label" if targets are 0 or 1 and unlabelled
            texts may be relevant too.
        answers: for each text the characters [start, end) that carry the reason, or None.
    """

    source: str
    query: str
    texts: tuple[str, ...]
    targets: tuple[float, ...]
    kind: Kind
    answers: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A collection, its terms, and how it is read."""

    folder: str
    licence: str
    terms: Literal["open", "research"]
    read: Callable[[Path, np.random.Generator], Iterator[Group]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, plain or compressed."""
    found = path if path.exists() else path.with_name(path.name + ".gz")
    with gzip.open(found, "rt", encoding="utf-8") if found.suffix == ".gz" else found.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def existing(folder: Path, name: str) -> Path:
    """The file, plain or compressed."""
    return next(p for p in (folder / name, folder / f"{name}.gz") if p.exists())


def locate(answer: str, text: str) -> tuple[int, int] | None:
    """Where `answer` stands in `text`: exactly, else letters and digits only, else nowhere.

    >>> locate("A b!", "x. a  B, c")
    (3, 7)
    """
    at = text.find(answer) if answer.strip() else -1
    if at >= 0:
        return at, at + len(answer)
    kept = [(i, c.lower()) for i, c in enumerate(text) if c.isalnum()]
    wanted = "".join(c.lower() for c in answer if c.isalnum())
    at = "".join(c[:1] for _, c in kept).find(wanted) if len(wanted) > 2 else -1
    return (kept[at][0], kept[at + len(wanted) - 1][0] + 1) if at >= 0 else None


def dual_reasons(folder: Path, _: np.random.Generator) -> Iterator[Group]:
    """GPT-4's orders of five with the sentence that answers."""
    for row in lines(folder / "train-msmarco-500.jsonl"):
        texts = tuple(row["unsorted_docs"])
        targets = np.zeros(len(texts))
        targets[np.array(row["re_rank_id"]) - 1] = np.arange(len(texts), 0, -1)
        answers: list[tuple[int, int] | None] = [None] * len(texts)
        for reason in row["reason"]["ranked_passages"]:
            place = int(reason["identifier"]) - 1
            if 0 <= place < len(texts):
                answers[place] = locate(str(reason.get("direct_answer_sentence") or ""), texts[place])
        yield Group("dual-reasons", row["query"].lstrip(") "), texts, tuple(targets), "order", tuple(answers))


def windows(folder: Path, _: np.random.Generator) -> Iterator[Group]:
    """GPT-4's orders of windows of five, and GPT-3.5's where GPT-4 gave none."""
    seen: set[tuple[str, str]] = set()
    for name in ("gpt-4.jsonl", "gpt-3.5-turbo.jsonl"):
        for row in lines(folder / name):
            texts = tuple(row["documents"])
            if sorted(row["order"]) != list(range(len(texts))) or (row["query"], texts[0]) in seen:
                continue
            seen.add((row["query"], texts[0]))
            targets = np.zeros(len(texts))
            targets[row["order"]] = np.arange(len(texts), 0, -1)
            yield Group("windows", row["query"], texts, tuple(targets), "order", (None,) * len(texts))


def rank_zephyr(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
    """Teacher permutations over 20 passages, two lists of ten each; and 20 queries with hard negatives."""
    for row in lines(folder / "listwise.jsonl"):
        asked, answer = (next(m["content"] for m in row["messages"] if m["role"] == r) for r in ("user", "assistant"))
        query = re.search(r"relevance to the search query: (.*?)\.?\n", asked)
        texts = re.findall(r"^\[\d+\] (.*)$", asked, re.MULTILINE)
        order = [int(i) - 1 for i in re.findall(r"\[(\d+)\]", answer)]
        if query is None or sorted(order) != list(range(len(texts))):
            continue
        targets = np.zeros(len(texts))
        targets[order] = np.arange(len(texts), 0, -1)
        for part in np.array_split(rng.permutation(len(texts)), 2):
            yield Group(
                "rank-zephyr",
                query[1],
                tuple(texts[i] for i in part),
                tuple(targets[part]),
                "order",
                (None,) * len(part),
            )
    for row in lines(folder / "msmarco_pointwise_20.jsonl"):
        texts = [row[f"{sign}_passages"][i]["text"] for sign, n in (("positive", 1), ("negative", 7)) for i in range(n)]
        yield Group("rank-zephyr", row["query"], tuple(texts), (1.0,) + (0.0,) * 7, "label", (None,) * 8)


def splade(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
    """SPLADE's order of candidates from all depths of its list and of BM25's, as teacher; no judgements exist."""
    texts = {d.id: d.full_text for d in formats.read_documents(existing(folder, "corpus.jsonl"))}
    strong, weak = formats.read_run(folder / "splade.trec"), formats.read_run(folder / "bm25.trec")
    for query in formats.read_queries(folder / "queries.jsonl"):
        ranked = sorted(strong[query.id].items(), key=lambda item: -item[1])[:100]
        listed = {d for d, _ in ranked}
        below = [d for d in weak[query.id] if d not in listed]
        for _ in range(10):
            picked = [
                int(i)
                for i in (*rng.choice(10, 3, False), *(10 + rng.choice(30, 3, False)), *(40 + rng.choice(60, 2, False)))
            ]
            ids = [ranked[i][0] for i in picked] + [below[i] for i in rng.choice(len(below), 2, False)]
            targets = [100.0 - i for i in picked] + [-50.0] * 2
            yield Group("splade", query.text, tuple(texts[d] for d in ids), tuple(targets), "order", (None,) * len(ids))


class Pool:
    """Texts of one collection, searched for what looks relevant and is not labelled so."""

    def __init__(self, documents: list[Document]) -> None:
        self.texts = {d.id: d.full_text for d in documents}
        self._index = BM25.build(documents)

    def near(self, query: str, k: int = 30) -> list[str]:
        """Ids of the first k of BM25."""
        return list(self._index.search(Query("q", query), k).ids)


def labelled(
    name: str, *, negatives: int, limit: int, run: bool = False, prefix: str = ""
) -> Callable[..., Iterator[Group]]:
    """Queries with one labelled text and seeded hard negatives from BM25's first 30.

    Args:
        name: the source's name.
        negatives: how many a query.
        limit: how many queries, drawn with the seed.
        run: negatives from the given run instead of an index built here.
        prefix: of the file names ("train-").
    """

    def read(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
        corpus = f"{prefix}corpus.jsonl"
        if prefix and not any((folder / f"{corpus}{end}").exists() for end in ("", ".gz")):
            corpus = "corpus.jsonl"
        documents = formats.read_documents(existing(folder, corpus))
        given = formats.read_run(existing(folder, "bm25.trec")) if run else None
        pool = Pool(documents)
        qrels = formats.read_qrels(existing(folder, f"{prefix}qrels.trec"))
        queries = sorted(formats.read_queries(existing(folder, f"{prefix}queries.jsonl")), key=lambda q: q.id)
        found = {a["_id"]: a["answers"] for a in lines(folder / "answers.jsonl")} if name == "nq" else {}
        for query in (queries[i] for i in rng.permutation(len(queries))[:limit]):
            grades = qrels.get(query.id, {})
            positives = [d for d, g in grades.items() if g > 0 and d in pool.texts]
            if not positives:
                continue
            positive = positives[int(rng.integers(len(positives)))]
            near = list(given.get(query.id, {})) if given else pool.near(query.text)
            answers = [a for a in found.get(query.id, ()) if len(a) > 2]
            wrong = [d for d in near[:30] if grades.get(d, 0) <= 0 and not any(a in pool.texts[d] for a in answers)]
            if len(wrong) < negatives:
                continue
            chosen = [positive, *(wrong[i] for i in rng.choice(len(wrong), negatives, False))]
            texts = tuple(pool.texts[d] for d in chosen)
            place = next((locate(a, texts[0]) for a in answers if texts[0].count(a) == 1), None)
            targets = (1.0,) + (0.0,) * negatives
            yield Group(name, query.text, texts, targets, "label", (place,) + (None,) * negatives)

    return read


def squad(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
    """Question and sentence; in every second group the texts are passages of three sentences, shuffled.

    In those the answer is the labelled sentence among two that BM25 found for the same question.
    """
    texts = {d.id: d.full_text for d in formats.read_documents(existing(folder, "corpus.jsonl"))}
    qrels, run = formats.read_qrels(folder / "qrels.trec"), formats.read_run(existing(folder, "bm25.trec"))
    queries = sorted(formats.read_queries(existing(folder, "queries.jsonl")), key=lambda q: q.id)
    for n, i in enumerate(rng.permutation(len(queries))[:5_000]):
        query = queries[i]
        right = next(iter(qrels[query.id]))
        wrong = [d for d in run.get(query.id, {}) if d != right]
        if len(wrong) < 8:
            continue
        order = [wrong[i] for i in rng.permutation(min(len(wrong), 15))[:8]]
        if n % 2:
            yield Group(
                "squad",
                query.text,
                tuple(texts[d] for d in (right, *order[:4])),
                (1.0, 0, 0, 0, 0),
                "label",
                (None,) * 5,
            )
            continue
        passages, place = [], None
        for first, rest in ((right, order[:2]), (order[2], order[3:5]), (order[5], order[6:8])):
            parts = [texts[d] for d in (first, *rest)]
            shuffled = [parts[i] for i in rng.permutation(3)]
            if first == right:
                start = sum(len(p) + 1 for p in shuffled[: shuffled.index(texts[right])])
                place = (start, start + len(texts[right]))
            passages.append(" ".join(shuffled))
        yield Group("squad", query.text, tuple(passages), (1.0, 0.0, 0.0), "label", (place, None, None))


def trecqa(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
    """Judged answer sentences: one right, up to four wrong ones; at most eight groups a question."""
    documents = formats.read_documents(folder / "train-corpus.jsonl")
    texts, pool = {d.id: d.full_text for d in documents}, Pool(documents)
    queries = {q.id: q.text for q in formats.read_queries(folder / "train-queries.jsonl")}
    for qid, grades in sorted(formats.read_qrels(folder / "train-qrels.trec").items()):
        right = [d for d, g in grades.items() if g > 0]
        wrong = [d for d, g in grades.items() if g <= 0]
        wrong += [d for d in pool.near(queries[qid]) if d not in grades][: max(0, 8 - len(wrong))]
        for i in rng.permutation(len(right))[:8] if wrong else ():
            chosen = [right[i], *(wrong[j] for j in rng.permutation(len(wrong))[:4])]
            targets = (1.0,) + (0.0,) * (len(chosen) - 1)
            yield Group(
                "trecqa", queries[qid], tuple(texts[d] for d in chosen), targets, "label", (None,) * len(chosen)
            )


def medquad(folder: Path, rng: np.random.Generator) -> Iterator[Group]:
    """Question and answer; wrong texts are other answers about the same thing, then what BM25 finds."""
    documents = formats.read_documents(existing(folder, "corpus.jsonl"))
    pool, about = Pool(documents), defaultdict(list)
    for d in documents:
        about[d.title].append(d.id)
    title = {d.id: d.title for d in documents}
    qrels = formats.read_qrels(folder / "qrels.trec")
    queries = sorted(formats.read_queries(existing(folder, "queries.jsonl")), key=lambda q: q.id)
    for query in (queries[i] for i in rng.permutation(len(queries))[:600]):
        right = next(iter(qrels[query.id]))
        same = [d for d in about[title[right]] if d not in qrels[query.id]]
        near = [d for d in pool.near(query.text) if d not in qrels[query.id] and d not in same]
        chosen = [right, *(same[i] for i in rng.permutation(len(same))[:2])]
        chosen += [near[i] for i in rng.permutation(len(near))[: 4 - len(chosen)]]
        targets = (1.0,) + (0.0,) * (len(chosen) - 1)
        yield Group(
            "medquad", query.text, tuple(pool.texts[d] for d in chosen), targets, "label", (None,) * len(chosen)
        )


def with_easier(groups: list[Group], texts: list[str], rng: np.random.Generator, *, count: int) -> Iterator[Group]:
    """Teacher lists with `count` texts of other queries added below: BM25's places 10 to 40 among `texts`.

    A teacher's list holds the best five of millions; what is reranked later holds a hundred, and most are worse.
    """
    pool = Pool([Document(str(i), text) for i, text in enumerate(dict.fromkeys(texts))])
    own: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        own[group.query.lower()].update(group.texts)
    for group in groups:
        near = [pool.texts[i] for i in pool.near(group.query, 40)[10:]]
        new = [t for t in near if t not in own[group.query.lower()]]
        added = tuple(new[i] for i in rng.permutation(len(new))[:count])
        nothing = (None,) * len(added)
        lowest = min(group.targets) - 1
        yield replace(
            group,
            texts=group.texts + added,
            targets=group.targets + (lowest,) * len(added),
            answers=group.answers + nothing,
        )


SOURCES = {
    "dual-reasons": Source(
        "teacher-r2r-dual-reasons", "none stated; MS MARCO passages (non-commercial research)", "research", dual_reasons
    ),
    "windows": Source(
        "teacher-windows-gpt35-gpt4", "none stated; MS MARCO passages (non-commercial research)", "research", windows
    ),
    "rank-zephyr": Source(
        "train-rankzephyr-listwise-100", "MIT; MS MARCO passages (non-commercial research)", "research", rank_zephyr
    ),
    "splade": Source("trec-dl22-passage-noqrels", "MS MARCO v2 terms (non-commercial research)", "research", splade),
    "instructir": Source(
        "train-msmarco-instructir-1743",
        "MIT; MS MARCO non-commercial research",
        "research",
        labelled("instructir", negatives=3, limit=1743, run=True),
    ),
    "trecqa": Source("trecqa", "research use", "research", trecqa),
    "checkthat": Source(
        "checkthat2020-task2",
        "free for general research use",
        "research",
        labelled("checkthat", negatives=3, limit=801, prefix="train-"),
    ),
    "scifact": Source(
        "beir-scifact",
        "CC BY-NC 2.0 (annotations CC BY 4.0, abstracts ODC-By)",
        "research",
        labelled("scifact", negatives=2, limit=809, prefix="train-"),
    ),
    "nfcorpus": Source(
        "train-nfcorpus",
        "free for academic use; BEIR CC BY-SA 4.0",
        "research",
        labelled("nfcorpus", negatives=3, limit=600, prefix="train-"),
    ),
    "squad": Source("train-squad-sentences", "CC BY-SA 4.0", "open", squad),
    "nq": Source("train-nq-open-gold", "CC BY-SA 3.0", "open", labelled("nq", negatives=3, limit=2655, run=True)),
    "pubmedqa": Source("train-pubmedqa-1k", "MIT", "open", labelled("pubmedqa", negatives=2, limit=600, run=True)),
    "medquad": Source("train-medquad", "CC BY 4.0", "open", medquad),
}
