"""Every weakness that was reproduced in the reference system has a test here, named after it."""

import re
from pathlib import Path

KNOWN = range(1, 46)
WAITING = {35}
"""Those whose tests come with the learning stores of entities, knowledge and decisions: strike out what has one."""


def covered() -> set[int]:
    """The weaknesses that some test is named after."""
    files = Path(__file__).parents[1].rglob("test_*.py")
    names = (name for file in files for name in re.findall(r"def test_w(\d\d)_\w", file.read_text()))
    return {int(name) for name in names}


def test_each_weakness_has_a_test_that_is_named_after_it() -> None:
    missing = set(KNOWN) - covered() - WAITING
    assert missing == set(), f"no test is named test_w{min(missing):02}_..."


def test_no_weakness_that_has_a_test_is_said_to_wait_for_one() -> None:
    assert covered() & WAITING == set()


def test_no_test_is_named_after_a_weakness_that_nobody_knows() -> None:
    assert covered() <= set(KNOWN)
