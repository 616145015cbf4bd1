"""One file from one URL: bounded waiting, MD5 checked, whole or not at all."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from trainables.atomic_file import atomic_file
from trainables.data.errors import SourceError
from trainables.data.notices import notice
from trainables.terminal import make_console

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 6.0
"""Longest wait for the first byte of an answer, names, redirects and every address of a host included."""
STALL_SECONDS = 15.0
"""Longest pause inside a transfer."""
CHUNK_BYTES = 1 << 16
MOST_BYTES = 1 << 28
"""Longest file; the largest of the datasets has 26 MB. A host that never stops would fill the disk."""


def download(url: str, path: Path, md5: str) -> None:
    """Downloads `url` to `path`, which is created or replaced only if the content has the stated MD5.

    Args:
        url: http or https address.
        path: Where the file goes; its folder must exist.
        md5: Hexadecimal MD5 of the content as it travels (nothing is decompressed).

    Raises:
        SourceError: If the host does not answer within seconds, refuses, stalls or sends something else.
        OSError: If the folder cannot be written.
    """
    host = urlsplit(url).netloc
    digest = hashlib.md5(usedforsecurity=False)
    with _answer(url) as response, atomic_file(path) as file:
        size = int(response.headers.get("Content-Length", 0))
        for chunk in _with_progress(_chunks(response, host), path.name, host, size):
            digest.update(chunk)
            file.write(chunk)
            if file.tell() > MOST_BYTES:
                raise SourceError(f"{url} is longer than {MOST_BYTES:,} bytes")
        if digest.hexdigest() != md5:
            raise SourceError(f"{url} has MD5 {digest.hexdigest()}, expected {md5}")


@contextmanager
def _answer(url: str) -> Iterator[requests.Response]:
    """The open, successful response. A thread asks: name look-ups and lists of addresses know no timeout."""
    host = urlsplit(url).netloc
    answers: queue.Queue[requests.Response | requests.RequestException] = queue.Queue()
    is_abandoned = threading.Event()

    def ask() -> None:
        try:
            # No transparent decoding: the MD5 is that of the .gz file itself.
            response = requests.get(
                url,
                stream=True,
                timeout=(CONNECT_SECONDS, STALL_SECONDS),
                headers={"Accept-Encoding": "identity"},
            )
        except requests.RequestException as error:
            answers.put(error)
            return
        answers.put(response)
        if is_abandoned.is_set():
            response.close()

    threading.Thread(target=ask, name=f"ask {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        is_abandoned.set()
        raise SourceError(f"{host}: no answer within {ANSWER_SECONDS:g} s") from None
    if isinstance(answer, requests.RequestException):
        raise SourceError(f"{host}: {_reason(answer)}") from answer
    with answer:
        if answer.status_code != requests.codes.ok:
            raise SourceError(f"{url}: HTTP status {answer.status_code} {answer.reason}")
        yield answer


def _chunks(response: requests.Response, host: str) -> Iterator[bytes]:
    try:
        yield from response.raw.stream(CHUNK_BYTES, decode_content=False)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise SourceError(f"{host}: transfer broke off: {_reason(error)}") from error


def _with_progress(chunks: Iterator[bytes], name: str, host: str, size: int) -> Iterator[bytes]:
    """Passes the chunks on; shows a bar on a terminal and says one line elsewhere."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        notice(f"downloading {name} from {host}" + (f" ({size / 1e6:.1f} MB)" if size else ""))
        yield from chunks
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{name} from {host}", total=size or None)
        for chunk in chunks:
            progress.advance(task, len(chunk))
            yield chunk


def _reason(error: BaseException) -> str:
    """The innermost cause: requests wraps "connection refused" in three layers of repr."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__
