"""Builds the wheel: everything a web backend needs, under the one name ``holdfast``.

In the repository our packages are at the top level. In a host's environment names such as ``client`` and ``settings``
would collide, so the wheel has them as ``holdfast.client``, ``holdfast.settings`` and so on. The build copies them and
puts ``holdfast.`` in front of what they import from each other. Hatchling runs this hook (see ``pyproject.toml``).
"""

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "holdfast"
PACKAGES = ("activities", "adapters", "client", "domain", "runtime", "workflows")
MODULES = ("settings",)
"""What ``client`` needs. Our programs (worker, web, command line, demo, sandbox) run from the repository."""
PUBLIC_PACKAGE = "client"
"""``holdfast`` itself exports what this package exports."""
OUR_NAMES = frozenset((*PACKAGES, *MODULES))
MODULE_PATH = re.compile(rf"({'|'.join(sorted(OUR_NAMES))})(\.[a-z_]+)+")


class CannotPackage(Exception):
    """A module has an import or a text that would be wrong under another name."""


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp())
        build_package(Path(self.root), self._folder / NAME)
        build_data["force_include"][str(self._folder / NAME)] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._folder)


def build_package(root: Path, target: Path) -> None:
    """Write the package ``holdfast`` from the sources at ``root``. Raises CannotPackage."""
    for source in _source_files(root):
        destination = target / source.relative_to(root)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".py":
            destination.write_text(rename_imports(source.read_text(encoding="utf-8"), str(source)), encoding="utf-8")
        else:
            shutil.copyfile(source, destination)
    shutil.copyfile(target / PUBLIC_PACKAGE / "__init__.py", target / "__init__.py")
    (target / "py.typed").touch()


def _source_files(root: Path) -> Iterator[Path]:
    yield from (root / f"{module}.py" for module in MODULES)
    for package in PACKAGES:
        yield from (
            path for path in sorted((root / package).rglob("*")) if path.is_file() and "__pycache__" not in path.parts
        )


def rename_imports(source: str, file_name: str) -> str:
    """The source with ``holdfast.`` in front of every module of ours that it imports. Raises CannotPackage."""
    lines = source.splitlines(keepends=True)
    # From the bottom up, so that a change does not move what is still to be changed.
    for node in sorted(_import_nodes(source, file_name), key=lambda node: node.lineno, reverse=True):
        line = lines[node.lineno - 1].encode()
        begin, rest = line[: node.col_offset], line[node.col_offset :]
        if isinstance(node, ast.ImportFrom):
            changed = rest.replace(b"from ", f"from {NAME}.".encode(), 1)
        else:
            changed = rest.replace(b"import ", f"from {NAME} import ".encode(), 1)
        lines[node.lineno - 1] = (begin + changed).decode()
    return "".join(lines)


def _import_nodes(source: str, file_name: str) -> Iterator[ast.Import | ast.ImportFrom]:
    """The statements that import modules of ours. Raises CannotPackage for what cannot be renamed."""
    for node in ast.walk(ast.parse(source, file_name)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_ours(node.module or ""):
            yield node
        elif isinstance(node, ast.Import) and any(_is_ours(alias.name) for alias in node.names):
            if not all(alias.name in OUR_NAMES for alias in node.names):
                raise CannotPackage(f"{file_name}:{node.lineno}: write this import as 'from ... import ...'")
            yield node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_PATH.fullmatch(node.value):
            raise CannotPackage(f"{file_name}:{node.lineno}: a text that names a module; use the module's __name__")


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in OUR_NAMES
