"""`whyrank doctor`: is this installation whole, and does it compute what it should?"""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whyrank.cli.doctor_checks import Finding, Status

EXAMPLES = (
    "whyrank doctor",
    "whyrank doctor --model openai:qwen3-8b --url http://localhost:8080/v1",
    "whyrank doctor --server http://localhost:8000 --json",
)


def doctor(
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="BACKEND:NAME", help="Ask this language model a question, too."),
    ] = None,
    url: Annotated[list[str] | None, typer.Option("--url", metavar="URL", help="Where it is served (openai).")] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Look at a running 'whyrank serve', too.")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="KEY=VALUE", help="Settings of the model, and token=env:NAME."),
    ] = None,
    is_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Check this installation: versions, extras, machine, the model's files, and that the same bits come out.

    With --model a language model is asked for an answer in JSON, and with --server a server for its models; nothing
    else leaves this machine. The exit code is 1 if something is broken; what is only worth a word leaves it at 0.
    """
    from whyrank.cli import doctor_checks as checks
    from whyrank.cli import doctor_reach as reach
    from whyrank.cli.endings import CHECK_FAILED, FINE
    from whyrank.cli.progress import working

    settings = reach.settings(model, url, server, config)
    with working(quiet=quiet) as work:
        work.phase("checking")
        findings = checks.all_here()
        if settings.model is not None:
            work.phase("asking the model")
            findings += reach.of_model(settings.model)
        if settings.server is not None:
            work.phase("asking the server")
            findings += reach.of_server(settings.server, settings.token)
    is_fine = all(finding.status != "broken" for finding in findings)
    if is_json:
        import json
        from dataclasses import asdict

        shown = [{**asdict(finding), "ok": finding.ok} for finding in findings]
        typer.echo(json.dumps({"ok": is_fine, "findings": shown}, indent=2))
    else:
        _print([f for f in findings if f.status in {"broken", "warning"} or not quiet], is_fine=is_fine)
    raise typer.Exit(FINE if is_fine else CHECK_FAILED)


def _print(findings: "Sequence[Finding]", *, is_fine: bool) -> None:
    from itertools import groupby

    from rich.table import Table
    from rich.text import Text

    from whyrank.cli.output import screen
    from whyrank.report.visible import flat, visible

    marks: dict[Status, Text] = {
        "fine": Text("✓", style="green"),
        "warning": Text("!", style="bold yellow"),
        "broken": Text("✗", style="bold red"),
        "told": Text("·", style="bright_black"),
    }
    console = screen()
    width = max((len(finding.name) for finding in findings), default=0)
    for group, found in groupby(findings, key=lambda finding: finding.group):
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column()
        table.add_column(style="bold", min_width=width)
        table.add_column(overflow="fold")
        for finding in found:
            detail = Text(flat(visible(finding.detail)))
            if finding.advice:
                detail.append(f"\n→ {flat(visible(finding.advice))}", style="cyan")
            table.add_row(marks[finding.status], finding.name, detail)
        console.print(Text(group, style="bright_black"))
        console.print(table)
    warnings = sum(finding.status == "warning" for finding in findings)
    if not is_fine:
        console.print(Text("something is wrong", style="bold red"))
    elif warnings:
        console.print(Text(f"nothing is broken; worth a look: {warnings}", style="bold yellow"))
    else:
        console.print(Text("everything is fine", style="bold green"))
