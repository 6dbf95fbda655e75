"""The tree of errors: each is a standard one too; an unknown name is answered with near ones."""

import pytest

from whyrank import errors
from whyrank._extras import require


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (errors.BadInput, ValueError),
        (errors.NoRoom, ValueError),
        (errors.BadRecord, ValueError),
        (errors.DuplicateId, ValueError),
        (errors.OtherRanker, ValueError),
        (errors.UnknownName, ValueError),
        (errors.MissingFile, FileNotFoundError),
        (errors.MissingExtra, ImportError),
        (errors.Corrupt, OSError),
        (errors.Unwritable, OSError),
    ],
)
def test_each_is_ours_and_a_standard_one(error: type[Exception], standard: type[Exception]) -> None:
    assert issubclass(error, errors.WhyrankError)
    assert issubclass(error, standard)
    assert error.__name__ in (errors.__doc__ or "")


def test_an_unknown_name_lists_near_ones_and_not_thousands() -> None:
    message = str(errors.unknown("ranker", "evidenze", ["evidence", "bi-encoder"]))
    assert message == "no ranker called 'evidenze'; did you mean evidence? known: bi-encoder, evidence"
    many = str(errors.unknown("document", "d7000x", [f"d{n}" for n in range(9_000)]))
    assert "did you mean d7000" in many
    assert many.endswith("and 8,970 more")
    assert len(many) < 400


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(errors.MissingExtra, match=r"compiled BM25 needs nowhere: pip install 'whyrank\[fast\]'"):
        require("nowhere.at_all", extra="fast", purpose="compiled BM25")
    assert require("json", extra="fast", purpose="nothing").__name__ == "json"
