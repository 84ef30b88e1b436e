"""How gunicorn runs the application: gthread, bounded requests, one set of metrics for all processes.

Read with `gunicorn -c python:serving.gunicorn_conf`; what can be set comes from HEADRACE_* settings.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from contracts.settings import read_settings

settings = read_settings(os.environ)
metrics_folder = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(settings.root / "run" / "metrics")))

wsgi_app = "serving.app:create_app()"
bind = settings.bind
workers = settings.workers
threads = settings.threads
worker_class = "serving.gunicorn_worker.ProblemWorker"
worker_connections = 1_000
backlog = 2_048

# A load balancer holds idle connections for about a minute; whoever closes first must be the client.
keepalive = 75
timeout = 30
graceful_timeout = 20

limit_request_line = 8_190
limit_request_fields = 64
limit_request_field_size = 8_190
forwarded_allow_ips = "127.0.0.1,::1"

accesslog = "-" if settings.access_log else None
errorlog = "-"
loglevel = "info"
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Forget the metrics of an earlier run."""
    shutil.rmtree(metrics_folder, ignore_errors=True)
    metrics_folder.mkdir(parents=True, exist_ok=True)


def child_exit(_server: Any, worker: Any) -> None:
    """Take a gone process out of the gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
