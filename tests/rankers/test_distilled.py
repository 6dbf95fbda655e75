"""The default ranker: the evidence, and a student's part that stays whole; the same bits in any company."""

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whyrank import api, reason
from whyrank.config import ModelSettings
from whyrank.encode.adapters import shipped_adapter
from whyrank.encode.engine import Encoder
from whyrank.encode.pairs import Pair, PairReader, Piece
from whyrank.errors import BadInput, Corrupt, WhyrankError
from whyrank.rankers import DEFAULT, STUDENTS, load
from whyrank.rankers.building import resolve
from whyrank.rankers.distilled import PART, DistilledRanker, _read_of, softplus
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.rankers.matching import Sheet
from whyrank.types import Calibrated, Document, Query, Ranking, Reranker, Scorer, Term

QUERY = Query("q", "Why is the sky blue?")
DOCUMENTS = (
    Document("scatter", "Air scatters short waves more. So the sky looks blue by day. At dusk it turns red.", "Sky"),
    Document("sea", "The sea is blue because water absorbs red light."),
    Document("bread", "Bread goes stale. It is best fresh."),
    Document("empty", ""),
    Document("blank", " \n\x00 "),
    Document("long", "Blue paint was costly. " * 120 + "The sky is blue because of scattering."),
)
FIRST = (3.5, 9.0, 0.0, 0.0, -2.5, 12.0)


@pytest.fixture(scope="module", params=["research", "open"])
def ranker(request: pytest.FixtureRequest) -> DistilledRanker:
    return DistilledRanker(request.param, threads=2)


@pytest.fixture(scope="module")
def evidence(ranker: DistilledRanker) -> EvidenceRanker:
    """What the student of the same name is put beside."""
    adapter = shipped_adapter(ranker.name.split("-")[1])
    body = Encoder(threads=1, adapter=adapter.evidence)
    return EvidenceRanker(body, fitted=adapter.manifest["fitted"].get("evidence"))


def test_it_is_all_that_the_default_must_be(ranker: DistilledRanker) -> None:
    assert isinstance(ranker, Reranker)
    assert isinstance(ranker, Scorer)
    assert isinstance(ranker, Calibrated)
    assert isinstance(load(DEFAULT), DistilledRanker)
    assert api.load() is api.load()


@pytest.mark.parametrize("first", [FIRST, (None,) * 6, (1.0, None, 2.0, None, None, 0.5)])
def test_the_score_is_the_evidence_and_one_remainder(
    first: tuple[float | None, ...], ranker: DistilledRanker, evidence: EvidenceRanker
) -> None:
    known = evidence.decompose(QUERY, DOCUMENTS, first)
    taken_apart = ranker.decompose(QUERY, DOCUMENTS, first)
    ranking = ranker.rerank(Ranking.of(QUERY, DOCUMENTS, first))
    scores = {hit.document.id: hit.score for hit in ranking}
    assert ranker.score(QUERY, DOCUMENTS, first) == [d.score for d in taken_apart] == [scores[d.id] for d in DOCUMENTS]
    for whole, part, given in zip(taken_apart, known, first, strict=True):
        own = [t for t in whole.terms if t.part == PART]
        assert whole.terms == (*part.terms, *own)
        assert all(t.span is None and t.query_term is None for t in own)
        assert whole.score == part.score + sum(t.value for t in own)
        assert abs(math.fsum(t.value for t in whole.terms) - whole.score) < 1e-9
        assert whole.score >= ranker.floor(given)
        assert len(own) == 1
        assert (own[0].value == 0) == (whole.document_id in ("empty", "blank"))
        assert own[0].value >= 0


def test_shuffled_split_and_mixed_calls_never_move_a_bit(ranker: DistilledRanker) -> None:
    expected = dict(zip((d.id for d in DOCUMENTS), ranker.score(QUERY, DOCUMENTS, FIRST), strict=True))
    first = dict(zip((d.id for d in DOCUMENTS), FIRST, strict=True))
    alone = DistilledRanker(ranker.name.split("-")[1], threads=1)
    rng = random.Random(3)
    for turn in range(6):
        chosen = rng.sample(DOCUMENTS, k=rng.randint(1, len(DOCUMENTS)))
        lists = [
            Ranking.of(QUERY, chosen, [first[d.id] for d in chosen]),
            Ranking.of(Query("other", "fresh bread"), rng.sample(DOCUMENTS, k=3)),
        ]
        rng.shuffle(lists)
        for ranking in (alone if turn % 2 else ranker).rerank_many(lists):
            if ranking.query == QUERY:
                assert {h.document.id: h.score for h in ranking} == {d.id: expected[d.id] for d in chosen}


def test_explaining_changes_nothing_and_everything_verifies(ranker: DistilledRanker) -> None:
    given = Ranking.of(QUERY, DOCUMENTS, FIRST)
    plain = ranker.rerank(given)
    explained = replace(plain, explanations=reason.explain(plain, ranker, top=3))
    assert [(h.document.id, h.score) for h in explained] == [(h.document.id, h.score) for h in plain]
    checked = reason.verify(explained, ranker)
    assert checked.ok, checked


def test_the_sentence_that_is_pointed_at_moves_no_other(ranker: DistilledRanker) -> None:
    [whole] = ranker.decompose(QUERY, DOCUMENTS[:1], [None])
    assert len(whole.pointing) == len(whole.sentences) == 4
    turned = replace(whole, pointing=tuple(-p for p in whole.pointing))
    assert whole.pointed == whole.sentences[int(np.argmax(whole.pointing))]
    assert turned.pointed == whole.sentences[int(np.argmin(whole.pointing))]
    assert turned.rationale() == whole.rationale()
    assert reason.direct_reason(QUERY, DOCUMENTS[0], turned).pointed == turned.pointed


def test_pointing_is_the_mean_of_a_sentence_where_it_is_highest() -> None:
    sheet = Sheet.of(Document("d", "Aa bb. Cc dd. Ee ff."))
    offsets = ((0, 2), (3, 5), (7, 9), (10, 12))
    pieces = [
        Piece(1.0, offsets, np.array([1, 3, 5, 5], dtype=np.float32), 9),
        Piece(2.0, ((7, 9), (10, 12)), np.array([1, 20], dtype=np.float32), 7),
    ]
    read = _read_of(sheet, pieces)
    assert read.score == 2.0
    assert read.pointing == (2.0, 10.5, -math.inf)
    assert (read.tokens, read.passages) == (16, 2)
    assert _read_of(sheet, []).score is None


def test_a_title_is_pointed_at_where_there_is_nothing_else() -> None:
    pieces = [Piece(1.0, ((0, 2), (3, 5)), np.array([9, 1], dtype=np.float32), 7)]
    assert _read_of(Sheet.of(Document("d", "bb", "Aa")), pieces).pointing == (-math.inf, 1.0)
    assert _read_of(Sheet.of(Document("d", "", "Aa bb")), pieces).pointing == (5.0,)


def test_what_was_read_is_counted_and_told(ranker: DistilledRanker, evidence: EvidenceRanker) -> None:
    seen: list[tuple[int, int]] = []
    lists = [Ranking.of(QUERY, DOCUMENTS[:3]), Ranking.of(Query("r", "sea"), DOCUMENTS[1:2])]
    first, second = ranker.rerank_many(lists, progress=lambda *done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == (4, 4)
    assert first.usage.documents == 3
    for mine, theirs in zip((first, second), evidence.rerank_many(lists), strict=True):
        assert mine.usage.prompt_tokens > 1.5 * theirs.usage.prompt_tokens > 0
        assert mine.usage.seconds > 0


def test_a_text_given_twice_is_read_once_and_paid_once(ranker: DistilledRanker) -> None:
    twice = ranker.rerank(Ranking.of(QUERY, [DOCUMENTS[1], replace(DOCUMENTS[1], id="again")])).usage
    once = ranker.rerank(Ranking.of(QUERY, DOCUMENTS[1:2])).usage
    assert twice.calls == once.calls
    assert twice.prompt_tokens - twice.cached_tokens == once.prompt_tokens


def test_a_query_longer_than_the_student_reads_is_left_to_the_evidence(
    ranker: DistilledRanker, evidence: EvidenceRanker
) -> None:
    long, whole = (Ranking.of("sky " * count, DOCUMENTS) for count in (97, 96))
    seen: list[tuple[int, int]] = []
    [ranking] = ranker.rerank_many([long], progress=lambda *done: seen.append(done))
    assert seen[-1] == (6, 6)
    assert [(h.document.id, h.score) for h in ranking] == [(h.document.id, h.score) for h in evidence.rerank(long)]
    note = "the query has 97 tokens, the student reads 96: the evidence read all and decides alone"
    assert note in ranking.notes
    apart = ranker.decompose(long.query, DOCUMENTS, [None] * 6)
    assert {(d.terms[-1], d.pointed) for d in apart} == {(Term(PART, 0.0), None)}
    explained = replace(ranking, explanations=reason.explain(ranking, ranker, top=2))
    assert reason.verify(explained, ranker).ok
    assert not ranker.rerank(whole).notes
    assert ranker.decompose(whole.query, DOCUMENTS[:1], [None])[0].terms[-1].value > 0


def test_long_and_short_queries_in_one_call_are_each_what_they_are_alone(ranker: DistilledRanker) -> None:
    lists = [Ranking.of("sky " * 120, DOCUMENTS[:3]), Ranking.of(QUERY, DOCUMENTS[:3])]
    seen: list[tuple[int, int]] = []
    together = ranker.rerank_many(lists, progress=lambda *done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == (6, 6)
    for mine, given in zip(together, lists, strict=True):
        alone = ranker.rerank(given)
        assert [(h.document.id, h.score) for h in mine] == [(h.document.id, h.score) for h in alone]
        assert mine.notes == alone.notes
    assert [bool(ranking.notes) for ranking in together] == [True, False]


WEIGHED = {"document": 1.0, "words": 0.0, "sentence": 0.0}
ONES = {"version": "1", "with_first_stage": WEIGHED, "without_first_stage": WEIGHED}


def test_the_name_changes_with_whatever_changes_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = shipped_adapter("research")
    fitted = adapter.manifest["fitted"]
    changed = [{}, {"scale": 0.037}, {"bend": -2.5}, {"evidence": ONES}]
    made = [replace(adapter, manifest={**adapter.manifest, "fitted": fitted | one}) for one in changed]
    names = [DistilledRanker(one, threads=1).name for one in (*made, replace(adapter, evidence=None))]
    assert names[0] == DistilledRanker("research", threads=1).name
    monkeypatch.setattr("whyrank.rankers.distilled.QUERY", 95)
    names.append(DistilledRanker(adapter, threads=1).name)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "fitted",
    [
        None,
        {"scale": 0.05, "typical": -5.0},
        {"scale": -0.1, "bend": 0.0},
        {"scale": 0.1, "bend": math.nan},
        {"scale": "much", "bend": 0.0},
        {"scale": 0.1, "bend": 0.0, "evidence": {}},
        {"scale": 0.1, "bend": 0.0, "evidence": {"version": "1"}},
        {"scale": 0.1, "bend": 0.0, "evidence": {"version": "1", "with_first_stage": {"odd": 1}}},
        *(
            {"scale": 0.1, "bend": 0.0, "evidence": {**ONES, "without_first_stage": {**WEIGHED, **odd}}}
            for odd in ({"words": -0.1}, {"words": math.nan}, {"half": 0.0}, {"document": "much"})
        ),
    ],
)
def test_a_manifest_that_does_not_weigh_is_refused(fitted: object) -> None:
    adapter = shipped_adapter("open")
    with pytest.raises(Corrupt, match="does not say how it is weighed"):
        DistilledRanker(replace(adapter, manifest={**adapter.manifest, "fitted": fitted}), threads=1)


def test_a_pointed_sentence_that_was_moved_is_found_out(ranker: DistilledRanker) -> None:
    plain = ranker.rerank(Ranking.of(QUERY, DOCUMENTS[:1]))
    told = reason.explain(plain, ranker, top=1)
    [direct] = told.direct
    others = [s for s in ranker.decompose(QUERY, DOCUMENTS[:1], [None])[0].sentences if s != direct.pointed]
    moved = replace(plain, explanations=replace(told, direct=(replace(direct, pointed=others[-1]),)))
    assert any("points at" in str(check) for check in reason.verify(moved, ranker).failures)


def test_a_query_without_words_keeps_the_order_and_says_so(ranker: DistilledRanker) -> None:
    ranking = ranker.rerank(Ranking.of("?!", DOCUMENTS))
    assert ranking.ids == tuple(d.id for d in DOCUMENTS)
    assert (ranking.status, ranking.ranker) == ("partial", ranker.name)
    with pytest.raises(BadInput, match="has no word"):
        ranker.score(Query("q", "?!"), DOCUMENTS[:1], [None])


def test_a_student_is_named_where_a_model_is(ranker: DistilledRanker) -> None:
    for adapter, name in STUDENTS.items():
        for given in (None, name, DEFAULT):
            found = resolve(given, model=ModelSettings(name=adapter), threads=1).ranker
            assert found.name == load(name).name
    with pytest.raises(BadInput, match="open names the ranker student-open, and bi-encoder was named too"):
        resolve("bi-encoder", model=ModelSettings(name="open"))


def test_the_part_is_what_the_logit_has_above_the_bend(ranker: DistilledRanker) -> None:
    adapter = shipped_adapter(ranker.name.split("-")[1])
    pairs = [Pair(QUERY.text, DOCUMENTS[i].text) for i in (1, 2)]
    logits = [
        piece.score for _, piece in sorted(PairReader(adapter, threads=1).read(pairs), key=lambda found: found[0])
    ]
    parts = [d.terms[-1] for d in ranker.decompose(QUERY, DOCUMENTS[1:3], [None, None])]
    scale, bend = adapter.manifest["fitted"]["scale"], adapter.manifest["fitted"]["bend"]
    for logit, part in zip(logits, parts, strict=True):
        assert (part.part, part.span) == (PART, None)
        assert part.value == pytest.approx(scale * math.log(1 + math.exp(logit - bend)))
    assert parts[0].value > parts[1].value > 0


def test_softplus_holds_far_out() -> None:
    assert [softplus(x) for x in (-1e4, 0.0, 1e4)] == [0.0, math.log(2), 1e4]


def test_a_folder_of_the_same_name_is_not_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "reranker.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert isinstance(load("student", threads=1), DistilledRanker)
    with pytest.raises(WhyrankError, match=r"reranker\.json"):
        load("./student", threads=1)


def test_probabilities_never_fall_as_scores_rise(ranker: DistilledRanker) -> None:
    for first in (None, 10.0):
        found = [ranker.probability(score, first) for score in np.linspace(-1, 2, 40)]
        assert found == sorted(found)
        assert 0 <= found[0] < 0.1 < found[-1] <= 1
