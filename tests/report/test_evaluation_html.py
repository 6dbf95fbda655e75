"""The evaluation page: harmless, whole, and the numbers on it are those that were measured."""

import re
from dataclasses import replace
from typing import Any

import pytest
from made_up import ranking as made_up
from measured import BASE, CONTRASTS, GOOD, HOSTILE, INTERVALS, contrast, evaluation
from test_html import Page

from whyrank.errors import MissingExtra
from whyrank.evaluate.calibration import ReliabilityBin
from whyrank.evaluate.harm import SystemHarm, balance, find_harm
from whyrank.evaluate.results import Proportion
from whyrank.report import plots
from whyrank.report.evaluation_html import EvaluationReport, render_evaluation
from whyrank.report.harm_html import CARDS, OPEN
from whyrank.report.plots import Trained
from whyrank.types import Direct, Document, Evidence, Explanations, Hit, Query, Ranking, Span


def listed(query: str, ids: str, text: str = "Rust is red. It flakes.", reason: str = "") -> Ranking:
    """One document a letter; the first has a reason if there is one."""
    hits = tuple(Hit(Document(f"{query}-{d}", text), first_rank=i) for i, d in enumerate(ids, 1))
    span = Span(0, 12)
    direct = (Direct(f"{query}-{ids[0]}", reason, (Evidence(text[:12], span, 1.0),)),) if reason else ()
    return Ranking(Query(query, f"what is {query}?"), hits, explanations=Explanations(direct) if reason else None)


def harmed(count: int = 1, **given: str) -> SystemHarm:
    names = [f"q{i}" for i in range(count)]
    before, after = dict.fromkeys(names, 0.75), {n: 0.5 - i / 1000 for i, n in enumerate(names)}
    found = find_harm(
        [listed(n, "AN") for n in names],
        [listed(n, "NA", **given) for n in names],
        {n: {f"{n}-A": 2} for n in names},
        before,
        after,
        measure="nDCG@10",
    )
    return SystemHarm("evidence", "bm25", "nDCG@10", balance(before, after), found)


WHOLE = EvaluationReport(
    title="an evaluation",
    dataset="demo",
    evaluations=(BASE, GOOD),
    contrasts=CONTRASTS,
    intervals=INTERVALS,
    reasons=(evaluation("evidence", (0.1, 0.2, 0.3, 0.2)), evaluation("lead", (0.4, 0.5, 0.6, 0.5))),
    lower_is_better=("nDCG@10",),
    proportions=(Proportion("spans", 2053, 2500, "occurs to the letter"),),
    training={"ours": (Trained(10, 0.5), Trained(100, 0.6))},
    calibration={"as scored": (ReliabilityBin(0, 1, 0.5, 0.4, 10),)},
    harms=(harmed(reason="The first sentence answers."),),
    settings={"depth": 100},
    versions={"whyrank": "1"},
    seeds={"bootstrap": 0},
)


@pytest.fixture(scope="module")
def whole() -> str:
    return render_evaluation(WHOLE)


def test_the_page_is_well_formed_and_loads_nothing(whole: str) -> None:
    page = Page(whole)
    assert not {"img", "link", "iframe", "object"} & {name for name, _ in page.elements}
    assert not any(
        "src" in attrs or "style" in attrs or any(k.startswith("on") for k in attrs) for _, attrs in page.elements
    )
    assert "default-src 'none'" in whole
    assert "unsafe" not in whole
    assert " style=" not in whole


def test_ids_are_unique_and_every_link_leads_somewhere(whole: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', whole)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', whole)) <= set(ids)


def test_every_part_is_there_and_in_the_contents(whole: str) -> None:
    names = re.findall(r"<h2 id=\"\w+\">(.*?)</h2>", whole)
    assert names == [
        "Effectiveness",
        "Query by query",
        "Where reranking hurt",
        "Effectiveness against cost",
        "Effectiveness against training size",
        "Calibration",
        "Are the reasons true?",
        "Queries that need care",
        "How this was made",
    ]
    contents = whole.split('<nav class="contents"')[1].split("</nav>")[0]
    assert re.findall(r">([^<]+)</a>", contents) == names


def test_the_headline_names_the_best_with_its_interval(whole: str) -> None:
    [said] = Page(whole).all("p", "query")
    assert said == "evidence is best on demo, with nDCG@10 0.4062 [0.3000, 0.5000]"


def test_systems_that_read_as_equal_are_both_best() -> None:
    twin = replace(GOOD, name="twin")
    assert "<b>evidence</b> and <b>twin</b> are best" in render_evaluation(EvaluationReport(evaluations=(GOOD, twin)))


def test_numbers_shown_are_numbers_given(whole: str) -> None:
    [table, *_] = re.findall(r'<table class="measured.*?</table>', whole, flags=re.S)
    assert [float(v) for v in re.findall(r'data-value="([^"]+)"', table)] == [
        e.mean(m) for e in (BASE, GOOD) for m in ("nDCG@10", "RR@10")
    ]
    for text in ("<b>0.4062</b>", "[0.3000, 0.5000]", "+0.0625", "2/1/1"):
        assert text in table


def test_significance_is_said_in_words(whole: str) -> None:
    assert (
        "<b>evidence</b> is better than <b>bm25</b>: +0.0625 nDCG@10, 95 % interval +0.0125 to +0.1125; 2 queries won, "
        "1 tied, 1 lost (p = 0.0100 by randomisation, 0.0200 by t-test, after Holm)." in whole
    )
    unsure = render_evaluation(EvaluationReport(evaluations=(BASE, GOOD), contrasts=(contrast(GOOD, BASE, p=0.5),)))
    assert "<b>evidence</b> cannot be told apart from <b>bm25</b>" in unsure


def test_coverage_gain_and_ties_are_stated(whole: str) -> None:
    for text in ("Gain of nDCG: linear.", "Equal scores: in the order of the run.", "unjudged@10", "<dd>q9</dd>"):
        assert text in whole


def test_harm_shows_who_moved_where_with_grades_and_reasons(whole: str) -> None:
    page = Page(whole)
    assert page.all("p", "balance-words") == [
        "nDCG@10: 1 of 1 queries lost (100.0 %, in sum −0.2500); 0 stayed; 0 gained (0.0 %, in sum 0.0000)."
    ]
    [case] = page.all("details", "case")
    assert "nDCG@10 0.7500 → 0.5000 −0.2500" in case
    assert "1 relevant document pushed down" in case
    left, right = page.all("ol", "list")
    assert left.startswith("1→ 2grade 2Rust is red.")
    assert right.startswith("1was 2unjudgedRust is red.")
    assert [text.count("Rust") for text in page.all("li", "guilty")] == [1, 1]
    assert "Why it is here The first sentence answers." in case
    assert '<mark class="s4">Rust is red.</mark>' in whole


def test_the_first_cards_are_open_and_long_lists_end_in_a_table() -> None:
    page = render_evaluation(EvaluationReport(harms=(harmed(CARDS + 5),)))
    assert page.count('<details class="case"') == CARDS
    assert len(re.findall(r'<details class="case" id="[^"]+" open>', page)) == OPEN
    assert "5 more with smaller losses" in page


def test_no_reasons_is_said() -> None:
    assert "No reasons were given for them." in render_evaluation(EvaluationReport(harms=(harmed(),)))


def test_real_reasons_of_the_demo_stand_beside_their_documents() -> None:
    reranked = made_up("heat-pump")
    first = replace(reranked, hits=tuple(sorted(reranked.hits, key=lambda h: h.first_rank)), explanations=None)
    grades = {first.query.id: {first.hits[0].document.id: 2.0}}
    [harm] = find_harm([first], [reranked], grades, {first.query.id: 1.0}, {first.query.id: 0.4}, measure="nDCG@10")
    page = render_evaluation(EvaluationReport(harms=(SystemHarm("a", "b", "m", balance({}, {}), (harm,)),)))
    assert "Why it is here" in page
    assert "No query has a value both before and after." in page


def test_hostile_text_changes_nothing_but_text() -> None:
    def built(text: str) -> str:
        base, other = evaluation("base", (0.5, 0.25)), evaluation(text, (0.75, 0.5), without_results=(text,))
        query = Query(text, text)
        one, two = Document("1", text, title=text), Document("2", text)
        first = Ranking(query, (Hit(one, first_rank=1), Hit(two, first_rank=2)))
        reason = Explanations((Direct("2", text, (Evidence(text, Span(0, 3), 1.0, (text,)),)),))
        after = Ranking(query, (Hit(two, first_rank=2), Hit(one, first_rank=1)), explanations=reason)
        harms = find_harm([first], [after], {text: {"1": 1.0}}, {text: 1.0}, {text: 0.5}, measure=text)
        return render_evaluation(
            EvaluationReport(
                title=text,
                dataset=text,
                evaluations=(base, other),
                contrasts=(contrast(other, base, queries=(text, "b")),),
                reasons=(other,),
                proportions=(Proportion(text, 1, 2, text),),
                harms=(SystemHarm(text, text, text, balance({text: 1.0}, {text: 0.5}), harms),),
                settings={text: text},
                versions={text: text},
            )
        )

    def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
        return Page(re.sub(r"<svg class=\"plot\".*?</svg>", "", page, flags=re.S)).shape

    bad = built(HOSTILE)
    assert shape(bad) == shape(built("a plain name that is about as long as the other, so that nothing is cut"))
    assert "<script>alert" not in bad
    assert "\x1b" not in bad


def test_the_same_report_gives_the_same_page(whole: str) -> None:
    assert render_evaluation(WHOLE) == whole


def test_an_empty_report_is_a_page_too() -> None:
    page = render_evaluation(EvaluationReport())
    assert "Nothing was measured." in page
    assert "<nav" not in page
    assert render_evaluation(EvaluationReport(evaluations=(evaluation("x", (float("nan"),)),))).count("–") > 0


def test_without_matplotlib_the_page_says_what_brings_the_plots(monkeypatch: pytest.MonkeyPatch, whole: str) -> None:
    def absent(*args: Any, **given: Any) -> Any:
        raise MissingExtra("no matplotlib")

    for name in ("delta_bars", "forest", "effectiveness_against_cost", "training_curve", "reliability"):
        monkeypatch.setattr(plots, name, absent)
    page = render_evaluation(WHOLE)
    assert "pip install 'whyrank[plots]'" in page
    assert '<svg class="plot"' not in page
    assert '<svg class="plot"' in whole
    assert "<b>0.4062</b>" in page
