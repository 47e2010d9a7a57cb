"""The command `htmengine`: results on stdout, progress and notes on stderr; exit codes 0 done, 1 failed, 2 misused."""

import errno
import io
import os
import sys
from typing import Final

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Run the command line."""
    from htmengine.system import garbage

    garbage.collect_rarely()  # before the imports: they would have it collected a dozen times
    from htmengine.cli.app import app
    from htmengine.cli.terminal import echo_stderr

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal's encoding has no sign for
    try:
        app(prog_name="htmengine")
    except OSError as error:
        # Commands explain what happens to files that they write; this is where their output goes.
        if error.errno not in NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it, at the end
        echo_stderr(f"The output cannot be written: {error.strerror}.\nMake room, or send it elsewhere.")
        sys.exit(1)
