"""`python -m tests.bench [--json] [NAME ...]`: what `penguinmails bench` runs; names choose among the measurements."""

import sys

from tests.bench.main import run

if __name__ == "__main__":
    words = frozenset(sys.argv[1:])
    sys.exit(run(as_json="--json" in words, only=words - {"--json"}))
