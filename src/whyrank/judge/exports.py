"""What judges said as files: judgements for `whyrank evaluate`, every answer as a line, and the tables."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from whyrank.errors import Unwritable, unknown
from whyrank.formats import write_lines, write_qrels
from whyrank.formats.json_values import dumps
from whyrank.judge.judged import Judged, qrels_of
from whyrank.judge.records import BETTER, GRADE, Answer
from whyrank.report.evaluation_html import EvaluationReport, render_evaluation
from whyrank.report.table_formats import FORMATS, render_table
from whyrank.report.tables import Table

REPORTS = (*FORMATS, "html")
"""Formats of a report for a file; a terminal shows the tables themselves."""
QRELS, ANSWERS = "qrels.trec", "answers.jsonl"
TABLES = {"tables.md": "markdown", "tables.json": "json", "report.html": "html"}
FILES = (QRELS, ANSWERS, *TABLES)
"""What an export may write."""


def export(judged: Judged, tables: Sequence[Table], folder: str | Path) -> list[Path]:
    """Write what was said into a folder, which is created; each file is whole or as it was.

    * ``qrels.trec``: the grades (`qrels_of`), as ``whyrank evaluate --qrels`` reads them; only where there are any.
    * ``answers.jsonl``: every answer that counts, with the words of the question and of the answer.
    * ``tables.md`` and ``tables.json``: the tables; JSON has the values of every query.
    * ``report.html``: the same as a page.

    Returns:
        The files that were written.

    Raises:
        Unwritable: the folder or a file in it cannot be written.
        BadInput: an id of a query or of a document cannot stand in judgements.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{folder}: cannot be created ({error.strerror or error}); name another folder") from error
    qrels = qrels_of(judged)
    if qrels:
        write_qrels(target / QRELS, qrels)
    write_lines(target / ANSWERS, answer_lines(judged))
    for name, form in TABLES.items():
        write_lines(target / name, [rendered(judged, tables, form).rstrip("\n")])
    return [target / name for name in FILES if qrels or name != QRELS]


def answer_lines(judged: Judged) -> Iterator[str]:
    """Every answer that counts as a line of JSON, in the order in which it was given."""
    items = judged.study.by_id
    for answer in judged.answers:
        item = items[answer.item]
        ask, said = _in_words(judged, answer)
        record: dict[str, Any] = {
            "query": item.query.id,
            "document": item.document.id,
            "judge": answer.judge,
            "question": answer.question,
            "ask": ask,
            "system": answer.system or None,
            "other": answer.other or None,
            "value": answer.value,
            "answer": said,
            "seconds": answer.seconds,
            "at": answer.at,
            "item": answer.item,
        }
        yield dumps(record)


def rendered(judged: Judged, tables: Sequence[Table], form: str) -> str:
    """The tables in one of `REPORTS`. CSV holds the first about what was answered, since a file is one table.

    Raises:
        UnknownName: there is no such format.
    """
    if form not in REPORTS:
        raise unknown("report format", form, REPORTS)
    return _MAKERS.get(form, _one_after_another)(judged, tables, form)


def _html(judged: Judged, tables: Sequence[Table], _form: str) -> str:
    settings = judged.study.settings
    made: dict[str, object] = {
        "systems": ", ".join(settings.systems),
        "queries": len({item.query.id for item in judged.study.items}),
        "depth": settings.depth,
        "judges": len({sheet.judge for sheet in judged.sheets}),
        "judges wanted": settings.overlap,
    }
    made |= {question.id: f"{question.ask} ({', '.join(question.answers)})" for question in settings.questions}
    report = EvaluationReport(
        title=settings.title, reason_tables=tables, settings=made, seeds={"experiment": settings.seed}
    )
    return render_evaluation(report)


def _json(_judged: Judged, tables: Sequence[Table], form: str) -> str:
    return json.dumps([json.loads(render_table(table, form)) for table in tables], ensure_ascii=False, indent=1) + "\n"


def _csv(_judged: Judged, tables: Sequence[Table], form: str) -> str:
    return render_table(next((table for table in tables if table.evaluations), tables[0]), form)


def _one_after_another(_judged: Judged, tables: Sequence[Table], form: str) -> str:
    return "\n".join(render_table(table, form) for table in tables)


_MAKERS: dict[str, Callable[[Judged, Sequence[Table], str], str]] = {"html": _html, "json": _json, "csv": _csv}


def _in_words(judged: Judged, answer: Answer) -> tuple[str, str]:
    """The question and the answer as they were read; of a preference the name of the better system, or "neither"."""
    settings = judged.study.settings
    if answer.question == GRADE:
        return "How relevant is the document?", settings.grades[answer.value]
    if answer.question == BETTER:
        return "Which is better?", {1: answer.system, 0: "neither", -1: answer.other}[answer.value]
    asked = next(question for question in settings.questions if question.id == answer.question)
    return asked.ask, asked.answers[answer.value]
