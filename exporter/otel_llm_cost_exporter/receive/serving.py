"""uvicorn as this collector runs it."""

from __future__ import annotations

import logging
from typing import Final

import uvicorn
from starlette.applications import Starlette

from otel_llm_cost_exporter import logs

from .http_head import BoundedHead
from .tls import TLS, uvicorn_options

_log = logging.getLogger("uvicorn.error")
_few: Final = logs.Sparingly(_log)


def _sparingly(record: logging.LogRecord) -> bool:
    """Whoever reaches the port can send what is no HTTP or asks for another protocol, as often as he likes."""
    return record.levelno != logging.WARNING or _few.admit() is not None


_log.addFilter(_sparingly)


def uvicorn_server(app: Starlette, *, tls: TLS | None = None, grace: int = 5) -> uvicorn.Server:
    """A server to run on sockets of the caller's; `grace` seconds are left to requests at work when it stops."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedHead,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=grace,
            **uvicorn_options(tls),
        )
    )
