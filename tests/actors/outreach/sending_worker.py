"""A worker process that sends, to be killed: `python -m` with its settings as one JSON line on stdin."""

import json
import sys

from actors.main import run_workers
from app.core.logging import configure_logging
from app.core.settings import Settings

if __name__ == "__main__":
    configure_logging("warning")  # as `work` does: drawn tracebacks of other tests' jobs would cost it its leases
    run_workers(Settings.model_validate(json.loads(sys.stdin.readline())))
