"""Errors that a person reads: what is wrong and where, and what to do next."""


class ExplainedError(Exception):
    """Something failed. The command line prints the message and the hint, one line each, and exits with 1."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        """`message` says where, what was found and why it is wrong; `hint` says the next step."""
        super().__init__(message)
        self.hint = hint


class MisuseError(ExplainedError):
    """The request cannot be carried out as it stands: a wrong option, an unreadable file. Exits with 2."""

    exit_code = 2


class ConfigError(MisuseError):
    """The configuration cannot be used."""


class DependencyUnavailable(Exception):
    """Something that is needed is unavailable for now. Nothing is lost: pause, and do the same again."""
