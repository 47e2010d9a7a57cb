"""The web server as a program: `python -m htmengine.web`."""

import sys

from htmengine.service.program import run_program
from htmengine.web.server import NAME, work

if __name__ == "__main__":
    sys.exit(run_program(work, NAME))
