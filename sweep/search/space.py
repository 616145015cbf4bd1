"""The space of a search: the grid's cells, each reached by one choice for every list of its block."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sweep.spec.block import Block
from sweep.spec.sweep_spec import Spec
from trainables.schema import CellRequest, format_param, param_of

Suggest = Callable[[str, Sequence[str]], str]
"""Chooses one of the values of a named parameter, as `suggest_categorical` of an Optuna trial does."""

BLOCK = "block"
"""Name of the parameter that says which block of the grid a cell is from."""


@dataclass(frozen=True)
class Axis:
    """A list of a block with more than one value.

    Args:
        key: The block's key, for example "lr".
        name: Name of the parameter: the key, and a number where blocks have different lists under that key.
        values: What may be chosen: canonical strings, each once, and what they stand for in the block.
    """

    key: str
    name: str
    values: Mapping[str, object]


class SearchSpace:
    """The cells that a spec's grid declares, as a categorical space.

    Blocks with the same list under a key share that parameter, so that what is learned in one block counts in
    the other. A key with one value is no parameter, and neither is the block where there is only one.

    Args:
        spec: The spec.

    Attributes:
        requests: The cells with their seeds, by cell hash, in the order of the grid.
        blocks: The axes of each block.
    """

    def __init__(self, spec: Spec) -> None:
        self.requests: Mapping[str, CellRequest] = {request.cell.hash: request for request in spec.requests()}
        self.blocks = _axes(spec.grid)
        self._cell_at: dict[tuple[tuple[str, str], ...], str] = {}
        self._params_of: dict[str, Mapping[str, str]] = {}
        for index, block in enumerate(spec.grid):
            for params, single in self._settings(index, block):
                cell = next(spec.cells_of(single))  # a list of equal numbers gives the same one again
                self._cell_at[tuple(params.items())] = cell.hash
                self._params_of.setdefault(cell.hash, params)

    def __len__(self) -> int:
        return len(self.requests)

    def choose(self, suggest: Suggest) -> tuple[str, Mapping[str, str]]:
        """Have every parameter chosen; return the hash of the cell that this leads to, and the choices."""
        params: dict[str, str] = {}
        if len(self.blocks) > 1:
            params[BLOCK] = suggest(BLOCK, [str(index + 1) for index in range(len(self.blocks))])
        for axis in self.blocks[int(params.get(BLOCK, "1")) - 1]:
            params[axis.name] = suggest(axis.name, list(axis.values))
        return self._cell_at[tuple(params.items())], params

    def params_of(self, cell: str) -> Mapping[str, str]:
        """Return the choices that lead to a cell, given by its hash; the first ones where several do."""
        return self._params_of[cell]

    def nearest(self, params: Mapping[str, str], cells: Collection[str]) -> str:
        """Return the one of some cells, all given by their hashes, that differs in the fewest choices.

        Of several, the one is taken that a hash of choices and cell puts first, which favours no direction.
        """
        chosen = str(sorted(params.items()))

        def rank(cell: str) -> tuple[int, str]:
            other = self._params_of[cell]
            num_different = sum(params.get(name) != other.get(name) for name in {*params, *other})
            return num_different, hashlib.sha256(f"{chosen} {cell}".encode()).hexdigest()

        return min(cells, key=rank)

    def description(self) -> list[object]:
        """Return, in plain containers, what makes this space another than another: parameters and cells."""
        blocks = [[[axis.name, list(axis.values)] for axis in block] for block in self.blocks]
        return [blocks, sorted(self.requests)]

    def _settings(self, index: int, block: Block) -> Iterator[tuple[Mapping[str, str], Block]]:
        """Yield the choices in a block, each with the block of one value per key that it stands for."""
        axes = self.blocks[index]
        leading = {BLOCK: str(index + 1)} if len(self.blocks) > 1 else {}
        for names in itertools.product(*(axis.values for axis in axes)):
            chosen = list(zip(axes, names, strict=True))
            single = block.with_values({axis.key: axis.values[name] for axis, name in chosen})
            yield {**leading, **{axis.name: name for axis, name in chosen}}, single


def _axes(blocks: Sequence[Block]) -> tuple[tuple[Axis, ...], ...]:
    names: dict[str, dict[tuple[str, ...], str]] = {}
    found = []
    for block in blocks:
        axes = []
        for key, values in _lists(block):
            known = names.setdefault(key, {})
            name = known.setdefault(tuple(values), key if not known else f"{key} {len(known) + 1}")
            axes.append(Axis(key, name, values))
        found.append(tuple(axes))
    return tuple(found)


def _lists(block: Block) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the keys under which a block has several values that differ."""
    for key, stated in block.lists().items():
        write = param_of(key).canonical if key in block.hyperparameters else partial(format_param, key)
        values = {write(value): value for value in stated}
        if len(values) > 1:
            yield key, values
