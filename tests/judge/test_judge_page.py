"""The page for judges in a real browser: keys, resuming, mending, and what it must not tell."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browsing import Opened, chromium, served
from judging import AIR, ANN, SKY, WATER, direct, evidence_system, ranking, study_in
from serving import PATIENCE_S

from whyrank.config import Secret
from whyrank.judge.app import STATIC, create_app
from whyrank.judge.records import BETTER, GRADE
from whyrank.judge.store import Judgements
from whyrank.judge.study import Study
from whyrank.types import Document

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
TOKEN = "a token that is long enough"
ACTIVE_ROW = "document.activeElement.closest('fieldset')?.querySelector('legend').textContent"


class Judging:
    """A server of an experiment, its store and its address."""

    def __init__(self, study: Study, **preset: str) -> None:
        self.study = study
        self.store = Judgements(study.settings.store, study.fixed)
        self._served = served(create_app(study, self.store, **preset))
        self.url = next(self._served)

    def __enter__(self) -> "Judging":
        return self

    def __exit__(self, *_: object) -> None:
        assert next(self._served, None) is None

    def said(self, question: str) -> dict[str, int]:
        return {answer.system: answer.value for answer in self.store.answers() if answer.question == question}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from chromium()


class Visit(Opened):
    """A judge's visit. Nothing may go wrong in it."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.answers: list[str] = []
        super().__init__(browser, url, **context)

    def _answered(self, response: Any) -> None:
        if "/v1/" in response.url:
            self.answers.append(response.text())

    def begin(self, name: str = ANN) -> None:
        self.page.locator("#entry").wait_for()
        self.page.keyboard.type(name)  # the name has the focus from the start
        self.page.keyboard.press("Enter")
        self.page.locator("#bar").wait_for()

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait_for(self, done: int) -> None:
        self.page.locator("#count", has_text=re.compile(rf"^{done} of")).wait_for()

    def checked(self) -> list[str]:
        return [text[1:] for text in self.texts("label:has(:checked)")]

    def close(self) -> None:
        super().close()
        assert self.troubles == []


def air_alone(folder: Path, **given: Any) -> Study:
    """An experiment of one item: two reasons of one document."""
    results = {
        "evidence-own": [ranking(SKY, [AIR], [direct(AIR, "Says why.", AIR.text[44:72])])],
        "student-own": [ranking(SKY, [AIR], [direct(AIR, "The model read it.", "blue light", "sky is", "never said")])],
    }
    return study_in(folder, **{"results": results, "grades": []} | given)


def test_foreign_text_has_no_way_into_markup() -> None:
    scripts = "".join(own.read_text(encoding="utf-8") for own in STATIC.glob("*.js"))
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setHTML|https?://"
    assert not re.search(ways, scripts)


def test_an_experiment_is_judged_with_the_keyboard_alone(browser: Any, tmp_path: Path) -> None:
    with Judging(study_in(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        items = len(judging.study.items)
        for done in range(items):
            visit.wait_for(done)
            rows = visit.page.locator("fieldset").count()
            visit.keys(*["2"] * rows)
            assert visit.page.locator("label:has(:checked)").count() == rows
            visit.keys("Enter")
        visit.page.locator(".over", has_text="Thank you").wait_for()
        assert judging.store.done()[ANN] == set(judging.study.by_id)
        assert {answer.value for answer in judging.store.answers() if answer.question != BETTER} == {1}
        assert {answer.value for answer in judging.store.answers() if answer.question == BETTER} == {0}
        assert all(0 < answer.seconds < PATIENCE_S for answer in judging.store.answers())
        visit.close()


def test_answers_are_those_of_the_side_that_was_shown(browser: Any, tmp_path: Path) -> None:
    orders = set()
    for name in ("Ann", "Eve", "Gil"):  # sides are drawn by name: both orders are met
        with Judging(air_alone(tmp_path)) as judging:
            visit = Visit(browser, judging.url)
            visit.begin(name)
            first = visit.page.locator(".side.a p").first.text_content()
            visit.keys(*"333", *"111", "1", "Enter")
            visit.page.locator(".over").wait_for()
            said = {answer.system: answer.value for answer in judging.store.answers() if answer.question == "true"}
            is_evidence_first = first == "Says why."
            orders.add(is_evidence_first)
            assert said == {"evidence-own": 2 * is_evidence_first, "student-own": 2 * (not is_evidence_first)}
            [better] = [answer for answer in judging.store.answers() if answer.question == BETTER]
            assert (better.system, better.other) == ("evidence-own", "student-own")
            assert better.value == (1 if is_evidence_first else -1)
            visit.keys("u")
            visit.wait_for(0)
            assert visit.checked() == ["yes"] * 3 + ["no"] * 3 + ["A"]
            visit.close()
    assert orders == {True, False}


def test_arrows_and_tab_move_and_what_is_open_is_told(browser: Any, tmp_path: Path) -> None:
    with Judging(air_alone(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        asked = [question.ask for question in judging.study.settings.questions]
        assert visit.page.evaluate(ACTIVE_ROW) == f"Reason A: {asked[0]}"
        visit.keys("ArrowDown", "ArrowDown")
        assert visit.page.evaluate(ACTIVE_ROW) == f"Reason A: {asked[2]}"
        visit.keys("Tab")
        assert visit.page.evaluate(ACTIVE_ROW) is None  # the quotes of the other side come before its questions
        visit.page.locator("fieldset input").first.focus()
        visit.keys("ArrowUp", "Space", "ArrowRight")
        assert visit.checked() == ["partly"]
        visit.keys("Enter")
        visit.page.locator("#trouble", has_text="6 questions are open").wait_for()
        assert visit.page.evaluate(ACTIVE_ROW) == f"Reason A: {asked[1]}"
        assert judging.store.answers() == []
        visit.keys("s")
        visit.page.locator(".over").wait_for()
        [answer] = judging.store.answers()
        assert (answer.question, answer.value) == ("true", 1)
        visit.close()


def test_help_lists_the_keys_and_takes_them(browser: Any, tmp_path: Path) -> None:
    with Judging(air_alone(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        visit.keys("?")
        visit.page.locator("#keys").wait_for()
        visit.keys("1", "Escape", "2")
        assert visit.checked() == ["partly"]
        visit.close()


def test_a_judge_goes_on_where_the_judge_stopped(browser: Any, tmp_path: Path) -> None:
    study = study_in(tmp_path)
    with Judging(study) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        visit.keys("4", "Enter")
        visit.wait_for(1)
        visit.page.reload()
        visit.wait_for(1)
        visit.close()
    with Judging(study) as judging:
        visit = Visit(browser, judging.url)
        assert visit.page.locator("#judges option").first.get_attribute("value") == ANN
        visit.begin(f" {ANN} ")
        visit.wait_for(1)
        visit.keys("u")
        visit.wait_for(0)
        assert visit.checked() == ["perfectly relevant"]
        visit.keys("1", "Enter")
        visit.wait_for(1)
        assert [answer.value for answer in judging.store.answers()] == [0]
        visit.close()


def test_a_named_judge_begins_at_once(browser: Any, tmp_path: Path) -> None:
    with Judging(air_alone(tmp_path), judge="Ben") as judging:
        visit = Visit(browser, judging.url)
        visit.wait_for(0)
        visit.keys("s")
        visit.page.locator(".over").wait_for()
        assert judging.store.done() == {"Ben": set(judging.study.by_id)}
        visit.close()


def test_another_judge_takes_over(browser: Any, tmp_path: Path) -> None:
    with Judging(study_in(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        visit.keys("1", "Enter")
        visit.wait_for(1)
        visit.page.click("#who")
        assert visit.page.locator("#work fieldset").count() == 0
        visit.keys("u", "1")  # keys of letters and digits are typed again
        assert visit.page.input_value("#judge") == "u1"
        visit.keys("Enter")
        visit.wait_for(0)
        assert visit.texts("#who bdi") == ["u1"]
        assert judging.store.done() == {ANN: {judging.study.items[0].id}}
        visit.close()


def test_evidence_is_marked_for_each_side_and_shown_on_demand(browser: Any, tmp_path: Path) -> None:
    filler = " ".join(f"Loaf {number} is baked." for number in range(400))
    long = Document("long", f"{AIR.text} {filler} At last 🌌 the sky is blue.", "Long")
    own = [ranking(SKY, [long], [direct(long, "One.", "That is why the sky is blue.", "At last 🌌 the sky is blue.")])]
    other = [ranking(SKY, [long], [direct(long, "Two.", "is why", "never said")])]
    with Judging(study_in(tmp_path, results={"own": own, "other": other}, grades=[])) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        marks = visit.page.locator(".doc mark")
        by_class = {frozenset(str(marks.nth(n).get_attribute("class")).split()) for n in range(marks.count())}
        assert frozenset("ab") in by_class
        assert {"".join(visit.texts(f".doc mark.{kind}")) for kind in "ab"} == {
            "That is why the sky is blue.At last 🌌 the sky is blue.",
            "is why",
        }
        assert visit.texts(".lost") == ["not found in the document: "]
        visit.page.click("text=“At last 🌌 the sky is blue.”")
        inside = """() => {
          const place = (own) => own.getBoundingClientRect();
          const mark = place([...document.querySelectorAll(".doc mark")].at(-1));
          const box = place(document.querySelector(".doc"));
          return mark.top >= box.top && mark.bottom <= box.bottom;
        }"""
        assert visit.page.evaluate(inside)
        visit.close()


def test_no_name_of_a_system_reaches_the_browser(browser: Any, tmp_path: Path) -> None:
    with Judging(study_in(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        for done in range(len(judging.study.items)):
            visit.wait_for(done)
            visit.keys("s")
        visit.page.locator(".over").wait_for()
        visit.keys("u")
        visit.wait_for(len(judging.study.items) - 1)
        told = " ".join([*visit.answers, visit.page.content()])
        assert "why is the sky blue?" in told
        assert "Several systems say exactly this" in told or '"shared": true' in told
        for name in ("evidence-own", "student-own", "secret", "0.5"):
            assert name not in told
        visit.close()


def test_script_in_documents_reasons_and_names_is_text(browser: Any, tmp_path: Path) -> None:
    bad = Document("bad", f"{HOSTILE} sky", HOSTILE)
    lower = Document("lower", f"{HOSTILE} sea", HOSTILE)
    [sky, *_] = evidence_system()
    assert sky.explanations is not None
    results = {"own": [ranking(SKY, [bad, lower], [direct(bad, HOSTILE, HOSTILE, f"{HOSTILE} no")])]}
    with Judging(study_in(tmp_path, results=results, grades=[], title=HOSTILE)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin("<b>Ann</b>")
        assert HOSTILE in visit.texts(".doc")[0]
        assert visit.texts("h1") == [HOSTILE]
        assert visit.page.locator("main img, main script").count() == 0
        assert visit.page.evaluate("window.pwned") is None
        visit.keys("s")
        visit.page.locator(".over").wait_for()
        assert list(judging.store.done()) == ["<b>Ann</b>"]
        visit.close()


def test_an_answer_that_did_not_arrive_stays_on_the_page(browser: Any, tmp_path: Path) -> None:
    with Judging(study_in(tmp_path)) as judging:
        visit = Visit(browser, judging.url)
        visit.begin()
        visit.context.set_offline(True)
        visit.keys("3", "Enter")
        visit.page.locator("#trouble", has_text="is still here").wait_for()
        assert visit.checked() == ["relevant"]
        visit.context.set_offline(False)
        visit.keys("Enter")
        visit.wait_for(1)
        assert [(answer.question, answer.value) for answer in judging.store.answers()] == [(GRADE, 2)]
        visit.troubles = [told for told in visit.troubles if "ERR_INTERNET_DISCONNECTED" not in told]
        visit.close()


def test_a_server_with_a_token_asks_for_it(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_TOKEN", TOKEN)
    with Judging(air_alone(tmp_path, token=Secret("env:JUDGE_TOKEN"))) as judging:
        visit = Visit(browser, judging.url)
        visit.page.locator("#trouble", has_text="wants its token").wait_for()
        visit.keys(*"wrong", "Tab", *ANN, "Enter")  # the token has the focus
        visit.page.locator("#token:focus").wait_for()
        visit.page.fill("#token", TOKEN)
        visit.keys("Enter")
        visit.wait_for(0)
        visit.page.reload()
        visit.page.locator("#trouble", has_text="wants its token").wait_for()
        assert visit.page.input_value("#judge") == ANN
        visit.page.fill("#token", TOKEN)
        visit.keys("Enter")
        visit.wait_for(0)
        visit.troubles = [told for told in visit.troubles if "401" not in told]
        visit.close()


@pytest.mark.parametrize("width", [360, 1920])
def test_nothing_is_wider_than_the_window(browser: Any, tmp_path: Path, width: int) -> None:
    wide = Document("x" * 200, "y" * 3_000 + " " + WATER.text)
    results = {"own": [ranking(SKY, [wide], [direct(wide, "z" * 500, "y" * 900)])], "other": evidence_like(wide)}
    with Judging(study_in(tmp_path, results=results, title="T" * 200)) as judging:
        visit = Visit(browser, judging.url, viewport={"width": width, "height": 780})
        visit.begin()
        for done in range(2):
            visit.wait_for(done)
            assert visit.page.evaluate("document.documentElement.scrollWidth") == width
            visit.keys("s")
        visit.page.locator(".over").wait_for()
        visit.close()


def evidence_like(document: Document) -> list[Any]:
    return [ranking(SKY, [document], [direct(document, "Short.", "Rivers carry salt into the sea.")])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, scheme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-core")
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    context = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    with Judging(study_in(tmp_path, queries=2)) as judging:
        visit = Visit(browser, judging.url, **context)
        visit.page.locator("#entry").wait_for()
        visit.page.evaluate(source)
        assert violations(visit) == []
        visit.begin()
        seen = set()
        for done, item in enumerate(judging.study.items):
            visit.wait_for(done)
            if len(item.sides) not in seen:
                seen.add(len(item.sides))
                visit.keys("1")
                for fold in visit.page.locator("details summary").all():
                    fold.click()
                assert violations(visit) == []
            visit.keys("s")
        assert seen == {0, 1, 2}
        visit.page.locator(".over").wait_for()
        visit.keys("?")
        assert violations(visit) == []
        visit.close()


def violations(visit: Visit) -> list[Any]:
    found = visit.page.evaluate("axe.run().then((found) => found.violations)")
    return [(own["id"], [node["html"][:200] for node in own["nodes"]]) for own in found]
