import subprocess
import sys

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from analysis.choices import UnknownNameError
from analysis.figure_error import FigureError
from analysis.figures import write_files
from analysis.figures.line_plot import draw_lines
from analysis.figures.look import own_look
from analysis.figures.panels import Line, Panel

SIGNS = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}


def example():
    import numpy as np

    ramp = np.array([1.0, 2.0, 3.0])
    line = Line("ReinMax τ 1.0", "reinmax", ramp, ramp, np.stack([ramp, ramp]) / 10)
    with own_look():
        return draw_lines((Panel("8x4", "epoch", "loss", (line,)),), {}, ("n = 2 seeds.",))


def test_every_format_is_written(tmp_path):
    paths = write_files({"one": example()}, tmp_path / "made" / "here")
    assert [path.name for path in paths] == ["one.pdf", "one.svg", "one.png"]
    assert all(path.read_bytes().startswith(SIGNS[path.suffix[1:]]) for path in paths)


@pytest.mark.parametrize("output_format", SIGNS)
def test_the_same_figure_is_the_same_bytes_in_another_process(output_format, tmp_path):
    (path,) = write_files({"one": example()}, tmp_path, [output_format])
    code = (
        "from tests.analysis.figures.test_files import example; from analysis.figures import write_files; "
        f"from pathlib import Path; write_files({{'two': example()}}, Path({str(tmp_path)!r}), "
        f"[{output_format!r}])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"SOURCE_DATE_EPOCH": "1"})
    assert path.read_bytes() == (tmp_path / f"two.{output_format}").read_bytes()


def test_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown format 'jpg'; allowed: pdf, svg, png"):
        write_files({"one": example()}, tmp_path / "out", ["png", "jpg"])
    assert not (tmp_path / "out").exists()


def test_what_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FigureError, match=r"out must be a folder that can be written to, got .*file"):
        write_files({"one": Figure()}, tmp_path / "file", ["svg"])


def test_matplotlibs_own_settings_neither_matter_nor_change():
    with mpl.rc_context({"font.size": 30, "axes.grid": False}):
        figure = example()
        assert figure.axes[0].title.get_fontsize() == 8.5
        assert mpl.rcParams["font.size"] == 30
