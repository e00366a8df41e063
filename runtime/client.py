"""The connection to Temporal."""

from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from runtime.plugin import holdfast_plugin
from settings import Settings

_KINDS = {
    SearchAttributeIndexedValueType.KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    SearchAttributeIndexedValueType.DATETIME: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


async def connect(settings: Settings, *, runtime: Runtime | None = None) -> Client:
    """A client of ours by the SDK's own environment variables.

    Raises ConnectionError naming the address or the namespace.
    """
    namespace = settings.temporal_namespace
    plugin = holdfast_plugin(settings.payload_keyring, namespace, require_encrypted=settings.is_production)
    config = settings.temporal
    config.setdefault("target_host", "127.0.0.1:7233")
    config["namespace"] = namespace
    try:
        client = await Client.connect(**config, plugins=[plugin], runtime=runtime)
    except RuntimeError as failure:
        raise ConnectionError(f"Temporal does not answer at {config['target_host']}; set TEMPORAL_ADDRESS") from failure
    except ValueError as failure:
        raise ConnectionError(f"TEMPORAL_*: Temporal cannot be reached with them: {failure}") from failure
    await _find_namespace(client)
    return client


async def ensure_search_attributes(client: Client, keys: Sequence[SearchAttributeKey[Any]]) -> None:
    """Register what is missing. Raises ConnectionError with the command to run where that is not permitted."""
    operator = client.operator_service
    try:
        known = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
        missing = {key.name: _KINDS[key.indexed_value_type] for key in keys if key.name not in known.custom_attributes}
        if missing:
            await operator.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
    except RPCError as refusal:
        names = " ".join(key.name for key in keys)
        raise ConnectionError(
            f"search attributes can't be registered ({refusal.status.name}); create them by hand: {names}"
        ) from refusal


async def _find_namespace(client: Client) -> None:
    """To connect, the SDK needs none; whatever is then asked would fail for the lack of it."""
    name = client.namespace
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as refusal:
        told = f"Temporal does not tell of namespace {name} ({refusal.status.name}); see TEMPORAL_*"
        if refusal.status is RPCStatusCode.NOT_FOUND:
            told = f"Temporal has no namespace {name}; set TEMPORAL_NAMESPACE, or create it"
        raise ConnectionError(told) from refusal
