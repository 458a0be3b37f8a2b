"""`python -m tests.bench [--json]`: what `penguinmails bench` runs."""

import sys

from tests.bench.main import run

if __name__ == "__main__":
    sys.exit(run(as_json="--json" in sys.argv[1:]))
