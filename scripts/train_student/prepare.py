"""Collections to arrays of token ids: what `train.py` reads, and what `evaluate.py` scores.

    python scripts/train_student/prepare.py --out build/student [--data ../shared/data] [--seed 0]

Writes groups.npz (every group, its pairs as the body reads them: [CLS] query [SEP] text [SEP], all of segment 0),
groups.json (sources, licences, what was removed and why) and, for each set that is scored, <set>.npz.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from groups import SOURCES, Group, dual_reasons, existing, lines, with_easier
from overlap import Judged, words
from tokenizers import Tokenizer

from whyrank import formats
from whyrank.encode.pairs import QUERY
from whyrank.encode.passages import CLS, SEP, cut, harmless
from whyrank.encode.weights import SHIPPED
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.retrieve import BM25
from whyrank.text import split_sentences
from whyrank.types import Document, Query, Ranking

WINDOW, OVERLAP = 256, 32  # tokens: a pair with its three markers, what passages share
TRAINED = 176  # tokens a pair in training: long texts lose their end, which halves what they cost
HELD_OUT_LISTS = 100
EASIER = 3  # texts of other queries added to each teacher list
MS_MARCO = ("dual-reasons", "windows", "rank-zephyr", "splade", "instructir")
DRAWN = {  # sources whose texts are of several
    "pool": MS_MARCO,
    "anchors": ("nfcorpus", "medquad", "pubmedqa", "nq", "windows"),
    "anchors-open": ("medquad", "pubmedqa", "nq", "squad"),
}
FITTED = 150  # queries of each training split that weights are fitted on, held out of training
DEPTH = 100
NINE = (
    "trec-dl19-passage", "trecqa", "wikiqa-dev", "beir-dbpedia-50q-5k", "medline-med", "cisi", "cranfield",
    "birco-arguana", "beir-scifact",
)  # fmt: skip
JUDGED = (*NINE, "checkthat2020-task2", "npl-vaswani", "multihop-hotpotqa-100", "xquad-en")
DEVELOPMENT = ("birco-doris-mae-dev", "birco-whatsthatbook-dev", "birco-clinical-trial-dev")


class Dev(NamedTuple):
    """A split to fit on; candidates are the given run's, or BM25's over the corpus."""

    folder: str
    queries: str = "queries.jsonl"
    qrels: str = "qrels.trec"
    corpus: str = "corpus.jsonl"
    run: str | None = "bm25.trec"


DEV = {
    "instructir": Dev("train-msmarco-instructir-1743"),
    "trecqa-dev": Dev("trecqa", "dev-queries.jsonl", "dev-qrels.trec", "dev-corpus.jsonl", None),
    "checkthat-dev": Dev("checkthat2020-task2", "dev-queries.jsonl", "dev-qrels.trec", run=None),
    "squad": Dev("train-squad-sentences"),
    "nq": Dev("train-nq-open-gold"),
    "nfcorpus-dev": Dev("train-nfcorpus", "dev-queries.jsonl", "dev-qrels.trec", run=None),
    "scifact-train": Dev("beir-scifact", "train-queries.jsonl", "train-qrels.trec", run=None),
    "pubmedqa": Dev("train-pubmedqa-1k"),
    "whatsthatbook-dev": Dev("birco-whatsthatbook-dev"),
    "doris-mae-dev": Dev("birco-doris-mae-dev"),
    "clinical-trial-dev": Dev("birco-clinical-trial-dev"),
}


class Pairs:
    """Collects pairs as flat arrays: ids, the sentence of each token (-1 for markers and query), where pairs end."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[list[int], list[int]]] = {}
        self.ids: list[int] = []
        self.sentences: list[int] = []
        self.ends: list[int] = []

    def query(self, text: str) -> list[int]:
        """The first `QUERY` tokens."""
        return list(self._tokenizer.encode(harmless(text), add_special_tokens=False).ids[:QUERY])

    def add(self, query: Sequence[int], text: str, limit: int, *, whole: bool = False) -> int:
        """Append the first passage of `text`, or all of them if `whole`; returns how many."""
        ids, places = self._read(text)
        room = limit - 3 - len(query)
        ranges = cut(len(ids), room, OVERLAP) if whole else [(0, min(len(ids), room))]
        for a, b in ranges:
            self.ids += [CLS, *query, SEP, *ids[a:b], SEP]
            self.sentences += [-1] * (len(query) + 2) + places[a:b] + [-1]
            self.ends.append(len(self.ids))
        return len(ranges)

    def _read(self, text: str) -> tuple[list[int], list[int]]:
        """Token ids of a text and the sentence of each; a text that several queries ask about is read once."""
        if text not in self._known:
            one = self._tokenizer.encode(harmless(text), add_special_tokens=False)
            starts = [a for a, _ in split_sentences(text)] or [0]
            places = np.searchsorted(starts, [a for a, _ in one.offsets], side="right") - 1
            self._known[text] = list(one.ids), np.clip(places, 0, 32_000).tolist()
        return self._known[text]

    def arrays(self) -> dict[str, Any]:
        """The columns: ids uint16, sentences int16, ends int64."""
        return {
            "ids": np.array(self.ids, dtype=np.uint16),
            "sentences": np.array(self.sentences, dtype=np.int16),
            "ends": np.array(self.ends, dtype=np.int64),
        }


def answerable(data: Path, split: Dev) -> list[str]:
    """Ids of the split's queries with a relevant document, in the seeded order that fitting uses."""
    qrels = formats.read_qrels(existing(data / split.folder, split.qrels))
    queries = formats.read_queries(existing(data / split.folder, split.queries))
    found = [q.id for q in sorted(queries, key=lambda q: q.id) if max(qrels.get(q.id, {"": 0}).values()) > 0]
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


class KeptAway(NamedTuple):
    """Queries that no training query may be near: judged ones, fitted ones, those of the held-out teacher `lists`."""

    tests: Judged
    fitted: Judged
    held_out: Judged
    lists: tuple[str, ...]

    def reason(self, query: str, *, mine: bool = False) -> str:
        """Why a query is left out, "" if it is not; one that is held out itself (`mine`) is near itself."""
        if self.tests.is_near(query):
            return "near a judged query"
        if self.fitted.is_near(query):
            return "near a query that weights are fitted on"
        return "near a held-out teacher list" if not mine and self.held_out.is_near(query) else ""


def kept_away(data: Path, seed: int) -> KeptAway:
    """Read them all, and draw the held-out lists."""
    tests = [q["text"] for name in JUDGED for q in lines(data / name / "queries.jsonl")]
    for path in sorted((data / "teacher-r2r-dual-reasons").glob("validation-*")):
        tests += [row["query"] for row in lines(path)]
    fitted = [q["text"] for name in DEVELOPMENT for q in lines(data / name / "queries.jsonl")]
    for split in DEV.values():
        chosen = set(answerable(data, split)[:FITTED])
        rows = lines(existing(data / split.folder, split.queries))
        fitted += [q["text"] for q in rows if q["_id"] in chosen]
    away = KeptAway(Judged(tests), Judged(fitted), Judged([]), ())
    lists = dual_reasons(data / SOURCES["dual-reasons"].folder, np.random.default_rng(seed))
    clean = [g.query for g in lists if not away.reason(g.query)]
    drawn = tuple(clean[i] for i in np.random.default_rng(seed).permutation(len(clean))[:HELD_OUT_LISTS])
    return away._replace(held_out=Judged(drawn), lists=drawn)


def gold(group: Group) -> list[int]:
    """The sentence of each text that the answer lies in, -1 without answer or where it spans two."""
    result = []
    for text, answer in zip(group.texts, group.answers, strict=True):
        spans = split_sentences(text)
        hit = [i for i, (a, b) in enumerate(spans) if answer and a < answer[1] and answer[0] < b]
        result.append(hit[0] if len(hit) == 1 and len(spans) > 1 else -1)
    return result


def known_scores(groups: Sequence[Group]) -> list[list[float]]:
    """What the evidence ranker says of each text before any training, without a first stage."""
    lists = [Ranking.of(Query("q", g.query), [Document(str(i), t) for i, t in enumerate(g.texts)]) for g in groups]
    read = [{h.document.id: h.score or 0.0 for h in r} for r in EvidenceRanker().rerank_many(lists)]
    return [[scores[str(i)] for i in range(len(g.texts))] for g, scores in zip(groups, read, strict=True)]


def training(data: Path, out: Path, tokenizer: Tokenizer, seed: int) -> None:
    """groups.npz and groups.json; 100 teacher lists are marked as held out, with all lists of the same queries."""
    away = kept_away(data, seed)
    held_out = {words(q) for q in away.lists}
    found = {n: list(s.read(data / s.folder, np.random.default_rng(seed))) for n, s in SOURCES.items()}
    passages = [t for n in MS_MARCO for g in found[n] for t in g.texts]
    for name in ("dual-reasons", "windows"):
        rng = np.random.default_rng(seed)
        lists = [g for g in found[name] if words(g.query) not in held_out]
        found[name] = [g for g in found[name] if words(g.query) in held_out]
        found[name] += with_easier(lists, passages, rng, count=EASIER)
    arrays, report = as_arrays(found, tokenizer, away, held_out)
    np.savez(out / "groups.npz", **arrays)
    (out / "groups.json").write_text(json.dumps(report, indent=1) + "\n")


def as_arrays(
    found: Mapping[str, Sequence[Group]],
    tokenizer: Tokenizer,
    away: KeptAway,
    held_out: Collection[frozenset[str]] = (),
) -> tuple[dict[str, Any], dict[str, dict[str, object]]]:
    """The columns of groups.npz, and how many groups each source gave and why others were removed.

    Args:
        found: groups by source.
        tokenizer: of the body.
        away: queries that none may be near.
        held_out: words of the queries of teacher lists that are marked and not trained on.
    """
    pairs = Pairs(tokenizer)
    names = list(found)
    columns: dict[str, list[int | float]] = {
        k: [] for k in ("source", "order", "held_out", "group_end", "target", "gold", "known")
    }
    report: dict[str, dict[str, object]] = {}
    for name, groups in found.items():
        count: Counter[str] = Counter()
        for group, known in zip(groups, known_scores(groups), strict=True):
            mine = group.source == "dual-reasons" and words(group.query) in held_out
            why = away.reason(group.query, mine=mine)
            count[f"removed: {why}" if why else "held out" if mine else "groups"] += 1
            if why:
                continue
            query = pairs.query(group.query)
            for text in group.texts:
                pairs.add(query, text, WINDOW if mine else TRAINED)
            columns["target"] += group.targets
            columns["gold"] += gold(group)
            columns["known"] += known
            columns["group_end"].append(len(columns["target"]))
            columns["source"].append(names.index(name))
            columns["order"].append(group.kind == "order")
            columns["held_out"].append(mine)
            count["pairs"] += len(group.texts)
        report[name] = {**origin(name), **count}
        print(name, dict(count), file=sys.stderr, flush=True)
    kinds: dict[str, type] = {"target": np.float32, "known": np.float32, "order": np.bool_, "held_out": np.bool_}
    arrays: dict[str, Any] = {k: np.array(v, dtype=kinds.get(k, np.int32)) for k, v in columns.items()}
    return {"names": np.array(names), **pairs.arrays(), **arrays}, report


def origin(name: str) -> dict[str, object]:
    """Where a source's texts come from, and on what terms; a source that is drawn from several names them."""
    of = [SOURCES[n] for n in DRAWN.get(name, (name,))]
    licences = ", ".join(dict.fromkeys(source.licence for source in of))
    return {"folder": ", ".join(source.folder for source in of), "licence": licences, "terms": of[0].terms}


def scored(rankings: Sequence[Ranking], qrels: dict[str, dict[str, float]], path: Path, tokenizer: Tokenizer) -> None:
    """One set to score: pairs, and for each the candidate it is a passage of."""
    pairs = Pairs(tokenizer)
    owner: list[int] = []
    qids: list[str] = []
    dids: list[str] = []
    first: list[float | None] = []
    grade: list[float] = []
    for ranking in rankings:
        query = pairs.query(ranking.query.text)
        for hit in ranking.hits:
            owner += [len(dids)] * pairs.add(query, hit.document.full_text, WINDOW, whole=True)
            qids.append(ranking.query.id)
            dids.append(hit.document.id)
            first.append(hit.first_score)
            grade.append(qrels[ranking.query.id].get(hit.document.id, 0.0))
    parts = [p for one in EvidenceRanker().similarities(rankings) for p in one]
    chosen = {r.query.id for r in rankings}
    judged = {q: sorted((max(g, 0.0) for g in qrels[q].values()), reverse=True)[:10] for q in chosen}
    ideal = json.dumps(judged)
    arrays: dict[str, Any] = {
        "owner": np.array(owner, dtype=np.int32), "qid": np.array(qids), "did": np.array(dids),
        "first": np.array(first), "parts": np.array(parts), "grade": np.array(grade), "ideal": np.array(ideal),
    }  # fmt: skip
    np.savez(path, **arrays, **pairs.arrays())


def candidates(folder: Path, split: Dev, chosen: Sequence[str], depth: int) -> list[Ranking]:
    """The first `depth` of the given run, or of BM25 over the corpus."""
    documents = formats.read_documents(existing(folder, split.corpus))
    queries = {q.id: q for q in formats.read_queries(existing(folder, split.queries))}
    if split.run is None:
        return BM25.build(documents).search_many([queries[q] for q in chosen], k=depth)
    run, by_id = formats.read_run(existing(folder, split.run)), {d.id: d for d in documents}

    def one(qid: str) -> Ranking:
        kept = dict(sorted(run.get(qid, {}).items(), key=lambda item: -item[1])[:depth])
        found: list[Document] = [by_id[d] for d in kept]
        return Ranking.of(queries[qid], found, list(kept.values()))

    return [one(q) for q in chosen]


def main() -> None:
    """Write everything, or only the parts named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/student"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WHYRANK_DATA", "../shared/data")))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dev-queries", type=int, default=30)
    parser.add_argument("--dev-depth", type=int, default=DEPTH)
    parser.add_argument(
        "--test-queries", type=int, default=10**9, help="of each judged set at most, drawn with the seed"
    )
    parser.add_argument("--only", nargs="+", choices=("groups", "dev", "nine"), default=["groups", "dev", "nine"])
    given = parser.parse_args()
    if given.dev_queries > FITTED:
        parser.error(f"--dev-queries is at most {FITTED}: further ones are trained on")
    given.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    if "groups" in given.only:
        training(given.data, given.out, tokenizer, given.seed)
    for name, split in DEV.items() if "dev" in given.only else ():
        folder = given.data / split.folder
        rankings = candidates(folder, split, answerable(given.data, split)[: given.dev_queries], given.dev_depth)
        qrels = formats.read_qrels(existing(folder, split.qrels))
        scored([r for r in rankings if r.hits], qrels, given.out / f"dev-{name}.npz", tokenizer)
    for name in NINE if "nine" in given.only else ():
        folder = given.data / name
        qrels = {q: g for q, g in formats.read_qrels(folder / "qrels.trec").items() if max(g.values()) > 0}
        run = existing(folder, "bm25.trec")
        rankings = [
            r.top(DEPTH) for r in formats.read_rankings(run, corpus=folder, queries=folder) if r.query.id in qrels
        ]
        drawn = np.random.default_rng(given.seed).permutation(len(rankings))[: given.test_queries]
        rankings = [rankings[i] for i in sorted(drawn)]
        scored(rankings, qrels, given.out / f"test-{name}.npz", tokenizer)


if __name__ == "__main__":
    main()
