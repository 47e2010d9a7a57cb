"""Tokens that programs and people show to the web server, and the sessions of browsers. Secrets are kept as checksums."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from htmengine.repository import schema

PREFIX: Final = "htm_"
"""Begins every token, so that one in a file or a log is recognised."""
MAX_NAME: Final = 100

_token: Final = schema.access_token.c
_session: Final = schema.web_session.c


class Token(NamedTuple):
    """A token, without its secret."""

    id: str
    name: str
    """What it is for, in the words of whoever made it."""
    scopes: tuple[str, ...]
    created_at: int
    """Seconds since the epoch."""
    created_by: str
    last_used_at: int | None


class Session(NamedTuple):
    """A browser that has shown a token."""

    digest: str
    token_id: str
    expires_at: int
    """Seconds since the epoch."""


def digest_of(secret: str) -> str:
    """Return the checksum under which a secret is kept: secrets are random and long, so that it needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(conn: Connection, name: str, scopes: Sequence[str], *, by: str, now: float) -> tuple[Token, str]:
    """Make a token and return it with its secret, which cannot be had again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(secrets.token_hex(4), name[:MAX_NAME], tuple(scopes), int(now), by[:MAX_NAME], None)
    conn.execute(
        insert(schema.access_token).values(
            id=token.id,
            name=token.name,
            digest=digest_of(secret),
            scopes=" ".join(token.scopes),
            created_at=token.created_at,
            created_by=token.created_by,
        )
    )
    return token, secret


def every_token(conn: Connection) -> dict[str, Token]:
    """Return all tokens by the checksums of their secrets, the oldest first."""
    query = select(
        _token.digest,
        _token.id,
        _token.name,
        _token.scopes,
        _token.created_at,
        _token.created_by,
        _token.last_used_at,
    ).order_by(_token.created_at, _token.id)
    return {
        digest: Token(token_id, name, tuple(scopes.split()), created, by, used)
        for digest, token_id, name, scopes, created, by, used in conn.execute(query)
    }


def revoke(conn: Connection, token_id: str) -> bool:
    """Delete a token and the sessions that began with it; return whether there was one."""
    conn.execute(delete(schema.web_session).where(_session.token_id == token_id))
    return conn.execute(delete(schema.access_token).where(_token.id == token_id)).rowcount > 0


def used(conn: Connection, token_ids: Sequence[str], now: float) -> None:
    """Note that tokens were used."""
    conn.execute(update(schema.access_token).where(_token.id.in_(token_ids)).values(last_used_at=int(now)))


def begin_session(conn: Connection, token_id: str, *, now: float, lasts_s: float) -> str:
    """Begin a session with a token and return its secret; those that are over go."""
    secret = secrets.token_urlsafe(32)
    conn.execute(delete(schema.web_session).where(_session.expires_at < int(now)))
    conn.execute(
        insert(schema.web_session).values(
            digest=digest_of(secret), token_id=token_id, expires_at=int(now + lasts_s)
        )
    )
    return secret


def end_session(conn: Connection, secret: str) -> None:
    """End a session."""
    conn.execute(delete(schema.web_session).where(_session.digest == digest_of(secret)))


def every_session(conn: Connection) -> dict[str, Session]:
    """Return all sessions by the checksums of their secrets."""
    query = select(_session.digest, _session.token_id, _session.expires_at)
    return {row[0]: Session(*row) for row in conn.execute(query)}
