"""Which way things may import, how large they may be, and what has no place in the house."""

import ast
import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parent.parent / "wsss_lib"
FILES = sorted(LIBRARY.rglob("*.py"))
ALLOWED = {  # room -> rooms that it may import from
    "core": set(),
    "blocks": {"core", "blocks"},
    "losses": {"core", "blocks", "losses"},
    "nets": {"core", "blocks", "losses", "nets"},
    "methods": {"core", "blocks", "losses", "nets"},
    "data": {"core", "blocks", "data"},
    "engine": {"core", "blocks", "data", "engine"},
    "evaluate": {"core", "blocks", "data"},
    "metrics": {"core", "evaluate"},
    "results": {"core", "data", "evaluate"},
    "show": {"core", "blocks", "data", "evaluate", "show"},
    "annotate": {"core", "blocks", "data", "evaluate", "show", "annotate"},
    "gallery": {"core", "blocks", "data", "evaluate", "results"},
    "report": {"core", "data", "evaluate", "results", "show"},
    "doctor": {"core", "data", "doctor"},
}
FORBIDDEN = (
    r"\.cuda\(",
    r"(?<![.\w])print\(",
    r"register_forward_hook",
    r"register_full_backward_hook",
)


def room_of(path):
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(LIBRARY).as_posix())
def test_imports_point_down(path):
    room = room_of(path)
    found = [name.split(".") for name in imports_of(path) if name.startswith("wsss_lib.")]
    if room in ALLOWED:
        assert {parts[1] for parts in found} <= ALLOWED[room]
    if room == "methods" and path.stem != "__init__":
        assert not {"numpy", "cv2"} & {name.split(".")[0] for name in imports_of(path)}


def test_core_imports_torch_only():
    names = {name.split(".")[0] for name in imports_of(LIBRARY / "core.py")}
    assert names <= {"torch", "dataclasses", "typing"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(LIBRARY).as_posix())
def test_no_file_needs_scrolling_or_forbidden_words(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 400
    for pattern in FORBIDDEN:
        assert not re.search(pattern, source), pattern


def test_no_room_is_crowded():
    """A folder that passes a dozen files gets rooms of its own."""
    folders = {path.parent for path in FILES}
    crowded = {
        folder.relative_to(LIBRARY).as_posix(): names
        for folder in folders
        if len(names := [p.name for p in folder.glob("*.py") if p.stem != "__init__"]) > 13
    }
    assert not crowded


def test_ground_truth_is_read_by_few():
    """Methods and the engine cannot reach a mask; the view reads it for weak labels alone."""
    readers = {room_of(path) for path in FILES if ".mask(" in path.read_text()}
    assert readers <= {"data", "evaluate", "gallery", "show", "doctor", "report", "cli"}


def test_public_tensor_functions_name_their_shapes():
    shape = re.compile(r"\((B|C|K|N|T|H|W|h|w|n|D|2|3|classes|size)\b[^)]*\)")
    for path in [*LIBRARY.glob("blocks/**/*.py"), *LIBRARY.glob("losses/*.py")]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                doc = ast.get_docstring(node) or ""
                takes_tensors = "Tensor" in ast.unparse(node.args)
                assert not takes_tensors or shape.search(doc), f"{path.name}:{node.name}"
