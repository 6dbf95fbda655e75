"""`whyrank teach`: a group of commands around what teachers say; their functions stand in cli/teach_*.py."""

from typing import Any

from whyrank.cli import teach_ask, teach_batch, teach_files, teach_score
from whyrank.cli.app import grouped, made

EXAMPLES = (
    "whyrank teach ask rankings.jsonl --model openai:gpt-4.1 --store teacher.db",
    "whyrank teach score rankings.jsonl --ranker evidence -o scores.db",
    "whyrank teach stats teacher.db",
    "whyrank teach filter teacher.db train.jsonl --keep usable --keep quotes=0.8",
)


def program() -> Any:
    """The group, as something to call with arguments."""
    batch = {
        "write": made("write", teach_batch.write, teach_batch.WRITE_EXAMPLES),
        "read": made("read", teach_batch.read, teach_batch.READ_EXAMPLES),
    }
    commands = {
        "ask": made("ask", teach_ask.ask, teach_ask.EXAMPLES),
        "score": made("score", teach_score.score, teach_score.EXAMPLES),
        "export": made("export", teach_files.export, teach_files.EXPORT_EXAMPLES),
        "import": made("import", teach_files.import_, teach_files.IMPORT_EXAMPLES),
        "stats": made("stats", teach_files.stats, teach_files.STATS_EXAMPLES),
        "filter": made("filter", teach_files.filter_, teach_files.FILTER_EXAMPLES),
        "batch": grouped(
            "batch",
            "Ask through a provider's batch interface: write the files for it, and read what comes back.",
            batch,
            (*teach_batch.WRITE_EXAMPLES, *teach_batch.READ_EXAMPLES),
        ),
    }
    return grouped(
        "teach",
        "Have a teacher rank and say why, and look after what teachers said: what students are trained on.",
        commands,
        EXAMPLES,
    )
