"""What every node of a cluster must have: the driver's versions and code, and the driver's home."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainables import training_code

Look = Callable[[str, str], dict[str, str]]

_PATIENCE_SECONDS = 120.0
"""How long a node may take to answer: it starts a process first, of low priority on a busy machine."""
_HOME = "home"


def holds(resources: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    """Return whether a node with these resources has room for what is wanted, while nothing else runs."""
    return all(resources.get(name, 0) >= amount for name, amount in wanted.items())


def node_problems(wanted: Mapping[str, float], checkpoints: Path) -> list[str]:
    """Ask every node that a pack may run on what it has, and return what is wrong, and on which nodes.

    Nodes that an autoscaler starts later are not asked. Python and Ray itself are the driver's on every node:
    Ray lets no other join.

    Args:
        wanted: Ray's resources that a pack gets.
        checkpoints: The home's folder of checkpoints; nodes see it where the home is on a shared path.
    """
    look, token = _make_look(), secrets.token_hex(8)
    nodes = {
        node["NodeID"]: node for node in ray.nodes() if node["Alive"] and holds(node["Resources"], wanted)
    }
    probe = checkpoints / f".probe-{token}"
    probe.write_text(token)
    try:
        mine = {**look(str(checkpoints), token), "code": training_code.own_code()}
        answers = {node_id: _ask(look, node_id, str(checkpoints), token) for node_id in nodes}
        if answers:
            ray.wait(list(answers.values()), num_returns=len(answers), timeout=_PATIENCE_SECONDS)
        problems: dict[str, list[str]] = {}
        for node_id, answer in answers.items():
            if problem := _problem(answer, mine, checkpoints):
                problems.setdefault(problem, []).append(nodes[node_id]["NodeManagerAddress"])
    finally:
        probe.unlink()
    return [f"{problem} (node {', '.join(sorted(addresses))})" for problem, addresses in problems.items()]


def _ask(look: Look, node_id: str, folder: str, token: str) -> ray.ObjectRef:
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(look)
    return task.remote(folder, token)


def _problem(answer: ray.ObjectRef, mine: Mapping[str, str], checkpoints: Path) -> str:
    """Return what is wrong with a node; nothing where all is well."""
    try:
        theirs = ray.get(answer, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return f"a node must answer within {_PATIENCE_SECONDS:.0f} s"
    except ray.exceptions.RayError as error:
        return f"a node must answer, got {' '.join(str(error).split())[:200]}"
    for name, value in theirs.items():
        if name != _HOME and value != mine[name]:
            return (
                f"{name} must be {mine[name]} on every node, as it is for the driver, since results depend "
                f"on it; got {value}"
            )
    if theirs[_HOME]:
        return (
            f"home must be a folder that all nodes see under the same path and may write, got "
            f"{checkpoints.parent} ({theirs[_HOME]}); choose another with --home"
        )
    return ""


def _make_look() -> Look:
    """Return the function that looks around, which Ray sends whole to any node, whatever code that has."""
    cloudpickle.register_pickle_by_value(training_code)
    code = training_code.code_hash

    def look(folder: str, token: str) -> dict[str, str]:
        import os
        from importlib import metadata
        from pathlib import Path

        def version(package: str) -> str:
            try:
                return metadata.version(package).split("+")[0]  # the builds with and without CUDA are one
            except metadata.PackageNotFoundError:
                return "missing"

        def home() -> str:
            try:
                if (Path(folder) / f".probe-{token}").read_text() != token:
                    return "another folder of the same name"
                mark = Path(folder) / f".probe-{token}-{os.getpid()}"
                mark.write_text(token)
                mark.unlink()
            except OSError as error:
                return error.strerror or str(error)
            return ""

        return {
            "torch": version("torch"),
            "catsweep": version("catsweep"),
            "code": code(),
            "home": home(),
        }

    return look
