"""The one door to the terminal: whatever others wrote in a text, such as a metric's name, is visible and commands nothing."""

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
