"""What every node of a cluster must have: the driver's versions and code, and the driver's home."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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


def node_problems(
    wanted: Mapping[str, float], checkpoints: Path, gpu_problem: Callable[[], str]
) -> list[str]:
    """Ask every node that a pack may run on what it has, and return what is wrong, and on which nodes.

    Nodes that an autoscaler starts later are not asked. Python and Ray itself are the driver's on every node:
    Ray lets no other join.

    Args:
        wanted: Ray's resources that a pack gets.
        checkpoints: The home's folder of checkpoints; nodes see it where the home is on a shared path.
        gpu_problem: Says on a node why a GPU that a pack gets there cannot be used, or ""; asked of nodes
            that have the driver's code, where packs get one.
    """
    look, token = _make_look(), secrets.token_hex(8)
    nodes = {
        node["NodeID"]: node for node in ray.nodes() if node["Alive"] and holds(node["Resources"], wanted)
    }
    probe = checkpoints / f".probe-{token}"
    probe.write_text(token)
    try:
        mine = {**look(str(checkpoints), token), "code": training_code.own_code()}
        answers = _answers(nodes, 0, look, str(checkpoints), token)
        problems = _by_address(
            nodes, {node: _problem(one, mine, checkpoints) for node, one in answers.items()}
        )
    finally:
        probe.unlink()
    if not problems and wanted.get("GPU", 0) > 0:
        answers = _answers(nodes, wanted["GPU"], gpu_problem)
        problems = _by_address(nodes, {node: _gpu_problem(one) for node, one in answers.items()})
    return [f"{problem} (node {', '.join(sorted(addresses))})" for problem, addresses in problems.items()]


def _answers(
    nodes: Mapping[str, Any], num_gpus: float, question: Callable[..., Any], *words: str
) -> dict[str, ray.ObjectRef]:
    """Ask all nodes at once, and wait for them."""
    answers = {}
    for node_id in nodes:
        there = NodeAffinitySchedulingStrategy(node_id, soft=False)
        task = ray.remote(num_cpus=0, num_gpus=num_gpus, max_retries=0, scheduling_strategy=there)(question)
        answers[node_id] = task.remote(*words)
    if answers:
        ray.wait(list(answers.values()), num_returns=len(answers), timeout=_PATIENCE_SECONDS)
    return answers


def _by_address(nodes: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the addresses of the nodes that have a problem, by the problem."""
    problems: dict[str, list[str]] = {}
    for node_id, problem in found.items():
        if problem:
            problems.setdefault(problem, []).append(nodes[node_id]["NodeManagerAddress"])
    return problems


def _gpu_problem(answer: ray.ObjectRef) -> str:
    try:
        problem = ray.get(answer, timeout=0)
    except ray.exceptions.GetTimeoutError:
        return f"a node must give a GPU within {_PATIENCE_SECONDS:.0f} s, others may be using it"
    except ray.exceptions.RayError as error:
        return f"a node must answer, got {' '.join(str(error).split())[:200]}"
    if not problem:
        return ""
    return (
        f"a node that has a GPU for Ray must have one for PyTorch, but {problem}; mend that, or leave GPUs "
        f"alone with --gpus 0"
    )


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
