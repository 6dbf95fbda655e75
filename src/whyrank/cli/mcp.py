"""`whyrank mcp`: the tools rerank, explain and search for assistants."""

from typing import TYPE_CHECKING, Annotated

import typer

from whyrank.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whyrank.serve.mcp import Server
    from whyrank.serve.settings import ServeSettings

EXAMPLES = (
    "whyrank mcp",
    "whyrank mcp --corpus papers=papers.index --ranker student-open",
    "whyrank mcp --config serve.yaml --port 8001",
)
HOST = "127.0.0.1"
"""Tools are offered to this machine alone, whatever a file of settings says of the server."""


def mcp(
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config", "-c", metavar="FILE|KEY=VALUE", help="The settings of 'whyrank serve', and single ones."
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option("--corpus", metavar="NAME=FOLDER", help="An index that can be searched; repeatable."),
    ] = None,
    ranker: options.RankerOption = None,
    threads: options.ThreadsOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", "-p", metavar="N", min=0, max=65_535, help="Speak HTTP to this machine, not standard input."
        ),
    ] = None,
    quiet: options.QuietOption = False,
) -> None:
    """Offer rerank, explain and search as tools to assistants that speak the Model Context Protocol.

    An assistant starts this command itself and talks to it over standard input and output. With --port it is a server
    of its own at /mcp of this machine (streamable HTTP). The tool search is there where an index is named.
    """
    from whyrank._extras import require
    from whyrank.cli.endings import leave_beneath
    from whyrank.cli.progress import working

    require("mcp", extra="mcp", purpose="MCP")
    from whyrank.serve.mcp import Tools, create_server

    settings = _settings(config, {"threads": threads, "models": ranker and [ranker], "port": port}, corpus or ())
    with working(quiet=quiet) as work:
        work.phase("loading")
        tools = Tools(settings)
    try:
        server = create_server(tools)
        if port is None:
            server.run()
        else:
            _over_http(server, settings, quiet=quiet)
    finally:
        tools.close()
        leave_beneath(tools.busy)


def _settings(
    config: "Sequence[str] | None", given: "Mapping[str, object]", corpora: "Sequence[str]"
) -> "ServeSettings":
    """What is served: a file of settings, single ones, and what stands on the command line."""
    import json

    from whyrank.cli.configured import configured
    from whyrank.config import load
    from whyrank.errors import BadInput
    from whyrank.serve.settings import ServeSettings

    file, overrides = configured(config, given)
    for named in corpora:
        name, _, folder = named.partition("=")
        if not name or not folder or "." in name:
            raise BadInput(f"--corpus {named!r} cannot be read; give NAME=FOLDER, without a dot in the name")
        overrides.append(f"corpora.{name}={json.dumps(folder)}")
    settings = load(ServeSettings, file, overrides)
    return settings.model_copy(update={"host": HOST})


def _over_http(server: "Server", settings: "ServeSettings", *, quiet: bool) -> None:
    from whyrank.cli.messages import say
    from whyrank.serve.mcp import run_http
    from whyrank.serve.running import address, listening

    with listening(settings) as listener:
        if not quiet:
            say(f"serving tools at {address(listener)}/mcp; Ctrl-C stops")
        run_http(server, listener, settings.limits)
