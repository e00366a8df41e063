"""The wheel as a web backend gets it: built, installed into a new environment, and run against a real stack."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from client import DeskClient
from devstack import ROOT, DevStack
from domain.booking import Status
from tests.support.sandbox import SandboxControl

BUILD_OPTIONS = ("--no-build-isolation", "--no-deps", "--disable-pip-version-check", "--quiet")
OURS = ("activities", "adapters", "client", "domain", "runtime", "settings", "workflows", "cli", "web", "sandbox")


def run(*command: str | Path, cwd: Path, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=100
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel. What the wheel depends on comes from this environment, by a .pth file."""
    folder = tmp_path_factory.mktemp("host")
    run(sys.executable, "-m", "pip", "wheel", *BUILD_OPTIONS, ROOT, "-w", folder, cwd=folder)
    (wheel,) = folder.glob("holdfast-*.whl")
    venv.create(folder / "venv", with_pip=False)
    packages = folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    run(sys.executable, "-m", "pip", "install", *BUILD_OPTIONS[1:], "--target", packages, wheel, cwd=folder)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def python(host: Path, code: str, environment: dict[str, str] | None = None) -> str:
    return run(host / "venv" / "bin" / "python", "-c", code, cwd=host, environment=environment)


def test_wheel_adds_one_typed_package_without_sandbox_tests_or_demo(host: Path) -> None:
    packages = next((host / "venv" / "lib").glob("python*/site-packages"))
    added = {path.name for path in packages.iterdir() if path.name != "dependencies.pth"}
    assert {name for name in added if not name.endswith(".dist-info")} == {"holdfast"}
    assert (packages / "holdfast" / "py.typed").exists()
    assert {path.name for path in (packages / "holdfast").iterdir() if path.is_dir()} - {"__pycache__"} == {
        *("activities", "adapters", "client", "domain", "runtime", "workflows")
    }


def test_importing_the_package_imports_no_other_name_of_ours(host: Path) -> None:
    code = f"import holdfast, json, sys; print(json.dumps([n for n in {OURS!r} if n in sys.modules]))"
    assert json.loads(python(host, code)) == []


def test_every_module_of_the_package_can_be_imported(host: Path) -> None:
    code = (
        "import holdfast, importlib, pkgutil\n"
        "names = [m.name for m in pkgutil.walk_packages(holdfast.__path__, 'holdfast.')]\n"
        "[importlib.import_module(n) for n in names if '.migrations.' not in n]\n"
        "print(len(names))"
    )
    assert int(python(host, code)) > 100


async def test_ten_lines_of_the_readme_end_with_a_held_booking(
    host: Path, stack: DevStack, bookings: DeskClient, control: SandboxControl
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    request_id = os.urandom(8).hex()
    example = example.replace('"0b1f7c"', f'"{request_id}"')
    output = python(host, example, stack.environment)
    assert output == "held This time is held for you. It is not final until we confirm it.\n"
    assert f"this prints `{output.strip()}`" in (ROOT / "README.md").read_text()
    assert (await bookings.show(request_id)).status is Status.HELD


def test_opening_a_session_leaves_the_hosts_logging_alone(host: Path, stack: DevStack) -> None:
    code = (
        "import asyncio, logging, holdfast\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "root = logging.getLogger()\n"
        "def state(): return root.level, root.handlers, {n: l.level for n, l in root.manager.loggerDict.items()\n"
        "    if isinstance(l, logging.Logger)}\n"
        "before = state()\n"
        "async def main():\n"
        "    async with holdfast.open_session(): pass\n"
        "asyncio.run(main())\n"
        "after = state()\n"
        "assert after[:2] == before[:2]\n"
        "assert {n: after[2][n] for n in before[2]} == before[2]\n"
    )
    python(host, code, stack.environment)
