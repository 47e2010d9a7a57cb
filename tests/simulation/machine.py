"""A simulated machine: clocks, and processes whose tasks run in turn, as the seed draws.

The code of the services is as it is. Where it would touch a database or the bus, or waits, its task gives up its turn: that
is where others run, and where a process is paused or killed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from greenlet import getcurrent, greenlet

from htmengine.errors import DependencyUnavailable, ExplainedError

TURN_S = 0.01
"""A turn takes up to so long."""


class Killed(BaseException):
    """The process is dead; nothing that it still tries takes place."""


@dataclass(frozen=True)
class Faults:
    """How likely things are: each is the probability at one place where a task gives up its turn."""

    switch: float = 0.0
    """Others run first."""
    pause: float = 0.0
    """The process stands still for seconds or minutes."""
    declared_dead: float = 0.0
    """Of a process that stands still for long: its consumers are taken for dead, and it returns."""
    kill: float = 0.0
    unavailable: float = 0.0
    """The bus or the repository says so, half of the time when it has done what was asked."""
    duplicate: float = 0.0
    """A message is accepted twice."""
    delay: float = 0.0
    """A delivery comes later, and behind others; not of the queue of lines, whose order counts."""
    set_clock: float = 0.0
    """With each turn: somebody sets the machine's clock."""
    sync: float = 0.0
    """With each turn: the operating system writes a file to the disk."""
    power_failure: float = 0.0
    """With each turn."""


class Task:
    """What runs in turn with others: a service's thread."""

    def __init__(self, process: Process, work: Callable[[], None], name: str) -> None:
        self.process = process
        self.name = name
        self.due = process.machine.now
        self.greenlet = greenlet(self._run, parent=process.machine.main)
        self._work = work

    def _run(self) -> None:
        try:
            self._work()
        except Killed:
            pass
        except DependencyUnavailable:
            self.process.ends = True  # as a thread of `htmengine up`: started again
        except Exception as error:
            self.process.machine.failures.append(f"{self.process.name}: {error!r}")
            self.process.ends = True

    @property
    def is_done(self) -> bool:
        return bool(self.greenlet.dead)


class Process:
    """A process with its tasks; what it has open is closed when it is dead."""

    def __init__(self, machine: Machine, name: str, number: int, *, mortal: bool = True) -> None:
        self.machine = machine
        self.name = name
        self.number = number
        self.mortal = mortal
        self.dead = False
        self.ends = False
        """It dies when its turn is over."""
        self.paused_until = 0.0
        self.transactions = 0
        """That are open: in one, no other process runs."""
        self.on_death: list[Callable[[], None]] = []
        self.on_declared_dead: list[Callable[[], None]] = []

    def point(self, name: str) -> None:
        """Do what may happen at any place: be killed or paused, or let others run."""
        if self.dead:
            raise Killed
        machine, faults = self.machine, self.machine.faults
        drawn = machine.random.random()
        if self.mortal and (drawn := drawn - faults.kill) < 0:
            machine.note(f"{self.name} is killed at {name}")
            self.dead = True
            raise Killed
        if self.transactions:
            return
        if self.mortal and (drawn := drawn - faults.pause) < 0:
            pause_s = machine.random.choice((3.0, 15.0, 90.0))
            machine.note(f"{self.name} stands still for {pause_s:.0f} s at {name}")
            self.paused_until = machine.now + pause_s
            if pause_s > 5.0 and machine.random.random() < faults.declared_dead:
                machine.note(f"{self.name} is taken for dead")
                for take in self.on_declared_dead:
                    take()
            machine.sleep(0.0)
        elif drawn - faults.switch < 0:
            machine.sleep(0.0)

    def draw_unavailable(self, error: type[Exception], reason: str) -> None:
        """Raise an error, if it is drawn."""
        if self.mortal and self.machine.random.random() < self.machine.faults.unavailable:
            self.machine.note(f"{self.name}: {reason}")
            raise error(reason, hint="") if issubclass(error, ExplainedError) else error(reason)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep others from running."""
        self.transactions += 1
        try:
            yield
        finally:
            self.transactions -= 1


class Machine:
    """The tasks of all processes, and the time."""

    def __init__(self, seed: int, *, started_at: float) -> None:
        self.main = getcurrent()
        self.random = random.Random(seed)
        self.faults = Faults()
        self.now = 0.0
        self._booted_at = -1000.0
        self._clock_ahead_s = started_at
        self.tasks: list[Task] = []
        self.processes: list[Process] = []
        self.story: list[str] = []
        """What happened, for a person."""
        self.failures: list[str] = []
        """Services that ended by themselves."""
        self.receiving: list[Task] = []
        """That wait for messages."""
        self.running: Task | None = None
        self.on_end: Callable[[Process], None] = lambda process: None

    def timer(self) -> float:
        """Return seconds that only grow, until the machine is started again."""
        return self.now - self._booted_at

    def clock(self) -> float:
        """Return seconds since the epoch, as somebody has set them."""
        return self.now + self._clock_ahead_s

    def set_clock(self, by_s: float) -> None:
        """Set the clock forward or back."""
        self.note(f"the clock is set by {by_s:+.0f} s")
        self._clock_ahead_s += by_s

    def restart(self) -> None:
        """End all processes, and start the machine again with none."""
        for process in self.processes:
            if not process.dead:
                self.end_at_once(process)
        self.tasks.clear()
        self._booted_at = self.now - self.random.choice((10.0, 5000.0))

    def note(self, text: str) -> None:
        self.story.append(f"{self.now:9.3f} {text}")

    # -- Processes and tasks

    def process(self, name: str, *, mortal: bool = True) -> Process:
        """Return a new process."""
        process = Process(self, name, len(self.processes) + 1, mortal=mortal)
        self.processes.append(process)
        return process

    def start(self, process: Process, work: Callable[[], None], name: str = "") -> Task:
        """Let a process do something from now on."""
        task = Task(process, work, name or process.name)
        self.tasks.append(task)
        return task

    def is_alive(self, number: int) -> bool:
        """Tell whether the process of a number lives."""
        return not self.processes[number - 1].dead

    @property
    def current(self) -> Process:
        """The process that runs."""
        assert self.running is not None
        return self.running.process

    def end_at_once(self, process: Process) -> None:
        """End a process at once; nothing that it still tries takes place."""
        process.dead = True
        for task in [task for task in self.tasks if task.process is process]:
            self.tasks.remove(task)
            if not task.is_done and task.greenlet:  # one that never ran has nothing to end
                task.greenlet.throw(Killed)
        for close in process.on_death:
            close()
        process.on_death.clear()

    # -- Turns

    def sleep(self, seconds: float) -> None:
        """Let others run for so long at least. In a turn only."""
        task = self.running
        assert task is not None
        assert not task.process.transactions
        if task.process.dead:
            raise Killed
        task.due = self.now + seconds
        self.main.switch()
        if task.process.dead:
            raise Killed

    def wake(self, tasks: Any) -> None:
        """Let tasks that sleep run now."""
        for task in tasks:
            task.due = min(task.due, self.now)

    def turn(self) -> None:
        """Let one of the tasks run that may; without one, time passes until there is one."""
        ready = [task for task in self.tasks if self._due(task) <= self.now]
        if not ready:
            self.now = min(map(self._due, self.tasks))
            ready = [task for task in self.tasks if self._due(task) <= self.now]
        task = self.random.choice(ready)
        self.running = task
        task.greenlet.switch()
        self.running = None
        self.now += self.random.random() * TURN_S
        process = task.process
        if process.dead or process.ends:
            self.end_at_once(process)
            self.on_end(process)
        elif task.is_done:
            self.tasks.remove(task)

    @staticmethod
    def _due(task: Task) -> float:
        return max(task.due, task.process.paused_until)


class Threading:
    """Stands for the module `threading` where services use threads of their own: they are tasks of their process."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def Thread(  # noqa: N802
        self, target: Callable[..., None], name: str = "", daemon: bool = True, args: tuple[Any, ...] = ()
    ) -> _Thread:
        return _Thread(self._machine, target, name, args)

    def Condition(self) -> _Condition:  # noqa: N802
        return _Condition(self._machine)

    def Event(self) -> Stop:  # noqa: N802
        return Stop(self._machine)


class _Thread:
    def __init__(
        self, machine: Machine, target: Callable[..., None], name: str, args: tuple[Any, ...]
    ) -> None:
        self._machine = machine
        self._target, self._name, self._args = target, name, args
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._machine.start(self._machine.current, lambda: self._target(*self._args), self._name)

    def join(self) -> None:
        while self._task and not self._task.is_done:
            self._machine.sleep(0.05)


class _Condition:
    """Nobody else runs while it is held: only who waits gives up the turn."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiting: list[Task] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def wait_for(self, holds: Callable[[], Any], timeout_s: float = math.inf) -> Any:
        end = self._machine.now + timeout_s
        while not (found := holds()) and self._machine.now < end:
            task = self._machine.running
            assert task is not None
            self._waiting.append(task)
            self._machine.sleep(end - self._machine.now)
            self._waiting.remove(task)
        return found

    def notify_all(self) -> None:
        self._machine.wake(self._waiting)


class Stop:
    """An event whose waits are simulated."""

    def __init__(self, machine: Machine) -> None:
        self._condition = _Condition(machine)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._condition.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        return bool(self._condition.wait_for(self.is_set, math.inf if timeout is None else timeout))


def drawn(machine: Machine, chances: Mapping[str, float]) -> Faults:
    """Return faults of which each is absent, rare or frequent."""
    return Faults(
        **{name: chance * machine.random.choice((0.0, 0.3, 1.0, 4.0)) for name, chance in chances.items()}
    )
