"""The files for `ray up` pass Ray's own validator; the commands of docs/cluster.md lead to the table."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parent.parent
FILES = ("cluster.yaml", "cluster-local.yaml")

POSTGRES = Path("/usr/lib/postgresql/15/bin/initdb")

Config = dict[str, Any]


def load(name: str) -> Config:
    config: Config = yaml.safe_load((ROOT / name).read_text())
    return config


def validate(config: Config) -> Config:
    """Do what `ray up` does with a file before it speaks to a provider."""
    prepared: Config = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def commands(config: Config) -> Iterator[str]:
    for key, value in config.items():
        if key.endswith("_commands"):
            yield from value


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_the_file_without_a_network_or_a_providers_library(name: str) -> None:
    validate(load(name))
    assert "boto3" not in sys.modules


def misspell_a_key(config: Config) -> None:
    config["file_mount"] = config.pop("file_mounts")


def leave_out_the_provider(config: Config) -> None:
    del config["provider"]["type"]


def name_no_head(config: Config) -> None:
    config["head_node_type"] = "haed"


def leave_out_the_resources(config: Config) -> None:
    del config["available_node_types"]["gpu"]["resources"]


def ask_for_more_workers_than_allowed(config: Config) -> None:
    config["available_node_types"]["gpu"]["min_workers"] = config["max_workers"] + 1


def leave_out_the_workers(config: Config) -> None:
    del config["provider"]["worker_ips"]


def write_a_command_as_a_mapping(config: Config) -> None:
    config["setup_commands"].append({"ray": "stop"})


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("cluster.yaml", misspell_a_key),
        ("cluster.yaml", leave_out_the_provider),
        ("cluster.yaml", name_no_head),
        ("cluster.yaml", leave_out_the_resources),
        ("cluster.yaml", ask_for_more_workers_than_allowed),
        ("cluster.yaml", write_a_command_as_a_mapping),
        ("cluster-local.yaml", misspell_a_key),
        ("cluster-local.yaml", leave_out_the_workers),
        ("cluster-local.yaml", write_a_command_as_a_mapping),
    ],
)
def test_ray_refuses_a_planted_mistake(name: str, spoil: Callable[[Config], None]) -> None:
    config = load(name)
    spoil(config)
    with pytest.raises((jsonschema.ValidationError, ValueError, KeyError, click.ClickException)):
        validate(config)


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_shell(name: str) -> None:
    for command in commands(validate(load(name))):
        answer = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True)
        assert (answer.returncode, answer.stderr) == (0, ""), command


def test_nodes_scale_from_none_and_gpu_workers_are_spot_instances() -> None:
    types = validate(load("cluster.yaml"))["available_node_types"]
    assert {name: kind["min_workers"] for name, kind in types.items()} == {"head": 0, "gpu": 0, "cpu": 0}
    assert types["head"]["max_workers"] == 0
    assert "GPU" not in types["head"]["resources"]
    for name in ("gpu", "cpu"):
        assert types[name]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


@pytest.mark.parametrize("name", FILES)
def test_workers_are_told_of_no_database_and_no_file_holds_a_secret(name: str) -> None:
    config = load(name)
    for_workers = config.get("worker_setup_commands", []) + config["worker_start_ray_commands"]
    assert not any(word in command for command in for_workers for word in ("postgres", "mlflow", "psycopg"))
    assert not any("assword" in command for command in commands(config))


@pytest.mark.parametrize("name", FILES)
def test_what_is_installed_is_pinned_and_every_node_authenticates(name: str) -> None:
    config = load(name)
    installs = [command for command in commands(config) if "pip install" in command]
    assert installs
    assert all("--constraint ~/catsweep/constraints.txt" in command for command in installs)
    starts = [command for command in commands(config) if "ray start" in command]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "~/.ray/auth_token" in config["file_mounts"]


def shell_blocks(title: str) -> list[str]:
    """Return the blocks of shell in a section of docs/cluster.md."""
    page = (ROOT / "docs" / "cluster.md").read_text()
    (section,) = re.findall(rf"^## {title}\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


HOME_OF_THE_HEAD_ALONE = """
sed 's/seeds: 2/seeds: 3/' $demo/small.yaml > $demo/more.yaml
host head mkdir /mnt/home
host head ln -s $demo/home/data /mnt/home/data
if host head .venv/bin/catsweep run $demo/more.yaml --address auto \\
    --tracking-uri http://mlflow:5000 --home /mnt/home; then exit 9; fi
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    os.geteuid() != 0 or not POSTGRES.exists() or shutil.which("nsenter") is None,
    reason="needs root, PostgreSQL 15 and namespaces",
)
def test_a_cluster_on_one_machine_ends_in_a_table(tmp_path: Path, mnist_folder: Path) -> None:
    install_and_fetch, *run, clean_up = shell_blocks("Try it on one machine")
    assert "data fetch mnist --home ~/catsweep-demo/home" in install_and_fetch
    shutil.copytree(mnist_folder / "mnist", tmp_path / "catsweep-demo" / "home" / "data" / "mnist")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_"))}
    script = "\n".join(["set -e", f"trap '{clean_up}' EXIT", *run, HOME_OF_THE_HEAD_ALONE])
    with (tmp_path / "log").open(
        "w+"
    ) as log:  # a file, since what the script leaves running holds on to a pipe
        status = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env={**environment, "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ).returncode
    text = (tmp_path / "log").read_text()
    assert status == 0, text
    assert "4 members finished" in text
    assert "Every cell is complete." in text
    assert "error: home must be a folder that all nodes see under the same path" in text
    assert "(node 10.77.0.2, 10.77.0.3)" in text
    assert not (tmp_path / "catsweep-demo").exists()
