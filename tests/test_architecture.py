"""The floors of the package: who imports whom, and how large and how regular the modules are."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.scripts import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "tap_tiktok_auth"
#: The floor of each module, by the longest prefix of its name. Each imports only from its own
#: floor and from those below; imports for types count as well.
FLOORS = {
    "": 7,  # what the package offers to programs, found only when it is used
    "command": 7,
    "cli": 7,
    "login": 6,
    "doctor": 6,
    "auth": 5,
    "tap": 5,
    "metadata": 5,
    "streams": 5,
    "credentials": 4,
    "credentials.models": 3,
    "credentials.lifecycle": 3,
    "credentials.transitions": 3,
    "http": 3,
    "store": 3,
    "apis": 2,
    "config": 2,
    "errors": 1,
    "network": 1,
    "process": 1,
    "redaction": 1,
    "times": 1,
    "version": 1,
}
#: The simulator stands beside all floors, and only these know it.
SIMULATOR = "simulator"
KNOW_THE_SIMULATOR = {"cli.simulate", "pytest_plugin"}
#: What decides and what describes does nothing by itself.
PURE = ("apis", "credentials.models", "credentials.lifecycle", "credentials.transitions")
DOES_THINGS = {
    "aiohttp", "http", "psycopg", "requests", "socket", "sqlite3", "ssl", "subprocess", "threading",
    "urllib3",
}  # fmt: skip
#: What would tie the core to one provider: its hosts, and the paths of its endpoints.
OF_TIKTOK = re.compile(r"tiktok\.com|tiktokapis|open_api|/v\d+(\.\d+)?/|tt_user/|oauth2?/")
MOST_LINES, MOST_MODULES, MOST_LATE_IMPORTS, MOST_NOQA = 450, 98, 8, 40


class Import(NamedTuple):
    """One imported module, within the package or not."""

    module: str
    line: int
    is_late: bool


class Module(NamedTuple):
    """A module of the package, by its name below the package."""

    name: str
    path: Path
    text: str
    imports: list[Import]

    def imported(self) -> set[str]:
        """Return the modules of the package that it imports, by their names below the package."""
        found = {i.module for i in self.imports if f"{i.module}.".startswith(f"{PACKAGE}.")}
        return {name.removeprefix(PACKAGE).removeprefix(".") for name in found} - {self.name}


def _imports(path: Path, full_name: str) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    package = full_name if path.name == "__init__.py" else full_name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in late)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0]
                base = f"{above}.{base}".rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                is_module = (ROOT / inner.replace(".", "/")).is_dir() or (
                    ROOT / f"{inner.replace('.', '/')}.py"
                ).is_file()
                ours = base.partition(".")[0] == PACKAGE and is_module
                yield Import(inner if ours else base, node.lineno, id(node) in late)


def _modules() -> dict[str, Module]:
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        full_name = ".".join(parts).removesuffix(".__init__")
        name = full_name.removeprefix(PACKAGE).removeprefix(".")
        text = path.read_text(encoding="utf-8")
        found[name] = Module(name, path, text, list(_imports(path, full_name)))
    return found


MODULES = _modules()


def is_below(name: str, *packages: str) -> bool:
    """Whether a module is one of some packages or lies in one."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def floor(name: str) -> int | None:
    """Return the floor of a module; those beside all floors have none."""
    while name and name not in FLOORS:
        name = name.rpartition(".")[0]
        if not name:
            return None
    return FLOORS[name]


HOUSE = [
    module
    for module in MODULES.values()
    if not is_below(module.name, SIMULATOR) and module.name not in KNOW_THE_SIMULATOR
]


def test_every_module_has_a_floor() -> None:
    """A module that is new is given its floor in this table, on purpose."""
    assert [module.name for module in HOUSE if floor(module.name) is None] == []


def test_every_floor_has_modules() -> None:
    """The table names nothing that is not there."""
    assert {prefix for prefix in FLOORS if prefix not in MODULES} == set()


def test_imports_go_down() -> None:
    """No module imports from a floor above its own, be it late or for types only."""
    upwards = [
        f"{module.name} ({own}) imports {other} ({above})"
        for module in HOUSE
        for other in sorted(module.imported())
        if (own := floor(module.name)) is not None
        and (above := floor(other)) is not None
        and own < above
    ]
    assert not upwards, "\n".join(upwards)


def circles() -> Iterator[str]:
    """Return the circles of imports; of several that share a module, one at a time."""
    graph = {module.name: module.imported() for module in MODULES.values()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            yield " <- ".join(circle)
            graph[circle[1]] = graph[circle[1]] - {circle[0]}
        else:
            return


def test_there_are_no_circles() -> None:
    """Modules can be read in an order in which nothing is used before it was read."""
    found = list(circles())
    assert not found, "\n".join(found)


def test_the_simulator_stands_alone() -> None:
    """The simulator imports nothing of the rest, and only its command and its fixtures know it."""
    simulator = [module for module in MODULES.values() if is_below(module.name, SIMULATOR)]
    assert simulator
    for module in simulator:
        outside = {name for name in module.imported() if not is_below(name, SIMULATOR)}
        assert outside == set(), module.name
    knows = {
        module.name
        for module in HOUSE
        if any(is_below(name, SIMULATOR) for name in module.imported())
    }
    assert knows == set()


@pytest.mark.parametrize("package", PURE)
def test_what_decides_does_nothing(package: str) -> None:
    """Rules and descriptions import neither store nor client, nor what sends, writes or waits."""
    modules = [module for module in MODULES.values() if is_below(module.name, package)]
    assert modules
    for module in modules:
        own = {name for name in module.imported() if is_below(name, "http", "store")}
        others = {i.module.partition(".")[0] for i in module.imports} & DOES_THINGS
        assert (own, others) == (set(), set()), module.name


@pytest.mark.parametrize("package", ["credentials", "store", "http"])
def test_the_core_knows_no_provider(package: str) -> None:
    """The core names neither TikTok's hosts nor the paths of its endpoints."""
    named = [
        f"{module.path.relative_to(ROOT)}:{number}: {line.strip()}"
        for module in MODULES.values()
        if is_below(module.name, package)
        for number, line in enumerate(module.text.splitlines(), 1)
        if OF_TIKTOK.search(line)
    ]
    assert not named, "\n".join(named)


def test_late_imports_are_few() -> None:
    """Only what makes the start measurably quicker is imported within a function."""
    late = {
        f"{module.path.relative_to(ROOT)}:{found.line}"
        for module in MODULES.values()
        for found in module.imports
        if found.is_late
    }
    assert len(late) <= MOST_LATE_IMPORTS, "\n".join(sorted(late))


def test_exceptions_to_the_linter_are_few_and_have_reasons() -> None:
    """Each `noqa` says in parentheses why, after the names of its rules."""
    lines = [
        f"{module.path.relative_to(ROOT)}:{number}: {line.strip()}"
        for module in MODULES.values()
        for number, line in enumerate(module.text.splitlines(), 1)
        if "noqa" in line
    ]
    unexplained = [line for line in lines if not re.search(r"# noqa: [A-Z0-9, ]+  \(.+\)$", line)]
    assert not unexplained, "\n".join(unexplained)
    assert len(lines) <= MOST_NOQA, len(lines)


def test_modules_are_neither_many_nor_long() -> None:
    """A module holds one idea: few enough to list, short enough to read."""
    long = {m.name: n for m in MODULES.values() if (n := m.text.count("\n")) > MOST_LINES}
    assert long == {}
    assert len(MODULES) <= MOST_MODULES
