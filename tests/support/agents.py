"""Programs that send samples, as processes of tests."""

import shutil
import socket
import subprocess
from contextlib import contextmanager

from tests.servers import ending_with_us, require


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def running(*command, package, log):
    """Run a program of one of Debian's packages until the end of the block."""
    found = shutil.which(command[0]) or f"/usr/sbin/{command[0]}"
    path = require(package, found)
    with log.open("wb") as out:
        process = subprocess.Popen(
            ending_with_us([path, *map(str, command[1:])]),
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
