"""The estimators' pages: the committed ones are current, and what was measured is kept or replaced."""

from pathlib import Path

import pytest

from estimators import REGISTRY
from estimators.pages import MEASURED, kept_section, main, measured_section, page

PAGES = Path(__file__).parents[2] / "docs" / "estimators"
HEAD = "estimator,epoch,metric,n,mean,std\n"
MEASURED_OF_ST = (
    HEAD + "st,20,gradient_variance,2,0.00012345,0.00001\n"
    "st,1,gradient_variance,3,0.25,0.0125\nst,1,gradient_cosine,3,0.98765,0.001\n"
    "st,20,own_metric,1,7,\nst,20,gradient_cosine,2,0.5,0.25\n"
)
SECTION_OF_ST = """\
| epoch | seeds | cosine | variance | own_metric |
|---|---|---|---|---|
| 1 | 3 | 0.988 ± 0.001 | 0.25 ± 0.013 |  |
| 20 | 1 or 2 | 0.5 ± 0.25 | 0.000123 ± 1e-05 | 7 |
"""


@pytest.fixture
def measured(tmp_path):
    """Return a function that writes a file of measured values."""

    def write(text):
        path = tmp_path / "measured.csv"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_page_is_what_the_docstring_and_the_registry_say(path):
    text = path.read_text()
    assert path.stem in REGISTRY, f"{path.name} is of no estimator: remove it"
    assert text == page(REGISTRY[path.stem], kept_section(text)), "run `make docs`"


def test_every_estimator_gets_a_page_that_says_that_nothing_is_measured(tmp_path):
    main([str(tmp_path)])
    assert {path.stem for path in tmp_path.iterdir()} == set(REGISTRY)
    for path in tmp_path.iterdir():
        said = "Neither: the others are measured against it." if path.stem == "exact" else "Not measured yet."
        assert path.read_text().endswith(f"{MEASURED}\n{said}\n")


def test_measured_values_are_written_and_then_kept(tmp_path, measured):
    main([str(tmp_path), "--measured", measured(MEASURED_OF_ST)])
    text = (tmp_path / "st.md").read_text()
    assert text.endswith(SECTION_OF_ST)
    assert "Not measured yet" in (tmp_path / "stgs.md").read_text()
    main([str(tmp_path)])
    assert (tmp_path / "st.md").read_text() == text


def test_measured_values_of_others_leave_a_page_alone(tmp_path, measured):
    main([str(tmp_path), "--measured", measured(MEASURED_OF_ST)])
    main([str(tmp_path), "--measured", measured(HEAD + "stgs,1,gradient_cosine,3,0.9,0.1\n")])
    assert (tmp_path / "st.md").read_text().endswith(SECTION_OF_ST)
    assert "0.9 ± 0.1" in (tmp_path / "stgs.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("estimator,epoch,metric,n,mean\n", "must have the columns .*, lacks std"),
        (HEAD + "sst,1,gradient_cosine,3,0.9,0.1\n", "known id, got 'sst'.*line 2"),
        (HEAD + "st,1,gradient_cosine,3,0.9,0.1\nst,one,gradient_cosine,3,0.9,0.1\n", "'one'.*line 3"),
    ],
)
def test_bad_file_of_measured_values_is_refused(tmp_path, measured, text, message):
    with pytest.raises(ValueError, match=message):
        main([str(tmp_path), "--measured", measured(text)])
    assert not (tmp_path / "st.md").exists()


def test_nothing_in_a_page_is_taken_for_markup():
    text = page(REGISTRY["scater"], measured_section(()))
    prose = "".join(text.split("```")[::2])
    assert "<" not in prose.replace("<!--", "").replace("<= ", "").replace("< ", "")
    assert "*" not in prose.replace("\\*", "")
