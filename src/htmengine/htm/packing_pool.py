"""A pool for more models than are worked with at a time: those that are not used are packed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from htmengine.htm import _kernels, params
from htmengine.htm.model import Block, Model, packed_block, parameters_in_block
from htmengine.htm.pool import Pool

Key = TypeVar("Key", bound=Hashable)

BYTES_PER_BLOCK_BYTE: Final = 3
OWN_BYTES: Final = 16 << 10
"""What a model that does not know how much memory it takes does so beside its block's bytes, on the safe side: arrays
that have room to grow, and what is derived from them."""
IDENTITIES_KEPT: Final = 1024
ANY_NUMBER: Final = (1 << 64) - 1


class _Kind(NamedTuple):
    """What models of the same parameters share."""

    parameters: params.Parameters
    prototype: _kernels.Model | None
    """A new model; None where they cannot be packed."""
    steps: tuple[int, ...]
    in_block: tuple[bytes, bytes]


class PackingPool(Pool[Key]):
    """Models by key, of which some are packed.

    A packed model takes about half the memory. It is unpacked when it is used, into memory of one that was packed
    before, so that no memory is asked for. A pool keeps a model's state alone: what is shared by models of the same
    parameters is there once. So a model that is added belongs to the pool; the one that it gives back holds the state
    of that time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[bytes, _Kind] = {}
        """By what blocks say of parameters."""
        self._kinds_by_id: dict[int, _Kind] = {}
        """The same: to compare parameters takes longer than all else that is done with a model."""
        self._known: list[params.Parameters] = []
        """Whose identities these are."""
        self._kind_of: list[_Kind | None] = []
        """Of the model in each slot."""
        self._unpackable: dict[Key, int] = {}
        """Of models that cannot be packed, how much memory they take."""

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._slots)

    def __contains__(self, key: object) -> bool:
        """Tell whether a model has this key."""
        return key in self._slots

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the keys."""
        return iter(self._slots)

    def __getitem__(self, key: Key) -> Model:
        """Return the model with this key, unpacked, of generation 0. Raises KeyError when there is none."""
        return Model.around(self._kernel.model(self._slots[key]), self._of(key).parameters, 0)

    @property
    def memory(self) -> int:
        """How much memory the models take."""
        return self.unpacked_bytes + self.packed_bytes

    @property
    def unpacked_bytes(self) -> int:
        """How much memory those take that are not packed."""
        return self._kernel.unpacked_bytes + sum(self._unpackable.values())

    @property
    def packed_bytes(self) -> int:
        """How much memory the packed ones take."""
        return self._kernel.packed_bytes

    @property
    def unpacked(self) -> int:
        """How many models that can be packed are not."""
        return self._kernel.unpacked

    def parameters(self, key: Key) -> params.Parameters:
        """Return a model's parameters. Raises KeyError."""
        return self._of(key).parameters

    def packs(self, key: Key) -> bool:
        """Tell whether a model can be packed. Raises KeyError."""
        return self._of(key).prototype is not None

    def is_packed(self, key: Key) -> bool:
        """Tell whether a model is packed. Raises KeyError."""
        return self._kernel.is_packed(self._slots[key])

    def add(self, key: Key, model: Model) -> None:
        """Add a model, unpacked. Raises ValueError when the key is taken."""
        self._check(key)
        kind = self._kind(model.parameters)
        self._put(key, self._kernel.add(model.kernel, kind.prototype), kind)
        if kind.prototype is None:
            self._unpackable[key] = OWN_BYTES + BYTES_PER_BLOCK_BYTE * len(model.save())

    def add_block(self, key: Key, block: Block) -> None:
        """Add the model of a packed block, as it is: whether it is damaged is seen when it is used.

        Raises ValueError when the key is taken, or the block is another one.
        """
        self._check(key)
        kind = self._kind(block.parameters)
        if not block.packed or kind.prototype is None:
            raise ValueError(f"{key!r}: the block is not packed")
        state = np.frombuffer(block.state, dtype=np.uint8)
        self._put(key, self._kernel.add_packed(kind.prototype, block.rows, state), kind)

    def add_new(self, key: Key, parameters: params.Parameters) -> None:
        """Add a model that has scored nothing yet. Raises ValueError when the key is taken."""
        prototype = self._kind(parameters).prototype
        kernel = Model(parameters).kernel if prototype is None else prototype.clone()
        self.add(key, Model.around(kernel, parameters, 0))

    def discard(self, key: Key) -> None:
        """Take a model out, if there is one."""
        if key in self._slots:
            slot = self._slots.pop(key)
            self._kernel.remove(slot)
            self._kind_of[slot] = None
            self._unpackable.pop(key, None)

    def remove(self, key: Key) -> Model:
        """Take a model out and return it. Raises KeyError when there is none with this key."""
        model = self[key]
        self.discard(key)
        return model

    def keep_unpacked(self, count: int | None) -> None:
        """Let a packed model that is used stay unpacked only if so many are at most; None for any number."""
        self._kernel.set_most_unpacked(ANY_NUMBER if count is None else count)

    def pack(self, keys: Collection[Key], *, threads: int = 1) -> None:
        """Pack those of some models that can be. Raises KeyError."""
        self._kernel.pack(self._numbers(keys), threads)

    def blocks(self, keys: Sequence[Key], generations: Iterable[int], *, threads: int = 1) -> list[bytes]:
        """Return the blocks of models, packed where that is possible. Raises KeyError."""
        packing = [key for key in keys if self.packs(key)]
        states = dict(
            zip(packing, self._kernel.states(self._numbers(packing), threads), strict=True) if packing else ()
        )
        found = []
        for key, generation in zip(keys, generations, strict=True):
            kind = self._of(key)
            if key in states:
                found.append(packed_block(kind.in_block, generation, *states[key]))
            else:
                kernel = self._kernel.model(self._slots[key])
                model = Model.around(kernel, kind.parameters, generation)
                found.append(model.save())
        return found

    def _check(self, key: Key) -> None:
        if key in self._slots:
            raise ValueError(f"{key!r}: the pool has a model with this key")

    def _put(self, key: Key, slot: int, kind: _Kind) -> None:
        self._slots[key] = slot
        self._kind_of.extend([None] * (slot + 1 - len(self._kind_of)))
        self._kind_of[slot] = kind

    def _of(self, key: Key) -> _Kind:
        """Return what the model shares with others. Raises KeyError when there is none with this key."""
        kind = self._kind_of[self._slots[key]]
        assert kind is not None
        return kind

    def _numbers(self, keys: Collection[Key]) -> NDArray[np.uint32]:
        return np.fromiter((self._slots[key] for key in keys), dtype=np.uint32, count=len(keys))

    def _kind(self, parameters: params.Parameters) -> _Kind:
        found = self._kinds_by_id.get(id(parameters))
        if found is None:
            in_block = parameters_in_block(parameters)
            found = self._kinds.get(in_block[0])
            if found is None:
                model = Model(parameters)
                prototype = model.kernel if model.kernel.packs else None
                found = _Kind(parameters, prototype, model.prediction_steps, in_block)
                self._kinds[in_block[0]] = found
            if len(self._known) >= IDENTITIES_KEPT:
                self._known.clear()
                self._kinds_by_id.clear()
            self._known.append(parameters)
            self._kinds_by_id[id(parameters)] = found
        return found

    def _prediction_steps(self, key: Key) -> tuple[int, ...]:
        return self._of(key).steps
