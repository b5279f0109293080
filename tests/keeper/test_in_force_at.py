"""Which of the adopted texts was in force at an entry of the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.keeper.book import last_before


@given(st.sets(st.integers(0, 200), min_size=1), st.integers(0, 250))
def test_it_is_the_last_that_was_adopted_before_it(adopted: set[int], index: int) -> None:
    ascending, before = sorted(adopted), [one for one in adopted if one < index]
    if before:
        assert last_before(index, ascending) == max(before)
    else:
        with pytest.raises(ValueError, match="nothing was adopted"):
            last_before(index, ascending)
