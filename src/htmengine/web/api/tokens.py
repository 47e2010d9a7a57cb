"""Tokens: who may use this server."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from htmengine.repository import tokens as stored
from htmengine.web import problems
from htmengine.web.access import SCOPES, Scope
from htmengine.web.operations import Call, Operations
from htmengine.web.problems import Problem
from htmengine.web.shapes import TokenAnswer, TokenList

operations = Operations()


@operations("GET", "/tokens", "admin")
def tokens(call: Call) -> TokenList:
    """List tokens, without their secrets, the oldest first."""
    with call.site.context.database.read() as conn:
        return TokenList([_shown(token) for token in stored.every_token(conn).values()])


class TokenBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token to make."""

    name: Annotated[str, Meta(min_length=1, max_length=stored.MAX_NAME)]
    """What it is for."""
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=8)]
    """read; write: send samples; teach: labels and acknowledgements; admin: everything."""


@operations("POST", "/tokens", "admin", status=201)
def create_token(call: Call, body: TokenBody) -> TokenAnswer:
    """Make a token. The answer alone has its secret: only a checksum is kept."""
    by = call.principal.name if call.principal else ""
    scopes = [scope for scope in SCOPES if scope in body.scopes]
    with call.site.context.database.write() as conn:
        token, secret = stored.create(conn, body.name, scopes, by=by, now=call.site.clock())
    return _shown(token, secret)


@operations("DELETE", "/tokens/{token}", "admin", problems.NOT_FOUND)
def revoke_token(call: Call, token: Annotated[str, Meta(min_length=1, max_length=40)]) -> None:
    """Revoke a token; whoever uses it is refused within seconds, and its sessions end."""
    with call.site.context.database.write() as conn:
        if not stored.revoke(conn, token):
            raise Problem(problems.NOT_FOUND, "There is no such token; GET /api/v1/tokens lists them.")
    call.site.access.reload()


def _shown(token: stored.Token, secret: str | None = None) -> TokenAnswer:
    return TokenAnswer(
        id=token.id,
        name=token.name,
        scopes=list(token.scopes),
        created=token.created_at,
        last_used=token.last_used_at,
        by=token.created_by,
        token=secret,
    )
