"""`htmengine dead`: messages that could not be worked on."""

from typing import Annotated

import typer

from htmengine.cli.group import Group
from htmengine.cli.options import ConfigOption, DataOption, JsonOption

dead = Group(help="List, explain, send again or delete dead letters.")

IdsArgument = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Dead letters.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]


@dead.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many to show.")] = 100,
    json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List dead letters, the oldest first, with their reasons."""
    from htmengine.cli.session import installation, print_json, print_table, utc
    from htmengine.cli.terminal import echo_stderr

    with installation(config, data) as context:
        letters = context.bus.dead_letters(limit=limit)
    if json:
        for letter in letters:
            print_json(
                {
                    "id": letter.id,
                    "queue": letter.queue,
                    "reason": letter.reason,
                    "deliveries": letter.deliveries,
                    "diedAt": letter.died_at,
                    "bytes": len(letter.body),
                }
            )
    elif letters:
        print_table(
            ("Id", "Died (UTC)", "Queue", "Bytes", "Deliveries", "Reason"),
            [
                (
                    letter.id,
                    utc(letter.died_at),
                    letter.queue,
                    len(letter.body),
                    letter.deliveries,
                    letter.reason,
                )
                for letter in letters
            ],
        )
        echo_stderr("See one with `htmengine dead show ID`; then `dead requeue ID` or `dead discard ID`.")
    else:
        echo_stderr("There are no dead letters.")


@dead.command()
def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="As `htmengine dead list` shows it.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show a dead letter with its body."""
    from htmengine.cli.dead import dead_letter
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json(dead_letter(context, letter_id))


@dead.command()
def requeue(
    ids: IdsArgument = None,
    everything: AllOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put dead letters back into the queues they came from."""
    from htmengine.cli.dead import dead_ids
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json({"requeued": context.bus.requeue(dead_ids(context, ids, everything=everything))})


@dead.command()
def discard(
    ids: IdsArgument = None,
    everything: AllOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete dead letters for good."""
    from htmengine.cli.dead import dead_ids
    from htmengine.cli.session import installation, print_json

    with installation(config, data) as context:
        print_json({"discarded": context.bus.discard(dead_ids(context, ids, everything=everything))})
