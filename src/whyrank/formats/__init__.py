"""Reading and writing documents, queries, runs, judgements and results. Standard library only.

    from whyrank import formats

    documents = formats.read_documents("docs.jsonl")                       # or .csv, .txt, .gz, "-"
    rankings = formats.read_rankings("run.trec", corpus="corpus.jsonl", queries="queries.jsonl")
    formats.write_rankings("reranked.trec", rankings, "run")

Formats are seen by their content (`detect`); `FORMATS` is the table of them. Every reader raises at the first error,
with ``path:line:``; `validate` collects all.
"""

from whyrank.formats.answers import read_answers
from whyrank.formats.conversion import TARGETS, convert
from whyrank.formats.detection import FORMATS, Format, detect
from whyrank.formats.folders import Folder, open_folder
from whyrank.formats.problems import Problem
from whyrank.formats.rankings import from_json, to_json
from whyrank.formats.reading import (
    iter_documents,
    join,
    read_documents,
    read_qrels,
    read_queries,
    read_rankings,
    read_run,
)
from whyrank.formats.trec import decreasing
from whyrank.formats.validation import Report, validate
from whyrank.formats.writing import (
    render,
    write_documents,
    write_folder,
    write_lines,
    write_qrels,
    write_queries,
    write_rankings,
)

__all__ = [
    "FORMATS",
    "TARGETS",
    "Folder",
    "Format",
    "Problem",
    "Report",
    "convert",
    "decreasing",
    "detect",
    "from_json",
    "iter_documents",
    "join",
    "open_folder",
    "read_answers",
    "read_documents",
    "read_qrels",
    "read_queries",
    "read_rankings",
    "read_run",
    "render",
    "to_json",
    "validate",
    "write_documents",
    "write_folder",
    "write_lines",
    "write_qrels",
    "write_queries",
    "write_rankings",
]
