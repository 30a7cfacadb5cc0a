"""The floors of the house, read from the imports: a file imports from lower floors or its own room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wsloc"

# Lowest first; files of one room may import each other without a circle.
FLOORS = (
    ("errors",),
    ("records", "files", "signals", "words"),
    ("running",),
    ("inputs",),
    ("networks",),
    ("methods",),
    ("regions",),
    ("metrics",),
    ("outputs",),
    ("request", "choice", "fitting"),
    ("views",),
    ("boxing",),
    ("localizer",),
    ("image_run",),
    ("evaluation", "seeding", "training"),
    ("loader", "runner", "seeder", "evaluator", "trainer"),
    ("merger",),
    ("cli",),
)
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
OUTSIDE = {"wsloc", "wsloc.__main__"}  # the public names and `python -m wsloc`: above everything
LONGEST_FILE, LONGEST_FUNCTION = 400, 80
# A command is a list of annotated options: long, but flat.
COMMANDS = PACKAGE / "cli"


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("wsloc", *path.relative_to(PACKAGE).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """wsloc modules that a file imports, at the top, inside functions and for type checking alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            if node.module and node.module.split(".")[0] == "wsloc":
                submodules = {f"{node.module}.{alias.name}" for alias in node.names}
                inner = {name for name in submodules if name in MODULES}
                found |= inner or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "wsloc"}
    return found


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in OUTSIDE])
def test_imports_only_from_lower_floors_or_the_own_room(module: str) -> None:
    assert room(module) in HEIGHT, f"{module} is on no floor: add it to FLOORS"
    for imported in imports(MODULES[module]) - {"wsloc"}:
        if room(imported) != room(module):
            assert HEIGHT[room(imported)] < HEIGHT[room(module)], f"{module} imports {imported}"


def test_no_circles() -> None:
    graph = {name: imports(path) & set(MODULES) for name, path in MODULES.items() if name not in OUTSIDE}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"circle: {' -> '.join((*above, module))}"
        if module not in done:
            for imported in graph.get(module, ()):
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("floor", ["regions", "metrics", "outputs"])
def test_arrays_and_records_only(floor: str) -> None:
    for module, path in MODULES.items():
        if module.startswith(f"wsloc.{floor}"):
            assert not any(room(name) in ("networks", "methods") for name in imports(path) if "." in name), (
                module
            )
            assert "import torch" not in path.read_text(encoding="utf-8"), module


def test_rooms_are_imported_by_full_path_from_inside() -> None:
    for module, path in MODULES.items():
        if "." in module.removeprefix("wsloc."):
            assert ".".join(module.split(".")[:2]) not in imports(path), f"{module} imports its own package"


@pytest.mark.parametrize("module", list(MODULES))
def test_every_file_has_its_test(module: str) -> None:
    path = MODULES[module].relative_to(PACKAGE)
    if path.name in ("__init__.py", "__main__.py"):
        return
    assert (Path(__file__).parent / path.parent / f"test_{path.name}").is_file()


@pytest.mark.parametrize("module", list(MODULES))
def test_files_and_functions_are_of_a_readable_length(module: str) -> None:
    path = MODULES[module]
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and path.parent != COMMANDS:
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def public(node: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.ClassDef]:
    """Public functions and classes, and the public methods of public classes; overloads left out."""
    found: list[ast.FunctionDef | ast.ClassDef] = []
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            if not any("overload" in ast.unparse(mark) for mark in child.decorator_list):
                found.append(child)
            if isinstance(child, ast.ClassDef):
                found += public(child)
    return found


@pytest.mark.parametrize("module", list(MODULES))
def test_public_names_are_documented(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), module
    assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []
