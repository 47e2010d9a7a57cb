"""`python -m htmengine.silence`: the service that finds out which metrics are silent."""

import sys

from htmengine.service.program import run_program
from htmengine.silence.service import NAME, work

if __name__ == "__main__":
    sys.exit(run_program(work, NAME))
