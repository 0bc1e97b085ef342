"""Small changes that a test should notice, made from the syntax tree of a module."""

from __future__ import annotations

import ast
import copy
import difflib
from dataclasses import dataclass

_TURNED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
#: Methods of loggers, and calls whose texts only Python's tools read.
_LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log", "warn"}
_WORDLESS = {"cast", "TypeVar", "ParamSpec", "getLogger", "NewType"}
#: Options of dataclasses that hold the programmer to a style.
_STYLE = {"frozen", "slots", "kw_only"}
_TOLD = {"__repr__", "__str__"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        path: The module, below the root of the project.
        line: The first line that it changes.
        run_with: The lines that run when it is run.
        in_function: Whether a call runs it, and not the import of the module.
    """

    path: str
    kind: str
    line: int
    run_with: frozenset[int]
    in_function: bool
    source: str
    changed: str

    @property
    def place(self) -> str:
        """Where it is, for people and editors."""
        return f"{self.path}:{self.line}"

    @property
    def diff(self) -> str:
        """The lines taken out and put in."""
        before, after = self.source.splitlines(), self.changed.splitlines()
        lines = difflib.unified_diff(before, after, n=0, lineterm="")
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def mutants_of(path: str, source: str) -> list[list[Mutant]]:
    """Return the changes of a module, for each place where one can be made."""
    finder = _Finder()
    finder.visit(ast.parse(source))
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    found = []
    for kind, node, statement, in_function, texts in finder.places:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        data = source.encode()
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        own = data[first:last].decode()
        changed = [
            (data[:first] + text.replace("\0", own).encode() + data[last:]).decode()
            for text in texts
        ]
        run_with = frozenset({statement, *range(node.lineno, node.end_lineno + 1)})
        found.append([
            Mutant(path, kind, node.lineno, run_with, in_function, source, text)
            for text in changed if _ok(text)
        ])  # fmt: skip
    return [mutants for mutants in found if mutants]


def _ok(source: str) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Collects the places of a module and what may stand there; NUL stands for what stood there."""

    def __init__(self) -> None:
        self.places: list[tuple[str, ast.expr | ast.stmt, int, bool, list[str]]] = []
        self._statement = 0
        self._functions = 0
        self._no_texts = 0

    def _add(self, kind: str, node: ast.expr | ast.stmt, *texts: str) -> None:
        in_function = self._functions > 0
        self.places.append((kind, node, self._statement, in_function, list(texts)))

    def visit(self, node: ast.AST) -> None:
        """Visit a node, and know the line of the statement that it is in."""
        outer = self._statement
        if isinstance(node, ast.stmt):
            self._statement = node.lineno
        super().visit(node)
        self._statement = outer

    def _add_condition(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Constant | ast.Compare):  # a comparison is turned instead
            self._add("condition", node, "(not (\0))")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Visit what a function does, and its defaults; not its annotations."""
        if node.name in _TOLD:
            return
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._functions += 1
        self._visit_body(node.body)
        self._functions -= 1

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Visit it as any function."""
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Visit the body of a class."""
        if not any(ast.unparse(base).startswith("Protocol") for base in node.bases):
            self._visit_body(node.body)

    def _visit_body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Leave out a call whose result nobody uses; skip docstrings."""
        if isinstance(node.value, ast.Call) and not _is_logging(node.value):
            self._add("call", node, "pass")
            self.visit(node.value)
        elif not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Skip what is only told; the texts of errors are words, too."""
        name = _name_of(node.func)
        if _is_logging(node) or name in _WORDLESS:
            return
        told = name.endswith(("Error", "Exception", "Warning"))
        self._no_texts += told
        self.generic_visit(node)
        self._no_texts -= told

    def visit_keyword(self, node: ast.keyword) -> None:
        """Skip options of style."""
        if node.arg not in _STYLE:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Visit the conditions and numbers of an error, not its words."""
        self._no_texts += 1
        self.generic_visit(node)
        self._no_texts -= 1

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Visit the value, not the type."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Visit the value, unless it is the list of what a module offers."""
        if ast.unparse(node.targets[0]) != "__all__":
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        """Negate or drop a condition; skip what only type checkers read."""
        if ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        self._add_condition(node.test)
        if not node.orelse:
            self._add("condition", node.test, "True")
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Negate the condition of a loop."""
        self._add_condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition of an expression."""
        self._add_condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Drop the condition of a comprehension."""
        for test in node.ifs:
            self._add("condition", test, "True")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Drop one of several conditions."""
        texts = []
        for number in range(len(node.values)):
            rest = [f"({ast.unparse(v)})" for i, v in enumerate(node.values) if i != number]
            texts.append((" and " if isinstance(node.op, ast.And) else " or ").join(rest))
        self._add("condition", node, *(f"({text})" for text in texts))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Turn a comparison."""
        texts = []
        for number, operator in enumerate(node.ops):
            for turned in _TURNED[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[number] = turned()
                texts.append(f"({ast.unparse(changed)})")
        self._add("comparison", node, *texts)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """Return something else."""
        value = node.value
        if value is None or isinstance(value, ast.Constant):
            self.generic_visit(node)
            return
        boolean = isinstance(value, ast.Compare | ast.BoolOp) or (
            isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
        )
        self._add("return", value, "(not (\0))" if boolean else "None")
        self.visit(value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Skip f-strings: nearly all of them are words, and before 3.12 they have no places."""

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change a number, a truth value, or a text that is a name and no sentence."""
        value = node.value
        if isinstance(value, bool):
            self._add("constant", node, str(not value))
        elif isinstance(value, int | float):
            self._add("constant", node, repr(value + 1), repr(value * 2) if value else "1")
        elif isinstance(value, str) and value and not self._no_texts and not value.count(" "):
            self._add("constant", node, repr(f"{value}~"))


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_logging(node: ast.Call) -> bool:
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _LOGGING:
        return False
    owner = ast.unparse(function.value)
    return "log" in owner.lower() or owner == "warnings"
