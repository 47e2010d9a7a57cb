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


def write_first(monkeypatch, module, action):
    """Let another change the repository just before the module's next turn to write; `action` gets a connection."""
    turn, left = module.writing, [action]

    @contextmanager
    def after_another(engine):
        if left:
            with turn(engine) as conn:
                left.pop()(conn)
        with turn(engine) as conn:
            yield conn

    monkeypatch.setattr(module, "writing", after_another)
