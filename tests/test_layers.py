"""The layers of tfpipe: who may import whom, read from the source with `ast`.

Each rule is a function that takes the folder holding `tfpipe/` and returns what is wrong with it,
one sentence each.
"""

import ast
import graphlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parent.parent

# Each layer may import itself and those before it.
LAYERS = (
    "text",
    "errors",
    "terminal",
    "storage",
    "declare",
    "runs",
    "boxes",
    "tasks",
    "data",
    "models",
    "devices",
    "processes",
    "optimizers",
    "losses",
    "training",
    "evaluation",
    "exports",
    "serving",
    "jobs",
    "tuning",
    "verbs",
    "cli",
)
# Forbidden although the order would allow it.
APART = {"models": {"data"}, "serving": {"training", "evaluation", "tuning"}}
# The facade stands above all layers: it may import any of them, and none of them imports it.
FACADE = ("tfpipe", "tfpipe.__main__")

HEAVY = {
    "tensorflow",
    "keras",
    "keras_tuner",
    "tensorflow_datasets",
    "tensorflow_hub",
    "matplotlib",
    "sklearn",
    "mlxtend",
}
# Modules in a folder; a reader loses the overview beyond that.
LARGEST_FOLDER = 16

LIGHT_LAYERS = ("errors", "text", "terminal", "storage", "declare", "runs", "processes", "cli")
LIGHT_ENTRIES = (
    *FACADE,
    "tfpipe.data",
    "tfpipe.models",
    "tfpipe.devices",
    "tfpipe.verbs",
    "tfpipe.cli.main",
)


# When an import happens.
AT_LOAD, LATER, FOR_TYPES, BY_NAME = "at load", "later", "for types", "by name"


@dataclass(frozen=True)
class Import:
    """One import: `importer` asks for `target`, whatever way it is written.

    Args:
        importer: the module that holds it.
        target: the module that it names.
        line: where.
        when: when the importer is loaded; later, inside a function; only for a type checker; or by
            name, as a text that another program or `importlib` imports.
    """

    importer: str
    target: str
    line: int
    when: str

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


# Reading


def modules(root: Path) -> dict[str, Path]:
    """Dotted name to file, for every module of tfpipe."""
    files = sorted((root / "tfpipe").rglob("*.py"))
    return {".".join(parts(file, root)): file for file in files}


def parts(file: Path, root: Path) -> tuple[str, ...]:
    name = file.relative_to(root).with_suffix("").parts
    return name[:-1] if name[-1] == "__init__" else name


@lru_cache(maxsize=8)
def imports(root: Path) -> list[Import]:
    known = modules(root)
    return [found for name, file in known.items() for found in imports_of(name, file, known)]


def imports_of(name: str, file: Path, known: dict[str, Path]) -> list[Import]:
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    statements = [
        Import(name, target, statement.lineno, when)
        for statement, when in import_statements(tree)
        for target in targets(statement, package, known)
    ]
    by_name = [
        Import(name, text.value, text.lineno, BY_NAME)
        for text in texts(tree)
        if text.value in known and text.value != "tfpipe"
    ]
    return [*statements, *by_name]


def import_statements(
    node: ast.AST, when: str = AT_LOAD
) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from import_statements(child, LATER)
        elif is_for_types(child):
            yield from import_statements(ast.Module(child.body, []), FOR_TYPES)
            yield from import_statements(ast.Module(child.orelse, []), when)
        else:
            yield from import_statements(child, when)


def is_for_types(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def texts(node: ast.AST) -> Iterator[ast.Constant]:
    """The texts in a module, but the names of its loggers, which are no modules."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func).endswith("getLogger"):
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child
        yield from texts(child)


def targets(
    statement: ast.Import | ast.ImportFrom, package: str, known: dict[str, Path]
) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    base = absolute(statement, package)
    for alias in statement.names:
        # `from tfpipe.data import spec` asks for a module or for a name in a module.
        whole = f"{base}.{alias.name}"
        yield whole if whole in known else base


def absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    above = package.split(".")
    kept = above[: len(above) - statement.level + 1]
    return ".".join([*kept, *filter(None, [statement.module])])


# Rules


def layer(module: str) -> str:
    """`data` for tfpipe.data.sources; "" for what is outside of tfpipe, and for tfpipe itself."""
    first, _, rest = module.partition(".")
    return rest.split(".")[0] if first == "tfpipe" else ""


def unknown_layers(root: Path) -> list[str]:
    found = {layer(name) for name in modules(root) if name not in FACADE}
    return [
        f"tfpipe/{name} is in no layer; add it to LAYERS" for name in sorted(found - set(LAYERS))
    ]


def upward_imports(root: Path) -> list[str]:
    return [
        f"{found}: {layer(found.importer)} is below it or kept apart from it"
        for found in imports(root)
        if found.importer not in FACADE and not is_allowed(found)
    ]


def is_allowed(found: Import) -> bool:
    if found.target in FACADE:
        return False
    ours, theirs = layer(found.importer), layer(found.target)
    if ours not in LAYERS or theirs not in LAYERS:
        return True  # outside of tfpipe, or reported by unknown_layers
    in_order = LAYERS.index(theirs) <= LAYERS.index(ours)
    return in_order and theirs not in APART.get(ours, ())


def circles(root: Path) -> list[str]:
    graph: dict[str, set[str]] = {name: set() for name in modules(root) if name not in FACADE}
    for found in imports(root):
        if found.importer in graph and found.target in graph and found.importer != found.target:
            graph[found.importer].add(found.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # graphlib lists who is imported before who imports.
        return ["import circle: " + " -> ".join(reversed(error.args[1]))]
    return []


def crowded_folders(root: Path) -> list[str]:
    files = [file for file in modules(root).values() if file.name != "__init__.py"]
    sizes = Counter(str(file.parent.relative_to(root)) for file in files)
    return [
        f"{folder}/ holds {size} modules, more than {LARGEST_FOLDER}: split it"
        for folder, size in sorted(sizes.items())
        if size > LARGEST_FOLDER
    ]


def namesakes(root: Path) -> list[str]:
    """Public classes that share their name with another: one name, one thing."""
    homes: dict[str, list[str]] = {}
    for name, file in modules(root).items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name)
    return [
        f"{name} is a class in {' and in '.join(places)}: rename all but one"
        for name, places in sorted(homes.items())
        if len(places) > 1
    ]


def heavy_imports(root: Path) -> list[str]:
    reached = reached_at_load(root)
    return [
        f"{found} when it is loaded, which must stay quick: "
        + (" -> ".join(reached.get(found.importer, [])) or f"{layer(found.importer)} is light")
        for found in imports(root)
        if found.when == AT_LOAD
        and found.target.split(".")[0] in HEAVY
        and (found.importer in reached or layer(found.importer) in LIGHT_LAYERS)
    ]


def reached_at_load(root: Path) -> dict[str, list[str]]:
    """Every module that loading an entry point loads, with the way to it."""
    known = modules(root)
    asked: dict[str, list[str]] = {name: [] for name in known}
    for found in imports(root):
        if found.when == AT_LOAD:
            asked[found.importer].append(found.target)
    ways: dict[str, list[str]] = {}
    waiting = [[name] for name in LIGHT_ENTRIES]
    while waiting:
        way = waiting.pop()
        # Loading a.b loads a first.
        for name in (way[-1], *parents(way[-1])):
            if name in known and name not in ways:
                ways[name] = way if name == way[-1] else [*way, name]
                waiting += [[*ways[name], target] for target in asked[name]]
    return ways


def parents(module: str) -> list[str]:
    names = module.split(".")
    return [".".join(names[:length]) for length in range(1, len(names))]


def outside_imports(root: Path) -> list[str]:
    """callbacks/ works without tfpipe, and tfpipe without callbacks/ and pipelines/."""
    callbacks = [
        found
        for file in sorted((root / "callbacks").glob("*.py"))
        for found in imports_of(f"callbacks.{file.stem}", file, modules(root))
        if found.target.split(".")[0] == "tfpipe"
    ]
    package = [
        found for found in imports(root) if found.target.split(".")[0] in {"callbacks", "pipelines"}
    ]
    return [f"{found}, and must not know of it" for found in (*callbacks, *package)]


RULES = (
    unknown_layers,
    upward_imports,
    circles,
    heavy_imports,
    outside_imports,
    crowded_folders,
    namesakes,
)


@pytest.mark.parametrize("rule", RULES)
def test_tfpipe_keeps(rule):
    assert "tfpipe" in modules(ROOT)
    assert rule(ROOT) == []


# The rules themselves


@pytest.fixture
def tree(tmp_path):
    """Writes modules given as {dotted name: source}, with the packages above them."""

    def write(sources):
        for name, source in sources.items():
            file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
            for folder in file.relative_to(tmp_path).parents[:-1]:
                (tmp_path / folder / "__init__.py").touch()
        return tmp_path

    return write


@pytest.mark.parametrize("rule", RULES)
def test_a_good_tree_breaks_no_rule(tree, rule):
    root = tree(
        {
            "tfpipe.__init__": "from tfpipe.verbs import run",
            "tfpipe.errors": "class TfpipeError(Exception): ...",
            "tfpipe.data.__init__": "from tfpipe.data.sources import TFDS",
            "tfpipe.data.sources": "from ..errors import TfpipeError\ndef f(): import tensorflow",
            "tfpipe.training.fit": "import keras\nfrom tfpipe.data import TFDS",
            "tfpipe.verbs": "def run(): from tfpipe.training import fit",
            "tfpipe.cli.main": "import click\nfrom tfpipe import verbs",
            "callbacks.confusion_matrix": "import keras",
            "pipelines.mnist": "import tfpipe",
        }
    )
    assert rule(root) == []


def test_a_circle_is_found(tree):
    root = tree(
        {
            "tfpipe.data.a": "from . import b",
            "tfpipe.data.b": "import tfpipe.data.c",
            "tfpipe.data.c": "from tfpipe.data.a import name",
        }
    )
    [message] = circles(root)
    names = message.removeprefix("import circle: ").split(" -> ")
    assert set(itertools.pairwise(names)) == {
        ("tfpipe.data.a", "tfpipe.data.b"),
        ("tfpipe.data.b", "tfpipe.data.c"),
        ("tfpipe.data.c", "tfpipe.data.a"),
    }


def test_a_circle_through_the_package_itself_is_found(tree):
    root = tree(
        {
            "tfpipe.data.__init__": "from tfpipe.data.sources import TFDS",
            "tfpipe.data.sources": "from tfpipe.data import Source",
        }
    )
    assert len(circles(root)) == 1


@pytest.mark.parametrize(
    "back",
    [
        "def f():\n  import tfpipe.data.a",
        "if TYPE_CHECKING:\n  from tfpipe.data.a import A",
        "command = ['-m', 'tfpipe.data.a']",
    ],
)
def test_a_circle_is_found_however_it_is_closed(tree, back):
    root = tree({"tfpipe.data.a": "import tfpipe.data.b", "tfpipe.data.b": back})
    assert len(circles(root)) == 1


def test_the_name_of_a_logger_is_no_import(tree):
    root = tree({"tfpipe.cli.main": "", "tfpipe.errors": "logging.getLogger('tfpipe.cli.main')"})
    assert upward_imports(root) == []


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("tfpipe.errors", "import tfpipe.cli.main"),
        ("tfpipe.declare.part", "from tfpipe import data"),
        ("tfpipe.declare.part", "from ..data import sources"),
        ("tfpipe.data.sources", "from tfpipe.models import MLP"),
        ("tfpipe.models.mlp", "from tfpipe.data import TFDS"),
        ("tfpipe.serving.server", "from tfpipe.training.fit import fit"),
        ("tfpipe.serving.server", "import tfpipe.evaluation"),
        ("tfpipe.serving.server", "import tfpipe.tuning"),
        ("tfpipe.verbs", "def run():\n    import tfpipe.cli.main"),
        ("tfpipe.data.sources", "MODULE = 'tfpipe.cli.main'"),
        ("tfpipe.data.sources", "if TYPE_CHECKING:\n    import tfpipe.cli.main"),
        ("tfpipe.cli.main", "from tfpipe import Pipeline"),
    ],
)
def test_an_import_against_the_order_is_found(tree, importer, statement):
    root = tree({"tfpipe.data.sources": "", "tfpipe.cli.main": "", importer: statement})
    [message] = upward_imports(root)
    assert message.startswith(f"{importer}:")


def test_what_only_a_type_checker_sees_is_never_heavy(tree):
    source = """
from typing import TYPE_CHECKING
import typing
if TYPE_CHECKING:
    import tensorflow as tf
if typing.TYPE_CHECKING:
    import keras
"""
    root = tree({"tfpipe.declare.part": source})
    assert [rule(root) for rule in RULES] == [[]] * len(RULES)


def test_the_other_branch_of_type_checking_is_not_exempt(tree):
    source = "if TYPE_CHECKING:\n    import keras\nelse:\n    import tensorflow"
    [message] = heavy_imports(tree({"tfpipe.declare.part": source}))
    assert "imports tensorflow" in message


@pytest.mark.parametrize("name", LIGHT_LAYERS)
@pytest.mark.parametrize("heavy", sorted(HEAVY))
def test_a_heavy_import_in_a_light_layer_is_found(tree, name, heavy):
    [message] = heavy_imports(tree({f"tfpipe.{name}.part": f"from {heavy}.utils import x"}))
    assert f"imports {heavy}.utils when it is loaded" in message
    assert f"{name} is light" in message


@pytest.mark.parametrize("entry", LIGHT_ENTRIES)
def test_a_heavy_import_behind_an_entry_point_is_found(tree, entry):
    # The entry loads tuning.tuner, which loads tuning/__init__, which loads Keras.
    package = entry if entry.count(".") == 2 or entry.endswith("__") else f"{entry}.__init__"
    root = tree(
        {
            package: "from tfpipe.tuning.tuner import x",
            "tfpipe.tuning.__init__": "try:\n    import keras\nexcept ImportError:\n    pass",
            "tfpipe.tuning.tuner": "",
        }
    )
    [message] = heavy_imports(root)
    assert message.endswith(f"{entry} -> tfpipe.tuning.tuner -> tfpipe.tuning")


def test_a_heavy_import_that_no_entry_point_reaches_is_fine(tree):
    root = tree(
        {"tfpipe.verbs": "def run():\n  import tfpipe.training", "tfpipe.training": "import keras"}
    )
    assert heavy_imports(root) == []


def test_a_module_in_no_layer_is_found(tree):
    root = tree({"tfpipe.utils": "", "tfpipe.helpers.text": "", "tfpipe.data.sources": ""})
    assert unknown_layers(root) == [
        "tfpipe/helpers is in no layer; add it to LAYERS",
        "tfpipe/utils is in no layer; add it to LAYERS",
    ]


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("callbacks.plots", "from tfpipe.training import Callback"),
        ("callbacks.plots", "def f():\n    import tfpipe"),
        ("tfpipe.verbs", "import pipelines.mnist"),
        ("tfpipe.cli.main", "def f():\n    from callbacks import plots"),
    ],
)
def test_an_import_across_the_packages_is_found(tree, importer, statement):
    root = tree({"tfpipe.errors": "", importer: statement})
    [message] = outside_imports(root)
    assert message.startswith(f"{importer}:")


def test_a_crowded_folder_is_found(tree):
    names = [f"tfpipe.data.m{number}" for number in range(LARGEST_FOLDER)]
    assert crowded_folders(tree(dict.fromkeys(names, ""))) == []
    [message] = crowded_folders(tree({"tfpipe.data.more": ""}))
    assert message == "tfpipe/data/ holds 17 modules, more than 16: split it"


def test_two_public_classes_of_one_name_are_found(tree):
    root = tree(
        {
            "tfpipe.data.a": "class Table: ...\nclass _Row: ...",
            "tfpipe.models.b": "class Table: ...\nclass _Row: ...\nclass Model:\n  class Part: ...",
            "tfpipe.models.c": "class Part: ...",
        }
    )
    assert namesakes(root) == [
        "Table is a class in tfpipe.data.a and in tfpipe.models.b: rename all but one"
    ]
