import io
import socket
import time
from pathlib import Path

import pytest
from rich.console import Console

from trainables.data import download as module
from trainables.data.download import download
from trainables.data.errors import SourceError

NAME = "t10k-images-idx3-ubyte.gz"


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def md5_of(small) -> str:
    return {file.name: file.md5 for file in small.listing("")}[NAME]


@pytest.mark.parametrize("behaviour", ["good", "encoded"])
def test_file_arrives_as_it_was_sent_without_being_unpacked(tmp_path: Path, server, small, behaviour) -> None:
    download(f"{server.root}/{behaviour}/{NAME}", tmp_path / "file", md5_of(small))
    assert (tmp_path / "file").read_bytes() == small.packed[NAME]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [("missing", "HTTP status 404"), ("wrong", "has MD5 .* expected"), ("cut", "transfer broke off")],
)
def test_failed_download_says_why_and_leaves_nothing(
    tmp_path: Path, server, small, behaviour, message
) -> None:
    with pytest.raises(SourceError, match=message):
        download(f"{server.root}/{behaviour}/{NAME}", tmp_path / "file", md5_of(small))
    assert list(tmp_path.iterdir()) == []


def test_file_without_end_is_given_up_and_leaves_nothing(tmp_path: Path, server, small, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", len(small.packed[NAME]) - 1)
    with pytest.raises(SourceError, match=r"is longer than [\d,]+ bytes"):
        download(f"{server.root}/good/{NAME}", tmp_path / "file", md5_of(small))
    assert list(tmp_path.iterdir()) == []


def test_refused_connection_names_host_and_reason(tmp_path: Path) -> None:
    host = f"127.0.0.1:{unused_port()}"
    with pytest.raises(SourceError, match=f"^{host}: Connection refused$"):
        download(f"http://{host}/{NAME}", tmp_path / "file", "")


def test_host_that_never_answers_is_given_up(tmp_path: Path, server, monkeypatch) -> None:
    assert module.ANSWER_SECONDS <= 10
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"no answer within 0\.5 s"):
        download(f"{server.root}/silent/{NAME}", tmp_path / "file", "")
    assert time.monotonic() - began < 5


def test_transfer_that_stalls_is_given_up(tmp_path: Path, server, small, monkeypatch) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.5)
    with pytest.raises(SourceError, match="transfer broke off"):
        download(f"{server.root}/stalling/{NAME}", tmp_path / "file", md5_of(small))
    assert list(tmp_path.iterdir()) == []


def test_progress_is_one_line_where_there_is_no_terminal(tmp_path: Path, server, small, capfd) -> None:
    download(f"{server.root}/good/{NAME}", tmp_path / "file", md5_of(small))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("downloading file from 127.0.0.1:")


def test_progress_is_a_bar_on_a_terminal(tmp_path: Path, server, small, monkeypatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        module, "make_console", lambda **_options: Console(file=screen, force_terminal=True, width=120)
    )
    download(f"{server.root}/good/{NAME}", tmp_path / "file", md5_of(small))
    assert "file from 127.0.0.1:" in screen.getvalue()
    assert "━" in screen.getvalue()
    assert "downloading" not in screen.getvalue()
