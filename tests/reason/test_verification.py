"""Everything that is saved can be checked: each kind of tampering is caught, and named."""

from collections.abc import Callable
from dataclasses import replace
from math import nan

import pytest
from bag_scorer import BagScorer, ranked

from whyrank.reason import explain, verify
from whyrank.reason.checks import Report
from whyrank.reason.verification import OTHER_WORDING
from whyrank.types import (
    Comparison,
    Counterfactual,
    Difference,
    Direct,
    Document,
    Evidence,
    Explanations,
    Hit,
    Query,
    Ranking,
    Span,
    Term,
)

SCORER = BagScorer({"heat": 0.5, "cold": 0.25, "air": 0.125}, best=0.125, whole=0.25, first=0.25, constant=-0.125)
DOCUMENTS = [
    Document("a", "Heat moves. Cold air stays. Rain falls.", title="Heat pumps"),
    Document("b", "Cold air. Heat comes later."),
    Document("c", "Snow is cold."),
    Document("d", "Nothing here."),
    Document("e", "Nothing there."),
]
RANKING = ranked(SCORER, Query("q7", "heat cold air"), DOCUMENTS, [1.0, 0.5, 0.25, 0.0, 0.0])
SAVED = replace(RANKING, explanations=explain(RANKING, SCORER, top=3))

Tamper = Callable[[Ranking], Ranking]


def explained(ranking: Ranking) -> Explanations:
    assert ranking.explanations is not None
    return ranking.explanations


def direct(change: Callable[[Direct], Direct], at: int = 0) -> Tamper:
    def tampered(ranking: Ranking) -> Ranking:
        reasons = list(explained(ranking).direct)
        reasons[at] = change(reasons[at])
        return replace(ranking, explanations=replace(explained(ranking), direct=tuple(reasons)))

    return tampered


def evidence(change: Callable[[Evidence], Evidence]) -> Tamper:
    return direct(lambda d: replace(d, evidence=(change(d.evidence[0]), *d.evidence[1:])))


def term(change: Callable[[Term], Term], at: int = 0) -> Tamper:
    return direct(lambda d: replace(d, terms=(*d.terms[:at], change(d.terms[at]), *d.terms[at + 1 :])))


def compared(change: Callable[[Comparison], Comparison], at: int = 0) -> Tamper:
    def tampered(ranking: Ranking) -> Ranking:
        reasons = list(explained(ranking).comparisons)
        reasons[at] = change(reasons[at])
        return replace(ranking, explanations=replace(explained(ranking), comparisons=tuple(reasons)))

    return tampered


def turned(change: Callable[[Counterfactual], Counterfactual], at: int = 0) -> Tamper:
    def changed(comparison: Comparison) -> Comparison:
        assert comparison.counterfactual is not None
        return replace(comparison, counterfactual=change(comparison.counterfactual))

    return compared(changed, at)


def hits(change: Callable[[list[Hit]], list[Hit]]) -> Tamper:
    return lambda ranking: replace(ranking, hits=tuple(change(list(ranking.hits))))


def shifted(span: Span | None) -> Span:
    assert span is not None
    return replace(span, start=span.start + 1, end=span.end + 1)


def shortened(span: Span) -> Span:
    return replace(span, end=span.end - 1)


def swapped(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_what_was_just_made_holds() -> None:
    for report in (verify(SAVED), verify(SAVED, SCORER), verify(RANKING), verify(RANKING, SCORER)):
        assert report.ok, str(report)
        assert report.notes == ()
    assert set(verify(SAVED, SCORER).counts) == {
        "permutation", "order", "spans", "score", "quote", "evidence", "sum", "text", "margin", "difference",
        "counterfactual", "minimal", "ranker", "rescored", "terms", "writer",
    }  # fmt: skip
    statuses = [c.counterfactual.status for c in explained(SAVED).comparisons if c.counterfactual]
    assert statuses == ["flips", "flips", "impossible"]
    assert len(explained(SAVED).direct[0].evidence) == 2


CAUGHT: list[tuple[str, Tamper, str, str]] = [
    (
        "a character of a quote",
        evidence(lambda e: replace(e, quote=swapped(e.quote, "Cold", "Gold"))),
        "quote",
        "query 'q7', document 'a': evidence 1 says 'Gold air stays.', but text 12:27 reads 'Cold air stays.'",
    ),
    ("a shifted span", evidence(lambda e: replace(e, span=shifted(e.span))), "quote", "13:28 reads 'old air stays. '"),
    ("a span outside", evidence(lambda e: replace(e, span=Span(5, 99))), "spans", "5:99 lies outside its text"),
    ("a term", term(lambda t: replace(t, value=t.value + 1e-6)), "sum", "the terms sum to"),
    (
        "a term's span",
        term(lambda t: replace(t, span=Span(1, 10, "title"))),
        "difference",
        "late interaction / heat of the upper is",
    ),
    ("no number", term(lambda t: replace(t, value=nan)), "spans", "a contribution is no finite number"),
    ("a contribution", evidence(lambda e: replace(e, contribution=0.6)), "evidence", "but it says 0.6"),
    ("met words", evidence(lambda e: replace(e, query_terms=("cold",))), "evidence", "meets ('cold',), but"),
    ("the explained score", direct(lambda d: replace(d, score=1.5)), "score", "explains 1.5, but it ranks with"),
    ("another document", direct(lambda d: replace(d, document_id="z")), "explained", "document 'z': a reason is given"),
    ("no terms", direct(lambda d: replace(d, terms=())), "evidence", "no term belongs to text 12:27"),
    (
        "a number in a direct text",
        direct(lambda d: replace(d, text=swapped(d.text, "0.62", "0.72"))),
        "text",
        "query 'q7', document 'a': the text says 0.72 where the numbers give 0.62",
    ),
    (
        "a number in a comparison",
        compared(lambda c: replace(c, text=swapped(c.text, "Leads by 0.", "Leads by 9."))),
        "text",
        "query 'q7', 'a' above 'b': the text says 9.",
    ),
    (
        "a quote in a text",
        direct(lambda d: replace(d, text=swapped(d.text, "Cold air", "Gold air"))),
        "text",
        "quotes “Gold air stays.”, which is in neither text",
    ),
    (
        "a number in a reworded text",
        direct(lambda d: replace(d, text="In short, it gains 0.77 and ends at 0.62.")),
        "text",
        "says 0.77, which none of the numbers gives",
    ),
    ("the margin", compared(lambda c: replace(c, margin=0.5)), "margin", "the margin is 0.5; the scores give"),
    (
        "a difference",
        compared(lambda c: replace(c, differences=(replace(c.differences[0], upper=0.7), *c.differences[1:]))),
        "margin",
        "the differences sum to",
    ),
    (
        "two differences that cancel",
        compared(
            lambda c: replace(
                c,
                differences=(
                    *c.differences[:-2],
                    replace(c.differences[-2], upper=c.differences[-2].upper + 0.5),
                    replace(c.differences[-1], upper=c.differences[-1].upper - 0.5),
                ),
            )
        ),
        "difference",
        "its terms give",
    ),
    (
        "a difference's span",
        compared(
            lambda c: replace(
                c,
                differences=tuple(
                    replace(d, upper_span=d.upper_span and shortened(d.upper_span)) for d in c.differences
                ),
            )
        ),
        "difference",
        "of the upper is",
    ),
    (
        "a removed quote",
        turned(lambda f: replace(f, quotes=("Heat pump!", *f.quotes[1:]))),
        "quote",
        "removed sentence 1 says 'Heat pump!'",
    ),
    (
        "a number in a counterfactual's text",
        turned(lambda f: replace(f, text=swapped(f.text, "score 0.82", "score 0.92"))),
        "text",
        "query 'q7', 'a' above 'b': the text says 0.92 where the numbers give 0.82",
    ),
    (
        "a quote in a counterfactual's text",
        turned(lambda f: replace(f, text=swapped(f.text, "“Cold", "“Gold"))),
        "text",
        "quotes “Gold air stays.”, which is in neither text",
    ),
    (
        "a number in a reworded counterfactual",
        turned(lambda f: replace(f, text="It would end at 0.77.")),
        "text",
        "says 0.77, which none of the numbers gives",
    ),
    ("a quote too few", turned(lambda f: replace(f, quotes=())), "quote", "but 0 are quoted"),
    (
        "a flip which is none",
        turned(lambda f: replace(f, score=1.375)),
        "counterfactual",
        "claims a flip, but 'a' with 1.375 does not fall below",
    ),
    (
        "a flip without removal",
        turned(lambda f: Counterfactual("flips", score=-5.0)),
        "counterfactual",
        "claims a flip",
    ),
    (
        "removed out of order",
        compared(
            lambda c: replace(
                c,
                counterfactual=Counterfactual(
                    "flips", (Span(0, 11), Span(0, 10, "title")), ("Heat moves.", "Heat pumps"), -1
                ),
            )
        ),
        "counterfactual",
        "not in document order",
    ),
    (
        "an impossible removal",
        turned(lambda f: replace(f, status="impossible")),
        "counterfactual",
        "yet names a removal",
    ),
    (
        "two hits",
        hits(lambda h: [h[1], h[0], *h[2:]]),
        "order",
        "query 'q7', documents 'b' and 'a': expected descending scores",
    ),
    (
        "a tie",
        hits(lambda h: [*h[:3], h[4], h[3]]),
        "order",
        "'e' (score -0.125, rank 5) above 'd' (score -0.125, rank 4)",
    ),
    ("a score", hits(lambda h: [replace(h[0], score=9.0), *h[1:]]), "margin", "the scores give 7."),
    (
        "an unread hit on top",
        hits(lambda h: [replace(h[0], score=None), *h[1:]]),
        "order",
        "not read below those that were",
    ),
    ("a score that is none", hits(lambda h: [*h[:4], replace(h[4], score=nan)]), "order", "score nan"),
    (
        "a hit dropped",
        hits(lambda h: [*h[:3], h[4]]),
        "permutation",
        "query 'q7': original ranks 1 to 5 were expected; [4] are missing",
    ),
    ("an explained hit dropped", hits(lambda h: h[1:]), "explained", "document 'a' is compared, but it is not in"),
    ("the first hit dropped", hits(lambda h: h[1:]), "permutation", "[1] are missing"),
    (
        "an explained hit unread",
        hits(lambda h: [*h[:2], *h[3:], replace(h[2], score=None)]),
        "score",
        "explains 0.375, but it ranks with None",
    ),
    (
        "unread hits out of order",
        hits(lambda h: [*h[:3], replace(h[4], score=None), replace(h[3], score=None)]),
        "order",
        "expected documents that were not read in their original order",
    ),
    (
        "an invented part",
        compared(lambda c: replace(c, differences=(*c.differences, Difference("fame", 0.5, 0.5)))),
        "difference",
        "the differences are about",
    ),
    ("a hit doubled", hits(lambda h: [*h, h[4]]), "permutation", "documents stand twice: e"),
    ("a rank doubled", hits(lambda h: [*h[:4], replace(h[4], first_rank=4)]), "permutation", "ranks stand twice: [4]"),
    ("a rank below one", hits(lambda h: [*h[:4], replace(h[4], first_rank=-1)]), "permutation", "-1"),
    (
        "a comparison turned round",
        compared(lambda c: replace(c, upper_id=c.lower_id, lower_id=c.upper_id)),
        "order",
        "'b' does not stand above in the ranking",
    ),
]


@pytest.mark.parametrize(("tamper", "name", "message"), [c[1:] for c in CAUGHT], ids=[c[0] for c in CAUGHT])
def test_tampering_is_caught_without_the_ranker(tamper: Tamper, name: str, message: str) -> None:
    assert_caught(verify(tamper(SAVED)), name, message)


def test_words_beside_a_quote_are_those_worth_naming_and_no_others() -> None:
    ranking = ranked(SCORER, "why is the heat", ["Why is the heat there?", "Snow."])
    saved = replace(ranking, explanations=explain(ranking, SCORER, top=1))
    assert explained(saved).direct[0].evidence[0].query_terms == ("heat",)
    assert verify(saved).ok
    for words in (("heat", "why"), ("why", "is", "the"), ()):
        changed = evidence(lambda e, words=words: replace(e, query_terms=words))(saved)  # type: ignore[misc]
        assert_caught(verify(changed), "evidence", "but its terms give ('heat',)")


def test_a_counterfactual_of_a_comparison_without_numbers_is_held_to_its_own() -> None:
    found = replace(explained(SAVED).comparisons[0], margin=None, differences=(), text="It says more.")
    reasons = replace(explained(SAVED), comparisons=(found,))
    assert verify(replace(SAVED, explanations=reasons)).ok
    assert_caught(
        verify(turned(lambda f: replace(f, text="It would score 0.77."))(replace(SAVED, explanations=reasons))),
        "text",
        "says 0.77",
    )


def assert_caught(report: Report, name: str, message: str) -> None:
    assert not report.ok
    assert [c for c in report.failures if c.name == name and message in str(c)], str(report)


def consistent_term(ranking: Ranking) -> Ranking:
    """Half a unit moved from one part to another, every sum kept: only the ranker can tell."""
    place = [t.part for t in explained(ranking).direct[0].terms].index("whole document")
    moved = term(lambda t: replace(t, value=t.value + 1e-3), place)(ranking)
    return term(lambda t: replace(t, value=t.value - 1e-3), place + 1)(moved)


ONLY_RESCORED: list[tuple[str, Tamper, str, str]] = [
    ("moved contributions", consistent_term, "terms", "taken apart again it is"),
    (
        "a score a hair off",
        turned(lambda f: replace(f, score=(f.score or 0.0) + 1e-12)),
        "counterfactual",
        "claims the score",
    ),
    (
        "a removal that is no sentence",
        turned(lambda f: replace(f, removed=(Span(0, 4, "title"),), quotes=("Heat",))),
        "counterfactual",
        "removes [Span(start=0, end=4, field='title')], which are not sentences of 'a'",
    ),
    (
        "a removal that does not flip",
        turned(lambda f: replace(f, removed=(Span(28, 39),), quotes=("Rain falls.",))),
        "counterfactual",
        "claims the score",
    ),
    (
        "a removal larger than needed",
        turned(
            lambda f: Counterfactual(
                "flips",
                (Span(0, 10, "title"), Span(0, 11), Span(12, 27), Span(28, 39)),
                ("Heat pumps", "Heat moves.", "Cold air stays.", "Rain falls."),
                0.125,
                minimal=True,
            )
        ),
        "minimal",
        "claims to be the smallest, but without",
    ),
    (
        "a denied flip",
        turned(lambda f: Counterfactual("impossible")),
        "counterfactual",
        "claims to be impossible, but without",
    ),
    (
        "a document",
        hits(lambda h: [*h[:4], replace(h[4], document=replace(h[4].document, text="Nothing cold."))]),
        "rescored",
        "query 'q7', document 'e': the saved score is",
    ),
    (
        "a first-stage score",
        hits(lambda h: [*h[:4], replace(h[4], first_score=0.2)]),
        "rescored",
        "scored again it is",
    ),
]


@pytest.mark.parametrize(
    ("tamper", "name", "message"), [c[1:] for c in ONLY_RESCORED], ids=[c[0] for c in ONLY_RESCORED]
)
def test_tampering_that_only_the_ranker_can_tell(tamper: Tamper, name: str, message: str) -> None:
    assert_caught(verify(tamper(SAVED), SCORER), name, message)


def test_another_ranker_is_named_and_nothing_is_scored_with_it() -> None:
    other = replace(SCORER, name="other", scored=0)
    report = verify(SAVED, other)
    assert [str(c) for c in report.failures] == [
        "ranker: query 'q7': made by 'bag', verified with 'other'; verify with the ranker that made it"
    ]
    assert other.scored == 0


def test_a_ranker_that_changed_under_its_name_is_caught_by_the_bits() -> None:
    changed = replace(SCORER, weights={**SCORER.weights, "heat": 0.5 + 2**-50})
    assert_caught(verify(SAVED, changed), "rescored", "the saved score is")


def test_a_denied_flip_of_one_sentence_is_caught() -> None:
    scorer = replace(SCORER, first=0.0, constant=-0.2, whole=0.3)
    ranking = ranked(scorer, "heat", ["Heat.", "Heat. Snow."])
    made = explain(ranking, scorer, top=1)
    denied = replace(made.comparisons[0], counterfactual=Counterfactual("impossible"))
    report = verify(replace(ranking, explanations=replace(made, comparisons=(denied,))), scorer)
    assert_caught(report, "counterfactual", "claims to be impossible, but without [Span(start=0, end=5, field='text')]")


def test_a_pair_is_not_the_smallest_where_one_of_it_will_do() -> None:
    removed = (Span(0, 10, "title"), Span(12, 27))
    [score] = SCORER.score(RANKING.query, [DOCUMENTS[0].without(removed)], [1.0])
    claimed = Counterfactual("flips", removed, ("Heat pumps", "Cold air stays."), score, minimal=True)
    report = verify(turned(lambda _: claimed)(SAVED), SCORER)
    assert_caught(report, "minimal", "claims to be the smallest, but without [Span(start=12, end=27, field='text')]")
    greedy = replace(claimed, minimal=False)
    assert not [c for c in verify(turned(lambda _: greedy)(SAVED), SCORER).failures if c.name != "text"]


def test_hits_that_were_not_read_may_follow() -> None:
    read = [*RANKING.hits[:3], *(replace(h, score=None) for h in RANKING.hits[3:])]
    assert verify(replace(RANKING, hits=tuple(read)), SCORER).ok


def test_an_impossibility_too_large_to_try_is_not_believed() -> None:
    text = " ".join(["Heat."] * 9)
    scorer = replace(SCORER, bounded=False)
    ranking = ranked(scorer, "heat", [text, "Snow."])
    made = explain(ranking, scorer, top=1)
    claimed = replace(made.comparisons[0], counterfactual=Counterfactual("impossible"))
    report = verify(replace(ranking, explanations=replace(made, comparisons=(claimed,))), scorer)
    assert_caught(report, "counterfactual", "no bound shows it and 9 sentences are too many to try")


def test_a_bound_is_believed_without_scoring() -> None:
    ranking = ranked(SCORER, "heat", [" ".join(["Heat."] * 9), "Snow."], [9.0, 0.0])
    saved = replace(ranking, explanations=explain(ranking, SCORER, top=1))
    [comparison] = explained(saved).comparisons
    no_removal = "No removal of its sentences would put it behind the other."
    assert comparison.counterfactual == Counterfactual("impossible", text=no_removal)
    assert verify(saved, SCORER).ok


def test_a_ranking_cut_by_top_is_whole_and_a_dropped_hit_is_seen() -> None:
    whole = ranked(SCORER, "heat", ["Snow.", "Heat.", "Ice.", "Heat and heat."])
    cut = whole.top(2)
    assert [h.first_rank for h in cut] == [2, 4]
    assert cut.left_out == 2
    assert verify(cut).ok
    assert not verify(replace(cut, left_out=0)).ok
    assert not verify(replace(cut, left_out=1)).ok
    assert not verify(replace(whole, hits=whole.hits[:3])).ok


def test_a_text_in_other_words_is_held_to_its_numbers_and_quotes() -> None:
    other = direct(
        lambda d: replace(
            d, text="“Cold air stays.” gives 0.62 of 1.12 and it scores 1.4, as “Cold air …” shows: 1.0 heat."
        )
    )(SAVED)
    report = verify(replace(other, query=replace(SAVED.query, text="heat cold air 1.0")))
    assert report.ok, str(report)
    assert [c.message for c in report.notes] == [OTHER_WORDING]
    certified = direct(lambda d: replace(d, text="This document is certified to be true."))(SAVED)
    assert verify(certified).ok
    assert_caught(verify(certified, SCORER), "text", "not in the words that whyrank writes")


def test_a_comparison_in_other_words_is_held_to_its_numbers() -> None:
    margin = explained(SAVED).comparisons[1].margin
    assert margin == 0.875
    fair = compared(lambda c: replace(c, text="Ahead by 0.875, on words 0.9 against 0.25, on cold by 0.0."), 1)(SAVED)
    assert verify(fair).ok, str(verify(fair))
    wrong = compared(lambda c: replace(c, text="Ahead by 0.885."), 1)(SAVED)
    assert_caught(verify(wrong), "text", "the text says 0.885, which none of the numbers gives")


GOOD, LOST = Evidence("Snow is cold.", Span(0, 13)), Evidence("Snow is hot.", None)
WRITTEN = Explanations(
    direct=(Direct("c", "It is about 3.14 snow.", (GOOD, LOST), source="fake", status="repaired"),),
    comparisons=(
        Comparison(
            "a",
            "c",
            "It says more about heat, 2.71 times.",
            source="fake",
            upper_evidence=(Evidence("Heat moves.", Span(0, 11)),),
            lower_evidence=(GOOD,),
            agrees=False,
        ),
    ),
)


def test_written_reasons_are_held_to_their_quotes() -> None:
    for beside in (RANKING, SAVED):
        ours = beside.explanations or Explanations()
        both = Explanations((*ours.direct, *WRITTEN.direct), (*ours.comparisons, *WRITTEN.comparisons))
        report = verify(replace(beside, explanations=both), SCORER)
        assert report.ok, str(report)
        assert [c.message for c in report.notes] == [
            (
                "2 reasons written by 'fake': their quotes were looked up; "
                "the words follow from nothing that could be checked"
            ),
            "evidence 2 is marked as not found in the document",
        ]


def test_a_reason_that_was_not_given_verifies() -> None:
    none = "No reason was given: the model declined to write one."
    reasons = Explanations((Direct("c", none, source="fake", status="refused"),))
    report = verify(replace(RANKING, explanations=reasons))
    assert report.ok
    assert "1 reason written by 'fake': its quotes were looked up" in report.notes[0].message


def by_fake(change: Callable[[Direct], Direct]) -> Ranking:
    changed = replace(WRITTEN, direct=(change(WRITTEN.direct[0]),))
    return replace(RANKING, explanations=changed)


def compared_by_fake(change: Callable[[Comparison], Comparison]) -> Ranking:
    return replace(RANKING, explanations=replace(WRITTEN, comparisons=(change(WRITTEN.comparisons[0]),)))


NUMBERS = "is written by 'fake', yet bears numbers of a score"
ANONYMOUS = "names no writer, and no numbers that its words could follow from"


@pytest.mark.parametrize(
    ("tampered", "name", "message"),
    [
        (
            by_fake(lambda d: replace(d, evidence=(replace(GOOD, quote="Snow is hot."),))),
            "quote",
            "says 'Snow is hot.'",
        ),
        (by_fake(lambda d: replace(d, evidence=(replace(GOOD, span=Span(0, 99)),))), "spans", "span 0:99 lies outside"),
        (by_fake(lambda d: replace(d, source="")), "writer", ANONYMOUS),
        (by_fake(lambda d: replace(d, score=0.375)), "writer", NUMBERS),
        (by_fake(lambda d: replace(d, terms=(Term("constant", 0.375),))), "writer", NUMBERS),
        (by_fake(lambda d: replace(d, evidence=(replace(GOOD, contribution=0.1),))), "writer", NUMBERS),
        (by_fake(lambda d: replace(d, evidence=(replace(GOOD, query_terms=("snow",)),))), "writer", NUMBERS),
        (by_fake(lambda d: replace(d, status="ok")), "writer", "the status 'ok', yet a quote that was not found"),
        (by_fake(lambda d: replace(d, status="partial")), "writer", "has the status 'partial'; expected one of ok, "),
        (
            by_fake(lambda d: replace(d, status="error", evidence=())),
            "writer",
            "'error', yet gives a reason or a quote",
        ),
        (by_fake(lambda d: replace(d, text="No reason was given.")), "writer", "'repaired', yet gives no reason"),
        (by_fake(lambda d: replace(d, text=" ")), "writer", "'repaired', yet gives no reason"),
        (by_fake(lambda d: replace(d, document_id="z")), "explained", "it is not in the ranking"),
        (compared_by_fake(lambda c: replace(c, source="")), "writer", ANONYMOUS),
        (compared_by_fake(lambda c: replace(c, source="")), "writer", "yet quotes or agrees as only a written"),
        (compared_by_fake(lambda c: replace(c, margin=1.0)), "writer", NUMBERS),
        (compared_by_fake(lambda c: replace(c, counterfactual=Counterfactual("unknown"))), "writer", NUMBERS),
        (compared_by_fake(lambda c: replace(c, upper_evidence=(GOOD,))), "quote", "evidence 1 of the upper says"),
        (
            compared_by_fake(lambda c: replace(c, lower_evidence=(replace(GOOD, quote="x"),))),
            "quote",
            "of the lower says",
        ),
        (compared_by_fake(lambda c: replace(c, upper_id="c", lower_id="a")), "order", "does not stand above"),
        (direct(lambda d: replace(d, status="repaired"))(SAVED), "writer", "only a written reason can have"),
        (direct(lambda d: replace(d, source="fake"))(SAVED), "writer", NUMBERS),
        (direct(lambda d: replace(d, terms=(), score=None, evidence=()))(SAVED), "writer", ANONYMOUS),
        (compared(lambda c: replace(c, agrees=True))(SAVED), "writer", "yet quotes or agrees"),
    ],
)
def test_no_written_reason_passes_for_more_and_none_for_ours(tampered: Ranking, name: str, message: str) -> None:
    assert_caught(verify(tampered), name, message)


def placed(*hits: tuple[str, float | None, bool]) -> Ranking:
    ranks = {document.id: rank for rank, document in enumerate(DOCUMENTS, 1)}
    by_id = {document.id: document for document in DOCUMENTS}
    return Ranking(
        Query("q", "?"),
        tuple(Hit(by_id[name], score, None, ranks[name], 0, is_placed) for name, score, is_placed in hits),
    )


def test_hits_that_were_placed_without_scores_stand_in_any_order_above_those_not_read() -> None:
    told = placed(("c", None, True), ("a", None, True), ("b", None, False), ("d", None, False), ("e", None, False))
    report = verify(told)
    assert report.ok
    assert [c.message for c in report.notes] == [
        "2 documents were placed without scores: nothing shows their order but the word of the ranker"
    ]
    scored = placed(("c", 2.0, True), ("a", None, True), ("b", 1.0, False), ("d", None, False), ("e", None, False))
    assert verify(scored).ok


@pytest.mark.parametrize(
    ("hits_of", "expected"),
    [
        ([("b", None, False), ("a", None, True)], "expected documents that were not read below those that were"),
        ([("b", None, False), ("a", 1.0, False)], "expected documents that were not read below those that were"),
        ([("b", None, False), ("a", None, False)], "expected documents that were not read in their original order"),
        ([("a", 2.0, False), ("b", 1.0, True)], "expected documents that were placed above those that were not"),
    ],
)
def test_placed_hits_excuse_no_other_disorder(hits_of: list[tuple[str, float | None, bool]], expected: str) -> None:
    assert_caught(verify(placed(*hits_of)), "order", expected)


def test_a_list_as_it_was_given_verifies() -> None:
    assert verify(Ranking.of("heat", [])).ok
    assert verify(Ranking.of("heat", ["Heat.", "Cold."])).ok
    by_hand = replace(RANKING, hits=tuple(replace(h, first_rank=0) for h in RANKING.hits), ranker="")
    assert [c.message for c in verify(by_hand, SCORER).notes] == [
        "no original ranks are saved, so missing documents cannot be told",
        "the ranking does not say what made it",
    ]


def test_a_report_reads_well() -> None:
    report = verify(hits(lambda h: [h[1], h[0], *h[2:]])(RANKING))
    assert str(report).splitlines()[0] == f"{len(report.checks)} checks, 1 failed"
    assert "order: query 'q7', documents 'b' and 'a': expected descending scores" in str(report)
