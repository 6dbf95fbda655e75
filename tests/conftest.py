"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None)  # the machine may be busy: no example is judged by its time
settings.load_profile("steady")

# Two threads on tiny arrays spin against each other on a busy machine: one is faster and steadier.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of judged collections; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("WHYRANK_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no judged collections at {folder}; set WHYRANK_DATA to run this test")
    return folder
