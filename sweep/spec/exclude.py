"""What a block of a grid leaves out of its combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sweep.spec.values import SpecValueError
from trainables.schema import param_of

Exclude = tuple[Mapping[str, tuple[Any, ...]], ...]
Values = Mapping[str, Sequence[object]]


def is_excluded(exclude: Exclude, offered: Values) -> Callable[[Mapping[str, object]], bool]:
    """Return what says whether a combination is left out.

    Args:
        exclude: The block's entries; one leaves out what has one of its values under every one of its keys.
        offered: The values that are combined, by key; estimator and latent are keys with one value.
    """
    entries = [found for entry in exclude if all((found := _found(entry, offered)).values())]
    return lambda setting: any(
        all(setting[key] in values for key, values in one.items() if key in setting) for one in entries
    )


def check_exclude(exclude: Exclude, keys: Sequence[str], offers: Iterable[Values], index: int) -> None:
    """Refuse entries that leave nothing out, which are mistyped.

    Args:
        exclude: The block's entries.
        keys: The keys of a block.
        offers: The values that are combined, for every estimator and latent of the block.
        index: The block's place in the grid.
    Raises:
        SpecValueError: If an entry fits no combination.
    """
    known = list(offers)
    for number, entry in enumerate(exclude):
        place = (index, "exclude", number)
        for key, values in entry.items():
            if key not in keys:
                raise SpecValueError("exclude must state keys of its block", key, keys, place=place)
            offered = dict.fromkeys(text for one in known for text in _texts(key, one.get(key, ())))
            for value, text in zip(values, _texts(key, values), strict=True):
                if text not in offered:
                    has = ", ".join(offered) or "not stated"
                    rule = f"exclude must state values of its block, whose {key} is {has}"
                    raise SpecValueError(rule, value, place=(*place, key))
        if not any(all(_found(entry, one).values()) for one in known):
            raise SpecValueError("exclude must fit a combination of its block", dict(entry), place=place)


def _found(entry: Mapping[str, Sequence[Any]], offered: Values) -> dict[str, list[object]]:
    """Return which of the offered values an entry means, under each of its keys."""
    return {key: list(_meant(key, values, offered.get(key, ()))) for key, values in entry.items()}


def _meant(key: str, values: Sequence[Any], offered: Sequence[object]) -> Iterator[object]:
    texts = set(_texts(key, values))
    return (value for value, text in zip(offered, _texts(key, offered), strict=True) if text in texts)


def _texts(key: str, values: Sequence[object]) -> list[str]:
    """Return values in the form in which equal ones are equal, and what has none as it is written."""
    return [_text(key, value) for value in values]


def _text(key: str, value: object) -> str:
    try:
        return param_of(key).canonical(value)
    except ValueError:
        return str(value)
