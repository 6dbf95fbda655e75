"""Ten thousand random lists against pytrec_eval, which is trec_eval itself; and against ir_measures."""

import shutil
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from whyrank.evaluate import Ties, measure
from whyrank.evaluate.ordering import descending, orders_of

ir_measures = pytest.importorskip("ir_measures")
pytrec_eval = pytest.importorskip("pytrec_eval")

LISTS = 10_000

TREC = {
    1: {
        "nDCG": "ndcg", "nDCG@1": "ndcg_cut_1", "nDCG@10": "ndcg_cut_10", "AP": "map", "AP@5": "map_cut_5",
        "P@1": "P_1", "P@10": "P_10", "R@5": "recall_5", "R@100": "recall_100", "RR": "recip_rank", "Rprec": "Rprec",
        "Success@1": "success_1", "Success@5": "success_5", "Bpref": "bpref", "infAP": "infAP", "SetP": "set_P",
        "NumRet": "num_ret", "IPrec@0.5": "iprec_at_recall_0.50",
    },
    2: {
        "AP(rel=2)": "map", "P(rel=2)@5": "P_5", "R(rel=2)@10": "recall_10", "RR(rel=2)": "recip_rank",
        "Rprec(rel=2)": "Rprec", "Success(rel=2)@3": "success_3",
    },
}  # fmt: skip


class Case(NamedTuple):
    qrels: dict[str, dict[str, int]]
    run: dict[str, dict[str, float]]


@cache
def lists() -> Case:
    """Lists of 0 to 30 documents with ties, near ties and unjudged documents; some queries have no list or no grade."""
    rng = np.random.default_rng(19)
    names = np.array([f"d{n}" for n in range(40)] + ["é", "中", "😀", "a b", "Z", "~"])
    scores = np.array([0.0, -0.0, 1.0, 1.0 + 1e-9, 1.0 + 1e-6, 2.5, -3.0, 1e30, 1e39, 2e39])
    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for number in range(LISTS):
        judged = rng.permutation(names)[: rng.integers(1, 25)].tolist()
        qrels[f"q{number}"] = dict(
            zip(judged, rng.choice(5, len(judged), p=[0.5, 0.2, 0.15, 0.1, 0.05]).tolist(), strict=True)
        )
        if (size := int(rng.integers(0, 31))) and rng.random() < 0.97:
            given = rng.choice(scores, size) if rng.random() < 0.7 else rng.normal(size=size)
            run[f"q{number}"] = dict(zip(rng.permutation(names)[:size].tolist(), given.tolist(), strict=True))
    return Case(qrels, {**run, "not judged": {"d1": 1.0}})


@pytest.mark.parametrize("rel", TREC)
@pytest.mark.parametrize("ties", ["trec_eval", "rank"])
def test_equals_pytrec_eval(rel: int, ties: Ties) -> None:
    """Under "trec_eval" pytrec_eval breaks the ties of the raw scores itself; under "rank" it gets our order."""
    qrels, run = lists()
    raw = run if ties == "trec_eval" else {query: descending(order) for query, order in orders_of(run).items()}
    reference = pytrec_eval.RelevanceEvaluator(qrels, set(TREC[rel].values()), relevance_level=rel).evaluate(raw)
    found = measure("run", run, qrels, list(TREC[rel]), ties=ties)
    assert found.queries == tuple(qrels)
    assert len(found.coverage.without_results) == sum(query not in run for query in qrels) > 300
    for name, theirs in TREC[rel].items():
        expected = [reference.get(query, {}).get(theirs, 0.0) for query in qrels]
        assert np.abs(found.of(name) - expected).max() < 1e-12, name


def test_ties_matter_in_these_lists() -> None:
    qrels, run = lists()
    by_rank, by_id = (measure("run", run, qrels, ["AP"], ties=ties).of("AP") for ties in ("rank", "trec_eval"))
    assert np.count_nonzero(by_rank != by_id) > LISTS / 3


NAMES = [
    "nDCG@10", "nDCG", "nDCG(gains={1:3,2:7})@10", "nDCG(judged_only=True)@10", "AP", "AP(rel=2)", "AP@5", "RR",
    "RR@10", "RR(rel=2)@3", "R@100", "P@10", "P(judged_only=True)@5", "Success@5", "Rprec", "Bpref", "Judged@10",
    "Judged", "SetF", "SetR", "NumRet", "NumRel", "infAP", "IPrec@0.1", "Compat(p=0.8)",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_equals_ir_measures(name: str) -> None:
    qrels = dict(list(lists().qrels.items())[:500])
    orders = orders_of({query: documents for query, documents in lists().run.items() if query in qrels})
    asked = ir_measures.parse_measure(name)
    expected = {
        m.query_id: m.value
        for m in ir_measures.iter_calc([asked], qrels, {q: descending(o) for q, o in orders.items()})
    }
    found = measure("run", {q: descending(o) for q, o in orders.items()}, qrels, [name])
    assert np.abs(found.values_QM[:, 0] - [expected[query] for query in found.queries]).max() < 1e-12


@pytest.mark.skipif(not shutil.which("perl"), reason="gdeval is a Perl script")
def test_exponential_gain_equals_gdeval_to_its_five_digits() -> None:
    """gdeval takes numbers as ids of queries, and ids of documents without blanks."""
    numbered = {query: str(number) for number, query in enumerate(list(lists().qrels)[:500])}
    qrels = {n: {d: g for d, g in lists().qrels[q].items() if " " not in d} for q, n in numbered.items()}
    orders = orders_of({n: lists().run[q] for q, n in numbered.items() if q in lists().run})
    run = {n: descending([d for d in order if " " not in d]) for n, order in orders.items()}
    asked = ir_measures.parse_measure("nDCG(dcg='exp-log2')@10")
    expected = {m.query_id: m.value for m in ir_measures.iter_calc([asked], qrels, run)}
    found = measure("run", run, qrels, [str(asked)])
    assert found.gain == "exponential"
    assert np.abs(found.values_QM[:, 0] - [expected[query] for query in found.queries]).max() < 6e-6
