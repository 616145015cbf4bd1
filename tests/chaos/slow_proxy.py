"""A proxy before a server that lets every answer wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.chaos.servers import unused_port

_CHUNK_BYTES = 2**16


class _SlowProxy(threading.Thread):
    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(name="slow-proxy")
        self.own_port = unused_port()
        self.is_up = threading.Event()
        self._port = port
        self._seconds = seconds
        self._end = asyncio.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.own_port)
        self.is_up.set()
        await self._end.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_pass_on(reader, to_server, 0), _pass_on(from_server, writer, self._seconds))


@contextmanager
def slow_proxy(port: int, seconds: float) -> Iterator[str]:
    """Pass everything on to a port of this machine, but let what comes back wait.

    Args:
        port: The server's port.
        seconds: How long every piece of an answer waits.

    Returns:
        A context manager that gives the URL of the proxy.
    """
    proxy = _SlowProxy(port, seconds)
    proxy.start()
    assert proxy.is_up.wait(60)
    try:
        yield f"http://127.0.0.1:{proxy.own_port}"
    finally:
        proxy.stop()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            await asyncio.sleep(seconds)
            writer.write(data)
            await writer.drain()
    writer.close()
