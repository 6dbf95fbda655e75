"""`whyrank train`: a student from a teacher's records, by Reason-to-Rank."""

from typing import Annotated

import typer

from whyrank.cli import options

EXAMPLES = (
    "whyrank train --config config.yaml",
    "whyrank train --config config.yaml -c data.limit=500 -c reasons=direct -c output=runs/direct-500",
    "torchrun --nproc-per-node 2 -m whyrank train --config config.yaml",
)


def train(
    config: Annotated[
        list[str],
        typer.Option(
            "--config", "-c", metavar="FILE|KEY=VALUE", help="The settings of the training, and single settings."
        ),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew, and remove the checkpoints of what was begun.")
    ] = False,
    quiet: options.QuietOption = False,
) -> None:
    """Train a student that ranks and gives reasons, from the records of a teacher: a store, or JSON Lines.

    The same command again goes on from the last checkpoint, if it was interrupted. What came of it is in the folder
    that the setting 'output' names: the student with its model card in student/, the figures of every step in
    log.jsonl.
    """
    import os
    from pathlib import Path

    from whyrank._extras import require
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.config import load
    from whyrank.errors import BadInput

    files = [item for item in config if "=" not in item or Path(item).is_file()]
    if len(files) != 1:
        raise BadInput(f"--config names {len(files)} files; give one file of settings, and key=value for the rest")
    require("torch", extra="train", purpose="training")
    require("transformers", extra="train", purpose="training")
    from whyrank.train.loop import train as trained
    from whyrank.train.settings import TrainSettings

    settings = load(TrainSettings, files[0], [item for item in config if item not in files])
    quiet = quiet or os.environ.get("RANK", "0") != "0"
    with working(quiet=quiet) as work:
        done = trained(settings, overwrite=overwrite, phase=work.phase)
    if quiet:
        return
    for reason, count in done.data.skipped.items():
        say(f"not learnt from: {count:,} {'record' if count == 1 else 'records'} {reason}", label="note")
    for what, count in done.data.left_out.items():
        say(f"not learnt: {what}: {count:,}", label="note")
    if done.known:
        say(f"lists measured on whose query is also learnt from: {done.known:,}", label="note")
    now = done.steps - done.begun
    gone_on = (f", the last {now:,} of them now" if now else "; all were taken before") if done.begun else ""
    say(f"learnt from {len(done.data.examples):,} lists in {done.steps:,} steps{gone_on}")
    for name in ("train/loss", "dev/loss", "dev/nDCG@10"):
        if name in done.figures:
            say(f"{name} {done.figures[name]:.4f}")
    say(f"the student is in {done.folder}; what it learnt from, and how, is told in its README.md")
