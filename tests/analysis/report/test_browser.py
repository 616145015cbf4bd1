"""The page in a real browser: it sorts, tells values, prints, fits a telephone, asks nobody for anything."""

import re

import pytest

from tests.browser import Browser, find_browser

pytestmark = pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this machine")

FIRST_TABLE = "document.querySelector('table.sortable')"
STATUS_TABLE = "document.querySelector('#status table.sortable')"
SHOWN = "#vg-tooltip-element.visible"
TIP = "document.querySelector('#vg-tooltip-element.visible')?.innerText ?? null"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
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
        before, end, after = text.rpartition("</body>")
        path.write_text(f"{before}{html}{end}{after}")
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
    browser.page.keyboard.press("Enter")
    assert browser.run(f"{heading(1, FIRST_TABLE)}.getAttribute('aria-sort')") == "ascending"
    assert column(browser, FIRST_TABLE, 1)[0] == "93.00 (n=1)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_asked_for_and_nothing_is_complained_of(scheme, browser, path):
    browser.open(path, scheme=scheme)
    browser.run(f"{FIRST_TABLE}.querySelector('button').click()")
    assert browser.complaints == []
    assert browser.requests == [path.as_uri()]


def test_what_a_page_asks_for_and_complains_of_is_seen(browser, changed):
    path = changed("<img src='http://127.0.0.1:9/x.png'>")
    path.write_text(path.read_text().replace("Content-Security-Policy", "none"))  # whose images load
    browser.open(path)
    browser.page.wait_for_load_state()
    assert "http://127.0.0.1:9/x.png" in browser.requests
    assert any("x.png" in one for one in browser.complaints)


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


FIRST_VIEW = ".view >> nth=0"


def points(browser, line):
    """Return where the points of a line of the first figure are in the window, from left to right."""
    browser.page.locator(FIRST_VIEW).scroll_into_view_if_needed()
    return browser.run(f"""[...document.querySelectorAll('.view')[0].querySelectorAll('path[aria-label]')]
      .filter((one) => one.getAttribute('aria-label').includes('line: {line};'))
      .map((one) => one.getBoundingClientRect())
      .map((box) => [box.x + box.width / 2, box.y + box.height / 2]).sort((a, b) => a[0] - b[0])""")


def told(browser):
    browser.page.wait_for_selector(SHOWN)
    return dict(row.split("\t") for row in browser.run(TIP).split("\n"))


def test_a_line_tells_its_values_to_the_mouse(browser, path):
    browser.open(path)
    places = points(browser, "ST")
    for (x, y), epoch, value in ((places[0], "1", "104.00 ± 2.83"), (places[-1], "3", "102.00 ± 2.83")):
        browser.page.mouse.move(x, y)
        browser.page.wait_for_timeout(200)
        loss = "train negative ELBO (nats per image)"
        assert told(browser) == {"line": "ST", "epoch": epoch, loss: value, "n": "2"}
    browser.page.mouse.move(2, 2)
    browser.page.wait_for_selector(SHOWN, state="hidden")


def test_every_value_of_a_figure_is_in_a_table_that_the_keyboard_opens(browser, path):
    browser.open(path)
    browser.page.locator(".values summary >> nth=0").press("Enter")
    table = "document.querySelector('.values table')"
    browser.page.wait_for_selector(".values tbody tr >> nth=0")
    heads = browser.run(f"[...{table}.tHead.rows[0].cells].map((cell) => cell.textContent)")
    assert heads == ["line", "epoch", "train negative ELBO (nats per image)", "n"]
    rows = browser.run(f"[...{table}.tBodies[0].rows].map((row) => [...row.cells].map((c) => c.textContent))")
    assert ["ST", "2", "103.00 ± 2.83", "2"] in rows
    assert len(rows) == len({tuple(row) for row in rows})
    browser.run(f"{table}.querySelector('button').click()")
    assert browser.run(f"{table}.tBodies[0].rows[0].cells[0].textContent").startswith("GST")


def test_a_name_of_the_legend_switches_its_line_off_and_on(browser, path):
    browser.open(path)
    before = len(points(browser, "ST"))
    box = browser.page.locator(".legend input[value=ST] >> nth=0")
    box.press("Space")
    assert (before, len(points(browser, "ST"))) == (3, 0)
    assert len(points(browser, "ReinMax lr 0.001")) == 3
    box.press("Space")
    assert len(points(browser, "ST")) == 3


def test_a_wheel_zooms_with_ctrl_and_scrolls_without(browser, path):
    browser.open(path)

    def span():
        places = points(browser, "ST")
        return places[-1][0] - places[0][0]

    (x, y), before = points(browser, "ST")[1], span()
    browser.page.mouse.move(x, y)
    browser.page.mouse.wheel(0, -60)
    browser.page.wait_for_timeout(200)
    assert span() == pytest.approx(before, abs=1)
    (x, y) = points(browser, "ST")[1]
    browser.page.mouse.move(x, y)
    browser.page.keyboard.down("Control")
    browser.page.mouse.wheel(0, -60)
    browser.page.keyboard.up("Control")
    browser.page.wait_for_timeout(500)
    assert span() > before + 5


@pytest.mark.parametrize(("scheme", "color"), [("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")])
def test_colours_follow_the_scheme_of_the_browser(scheme, color, browser, path):
    browser.open(path, scheme=scheme)
    line = "document.querySelector('.view path[aria-label*=\"line: ST;\"]')"
    assert browser.run(f"getComputedStyle({line}).stroke") == color


def test_it_prints_with_everything_unfolded(browser, path):
    browser.open(path)
    folded = browser.run("document.querySelectorAll('details:not([open])').length")
    assert folded > 2
    paper = browser.page.pdf()
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open], .values)').length") == 0
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == folded
