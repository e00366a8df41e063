"""One object that configures client, worker and replayer alike, so that they cannot drift apart."""

import dataclasses

import email_validator  # noqa: F401  pydantic loads it late, which the workflow sandbox would warn about
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from runtime.codec import EncryptionCodec, Keyring
from runtime.converter import data_converter
from runtime.interceptors import HoldfastInterceptor

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
        interceptors=[HoldfastInterceptor()],
        workflow_runner=_sandboxed,
    )


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    """The SDK's sandbox, with what is known to be pure passed through instead of loaded anew for each run."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner or SandboxedWorkflowRunner()
    restrictions = runner.restrictions.with_passthrough_modules(*PASSED_THROUGH)
    return dataclasses.replace(runner, restrictions=restrictions)
