import os
import subprocess
import sys

from htmengine.system.processes import Process, is_alive, this_process


def test_this_process_is_alive():
    assert this_process().pid == os.getpid()
    assert is_alive(this_process())


def test_a_process_that_was_born_at_another_time_is_another():
    assert not is_alive(this_process()._replace(born="before"))
    assert this_process().born != this_process()._replace(born="before").born


def test_a_process_is_dead_even_while_nobody_has_waited_for_it():
    command = "from htmengine.system.processes import this_process as t; print(*t(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid, born = child.stdout.readline().split()
    process = Process(int(pid), born)
    assert is_alive(process)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process)
    child.communicate()
    assert not is_alive(process)


def test_without_a_time_of_birth_the_number_alone_decides():
    assert is_alive(Process(os.getpid(), ""))
    assert is_alive(Process(1, ""))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_alive(Process(child.pid, ""))
