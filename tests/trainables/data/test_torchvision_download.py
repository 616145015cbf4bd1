"""torchvision's own download: from a server of ours, from one that says nothing, and without torchvision."""

import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trainables.data import torchvision_process
from trainables.data.errors import SourceError
from trainables.data.idx.dataset import LocalIdx
from trainables.data.torchvision_download import download
from trainables.data.torchvision_import import torchvision_datasets
from trainables.data.torchvision_process import ANSWER_SECONDS, MOST_BYTES, download_here


def digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def serve() -> Iterator:
    """Serves files by name, and gives the address of the server."""
    servers: list[ThreadingHTTPServer] = []

    def start(files: dict[str, bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                content = files[self.path.strip("/")]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def not_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the download's own process does to itself is not done to that of the tests."""
    monkeypatch.setattr(torchvision_process, "ANSWER_SECONDS", 600)
    yield
    socket.setdefaulttimeout(None)


def test_what_torchvision_downloads_is_what_is_installed(small, serve, tmp_path: Path, monkeypatch) -> None:
    mnist = torchvision_datasets().MNIST
    monkeypatch.setattr(mnist, "mirrors", [f"{serve(small.packed)}/"])
    monkeypatch.setattr(mnist, "resources", [(name, digest(one)) for name, one in small.packed.items()])
    download_here("MNIST", tmp_path / "temporary")
    (tmp_path / "target").mkdir()
    LocalIdx(small.files, (tmp_path / "temporary",)).obtain(tmp_path / "target")
    assert {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()} == small.content


def test_a_host_with_other_content_is_an_error(small, serve, tmp_path: Path, monkeypatch) -> None:
    mnist = torchvision_datasets().MNIST
    monkeypatch.setattr(mnist, "resources", [(name, digest(one)) for name, one in small.packed.items()])
    other = {name: gzip.compress(b"other") for name in small.packed}
    monkeypatch.setattr(mnist, "mirrors", [f"{serve(other)}/"])
    with pytest.raises(RuntimeError, match=r"Error downloading train-images-idx3-ubyte\.gz(.|\n)*corrupted"):
        download_here("MNIST", tmp_path)


def test_both_zips_of_omniglot_are_downloaded_and_checked(serve, tmp_path: Path, monkeypatch) -> None:
    files = {"images_background.zip": b"one", "images_evaluation.zip": b"two"}
    listed = torchvision_datasets().Omniglot
    assert {f"{name}.zip" for name in listed.zips_md5} == set(files)
    monkeypatch.setattr(listed, "download_url_prefix", serve(files))
    monkeypatch.setattr(listed, "zips_md5", {name[:-4]: digest(one) for name, one in files.items()})
    download_here("Omniglot", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    monkeypatch.setattr(listed, "zips_md5", dict.fromkeys(listed.zips_md5, "0" * 32))
    (tmp_path / "again").mkdir()
    with pytest.raises(RuntimeError, match="corrupted"):
        download_here("Omniglot", tmp_path / "again")


def fake_torchvision(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes import a torchvision whose MNIST does what a line of code says."""
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").touch()
    (folder / "torchvision" / "datasets.py").write_text(
        f"import os, time\nclass MNIST:\n    def __init__(self, folder, download):\n        {body}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_hosts_that_say_nothing_are_given_up_in_seconds(tmp_path: Path, monkeypatch, capfd) -> None:
    assert ANSWER_SECONDS < 5
    fake_torchvision(tmp_path, "time.sleep(60)", monkeypatch)
    (tmp_path / "target").mkdir()
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"^no host has answered within 3 s$"):
        download("MNIST", tmp_path / "target")
    assert time.monotonic() - began < 30  # three seconds, and what a busy machine takes to start
    assert capfd.readouterr() == ("", "downloading MNIST from the hosts that torchvision lists\n")


def test_a_slow_host_that_has_answered_is_waited_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torchvision_process, "ANSWER_SECONDS", 0.1)
    (tmp_path / "target").mkdir()

    class Slow:
        def MNIST(self, folder: Path, download: bool) -> None:  # noqa: ARG002
            (folder / "file").write_bytes(b"first bytes")
            time.sleep(0.5)
            (folder / "file").write_bytes(b"all of it")

    monkeypatch.setattr(torchvision_process, "torchvision_datasets", Slow)
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    download_here("MNIST", tmp_path / "target")
    assert ended == []
    assert (tmp_path / "target" / "file").read_bytes() == b"all of it"


def test_a_file_without_end_is_given_up_before_it_fills_the_disk(tmp_path: Path, monkeypatch) -> None:
    body = f"open(os.path.join(folder, 'file'), 'wb').truncate({MOST_BYTES} + 1)"
    fake_torchvision(tmp_path, body, monkeypatch)
    with pytest.raises(SourceError, match="File too large"):
        download("MNIST", tmp_path)


def test_an_error_of_torchvisions_is_the_reason(tmp_path: Path, monkeypatch) -> None:
    fake_torchvision(tmp_path, "raise RuntimeError('Tried\\n host')", monkeypatch)
    with pytest.raises(SourceError, match=r"^Tried host$"):
        download("MNIST", tmp_path)


def test_absent_torchvision_is_a_source_that_fails(tmp_path: Path, monkeypatch) -> None:
    fake_torchvision(tmp_path, "", monkeypatch)
    (tmp_path / "torchvision" / "__init__.py").write_text("raise ImportError('no such thing')")
    with pytest.raises(SourceError, match=r"^torchvision cannot be imported: no such thing$"):
        download("MNIST", tmp_path)
