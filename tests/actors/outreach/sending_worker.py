"""A worker process that sends, to be killed: `python -m` with its settings as one JSON line on stdin."""

import json
import sys

from actors.main import run_workers
from app.core.settings import Settings

if __name__ == "__main__":
    run_workers(Settings.model_validate(json.loads(sys.stdin.readline())))
