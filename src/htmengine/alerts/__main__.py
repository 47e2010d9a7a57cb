"""`python -m htmengine.alerts`: the service that tells of incidents."""

import sys

from htmengine.alerts.service import NAME, work
from htmengine.service.program import run_program

if __name__ == "__main__":
    sys.exit(run_program(work, NAME))
