"""Mutants of a method: one loss term, one detach, one comparison or one sign changed at a time."""

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.Is: ast.IsNot,
}
OPPOSITE |= {other: one for one, other in OPPOSITE.items()}
SIGN: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
KINDS = ("term", "detach", "comparison", "sign")


@dataclass(frozen=True)
class Mutant:
    """One change of one method file.

    Attributes:
        kind: one of ``KINDS``.
        function: the function that is changed, such as ``SEAM.loss``.
        lines: first and last line of what is changed.
        change: what it was and what it is now, as code.
        code: of the changed function.
    """

    kind: str
    function: str
    lines: tuple[int, int]
    change: str
    code: CodeType


class Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods with their qualified names; ``toy`` holds sizes, not the method."""
    for node in tree.body:
        for item in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(item, ast.FunctionDef) and item.name != "toy":
                yield item.name if item is node else f"{node.name}.{item.name}", item


def terms(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The values of the loss terms: of dicts with names as keys, and of ``terms["name"] = ...``."""
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            yield from node.values
        elif isinstance(node, ast.DictComp) or (
            isinstance(node, ast.Assign)
            and isinstance(target := node.targets[0], ast.Subscript)
            and isinstance(target.slice, ast.Constant)
            and isinstance(target.slice.value, str)
        ):
            yield node.value


def positions(function: ast.FunctionDef) -> set[ast.AST]:
    """Negative literals that are no signs: places counted from the end, sizes that are kept.

    As in ``shape[-2:]``, ``mean(dim=-1)``, ``flip(-1)`` and ``expand(-1, 3)``.
    """
    places: list[ast.AST] = []
    for node in ast.walk(function):
        match node:
            case ast.Subscript(slice=place) | ast.keyword(arg="dim", value=place):
                places.append(place)
            case ast.Call(func=ast.Attribute(attr="expand" | "flip" | "view"), args=sizes):
                places += sizes
    return {
        node
        for place in places
        for node in ast.walk(place)
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    }


def edits(function: ast.FunctionDef) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """(kind, node, what takes its place) of everything that can be changed in a function."""
    if function.name == "loss":
        for value in terms(function):
            yield "term", value, ast.BinOp(ast.Constant(0), ast.Mult(), value)
    skipped = positions(function)
    body = (node for statement in function.body for node in ast.walk(statement))
    for node in body:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="detach")):
                yield "detach", node, value
            case ast.Compare(left=left, ops=ops, comparators=others):
                for i, op in enumerate(ops):
                    flipped = [*ops[:i], OPPOSITE[type(op)](), *ops[i + 1 :]]
                    yield "comparison", node, ast.Compare(left, flipped, others)
            case ast.UnaryOp(op=ast.USub(), operand=operand) if node not in skipped:
                yield "sign", node, operand
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGN:
                yield "sign", node, ast.BinOp(left, SIGN[type(op)](), right)
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in SIGN:
                yield "sign", node, ast.AugAssign(target, SIGN[type(op)](), value)


def find_mutants(path: Path) -> list[Mutant]:
    """All mutants of a method file, in the order of its functions."""
    tree, mutants = ast.parse(path.read_text()), []
    for name, function in functions(tree):
        for kind, old, new in list(edits(function)):
            change = f"{ast.unparse(old)}  ->  {ast.unparse(new)}"
            Swap(old, ast.copy_location(new, old)).visit(function)
            code = code_of(compile(ast.fix_missing_locations(tree), str(path), "exec"), name)
            Swap(new, old).visit(function)
            mutants.append(Mutant(kind, name, (old.lineno, old.end_lineno), change, code))
    return mutants


def code_of(code: CodeType, name: str) -> CodeType:
    """The code of a function of a compiled module."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    for one in inner:
        if one.co_qualname == name:
            return one
        if name.startswith(f"{one.co_qualname}."):
            return code_of(one, name)
    raise LookupError(name)


def live(module: ModuleType, name: str) -> FunctionType:
    """The function object that the module, its classes and whoever imported them call."""
    found: object = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return inspect.unwrap(found)  # type: ignore[arg-type]


@contextmanager
def applied(mutant: Mutant, module: ModuleType) -> Iterator[None]:
    """Within it everybody who imported the method runs the mutant."""
    function = live(module, mutant.function)
    original = function.__code__
    function.__code__ = mutant.code
    try:
        yield
    finally:
        function.__code__ = original
