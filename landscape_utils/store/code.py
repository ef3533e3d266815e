"""A fingerprint of the code that computes: it changes with what the code does, not with what is said about it."""

import ast
import functools
import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# Read as the program starts: what computes is the code of that moment, whatever an editor saves meanwhile.
_SOURCES = {
    ".".join(path.relative_to(_PACKAGE).with_suffix("").parts): path.read_bytes()
    for path in _PACKAGE.rglob("*.py")
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def code_of(*parts: str, without: tuple[str, ...] = ()) -> str:
    """16 hexadecimal digits of the SHA-256 of the syntax trees, without docstrings, of parts of the package.

    A part is "engine", all modules of a sub-package, or one, "training.finetune"; `without` leaves some of them out.
    Raises `ValueError` for another.
    """
    left_out = {name for part in without for name in _modules(part)}
    names = [name for part in sorted(parts) for name in _modules(part) if name not in left_out]
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n{_meaning(_SOURCES[name])}\n".encode())
    return digest.hexdigest()[:16]


def _modules(part: str) -> list[str]:
    modules = [name for name in sorted(_SOURCES) if name == part or name.startswith(f"{part}.")]
    if not modules:
        raise ValueError(f"landscape_utils has no part {part!r}")
    return modules


def _meaning(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        for field, value in list(ast.iter_fields(node)):
            if value is None or value == []:  # other versions of Python have other fields that are empty
                delattr(node, field)
    return ast.dump(tree)
