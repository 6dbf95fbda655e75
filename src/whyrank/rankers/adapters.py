"""Two adapters on one base: the model lies in memory once, and each call computes with the adapter that is its own.

The first adapter is active unless a call asks for another; a call that does holds the model until it is done. So what
reads with the first adapter need not know of the second, and its numbers are the same bits before and after.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from whyrank.errors import BadInput, ModelError
from whyrank.lm.base import LM, Capability, OnReply, Reply, Request, Tokens
from whyrank.rankers.student_folder import Lora
from whyrank.rankers.student_network import Network, adapter_config, restore_adapter

FIRST = "default"


class Adapters:
    """The adapters of a model of peft.

    Args:
        network: of a first stage, whose adapter stays active between calls.
    """

    def __init__(self, network: Network) -> None:
        self._adapted = network.adapted
        self._lock = _lock_of(network.adapted)

    def add(self, name: str, lora: Lora, folder: Path) -> None:
        """Put an adapter beside the others; one of this name that is there already stays.

        Args:
            name: for `using`.
            lora: its shape.
            folder: of the student that it was saved in.

        Raises:
            BadInput: the model lacks the layers that it is for.
            Corrupt: its file is damaged or does not fit.
        """
        with self._lock:
            if name in self._adapted.peft_config:
                return
            is_whole = False
            try:
                self._adapted.add_adapter(name, adapter_config(self._adapted.get_base_model(), lora))
                restore_adapter(self._adapted, folder, name)
                is_whole = True
            except ValueError as error:
                raise BadInput(f"{folder}: its adapter does not fit this base: {error}") from error
            finally:
                if not is_whole and name in self._adapted.peft_config:
                    self._adapted.delete_adapter(name)
                self._adapted.set_adapter(FIRST)
                self._adapted.eval()

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Compute with this adapter; other threads wait."""
        with self._lock:
            self._adapted.set_adapter(name)
            try:
                yield
            finally:
                self._adapted.set_adapter(FIRST)


_LOCKS: "WeakKeyDictionary[Any, AbstractContextManager[bool]]" = WeakKeyDictionary()
_MAKING = threading.Lock()


def _lock_of(adapted: Any) -> Any:
    """The lock of a model, which every pass through it holds; the same for all that switch its adapters.

    A pass of the first adapter in another thread so waits until a call of the second has put things back.
    """
    with _MAKING:
        if adapted not in _LOCKS:
            lock = threading.RLock()
            body = adapted.get_base_model().base_model
            forward = body.forward

            @wraps(forward)
            def alone(*args: Any, **more: Any) -> Any:
                with lock:  # also let go where a pass is interrupted, which a hook after it would not be
                    return forward(*args, **more)

            body.forward = alone
            _LOCKS[adapted] = lock
        return _LOCKS[adapted]


class AdapterLM:
    """A language model that answers with one of a model's adapters.

    Args:
        lm: over the model, whichever adapter is active.
        adapters: of the model.
        adapter: the name of the one to answer with.
    """

    def __init__(self, lm: LM, adapters: Adapters, adapter: str) -> None:
        self._lm, self._adapters, self._adapter = lm, adapters, adapter
        self.weights = getattr(lm, "weights", "")

    @property
    def name(self) -> str:
        """Of the model, as it was named."""
        return self._lm.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """As without the adapter."""
        return self._lm.capabilities

    @property
    def context(self) -> int | None:
        """As without the adapter."""
        return self._lm.context

    @property
    def tokens(self) -> Tokens:
        """As without the adapter."""
        return self._lm.tokens

    @property
    def controls(self) -> tuple[str, ...]:
        """As without the adapter."""
        return self._lm.controls

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request; the model is held until all are there."""
        with self._adapters.using(self._adapter):
            return self._lm.ask(requests, on_reply)
