"""The page in a real browser: it sorts, tells values, prints, fits a telephone, asks nobody for anything."""

import re

import pytest

from tests.browser import Browser, find_browser

pytestmark = pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this machine")

FIRST_TABLE = "document.querySelector('table.sortable')"
STATUS_TABLE = "document.querySelector('#status table.sortable')"
TIP = "document.getElementById('tip').hidden ? null : document.getElementById('tip').innerText"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(find_browser(), tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def text(sweep_of_every_state):
    return sweep_of_every_state.report()


@pytest.fixture(scope="module")
def path(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text)
    return path


@pytest.fixture
def changed(text, tmp_path):
    """Return a function that writes the page with something planted at the end of its body."""

    def write(html):
        path = tmp_path / "changed.html"
        path.write_text(text.replace("</body>", f"{html}</body>"))
        return path

    return write


def column(browser, table, place):
    return browser.run(f"[...{table}.tBodies[0].rows].map((row) => row.cells[{place}].textContent)")


def heading(place, table):
    return f"{table}.tHead.rows[0].cells[{place}]"


def click(browser, place, table=FIRST_TABLE):
    browser.run(f"{heading(place, table)}.querySelector('button').click()")
    return browser.run(f"[...{table}.tHead.rows[0].cells].map((cell) => cell.getAttribute('aria-sort'))")


def test_a_click_sorts_upwards_then_downwards_then_not(browser, path):
    browser.open(path)
    before = column(browser, FIRST_TABLE, 1)
    assert before == ["105.00 ± 2.83 (n=2)", "98.25 ± 0.35 (n=2)", "93.00 (n=1)", "--"]
    assert click(browser, 1) == ["none", "ascending"]
    assert column(browser, FIRST_TABLE, 1) == [before[2], before[1], before[0], "--"]
    assert click(browser, 1) == ["none", "descending"]
    assert column(browser, FIRST_TABLE, 1) == [
        before[0],
        before[1],
        before[2],
        "--",
    ]  # what has no number: last
    assert click(browser, 0) == ["ascending", "none"]
    assert column(browser, FIRST_TABLE, 0)[1:] == ["ReinMax", "ReinMax-Rao", "ST"]
    click(browser, 0)
    assert click(browser, 0) == ["none", "none"]
    assert column(browser, FIRST_TABLE, 1) == before


def test_numbers_are_not_sorted_as_texts(browser, changed):
    browser.open(changed(""))
    body = f"{STATUS_TABLE}.tBodies[0]"
    browser.run(f"[9, 10, 100, 2, 1].forEach((n, at) => {{ {body}.rows[at].cells[2].textContent = n }})")
    click(browser, 2, STATUS_TABLE)
    assert column(browser, STATUS_TABLE, 2) == ["1", "2", "9", "10", "100"]


def test_the_keyboard_sorts_too(browser, path):
    browser.open(path)
    browser.run(f"{heading(1, FIRST_TABLE)}.querySelector('button').focus()")
    browser.key("Enter")
    assert browser.run(f"{heading(1, FIRST_TABLE)}.getAttribute('aria-sort')") == "ascending"
    assert column(browser, FIRST_TABLE, 1)[0] == "93.00 (n=1)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_asked_for_and_nothing_is_complained_of(scheme, browser, path):
    browser.open(path, scheme=scheme)
    browser.run(f"{FIRST_TABLE}.querySelector('button').click()")
    assert browser.complaints == []
    assert browser.requests == [path.as_uri()]


def test_what_a_page_asks_for_and_complains_of_is_seen(browser, changed):
    path = changed("")
    path.write_text(path.read_text().replace("Content-Security-Policy", "none"))  # whose images load
    path.write_text(path.read_text().replace("</body>", "<img src='http://127.0.0.1:9/x.png'></body>"))
    browser.open(path)
    assert "http://127.0.0.1:9/x.png" in browser.requests
    assert any("ERR_CONNECTION_REFUSED" in one or "x.png" in one for one in browser.complaints)


def test_a_script_that_came_in_unescaped_would_not_run(browser, changed, text, tmp_path):
    browser.open(changed("<script>window.hacked = 1</script><p onclick='window.hacked = 1' id='bait'>x</p>"))
    browser.run("document.getElementById('bait').click()")
    assert browser.run("typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in one for one in browser.complaints)
    unprotected = tmp_path / "unprotected.html"  # the check above can fail
    unprotected.write_text(
        changed("<script>window.hacked = 1</script>").read_text().replace("Content-Sec", "x")
    )
    browser.open(unprotected)
    assert browser.run("window.hacked") == 1


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_only_tables_scroll_sideways(width, browser, path):
    browser.open(path, width=width, height=844)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert browser.run("document.documentElement.scrollWidth") == width
    if width == 390:
        boxes = "[...document.querySelectorAll('.scroll')]"
        assert browser.run(f"{boxes}.some((box) => box.scrollWidth > box.clientWidth)")


def test_what_does_not_fit_a_telephone_is_seen(browser, changed):
    browser.open(changed("<p>" + "wide" * 300 + "</p>"), width=390, height=844)
    assert browser.run("document.documentElement.scrollWidth") > 390


def where(browser, place):
    """Return where the place-th point of ST's first line is in the window."""
    return browser.run(f"""(() => {{
      const group = document.querySelector('.series[data-label="ST"]');
      const svg = group.closest('svg');
      svg.scrollIntoView({{ block: 'center' }});
      const [x, y] = group.dataset.points.split(';')[{place}].split('|').map(Number);
      const point = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
      return [point.x, point.y];
    }})()""")


def test_a_line_tells_its_values_to_the_mouse(browser, path):
    browser.open(path)
    for place, value in ((0, "epoch 1, 104.00 ± 2.83, n = 2"), (2, "epoch 3, 102.00 ± 2.83, n = 2")):
        x, y = where(browser, place)
        browser.mouse(x + 3, y + 2)
        assert browser.run(TIP).split("\n") == ["ST", value]
    browser.mouse(2, 2)
    assert browser.run(TIP) is None


def test_a_line_tells_its_values_to_a_finger(browser, path):
    browser.open(path, width=390, height=844)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    x, y = where(browser, 1)
    browser.touch(x, y)
    assert browser.run(TIP).split("\n") == ["ST", "epoch 2, 103.00 ± 2.83, n = 2"]
    box = browser.run(
        "(({left, right}) => [left, right])(document.getElementById('tip').getBoundingClientRect())"
    )
    assert 0 <= box[0] < box[1] <= 390
    browser.touch(2, 2)
    assert browser.run(TIP) is None
    browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_a_line_tells_its_values_to_the_keyboard(browser, path):
    browser.open(path)
    browser.run("document.querySelector('svg.plot').focus()")
    labels = browser.run("[...document.querySelectorAll('svg.plot')[0].querySelectorAll('.series')]"
                         ".map((one) => one.dataset.label)")  # fmt: skip
    said = []
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp", "Home"):
        browser.key(key)
        said.append(browser.run(TIP).split("\n"))
    assert [name for name, _ in said] == [labels[0]] * 3 + [labels[1]] + [labels[0]] * 2
    epochs = [re.search(r"epoch (\d)", value)[1] for _, value in said]
    assert epochs == ["3", "2", "3", "3", "3", "1"]
    browser.key("Escape")
    assert browser.run(TIP) is None


def test_it_prints_with_everything_unfolded(browser, path):
    browser.open(path)
    folded = browser.run("document.querySelectorAll('details:not([open])').length")
    assert folded > 2
    paper = browser.pdf()
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == folded
