"""What may go wrong with a database, and which errors are transient."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from htmengine.errors import DependencyUnavailable, ExplainedError
from htmengine.sqlite.errors import is_damage, passing_reason


class RepositoryError(ExplainedError):
    """The database cannot do what is asked of it; waiting does not help."""


class RepositoryUnavailable(ExplainedError, DependencyUnavailable):
    """The database cannot be reached or written now. Nothing is changed: pause, and do the same again."""


class WriteConflict(DependencyUnavailable):
    """Another writer changed what a transaction relies on since it was read. Nothing was changed; repeat the transaction."""


class TransactionRolledBack(RepositoryUnavailable):
    """The database rolled the transaction back because of another one: a deadlock, or a lock that was not granted in time."""


_MYSQL_PASSING: Final = frozenset(
    # Documented: no connection, connection lost, table definition changed, lock wait timeout, deadlock; and too many
    # connections, server shutting down, disk full; statement took too long (MariaDB, MySQL); connection ended by the server.
    {
        2002,
        2003,
        2005,
        2006,
        2011,
        2012,
        2013,
        2055,
        1412,
        1205,
        1213,
        1040,
        1053,
        1021,
        1969,
        3024,
        1927,
        4031,
    }
)
_SQLSTATE_PASSING: Final = ("08", "40", "53", "57P", "55P03", "57014", "25P03")
"""PostgreSQL: connection, rolled back because of another transaction, out of resources, shutting down, lock not available, statement
took too long, transaction in which nothing happened."""
_MYSQL_ROLLED_BACK: Final = (1205, 1213)
_SQLSTATE_ROLLED_BACK: Final = ("40", "55P03")
_REFUSED: Final = (
    "password authentication failed",
    "no password supplied",
    "does not exist",  # the role, or the database
    "no pg_hba.conf entry",
    "does not support SSL",
    "private key",
    "certificate",
    "CERTIFICATE",
)
"""What drivers say of connections that were refused for good: PostgreSQL's gives no code, and MySQL's gives for a
certificate that of a server that is unavailable."""


GONE_HINT: Final = (
    "Put the file back from a backup, and start again. Without one, a new and empty one is made at the start: of samples a new"
    " history begins; models whose checkpoints are gone learn again from the samples that are stored."
)
DAMAGED_HINT: Final = "Move the file away, and go on as if it had been deleted. " + GONE_HINT
_REFUSED_HINT: Final = (
    "See that the section [repository] of application.conf is right, that its database was created, and that its user may"
    " use it; then start again."
)


def is_transient(error: DBAPIError) -> bool:
    """Return whether the same may succeed a moment later."""
    cause = error.orig
    if error.connection_invalidated:
        return True
    if isinstance(cause, sqlite3.Error):
        return passing_reason(cause) is not None
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        return number in _MYSQL_PASSING and not any(word in str(cause) for word in _REFUSED)
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_SQLSTATE_PASSING)
    # No connection: it could not be made, or was lost.
    return isinstance(error, OperationalError | InterfaceError) and not any(
        word in str(cause) for word in _REFUSED
    )


def translated(error: DBAPIError, where: str) -> Exception:
    """Return the error to raise instead: a transient one, one that a person reads, or the same where it is a defect of ours.

    The text is the database's own and the place; no statement and no parameter, since both may be long or secret.
    """
    text = f"{where}: {error.orig}"
    if is_transient(error):
        kind = TransactionRolledBack if _is_rolled_back(error) else RepositoryUnavailable
        return kind(text, hint="Waiting helps if the database comes back; see that it does.")
    if _says_no_table(error):
        return RepositoryError(text, hint="Create or upgrade its tables with: htmengine db upgrade")
    if isinstance(error.orig, sqlite3.Error) and is_damage(error.orig):
        return RepositoryError(text, hint=DAMAGED_HINT)
    if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
        return RepositoryError(text, hint=_REFUSED_HINT)  # no such database, access denied …
    return error


def _is_rolled_back(error: DBAPIError) -> bool:
    cause = error.orig
    state = getattr(cause, "sqlstate", None)
    return (cause is not None and bool(cause.args) and cause.args[0] in _MYSQL_ROLLED_BACK) or (
        isinstance(state, str) and state.startswith(_SQLSTATE_ROLLED_BACK)
    )


def _says_no_table(error: DBAPIError) -> bool:
    cause = error.orig
    return (
        str(cause).startswith(("no such table", "no such column"))
        or getattr(cause, "sqlstate", None) in ("42P01", "42703")
        or (cause is not None and bool(cause.args) and cause.args[0] in (1146, 1054))
    )
