"""What trains the shipped students computes what ships: the evidence's parts in torch, and the mean of several runs."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

torch = pytest.importorskip("torch")

from whyrank.encode.weights import SHIPPED  # noqa: E402
from whyrank.rankers.evidence import EvidenceRanker  # noqa: E402
from whyrank.train.body import Student, shipped_numbers  # noqa: E402
from whyrank.types import Document, Query, Ranking  # noqa: E402

SCRIPTS = Path(__file__).parents[2] / "scripts" / "train_student"
ASKED = {
    "Why is the sky blue?": (
        "Air scatters short waves more. So the sky looks blue by day; at dusk, it turns red.",
        "Bread goes stale.",
        "Is it? Blue paint was costly! Ultramarine came from afar.",
    ),
    "stale bread": ("Bread goes stale. It is best fresh.", "The sea is blue because water absorbs red light."),
}


@pytest.fixture(autouse=True)
def of_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_torch_compares_what_the_evidence_compares() -> None:
    interaction, prepare = import_module("interaction"), import_module("prepare")
    pairs = prepare.Pairs(Tokenizer.from_file(str(SHIPPED / "tokenizer.json")))
    for query, texts in ASKED.items():
        for text in texts:
            pairs.add(pairs.query(query), text, 256)
    columns: dict[str, Any] = pairs.arrays()
    ids, sentences = (np.split(columns[name], columns["ends"][:-1]) for name in ("ids", "sentences"))
    texts = interaction.apart(ids, sentences, [len(texts) for texts in ASKED.values()])
    untrained = Student(shipped_numbers(), rank=2, scale=1.0, seed=0)
    with torch.no_grad():
        found = interaction.parts(untrained, texts, interaction.wordless(), torch.float32).numpy()
    lists = [Ranking.of(Query(q, q), [Document(t, t) for t in texts]) for q, texts in ASKED.items()]
    expected = [part for one in EvidenceRanker(threads=1).similarities(lists) for part in one]
    assert np.allclose(found, np.array(expected), atol=2e-6)


def test_a_blend_changes_a_matrix_by_a_share_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    untrained = {"head.evidence": np.zeros(5)}
    runs = [
        {"0.up.a": rng.normal(size=(9, 2)), "0.up.b": rng.normal(size=(2, 7)), "head.relevance": rng.normal(size=5)}
        | untrained
        for _ in range(3)
    ]
    blend = import_module("blend").blended(runs, 0.8)
    assert set(blend) == {"0.up.a", "0.up.b", "head.relevance"}
    assert np.allclose(blend["head.relevance"], sum(run["head.relevance"] for run in runs) / 3)
    mean = sum(run["0.up.a"] @ run["0.up.b"] for run in runs) / 3
    assert np.allclose(blend["0.up.a"].astype(float) @ blend["0.up.b"].astype(float), 0.8 * mean, atol=5e-3)
