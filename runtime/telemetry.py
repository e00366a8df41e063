"""The Temporal SDK's runtime: its metrics, and the lines of its Rust core in our log."""

import logging

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from runtime.http_server import AddressUnavailable

CORE_LOGGER = "temporalio.core"
RETRY_TARGET = "temporalio_client::retry"
"""Reports each attempt to reach Temporal, many a second. Readiness says once that Temporal is away."""


def create_runtime(metrics_address: str) -> Runtime:
    """One for each process. ``metrics_address`` is empty when metrics are off. Raises AddressUnavailable.

    By itself the core would write its lines to standard error in a form of its own, whatever LOG_FORMAT says.
    """
    logger = logging.getLogger(CORE_LOGGER)
    if _filter_core_line not in logger.filters:
        logger.addFilter(_filter_core_line)
    forwarding = LogForwardingConfig(logger=logger, append_target_to_name=False, prepend_target_on_message=False)
    filter = TelemetryFilter(core_level="WARN", other_level="ERROR")
    metrics = (
        PrometheusConfig(
            bind_address=metrics_address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        )
        if metrics_address
        else None
    )
    try:
        return Runtime(
            telemetry=TelemetryConfig(logging=LoggingConfig(filter=filter, forwarding=forwarding), metrics=metrics)
        )
    except ValueError as error:
        raise AddressUnavailable(f"METRICS_ADDRESS: cannot listen on {metrics_address}: {error}") from None


def _filter_core_line(record: logging.LogRecord) -> bool:
    """A filter of the logging library: false leaves the line out."""
    core_line = getattr(record, "temporal_log", None)
    is_retry = core_line is not None and core_line.target == RETRY_TARGET
    # An object of the SDK, which the renderer would show as a field.
    record.__dict__.pop("temporal_log", None)
    return not is_retry or logging.getLogger().isEnabledFor(logging.DEBUG)
