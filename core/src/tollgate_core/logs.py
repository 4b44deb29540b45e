"""How every component logs: one JSON object per line on standard error, plain tracebacks, never local variables.

Local variables of a failed request would carry keys and prompts into the log.
"""

import sys

import structlog


def configure_logging() -> None:
    """To be called once, by a composition root."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
