"""Connecting to Temporal."""

from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from runtime.keys import payload_keyring
from runtime.plugin import holdfast_plugin
from settings import DEFAULT_TEMPORAL_ADDRESS, Settings

_API_TYPES = {
    SearchAttributeIndexedValueType.KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    SearchAttributeIndexedValueType.DATETIME: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


async def connect(settings: Settings, *, runtime: Runtime | None = None) -> Client:
    """A Temporal client with Holdfast's plugin, configured by TEMPORAL_*.

    Raises ConnectionError, which names the address or the namespace.
    """
    namespace = settings.temporal_namespace
    plugin = holdfast_plugin(
        payload_keyring(settings),
        namespace,
        require_encrypted=settings.is_production,
        accept_plain_decisions=settings.accepts_plain_decisions,
    )
    config = settings.temporal_config
    config.setdefault("target_host", DEFAULT_TEMPORAL_ADDRESS)
    config["namespace"] = namespace
    try:
        client = await Client.connect(**config, plugins=[plugin], runtime=runtime)
    except RuntimeError as error:
        raise ConnectionError(f"Temporal does not answer at {config['target_host']}; set TEMPORAL_ADDRESS") from error
    except ValueError as error:
        raise ConnectionError(f"TEMPORAL_*: cannot connect to Temporal with these settings: {error}") from error
    await _check_namespace(client)
    return client


async def ensure_search_attributes(client: Client, keys: Sequence[SearchAttributeKey[Any]]) -> None:
    """Register the search attributes that the namespace lacks.

    Raises ConnectionError, which names the attributes to create by hand, when registering is not permitted.
    """
    operator = client.operator_service
    try:
        registered = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
        missing = {
            key.name: _API_TYPES[key.indexed_value_type] for key in keys if key.name not in registered.custom_attributes
        }
        if missing:
            await operator.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
    except RPCError as error:
        names = " ".join(key.name for key in keys)
        raise ConnectionError(
            f"cannot register search attributes ({error.status.name}); create them by hand: {names}"
        ) from error


async def _check_namespace(client: Client) -> None:
    """Raises ConnectionError. The SDK connects without a namespace, and every later call would fail for its lack."""
    name = client.namespace
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            message = f"Temporal has no namespace {name}; set TEMPORAL_NAMESPACE, or create it"
        else:
            message = f"Temporal cannot describe namespace {name} ({error.status.name}); see TEMPORAL_*"
        raise ConnectionError(message) from error
