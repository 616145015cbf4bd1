"""torchvision's list of mirrors and MD5s, downloaded by our own code.

torchvision's own downloader waits for minutes on a host that does not answer, prints to standard output and
writes files in place; its lists of addresses and digests are kept up to date, so those are taken from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from trainables.data.download import download
from trainables.data.errors import SourceError
from trainables.data.torchvision_import import torchvision_datasets


@dataclass(frozen=True)
class RemoteFile:
    """A file and where copies of it are.

    Attributes:
        name: File name, for example "train-images-idx3-ubyte.gz".
        md5: Hexadecimal MD5 of the file.
        urls: Addresses in order of preference.
    """

    name: str
    md5: str
    urls: tuple[str, ...]


def published_files(torchvision_name: str) -> list[RemoteFile]:
    """The files of a class of `torchvision.datasets`: those of MNIST's family, and Omniglot.

    Args:
        torchvision_name: Name of the class, for example "FashionMNIST".

    Returns:
        The files in torchvision's order.

    Raises:
        SourceError: If torchvision cannot be imported or no longer has these lists.
    """
    datasets = torchvision_datasets()
    try:
        listed = getattr(datasets, torchvision_name)
        if hasattr(listed, "zips_md5"):
            prefix = listed.download_url_prefix
            return [
                RemoteFile(f"{name}.zip", md5, (f"{prefix}/{name}.zip",))
                for name, md5 in listed.zips_md5.items()
            ]
        return [
            RemoteFile(name, md5, tuple(mirror + name for mirror in listed.mirrors))
            for name, md5 in listed.resources
        ]
    except AttributeError as error:
        raise SourceError(f"torchvision lists no files for {torchvision_name}: {error}") from error


class MirrorDownloads:
    """Downloads several files, remembering the hosts that failed so that each is waited for only once."""

    def __init__(self) -> None:
        self._failures: dict[str, str] = {}

    def get(self, file: RemoteFile, path: Path) -> None:
        """Downloads one file from the first address that has it.

        Args:
            file: What to download.
            path: Where it goes; its folder must exist.

        Raises:
            SourceError: If no address has it; the message gives each host's reason.
            OSError: If the folder cannot be written.
        """
        for url in file.urls:
            host = urlsplit(url).netloc
            if host in self._failures:
                continue
            try:
                download(url, path, file.md5)
            except SourceError as error:
                self._failures[host] = str(error)
            else:
                return
        raise SourceError("; ".join(self._failures[urlsplit(url).netloc] for url in file.urls))
