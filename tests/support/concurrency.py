"""What others do at the same time, or just before our turn."""

import threading
from contextlib import contextmanager


def at_the_same_time(action, count):
    """Do something in so many threads together, and return the errors."""
    errors, together = [], threading.Barrier(count)

    def run():
        together.wait()
        try:
            action()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def write_first(monkeypatch, database, action):
    """Let another change a database just before the next transaction that writes; `action` gets a connection."""
    write, left = database.write, [action]

    @contextmanager
    def after_another():
        if left:
            with write() as conn:
                left.pop()(conn)
        with write() as conn:
            yield conn

    monkeypatch.setattr(database, "write", after_another)
