"""`catsweep check`: is an estimator right, how biased, how noisy, how fast?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.aligned import aligned
from sweep.cli.options import HomeOption, JsonOption
from trainables.terminal import echo, make_console

if TYPE_CHECKING:
    from estimators import Estimator
    from estimators.checks.contract import Outcome
    from estimators.checks.quality import Problem, Quality

YARDSTICKS = ("reinmax", "gumbel_rao")


def command(
    target: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="A file or module with estimators, or the id of one.")
    ],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Check an estimator of yours: the contract that those that ship keep, its bias, its spread and its cost.

    Bias is the distance of the mean of thousands of estimates from the exact gradient, spread the root of
    their summed variance, both in units of that gradient's norm: of polynomials of degree 1 to 4, of a small
    network, and, where the home has MNIST, of the reconstruction term of an 8x4 auto-encoder after a hundred
    steps. Cost is that of a draw and its gradient at 8x4. Beside it stand ReinMax and Gumbel-Rao.

    The exit status is 0 if the contract holds, else 1. Bias is no breach of it.

    Example: `catsweep check reinmax`
    """
    from rich.progress import Progress

    from estimators.checks.contract import check_contract
    from estimators.checks.quality import polynomials, quality, step_seconds
    from sweep.home import Home

    entries = _entries(target)
    own = [entry.name for entry in entries]
    from estimators import REGISTRY

    shown = [*entries, *(REGISTRY[name] for name in YARDSTICKS if name not in own)]
    binary = {entry.categorical_dim for entry in entries} - {None}
    categorical_dim = binary.pop() if binary else None
    if categorical_dim:
        problems = [*polynomials(categorical_dim)]
    else:
        problems = [*polynomials(), *_trained(Home.resolve(home))]
    with Progress(console=make_console(stderr=True), transient=True) as progress:
        todo = progress.add_task("checking", total=len(entries) + len(problems) * len(shown) + 1)
        outcomes = {}
        for entry in entries:
            outcomes[entry.name] = check_contract(entry)
            progress.advance(todo)
        measured: dict[str, list[Quality]] = {entry.name: [] for entry in shown}
        failed: dict[str, str] = {}
        for entry in shown:
            for problem in problems:
                _measure(entry, problem, quality, measured, failed)
                progress.advance(todo)
        able = [entry for entry in shown if entry.name not in failed]
        seconds = dict(
            zip([entry.name for entry in able], step_seconds(able, categorical_dim or 8), strict=True)
        )
    if as_json:
        echo(json.dumps(_as_json(outcomes, measured, seconds, failed), indent=1))
    else:
        echo("\n".join(_lines(outcomes, measured, seconds, failed)))
    if failed or any(one.problem for group in outcomes.values() for one in group):
        raise typer.Exit(1)


def _entries(target: str) -> list[Estimator]:
    """Return the estimators to check: one that is known by its id, or those of a file or module."""
    from estimators import REGISTRY
    from sweep.spec.use import use

    if target in REGISTRY:
        return [REGISTRY[target]]
    return [REGISTRY[name] for name in use(target, Path())]


def _trained(home: Any) -> list[Problem]:
    """Return the reconstruction term of a trained auto-encoder, where the home has the images."""
    from trainables.data import DataError, load

    try:
        images = load("mnist", home.data)
    except DataError:
        return []
    from trainables.trained_problem import trained_problem

    return [trained_problem(images)]


def _measure(
    entry: Estimator,
    problem: Problem,
    quality: Any,
    measured: dict[str, list[Quality]],
    failed: dict[str, str],
) -> None:
    if entry.name in failed:
        return
    try:
        measured[entry.name].append(quality(entry, problem))
    except Exception as error:  # noqa: BLE001 whatever a user's code raises is her finding
        failed[entry.name] = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _lines(
    outcomes: dict[str, list[Outcome]],
    measured: dict[str, list[Quality]],
    seconds: dict[str, float],
    failed: dict[str, str],
) -> Iterator[str]:
    for name, group in outcomes.items():
        broken = [one for one in group if one.problem]
        yield f"{name}: {len(group) - len(broken)} of {len(group)} rules of the contract hold"
        yield from (f"  broken: {one.rule}: {one.problem}" for one in broken)
        if name in failed:
            yield f"  could not be measured: {failed[name]}"
    names = [name for name in measured if name not in failed]
    if not names:
        return
    problems = [one.problem for one in measured[names[0]]]
    for title, show in (("bias", _bias), ("spread", lambda one: f"{one.spread:.3g}")):
        yield ""
        rows = [[title, *problems], *([name, *map(show, measured[name])] for name in names)]
        yield from aligned(rows)
    yield ""
    yield from aligned([["cost of a step", "microseconds", "of reinmax"], *_costs(names, seconds)])
    yield ""
    yield (
        "bias: |mean - exact| / |exact|; ~ stands before what is no more than twice the noise of the mean. "
        "spread: root of the summed variances / |exact|."
    )


def _bias(one: Quality) -> str:
    return f"{'~' if one.bias <= 2 * one.noise else ''}{one.bias:.2g}"


def _costs(names: Sequence[str], seconds: dict[str, float]) -> Iterator[list[str]]:
    for name in names:
        ratio = seconds[name] / seconds["reinmax"]
        yield [name, f"{seconds[name] * 1e6:.0f}", f"{ratio:.2f}"]


def _as_json(
    outcomes: dict[str, list[Outcome]],
    measured: dict[str, list[Quality]],
    seconds: dict[str, float],
    failed: dict[str, str],
) -> dict[str, object]:
    return {
        "contract": {
            name: {one.rule: one.problem or None for one in group} for name, group in outcomes.items()
        },
        "quality": {name: [vars(one) for one in group] for name, group in measured.items()},
        "seconds": seconds,
        "failed": failed,
    }
