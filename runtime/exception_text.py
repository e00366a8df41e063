"""Exceptions in logs: their type and place, never their text.

The text of an exception that nobody foresaw may quote anything: a patient's name, a vendor's answer, a key.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any

import structlog

ROOT = Path(__file__).parent.parent
MAX_FRAMES = 12
"""The innermost frames of a traceback that are logged."""
MAX_CAUSES = 5

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
log = structlog.get_logger("process")


def describe_exception(error: BaseException) -> str:
    """Type and place of an exception and of what caused it, the outermost first. One line each."""
    return "\n".join(_describe_one(each) for each in _with_causes(error))


def hide_exception_text(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor: replaces every exception in an event."""
    exc_info = event.pop("exc_info", None)
    error = _exception_of(sys.exc_info() if exc_info is True else exc_info)
    for key, value in event.items():
        if isinstance(value, BaseException):
            event[key] = type(value).__name__
    if error is not None:
        event["exception"] = describe_exception(error)
    return event


class ExceptionTextFilter(logging.Filter):
    """For what libraries log: their messages are put together before a processor sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_type_name_of(each) for each in record.args)
        if record.name == "asyncio" and record.levelno >= logging.ERROR:
            # asyncio writes the exception and the arguments of the callback into the message.
            record.msg, record.args = "unhandled_exception", ()
        record.exc_text = None
        return True


def log_unhandled_exceptions() -> None:
    """Log what ends a thread or the process, or what Python would only print, as every other exception."""

    def log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("unhandled_exception", exc_info=(kind, error, traceback))

    def log_of_thread(problem: threading.ExceptHookArgs) -> None:
        if problem.exc_value is not None:
            log.error("unhandled_exception", exc_info=problem.exc_value)

    def log_unraisable(problem: Any) -> None:
        if problem.exc_value is not None:
            log.error("unhandled_exception", exc_info=problem.exc_value)

    sys.excepthook = log_uncaught
    threading.excepthook = log_of_thread
    sys.unraisablehook = log_unraisable


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    return exc_info[1] if isinstance(exc_info, tuple) else None


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(MAX_CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe_one(error: BaseException) -> str:
    # Without source lines: a line of code may hold a value, too.
    frames = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{name} at {' > '.join(frames[-MAX_FRAMES:]) or 'an unknown line'}"


def _short(file_name: str) -> str:
    """The path below our root or below site-packages, so that no machine's path is logged."""
    path = Path(file_name)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return str(path.relative_to(ROOT))
    return "/".join(path.parts[-2:])


def _type_name_of(value: object) -> object:
    return type(value).__name__ if isinstance(value, BaseException) else value
