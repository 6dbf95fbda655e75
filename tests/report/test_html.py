"""The HTML report: one harmless, readable file that shows evidence exactly where it stands."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import DOCUMENTS, ours, plain, quoted, ranking, written

from whyrank.reason import joined
from whyrank.report.html import render_html
from whyrank.report.html_card import MOST_SHOWN
from whyrank.report.visible import visible
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
    Usage,
)

VOID = {"meta", "br", "rect"}


class Page(HTMLParser):
    """A page read strictly: every element is closed in order; texts are gathered by element."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[list[str]] = []
        self.places: list[int] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append([])
        if tag not in VOID:
            self.open.append(tag)
            self.places.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.places.pop()

    def handle_data(self, data: str) -> None:
        for place in self.places:
            self.texts[place].append(data)

    def all(self, tag: str, kind: str = "") -> list[str]:
        """The texts of the elements with this tag and class."""
        return [
            "".join(text)
            for (name, attrs), text in zip(self.elements, self.texts, strict=True)
            if name == tag and kind in ["", *(attrs.get("class") or "").split()]
        ]

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """The elements and the names of their attributes, without any text."""
        return [(tag, tuple(attrs)) for tag, attrs in self.elements]


def explained(document: Document, *evidence: Evidence, terms: tuple[Term, ...] = ()) -> Ranking:
    hit = Hit(document, 1.0, first_rank=1)
    direct = Direct(document.id, "Because.", evidence, 1.0, terms)
    return Ranking(Query("q", "why?"), (hit,), ranker="test", explanations=Explanations((direct,)))


def test_the_policy_names_exactly_the_style_and_script_that_are_inside() -> None:
    page = Page(render_html([ranking("bread")]))
    [policy] = [a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv")]
    for content, name in ((page.all("style")[0], "style-src"), (page.all("script")[0], "script-src")):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none';")
    assert "unsafe" not in str(policy)


def test_the_page_loads_nothing_and_styles_nothing_in_line() -> None:
    source = render_html([ranking("bread"), ranking("heat-pump")])
    page = Page(source)
    names = {name for _, attrs in page.elements for name in attrs}
    assert not names & {"src", "style", "srcset", "action", "data", "background"}
    assert not [n for n in names if n.startswith("on")]
    assert {str(a["href"])[0] for _, a in page.elements if "href" in a} == {"#"}
    assert not re.search(r"@import|url\(|https?:", source)
    assert {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object", "form"} == set()


def test_links_and_labels_point_at_what_exists() -> None:
    page = Page(render_html([ranking("bread"), ranking("heat-pump")]))
    ids = [str(a["id"]) for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for _, a in page.elements if "href" in a} <= set(ids)
    assert {str(a["aria-labelledby"]) for _, a in page.elements if "aria-labelledby" in a} <= set(ids)
    tags = [tag for tag, _ in page.elements]
    assert [tags.count(t) for t in ("main", "header", "footer", "nav", "h1", "h2")] == [1, 1, 1, 1, 1, 2]


def test_evidence_is_marked_in_place_numbered_and_as_strong_as_its_contribution() -> None:
    document = DOCUMENTS["keeping-a-loaf"]
    text = document.text
    quote = "Refrigerated bread turns dry and hard the soonest."
    strong = Evidence(quote, Span(text.index(quote), text.index(quote) + len(quote)), 0.4, ("stale", "fridge"))
    weak = Evidence("Keep a loaf", Span(0, 11), 0.08)
    against = Evidence("two or three days", Span(text.index("two or"), text.index("two or") + 17), -0.2)
    page = Page(render_html([explained(document, strong, weak, against)]))
    assert page.all("mark", "s4") == [quote]
    assert page.all("mark", "s1") == ["Keep a loaf"]
    assert page.all("mark", "neg") == ["two or three days"]
    assert page.all("sup") == ["2", "3", "1"]
    assert page.all("div", "doc") == [
        text.replace("Keep a loaf", "Keep a loaf2").replace("days", "days3").replace(quote, quote + "1")
    ]
    assert page.all("li")[1:4] == ["Sentence 1+0.400stale, fridge", "Sentence 2+0.080", "Sentence 3−0.200"]


def test_a_mark_in_the_title_stands_in_the_title() -> None:
    document = Document("d", "The text.", title="All about heat")
    page = Page(render_html([explained(document, Evidence("heat", Span(10, 14, "title"), 0.1))]))
    assert page.all("mark") == ["heat"]
    assert page.all("h3") == ["All about heat1"]


def test_a_quote_that_is_not_in_the_document_is_shown_as_not_found() -> None:
    page = Page(render_html([explained(Document("d", "The text."), Evidence("made up", None, 0.1))]))
    assert page.all("mark") == []
    assert page.all("q") == ["made up"]
    assert page.all("span", "lost") == ["not found in the document:"]


def test_long_documents_show_windows_around_the_evidence_and_keep_the_whole_behind_them() -> None:
    text = "Nothing to see here. " * 100 + "The answer stands here. " + "Nothing after it. " * 100
    at = text.index("The answer")
    page = Page(render_html([explained(Document("d", text), Evidence("…", Span(at, at + 23), 0.5))]))
    [excerpt] = page.all("div", "window")
    assert excerpt.startswith("… ")
    assert "The answer stands here.1" in excerpt
    assert excerpt.endswith(" …")
    assert len(excerpt) < 400
    assert page.all("mark") == ["The answer stands here."] * 2
    assert page.all("div", "doc")[1].replace("here.1", "here.") == text


def test_enormous_documents_are_cut_and_say_so() -> None:
    source = render_html([plain("q", "word " * 400_000)])
    assert len(source) < 150_000
    assert Page(source).all("details", "whole")[0].endswith(f"{2_000_000 - MOST_SHOWN:,} more characters left out.")


def test_rank_move_and_score_are_readable_without_colour() -> None:
    page = Page(render_html([ranking("bread")]))
    assert page.all("div", "place")[:3] == [
        "Rank 1▲ 6 up from place 7",
        "Rank 2▲ 6 up from place 8",
        "Rank 3▼ 1 down from place 2",
    ]
    assert page.all("div", "score")[:2] == ["Score 0.824", "Score 0.598"]
    widths = [a["width"] for t, a in page.elements if t == "rect" and a.get("class") == "fill"]
    assert widths[:2] == ["100.00%", f"{0.598 / 0.824:.2%}"]


def test_parts_of_the_score_are_stacked_and_named() -> None:
    terms = (
        Term("constant", 0.0),
        Term("late interaction", 0.5),
        Term("first stage", 0.75),
        Term("late interaction", 0.25),
        Term("rest", -0.5),
    )
    source = render_html([explained(Document("d", "Text."), terms=terms)])
    page = Page(source)
    assert page.all("div", "parts") == ["What the score is made oflate interaction +0.750first stage +0.750rest −0.500"]
    assert '<rect class="p3" x="0.00%" width="25.00%"' in source
    assert '<rect class="p1" x="25.00%" width="37.50%"' in source
    assert '<rect class="p2" x="62.50%" width="37.50%"' in source


def test_a_comparison_shows_signed_differences_from_the_middle_and_what_turns_it() -> None:
    given = Ranking.of("q", [{"id": "up", "text": "One. Two."}, {"id": "down", "text": "Three.", "title": "Below"}])
    hits = (Hit(given.hits[0].document, 0.7, first_rank=1), Hit(given.hits[1].document, 0.5, first_rank=2))
    why = Comparison(
        "up",
        "down",
        "It says more.",
        0.2,
        (Difference("sentence", 0.5, 0.1, "heat"), Difference("first stage", 0.1, 0.3)),
        Counterfactual("flips", (Span(0, 4),), ("One.",), 0.3, minimal=True),
    )
    source = render_html([Ranking(given.query, hits, explanations=Explanations(comparisons=(why,)))])
    page = Page(source)
    [expander] = page.all("details", "above")
    assert expander.startswith("Why above #2 “Below”?It says more.Ahead by 0.200.")
    assert "heat+0.4000.5000.100" in expander
    assert "first stage−0.2000.1000.300" in expander
    assert '<rect class="for" x="50.00%" width="50.00%"' in source
    assert '<rect class="against" x="25.00%" width="25.00%"' in source
    assert "Without this sentence it would score 0.300 and fall below “Below” (0.500)." in expander
    assert page.all("del") == ["One."]


def test_a_counterfactual_says_its_text_and_quotes_only_what_is_not_in_it() -> None:
    def page(found: Counterfactual) -> Page:
        given = Ranking.of("q", [{"id": "up", "text": "One. Two."}, {"id": "down", "text": "Three."}])
        why = Comparison("up", "down", "Leads by 0.20.", 0.2, (Difference("first stage", 0.3, 0.1),), found)
        return Page(render_html([Ranking(given.query, given.hits, explanations=Explanations(comparisons=(why,)))]))

    one = Counterfactual("flips", (Span(0, 4),), ("One.",), 0.3, text="Without “One.” & it would <b>fall</b>.")
    shown = page(one)
    assert shown.all("div", "turn") == ["Without “One.” & it would <b>fall</b>."]
    assert shown.all("caption") == ["Right of the line: for this document. Left: for the other."]
    assert shown.all("del") == []
    two = replace(one, removed=(Span(0, 4), Span(5, 9)), quotes=("One.", "Two."), text="Without 2 of them it would.")
    assert page(two).all("div", "turn") == ["Without 2 of them it would.One.Two."]


def test_the_overview_says_what_was_done_and_what_went_wrong() -> None:
    given = replace(
        ranking("bread"),
        status="partial",
        notes=("2 answers were repaired",),
        usage=Usage(calls=2, generated_tokens=9, seconds=1.5),
    )
    page = Page(render_html([given]))
    assert page.all("dl", "facts") == [
        (
            "Documents8Ranked byevidence@3f1c9aRanking2 calls · 9 generated tokens · 1.50 s"
            "Reasons31 documents read · 0.21 s"
        )
    ]
    assert page.all("div", "notes") == ["Status: partial.2 answers were repaired"]
    assert Page(render_html([ranking("bread")])).all("div", "notes") == []


def test_hits_that_were_not_read_or_not_read_to_the_end_say_so() -> None:
    hits = (Hit(Document("a", "Text."), 1.0, cut=1204), Hit(Document("b", "Text.")))
    page = Page(render_html([Ranking(Query("q", "?"), hits)]))
    assert page.all("p", "aside") == ["Its last 1,204 characters were not read."]
    assert page.all("div", "score") == ["Score 1.000", "not read"]
    assert page.all("span", "new") == ["new", "new"]


def test_scores_below_zero_have_no_bars_unless_others_are_above() -> None:
    def rects(*scores: float) -> list[tuple[str | None, str | None, str | None]]:
        page = Page(render_html([plain("q", *"abc"[: len(scores)], scores=scores)]))
        return [(a["class"], a.get("x"), a["width"]) for t, a in page.elements if t == "rect" and a["class"] != "track"]

    assert rects(-0.2, -0.6) == []
    axis = ("axis", "25.00%", "1")
    assert rects(3.0, 1.5, -1.0) == [
        *(("fill", "25.00%", "75.00%"), axis),
        *(("fill", "25.00%", "37.50%"), axis),
        *(("fill", "0.00%", "25.00%"), axis),
    ]


def test_tokens_that_were_reused_are_explained() -> None:
    cached = Usage(calls=1, prompt_tokens=9, cached_tokens=9)
    for usage, is_told in ((cached, False), (replace(cached, prompt_tokens=10), True), (Usage(), False)):
        page = render_html([replace(plain("q", "a"), usage=usage)])
        assert ("Reused tokens are" in page) == is_told


def test_hits_that_were_placed_without_scores_have_no_score() -> None:
    hits = (Hit(Document("a", "Text."), placed=True), Hit(Document("b", "Text."), placed=True))
    page = Page(render_html([Ranking(Query("q", "?"), hits)], cards=1))
    assert page.all("div", "score") == []
    assert page.all("td", "c3") == ["–"]
    some = Page(render_html([Ranking(Query("q", "?"), (replace(hits[0], score=0.5), hits[1]))]))
    assert some.all("div", "score") == ["Score 0.500", "–"]


def test_written_reasons_name_their_writer_and_their_quotes_are_marked() -> None:
    given = written("bread")
    page = Page(render_html([given]))
    first, second = given.documents[:2]
    quote = quoted(first, 2).quote
    assert page.all("mark", "s3") == [quote]
    assert page.all("section", "why") == [
        f"Why it is hereIt says so.Sentence 1{quote}",
        "Why it is hereNo reason was given: the answer broke off.",
    ]
    assert page.all("details", "above") == [
        (
            f"Why above #2 “{second.title}”?A says more than B.#1{quoted(first, 1).quote}"
            "#2not found in the document: Bread lasts a year."
            "A is #1, B is #2 · asked both ways, the writer prefers #1"
        ),
        (
            f"Why above #3 “{given.documents[2].title}”?B says more than A."
            "A is #2, B is #3 · the writer prefers #3 at least once"
        ),
    ]
    assert page.all("span", "dissent") == ["the writer prefers #3 at least once"]
    [facts] = page.all("dl", "facts")
    assert facts.endswith(
        "Reasons byfake:writerReasons6 calls · 4,210 tokens read · 512 generated tokens · 1 answer repaired · "
        "1 answer unusable · cost unknown"
    )


def test_the_evidence_of_ours_and_of_written_reasons_is_numbered_through() -> None:
    both = joined(ranking("bread"), ours("bread"), written("bread").explanations or Explanations())
    page = Page(render_html([replace(ranking("bread"), explanations=both)]))
    [own, theirs] = page.all("section", "why")[:2]
    assert "What the score is made of" in own
    assert "Sentence 1" in own
    assert "Sentence 3" in own
    assert theirs.startswith("Why it is hereIt says so.Sentence 4")
    assert theirs.endswith("Written by fake:writer.")
    numbers = [a["data-n"] for t, a in page.elements if t == "li" and "data-n" in a][:4]
    assert numbers == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("explanations", "ours_told", "written_told"),
    [(ours("bread"), True, False), (written("bread").explanations, False, True), (None, False, False)],
)
def test_the_page_says_how_to_read_the_reasons_it_has(
    explanations: Explanations | None, ours_told: bool, written_told: bool
) -> None:
    page = render_html([replace(ranking("bread"), explanations=explanations)])
    assert ("Marked sentences carry the score" in page) == ours_told
    assert ("are its own words" in page) == written_told


def test_nothing_that_a_model_writes_can_act_on_the_page() -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b"
    direct = Direct("1", hostile, (Evidence(hostile, None),), source=hostile, status="repaired")
    compared = Comparison("1", "2", hostile, source=hostile, upper_evidence=(Evidence(hostile, None),), agrees=False)
    given = Ranking.of("q", ["the text", "another"])
    page = render_html([replace(given, explanations=Explanations((direct,), (compared,)))])
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;\\u202e␛") == 5
    Page(page)


def test_the_first_hits_get_cards_and_the_others_rows() -> None:
    page = Page(render_html([ranking("heat-pump")], cards=2))
    assert len(page.all("article")) == 2
    rows = page.all("table")[-1]
    assert "3· not moved0.536Pumps in frost frozen-well-pumpA water pump in a shed" in rows.replace("\n", "")
    assert page.all("summary")[-1] == "7 further documents"


def test_nothing_at_all_still_makes_a_page() -> None:
    assert "There is no ranking" in Page(render_html([])).all("main")[0]
    assert "No documents were given." in Page(render_html([Ranking(Query("q", ""), ())])).all("main")[0]
    assert "(empty query)" in Page(render_html([Ranking(Query("q", ""), ())])).all("h2")[0]


def filled(text: str) -> str:
    """A page with `text` in every place that foreign text can take."""
    document = Document(text, f"{text} and {text}", title=f"t{text}")
    spans = Span(0, 1), Span(0, 1, "title")
    evidence = (Evidence(text, spans[0], 0.5, (f"q{text}",)), Evidence(text, spans[1], 0.1), Evidence(text, None, 0.1))
    direct = Direct(text, f"r{text}", evidence, 1.0, (Term(text, 1.0),))
    why = Comparison(
        text, f"x{text}", f"c{text}", 0.1, (Difference(text, 1, 0, text),), Counterfactual("flips", spans, (text,))
    )
    told = Comparison(
        f"2{text}", text, "", None, (Difference(text, 1, 0),), Counterfactual("flips", spans, (text,), text=f"w{text}")
    )
    hits = (Hit(document, 1.0, first_rank=1), Hit(replace(document, id=f"2{text}")))
    given = Ranking(
        Query(text, f"q{text}"), hits, text, "error", (text,), Usage(), Explanations((direct,), (why, told))
    )
    return render_html([given, given], title=text, cards=2)


HOSTILE = [
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</style></script><!--",
    "--><svg/onload=alert(1)>",
    "<![CDATA[ ]]> &lt;b&gt; &#60;",
    "\x00\x1b[2J\ud800\u202e\x9b",
    "javascript:alert(1)//",
    "{{7*7}} ${7*7}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_stays_text(text: str) -> None:
    source = filled(text)
    page = Page(source)
    assert page.shape == Page(filled("calm")).shape
    assert page.all("title") == [visible(text)]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", source)
    source.encode("utf-8")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=30).filter(str.strip))
def test_any_text_leaves_the_page_in_the_same_shape(text: str) -> None:
    source = filled(text)
    source.encode("utf-8")
    assert Page(source).shape == Page(filled("calm")).shape


def test_a_thousand_hits_are_fast_and_small() -> None:
    base = ranking("heat-pump")
    hits = tuple(
        replace(hit, document=replace(hit.document, id=f"{hit.document.id}-{i}", text=hit.document.text * 30))
        for i in range(112)
        for hit in base.hits
    )[:1000]
    started = perf_counter()
    source = render_html([replace(base, hits=hits)])
    assert perf_counter() - started < 1
    assert len(source.encode()) < 3_000_000
    assert len(Page(source).all("article")) == 20


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_keep_the_contrast_that_reading_needs(theme: int) -> None:
    css = files("whyrank.report").joinpath("page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colours = {
        name: tuple(float(int(value[i : i + 2], 16)) for i in (0, 2, 4))
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})\b", block)
    }
    for surface in ("paper", "card"):
        for name in ("ink", "soft", "accent", "up", "down"):
            assert contrast(colours[name], colours[surface]) >= 4.5, (name, surface)
    for name in ("p1", "p2", "p3", "p4", "p5", "p6", "note-line"):
        assert contrast(colours[name], colours["card"]) >= 3, name
    assert contrast(colours["ink"], colours["note"]) >= 4.5
    for name, level in (("glow", "s4"), ("cold", "neg")):
        found = re.search(rf"mark\.{level} {{ background: rgba\(var\(--{name}\), ([.\d]+)\)", css)
        tint = re.search(rf"--{name}: (\d+), (\d+), (\d+)", block)
        assert found is not None
        assert tint is not None
        share = float(found[1])
        mixed = tuple(share * float(t) + (1 - share) * c for t, c in zip(tint.groups(), colours["card"], strict=True))
        assert contrast(colours["ink"], mixed) >= 4.5, name
