"""Parameters of single kernels as the default model has them, for tests that change one of them or none."""

from typing import Any

import msgspec

from htmengine.htm import params

_VERSION_1 = params.DefaultParametersV1(name="default")
_VERSION_2 = params.DefaultParameters(name="default")


def _fields(part: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(part)


TAIL = _fields(_VERSION_2.deviation.tail)
DEVIATION = _fields(_VERSION_1.deviation)
TRANSITION_MEMORY = _fields(_VERSION_2.memory)
HASH_ENCODER = _fields(_VERSION_2.encoder)
