"""Documentation of the public names: form, completeness and examples."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ddsp"

Definition = ast.FunctionDef | ast.ClassDef

# Commands define flags when they are imported, so their examples cannot run together.
WITHOUT_EXAMPLES = re.compile(r"ddsp\.commands|.*\.ddsp_\w+$")

# Called by Keras and defined there.
KERAS_METHODS = {"build", "call", "compute_output_shape", "from_config", "get_config"}

# Modules whose documentation is incomplete. This list only becomes shorter.
NOT_YET: tuple[str, ...] = (
    "ddsp",
    "ddsp.files",
    "ddsp.playing.adjustment",
    "ddsp.playing.bundle.arrays",
    "ddsp.playing.bundle.bundle_loading",
    "ddsp.playing.bundle.bundle_manifest",
    "ddsp.playing.bundle.card",
    "ddsp.playing.bundle.contents",
    "ddsp.playing.bundle.vector",
    "ddsp.playing.bundle.writing",
    "ddsp.playing.export",
    "ddsp.playing.export.browser",
    "ddsp.playing.export.comparison",
    "ddsp.playing.export.exporting",
    "ddsp.playing.export.onnx_file",
    "ddsp.playing.export.plugin",
    "ddsp.playing.export.runtime",
    "ddsp.playing.export.saved_model",
    "ddsp.playing.export.stream_calls",
    "ddsp.playing.export.tflite",
    "ddsp.playing.export.vst_format",
    "ddsp.playing.export.web",
    "ddsp.playing.live_audio",
    "ddsp.playing.trained_model",
    "ddsp.playing.transfer_report",
    "ddsp.playing.voice",
    "ddsp.playing.vst_controls",
    "ddsp.playing.vst_synthesis",
    "ddsp.recordings.analysis_settings",
    "ddsp.recordings.audio_files",
    "ddsp.recordings.features",
    "ddsp.recordings.levels",
    "ddsp.recordings.pitch_range",
    "ddsp.recordings.quality",
    "ddsp.training.data_preparation.beam_runner",
    "ddsp.training.data_preparation.example_plan",
    "ddsp.training.data_preparation.examples",
    "ddsp.training.data_preparation.generate_synthetic_lib",
    "ddsp.training.data_preparation.local_runner",
    "ddsp.training.data_preparation.prepare_tfrecord_lib",
    "ddsp.training.data_preparation.synthetic_data",
    "ddsp.training.data_preparation.workers",
    "ddsp.training.data_preparation.writer",
    "ddsp.training.models.building",
    "ddsp.training.models.loading",
    "ddsp.training.models.older_configs",
)

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example", "Examples")


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _public_modules() -> dict[str, ast.Module]:
    return {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "._" not in (name := _module_name(path))
    }


def _public_definitions() -> Iterator[tuple[str, Definition]]:
    """Yields public functions and classes, with those re-exported from `_` modules."""
    for module, tree in _public_modules().items():
        for node in tree.body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                yield f"{module}.{node.name}", node
            elif isinstance(node, ast.ImportFrom) and "._" in (node.module or ""):
                path = ROOT / (node.module.replace(".", "/") + ".py")
                if path.is_file():
                    names = {alias.name for alias in node.names} & _exported(tree)
                    for found in ast.parse(path.read_text(encoding="utf-8")).body:
                        if isinstance(found, Definition) and found.name in names:
                            yield f"{node.module}.{found.name}", found


def _exported(tree: ast.Module) -> set[str]:
    """Returns `__all__`; without it, the imports of a module that defines nothing."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    if any(isinstance(node, Definition) for node in tree.body):
        return set()
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports for alias in node.names}


DEFINITIONS = dict(_public_definitions())
METHODS = {
    f"{name}.{method.name}": method
    for name, node in DEFINITIONS.items()
    if isinstance(node, ast.ClassDef)
    for method in node.body
    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
}


def _sections(docstring: str) -> dict[str, str]:
    """Splits a Google docstring at its headings."""
    parts = re.split(rf"^({'|'.join(SECTIONS)}):$", docstring, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _entries(section: str) -> list[str]:
    """First lines of the entries of a section: those with the smallest indentation."""
    lines = [line for line in section.splitlines() if line.startswith(" ")]
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return [line.strip() for line in lines if re.match(rf" {{{indent}}}\S", line)]


def _parameters(function: ast.FunctionDef) -> list[str]:
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    names = [a.arg for a in named if a.arg not in ("self", "cls")]
    names += [f"*{args.vararg.arg}"] if args.vararg else []
    names += [f"**{args.kwarg.arg}"] if args.kwarg else []
    return [name for name in names if not re.match(r"\**_|\**unused", name)]


def _undocumented(function: ast.FunctionDef, docstring: str) -> list[str]:
    section = _sections(docstring).get("Args", "")
    documented = {
        name.strip().lstrip("*")
        for entry in _entries(section)
        for name in entry.split(":")[0].split("(")[0].split(",")
    }
    return [n for n in _parameters(function) if n.lstrip("*") not in documented]


def _constructor(node: ast.ClassDef) -> ast.FunctionDef | None:
    found = [f for f in node.body if isinstance(f, ast.FunctionDef)]
    return next((f for f in found if f.name == "__init__"), None)


def _report(misses: list[str], total: int) -> None:
    misses = sorted(miss for miss in misses if not _is_exempt(miss))
    assert not misses, f"{len(misses)} of {total}:\n" + "\n".join(misses)


def _is_exempt(miss: str) -> bool:
    name = miss.split(":")[0]
    while name and not _is_module(name):
        name = name.rpartition(".")[0]
    return name in NOT_YET


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_every_public_name_has_a_docstring():
    modules = [
        n for n, tree in _public_modules().items() if not ast.get_docstring(tree)
    ]
    named = DEFINITIONS | METHODS
    missing = [
        name
        for name, node in named.items()
        if not ast.get_docstring(node)
        and name.split(".")[-1] not in KERAS_METHODS
        and not any(ast.unparse(d).endswith(".setter") for d in node.decorator_list)
    ]
    _report(modules + missing, len(named))


def test_every_parameter_is_documented():
    misses = []
    for name, node in (DEFINITIONS | METHODS).items():
        docstring = ast.get_docstring(node) or ""
        function = node
        if isinstance(node, ast.ClassDef):
            function = _constructor(node)
            if function is None:
                continue
            inside = ast.get_docstring(function) or ""
            docstring = inside if "Args" in _sections(inside) else docstring
        # One sentence says what a method takes, unless it lists arguments.
        if name in METHODS and "Args" not in _sections(docstring):
            continue
        if lacking := _undocumented(function, docstring):
            misses.append(f"{name}: {', '.join(lacking)}")
    _report(misses, len(DEFINITIONS) + len(METHODS))


def _every_docstring() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Definition) and (docstring := ast.get_docstring(node)):
                yield f"{_module_name(path)}.{node.name}", docstring


def test_raises_sections_say_when():
    misses = [
        f"{name}: {entry}"
        for name, docstring in _every_docstring()
        for entry in _entries(_sections(docstring).get("Raises", ""))
        if not re.match(r"[\w., ]+: If ", entry)
    ]
    _report(misses, len(dict(_every_docstring())))


def _needs_example(name: str, node: Definition) -> bool:
    if any(WITHOUT_EXAMPLES.match(n) for n in (name, name.rpartition(".")[0])):
        return False
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return not any(ast.unparse(base).endswith("Protocol") for base in bases)


def test_every_function_and_class_has_an_example():
    needed = {n: node for n, node in DEFINITIONS.items() if _needs_example(n, node)}
    misses = [n for n, x in needed.items() if ">>>" not in (ast.get_docstring(x) or "")]
    _report(misses, len(needed))


def test_messages_end_with_what_they_got():
    misses = [
        f"{_module_name(path)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"Received:|[;,] received", line)
    ]
    _report(misses, len(misses))
