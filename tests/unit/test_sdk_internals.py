"""The parts of the Temporal SDK that we replace or rely on, although the SDK does not promise to keep them.

They were verified with one minor version, and pyproject.toml allows no other. Before you allow another one:

1. Read the new version's source of everything that is named in this file, and run these tests.
2. Run ``tests/workflow`` completely. Its tests of queries that wait for a worker prove the query guard.
3. Run ``make replay`` and ``make faults``.
4. Then set VERIFIED_MINOR below and the range in pyproject.toml, and run ``make lock``.
"""

import ast
import importlib.metadata
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import temporalio.worker
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DefaultPayloadConverter, JSONPlainPayloadConverter, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from devstack import ROOT
from runtime.query_guard import READ_ONLY_JOBS, RETRY_MESSAGE, QueryGuard

VERIFIED_MINOR = "1.35"
FILES_WITH_INTERNALS = {"runtime/plugin.py", "runtime/query_guard.py", "runtime/converter.py"}
"""Every file that uses something from ``temporalio.bridge``, replaces a method or reads an undocumented attribute."""


def test_installed_sdk_is_the_verified_minor_version() -> None:
    installed = importlib.metadata.version("temporalio")
    assert installed.startswith(f"{VERIFIED_MINOR}."), (
        f"temporalio {installed} is installed, but runtime/plugin.py, runtime/query_guard.py and runtime/converter.py "
        f"were verified with {VERIFIED_MINOR} only. The docstring of {Path(__file__).name} says what to verify."
    )


def test_pyproject_allows_the_verified_minor_version_only() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    major, minor = VERIFIED_MINOR.split(".")
    assert f"temporalio[pydantic]>={VERIFIED_MINOR},<{major}.{int(minor) + 1}" in dependencies


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-demo.lock", "requirements-dev.lock"])
def test_locked_sdk_is_the_verified_minor_version(lock: str) -> None:
    match = re.search(r"^temporalio==(\d+\.\d+)\.", (ROOT / lock).read_text(), re.MULTILINE)
    assert match is not None
    assert match[1] == VERIFIED_MINOR


@pytest.mark.parametrize("name", ["get_serialization_context", "get_external_store_context"])
def test_replaced_methods_exist_and_take_one_argument(name: str) -> None:
    method = getattr(WorkflowInstance, name)
    assert list(inspect.signature(method).parameters) == ["self", "command_info"]


def test_activate_exists_and_takes_the_activation() -> None:
    assert list(inspect.signature(WorkflowInstance.activate).parameters) == ["self", "act"]


def test_sandboxed_runner_creates_instances_that_accept_replaced_methods() -> None:
    assert list(inspect.signature(SandboxedWorkflowRunner.create_instance).parameters) == ["self", "det"]
    assert list(inspect.signature(SandboxedWorkflowRunner.__init__).parameters) == [
        "self",
        "restrictions",
        "runner_class",
    ]
    instance_class = temporalio.worker.workflow_sandbox._runner._Instance
    assert instance_class.__dictoffset__ != 0, "an instance has no __dict__, so its methods cannot be replaced"


def test_store_context_may_be_empty() -> None:
    assert StorageDriverStoreContext(target=None).target is None


def test_default_payload_converters_have_exactly_one_for_json() -> None:
    converters = DefaultPayloadConverter.default_encoding_payload_converters
    assert sum(isinstance(converter, JSONPlainPayloadConverter) for converter in converters) == 1


def test_job_names_of_the_query_guard_are_the_bridges() -> None:
    variants = {field.name for field in WorkflowActivationJob.DESCRIPTOR.oneofs_by_name["variant"].fields}
    assert variants >= READ_ONLY_JOBS


def activation(
    *, seconds: int, history_length: int, job: str = "resolve_activity", is_replaying: bool = False
) -> WorkflowActivation:
    act = WorkflowActivation(run_id="r", history_length=history_length, is_replaying=is_replaying)
    act.timestamp.FromSeconds(seconds)
    getattr(act.jobs.add(), job).SetInParent()
    return act


class Instance:
    """Counts what the guard lets through."""

    def __init__(self) -> None:
        self.activations = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self.activations += 1
        return WorkflowActivationCompletion(run_id=act.run_id)


def test_guard_refuses_new_events_at_the_time_of_the_last_task_and_nothing_else() -> None:
    instance = Instance()
    guard = QueryGuard(instance.activate)
    allowed = [
        activation(seconds=1, history_length=3),
        activation(seconds=1, history_length=3, job="query_workflow"),
        activation(seconds=2, history_length=7),
        activation(seconds=2, history_length=9, is_replaying=True),
        activation(seconds=2, history_length=9, job="remove_from_cache"),
    ]
    for act in allowed:
        assert not guard(act).HasField("failed")
    assert instance.activations == len(allowed)
    refused = guard(activation(seconds=2, history_length=10))
    assert RETRY_MESSAGE in refused.failed.failure.message
    assert instance.activations == len(allowed)


def our_source_files() -> Iterator[Path]:
    for directory in ("activities", "adapters", "cli", "client", "devstack", "domain", "runtime", "web", "workflows"):
        yield from (ROOT / directory).rglob("*.py")
    yield from ROOT.glob("*.py")


def test_no_other_file_uses_internals_of_the_sdk() -> None:
    """Imports of ``temporalio.bridge`` or of underscored modules, and ``setattr`` on objects."""
    files = set()
    for path in our_source_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = []
            is_internal = any(re.match(r"temporalio\.(bridge\b|(\w+\.)*_)", name) for name in names)
            replaces = isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr"
            reads = isinstance(node, ast.Attribute) and node.attr == "default_encoding_payload_converters"
            if is_internal or replaces or reads:
                files.add(str(path.relative_to(ROOT)))
    assert files == FILES_WITH_INTERNALS
