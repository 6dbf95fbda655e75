"""What is told of a server: metrics for Prometheus, a line in the log for each request; never a text."""

import logging
import traceback
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from whyrank import __version__
from whyrank.serve.batching import Turn
from whyrank.serve.models import Model

LOG = logging.getLogger("whyrank.serve")
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests answered", ["path", "status"])
        self.seconds = Histogram(
            "whyrank_request_seconds", "From first byte to last", ["path"], buckets=SECONDS, registry=self.registry
        )
        self.under_way = Gauge("whyrank_requests_under_way", "Requests not answered yet", registry=self.registry)
        self.documents = self._counter("documents", "Documents ranked", ["model"])
        self.tokens = self._counter("tokens", "Tokens read, estimated", ["model"])
        self.busy = self._counter("busy_seconds", "Seconds that the worker spent", ["model"])
        self.batches = Histogram(
            "whyrank_batch_requests", "Requests in a turn", ["model"], buckets=SIZES, registry=self.registry
        )
        version = Gauge("whyrank_build_info", "The version", ["version"], registry=self.registry)
        version.labels(__version__).set(1)

    def turned(self, model: str, turn: Turn) -> None:
        """Count a turn of a model's worker."""
        self.documents.labels(model).inc(turn.documents)
        self.tokens.labels(model).inc(turn.tokens)
        self.busy.labels(model).inc(turn.seconds)
        self.batches.labels(model).observe(turn.requests)

    def watch(self, models: Sequence[Model]) -> None:
        """Show how much waits, whenever somebody looks."""
        requests = Gauge("whyrank_waiting_requests", "Requests that wait", ["model"], registry=self.registry)
        tokens = Gauge("whyrank_waiting_tokens", "Tokens that wait, estimated", ["model"], registry=self.registry)
        for model in models:
            requests.labels(model.name).set_function(_reader(model, 0))
            tokens.labels(model.name).set_function(_reader(model, 1))

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, labels: Sequence[str]) -> Counter:
        return Counter(f"whyrank_{name}", told, labels, registry=self.registry)


def _reader(model: Model, which: int) -> Callable[[], float]:
    return lambda: float(model.batcher.waiting[which])


def log_defect(error: BaseException) -> None:
    """Where an unforeseen error came from: its type and the lines of our code, not its message, which may quote."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    LOG.error("a defect of whyrank; please report it:\n%s%s", frames, type(error).__qualname__)
