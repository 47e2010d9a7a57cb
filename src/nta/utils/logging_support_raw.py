"""Logging of an application's programs: lines to standard error or output, and to a file for each program."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

from htmengine.htmengine_logging import VisibleFormatter
from htmengine.system import private
from nta.utils import makeDirectoryFromAbsolutePath

_FORMAT: Final = "%(asctime)s.%(msecs)03dZ %(name)s(%(process)s) %(levelname)s %(message)s"
_CONSOLES: Final = {"stderr": "stderr", "stdout": "stdout", None: None}


class _Place:
    """Where log files go; applications set it once, at their start."""

    folder: str | None = None


def setLogDir(absDir: str) -> None:
    """Set the folder of log files, an absolute path."""
    _Place.folder = absDir


class LoggingSupport:
    """Sets up the root logger of a program. Times are UTC."""

    @classmethod
    def initTool(cls, loggingLevel: str | int = "INFO") -> None:
        """Log to standard error and to the program's file."""
        cls.initLogging(loggingLevel, console="stderr", logToFile=True)

    @classmethod
    def initService(cls, loggingLevel: str | int = "INFO") -> None:
        """Log to standard error; whoever runs the service keeps that."""
        cls.initLogging(loggingLevel, console="stderr", logToFile=False)

    @classmethod
    def initTestApp(cls, loggingLevel: str | int = "DEBUG") -> None:
        """Log to standard error."""
        cls.initLogging(loggingLevel, console="stderr", logToFile=False)

    @classmethod
    def initLogging(
        cls, loggingLevel: str | int = "INFO", console: str | None = "stderr", logToFile: bool = False
    ) -> None:
        """Set up the root logger.

        Parameters
        ----------
        loggingLevel : DEBUG, INFO, WARNING, ERROR or CRITICAL, as a name or as the number that `logging` has for it.
        console : "stderr", "stdout", or None for neither.
        logToFile : whether to append to the program's file below the log folder.

        Raises
        ------
        ValueError : the level or the console is unknown; or no log folder was set.
        """
        levels = logging.getLevelNamesMapping()
        if loggingLevel not in levels and loggingLevel not in levels.values():
            raise ValueError(
                f"{loggingLevel!r} is no level of logging; DEBUG, INFO, WARNING, ERROR, CRITICAL are"
            )
        if console not in _CONSOLES:
            raise ValueError(f"{console!r} is no console; stderr, stdout and None are")
        handlers: list[logging.Handler] = []
        if console is not None:
            handlers.append(logging.StreamHandler(getattr(sys, console)))
        if logToFile:
            path = Path(cls.getApplicationLogFilePath())
            makeDirectoryFromAbsolutePath(str(path.parent))
            private.file(path)
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
        for handler in handlers:
            handler.setFormatter(VisibleFormatter(_FORMAT))
        logging.basicConfig(handlers=handlers or [logging.NullHandler()], level=loggingLevel, force=True)
        # What the client of the broker says of each step of each connection is not the application's log.
        logging.getLogger("pika").setLevel(logging.WARNING)

    @staticmethod
    def getLoggingRootDir() -> str:
        """Return the folder of log files. Raises ValueError where none was set."""
        if _Place.folder is None:
            raise ValueError("no folder for log files is set; call setLogDir first")
        return _Place.folder

    @classmethod
    def getApplicationLogFilePath(cls) -> str:
        """Return the path of this program's log file. Raises ValueError where no log folder was set."""
        return str(Path(cls.getLoggingRootDir(), "processes", f"{Path(sys.argv[0]).stem or 'python'}.log"))
