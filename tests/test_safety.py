"""Nothing in the package unpickles, evaluates or shells out: weights and results are plain data."""

import ast

import pytest

from cptlab.lab.workspace import CHECKOUT

FILES = sorted((CHECKOUT / "cptlab").rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "allow_pickle"}


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def faults(source: str) -> list[str]:
    """What a source does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            found += sorted(FORBIDDEN_MODULES & {module.split(".")[0] for module in modules})
        if not isinstance(node, ast.Call):
            continue
        name, keywords = name_of(node), {k.arg: ast.unparse(k.value) for k in node.keywords}
        method_call = isinstance(node.func, ast.Attribute)
        if name in FORBIDDEN_CALLS and not (name in ("eval", "compile") and method_call):
            found.append(name)  # model.eval() and re.compile() are other things
        owner = ast.unparse(node.func.value) if method_call else ""
        if owner == "torch" and name == "load" and keywords.get("weights_only") != "True":
            found.append("torch.load without weights_only")
        if keywords.get("shell") == "True" or keywords.get("allow_pickle") == "True":
            found.append("shell or pickles allowed")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_the_source_is_harmless(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(x, shell=True)",
        "np.load(path, allow_pickle=True)",
        "os.system('ls')",
    ],
)
def test_the_check_finds_faults(source):
    assert faults(source) != []
