"""The terminal view: what it says, that it fits, and that nothing in a document can act on the terminal."""

import io
import re
from dataclasses import replace

import pytest
from made_up import DOCUMENTS, ours, plain, ranking, written
from rich.cells import cell_len
from rich.console import Console

from whyrank.reason import joined
from whyrank.report.look import EVIDENCE, Look
from whyrank.report.terminal import RankingView, document_cell, move_text
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
    Usage,
)

SGR = re.compile(r"\x1b\[([0-9;]*)m")


def printed(view: RankingView, *, width: int = 100, encoding: str = "utf-8", env: dict[str, str] | None = None) -> str:
    """What reaches the terminal, bytes decoded as the terminal would."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=True, color_system="standard", _environ=env or {})
    console.print(view)
    file.flush()
    return raw.getvalue().decode(encoding)


def words(output: str) -> str:
    """The text without styles, on one line."""
    return " ".join(SGR.sub("", output).split())


@pytest.mark.parametrize("width", [40, 60, 80, 160])
@pytest.mark.parametrize("query", ["heat-pump", "bread"])
def test_every_line_fits_the_terminal(query: str, width: int) -> None:
    lines = SGR.sub("", printed(RankingView(ranking(query)), width=width)).splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= width


def test_hits_come_in_order_with_move_score_and_title() -> None:
    text = words(printed(RankingView(ranking("bread", explained=0), limit=3), width=120))
    assert re.search(r"1 ▲6 0\.824 [━╸]+ starch-recrystallises Why a chilled loaf turns hard", text)
    assert re.search(r"2 ▲6 0\.598 [━╸]+ keeping-a-loaf", text)
    assert re.search(r"3 ▼1 0\.557 [━╸]+ bread-mould", text)
    assert "bread-pudding" not in text
    assert "3 of 8 hits · 8 documents read · 812 tokens read · 0.084 s ranked by evidence@3f1c9a" in text


def test_narrow_terminals_do_without_bars() -> None:
    assert "━" not in printed(RankingView(ranking("bread", explained=0)), width=60)


@pytest.mark.parametrize(
    ("rank", "first", "fine", "ascii_sign"),
    [(1, 4, "▲3", "^3"), (3, 2, "▼1", "v1"), (2, 2, "·", "="), (1, 0, "new", "new")],
)
def test_moves_have_signs_in_every_encoding(rank: int, first: int, fine: str, ascii_sign: str) -> None:
    hit = Hit(Document("d", ""), first_rank=first)
    assert move_text(rank, hit, Look("utf-8", 80)).plain == fine
    assert move_text(rank, hit, Look("ascii", 80)).plain == ascii_sign


def test_evidence_is_highlighted_at_its_exact_span() -> None:
    document = DOCUMENTS["keeping-a-loaf"]
    quote = "Refrigerated bread turns dry and hard the soonest."
    start = document.text.index(quote)
    direct = Direct("keeping-a-loaf", "", (Evidence(quote, Span(start, start + len(quote)), 0.3),))
    cell = document_cell(Hit(document), direct.evidence, 60, Look("utf-8", 80))
    assert [cell.plain[s.start : s.end] for s in cell.spans if s.style == EVIDENCE] == [quote]


def test_the_snippet_is_cut_around_the_evidence() -> None:
    text = "Nothing here. " * 200 + "The answer. " + "Nothing there. " * 200
    at = text.index("The answer.")
    direct = Direct("d", "", (Evidence("The answer.", Span(at, at + 11), 1.0),))
    shown = document_cell(Hit(Document("d", text)), direct.evidence, 40, Look("utf-8", 60)).plain.split("\n")[1]
    assert shown.startswith("…here. Nothing here. The answer.")
    assert "The answer." in shown
    assert shown.endswith("…")
    assert len(shown) <= 3 * 40


def test_reasons_show_text_evidence_contributions_and_query_words() -> None:
    text = words(printed(RankingView(ranking("bread"), limit=1), width=120))
    assert "why “The crystals grow quickest" in text
    assert re.search(
        r"\+0\.468 ━━━━━ “The crystals grow quickest a little above freezing.*?” fridge · stale · bread", text
    )


def test_a_quote_that_was_not_found_says_so() -> None:
    direct = Direct("1", "Because.", (Evidence("made up words", None), Evidence("too far", Span(0, 999))))
    given = Ranking.of("q", ["the text"])
    text = words(printed(RankingView(Ranking(given.query, given.hits, explanations=Explanations((direct,))))))
    assert "not found in the document: “made up words”" in text
    assert "not found in the document: “too far”" in text


def test_a_comparison_shows_margin_signed_differences_and_what_turns_it() -> None:
    given = Ranking.of("q", [{"id": "up", "text": "One. Two."}, {"id": "down", "text": "Three."}])
    hits = (Hit(given.hits[0].document, 0.7, first_rank=1), Hit(given.hits[1].document, 0.5, first_rank=2))
    why = Comparison(
        "up",
        "down",
        "It says more.",
        0.2,
        (Difference("sentence", 0.5, 0.1, "heat"), Difference("first stage", 0.1, 0.3)),
        Counterfactual("flips", (Span(0, 4),), ("One.",), 0.3, minimal=True),
    )
    view = RankingView(Ranking(given.query, hits, explanations=Explanations(comparisons=(why,))))
    text = words(printed(view, width=120))
    assert "above #2 down by 0.200 It says more." in text
    assert "heat │━━━━━━ +0.400 0.500 : 0.100" in text
    assert "first stage ━━━│ −0.200 0.100 : 0.300" in text
    assert "Without this sentence it would score 0.300 and fall below down (0.500). “One.”" in text


def test_a_counterfactual_says_its_text_and_nothing_is_said_twice() -> None:
    def shown(found: Counterfactual, text: str) -> str:
        given = Ranking.of("q", [{"id": "up", "text": "One. Two."}, {"id": "down", "text": "Three."}])
        why = Comparison("up", "down", text, 0.2, (Difference("first stage", 0.3, 0.1),), found)
        hits = tuple(replace(h, score=s) for h, s in zip(given.hits, (0.7, 0.5), strict=True))
        return words(printed(RankingView(Ranking(given.query, hits, explanations=Explanations(comparisons=(why,))))))

    one = Counterfactual("flips", (Span(0, 4),), ("One.",), 0.3, text="Without “One.” it would fall behind the other.")
    text = shown(one, "Leads by 0.20, all of it on the first stage.")
    assert "above #2 down Leads by 0.20, all of it on the first stage. first stage" in text
    assert "↯ Without “One.” it would fall behind the other. 2" in text
    two = replace(one, removed=(Span(0, 4), Span(5, 9)), quotes=("One.", "Two."), text="Without 2 of them it would.")
    assert "above #2 down by 0.200 Short. first stage" in shown(two, "Short.")
    assert "↯ Without 2 of them it would. “One.” “Two.” 2" in shown(two, "Short.")


def test_reasons_can_be_left_out() -> None:
    text = words(printed(RankingView(ranking("bread"), reasons=False)))
    assert "above #2" not in text
    assert "why “" not in text


def test_the_footer_says_what_went_wrong() -> None:
    given = Ranking.of("q", ["a"])
    view = RankingView(
        Ranking(
            given.query,
            given.hits,
            status="partial",
            notes=("2 answers were repaired",),
            usage=Usage(calls=2, generated_tokens=9),
        )
    )
    text = words(printed(view))
    assert "status: partial ▸ 2 answers were repaired 1 hit · in the order given · 2 calls · 9 generated tokens" in text
    assert "not read" in text


def test_written_reasons_name_their_writer_and_mark_what_was_not_found() -> None:
    text = words(printed(RankingView(written("bread")), width=110))
    assert "why It says so. “The crystals grow quickest a little above freezing" in text
    assert "above #2 keeping-a-loaf A says more than B. #1 “As the loaf cools, the starch slowly" in text
    assert "#2 not found in the document: “Bread lasts a year.” A is #1, B is #2 · asked both ways, the" in text
    assert "why No reason was given: the answer broke off. above #3" in text
    assert "B says more than A. A is #2, B is #3 · the writer prefers #3 at least once" in text
    assert text.count("fake:writer") == 1
    assert text.endswith("cost unknown written by fake:writer")


def test_several_writers_are_named_at_their_own_reasons() -> None:
    given = written("bread")
    assert given.explanations is not None
    second = replace(given.explanations.direct[1], source="fake:other")
    explanations = replace(given.explanations, direct=(given.explanations.direct[0], second))
    text = words(printed(RankingView(replace(given, explanations=explanations)), width=110))
    assert text.count("— written by fake:writer") == 3
    assert "why No reason was given: the answer broke off. — asked of fake:other above #3" in text
    assert text.endswith("cost unknown")


def test_written_reasons_stand_below_ours_and_their_quotes_are_marked() -> None:
    both = joined(ranking("bread"), written("bread").explanations or Explanations(), ours("bread"))
    output = printed(RankingView(replace(ranking("bread"), explanations=both), limit=1), width=110)
    text = words(output)
    assert text.index("carries most of the sentence evidence") < text.index("why It says so.")
    assert text.index("It leads by") < text.index("A says more than B.")
    assert text.count("— written by fake:writer") == 2


def test_a_written_quote_is_highlighted_in_the_document() -> None:
    given = written("bread")
    assert given.explanations is not None
    quote = given.explanations.direct[0].evidence[0].quote
    cell = document_cell(given.hits[0], given.explanations.direct[0].evidence, 120, Look("utf-8", 140))
    assert [cell.plain[s.start : s.end] for s in cell.spans if s.style == EVIDENCE] == [quote]
    assert "\x1b[1;35mThe crystals grow quickest" in printed(RankingView(given, limit=1), width=110)


def test_hits_that_were_placed_without_scores_have_a_dash_and_no_bars() -> None:
    hits = (Hit(Document("a", "Text."), first_rank=2, placed=True), Hit(Document("b", "Text."), first_rank=1))
    output = printed(RankingView(Ranking(Query("q", "?"), hits, ranker="listwise")), width=100)
    assert re.search(r"1 ▲1 – a Text\. 2 ▼1 not read b Text\.", words(output))
    assert "━" not in output


def test_scores_below_zero_have_no_bars_unless_others_are_above() -> None:
    below = words(printed(RankingView(plain("q", "a", "b", scores=[-0.2, -0.6])), width=100))
    assert "1 ▲1 −0.200 2 b 2 ▼1 −0.600 1 a" in below
    both = SGR.sub("", printed(RankingView(plain("q", "a", "b", "c", scores=[2.0, 1.0, -1.0])), width=100))
    assert [re.findall(r"\d {2}([ ━╸╺│]+) {2}\d", line) for line in both.splitlines() if "│" in line] == [
        ["   │━━━━━━"],
        ["   │━━━   "],
        ["━━━│      "],
    ]


def test_a_long_name_of_a_ranker_is_broken_at_its_joints() -> None:
    name = "pointwise-logprobs/relevance-generation/pointwise/openai:local@127.0.0.1:45587@b152ee21"
    lines = SGR.sub("", printed(RankingView(replace(plain("q", "a"), ranker=name)), width=60)).splitlines()
    assert [line.rstrip() for line in lines[-3:]] == [
        "1 hit",
        "ranked by pointwise-logprobs/relevance-generation/pointwise/",
        "          openai:local@127.0.0.1:45587@b152ee21",
    ]


def test_no_hits_are_said_in_words() -> None:
    assert "No hits." in words(printed(RankingView(Ranking(Query("q", "anything"), ()))))


HOSTILE = (
    "\x1b[2J\x1b]0;title\x07 [red]markup[/red] [/] \x9b31m\r\b\u202e \ud800 "
    + "א" * 300
    + " 👨\u200d👩\u200d👧 "
    + "w" * 500
)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "latin-1"])
def test_nothing_in_a_document_reaches_the_terminal_raw(encoding: str) -> None:
    document = Document(HOSTILE[:40], HOSTILE, title=HOSTILE)
    direct = Direct(document.id, HOSTILE, (Evidence(HOSTILE, None, 0.1, (HOSTILE,)), Evidence("", Span(3, 40), 0.2)))
    why = Comparison(document.id, HOSTILE, HOSTILE, 0.1, (Difference(HOSTILE, 1, 0, HOSTILE),))
    hits = (Hit(document, 0.5, first_rank=1),)
    view = RankingView(
        Ranking(
            Query("q", HOSTILE),
            hits,
            ranker=HOSTILE,
            status="error",
            notes=(HOSTILE,),
            explanations=Explanations((direct,), (why,)),
        )
    )
    output = printed(view, width=70, encoding=encoding)
    rest = SGR.sub("", output)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rest)
    assert set(SGR.findall(output)) <= {"0", "1", "31", "32", "33", "36", "90", "9", "35", "1;33", "1;35"}
    assert "[red]markup[/red]" in words(output).replace(" ", "").replace("\n", "")
    assert max(cell_len(line.rstrip()) for line in rest.splitlines()) <= 70


def test_small_encodings_get_plain_marks() -> None:
    output = printed(RankingView(ranking("bread")), encoding="ascii")
    assert re.search(r"\^6.*0\.824.*==========", SGR.sub("", output))
    assert '"Refrigerated bread' in output


def test_no_color_is_respected() -> None:
    output = printed(RankingView(ranking("bread")), env={"NO_COLOR": "1"})
    used = {code for codes in SGR.findall(output) for code in codes.split(";")}
    assert used <= {"0", "1", "9"}  # bold and struck are no colours
    assert "1" in used


def test_a_plain_list_needs_no_reasons() -> None:
    text = words(printed(RankingView(plain("which?", "first text", "second text"))))
    assert "1 ▲1 0.900 ━━━━━━━━━━ 2 second text" in text
    assert "2 ▼1 0.800" in text
