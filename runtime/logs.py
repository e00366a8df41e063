"""Logs as JSON or for a console, on standard error. Libraries that would log people or keys are silenced."""

import logging
import sys

import structlog
from temporalio import activity, workflow

from runtime.exception_text import ExceptionTextFilter, hide_exception_text, log_unhandled_exceptions

SILENCED_LOGGERS = (
    *("python_http_client.client", "aiohttp.client", "httpx", "httpcore"),
    *("uvicorn.access", "sqlalchemy.engine", "alembic", "temporalio.activity"),
)


def configure_logging(style: str, level: str) -> None:
    """``style``: ``json`` or ``console``, as LOG_FORMAT. Replaces the handlers of the root logger."""
    shared_processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared_processors, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(ExceptionTextFilter())
    final_processors: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        hide_exception_text,
        renderer,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=final_processors, foreign_pre_chain=shared_processors)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in SILENCED_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    log_unhandled_exceptions()
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def log_through_host() -> None:
    """Send our lines to the host's ``logging``, unless the host has set up structlog itself.

    For a library: structlog's own default prints every line on standard output.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
