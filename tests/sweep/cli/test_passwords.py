"""A store's password is in no output, log or file, whichever command it is given to and whatever happens."""

from __future__ import annotations

import base64
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sweep.home import Home
from sweep.runner import Outcome
from tests.chaos.servers import MlflowServer
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, record, spec_of

Command = Callable[..., Answer]

SECRET = "hunter22secret"
PNG = b"\x89PNG\r\n\x1a\n and so on"
COMMANDS = (
    "run grid.yaml",
    "run grid.yaml --dry-run",
    "plan grid.yaml",
    "plan grid.yaml --json",
    "status grid.yaml",
    "tables grid.yaml",
    "figures grid.yaml --out figures",
    "report grid.yaml",
    "ui",
    "doctor",
)


@pytest.fixture(autouse=True)
def spec_in_a_home(own_folder: Path) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    Home.resolve("home").make_folders()


def said(answer: Answer, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a command has printed or logged."""
    return answer.out + answer.err + caplog.text


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("is_in_environment", [False, True], ids=["flag", "environment"])
def test_server_that_is_away(
    command: str,
    is_in_environment: bool,
    catsweep: Command,
    unused_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uri = f"http://ann:{SECRET}@127.0.0.1:{unused_port}"
    words = [*command.split(), "--home", "home"]
    if is_in_environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    else:
        words += ["--tracking-uri", uri]
    all_said = said(catsweep(*words), caplog)
    assert SECRET not in all_said
    assert f"http://ann:***@127.0.0.1:{unused_port}" in all_said


@pytest.fixture(params=[401, 403, 500])
def refusing_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that is in good health and refuses everything else."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" and request.param == 500 else request.param)
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != "ui"])
def test_server_that_refuses(
    command: str, catsweep: Command, refusing_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"http://ann:{SECRET}@127.0.0.1:{refusing_port}"
    answer = catsweep(*command.split(), "--home", "home", "--tracking-uri", uri)
    assert SECRET not in said(answer, caplog)
    assert f"http://ann:***@127.0.0.1:{refusing_port}" in said(answer, caplog)
    assert answer.status != 0


WRONG_ADDRESSES = {
    f"postgresql://ann:{SECRET}@127.0.0.1:port/runs": "postgresql://ann:***@127.0.0.1:port/runs",
    f"postgresq://ann:{SECRET}@127.0.0.1/runs": "postgresq://ann:***@127.0.0.1/runs",
    f"ftp://ann:{SECRET}@127.0.0.1/runs": "ftp://ann:***@127.0.0.1/runs",
    f"http://ann:{SECRET}@127.0.0.1:port": "http://ann:***@127.0.0.1:port",
    f"https://{SECRET}@127.0.0.1:1": "https://***@127.0.0.1:1",
    f"mysql+nothing://ann:{SECRET}@127.0.0.1/runs": "mysql+nothing://ann:***@127.0.0.1/runs",
}


@pytest.mark.parametrize(("uri", "shown"), WRONG_ADDRESSES.items(), ids=WRONG_ADDRESSES.values())
def test_address_that_is_wrong(
    uri: str, shown: str, catsweep: Command, caplog: pytest.LogCaptureFixture
) -> None:
    answer = catsweep("plan", "grid.yaml", "--home", "home", "--tracking-uri", uri)
    assert SECRET not in said(answer, caplog)
    assert shown in said(answer, caplog)
    assert answer.status == 2
    assert answer.err.count("\n") == 1


def test_what_to_do_next_names_the_store_without_its_password(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: Outcome(1, 1, is_interrupted=True))
    uri = f"postgresql://ann:{SECRET}@db/runs"
    answer = catsweep("run", "grid.yaml", "--home", "home", "--tracking-uri", uri)
    assert SECRET not in answer.out + answer.err
    lines = answer.err.splitlines()
    assert "store: postgresql://ann:***@db/runs" in lines
    again = "catsweep run grid.yaml --home home --tracking-uri 'postgresql://ann:***@db/runs'"
    assert f"interrupted; to go on: {again}" in lines


def test_a_crash_of_ours_shows_its_traceback_without_the_password(
    catsweep: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **options: object) -> None:
        raise ZeroDivisionError(f"at http://ann:{SECRET}@store/runs")

    monkeypatch.setattr("sweep.api.placed_plan", fail)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(ZeroDivisionError) as caught:
        catsweep("plan", "grid.yaml")
    sys.excepthook(caught.type, caught.value, caught.tb)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("ZeroDivisionError: at http://ann:***@store/runs\n")


def test_the_ui_starts_no_program_whose_arguments_all_can_read(catsweep: Command) -> None:
    import psutil

    before = psutil.Process().children()
    answer = catsweep("ui", "--tracking-uri", f"postgresql://ann:{SECRET}@127.0.0.1:port/runs")
    assert SECRET not in answer.out + answer.err
    assert "postgresql://ann:***@127.0.0.1:port/runs" in answer.err
    assert (answer.status, psutil.Process().children()) == (2, before)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of a real tracking server, and the folder of its store."""
    folder = tmp_path_factory.mktemp("server")
    server = MlflowServer(folder, f"sqlite:///{folder / 'mlflow.db'}")
    try:
        server.start()
        yield server.port, folder
    finally:
        server.kill()


def test_whole_sweep_on_a_server_leaves_the_password_nowhere(
    server: tuple[int, Path],
    catsweep: Command,
    own_folder: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from sweep.quiet import quieten

    port, folder = server
    uri = f"http://ann:{SECRET}@127.0.0.1:{port}"
    home = Home.resolve("home", uri)
    caplog.set_level(logging.DEBUG, "sweep")
    quieten()
    driver = Driver(spec_of(), home)
    for pack in driver.plan.packs:
        driver.train(pack, record(1, 110.0), record(2, 100.0))
        driver.tracker.log_pictures(pack, [PNG])
    driver.tracker.close(is_complete=True)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    for command in (
        "run grid.yaml",
        "status grid.yaml",
        "tables grid.yaml",
        "report grid.yaml",
        "doctor",
        "ui",
    ):
        answer = catsweep(*command.split(), "--home", "home", "--tracking-uri", uri)
        assert SECRET not in answer.out + answer.err
        assert answer.status == (2 if command == "ui" else 0), answer.err
    assert SECRET not in caplog.text
    page = Path("report.html").read_text()
    assert f"http://ann:***@127.0.0.1:{port}" in page
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in page
    files = [path for place in (own_folder, folder) for path in place.rglob("*") if path.is_file()]
    assert {"mlflow.db", "spec.yaml", "environment.json"} <= {path.name for path in files}
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
