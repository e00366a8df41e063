"""The Temporal plugin: one object that configures client, worker and replayer, so that they cannot differ."""

import email_validator  # noqa: F401  pydantic imports it late, which the workflow sandbox would warn about
from temporalio.converter import StorageDriverStoreContext
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import activities
import adapters
import domain
from runtime.codec import MarkingCodec
from runtime.converter import data_converter
from runtime.interceptors import HoldfastInterceptor
from runtime.keys import Keyring
from runtime.query_guard import QueryGuard, QueryRetryInterceptor

PASSTHROUGH_MODULES = (
    domain.__name__,  # not a literal: in the wheel it is holdfast.domain
    adapters.__name__,
    activities.__name__,
    "structlog",
    "phonenumbers",
    "rapidfuzz",
    "email_validator",
    "dns",
    "idna",
)
"""Modules without side effects. The sandbox shares them between workflows instead of importing them for each."""


def holdfast_plugin(
    keyring: Keyring,
    namespace: str,
    *,
    require_encrypted: bool = False,
    accept_plain_decisions: bool | None = None,
) -> SimplePlugin:
    """``require_encrypted``: refuse payloads that are not encrypted, as production does.

    ``accept_plain_decisions``: accept the desk's decision as a signal in clear; by default where nothing has to be
    encrypted.
    """
    if accept_plain_decisions is None:
        accept_plain_decisions = not require_encrypted
    return SimplePlugin(
        "holdfast",
        data_converter=data_converter(MarkingCodec(keyring, namespace, require_encrypted=require_encrypted)),
        interceptors=[HoldfastInterceptor(accept_plain_decisions=accept_plain_decisions), QueryRetryInterceptor()],
        workflow_runner=_guarded_runner,
    )


def _guarded_runner(runner: WorkflowRunner | None) -> WorkflowRunner:
    """The SDK's sandboxed runner as ours; any other runner as it is."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner()
    restrictions = runner.restrictions.with_passthrough_modules(*PASSTHROUGH_MODULES)
    return _GuardedRunner(restrictions=restrictions, runner_class=runner.runner_class)


class _GuardedRunner(SandboxedWorkflowRunner):
    """Puts the query guard before each workflow, and answers two questions of the SDK outside the sandbox.

    For every payload the SDK asks for the serialization context and the external store. Our converter and codec use
    neither, but asking means entering the sandbox, which took a tenth of a worker's time.

    This replaces methods of an SDK object: see ``tests/unit/test_sdk_internals.py``.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        setattr(instance, "get_serialization_context", lambda command_info: None)  # noqa: B010
        no_external_store = StorageDriverStoreContext(target=None)
        setattr(instance, "get_external_store_context", lambda command_info: no_external_store)  # noqa: B010
        setattr(instance, "activate", QueryGuard(instance.activate))  # noqa: B010
        return instance
