from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer

Command = Callable[..., Answer]


@pytest.mark.parametrize("listens_on", ["127.0.0.1", ""])
def test_a_port_that_another_program_has_is_an_error_and_no_address(
    listens_on: str, catsweep: Command, home: Home
) -> None:
    with socket.create_server((listens_on, 0)) as other:
        port = other.getsockname()[1]
        assert catsweep("ui", "--home", home.path, "--port", port) == Answer(
            2,
            "",
            f"error: cannot listen on port {port} of 127.0.0.1: {os.strerror(errno.EADDRINUSE)}; "
            "choose another with --port or --host\n",
        )


def test_a_host_that_is_not_this_machine_is_an_error(catsweep: Command, home: Home) -> None:
    answer = catsweep("ui", "--home", home.path, "--host", "192.0.2.1")
    assert answer.status == 2
    assert answer.err.startswith("error: cannot listen on port 5000 of 192.0.2.1: ")


def test_a_store_that_is_not_there_is_not_made(catsweep: Command, own_folder: Path) -> None:
    assert catsweep("ui") == Answer(
        2,
        "",
        f"error: there is no store at {own_folder}/.catsweep/mlflow.db yet; "
        "run a sweep first: catsweep run SPEC\n",
    )
    assert list(own_folder.iterdir()) == []


def test_a_server_has_a_ui_of_its_own(catsweep: Command) -> None:
    assert catsweep("ui", "--tracking-uri", "http://store:5000") == Answer(
        2, "", "error: the store is a server, which has a UI of its own: open http://store:5000\n"
    )
