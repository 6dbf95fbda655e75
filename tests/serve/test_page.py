"""The page in a real browser: what a person clicks, types and sees, and what a hostile document cannot do."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browsing import Opened, chromium, served
from fastapi import FastAPI
from serving import PATIENCE_S, QUERY, TEXTS, Counting, get, post

import whyrank
from whyrank.config import Secret
from whyrank.formats.plain import plain
from whyrank.report.html import render_html
from whyrank.retrieve import BM25
from whyrank.serve.app import create_app
from whyrank.serve.page import STATIC
from whyrank.serve.settings import Served, ServeSettings
from whyrank.types import Decomposition, Direct, Document, Evidence, Progress, Query, Ranking, Scorer, Span

DOCUMENTS = [Document(f"d{place}", text) for place, text in enumerate(TEXTS)]
PASTED = "\n".join(TEXTS)
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""
TOLD_LATER = """async ({ body, data, told }) => {
  const { Ranked } = await import("/static/ranked.js");
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const ranked = new Ranked(body, data, { took: 1, onPick: () => {} });
  document.body.classList.add("asked");
  await painted();
  document.getElementById("outcome").replaceChildren(ranked.element);
  await painted();
  window.shifted = 0;
  for (const reasons of told) ranked.tell(reasons);
  ranked.close(null);
  await painted();
}"""
TOKEN = "a token that is long enough"


class Gated:
    """The evidence ranker; reasons wait until the gate is open."""

    name = "gated"

    def __init__(self) -> None:
        ranker = whyrank.load("evidence")
        assert isinstance(ranker, Scorer)
        self._own: Any = ranker
        self.gate = threading.Event()

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        found: list[Ranking] = self._own.rerank_many(rankings, depth=depth, progress=progress)
        return found

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        assert self.gate.wait(PATIENCE_S)
        found: list[float] = self._own.score(query, documents, first_scores)
        return found

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        assert self.gate.wait(PATIENCE_S)
        found: list[Decomposition] = self._own.decompose(query, documents, first_scores)
        return found

    def floor(self, first_score: float | None) -> float:
        found: float = self._own.floor(first_score)
        return found


@pytest.fixture(scope="module")
def gated() -> Gated:
    return Gated()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, gated: Gated) -> FastAPI:
    folder = tmp_path_factory.mktemp("corpora") / "sky.index"
    BM25.build(DOCUMENTS).save(folder)
    names = ("evidence", "counting", "gated")
    settings = ServeSettings(models=tuple(Served(name=name) for name in names), corpora={"sky": str(folder)})
    opened = {"evidence": whyrank.load("evidence"), "counting": Counting(), "gated": gated}
    return create_app(settings, rankers=opened)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    yield from served(app)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


class Visit(Opened):
    """The page, and what a person does there."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        super().__init__(browser, url, **context)
        self.page.locator("#model option").first.wait_for(state="attached")

    def ask(self, query: str = QUERY, pasted: str | None = PASTED, **choices: str) -> None:
        for name, value in choices.items():
            self.page.select_option(f"#{name}", value)
        if pasted is not None:
            self.page.fill("#documents", pasted)
        self.page.fill("#query", query)
        self.page.press("#query", "Enter")

    def ranked(self, query: str = QUERY, pasted: str | None = PASTED, **choices: str) -> None:
        self.ask(query, pasted, **choices)
        self.wait_for_reasons()

    def wait_for_reasons(self) -> None:
        self.page.locator("#status", has_text="All reasons are there").wait_for(state="attached")


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    opened = Visit(browser, url)
    yield opened
    opened.close()
    assert opened.troubles == []


def the_docs(visit: Visit) -> list[str]:
    return visit.texts(".hit .doc")


def test_the_page_may_load_nothing_from_elsewhere(app: FastAPI) -> None:
    answer = get(app, "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    for own in STATIC.iterdir():
        assert get(app, f"/static/{own.name}").headers["content-security-policy"] == policy
        assert not re.search(r"(?<!xmlns=\")(?<!= \")https?://", own.read_text(encoding="utf-8"))


def test_foreign_text_has_no_way_into_markup() -> None:
    scripts = "".join(own.read_text(encoding="utf-8") for own in STATIC.glob("*.js"))
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setHTML"
    assert not re.search(ways, scripts)


def test_a_report_is_what_the_library_writes(app: FastAPI) -> None:
    body = {"query": QUERY, "documents": TEXTS, "top": 2}
    answer = post(app, "/v1/report", body)
    assert answer.headers["content-disposition"] == 'attachment; filename="whyrank.html"'
    documents = [Document(str(place), text) for place, text in enumerate(TEXTS)]
    ours = render_html([whyrank.rerank(QUERY, documents, ranker="evidence", explain=2)], title=QUERY)
    assert without_cost(answer.text) == without_cost(ours)
    refused = post(app, "/v1/report", body | {"model": "counting"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "top")


def without_cost(html: str) -> str:
    return re.sub(r"<dd>[^<]* s</dd>", "", html)


def test_an_example_is_one_click_away(visit: Visit) -> None:
    visit.page.click("#try")
    visit.wait_for_reasons()
    example = (STATIC / "example.js").read_text(encoding="utf-8")
    texts = re.findall(r'text: "(.*)"', example)
    assert sorted(the_docs(visit)) == sorted(texts)
    assert visit.page.locator(".hit mark").count() >= 5
    assert len(visit.texts(".why .reason p")) == 5


def test_a_ranking_is_that_of_the_library_and_so_are_its_reasons(visit: Visit) -> None:
    visit.ranked()
    pasted = [Document(str(place), text) for place, text in enumerate((text for text in TEXTS if text), 1)]
    ours = whyrank.rerank(QUERY, pasted, ranker="evidence", explain=5)
    assert ours.explanations is not None
    assert the_docs(visit) == [hit.document.text for hit in ours]
    assert visit.texts(".why .reason") == [direct.text for direct in ours.explanations.direct]
    assert visit.texts(".hit .rank") == ["Rank 1", "Rank 2", "Rank 3"]
    assert "up from place 2" in visit.texts(".hit .move")[0]
    assert visit.texts(".hit .score b") == [f"{hit.score:.3f}" for hit in ours]
    best = ours.explanations.direct[0].evidence[0]
    assert best.quote in visit.texts(".hit:first-of-type mark")


def test_reasons_are_streamed_after_the_ranking_and_move_nothing(visit: Visit, gated: Gated) -> None:
    gated.gate.clear()
    visit.page.evaluate(SHIFTS)
    visit.ask(model="gated")
    visit.page.locator(".hit").first.wait_for()
    assert visit.page.locator(".hit").count() == visit.page.locator(".why.waits").count() == 3
    assert visit.texts(".why .reason") == ["", "", ""]
    gated.gate.set()
    visit.wait_for_reasons()
    assert all(visit.texts(".why .reason"))
    assert visit.page.evaluate("window.shifted") == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_all_reasons_of_a_hit_are_shown_in_order_and_long_ones_move_nothing(browser: Any, url: str, width: int) -> None:
    visit = Visit(browser, url, viewport={"width": width, "height": 3_000})
    found = whyrank.rerank(QUERY, DOCUMENTS[:2], ranker="evidence", explain=2)
    assert found.explanations is not None
    [direct, *_], [above] = found.explanations.direct, found.explanations.comparisons
    best = found[0].document
    written = Direct(best.id, "So it says. " * 90, (Evidence("light", Span(34, 39)),), source="fake:model")
    told = [(direct, above), (written, replace(above, text="It says more.", source="fake:model"))]
    results = [
        {"id": own.document.id, "score": own.score, "first_rank": own.first_rank, "first_score": None, "cut": 0}
        for own in found
    ]
    given = {
        "body": {"query": QUERY, "documents": [plain(own) for own in found.documents], "top": 2},
        "data": {"model": "m", "results": results, "usage": plain(found.usage), "meta": {"ranker": "m"}},
        "told": [{"place": 0, "direct": plain(one), "comparison": plain(other)} for one, other in told],
    }
    visit.page.evaluate(SHIFTS)
    visit.page.evaluate(TOLD_LATER, given)
    assert visit.page.evaluate("window.shifted") == 0
    assert visit.texts(".hit:first-of-type .reason p")[:2] == [direct.text, written.text]
    assert visit.page.locator(".above:has-text('Why above #2?')").count() == 1
    count = len(direct.evidence)
    assert visit.page.locator(f".hit mark[data-n='{count + 1}']").count() == 1
    assert visit.texts(".hit .quotes .n")[0] == f"Sentence {count + 1}"
    visit.page.click("text=The numbers")
    visit.page.hover(f".hit .quotes li[data-n='{count + 1}']")
    assert visit.page.locator("mark.lit").all_text_contents() == ["light"]
    room = visit.page.locator(".reason").first
    kept = room.bounding_box()
    visit.page.click("text=Whole reason")
    assert room.bounding_box()["height"] > kept["height"]
    assert visit.page.locator(".why .all").get_attribute("aria-expanded") == "true"
    visit.close()
    assert visit.troubles == []


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("", "Not all reasons are there. The answer broke off."),
        ('event: error\ndata: {"message": "no answer within 30 s"}\n\n', "no answer within 30 s"),
    ],
)
def test_reasons_that_end_early_are_told_and_asked_for_again(visit: Visit, end: str, told: str) -> None:
    def cut(route: Any) -> None:
        answer = route.fetch()
        kept = answer.text().split("\n\n")[:2]
        route.fulfill(response=answer, body="\n\n".join(kept) + "\n\n" + end)

    visit.page.route("**/v1/explain", cut)
    visit.ask()
    visit.page.locator("#trouble", has_text=told).wait_for()
    assert visit.page.locator(".hit").count() == 3
    assert visit.page.locator(".waits").count() == 0
    assert visit.texts(".why .reason")[1:] == ["Its reason did not come."] * 2
    assert "All reasons" not in visit.texts("#status")[0]
    assert visit.texts(".coming dd") == ["not all are there"]
    visit.page.unroute("**/v1/explain")
    visit.page.click("#again")
    visit.wait_for_reasons()
    assert visit.texts("#trouble") == [""]
    assert "Its reason did not come." not in visit.texts(".why .reason")


def test_an_answer_that_ends_before_the_ranking_is_told(visit: Visit) -> None:
    visit.page.route("**/v1/explain", lambda route: route.fulfill(content_type="text/event-stream", body=""))
    visit.ask()
    visit.page.locator("#trouble", has_text="The answer broke off.").wait_for()
    assert visit.page.locator(".busy").count() == 0


def test_what_is_asked_later_puts_an_end_to_what_was_asked_before(visit: Visit, gated: Gated) -> None:
    gated.gate.clear()
    visit.ask(model="gated", beside="counting")
    visit.page.locator(".waits").first.wait_for()
    visit.page.locator(".orders").wait_for()  # another order waits for no reasons
    visit.page.check(".hits li:nth-child(1) .pick input")
    visit.page.check(".hits li:nth-child(2) .pick input")
    with visit.page.expect_event("requestfailed", lambda asked: asked.url.endswith("/v1/explain")):
        visit.ask("does bread go stale?", model="evidence", beside="")
    visit.wait_for_reasons()
    gated.gate.set()
    assert visit.texts("#asked") == ["does bread go stale?"]
    assert visit.page.locator("#picked").is_hidden()


def test_a_comparison_that_comes_late_is_not_shown_under_another_pair(visit: Visit) -> None:
    visit.ranked()
    held: list[Any] = []
    visit.page.route("**/v1/compare", lambda route: held.append(route))
    visit.page.check(".hits li:nth-child(3) .pick input")
    visit.page.check(".hits li:nth-child(1) .pick input")
    visit.page.click("#compare")
    with visit.page.expect_event("requestfailed", lambda asked: asked.url.endswith("/v1/compare")):
        visit.page.keyboard.press("Escape")
    visit.page.check(".hits li:nth-child(2) .pick input")
    visit.page.click("#compare")
    while len(held) < 2:
        visit.page.wait_for_function("true")
    held[1].continue_()
    visit.page.locator("dialog .differences").wait_for()
    assert visit.texts("#comparison-title") == ["Why #1 is above #2"]
    assert visit.texts(".pair b") == ["#1 ", "#2 "]


def test_what_would_turn_it_is_true(visit: Visit) -> None:
    visit.ranked(top="10")
    texts = [text for text in TEXTS if text]
    told = visit.texts(".why .turning")
    found = [re.fullmatch(r"Without “(.*)” it would fall to rank (\d)\.", text) for text in told]
    assert any(found)
    for shown, match in zip(the_docs(visit), found, strict=True):
        if match:
            changed = [text.replace(match[1], "") if text == shown else text for text in texts]
            ours = whyrank.rerank(QUERY, changed, ranker="evidence")
            assert ours[int(match[2]) - 1].document.text == shown.replace(match[1], "")


def test_any_two_are_compared(visit: Visit) -> None:
    visit.ranked()
    visit.page.check(".hits li:nth-child(3) .pick input")
    assert visit.page.locator("#compare").is_disabled()
    visit.page.check(".hits li:nth-child(1) .pick input")
    visit.page.click("#compare")
    visit.page.locator("dialog .differences").wait_for()
    assert visit.texts("#comparison-title") == ["Why #1 is above #3"]
    visit.page.keyboard.press("Escape")
    visit.page.check(".hits li:nth-child(2) .pick input")  # the one that was picked first is let go
    assert visit.texts("#picked-names") == ["#1 and #2"]
    visit.page.click("#unpick")
    assert visit.page.locator(".pick input:checked").count() == 0
    assert visit.page.locator("#picked").is_hidden()


def test_two_rankers_stand_side_by_side(visit: Visit) -> None:
    visit.ranked(beside="counting")
    visit.page.locator(".orders").wait_for()
    by_length = sorted((text for text in TEXTS if text), key=len, reverse=True)
    numbers = [str([text for text in TEXTS if text].index(text) + 1) for text in by_length]
    left = visit.texts(".orders > div:first-child bdi")
    assert left == [f"document {number}" for number in numbers]
    assert visit.page.locator(".orders path").count() == 3
    visit.page.hover(".orders > div:first-child li:first-child button")
    assert visit.page.locator(".orders .lit").count() == 3  # the two places, and the line between them


def test_the_order_as_given_stands_beside_too(visit: Visit) -> None:
    visit.ranked(beside="given")
    assert visit.texts(".orders > div:first-child bdi") == ["document 1", "document 2", "document 3"]
    visit.page.click(".orders > div:last-child li:nth-child(2) button")
    assert visit.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Pick rank 2 for a comparison"


def test_an_index_is_searched(visit: Visit) -> None:
    visit.ranked(pasted=None, source="sky")
    [ours] = whyrank.load("evidence").rerank_many([BM25.build(DOCUMENTS).search(QUERY)])
    assert the_docs(visit) == [hit.document.text for hit in ours]
    assert visit.texts(".hit .score b") == [f"{hit.score:.3f}" for hit in ours]


def test_a_ranker_without_reasons_ranks(visit: Visit) -> None:
    visit.ask(model="counting")
    visit.page.locator("#status", has_text="This ranker gives no reasons").wait_for(state="attached")
    assert len(the_docs(visit)) == 3
    assert visit.page.locator(".why").count() == 0
    assert visit.texts(".coming dd") == ["this ranker gives none"]


def test_a_file_is_opened_and_its_ids_and_titles_are_shown(visit: Visit, tmp_path: Path) -> None:
    lines = [{"_id": own.id, "title": f"Title of {own.id}", "text": own.text} for own in DOCUMENTS]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    visit.page.set_input_files("#file", tmp_path / "docs.jsonl")
    visit.page.locator("#count", has_text="4 documents").wait_for()
    visit.ranked(pasted=None)
    assert visit.texts(".hit .id")[0] == "d1"
    assert visit.texts(".hit h3")[0] == "Title of d1"


@pytest.mark.parametrize(
    ("pasted", "count"),
    [
        ("one\ntwo\nthree", "3 documents"),
        ("one\nstill one\n\ntwo", "2 documents"),
        ('["one", {"text": "two"}]', "2 documents"),
        ('{"text": "one"}\n\n{"text": "two"}', "2 documents"),
        ("[1] a note, no list", "1 document"),
        ('{"title": "no text"}', "Document 1 has no “text”; give a text, or an object with “text”."),
        ('{"text": "one"}\nnothing', "Line 2 is no JSON; in JSON Lines each line is an object with “text”."),
    ],
)
def test_what_is_pasted_is_read(visit: Visit, pasted: str, count: str) -> None:
    visit.page.fill("#documents", pasted)
    assert visit.texts("#count") == [count]


def test_offsets_are_those_of_characters(visit: Visit) -> None:
    text = "🌌🌠 𝒜 night. " + TEXTS[1]
    visit.ranked(pasted=text)
    assert the_docs(visit) == [text]
    ours = whyrank.rerank(QUERY, [text], ranker="evidence", explain=1)
    assert ours.explanations is not None
    assert set(visit.texts(".hit mark")) == {item.quote for item in ours.explanations.direct[0].evidence}


def test_the_evidence_of_a_long_document_is_in_view(visit: Visit) -> None:
    text = " ".join(f"Loaf {number} is baked." for number in range(200)) + " " + TEXTS[1]
    visit.ranked(pasted=text)
    assert visit.page.evaluate(
        """() => {
          const place = (own) => document.querySelector(own).getBoundingClientRect();
          const [mark, box] = [place(".hit mark.s4"), place(".hit .doc")];
          return mark.top >= box.top && mark.bottom <= box.bottom;
        }"""
    )


def test_script_in_documents_and_queries_is_text(visit: Visit) -> None:
    lines = [
        {"id": f"{HOSTILE}{place}", "title": f"{HOSTILE} sky", "text": f"{HOSTILE} {text}"}
        for place, text in enumerate(TEXTS)
    ]
    visit.ranked(f"{QUERY} {HOSTILE}", "\n".join(map(json.dumps, lines)), beside="given")
    visit.page.check(".hits li:nth-child(2) .pick input")
    visit.page.check(".hits li:nth-child(1) .pick input")
    visit.page.click("#compare")
    visit.page.locator("dialog .differences").wait_for()
    visit.page.keyboard.press("Escape")
    assert HOSTILE in visit.texts(".hit .doc")[0]
    assert HOSTILE in visit.texts("#asked")[0]
    assert visit.page.locator("img, main script").count() == 0
    with visit.page.expect_download() as waited:
        visit.page.click("#share")
    other = visit.page.context.new_page()
    other.goto(f"file://{waited.value.path()}")
    assert [own.evaluate("window.pwned") for own in (visit.page, other)] == [None, None]


def test_what_would_act_on_the_page_is_drawn(visit: Visit) -> None:
    visit.ranked("sky \u202e", json.dumps({"text": "The sky\u202e is \x00 blue. \ud800"}))
    assert the_docs(visit) == ["The sky\\u202e is ␀ blue. \\ud800"]


def test_a_ranking_is_shared_as_one_file(visit: Visit) -> None:
    visit.ranked(top="3")
    with visit.page.expect_download() as waited:
        visit.page.click("#share")
    assert waited.value.suggested_filename == "whyrank.html"
    html = Path(waited.value.path()).read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.count('<article class="hit"') == 3
    assert all(f"{own[:20]}" in html for own in TEXTS)


def test_what_is_refused_is_told_in_the_words_of_the_server(visit: Visit) -> None:
    visit.ask(pasted='{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}')
    visit.page.locator("#trouble", has_text="document id 'a' is given twice").wait_for()
    visit.ask(pasted="")
    visit.page.locator("#trouble", has_text="There are no documents yet").wait_for()
    assert visit.page.evaluate("document.activeElement.id") == "documents"
    visit.troubles = [told for told in visit.troubles if "422" not in told]


def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    keys = visit.page.keyboard
    active = "document.activeElement.id"
    keys.type(QUERY)  # the query has the focus from the start
    while visit.page.evaluate(active) != "documents":
        keys.press("Tab")
    keys.type(PASTED)
    keys.press("Control+Enter")
    visit.wait_for_reasons()
    assert visit.page.evaluate(active) == "results"
    for place in (1, 2):
        while visit.page.evaluate("document.activeElement.ariaLabel") != f"Pick rank {place} for a comparison":
            keys.press("Tab")
            if visit.page.evaluate("document.activeElement.tagName") == "SUMMARY":
                keys.press("Enter")
        keys.press("Space")
    assert visit.page.locator(".hit details[open]").count() >= 3
    while visit.page.evaluate(active) != "compare":
        keys.press("Tab")
    keys.press("Enter")
    visit.page.locator("dialog .differences").wait_for()
    keys.press("Escape")
    assert visit.page.evaluate(active) == "compare"


@pytest.mark.parametrize("width", [360, 1920])
def test_nothing_is_wider_than_the_window(browser: Any, url: str, width: int) -> None:
    visit = Visit(browser, url, viewport={"width": width, "height": 780})
    visit.page.evaluate(SHIFTS)
    long = "\n".join([*TEXTS, "x" * 3_000, "https://example.org/" + "path/" * 200])
    visit.ranked(f"{QUERY} {'y' * 500}", long, beside="counting")
    for fold in visit.page.locator(".hit details summary").all():
        fold.click()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.page.evaluate("window.shifted") < 0.01
    visit.close()
    assert visit.troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Any, url: str, scheme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-core")
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    context = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    visit = Visit(browser, url, **context)
    visit.page.evaluate(source)
    assert violations(visit) == []
    visit.ranked(beside="counting")
    visit.page.locator(".orders").wait_for()
    for fold in visit.page.locator(".hit details summary").all():
        fold.click()
    visit.page.check(".hits li:nth-child(2) .pick input")
    visit.page.check(".hits li:nth-child(1) .pick input")
    assert violations(visit) == []
    visit.page.click("#compare")
    visit.page.locator("dialog .differences").wait_for()
    assert violations(visit) == []
    visit.close()


def violations(visit: Visit) -> list[Any]:
    found = visit.page.evaluate("axe.run().then((found) => found.violations)")
    return [(own["id"], [node["html"][:200] for node in own["nodes"]]) for own in found]


def test_a_server_with_a_token_asks_for_it(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_TOKEN", TOKEN)
    settings = ServeSettings(models=(Served(name="counting"),), token=Secret("env:PAGE_TOKEN"))
    address = served(create_app(settings, rankers={"counting": Counting()}))
    context = browser.new_context()
    page = context.new_page()
    page.goto(next(address))
    page.locator("#trouble", has_text="wants its token").wait_for()
    page.fill("#token", TOKEN)
    page.press("#token", "Tab")
    page.locator("#model option").wait_for(state="attached")
    assert page.locator("#trouble").text_content() == ""
    context.close()
    assert next(address, None) is None
