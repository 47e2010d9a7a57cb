"""The only module that prints to the terminal.

Control characters in foreign text, such as a metric's name, are shown as escapes, so that they cannot command the terminal.
"""

from typing import Any

import typer

from htmengine.foreign import visible


def echo_stdout(text: object = "", **style: Any) -> None:
    """Print a result: on standard output. `style`: of `typer.style`."""
    typer.echo(_styled(text, style))


def echo_stderr(text: object, **style: Any) -> None:
    """Tell the user something that is no result: on standard error."""
    typer.echo(_styled(text, style), err=True)


def _styled(text: object, style: dict[str, Any]) -> str:
    plain = visible(str(text))
    return typer.style(plain, **style) if style else plain
