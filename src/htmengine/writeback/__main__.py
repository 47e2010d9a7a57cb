"""`python -m htmengine.writeback`: the service that writes scores back to other stores."""

import sys

from htmengine.service.program import run_program
from htmengine.writeback.service import NAME, work

if __name__ == "__main__":
    sys.exit(run_program(work, NAME))
