"""Optional dependencies: one way to ask for them, one wording when they are absent."""

from importlib import import_module
from types import ModuleType

from whyrank.errors import MissingExtra


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Args:
        module: dotted name, for example ``"numba"``.
        extra: the extra of whyrank that installs it.
        purpose: what needs it, as the start of a sentence: ``"compiled BM25"``.

    Raises:
        MissingExtra: the module, or something it needs, is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{purpose} needs {module.partition('.')[0]}: pip install 'whyrank[{extra}]' ({error})"
        ) from error
