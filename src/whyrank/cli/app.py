"""The program: its commands by name. The file of a command is imported when it is called, so that help is instant.

A command is the function of its name in the module of its name; EXAMPLES beside it end its help. A module with
`program` is a group of commands.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from whyrank.cli.endings import ended_by
from whyrank.errors import WhyrankError

COMMANDS: Mapping[str, str] = {
    "demo": "See it work: rerank a small corpus that comes with whyrank.",
    "rerank": "Put documents into the order in which they answer a query, and say why.",
    "explain": "Give the reasons for a saved result, or compare two documents of it.",
    "search": "Search an index, and rerank what is found.",
    "index": "Make an index of documents, to be searched.",
    "serve": "Serve rankings and reasons over HTTP.",
    "mcp": "Offer rerank, explain and search as tools to assistants (MCP).",
    "evaluate": "Say how good rankings are, what they cost, and whether their reasons are true.",
    "judge": "Have people say which reasons are true, explain and help; and what came of it.",
    "teach": "Have a teacher rank and say why; look after what teachers said.",
    "train": "Train a student on what teachers said.",
    "verify": "Check every quote, sum and claim of a saved result.",
    "validate": "Say what is wrong with a file of documents, queries or results, and where.",
    "convert": "Move between formats.",
    "cache": "Show which answers of language models are kept, and remove them.",
    "methods": "List the rankers, prompts, known models and ranking algorithms.",
    "doctor": "Check this installation.",
}
"""Command → what it does."""

EXAMPLES = (
    "whyrank demo",
    'whyrank rerank "why is the sky blue?" documents.jsonl',
    'grep -h sky *.txt | whyrank rerank "why is the sky blue?" --top-k 5',
)
EPILOG = """\b
Exit codes:
  0    fine
  1    a check failed (verify, validate, doctor)
  2    bad usage or input, or a result that could not be written
  3    a partial result: an answer of a model could not be used, or something was left undone
  70   a defect of whyrank itself
  130  interrupted (Ctrl-C); lines already printed are whole, an --output file is untouched
  141  the reader of the output closed the pipe

\b
Results go to standard output; progress, notes and errors to standard error.
NO_COLOR is respected. WHYRANK_DEBUG=1 shows where an error comes from.
"""


class Commands(TyperGroup):
    """The commands; each is a name and a summary until it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=summary) for name, summary in COMMANDS.items()}

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Its errors end here, before typer has an opinion on them."""
        try:
            return super().invoke(ctx)
        except (WhyrankError, OSError, MemoryError, KeyboardInterrupt) as error:
            raise typer.Exit(ended_by(error)) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the file of the command that is called."""
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = _loaded(args[0])
        return super().resolve_command(ctx, args)


def program() -> Any:
    """The whole program, as something to call with arguments."""
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings=_SETTINGS,
        help="Rerank documents and say why, in reasons that can be checked.",
        epilog=f"{_listed(EXAMPLES)}\n\n{EPILOG}",
    )
    app.callback()(_program)
    return get_command(app)


_SETTINGS = {"help_option_names": ["-h", "--help"]}


def made(name: str, function: Callable[..., None], examples: Sequence[str]) -> Any:
    """The command that is this function."""
    paragraphs = (getdoc(function) or "").split("\n\n")
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=_SETTINGS)
    # typer keeps the line breaks of a docstring, which are the editor's and not the reader's.
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(name, help=text, epilog=_listed(examples))(function)
    return get_command(app)


def grouped(name: str, summary: str, commands: Mapping[str, Any], examples: Sequence[str]) -> Any:
    """A command that is a group of others."""
    app = typer.Typer(
        name=name,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings=_SETTINGS,
        help=summary,
        epilog=_listed(examples),
    )
    app.callback()(_nothing)
    group: Any = get_command(app)
    group.commands = dict(commands)
    return group


def _nothing() -> None:
    pass


def _loaded(name: str) -> Any:
    module = import_module(f"whyrank.cli.{name}")
    if hasattr(module, "program"):
        return module.program()
    return made(name, getattr(module, name), module.EXAMPLES)


def _listed(examples: Sequence[str]) -> str:
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])


def _version(asked: bool) -> None:
    if asked:
        from whyrank import __version__

        typer.echo(f"whyrank {__version__}")
        raise typer.Exit


def _program(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
