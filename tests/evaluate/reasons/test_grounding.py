from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from whyrank.errors import BadInput, BadRecord, MissingFile
from whyrank.evaluate.reasons.grounding import (
    check_numbers,
    check_order,
    check_polarity,
    check_quotes,
    normalised,
)
from whyrank.evaluate.reasons.recorded import read_dual_reasons
from whyrank.evaluate.reasons.statements import (
    PLAIN,
    WIDE,
    Number,
    Reason,
    Told,
    numbers,
    order_statements,
    polarity,
    rounds_to,
    stated_leads,
    told,
)
from whyrank.types import (
    Comparison,
    Counterfactual,
    Difference,
    Direct,
    Document,
    Evidence,
    Explanations,
    Query,
    Ranking,
    Span,
    Term,
)

SKY = Document("a", "The sky is blue. It scatters light.", title="Why 12 skies?")
SEA = Document("b", "Seas cover 1,200 km in seventeen places.")
SUN = Document("c", "The sun is 4.60 billion years old.")


def ranking(*direct: Direct, comparisons: tuple[Comparison, ...] = ()) -> Ranking:
    """Best first: b, c, a; they were given as a, b, c."""
    given = Ranking.of(Query("q", "5 skies"), [SKY, SEA, SUN])
    hits = tuple(replace(given.hits[place], score=score) for place, score in ((1, 0.875), (2, 0.5), (0, 0.25)))
    return replace(given, hits=hits, explanations=Explanations(direct, comparisons))


def quoting(*quotes: str | Evidence) -> Ranking:
    return ranking(Direct("a", "", tuple(q if isinstance(q, Evidence) else Evidence(q, None) for q in quotes)))


def saying(text: str, about: str = "a", *beside: str) -> list[Told]:
    return [Told(ranking(), (Reason(text, about, beside),))]


def test_quotes_are_counted_as_defined() -> None:
    found = check_quotes(
        [
            quoting(
                "It scatters light.",  # exact
                "Why 12 skies?",  # exact, the title
                "the SKY -- is blue",  # normalised
                "skies? The sky",  # over the seam of title and text: not a quote
                "The sea is blue.",  # neither
                "",  # empty
                " N/A ",  # empty, though "na" stands in many a text
                "Not applicable.",  # empty
            )
        ]
    )
    assert (found.exact.count, found.exact.of) == (2, 8)
    assert (found.exact_given.count, found.exact_given.of) == (2, 5)
    assert (found.normalised.count, found.normalised.of) == (3, 8)
    assert (found.normalised_given.count, found.normalised_given.of) == (3, 5)
    assert (found.empty.count, found.empty.of) == (3, 8)
    assert found.located.of == 0


def test_a_quote_must_be_the_words_at_its_span() -> None:
    right, shifted = Evidence("The sky", Span(0, 7)), Evidence("The sky", Span(1, 8))
    beyond, title = Evidence("The sky", Span(0, 99)), Evidence("Why", Span(0, 3, "title"))
    found = check_quotes([quoting(right, shifted, beyond, title)])
    assert (found.located.count, found.located.of) == (2, 4)
    assert found.exact.share == 1.0


def test_the_sentences_of_a_counterfactual_are_quotes_of_the_upper() -> None:
    turned = Counterfactual("flips", (Span(0, 4),), ("Seas", "The sun"))
    found = check_quotes([ranking(comparisons=(Comparison("b", "c", "", counterfactual=turned),))])
    assert (found.exact.count, found.exact.of) == (1, 2)
    assert (found.located.count, found.located.of) == (1, 1)


def test_quotes_need_text_and_their_document() -> None:
    bare = Ranking.of("sky", [Document("a", "")])
    with pytest.raises(BadInput, match="none of its 1 documents has text"):
        check_quotes([replace(bare, explanations=Explanations((Direct("a", "", (Evidence("x", None),)),)))])
    with pytest.raises(BadInput, match="'x', which is not in the ranking"):
        check_quotes([ranking(Direct("x", ""))])
    with pytest.raises(BadInput, match="has text"):
        check_numbers([Told(bare, (Reason("7", "a"),))])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The sky--it’s BLUE!", "the sky it s blue"),
        ("  a_b\u00a0c\n", "a b c"),
        ("Größe: 5.5 %", "größe 5 5"),
        ("…", ""),
    ],
)
def test_normalised(text: str, found: str) -> None:
    assert normalised(text) == found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,200 and 1200 and 1200.0", ["1200"] * 3),
        ("5.50 %, $4, 19th, 90s, 5mg", ["5.5", "4", "19", "90", "5"]),
        ("B12 and H2O", []),
        ("COVID-19, 2-3, 70 1/2, 70½", ["19", "2", "3", "70", "1", "2", "70", "1", "2"]),
        (".5 and 0.5", ["0.5", "0.5"]),
        ("1,20 and 12,3456", ["1", "20", "12", "3456"]),
        ("10,000,000.25.", ["10000000.25"]),
        ("1000", ["1000"]),
    ],
)
def test_numbers(text: str, values: list[str]) -> None:
    assert [n.value for n in numbers(text)] == [Decimal(v) for v in values]


@pytest.mark.parametrize(
    ("text", "supported"),
    [
        ("There are 5 of them.", [True]),  # in the query
        ("It names 12 skies.", [True]),  # in the title
        ("It names 13 skies.", [False]),
        ("It was 1,200 km.", [False]),  # in another document than its own
        ("Unlike passages 1, 2 and 3, it is short.", []),  # references to the list
        ("Passage 9 is better.", [False]),  # which there is not
        ("Ranked higher than 2 and [3].", []),
        ("It is ranked 3rd, at rank 1 before.", []),  # its rank, and where it was given
        ("It is ranked 2.", [False]),  # which is another's
        ("It scores 0.25 against 0.88.", [True, True]),  # scores of the list, rounded
        ("It scores 0.26.", [False]),
        ("It has 1 score.", [False]),  # no score without decimals, nor 0.5 rounded up
    ],
)
def test_numbers_are_looked_up_where_a_reason_may_draw_from(text: str, supported: list[bool]) -> None:
    found = check_numbers(saying(text)).unsupported
    assert (found.count, found.of) == (supported.count(False), len(supported))


def test_a_comparison_may_draw_on_both_documents() -> None:
    found = check_numbers(
        saying("It has 1200 km in 17 places; the other is 4.6 billion years old, 99 in all.", "b", "c")
    )
    assert (found.unsupported.count, found.unsupported.of) == (1, 4)
    assert (found.reasons.count, found.reasons.of) == (1, 1)


def test_numbers_of_our_own_reasons_are_those_of_their_terms() -> None:
    terms = (Term("w", 0.25, "sky", Span(0, 16)), Term("w", 0.125, "blue", Span(17, 35)), Term("first", 0.3))
    direct = Direct("a", "Both (0.375) carry 2 sentences, the first 0.25, and 0.300 elsewhere; 0.12.", (), 0.675, terms)
    compared = Comparison(
        "b",
        "c",
        "Leads by 0.375, 0.1 on one, 0.275 on both words.",
        0.375,
        (Difference("w", 0.3, 0.2, "sky"), Difference("w", 0.5, 0.325, "blue"), Difference("first", 0.2, 0.1)),
        Counterfactual(
            "flips", (Span(0, 4),), ("Seas",), 0.4321, text="Without 1 of its sentences it would score 0.43."
        ),
    )
    given = told(ranking(direct, comparisons=(compared,)))
    assert check_numbers([given]).unsupported.count == 0
    third = (*terms, Term("w", 0.0625, "sky", Span(8, 16)))
    two_of_three = replace(direct, text="Together they carry 0.375 of 0.4375.", terms=third)
    assert check_numbers([told(ranking(two_of_three))]).unsupported.count == 0
    wrong = replace(direct, text="It carries 0.26 of 3 sentences.")
    found = check_numbers([told(ranking(wrong))]).unsupported
    assert (found.count, found.of) == (2, 2)


@pytest.mark.parametrize(
    ("value", "said", "is_so"),
    [
        (0.3149, "0.31", True),
        (0.3151, "0.31", False),
        (-0.31, "0.31", False),
        (0.000000345, "0.0000003", True),
        (2.5, "2", True),
    ],
)
def test_rounding_follows_the_decimals(value: float, said: str, is_so: bool) -> None:
    assert rounds_to(value, Number(Decimal(said), len(said.partition(".")[2]))) is is_so


def test_leads() -> None:
    assert [str(n.value) for n in stated_leads("Leads by 0.310. B leads the other by −2; it is ahead by 0.5.")] == [
        "0.31",
        "-2",
    ]


@pytest.mark.parametrize(
    ("text", "pattern", "said"),
    [
        ("It is less relevant than passages 1, 2, and 4.", PLAIN, [(False, (1, 2, 4))]),
        ("More relevant than passage 3 but less relevant than passage 1", PLAIN, [(True, (3,)), (False, (1,))]),
        ("less relevant than passage [1]", PLAIN, []),
        ("less directly relevant than passage 1", PLAIN, []),
        ("less directly relevant than passage [1] and [12]", WIDE, [(False, (1, 12))]),
        ("provides more detail about it than the other passages 2 & 3", WIDE, [(True, (2, 3))]),
        ("ranked lower than passages 2 and passage 3", WIDE, [(False, (2, 3))]),
        ("It ranks just below documents 4 or 5.", WIDE, [(False, (4, 5))]),
        ("It is more than enough, as passage 2 says.", WIDE, []),
    ],
)
def test_order_statements(text: str, pattern: object, said: list[tuple[bool, tuple[int, ...]]]) -> None:
    assert [s[:2] for s in order_statements(text, pattern)] == said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "about", "agrees"),
    [
        ("more relevant than passages 3 and 1", "b", True),  # b, c, a: numbers 2, 3, 1
        ("more relevant than passages 3 and 1", "c", False),  # which is 3 itself
        ("less relevant than passages 2 and 1", "c", False),  # 2 stands above it, 1 does not
        ("less relevant than passage 2", "c", True),
        ("less relevant than passage 3", "c", False),  # itself
        ("less relevant than passage 4", "c", False),  # there is none
    ],
)
def test_a_statement_agrees_where_all_it_names_stand_so(text: str, about: str, agrees: bool) -> None:
    found = check_order(saying(f"It is {text}.", about))
    assert (found.count, found.of) == (int(agrees), 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("This passage directly answers the query.", "positive"),
        ("It is highly relevant.", "positive"),
        ("It does not directly answer the query.", "negative"),
        ("It doesn't provide any information.", "negative"),
        ("It is not really relevant, indeed irrelevant.", "negative"),
        ("It directly addresses it, but does not mention any price.", "mixed"),
        ("It is about the sky.", "none"),
    ],
)
def test_polarity(text: str, said: str) -> None:
    assert polarity(text) == said


def test_polarity_against_the_rank() -> None:
    yes, no = "It directly answers the query.", "It does not answer the query."
    given = ranking()  # b, c, a
    turned = Told(given, (Reason(no, "b"), Reason(yes, "c"), Reason(yes, "a"), Reason(no, "a", ("b",))))
    right = Told(given, (Reason(yes, "b"), Reason("It is blue.", "c"), Reason(no, "a")))
    unclear = Told(given, (Reason(yes, "b"), Reason(no, "b"), Reason(no, "a")))
    found = check_polarity([turned, right, unclear])
    assert (found.first_denied.count, found.first_denied.of) == (1, 2)
    assert (found.last_affirmed.count, found.last_affirmed.of) == (1, 3)
    assert (found.turned.count, found.turned.of) == (2, 3)


def test_nothing_told() -> None:
    bare = told(Ranking.of("sky", [SKY]))
    assert bare.reasons == ()
    assert check_quotes([bare.ranking]).exact.of == 0
    assert check_order([bare]).of == check_numbers([bare]).unsupported.of == check_polarity([bare]).turned.of == 0


Lines = Callable[[str, list[object]], str]
RECORD = {
    "query": "5 skies",
    "qid": 7,
    "unsorted_docs": [SKY.text, SEA.text],
    "re_rank_id": [2, 1],
    "reason": {
        "ranked_passages": [
            {
                "identifier": 2,
                "direct_reason": "It covers 1200 km.",
                "listwise_reason": "More relevant than passage 1.",
                "direct_answer_sentence": "Seas cover",
            },
            {
                "identifier": 1,
                "direct_reason": "It says why.",
                "listwise_reason": "Less relevant than passage 2.",
                "direct_answer_sentence": "Because of the light.",
            },
        ]
    },
}


def test_recorded_reasons_are_read_as_they_were_written(lines: Lines, tmp_path: Path) -> None:
    [one] = read_dual_reasons(tmp_path / lines("r2r.jsonl", [RECORD]))
    assert one.ranking.query == Query("7", "5 skies")
    assert one.ranking.ids == ("2", "1")
    assert [hit.first_rank for hit in one.ranking] == [2, 1]
    assert one.reasons[1] == Reason("More relevant than passage 1.", "2", ("1",))
    assert one.ranking.explanations is not None
    assert [d.evidence[0].span for d in one.ranking.explanations.direct] == [Span(0, 10), None]
    assert check_order([one]).share == 1.0
    assert check_numbers([one]).unsupported.of == 1


DUMB = {"ranked_passages": [{**RECORD["reason"]["ranked_passages"][0], "listwise_reason": None}]}  # type: ignore[index]


@pytest.mark.parametrize(
    "change",
    [
        {"re_rank_id": [1, 1]},
        {"re_rank_id": [1]},
        {"reason": {}},
        {"unsorted_docs": [1, 2]},
        {"query": None},
        {"reason": DUMB},
    ],
)
def test_a_record_that_is_no_such_list_is_named_by_its_line(
    change: dict[str, object], lines: Lines, tmp_path: Path
) -> None:
    path = tmp_path / lines("r2r.jsonl", [RECORD, {**RECORD, **change}])
    with pytest.raises(BadRecord, match=r"r2r\.jsonl:2: .*re_rank_id"):
        read_dual_reasons(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_dual_reasons(tmp_path / "no.jsonl")


@pytest.mark.data
def test_the_figures_of_the_recorded_teacher_come_out(data: Path) -> None:
    """Those of its README: 82.1 % of 2,500, 89.0 % of the non-empty, 88.6 % of 2,500 normalised; 202 of 202."""
    lists = read_dual_reasons(data / "teacher-r2r-dual-reasons" / "train-msmarco-500.jsonl.gz")
    assert len(lists) == 500
    quotes = check_quotes([one.ranking for one in lists])
    assert (quotes.exact.count, quotes.exact.of) == (2_053, 2_500)
    assert (quotes.exact_given.count, quotes.exact_given.of) == (2_053, 2_306)
    assert (quotes.normalised.count, quotes.normalised.of) == (2_214, 2_500)
    assert [round(100 * p.share, 1) for p in quotes[:3]] == [82.1, 89.0, 88.6]
    assert (quotes.located.count, quotes.located.of) == (2_053, 2_053)
    plain, wide = check_order(lists, PLAIN), check_order(lists, WIDE)
    assert (plain.count, plain.of) == (202, 202)
    assert (wide.count, wide.of) == (737, 751)
    unsupported = check_numbers(lists).unsupported
    assert (unsupported.count, unsupported.of) == (0, 87)
    assert check_polarity(lists).turned.count == 0
