"""The notebook of the documentation is kept without outputs, and runs from its first cell to its last."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "docs" / "tour.ipynb"
_SECONDS_A_CELL = 540


def test_notebook_is_kept_without_outputs() -> None:
    cells = [cell for cell in json.loads(TOUR.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)


@pytest.mark.slow
def test_notebook_goes_from_a_spec_to_a_figure(
    mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name in ("CATSWEEP_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    (tmp_path / "tour").mkdir()
    (tmp_path / "tour" / "data").symlink_to(mnist_folder, target_is_directory=True)
    notebook = nbformat.read(TOUR, as_version=4)
    client = NotebookClient(
        notebook, timeout=_SECONDS_A_CELL, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [
        "".join(str(output.get("data", {})) for output in cell["outputs"])
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert all(label in shown[2] for label in ("ReinMax", "Gumbel"))
    assert "complete" in shown[2]
    assert "image/png" in shown[3]
    assert "image/svg+xml" in shown[4]
    assert (tmp_path / "tour" / "figures" / "test_neg_elbo-epoch.svg").stat().st_size > 10_000
