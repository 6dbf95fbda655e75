"""`whyrank serve`: rankings and their reasons over HTTP."""

from typing import Annotated

import typer

from whyrank.cli import options

EXAMPLES = (
    "whyrank serve",
    "whyrank serve --config serve.yaml --port 9000",
    "whyrank serve --ranker student-open -c limits.documents=200",
)
ENDING_S = 1.0
"""Seconds that workers without a turn have to end."""


def serve(
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="FILE|KEY=VALUE", help="What is served, and single settings."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Where to listen; by default 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", metavar="N", help="By default 8000; 0 takes a free one.")
    ] = None,
    ranker: options.RankerOption = None,
    threads: options.ThreadsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Serve rankings and their reasons over HTTP, to the clients of Cohere, Jina, Voyage and text-embeddings-inference.

    By default the default ranker is served, to this machine alone. A file of settings names several models, their
    limits, indexes that can be searched, and the environment variable that holds the token that requests must bring.
    /openapi.json describes what is served. Told to stop (Ctrl-C, SIGTERM), the server answers what was begun.
    """
    import logging

    from whyrank._extras import require
    from whyrank.cli.configured import configured
    from whyrank.cli.endings import leave_beneath
    from whyrank.cli.messages import say
    from whyrank.cli.progress import working
    from whyrank.config import load

    for package in ("fastapi", "uvicorn", "prometheus_client"):
        require(package, extra="serve", purpose="the server")
    from whyrank.serve.app import create_app
    from whyrank.serve.running import Server, address, listening
    from whyrank.serve.settings import LOOPBACK, ServeSettings

    given = {"host": host, "port": port, "threads": threads, "models": ranker and [ranker]}
    settings = load(ServeSettings, *configured(config, given))
    with working(quiet=quiet) as work:
        work.phase("loading")
        app = create_app(settings)
    with listening(settings) as listener:
        if not quiet:
            logging.basicConfig(format="%(message)s")
            logging.getLogger("whyrank.serve").setLevel(logging.INFO)
        if settings.host not in LOOPBACK and settings.token is None and not quiet:
            say(f"whoever reaches {settings.host} may use this server; the setting 'token' asks for one", label="note")
        names = ", ".join(served.label for served in settings.models)
        told = f"serving {names} at {address(listener)}; Ctrl-C stops"
        try:
            Server(app, settings, lambda: None if quiet else say(told)).run([listener])
        finally:
            app.state.models.close(ENDING_S)
            leave_beneath(app.state.models.busy, "; limits.drain_s is how long one is waited for")
