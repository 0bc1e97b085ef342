"""The script that changes the code at random finds what no test notices, and only that."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scripts import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = ROOT / "scripts" / "mutations.py"
CODE = '''"""A rule, and what nobody asks for."""
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

def is_old(age: int) -> bool:
    """Tell the old from the young."""
    logging.getLogger("rule").info("age %s > 17", age)
    return age >= 18
'''
STRICT = (
    "from code_to_test import is_old\n\ndef test():\n    assert [is_old(n) for n in {}] == {}\n"
)


def run(folder: Path, ages: list[int], *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a project with one module and one test, which asks about some ages."""
    (folder / "code_to_test.py").write_text(CODE)
    (folder / "tests").mkdir()
    test = STRICT.format(ages, [age >= 18 for age in ages])
    (folder / "tests" / "test_it.py").write_text(test)
    (folder / "conftest.py").touch()  # puts the folder on the path
    return subprocess.run(
        [sys.executable, SCRIPT, "--root", folder, "--jobs", "1", *options, "code_to_test.py"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ages", "is_noticed"), [([17, 18, 19], True), ([10, 60], False)], ids=["strict", "weak"]
)
def test_a_weak_spot_is_found(tmp_path: Path, ages: list[int], *, is_noticed: bool) -> None:
    """Each change counts as noticed if the border is tested; otherwise some are shown."""
    done = run(tmp_path, ages, "--count", "9", "--seed", "1")
    assert done.returncode == (0 if is_noticed else 1), done.stderr
    assert ("NOT NOTICED" in done.stdout) is not is_noticed
    assert ("+    return" in done.stdout) is not is_noticed
    assert (tmp_path / "code_to_test.py").read_text() == CODE


def test_only_what_matters_is_changed() -> None:
    """Neither docstrings, annotations, log lines, words of errors nor `__repr__` are changed."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import _mutants  # noqa: PLC0415  (a script)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    source = CODE + (
        "def check(x: 'int' = 3):\n"
        "    if x != 4 and is_old(x):\n"
        "        raise ValueError('wrong')\n"
        "    forget('a name')\n"
        "class Thing:\n"
        "    def __repr__(self):\n"
        "        return f'{1 > 2}'\n"
    )
    places = [mutants[0] for mutants in _mutants.mutants_of("x.py", source)]
    found = {(mutant.line, mutant.kind) for mutant in places}
    first = len(CODE.splitlines()) + 1
    assert found == {
        (11, "return"), (11, "comparison"), (11, "constant"),
        (first, "constant"), (first + 1, "condition"), (first + 1, "comparison"),
        (first + 1, "constant"), (first + 3, "call"),
    }  # fmt: skip
    assert all(mutant.changed != source for mutant in places)
