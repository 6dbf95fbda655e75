"""Tables: the numbers that were measured, in every format, with what must be known to believe them."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import BASE, CONTRASTS, GOOD, HOSTILE, INTERVALS, contrast, evaluation
from rich.console import Console

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.report.table_formats import FORMATS, amount, render_table, to_csv, to_json, to_latex, to_markdown
from whyrank.report.table_terminal import TableView
from whyrank.report.tables import Table, cost_table, proportion_table, ranking_table, reason_table
from whyrank.types import Usage

TABLE = ranking_table((BASE, GOOD), CONTRASTS, INTERVALS)


def shown(table: Table, width: int = 100, encoding: str = "utf-8") -> str:
    """What a terminal of this width shows."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=width, legacy_windows=False).print(TableView(table))
    out.seek(0)
    return out.read()


def test_a_cell_holds_what_was_measured() -> None:
    name, ndcg, rr = TABLE.rows[1]
    assert (name.value, TABLE.rows[0][0].note) == ("evidence", "baseline")
    assert (ndcg.value, ndcg.low, ndcg.high, ndcg.is_best) == (0.40625, 0.3, 0.5, True)
    assert ndcg.versus is not None
    assert (ndcg.versus.delta, ndcg.versus.p, ndcg.versus.mark) == (0.0625, 0.01, "better")
    assert (ndcg.versus.wins, ndcg.versus.ties, ndcg.versus.losses) == (2, 1, 1)
    assert rr.versus is not None
    assert rr.versus.mark == ""  # its p is 0.2
    assert TABLE.rows[0][1].versus is None


def test_the_chosen_test_sets_the_marks() -> None:
    by_t = ranking_table((BASE, GOOD), [contrast(GOOD, BASE, p=0.03)], test="t")
    assert by_t.rows[1][1].versus is not None
    assert (by_t.rows[1][1].versus.p, by_t.rows[1][1].versus.mark) == (0.06, "")
    assert any("paired t-test" in note for note in by_t.footnotes)


def test_a_significant_loss_is_marked_as_worse() -> None:
    table = ranking_table((BASE, GOOD), [contrast(BASE, GOOD)])
    assert table.rows[0][1].versus is not None
    assert table.rows[0][1].versus.mark == "worse"


def test_where_lower_is_better_the_best_and_the_marks_turn() -> None:
    table = reason_table((BASE, GOOD), CONTRASTS, lower_is_better=("nDCG@10",))
    assert [row[1].is_best for row in table.rows] == [True, False]
    assert table.rows[1][1].versus is not None
    assert table.rows[1][1].versus.mark == "worse"
    assert "Lower is better: nDCG@10." in table.footnotes


def test_what_reads_as_equal_is_equally_best_and_all_equal_is_none() -> None:
    near = evaluation("near", (0.40626,))
    same = ranking_table((evaluation("a", (0.40625,)), near, evaluation("b", (0.1,))))
    assert [row[1].is_best for row in same.rows] == [False, True, False]  # 0.4062 and 0.4063
    equal = ranking_table((evaluation("a", (0.40626,)), near, evaluation("b", (0.1,))))
    assert [row[1].is_best for row in equal.rows] == [True, True, False]
    assert not any(row[1].is_best for row in ranking_table((near,)).rows)


def test_footnotes_say_what_must_be_known() -> None:
    notes = "\n".join(TABLE.footnotes)
    for said in (
        "difference from bm25, the baseline",
        "paired randomisation test, two-sided, p < 0.05 after Holm's correction",
        "bootstrap 95 % intervals",
        "Queries: 4.",
        "Gain of nDCG: linear.",
        "Equal scores: in the order of the run.",
        "evidence: 1 query (q9) judged, without results: they count 0.",
        "(unjudged@10): evidence 12.5 %.",
    ):
        assert said in notes


def test_different_gains_are_said_not_to_be_comparable() -> None:
    other = Evaluation("x", BASE.measures, BASE.queries, BASE.values_QM, gain="exponential", ties="rank")
    assert any("exponential or linear (not the same" in note for note in ranking_table((BASE, other)).footnotes)


def test_undefined_values_are_shown_and_counted() -> None:
    table = reason_table((evaluation("half", (0.5, math.nan)), evaluation("none", (math.nan, math.nan))))
    assert table.rows[0][1].value == 0.5
    assert math.isnan(table.rows[1][1].value)  # type: ignore[arg-type]
    assert "none: undefined, and left out of the mean: nDCG@10 for 2 of 2 queries." in table.footnotes
    assert "–" in shown(table)
    assert json.loads(to_json(table))["rows"][1][1]["value"] is None
    assert json.loads(to_json(table))["systems"][0]["per_query"]["nDCG@10"] == {"q1": 0.5, "q2": None}
    assert to_csv(table).splitlines()[2] == "none,"


def test_refuses_twins_several_baselines_and_unknown_measures() -> None:
    with pytest.raises(BadInput, match="several systems are called 'bm25'"):
        ranking_table((BASE, BASE))
    with pytest.raises(BadInput, match="2 baselines: bm25, evidence"):
        ranking_table((BASE, GOOD), [contrast(GOOD, BASE), contrast(BASE, GOOD)])
    with pytest.raises(UnknownName, match="RR@10"):
        ranking_table((BASE, GOOD), measures=("RR@100",))
    with pytest.raises(UnknownName, match="latex"):
        render_table(TABLE, "latx")


def test_costs_that_are_not_known_are_not_zero() -> None:
    table = cost_table((BASE, GOOD, evaluation("found", (0.5,))))
    names = [c.name for c in table.columns]
    assert names == [
        "system",
        "calls",
        "documents",
        "tokens read",
        "generated",
        "repaired",
        "unusable",
        "seconds",
        "cost",
    ]
    assert [c.value for c in table.rows[1]] == ["evidence", 3, 400, 12_345, 0, 0, 0, 61.25, None]
    assert [c.value for c in table.rows[2][1:]] == [None] * 8
    assert re.findall(r"unknown", to_markdown(table)) == ["unknown"] * 10  # nine cells, one footnote
    assert to_csv(table).splitlines()[3] == "found,,,,,,,,"
    assert [c.name for c in cost_table((evaluation("x", (1.0,), usage=Usage(cached_tokens=1)),)).columns][
        4
    ] == "of them cached"


def test_proportions_say_of_how_many() -> None:
    table = proportion_table([Proportion("spans", 2053, 2500, "occurs to the letter"), Proportion("none", 0, 0)])
    assert "| spans | 82.1 % | 2,053 of 2,500 | occurs to the letter |" in to_markdown(table)
    assert "| none | – | 0 of 0 |" in to_markdown(table)
    assert to_csv(table).splitlines()[1] == 'spans,0.8212,"2,053 of 2,500",occurs to the letter'


@pytest.mark.parametrize("width", [60, 80, 100, 120, 20])
def test_terminal_shows_every_number_at_any_width(width: int) -> None:
    seen = shown(TABLE, width)
    assert max(map(len, seen.splitlines())) <= width
    if width >= 40:
        for number in (
            "0.4062",
            "0.6875",
            "0.3438",
            "0.5625",
            "+0.0625",
            "[0.3000, 0.5000]",
            "2/1/1 W/T/L",
            "▲",
            "baseline",
        ):
            assert number in seen


def test_narrow_terminals_continue_the_columns_below() -> None:
    wide, narrow = shown(TABLE, 80), shown(TABLE, 40)
    assert wide.count("evidence") + 1 == narrow.count("evidence")
    assert re.search(r"nDCG@10.*RR@10", wide)
    assert not re.search(r"nDCG@10.*RR@10", narrow)


def test_a_terminal_without_unicode_gets_plain_signs() -> None:
    seen = shown(ranking_table((BASE, GOOD), [contrast(BASE, GOOD)]), encoding="ascii")
    assert "v -0.0625" in seen


def test_values_below_zero_and_undefined_ones_are_shown_without_unicode() -> None:
    first, second, *_ = TABLE.rows[0]
    row = (first, replace(second, value=-0.25), replace(second, value=math.nan))
    assert "-0.25" in shown(replace(TABLE, columns=TABLE.columns[:3], rows=(row,)), encoding="ascii")


def test_hostile_names_do_nothing_in_any_format() -> None:
    bad = evaluation(HOSTILE, (0.5,), (0.5,), without_results=(HOSTILE,))
    table = ranking_table((BASE, bad), [contrast(bad, bad)], title=HOSTILE)
    assert "\x1b" not in shown(table)
    markdown = to_markdown(table)
    assert "\x1b" not in markdown
    assert "<script" not in markdown.replace("\\<", "")
    assert len({line.replace("\\|", "").count("|") for line in markdown.splitlines() if line.startswith("|")}) == 1
    latex = to_latex(table)
    assert latex.count(r"\end{table}") == 1
    assert r"\$x\textasciicircum{}2\$ a\_b \& 50\% \textbar{} \textbackslash{}end\{table\}" in latex
    assert next(csv.reader(io.StringIO(to_csv(table).split("\n", 2)[2])))[0] == HOSTILE
    assert json.loads(to_json(table))["rows"][1][0]["value"] == HOSTILE


def test_markdown() -> None:
    assert to_markdown(TABLE).splitlines()[2:6] == [
        "| system | nDCG@10 | RR@10 |",
        "| :-- | --: | --: |",
        r"| bm25 (baseline) | 0.3438 \[0.2500, 0.4500\] | 0.5625 |",
        r"| evidence | **0.4062** \[0.3000, 0.5000\] ▲ +0.0625 2/1/1 | **0.6875** +0.1250 2/1/1 |",
    ]


def test_latex() -> None:
    latex = to_latex(TABLE, label="tab:main")
    assert r"evidence & \textbf{0.4062}$^{\uparrow}$ & \textbf{0.6875} \\" in latex
    assert r" & {\scriptsize {[}0.3000, 0.5000{]}} &  \\" in latex
    assert r" & {\scriptsize +0.0625 2/1/1} & {\scriptsize +0.1250 2/1/1} \\" in latex
    assert r"\label{tab:main}" in latex
    assert re.sub(r"[^{}]|\\[{}]", "", latex).count("{") == re.sub(r"[^{}]|\\[{}]", "", latex).count("}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    bad = evaluation(HOSTILE.replace("\x1b", ""), (0.5,), (0.5,))
    tables = [
        ranking_table((BASE, GOOD, bad), CONTRASTS, INTERVALS),
        cost_table((BASE, GOOD)),
        proportion_table([Proportion("a", 1, 2, "“b”")]),
    ]
    body = "\n".join(map(to_latex, tables))
    head = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs}\n\\begin{document}\n"
    source = f"{head}{body}\\end{{document}}\n"
    (tmp_path / "t.tex").write_text(source, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_csv_keeps_every_digit() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert [float(r["nDCG@10"]) for r in rows] == [BASE.mean("nDCG@10"), GOOD.mean("nDCG@10")]
    assert rows[1]["nDCG@10 holm_randomisation"] == "0.01"
    assert rows[1]["nDCG@10 low"] == "0.3"
    assert rows[0]["nDCG@10 delta"] == ""


def test_json_holds_every_query_and_both_tests() -> None:
    read = json.loads(to_json(TABLE))
    assert read["systems"][1]["per_query"]["RR@10"] == dict(zip(GOOD.queries, GOOD.of("RR@10").tolist(), strict=True))
    assert read["systems"][1]["usage"]["cost"] is None
    first = read["comparisons"][0]
    assert (first["holm_t"], first["holm_randomisation"], first["per_query"]["q2"]) == (0.02, 0.01, 0.25)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_empty_table_renders(form: str) -> None:
    for table in (ranking_table(()), cost_table(()), proportion_table(()), reason_table(())):
        assert render_table(table, form) == render_table(table, form)
        assert "Nothing was measured." in shown(table)


@given(st.floats(0, 1), st.floats(0, 1))
def test_json_and_csv_give_back_the_very_numbers(a: float, b: float) -> None:
    e = evaluation("x", (a, b))
    table = ranking_table((e,))
    assert json.loads(to_json(table))["rows"][0][1]["value"] == e.mean("nDCG@10")
    assert float(to_csv(table).splitlines()[1].split(",")[1]) == e.mean("nDCG@10")
    assert np.array_equal(list(json.loads(to_json(table))["systems"][0]["per_query"]["nDCG@10"].values()), [a, b])


def test_amounts() -> None:
    assert amount(-0.00001, "score") == "0.0000"
    assert amount(-0.5, "score") == "−0.5000"
    assert amount(1234.5, "seconds") == "1,234.50"
