"""One object that configures client, worker and replayer alike, so that they cannot drift apart."""

import email_validator  # noqa: F401  pydantic loads it late, which the workflow sandbox would warn about
from temporalio.converter import StorageDriverStoreContext
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from runtime.codec import EncryptionCodec, Keyring
from runtime.converter import data_converter
from runtime.interceptors import HoldfastInterceptor
from runtime.query_guard import AskingAgain, Unmoved

PASSED_THROUGH = (
    "domain",
    "adapters",
    "activities",
    "structlog",
    "phonenumbers",
    "rapidfuzz",
    "nameparser",
    "email_validator",
    "dns",
    "idna",
)


def holdfast_plugin(keyring: Keyring, namespace: str, *, require_encrypted: bool = False) -> SimplePlugin:
    codec = EncryptionCodec(keyring, namespace, require_encrypted=require_encrypted)
    return SimplePlugin(
        "holdfast",
        data_converter=data_converter(codec),
        interceptors=[HoldfastInterceptor(), AskingAgain()],
        workflow_runner=_sandboxed,
    )


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    """The SDK's sandbox, with what is known to be pure passed through instead of loaded anew for each run."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner()
    restrictions = runner.restrictions.with_passthrough_modules(*PASSED_THROUGH)
    return _Runner(restrictions=restrictions, runner_class=runner.runner_class)


class _Runner(SandboxedWorkflowRunner):
    """Queries move nothing, and payloads have no context.

    Our converter and codec do not ask which activity a payload belongs to, and nothing is stored elsewhere. The SDK
    would enter the sandbox for every payload to find out, which took a tenth of a worker's time.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        setattr(instance, "get_serialization_context", lambda command_info: None)  # noqa: B010
        nowhere = StorageDriverStoreContext(target=None)
        setattr(instance, "get_external_store_context", lambda command_info: nowhere)  # noqa: B010
        setattr(instance, "activate", Unmoved(instance.activate))  # noqa: B010
        return instance
