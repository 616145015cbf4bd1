"""The server of `catsweep ui` as a stranger on the machine meets it, and as its user does."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from sweep.execution.tracking import open_experiment
from sweep.home import Home
from sweep.store.artifact_bytes import log_bytes

SECRET = b"0600, and nobody else's business"
PICTURE = b"\x89PNG\r\n\x1a\n of a member"
ROOT = Path(__file__).parents[3]
SECONDS = 120
READING = {
    "/",
    "/static-files/<path:path>",
    "/get-artifact",
    "/graphql",
    "/health",
    "/version",
    *(
        f"{prefix}/{version}.0/mlflow/{name}"
        for prefix in ("/api", "/ajax-api")
        for version in (2, 3)
        for name in (
            "artifacts/list",
            "experiments/get",
            "experiments/get-by-name",
            "experiments/search",
            "experiments/search-datasets",
            "logged-models/search",
            "metrics/get-history",
            "metrics/get-history-bulk",
            "metrics/get-history-bulk-interval",
            "model-versions/search",
            "registered-models/search",
            "runs/get",
            "runs/search",
            "server-info",
        )
    ),
}


@dataclass(frozen=True)
class Served:
    """A home whose UI runs, and what a stranger has put into its store and beside it beforehand."""

    address: str
    home: Home
    experiment: str
    run: str
    their_folder: Path
    their_run: str
    secret: Path

    def get(self, url: str, **values: str) -> requests.Response:
        return requests.get(f"{self.address}{url}", params=values, timeout=SECONDS)

    def post(self, path: str, value: Any) -> requests.Response:
        return requests.post(f"{self.address}{path}", json=value, timeout=SECONDS)

    def api(self, name: str, value: Any) -> requests.Response:
        return self.post(f"/ajax-api/2.0/mlflow/{name}", value)

    def graphql(self, query: str) -> requests.Response:
        return self.post("/graphql", {"query": f"query {{ {query} }}"})

    def artifact(self, run: str, path: str) -> requests.Response:
        return self.get("/get-artifact", run_uuid=run, path=path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ui")
    home = Home.resolve(folder / "home", "")
    home.make_folders()
    shutil.copy(empty_store_file, home.path / "mlflow.db")
    client = MlflowClient(home.tracking_uri)
    experiment = open_experiment(client, "small", home)
    run = client.create_run(experiment).info.run_id
    client.log_metric(run, "test_neg_elbo", 101.5, step=1)
    log_bytes(client, run, PICTURE, "picture.png")

    secret = folder / "private" / "key"
    secret.parent.mkdir()
    secret.write_bytes(SECRET)
    (home.artifacts / run / "artifacts" / "link").symlink_to(secret)
    theirs = folder / "theirs"
    their_run = client.create_run(client.create_experiment("theirs", theirs.as_uri())).info.run_id
    (theirs / their_run).mkdir(parents=True)
    (theirs / their_run / "artifacts").symlink_to(secret.parent)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from sweep.cli import main; main()", "ui"]
    with subprocess.Popen(
        [*command, "--home", str(home.path), "--port", str(port)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        address = f"http://127.0.0.1:{port}"
        said = next((line for line in server.stderr if "MLflow UI" in line), "")
        assert said == f"MLflow UI on {address} (Ctrl-C ends it)\n"
        yield Served(address, home, experiment, run, theirs, their_run, secret)
        server.terminate()
        server.communicate()


def test_what_is_answered_is_what_reads_and_nothing_else(served: Served) -> None:
    from mlflow.server import app

    refused, answered = set(), set()
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            url = served.address + re.sub("<[^>]*>", "x", rule.rule)
            answer = requests.request(method, url, json={}, timeout=SECONDS)
            is_refused = answer.status_code == 403 and "changes nothing" in answer.text
            (refused if is_refused else answered).add(rule.rule)
    assert answered <= READING
    assert refused.isdisjoint(READING)
    assert len(refused) > 200


def test_what_only_mlflows_other_server_answers_is_not_there(served: Served) -> None:
    for path in ("/gateway/a/mlflow/invocations", "/v1/traces", "/ajax-api/3.0/mlflow/assistant/config"):
        assert served.post(path, {}).status_code in (403, 404, 405)


@pytest.fixture
def their_new_run(served: Served) -> str:
    """What a stranger gets who asks for an experiment in a folder of theirs, and for a run of it."""
    made = served.api(
        "experiments/create", {"name": "new", "artifact_location": served.their_folder.as_uri()}
    )
    run = served.api("runs/create", {"experiment_id": made.json().get("experiment_id", "0")})
    return str(run.json().get("run", {}).get("info", {}).get("run_id", ""))


def test_a_stranger_makes_no_experiment(served: Served, their_new_run: str) -> None:
    assert their_new_run == ""
    found = MlflowClient(served.home.tracking_uri).search_experiments()
    assert sorted(one.name for one in found) == ["Default", "small", "theirs"]


def test_no_file_outside_the_homes_artifacts_is_read(served: Served) -> None:
    """Through a run whose artifacts are, as the store has it, a stranger's link, and through one of ours."""
    for answer in (
        served.artifact(served.their_run, "key"),
        served.artifact(served.run, "link"),
        served.artifact(served.run, "../../../../private/key"),
        served.artifact(served.run, str(served.secret)),
    ):
        assert answer.status_code in (400, 403), answer.url
        assert SECRET not in answer.content


def test_no_folder_outside_the_homes_artifacts_is_listed(served: Served) -> None:
    listed = served.get("/ajax-api/2.0/mlflow/artifacts/list", run_id=served.their_run)
    assert listed.status_code == 403
    asked = served.graphql(
        f'mlflowListArtifacts(input: {{runId: "{served.their_run}"}}) {{ files {{ path }} }}'
    )
    for text in (listed.text, asked.text):
        assert "not in" in text
        assert '"key"' not in text


@pytest.mark.parametrize("run", ["run", "their_run"])
def test_nothing_is_written(served: Served, run: str) -> None:
    before = sorted(served.home.artifacts.rglob("*"))
    upload = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={getattr(served, run)}&path=key"
    assert requests.post(served.address + upload, data=b"theirs", timeout=SECONDS).status_code == 403
    put = f"{served.address}/api/2.0/mlflow-artifacts/artifacts/key"
    assert requests.put(put, data=b"theirs", timeout=SECONDS).status_code == 403
    assert served.secret.read_bytes() == SECRET
    assert sorted(served.home.artifacts.rglob("*")) == before


def test_runs_their_metrics_and_their_artifacts_are_shown(served: Served) -> None:
    assert "<title>MLflow</title>" in served.get("/").text
    experiments = served.api("experiments/search", {"max_results": 10}).json()["experiments"]
    assert served.experiment in [one["experiment_id"] for one in experiments]
    runs = served.api("runs/search", {"experiment_ids": [served.experiment]}).json()["runs"]
    assert [(run["info"]["run_id"], run["data"]["metrics"][0]["value"]) for run in runs] == [
        (served.run, 101.5)
    ]
    history = served.get(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval",
        run_ids=served.run,
        metric_key="test_neg_elbo",
        max_results="10",
    )
    assert [row["value"] for row in history.json()["metrics"]] == [101.5]
    listed = served.get("/ajax-api/2.0/mlflow/artifacts/list", run_id=served.run).json()
    assert "picture.png" in [one["path"] for one in listed["files"]]
    assert served.artifact(served.run, "picture.png").content == PICTURE
    asked = served.graphql(
        f'mlflowGetRun(input: {{runId: "{served.run}"}}) {{ run {{ info {{ runUuid }} }} }}'
    )
    assert asked.json()["data"]["mlflowGetRun"]["run"]["info"]["runUuid"] == served.run


def test_a_page_of_another_address_learns_nothing(served: Served) -> None:
    """As one would that has its name lead to this machine."""
    answer = requests.get(served.address, headers={"Host": "evil.example"}, timeout=SECONDS)
    assert answer.status_code == 403
