"""Reasoning over a list, linked to its documents: labels, quotes, neighbours, and nothing taken for a ranking."""

import time
from dataclasses import replace

import pytest

from whyrank.rankers.outcome import as_placed
from whyrank.rankers.overhearing import Thought
from whyrank.reason.reasoned import LONGEST, reasoned, steps
from whyrank.reason.verification import verify
from whyrank.reason.writers import held
from whyrank.types import Comparison, Direct, Document, Query, Ranking, Span, Usage

SOURCE = "dual/made-up@0"
DOCUMENTS = [
    Document("d-tide", "The moon pulls the sea. It turns twice a day."),
    Document("d-sun", "The sun warms the sea, and lifts it a little."),
    Document("7", "An apple tart."),
]
NAMED = {"1": "7", "2": "d-sun", "3": "d-tide"}
ANSWER = """Step 1. The query needs: 1. the cause of tides, 2. how often they come since 1687.
Step 2. Passage 3 says "The moon pulls the sea", which is the cause. [2] adds that it "lifts it a little".
Passages 2 and 3 are about the sea; passage 9 is not there.
[1] is about 2 apples.
Step 3. [3] covers more than [2], for it says "twice a day". Here is the order: [3] > [2] > [1]

### Final Reranking: [3] > [2] > [1]"""


def ranking() -> Ranking:
    given = Ranking.of(Query("q", "why are there tides?"), [DOCUMENTS[2], DOCUMENTS[1], DOCUMENTS[0]])
    return as_placed(given, [2, 1, 0], ranker=SOURCE, usage=Usage())


def test_each_sentence_goes_to_what_it_names() -> None:
    assert [(step.names, step.text) for step in steps(Thought(ANSWER, NAMED))] == [
        (("d-tide",), 'Passage [d-tide] says "The moon pulls the sea", which is the cause.'),
        (("d-sun",), '[d-sun] adds that it "lifts it a little".'),
        (("d-sun", "d-tide"), "Passages [d-sun] and [d-tide] are about the sea; passage 9 is not there."),
        (("7",), "[7] is about 2 apples."),
        (("d-tide", "d-sun"), '[d-tide] covers more than [d-sun], for it says "twice a day".'),
    ]


def test_reasons_stand_in_rank_order_with_their_quotes() -> None:
    found = reasoned(ranking(), [Thought(ANSWER, NAMED)], SOURCE, top=3)
    tide, sun, tart = found.direct
    assert [tide.document_id, sun.document_id, tart.document_id] == ["d-tide", "d-sun", "7"]
    assert [(e.quote, e.span) for e in tide.evidence] == [
        ("The moon pulls the sea", Span(0, 22)),
        ("twice a day", Span(33, 44)),
    ]
    assert [e.quote for e in sun.evidence] == ["lifts it a little"]  # what [3] says is no quote of [2]
    assert tart.text == "[7] is about 2 apples."
    assert {reason.status for reason in found.direct} == {"ok"}
    assert all(reason.score is None and reason.terms == () for reason in found.direct)
    assert [(c.upper_id, c.lower_id) for c in found.comparisons] == [("d-tide", "d-sun")]
    assert found.comparisons[0].text.startswith("Passages [d-sun] and [d-tide] are about the sea")
    assert [e.quote for e in found.comparisons[0].upper_evidence] == ["twice a day"]
    reasons: list[Direct | Comparison] = [*found.direct, *found.comparisons]
    assert all(held("", reason).ok for reason in reasons)
    assert found.usage == Usage()


def test_a_saved_ranking_with_them_verifies() -> None:
    made = ranking()
    explained = replace(made, explanations=reasoned(made, [Thought(ANSWER, NAMED)], SOURCE))
    assert verify(explained).ok


@pytest.mark.parametrize(("opening", "closing"), [('"', '"'), ("“", "”")])
def test_a_label_in_a_quotation_is_its_document_s_own(opening: str, closing: str) -> None:
    sky = Document("d-sky", "As shown, blue light [2] is scattered. Passage 1 [3] says more.")
    given = as_placed(Ranking.of("why?", [sky, DOCUMENTS[1]]), [0, 1], ranker=SOURCE, usage=Usage())
    said = f"Passage 1 says {opening}blue light [2] is scattered. Passage 1 [3]{closing}, as {opening}[2]{closing} not."
    named = {"1": "d-sky", "2": "d-sun", "3": "7"}
    first, *_ = steps(Thought(said, named))
    assert first == (f"Passage [d-sky] says {opening}blue light [2] is scattered.", ("d-sky",))
    whole = said.replace(" is scattered. Passage", " is scattered, passage")
    sky = replace(sky, text=sky.text.replace(" is scattered. Passage", " is scattered, passage"))
    given = replace(given, hits=(replace(given[0], document=sky), given[1]))
    direct, other = reasoned(given, [Thought(whole, named)], SOURCE).direct
    assert (direct.document_id, direct.status, other.document_id) == ("d-sky", "ok", "d-sun")
    assert [e.quote for e in direct.evidence] == ["blue light [2] is scattered, passage 1 [3]"]
    assert direct.text.endswith(f"{closing}, as {opening}[d-sun]{closing} not.")  # a single word quotes no passage


def test_a_wrong_quote_is_marked() -> None:
    [direct] = reasoned(ranking(), [Thought('[3] says "the moon is cheese".', NAMED)], SOURCE).direct
    assert direct.status == "repaired"
    assert [(e.quote, e.span) for e in direct.evidence] == [("the moon is cheese", None)]


def test_windows_use_labels_of_their_own() -> None:
    second = Thought("[1] answers well.", {"1": "d-tide"})
    found = reasoned(ranking(), [Thought("[1] is of no use.", NAMED), second], SOURCE)
    assert {d.document_id: d.text for d in found.direct} == {
        "d-tide": "[d-tide] answers well.",
        "7": "[7] is of no use.",
    }


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[3] > [2] > [1]",
        "### Final Reranking: [3] is best",
        "[1]\n[2]\n[3]",
        "[1], [3], [2] is the order.",
        "I'm sorry, I cannot rank 20 passages.",
        "In 2019, 3 of 20 were found in step 1.",
        "[99] is not there, nor is passage 0.",
    ],
)
def test_what_names_no_document_gives_no_reason(answer: str) -> None:
    found = reasoned(ranking(), [Thought(answer, NAMED)], SOURCE)
    assert (found.direct, found.comparisons) == ((), ())


def test_letters_and_drawn_labels() -> None:
    assert steps(Thought("[B] fits.", {"B": "x"}))[0] == (("[x] fits."), ("x",))
    assert steps(Thought("passage 417 fits.", {"417": "x"}))[0] == ("passage [x] fits.", ("x",))


def test_no_more_than_was_asked_for() -> None:
    found = reasoned(ranking(), [Thought(ANSWER, NAMED)], SOURCE, top=1)
    assert [d.document_id for d in found.direct] == ["d-tide"]
    assert [c.upper_id for c in found.comparisons] == ["d-tide"]
    none = reasoned(ranking(), [Thought(ANSWER, NAMED)], SOURCE, top=0)
    assert (none.direct, none.comparisons) == ((), ())


def test_one_that_repeats_itself_has_said_it_once() -> None:
    answer = "[3] is best. " * 5_000 + "".join(f"[3] is best for reason {n}. " for n in range(5_000))
    started = time.perf_counter()
    [direct] = reasoned(ranking(), [Thought(answer, NAMED)], SOURCE).direct
    assert direct.text.startswith("[d-tide] is best. [d-tide] is best for reason 0.")
    assert len(direct.text) < 1.1 * LONGEST
    assert time.perf_counter() - started < 20
