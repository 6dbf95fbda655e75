"""What --config and other options say together: a file of settings, single ones, and flags; the last wins."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.errors import BadInput


class Configured(NamedTuple):
    """What `whyrank.config.load` is given.

    Attributes:
        file: of settings; None if none is named.
        overrides: single ones, key=value.
    """

    file: str | None
    overrides: list[str]

    def names(self, key: str) -> bool:
        """Whether there is a file, or a setting of this name."""
        return self.file is not None or any(item.startswith(f"{key}=") for item in self.overrides)


def configured(config: Sequence[str] | None, flags: Mapping[str, Any]) -> Configured:
    """Part what --config was given; add the flags that are not None.

    Raises:
        BadInput: several files.
    """
    files = [item for item in config or () if "=" not in item or _is_file(item)]
    if len(files) > 1:
        raise BadInput(f"--config names {len(files)} files ({', '.join(files)}); give one, and key=value for the rest")
    overrides = [item for item in config or () if item not in files]
    overrides += [f"{key}={json.dumps(value)}" for key, value in flags.items() if value is not None]
    return Configured(files[0] if files else None, overrides)


def _is_file(item: str) -> bool:
    try:
        return Path(item).is_file()
    except OSError:  # longer than a name may be
        return False
