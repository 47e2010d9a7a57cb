"""`python -m htmengine.incidents`: the service that puts alarms into incidents."""

import sys

from htmengine.incidents.service import NAME, work
from htmengine.service.program import run_program

if __name__ == "__main__":
    sys.exit(run_program(work, NAME))
