"""`htmengine tokens`: who may use the web server from elsewhere."""

from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, JsonOption

tokens = Group(help="Make, list and revoke tokens of the web server.")


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, such as grafana.")],
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE",
            help="What it allows: read, write (send samples), teach (labels, acknowledgements) or admin (everything). "
            "May be given several times.",
        ),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a token, and print it once.

    Only a checksum of it is kept. Give it to programs as `Authorization: Bearer TOKEN`, and to the page where it asks.
    """
    import getpass
    import time

    from htmengine.cli.session import new_or_existing
    from htmengine.cli.terminal import echo_stderr, echo_stdout
    from htmengine.errors import MisuseError
    from htmengine.repository import tokens as stored
    from htmengine.web.access import SCOPES

    if unknown := [one for one in scope if one not in SCOPES]:
        raise MisuseError(
            f"--scope {unknown[0]} is not known.", hint=f"Give one or more of {', '.join(SCOPES)}."
        )
    scopes = [one for one in SCOPES if one in scope]
    with new_or_existing(config, data) as context, context.database.write() as conn:
        token, secret = stored.create(conn, name, scopes, by=getpass.getuser(), now=time.time())
    echo_stdout(secret)
    echo_stderr(
        f"Token {token.id} ({', '.join(scopes)}). It is shown this once: keep it where only its user can read it."
    )


@tokens.command("list")
def list_(json: JsonOption = False, data: DataOption = None, config: ConfigOption = None) -> None:
    """List tokens, without their secrets."""
    from htmengine.cli.session import installation, print_json, print_table, utc
    from htmengine.cli.terminal import echo_stderr
    from htmengine.repository import tokens as stored

    with installation(config, data) as context, context.database.read() as conn:
        found = list(stored.every_token(conn).values())
    if json:
        for token in found:
            print_json(
                {
                    "id": token.id,
                    "name": token.name,
                    "scopes": token.scopes,
                    "createdAt": token.created_at,
                    "createdBy": token.created_by,
                    "lastUsedAt": token.last_used_at,
                }
            )
    elif found:
        print_table(
            ("Id", "Name", "Scopes", "Made (UTC)", "By", "Last used (UTC)"),
            [
                (
                    token.id,
                    token.name,
                    " ".join(token.scopes),
                    utc(token.created_at),
                    token.created_by,
                    utc(token.last_used_at),
                )
                for token in found
            ],
        )
    else:
        echo_stderr("There are no tokens. Make one: htmengine tokens create NAME --scope read")


@tokens.command()
def revoke(
    token: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="As `htmengine tokens list` shows it; or a name that only one has."
        ),
    ],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Revoke a token; whoever uses it is refused within seconds."""
    from htmengine.cli.session import installation
    from htmengine.cli.terminal import echo_stderr
    from htmengine.errors import MisuseError
    from htmengine.repository import tokens as stored

    with installation(config, data) as context, context.database.write() as conn:
        found = [one.id for one in stored.every_token(conn).values() if token in (one.id, one.name)]
        if token in found:
            found = [token]
        if len(found) != 1:
            what = f"there are {len(found)} tokens of this name" if found else "there is no such token"
            raise MisuseError(f"{token}: {what}.", hint="`htmengine tokens list` lists them, with their ids.")
        stored.revoke(conn, found[0])
    echo_stderr(f"{token}: revoked.")
