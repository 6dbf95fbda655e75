"""Answers in passages, by DPR's rules, and what is counted of them."""

import math
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank import evaluate
from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate import has_answer, measure, measure_answers
from whyrank.evaluate.answer_matching import Mode, tokens
from whyrank.evaluate.answers import AnswerMeasure, answers_of, beside, needed_texts, split_measures
from whyrank.types import Document, Query, Ranking


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u00a0\u200b", []),
        ("Hello, World", ["hello", ",", "world"]),
        ("U.S.", ["u", ".", "s", "."]),
        ("1,000.5 km²", ["1", ",", "000", ".", "5", "km²"]),
        ("half: ½ Ⅷ", ["half", ":", "½", "ⅷ"]),
        ("snake_case", ["snake", "_", "case"]),
        ("don't", ["don", "'", "t"]),
        ("…!!", ["…", "!", "!"]),
        ("Röntgen", ["ro\u0308ntgen"]),
        ("हिन्दी", ["हिन्दी"]),
        ("東京タワー", ["東京タワー"]),
        ("a\u00adb c\0d", ["a", "b", "c", "d"]),
        ("$5 + €6 🙂", ["$", "5", "+", "€", "6", "🙂"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == [unicodedata.normalize("NFD", token) for token in expected]


@given(st.text(st.characters(exclude_categories=("Cn", "Cs"))))
def test_tokens_are_those_of_the_unicode_classes_that_dpr_names(text: str) -> None:
    regex = pytest.importorskip("regex")
    words = regex.finditer(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]", unicodedata.normalize("NFD", text))
    assert tokens(text) == [word.group().lower() for word in words]


@pytest.mark.parametrize(
    ("passage", "answers", "is_there"),
    [
        ("They had a party.", ["art"], False),
        ("They had a part in it.", ["art"], False),
        ("They like art.", ["art"], True),
        ("ART is long", ["Art"], True),
        ("Wilhelm Conrad Röntgen found them.", ["Wilhelm Conrad Ro\u0308ntgen"], True),
        ("Wilhelm Conrad Rontgen found them.", ["Röntgen"], False),
        ("the U.S. Army", ["U.S."], True),
        ("the U. S. Army", ["U.S."], True),
        ("the US Army", ["U.S."], False),
        ("the U.S Army", ["U.S."], False),
        ("In 1,500 years", ["1500"], False),
        ("In 1 , 500 years", ["1,500"], True),
        ("In 1500 years", ["150"], False),
        ("It was Paris. France won.", ["Paris France"], False),
        ("It was Paris. France won.", ["paris . france"], True),
        ("He left New\n  York at noon", ["new york"], True),
        ("He left York, New", ["New York"], False),
        ("May 18, 2018", ["May 18 , 2018"], True),
        ("May 18 2018", ["May 18, 2018"], False),
        ("the well-known man", ["well known"], False),
        ("the well - known man", ["well-known"], True),
        ("one of them", ["none", "of them"], True),
        ("anything", [], False),
        ("anything", ["", "  ", "\u200b"], False),
        ("", ["a"], False),
        ("two", ["two three"], False),
        ("STRASSE", ["straße"], False),
        ("snake_case", ["snake"], True),
        ("ﬁrst", ["first"], False),
        ("x\0y", ["x y"], True),
    ],
)
def test_texts_as_answers(passage: str, answers: list[str], is_there: bool) -> None:
    assert has_answer(passage, answers) is is_there


@pytest.mark.parametrize(
    ("passage", "pattern", "is_there"),
    [
        ("The 2nd of 1969.", r"19\d\d", True),
        ("They had a party.", "art", True),
        ("They had a party.", r"\bart\b", False),
        ("It is in washington, d.c. today", r"Washington,?\s+D\.?C\.?", True),
        ("Line one\nTwo", "^two$", True),
        ("Ro\u0308ntgen", "röntgen", True),
        ("either", "(neither|either)", True),
    ],
)
def test_patterns_as_answers(passage: str, pattern: str, is_there: bool) -> None:
    assert has_answer(passage, [pattern], "regex") is is_there


def test_a_pattern_that_is_none_is_an_error_and_a_text_of_the_same_letters_is_not() -> None:
    with pytest.raises(BadInput, match=r"answer '\(' is no regular expression .*; mend it, or match texts: Answer@5"):
        has_answer("(", ["("], "regex")
    assert has_answer("f(x)", ["("])


RUN = {"q1": {"a": 3.0, "b": 2.0, "c": 1.0}, "q2": {"c": 2.0, "a": 1.0}, "q3": {"b": 1.0}}
TEXTS = {"a": "A dog barks.", "b": "The cat purrs.", "c": "In Rome, cats sleep."}
ANSWERS = {"q1": ["cat"], "q2": ["Rome", "Paris"], "q4": ["moon"], "q5": []}


def ranking(query: str, *passages: str, metadata: Mapping[str, object] | None = None) -> Ranking:
    documents = [Document(str(n), text, title="cat") for n, text in enumerate(passages)]
    return Ranking.of(Query(query, "why?", metadata or {}), documents)


class TestMeasured:
    def test_by_hand(self) -> None:
        found = measure_answers("ours", RUN, ANSWERS, ["Answer@1", "Answer@2", "Answer@10"], texts=TEXTS)
        assert found.queries == ("q1", "q2", "q4")
        assert found.values_QM.tolist() == [[0, 1, 1], [1, 1, 1], [0, 0, 0]]
        assert found.measures == ("Answer@1", "Answer@2", "Answer@10")
        assert found.mean("Answer@2") == pytest.approx(2 / 3)
        assert found.coverage.without_results == ("q4",)
        assert found.coverage.unjudged_queries == ("q3",)

    def test_rankings_bring_their_texts_and_titles_are_not_read(self) -> None:
        found = measure_answers("ours", [ranking("q1", "dogs", "a cat"), ranking("q2", "rome")], ANSWERS)
        assert found.measures == ("Answer@1", "Answer@5", "Answer@10")
        assert found.of("Answer@1").tolist() == [0, 1, 0]
        assert found.of("Answer@5").tolist() == [1, 1, 0]

    def test_texts_and_patterns_side_by_side(self) -> None:
        asked = ["Answer@1", "Answer(regex=True)@1", "Answer(regex=False)@3"]
        found = measure_answers("ours", [ranking("q", "a party")], {"q": ["art|music"]}, asked)
        assert found.measures == ("Answer@1", "Answer(regex=True)@1", "Answer@3")
        assert found.values_QM.tolist() == [[0, 1, 0]]

    def test_excluded_documents_leave_first_and_ties_are_settled(self) -> None:
        tied = {"q1": {"a": 1.0, "b": 1.0}}
        only = {"q1": ["cat"]}

        def first(**options: object) -> float:
            return measure_answers("ours", tied, only, ["Answer@1"], texts=TEXTS, **options).mean("Answer@1")  # type: ignore[arg-type]

        assert first() == 0.0
        assert first(ties="trec_eval") == 1.0
        assert first(excluded={"q1": ["a"]}) == 1.0
        assert measure_answers("o", tied, only, texts=TEXTS, excluded={"q1": ["a", "x"]}).coverage.excluded == 1

    def test_only_the_first_places_need_texts(self) -> None:
        measures = [AnswerMeasure(1), AnswerMeasure(2)]
        assert needed_texts(RUN, ANSWERS, measures) == {"a", "b", "c"}
        assert needed_texts(RUN, ANSWERS, measures[:1]) == {"a", "c"}
        assert needed_texts(RUN, ANSWERS, measures[:1], excluded={"q1": ["a"]}) == {"b", "c"}
        assert needed_texts([ranking("q1", "x")], ANSWERS, measures) == set()
        top = {"a": TEXTS["a"], "c": TEXTS["c"]}
        assert measure_answers("ours", RUN, ANSWERS, ["Answer@1"], texts=top).mean("Answer@1") == pytest.approx(1 / 3)
        with pytest.raises(BadInput, match=r"1 of 3 documents in the first places have no text in the corpus.*'b';"):
            measure_answers("ours", RUN, ANSWERS, ["Answer@2"], texts=top)

    def test_a_run_without_texts_is_told_of_the_corpus(self) -> None:
        with pytest.raises(BadInput, match=r"'ours': 3 of 3 documents come without texts.* --corpus FILE.*texts=…"):
            measure_answers("ours", RUN, ANSWERS)

    @pytest.mark.parametrize(
        ("answers", "said"),
        [
            ({}, "no query has an answer"),
            ({"q1": []}, "no query has an answer"),
            ({"x": ["y"]}, "no query in common: the run's are such as 'q1', 'q2', 'q3', the answered ones 'x'"),
        ],
    )
    def test_answers_that_are_not_there(self, answers: Mapping[str, Sequence[str]], said: str) -> None:
        with pytest.raises(BadInput, match=said):
            measure_answers("ours", RUN, answers, texts=TEXTS)

    def test_other_measures_are_refused(self) -> None:
        with pytest.raises(UnknownName, match="nDCG@10 is no measure of answers; they are Answer@k"):
            measure_answers("ours", RUN, ANSWERS, ["Answer@1", "nDCG@10"], texts=TEXTS)
        with pytest.raises(UnknownName, match="'Answer@5' needs answers and no judgements"):
            measure("ours", RUN, {"q1": {"a": 1}}, ["Answer@5"])


@given(
    st.lists(st.lists(st.booleans(), max_size=8), min_size=1, max_size=5),
    st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
)
def test_top_k_hits_as_dpr_counts_them(held: list[list[bool]], cutoffs: list[int]) -> None:
    rankings = [ranking(str(n), *("cat" if is_held else "dog" for is_held in own)) for n, own in enumerate(held)]
    answers = {r.query.id: ["cat"] for r in rankings}
    found = measure_answers("ours", rankings, answers, [f"Answer@{k}" for k in cutoffs])
    for k in cutoffs:
        assert found.mean(f"Answer@{k}") == sum(any(own[:k]) for own in held) / len(held)


def test_names_of_measures() -> None:
    asked = split_measures(["nDCG@10", " Answer@5 ", "open-qa", "Answer(regex=True)@20", "Answer@5", "noveleval"])
    assert asked.judged == ("nDCG@10", "nDCG@1", "nDCG@5", "nDCG@10")
    assert list(map(str, asked.answered)) == ["Answer@5", "Answer@1", "Answer@10", "Answer(regex=True)@20"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("answer@5", r"did you mean Answer@5\?"),
        ("Answer_20", r"did you mean Answer@20\?"),
        ("Answer", r"no measure called 'Answer'; answers are measured by Answer@k"),
        ("Answer@0", "no measure called"),
        ("Answer(regex=1)@5", "did you mean Answer@5"),
    ],
)
def test_misspelt_measures_of_answers(name: str, said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        split_measures([name])


def test_sets_of_measures_keep_each_cutoff_a_column() -> None:
    run, qrels = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}, {"q": {"a": 1, "b": 2, "c": 0}}
    found = measure("ours", run, qrels, ["noveleval"])
    assert found.measures == ("nDCG@1", "nDCG@5", "nDCG@10")
    best = 2 + 1 / math.log2(3)
    assert found.values_QM[0] == pytest.approx([1 / 2, *([(1 + 2 / math.log2(3)) / best] * 2)])
    assert measure("ours", run, qrels, ["trec-dl", "beir"]).measures == ("nDCG@5", "nDCG@10")
    with pytest.raises(UnknownName, match="sets of them are noveleval, trec-dl, beir, open-qa"):
        measure("ours", run, qrels, ["novelevil"])


def test_beside_judgements_a_query_that_lacks_one_of_the_two_is_undefined() -> None:
    judged = measure("ours", RUN, {"q3": {"b": 1}, "q1": {"a": 1}}, ["P@1"])
    both = beside(judged, measure_answers("ours", RUN, ANSWERS, ["Answer@1"], texts=TEXTS))
    assert both.measures == ("P@1", "Answer@1")
    assert both.queries == ("q3", "q1", "q2", "q4")
    np.testing.assert_array_equal(both.values_QM, [[1, math.nan], [1, 0], [math.nan, 1], [math.nan, 0]])
    assert both.mean("P@1") == 1.0
    assert both.mean("Answer@1") == pytest.approx(1 / 3)
    assert both.coverage == judged.coverage


def test_systems_are_compared_query_by_query() -> None:
    answers = {str(n): ["cat"] for n in range(8)}
    good = measure_answers("good", [ranking(q, "cat") for q in answers], answers, ["Answer@1"])
    bad = measure_answers("bad", [ranking(q, "dog", "cat") for q in answers], answers, ["Answer@1"])
    [contrast] = evaluate.compare([bad, good], "Answer@1")
    assert (contrast.delta, contrast.low, contrast.high, contrast.wins) == (1.0, 1.0, 1.0, 8)
    assert contrast.p_randomisation == 2 / 2**8


def test_answers_that_queries_bring() -> None:
    queries = [
        Query("1", "who?", {"answers": ["Ada", "Grace"]}),
        Query("2", "who?"),
        Query("3", "who?", {"answers": "Ada"}),
        Query("4", "who?", {"answers": [1]}),
        Query("5", "who?", {"answers": []}),
    ]
    assert answers_of(queries) == {"1": ("Ada", "Grace"), "5": ()}


@pytest.mark.parametrize("mode", ["string", "regex"])
def test_accents_match_however_they_are_typed(mode: Mode) -> None:
    for passage in ("caf\u00e9 noir", "cafe\u0301 noir"):
        for answer in ("CAF\u00c9", "CAFE\u0301"):
            assert has_answer(passage, [answer], mode)
