"""A small IDX dataset, a local server that serves it well or badly, and processes that fetch from it."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from trainables.data import DATASETS
from trainables.data.idx import encode_idx
from trainables.data.idx_dataset import IDX_NAMES, IdxDataset
from trainables.data.idx_file import IdxFile
from trainables.data.idx_mirrors import IdxMirrors
from trainables.data.torchvision_mirrors import RemoteFile

REPOSITORY = Path(__file__).resolve().parents[3]


class SmallIdx:
    """Four IDX files like MNIST's, with 300 training and 200 test images."""

    def __init__(self) -> None:
        draw = np.random.default_rng(7)
        sizes = (300, 300, 200, 200)
        arrays = [
            draw.integers(0, 256, (size, 28, 28), dtype=np.uint8)
            if position % 2 == 0
            else (np.arange(size) % 10).astype(np.uint8)
            for position, size in enumerate(sizes)
        ]
        self.content = {name: encode_idx(array) for name, array in zip(IDX_NAMES, arrays, strict=True)}
        self.packed = {f"{name}.gz": gzip.compress(raw, mtime=0) for name, raw in self.content.items()}
        self.files = tuple(
            IdxFile(name, md5(self.content[name]), array.shape)
            for name, array in zip(IDX_NAMES, arrays, strict=True)
        )

    def listing(self, *roots: str) -> list[RemoteFile]:
        """The files as a mirror list gives them, one address per root."""
        return [
            RemoteFile(name, md5(packed), tuple(f"{root}/{name}" for root in roots))
            for name, packed in self.packed.items()
        ]

    def dataset(self, *roots: str) -> IdxDataset:
        """The dataset "mnist" with these mirrors as its only remote source."""
        mirrors = IdxMirrors(self.files, "MNIST", listing=lambda _: self.listing(*roots))
        return IdxDataset("mnist", self.files, "MNIST", (mirrors,), images_per_class=(30, 20))


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Server:
    """Serves files under /good; the other first folders misbehave as their names say."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.requests: list[str] = []
        self.release = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                owner.requests.append(self.path)
                _, behaviour, name = self.path.split("/")
                content = files[name]
                if behaviour == "silent":
                    owner.release.wait(60)
                    return
                if behaviour == "missing":
                    self.send_error(404)
                    return
                if behaviour == "wrong":
                    content = content[:-1] + bytes([content[-1] ^ 1])
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                if behaviour == "encoded":
                    self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                if behaviour == "cut":
                    return
                if behaviour == "stalling":
                    owner.release.wait(60)
                self.wfile.write(content[half:])

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


_FETCH = """
import json, sys
from pathlib import Path
from trainables.data import DATASETS, fetch
from trainables.data.idx_dataset import IdxDataset
from trainables.data.idx_file import IdxFile
from trainables.data.idx_mirrors import IdxMirrors
from trainables.data.torchvision_mirrors import RemoteFile

folder, files, remote = json.load(sys.stdin)
files = tuple(IdxFile(name, md5, tuple(shape)) for name, md5, shape in files)
remote = [RemoteFile(name, md5, tuple(urls)) for name, md5, urls in remote]
mirrors = IdxMirrors(files, "MNIST", listing=lambda _: remote)
DATASETS["mnist"] = IdxDataset("mnist", files, "MNIST", (mirrors,))
fetch("mnist", Path(folder))
"""


@pytest.fixture
def small() -> SmallIdx:
    return SmallIdx()


@pytest.fixture
def server(small: SmallIdx) -> Iterator[Server]:
    running = Server(small.packed)
    yield running
    running.close()


@pytest.fixture
def use_small(small: SmallIdx, monkeypatch: pytest.MonkeyPatch) -> Callable[..., IdxDataset]:
    """Puts the small dataset into the registry as "mnist", with the given mirrors."""

    def use(*roots: str) -> IdxDataset:
        dataset = small.dataset(*roots)
        monkeypatch.setitem(DATASETS, "mnist", dataset)
        return dataset

    return use


@pytest.fixture
def start_fetch(small: SmallIdx) -> Iterator[Callable[[Path, str], "subprocess.Popen[str]"]]:
    """Starts a process that fetches the small dataset into a folder from a mirror."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, root: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", _FETCH],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        files = [(file.name, file.md5, file.shape) for file in small.files]
        remote = [(file.name, file.md5, file.urls) for file in small.listing(root)]
        assert process.stdin is not None
        process.stdin.write(json.dumps([str(folder), files, remote]))
        process.stdin.close()
        process.stdin = None
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
