"""Locks on files, under their documented names."""

from htmengine.system.file_lock import ExclusiveFileLock as ExclusiveFileLock
from htmengine.system.file_lock import FileLockAcquireException as FileLockAcquireException
from htmengine.system.file_lock import FileLockReleaseException as FileLockReleaseException
from htmengine.system.file_lock import SharedFileLock as SharedFileLock
