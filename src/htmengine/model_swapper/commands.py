"""Commands to models. Each may be delivered twice, and changes nothing the second time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from htmengine.htmengineerrno import ERR_INVALID_ARG, ERR_MODEL_ALREADY_EXISTS, ERR_NO_SUCH_MODEL, SUCCESS
from htmengine.messages import CloneModel, CommandResult, DefineModel, DeleteModel, ModelCommand
from htmengine.model_swapper import definition
from htmengine.model_swapper.model_cache import ModelCache
from htmengine.model_swapper.recovery import Recovery
from htmengine.repository.metrics import Definition
from htmengine.repository.status import WITH_MODEL

log = logging.getLogger(__name__)


class _Answer(NamedTuple):
    status: int
    error: str | None = None


_DONE: Final = _Answer(SUCCESS)


class Commands:
    """Executes commands. May raise DependencyUnavailable; then the command is to be executed again."""

    def __init__(
        self,
        recovery: Recovery,
        cache: ModelCache,
        *,
        begin: Callable[[str, int], None],
        delete: Callable[[str, int], None],
    ) -> None:
        """`begin` lets a metric's rows be scored up to a rowid; `delete` drops a metric's generations up to one."""
        self._recovery = recovery
        self._cache = cache
        self._begin = begin
        self._delete = delete

    def execute(self, commands: Iterable[ModelCommand]) -> list[CommandResult]:
        """Execute commands in their order and return the result of each."""
        results = []
        for kind, some in groupby(commands, type):
            following = list(some)
            # Of definitions in a row, what the repository says is read at once: nothing between them changes it.
            uids = [command.uid for command in following] if kind is DefineModel else []
            defined = self._recovery.definitions(uids) if uids else {}
            results += [self._execute(command, defined) for command in following]
        return results

    def _execute(self, command: ModelCommand, defined: Mapping[str, Definition]) -> CommandResult:
        if isinstance(command, DefineModel):
            method, answer = "defineModel", self._define(command, defined.get(command.uid))
        elif isinstance(command, DeleteModel):
            self._delete(command.uid, command.generation)
            method, answer = "deleteModel", _DONE
        else:
            method, answer = "cloneModel", self._clone(command)
        if answer.error:
            log.warning("model_scheduler.%s_failed uid=%s reason=%s", method, command.uid, answer.error)
        return CommandResult(
            command_id=command.command_id,
            method=method,
            uid=command.uid,
            generation=command.generation,
            status=answer.status,
            error_message=answer.error,
        )

    def _define(self, command: DefineModel, found: Definition | None) -> _Answer:
        if found is None or found.generation != command.generation:
            return _Answer(ERR_NO_SUCH_MODEL, "the metric was deleted, or monitored anew, meanwhile")
        cached = self._cache.get(command.uid)
        try:
            parameters = definition.parse(found.model_params)
            if cached is None or cached.generation != command.generation:
                self._recovery.check(parameters)
            elif self._cache.pool.parameters(command.uid) != parameters:
                return _Answer(ERR_MODEL_ALREADY_EXISTS, "there is a model already, with another definition")
        except ValueError as error:
            return _Answer(ERR_INVALID_ARG, f"the definition makes no model: {error}")
        self._begin(command.uid, found.last_rowid)
        return _DONE

    def _clone(self, command: CloneModel) -> _Answer:
        cached = self._cache.get(command.uid)
        try:
            if cached is not None and cached.generation == command.generation:
                source = self._cache.pool[command.uid]
            else:
                found = self._recovery.definitions([command.uid]).get(command.uid)
                if found is None or found.generation != command.generation or found.status not in WITH_MODEL:
                    return _Answer(ERR_NO_SUCH_MODEL, "there is no such model to be copied")
                restored = self._recovery.restore(command.uid, found, at_or_below=found.last_rowid)
                source = restored.model()
                self._recovery.catch_up(restored.cached, source, found.scored_rowid)
            if not self._recovery.clone(source, command.new_uid, command.new_generation):
                return _Answer(ERR_NO_SUCH_MODEL, "the metric of the copy was deleted, or monitored anew")
        except ValueError as error:
            return _Answer(ERR_INVALID_ARG, f"the model cannot be copied: {error}")
        return _DONE
