from html.parser import HTMLParser

from analysis.formats.sheet import Entry, Sheet
from analysis.formats.to_html import render_html

STRANGE = "<script>alert(\"x\")</script> & 'y'"
EMPTY = {"meta", "!doctype"}


class Checked(HTMLParser):
    """The tags of a page in their order; fails where one is not closed in its place."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.links, self._open = [], [], [], []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def sheet(**changes):
    rows = ((Entry(STRANGE), Entry("1.00 ± 0.10", 1)), (Entry("ST"), Entry("2.00 ± 0.10", 2, "a")))
    return Sheet(("estimator", "8x4"), rows, ("unit & <more>", "a: " + STRANGE), 1, **changes)


def test_page_is_well_formed_and_loads_and_runs_nothing():
    page = render_html(sheet(below=(sheet(title="Below <it>"),)))
    checked = Checked(page)
    assert not {"script", "link", "img", "iframe"} & set(checked.tags)
    assert checked.links == []
    assert "url(" not in page
    assert "@import" not in page


def test_every_text_is_escaped_and_reads_as_it_is():
    checked = Checked(render_html(sheet(title=STRANGE)))
    assert checked.texts.count(STRANGE) == 2  # its title and its first row
    assert "a: " + STRANGE in checked.texts
    assert "unit & <more>" in checked.texts


def test_ranks_and_footnotes_are_elements():
    page = render_html(sheet())
    assert '<td class="number"><b>1.00 ± 0.10</b></td>' in page
    assert '<td class="number"><u>2.00 ± 0.10</u><sup>a</sup></td>' in page
    assert "<b>bold</b> best, <u>underlined</u> second, <i>italic</i> third; lowest is best." in page


def test_page_fits_a_telephone():
    page = render_html(sheet())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert "overflow-x: auto" in page
    assert '<th scope="row">ST</th>' in page


def test_tables_below_follow_under_their_titles():
    page = render_html(sheet(below=(sheet(title="Chosen"), sheet(title="Tests"))))
    assert page.count("<table ") == 3
    assert page.index("<h2>Chosen</h2>") < page.index("<h2>Tests</h2>")
