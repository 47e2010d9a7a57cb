"""Configuration files with overrides: a baseline, a file of overrides beside it, and the environment on top."""

from __future__ import annotations

import configparser
import io
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from htmengine.config.options import OVERRIDES_FOLDER, STRAY_PERCENT, environment_name
from htmengine.system import private
from htmengine.system.file_lock import ExclusiveFileLock, SharedFileLock


class Config(configparser.ConfigParser):
    """The options of `<baseConfigDir>/<configName>`, with those of `<baseConfigDir>/overrides/<configName>` on top.

    An option that exists may also be overridden by the environment variable
    `_NTA_UTILS_CONFIG__<STEM>__<SECTION>__<OPTION>`, upper case, with dashes as underscores; such a value wins over both
    files and is taken as it stands.

    Parameters
    ----------
    configName : name of the file, without any folder.
    baseConfigDir : absolute path of the folder.
    mode : MODE_LOGICAL reads baseline and overrides; MODE_OVERRIDE_ONLY reads, changes and saves the overrides alone.

    Raises
    ------
    TypeError : the name is no string, is empty, or has a folder in it.
    ValueError : the name has no stem, or there is no baseline file (MODE_LOGICAL).
    """

    MODE_LOGICAL: Final = 1
    MODE_OVERRIDE_ONLY: Final = 2

    def __init__(self, configName: str, baseConfigDir: str, mode: int = MODE_LOGICAL) -> None:
        super().__init__()
        if not isinstance(configName, str) or not configName:
            raise TypeError(f"the name of a configuration file must be a string, not {configName!r}")
        if Path(configName).name != configName:
            raise TypeError(f"{configName!r} must be the name of a file, without a folder")
        if configName.startswith("."):
            raise ValueError(f"{configName!r} has nothing before its ending")
        if mode not in (self.MODE_LOGICAL, self.MODE_OVERRIDE_ONLY):
            raise ValueError(f"{mode!r} is no mode of Config")
        self.configName = configName
        self.CONFIG_NAME = configName
        self.baseConfigDir = baseConfigDir
        self._mode = mode
        self._overrides = Path(baseConfigDir) / OVERRIDES_FOLDER / configName
        self._overrides_read: int | None = None
        if mode == self.MODE_LOGICAL:
            baseline = Path(baseConfigDir) / configName
            if not baseline.exists():
                raise ValueError(f"{baseline}: there is no such configuration file")
            # Without a lock: nobody writes it but people, and any of them could hold it.
            with baseline.open(encoding="utf-8") as file:
                self.read_file(file)
            self._baseline = self._as_text()
        else:
            self._baseline = ""
        self._read_overrides()

    def __repr__(self) -> str:
        mode = {self.MODE_LOGICAL: "MODE_LOGICAL", self.MODE_OVERRIDE_ONLY: "MODE_OVERRIDE_ONLY"}[self._mode]
        return f"{type(self).__name__}<name={self.configName}, mode={mode}, baseDir={self.baseConfigDir}>"

    def get(self, section: str, option: str, **kwargs: Any) -> Any:  # type: ignore[override]
        """Return an option's value; the environment wins over the files."""
        overridden = os.environ.get(environment_name(self.configName, section, option))
        if overridden is not None and self.has_option(section, option):
            return overridden
        try:
            return super().get(section, option, **kwargs)
        except configparser.InterpolationError:
            message = f"[{section}] {option}: {STRAY_PERCENT}"
            raise configparser.InterpolationSyntaxError(option, section, message) from None

    def items(self, *args: Any, **kwargs: Any) -> Any:
        """Return the (option, value) pairs of a section; the environment wins over the files.

        Without arguments: the (name, section) pairs, as ConfigParser does.
        """
        if not args and "section" not in kwargs:
            return super().items()
        return self._items(*args, **kwargs)

    def _items(self, section: str, raw: bool = False, vars: Any = None) -> list[tuple[str, str]]:  # noqa: A002
        names = [option for option, _ in super().items(section, True, vars)]
        return [(option, self.get(section, option, raw=raw, vars=vars)) for option in names]

    def loadConfig(self) -> None:
        """Read the overrides again if they have changed; the baseline is read once."""
        if self._modified() != self._overrides_read:
            self.clear()
            self.read_string(self._baseline)
            self._read_overrides()

    def save(self) -> None:
        """Write the overrides. Raises TypeError unless this was opened with MODE_OVERRIDE_ONLY."""
        if self._mode != self.MODE_OVERRIDE_ONLY:
            raise TypeError("only a Config of MODE_OVERRIDE_ONLY can be saved")
        if not self._overrides.parent.exists():
            private.folder(self._overrides.parent)
            self._overrides.parent.chmod(stat.S_IMODE(Path(self.baseConfigDir).stat().st_mode))
        private.file(self._overrides)
        # Opened without truncating: readers hold the lock while they read what was there.
        with self._overrides.open("a+", encoding="utf-8") as file, ExclusiveFileLock(file):
            file.seek(0)
            file.truncate()
            self.write(file)
            file.flush()
        with suppress(
            FileNotFoundError
        ):  # as open as what it overrides, and no more: either may have passwords
            self._overrides.chmod(stat.S_IMODE((Path(self.baseConfigDir) / self.configName).stat().st_mode))
        self._overrides_read = self._modified()

    def clearAllConfigOverrides(self) -> None:
        """Delete the overrides of every configuration file in the folder."""
        shutil.rmtree(self._overrides.parent, ignore_errors=True)

    def _read_overrides(self) -> None:
        self._overrides_read = self._modified()
        if self._overrides_read is not None:
            with self._overrides.open(encoding="utf-8") as file, SharedFileLock(file):
                self.read_file(file)

    def _modified(self) -> int | None:
        try:
            return self._overrides.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _as_text(self) -> str:
        text = io.StringIO()
        self.write(text)
        return text.getvalue()
