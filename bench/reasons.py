"""Are the reasons of the default ranker true? Rationales measured by re-scoring, by judgements and by human evidence.

    python bench/reasons.py [--sets trec-dl19-passage cranfield] [--ranker student] [--judge student bm25]
    python bench/reasons.py --human                                  # agreement with marked sentences
    python bench/reasons.py --teacher                                # the quotes of a recorded GPT-4 beside ours

Reads the judged collections (WHYRANK_DATA), only to report: nothing was chosen on them. For each collection a fixed
sample of its judged queries; the BM25 top 20 are reranked; erasure is measured on the best 5, ranking by
rationales on all 20. Rationales: "evidence", all sentences as `Decomposition.rationale` orders them; "shown", the
quotes of the direct reasons to the letter; the baselines at random, lead, BM25. Judges: any ranker by name, without
first-stage scores, and "bm25" with the statistics of the collection. Prints Markdown: the tables in
docs/explanations.md are rows of this output.
"""

import argparse
import gzip
import json
import os
import platform
import random
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from whyrank import formats, rankers, reason
from whyrank.evaluate import Evaluation, compare
from whyrank.evaluate.reasons.erasure import Measured, erasure
from whyrank.evaluate.reasons.judges import Judge, Lexical, by_ranker
from whyrank.evaluate.reasons.plausibility import found_loosely, plausibility
from whyrank.evaluate.reasons.rank_from_rationale import rank_from_rationale
from whyrank.evaluate.reasons.rationales import LEVELS, Rationales, at_random, by_bm25, by_contribution, lead, quoted
from whyrank.rankers.distilled import DistilledRanker
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.types import Direct, Document, Evidence, Query, Ranking

DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = ("trec-dl19-passage", "beir-scifact", "cranfield", "cisi")
OURS, SEED = "evidence", 0
ERASED = ("comp", "comp@1", "comp@20%", "suff", "suff@1", "suff@20%")
REPLACED = ("comp/replace", "comp/replace@1", "suff/replace", "suff/replace@1")
RANKED = ("tau alone@1", "tau alone@20%", "tau drop@20%", "tau excess@20%")
JUDGED = ("nDCG@10 alone@1", "nDCG@10 alone@20%", "nDCG@10 drop@20%", "nDCG@10 excess@20%", "nDCG@10 full")
MARKED = ("hit@1", "MRR", "token F1", "token IoU")
LOWER_IS_BETTER = "suff"

Methods = dict[str, list[Rationales]]
Explained = EvidenceRanker | DistilledRanker


class Marked(NamedTuple):
    """Rankings of which people, or a language model, marked sentences."""

    rankings: list[Ranking]
    marks: list[Rationales]


def explained(first: Sequence[Ranking], ranker: Explained) -> tuple[list[Ranking], Methods]:
    """The lists reranked by the default ranker, and every method's rationales of them."""
    rankings = ranker.rerank_many(first)
    taken_apart = [ranker.decompose(r.query, r.documents, [h.first_score for h in r.hits]) for r in rankings]
    directs = [
        [reason.direct_reason(r.query, document, d) for document, d in zip(r.documents, own, strict=True)]
        for r, own in zip(rankings, taken_apart, strict=True)
    ]
    methods: Methods = {
        OURS: [by_contribution(r, own) for r, own in zip(rankings, taken_apart, strict=True)],
        "shown": [quoted(r, own) for r, own in zip(rankings, directs, strict=True)],
        "random": [at_random(r, SEED) for r in rankings],
        "lead": [lead(r) for r in rankings],
        "lead of text": [lead(r, title_first=False) for r in rankings],
        "bm25": [by_bm25(r) for r in rankings],
    }
    if not any(d.title for r in rankings for d in r.documents):
        del methods["lead of text"]
    return rankings, methods


def candidates(folder: Path, queries: int, depth: int) -> list[Ranking]:
    """The BM25 top `depth` of a fixed sample of the judged queries with a relevant document."""
    qrels = formats.read_qrels(folder)
    relevant = {query for query, grades in qrels.items() if max(grades.values()) > 0}
    run = next(p for p in (folder / "bm25.trec", folder / "bm25.trec.gz") if p.exists())
    found = [r.top(depth) for r in formats.read_rankings(run, corpus=folder, queries=folder) if r.query.id in relevant]
    return random.Random(SEED).sample(found, min(queries, len(found)))


def judge_named(name: str, corpus: Iterable[Document]) -> Judge:
    """A ranker by its name, or "bm25" with the statistics of the corpus."""
    return Lexical(d.full_text for d in corpus) if name == "bm25" else by_ranker(rankers.load(name))


def xquad() -> Marked:
    """Questions of XQuAD that SQuAD's marked sentences have too, each with its paragraph among its BM25 top 5."""
    folder, squad = DATA / "xquad-en", DATA / "train-squad-sentences"
    texts = {d.id: d.text for d in formats.iter_documents(squad)}
    qrels = formats.read_qrels(squad)
    sentences = {
        _letters(q.text): [texts[d] for d in qrels[q.id]] for q in formats.read_queries(squad) if q.id in qrels
    }
    gold = formats.read_qrels(folder)
    found = Marked([], [])
    for ranking in formats.read_rankings(folder / "bm25.trec.gz", corpus=folder, queries=folder):
        top = ranking.top(5)
        for document in top.documents:
            spans = [found_loosely(s, document.text) for s in sentences.get(_letters(top.query.text), ())]
            marks = tuple(span for span in spans if span is not None)
            if document.id in gold[top.query.id] and marks:
                found.rankings.append(top)
                found.marks.append({document.id: marks})
    return found


def teacher() -> tuple[list[Ranking], list[dict[str, str]]]:
    """The 500 training lists of Reason-to-Rank, and by document the answer sentences that GPT-4 gave; "" for none."""
    rankings, answers = [], []
    with gzip.open(DATA / "teacher-r2r-dual-reasons" / "train-msmarco-500.jsonl.gz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            record: dict[str, Any] = json.loads(line)
            rankings.append(Ranking.of(Query(f"{number}", record["query"].lstrip(") ")), record["unsorted_docs"]))
            passages = record["reason"]["ranked_passages"]
            answers.append({str(one["identifier"]): one["direct_answer_sentence"] for one in passages})
    return rankings, answers


def marked_by_teacher() -> Marked:
    """Its answer sentences as marks, found without regard to case, punctuation and white space."""
    rankings, answers = teacher()
    found = Marked([], [])
    for ranking, given in zip(rankings, answers, strict=True):
        spans = {d.id: found_loosely(given.get(d.id, ""), d.text) for d in ranking.documents}
        found.rankings.append(ranking)
        found.marks.append({name: (span,) for name, span in spans.items() if span})
    return found


def against_teacher(judge: str, given: argparse.Namespace, ranker: Explained) -> None:
    """Measure the teacher's quotes beside our evidence, where the quote stands in the passage to the letter."""
    first, answers = teacher()
    places = sorted(random.Random(SEED).sample(range(len(first)), min(given.queries, len(first))))
    rankings, methods = explained([first[i] for i in places], ranker)
    quotes = {ranking.query.id: own for ranking, own in zip(first, answers, strict=True)}
    methods["teacher"] = [
        quoted(r, [Direct(d.id, "", (Evidence(quotes[r.query.id].get(d.id, ""), None),)) for d in r.documents])
        for r in rankings
    ]
    judging = judge_named(judge, (d for ranking in first for d in ranking.documents))
    erased = erasure(rankings, methods, judging, levels=["1"], replaced=["1"])
    ranked = rank_from_rationale(rankings, methods, judging, alone=["1"], deleted=["1"])
    print(f"\n#### Reason-to-Rank, judge {judge}: {len(rankings)} lists\n")
    print(table(erased.evaluations, ["comp@1", "suff@1", "comp/replace@1", "suff/replace@1"]) + "\n")
    print(table(ranked.evaluations, ["tau alone@1", "tau drop@1", "tau excess@1"]) + "\n")
    print("; ".join(f"{p.name} {p.count} of {p.of}" for p in (*erased.measured_on, *ranked.measured_on)), flush=True)


def human(marked: Marked, ranker: Explained, queries: int) -> Measured:
    """Agreement with what was marked, on a fixed sample."""
    places = sorted(random.Random(SEED).sample(range(len(marked.rankings)), min(queries, len(marked.rankings))))
    marks = {marked.rankings[i].query.id: marked.marks[i] for i in places}
    rankings, methods = explained([marked.rankings[i] for i in places], ranker)
    return plausibility(rankings, methods, [marks[r.query.id] for r in rankings])


def table(measured: Sequence[Evaluation], measures: Sequence[str]) -> str:
    """Means, and for each baseline what ours has more (for sufficiency: less is better) with its interval."""
    names = [e.name for e in measured]
    rows = [["measure", OURS, "shown", *(f"{n} ({OURS} − {n})" for n in names if n not in (OURS, "shown"))]]
    rows.append(["---"] * len(rows[0]))
    by_name = {e.name: e for e in measured}
    for measure in measures:
        cells = [f"{by_name[n].mean(measure):.3f}" for n in (OURS, "shown")]
        contrasts = {c.system: c for c in compare(measured, measure, baseline=OURS)}
        for name in names:
            if name not in (OURS, "shown"):
                c = contrasts[name]
                mean = f"{by_name[name].mean(measure):.3f}"
                cells.append(f"{mean} ({-c.delta:+.3f}, {-c.high:+.3f} to {-c.low:+.3f})" if c.deltas_Q.any() else mean)
        rows.append([measure + (" ↓" if measure.startswith(LOWER_IS_BETTER) else ""), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def report(name: str, judge: str, given: argparse.Namespace, ranker: Explained) -> None:
    """Measure one collection with one judge and print it."""
    started = time.perf_counter()
    folder = DATA / name
    first = candidates(folder, given.queries, given.depth)
    rankings, methods = explained(first, ranker)
    judging = judge_named(judge, formats.iter_documents(folder))
    progress = _progress(f"{name}, judge {judge}")
    print(f"\n#### {name}, judge {judge}: {len(rankings)} queries\n")
    erased = erasure(rankings, methods, judging, top=given.explained, replaced=given.replaced, progress=progress)
    _show(
        erased,
        (*ERASED, *(m for m in REPLACED if m in erased.evaluations[0].measures)),
        given,
        f"{name}.{judge}.erasure",
    )
    ranked = rank_from_rationale(rankings, methods, judging, formats.read_qrels(folder), progress=progress)
    _show(ranked, (*RANKED, *JUDGED), given, f"{name}.{judge}.ranking")
    print(f"{time.perf_counter() - started:.0f} s", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--ranker", default=rankers.DEFAULT, help="whose reasons: student, student-open, evidence")
    parser.add_argument("--judge", nargs="+", default=[rankers.DEFAULT, "bm25"], help="rankers by name, or bm25")
    parser.add_argument("--queries", type=int, default=40, help="sampled of each collection")
    parser.add_argument("--depth", type=int, default=20, help="candidates of each query")
    parser.add_argument("--explained", type=int, default=5, help="best documents on which erasure is measured")
    parser.add_argument("--replaced", nargs="*", default=list(LEVELS), help="levels of replacement; none to save time")
    parser.add_argument("--human", action="store_true", help="only the collections with marked sentences")
    parser.add_argument("--teacher", action="store_true", help="only the quotes of a recorded teacher beside ours")
    parser.add_argument("--values", help="a folder for the values of each query, as JSON")
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    ranker = rankers.load(given.ranker)
    assert isinstance(ranker, Explained)
    print(f"python {platform.python_version()}, onnxruntime {version('onnxruntime')}, {ranker.name}")
    if given.human:
        for name, marked in (
            ("SQuAD sentences on XQuAD", xquad()),
            ("answer sentences of GPT-4 (R2R)", marked_by_teacher()),
        ):
            measured = human(marked, ranker, given.queries)
            print(f"\n#### {name}: {len(measured.evaluations[0].queries)} queries\n")
            print(table(measured.evaluations, MARKED) + "\n")
            print("; ".join(f"{p.name} {p.count} of {p.of}" for p in measured.measured_on), flush=True)
        return
    for judge in given.judge if given.teacher else ():
        against_teacher(judge, given, ranker)
    for name in () if given.teacher else given.sets:
        for judge in given.judge:
            report(name, judge, given, ranker)


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _show(measured: Measured, measures: Sequence[str], given: argparse.Namespace, name: str) -> None:
    """Print a table, and keep the values of each query where that was asked for."""
    print(table(measured.evaluations, measures) + "\n")
    print("; ".join(f"{p.name} {p.count} of {p.of}" for p in measured.measured_on) + "\n", flush=True)
    if given.values:
        folder = Path(given.values)
        folder.mkdir(parents=True, exist_ok=True)
        kept = [
            {"method": e.name, "measures": e.measures, "queries": e.queries, "values": e.values_QM.tolist()}
            for e in measured.evaluations
        ]
        (folder / f"{name}.json").write_text(json.dumps(kept), encoding="utf-8")


def _progress(label: str) -> Any:
    def told(done: int, total: int) -> None:
        print(f"\r{label}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return told


if __name__ == "__main__":
    main()
