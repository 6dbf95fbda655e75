"""Why a document stands where two stages put it: the score, the place and the reasoning, each as what it is."""

from dataclasses import replace

import pytest
from bag_scorer import BagScorer

from whyrank.lm.base import Request
from whyrank.lm.fake import Fake
from whyrank.prompts import load
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Fusion, Summands
from whyrank.rankers.guard import Guard
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Showing, Shown
from whyrank.rankers.outcome import in_order
from whyrank.reason.fused import placed_reason
from whyrank.reason.giving import with_reasons
from whyrank.reason.verification import verify
from whyrank.types import Progress, Ranking, Usage

TEXTS = ["The sun warms the sea.", "The moon pulls the sea.", "An apple tart.", "The sea is wide."]
GIVEN = Ranking.of("what does the moon do to the sea?", TEXTS)


class Bag(BagScorer):
    """Counts words of the query."""

    def rerank_many(
        self, rankings: list[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        scored = [self.score(r.query, r.documents[:depth], [None] * len(r.hits[:depth])) for r in rankings]
        return [in_order(r, s, ranker=self.name, usage=Usage()) for r, s in zip(rankings, scored, strict=True)]


class Reasoner:
    """A model that knows the moon when it sees it, and says so."""

    def __init__(self, says: str = 'Passage {} says "pulls the sea".') -> None:
        self.says = says
        self.shown: dict[str, Shown] = {}

    def answer(self, request: Request) -> str:
        one = self.shown[request.tag]
        order = sorted(zip(one.ids, one.labels, strict=True), key=lambda pair: (pair[0] != "2", pair[0]))
        ranking = " > ".join(f"[{label}]" for _, label in order)
        return f"Step 1. It needs 3 things.\n{self.says.format(order[0][1])}\n### Final Reranking: {ranking}"

    def ranker(self) -> LMReranker:
        template = load("dear")

        def keep(shown: Shown) -> None:
            self.shown[shown.tag] = shown

        windows = algorithm("sliding-window")
        return LMReranker(Fake(self.answer), Written(template), windows, Showing(template), on_show=keep)


def dual(stage2: LMReranker, weight: float = 0.5, guard: Guard | None = None) -> DualStage:
    stage1 = Bag({"sun": 3.0, "sea": 1.0, "warms": 2.0})
    return DualStage(stage1, stage2, top=3, fusion=Fusion(weight), guard=guard or Guard())  # type: ignore[arg-type]


def test_score_place_and_reasoning_stand_side_by_side() -> None:
    made = dual(Reasoner().ranker(), 0.75)
    [ranking] = made.rerank_many([GIVEN])
    explained = with_reasons(ranking, made, 2)
    assert explained.hits == ranking.hits
    assert ranking.ids[0] == "2"
    assert explained.explanations is not None
    first = [d for d in explained.explanations.direct if d.document_id == "2"]
    scored, placed, thought = first
    assert (scored.source, scored.score) == ("", ranking[0].score)
    assert sum(term.value for term in scored.terms) == pytest.approx(scored.score)
    account = made.account(ranking)
    assert account is not None
    summands = account.places["2"]
    assert placed.score is None
    assert [(term.part, term.value) for term in placed.terms] == [
        ("stage 1", summands.stage1),
        ("stage 2", summands.stage2),
    ]
    assert placed.text == f"Placed by {summands.total:.2f}: {summands.stage1:.2f} from stage 1 and 0.75 from stage 2."
    assert thought.source == made.stage2.name
    assert thought.text == 'Passage [2] says "pulls the sea".'
    assert [e.quote for e in thought.evidence] == ["pulls the sea"]
    report = verify(explained)
    assert report.ok, str(report)
    assert any("placed otherwise than by their scores" in note.message for note in report.notes)


def test_reasons_of_an_earlier_call_are_kept() -> None:
    made = dual(Reasoner().ranker(), 0.75)
    [ranking] = made.rerank_many([GIVEN])
    explained = with_reasons(ranking, made, 2)
    made.rerank_many([Ranking.of("what does the sun do?", TEXTS)])
    assert with_reasons(ranking, made, 2).explanations == explained.explanations


def test_without_an_account_the_scores_are_explained_and_not_the_order() -> None:
    [ranking] = dual(Reasoner().ranker(), 0.75).rerank_many([GIVEN])
    assert ranking.ids[0] == "2"  # whose score is not the highest
    explained = with_reasons(ranking, dual(Reasoner().ranker(), 0.75), 2)
    assert explained.explanations is not None
    assert [(d.document_id, d.score) for d in explained.explanations.direct] == [
        (hit.document.id, hit.score) for hit in ranking.hits[:2]
    ]
    assert explained.explanations.comparisons == ()
    assert verify(explained).ok


def test_a_wrong_quote_of_the_reasoning_is_marked() -> None:
    made = dual(Reasoner('Passage {} says "pushes the sea".').ranker())
    [ranking] = made.rerank_many([GIVEN])
    explained = with_reasons(ranking, made, 4)
    assert explained.explanations is not None
    [thought] = [d for d in explained.explanations.direct if d.source]
    assert thought.status == "repaired"
    assert [e.span for e in thought.evidence] == [None]
    assert verify(explained).ok


def test_where_stage_2_was_dropped_its_reasons_are_too() -> None:
    stage2 = replace(Reasoner().ranker(), lm=Fake(lambda _: "Passage 1 is good. ### Final Reranking: [1] > [2] > [3]"))
    made = dual(stage2, guard=Guard(second="reversed"))
    [ranking] = made.rerank_many([GIVEN])
    explained = with_reasons(ranking, made, 2)
    assert explained.explanations is not None
    assert "disagrees" in ranking.notes[0]
    assert {d.source for d in explained.explanations.direct} == {""}
    assert len(explained.explanations.comparisons) == 2  # the scores make the order, so they explain it
    assert verify(explained).ok


def test_a_changed_place_is_found() -> None:
    made = dual(Reasoner().ranker())
    [ranking] = made.rerank_many([GIVEN])
    explained = with_reasons(ranking, made, 1)
    assert explained.explanations is not None
    directs = [
        replace(d, text=d.text.replace("Placed by 0", "Placed by 7")) if d.score is None and d.terms else d
        for d in explained.explanations.direct
    ]
    forged = replace(explained, explanations=replace(explained.explanations, direct=tuple(directs)))
    assert [check.name for check in verify(forged).failures] == ["text"]
    swapped = replace(ranking, hits=(ranking[3], *ranking.hits[:3]))
    assert [check.name for check in verify(swapped).failures] == ["order"]


def test_a_place_in_words() -> None:
    reason = placed_reason("x", Summands(0.3, 0.45, 0.6, 1.5))
    assert reason.text == "Placed by 0.75: 0.30 from stage 1 and 0.45 from stage 2."
    assert reason.score is None
