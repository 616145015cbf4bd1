"""The page says what the store holds: known numbers, every state, where they come from, and no secret."""

import base64
import json
import re
from html.parser import HTMLParser

import pytest

from analysis import load_runs, table
from analysis.formats.layout import lay_out
from analysis.report import report
from analysis.report.collection import datetime
from analysis.tables.typed_table import Table
from sweep.redaction import redact

EMPTY = {"meta", "link", "img", "br", "input"}


class View:
    """The data of a figure's panel."""

    def __init__(self, text):
        self.text, self.spec = text, json.loads(text)

    @property
    def labels(self):
        return list(dict.fromkeys(row["label"] for row in self.spec["data"]["values"]))

    def values(self, label):
        rows = self.spec["data"]["values"]
        return [row for row in rows if row["label"] == label and not row.get("is_seed")]


class Page(HTMLParser):
    """A page taken apart; fails where a tag is not closed in its place."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.rows, self.texts, self._open = [], [], [], [], []
        self.views, self.scripts = [], 0
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.scripts += tag == "script" and ("type", "application/json") not in attrs
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] == ["script"] and data.startswith("{"):
            self.views.append(View(data))
        if "style" not in self._open and "script" not in self._open:
            self.texts.append(data)
        if self.rows and {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def values(self, tag, name):
        return [value for of, key, value in self.attributes if (of, key) == (tag, name)]


@pytest.fixture(scope="module")
def page(sweep_of_every_state):
    return Page(sweep_of_every_state.report())


def entries(sheet):
    return [[entry.text + entry.mark for entry in row] for row in sheet.rows]


@pytest.mark.parametrize("metric", ["test_neg_elbo", "train_neg_elbo"])
@pytest.mark.parametrize("options", [{}, {"select": "best"}])
def test_tables_hold_what_the_command_prints(metric, options, sweep_of_every_state, page):
    runs = load_runs(sweep_of_every_state.store.uri, metrics=["test_neg_elbo", "train_neg_elbo"])
    sheet = lay_out(Table.of(table(runs, sweep_of_every_state.requests, metric=metric, **options)))
    assert len(sheet.rows) > 3
    for row in entries(sheet):
        assert row in page.rows
    for note in sheet.notes:
        assert note in page.text


def test_known_numbers_and_their_spread(page):
    # Train losses 100 and 104 are 102 ± sqrt(8); the test loss is 3 more.
    assert ["ST", "102.00 ± 2.83 (n=2)"] in page.rows
    assert ["ST", "105.00 ± 2.83 (n=2)"] in page.rows
    assert ["ReinMax", "95.25 ± 0.35 (n=2)"] in page.rows  # the better of its two cells
    assert ["ReinMax-Rao", "--"] in page.rows


def test_points_of_the_figures_are_said_with_mean_spread_and_number_of_seeds(page):
    (rows,) = [view.values("ST") for view in page.views if "test negative" in view.text]
    said = [(row["x"], row["value"], row["n"]) for row in rows]
    assert said == [(1, "107.00 ± 2.83", 2), (2, "106.00 ± 2.83", 2), (3, "105.00 ± 2.83", 2)]


def test_every_cell_has_its_state_and_every_failure_its_reason(page):
    header = ["cell", "latent", "done", "running", "failed", "diverged", "missing", "what became of them"]
    assert header in page.rows
    assert ["ST", "8x4", "2", "0", "0", "0", "0", ""] in page.rows
    assert ["ReinMax-Rao", "8x4", "0", "0", "0", "0", "2", ""] in page.rows
    (odd,) = [row for row in page.rows if len(row) == len(header) and row[0].startswith("GST")]
    assert odd[1:] == [
        "8x4", "1", "1", "1", "1", "0",
        "seed 1: diverged in epoch 2; seed 2: running, epoch 1 of 3; "
        "seed 3: failed: RuntimeError: no memory at http://ann:hunter22@store/runs",
    ]  # fmt: skip
    assert ["GST-1.0 (<script>hacked = 1</script>)", "8x4", "1", "2"] in page.rows  # the divergence
    assert "7 done 1 running 1 failed 1 diverged 2 missing of 12 members in 5 cells" in page.text


def test_pictures_are_those_of_the_first_seed_of_the_best_cells(page):
    shown = [base64.b64decode(value.partition(",")[2]) for value in page.values("img", "src")]
    assert shown == [b"\x89PNG\r\n\x1a\n of st 0", b"\x89PNG\r\n\x1a\n of 0.001 0"]
    assert "ReinMax lr 0.001, 8x4 , seed 0: train_neg_elbo 95.00; mean 95.25 over 2 of 2 seeds" in page.text
    assert "the best of 2 cells" in page.text


def test_where_no_cell_is_complete_the_best_so_far_is_shown_and_called_so(new_sweep):
    sweep = new_sweep()
    first, second = (sweep.ask("st", lr=lr) for lr in (0.0005, 0.001))
    sweep.add(first, 1, 99.0, picture=b"\x89PNG\r\n\x1a\n of the first")
    sweep.add(second, 0, 97.0, picture=b"\x89PNG\r\n\x1a\n of the second")
    page = Page(sweep.report())
    (src,) = page.values("img", "src")
    assert base64.b64decode(src.partition(",")[2]).endswith(b"of the second")
    assert "over 1 of 2 seeds" in page.text
    assert "No cell is complete yet: this is the best one so far." in page.text


@pytest.mark.parametrize("content", [None, b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"0" * 2**20])
def test_what_is_no_picture_of_ours_is_not_shown(content, new_sweep):
    sweep = new_sweep()
    sweep.add(sweep.ask(seeds=(0,)), 0, 99.0, picture=content)
    page = Page(sweep.report())
    assert page.values("img", "src") == []
    assert "Not shown: ST 8x4" in page.text


def test_a_library_that_is_missing_costs_the_pictures_alone(new_sweep, monkeypatch, caplog):
    from mlflow import MlflowClient

    def fail(*words, **more):
        raise ModuleNotFoundError("No module named 'boto3'")

    sweep = new_sweep()
    sweep.add(sweep.ask(seeds=(0,)), 0, 99.0, picture=b"\x89PNG\r\n\x1a\n of st")
    monkeypatch.setattr(MlflowClient, "download_artifacts", fail)
    monkeypatch.setattr("analysis.report.artifacts.Artifacts._beside_the_store", lambda *words: None)
    page = Page(sweep.report())
    assert page.values("img", "src") == []
    assert "Not shown: ST 8x4" in page.text
    assert "99.00" in page.text
    assert "No module named 'boto3'" in caplog.text


def test_what_was_run_with_what_and_how_to_do_it_again(page, sweep_of_every_state):
    for said in ("first member started 2023-11-14 22:13 UTC, last one ended 2023-11-14 22:19 UTC",
                 "Commit 0123456789ab", "platform Linux", "torch 2.13.0",
                 "git checkout 0123456789ab", "catsweep run small"):  # fmt: skip
        assert said in page.text
    assert "The spec has changed" not in page.text
    changed = Page(sweep_of_every_state.report(spec_text="name: small # now\n", spec="it's.yaml")).text
    assert "The spec has changed since the sweep was last run" in changed
    assert "catsweep run 'it'\"'\"'s.yaml'" in changed


def test_members_that_another_sweep_trained_are_told_apart(new_sweep):
    sweep = new_sweep("other")
    sweep.add(sweep.ask(seeds=(0,)), 0, 99.0)
    page = Page(report(sweep.store.uri, sweep.requests, name="mine"))
    assert "From the sweep other 1 member" in page.text
    assert "Not known: the store has no environment of a sweep of this name." in page.text


def test_a_store_that_does_not_exist_gives_a_page_of_what_is_missing_and_is_not_made(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.ask()
    page = Page(sweep.report(tracking_uri=f"sqlite:///{tmp_path / 'none.db'}"))
    assert "0 done 2 missing of 2 members in 1 cells" in page.text
    assert "Not drawn: nothing to show: none of the 2 members has finished" in page.text
    assert "None yet: no member has finished." in page.text
    assert "No member has diverged." in page.text
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_has_tried_nothing_has_a_page_too(new_sweep):
    sweep = new_sweep()
    sweep.ask()
    page = Page(sweep.report(is_search=True))
    assert "No cell is asked for" in page.text


def test_only_what_was_made_like_it_is_put_beside_a_published_number(new_sweep):
    beside = {}
    for lr in (0.001, 0.0005):  # the first is that of the authors' runs
        sweep = new_sweep(f"lr {lr}")
        sweep.add(sweep.ask("st", lr=lr, temperature=1.3, seeds=(0,)), 0, 99.0)
        beside[lr] = "Beside the published numbers" in Page(sweep.report()).text
    assert beside == {0.001: True, 0.0005: False}


def test_one_seed_has_no_spread(new_sweep):
    sweep = new_sweep()
    sweep.add(sweep.ask(seeds=(0,)), 0, 99.0)
    page = Page(sweep.report())
    assert ["ST", "102.00"] in page.rows
    last = page.views[0].values("ST")[-1]
    assert (last["x"], last["value"], last["n"], last["low"], last["drawn"]) == (3, "99.00", 1, None, "")
    assert "nan" not in " ".join(page.texts).lower()


def test_a_sweep_that_judges_gradients_shows_their_measures(new_sweep):
    sweep = new_sweep()
    own = {"task": "gradient_quality", "measured_epochs": "1,3", "num_draws": 8, "trained_with": "st"}
    measures = {"gradient_cosine_batch": 0.0, "gradient_cosine": 0.125, "gradient_relative_std": 1.0,
                "gradient_std": 2.0, "gradient_variance": 4.0, "train_neg_elbo": 90.0}  # fmt: skip
    for estimator, value in (("st", 0.5), ("reinmax", 0.25)):
        sweep.add(sweep.ask(estimator, seeds=(0,), **own), 0, value, metrics=measures)
    page = Page(sweep.report())
    for value in ("0.5000", "0.6250", "1.5000", "2.5000", "4.5000"):
        assert ["ST", value] in page.rows
    assert "None: this task judges estimators by a model that was trained with another one." in page.text
    assert page.values("img", "src") == []
    assert [view.labels for view in page.views] == [["ST", "ReinMax"]] * 2  # the two panels of Figure 1


def test_points_that_are_not_joined_say_of_which_cell_they_are_and_a_note_stays_a_text(new_sweep):
    sweep, note = new_sweep(), '"><script>hacked = 1</script>'
    for lr in range(1, 13):  # too many lines of one estimator to be told apart
        for beta in (0.1, 0.2, 0.3):
            sweep.ask("reinmax_rk2", seeds=(0,), lr=lr / 1000, beta=beta, note=note)
    sweep.add(sweep.requests[0].cell, 0, 99.0)
    text = sweep.report()
    page = Page(text)
    (point,) = page.views[0].values(f"ReinMax-RK2 ({note})")
    assert (point["x"], point["value"], point["n"]) == (0.1, "99.00", 1)
    assert point["name"] == f"ReinMax-RK2 lr 0.001 β 0.1 ({note})"
    assert page.scripts == 1
    assert "<script>hacked" not in text


def test_every_text_is_escaped_and_the_one_script_is_ours(sweep_of_every_state):
    evil = "<script>hacked = 1</script>\"'><img src=http://127.0.0.1/x>"
    text = sweep_of_every_state.report(spec_text=evil, spec=evil, store=evil, code=evil)
    page = Page(text)
    assert page.scripts == 1
    assert all(value.startswith("data:image/png;base64,") for value in page.values("img", "src"))
    assert page.text.count("<script>hacked = 1</script>") > 5
    assert "<script>hacked" not in text


def test_the_policy_admits_our_style_and_script_and_nothing_from_elsewhere(page):
    (policy,) = [value for value in page.values("meta", "content") if "default-src" in value]
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/]{43}='; "
        r"script-src 'sha256-[\w+/]{43}='; base-uri 'none'; form-action 'none'",
        policy,
    )
    assert [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")] == []


def test_every_text_goes_through_the_redaction(sweep_of_every_state):
    uri = "postgresql://ann:pass/word7@db/runs"
    plain = sweep_of_every_state.report(store=uri, code="see http://ann:hunter22@store")
    assert "hunter22" in plain
    shown = sweep_of_every_state.report(
        store=uri, code="see http://ann:hunter22@store", redact=lambda text: redact(text, uri)
    )
    assert "hunter22" not in shown
    assert "word7" not in shown
    assert "http://ann:***@store/runs" in Page(shown).text
    assert len(Page(shown).values("img", "src")) == 2


def test_the_address_of_the_store_is_shown_only_where_it_is_given(sweep_of_every_state):
    assert sweep_of_every_state.store.uri not in sweep_of_every_state.report()
    assert "sqlite:///mine" in sweep_of_every_state.report(store="sqlite:///mine")


def test_a_server_gives_the_same_page(sweep_of_every_state, serve, monkeypatch):
    class Stopped(datetime):
        @classmethod
        def now(cls, zone):
            return datetime(2026, 1, 1, tzinfo=zone)

    monkeypatch.setattr("analysis.report.collection.datetime", Stopped)
    by_sql = sweep_of_every_state.report()
    assert "2026-01-01 00:00 UTC" in by_sql
    assert sweep_of_every_state.report(tracking_uri=serve(sweep_of_every_state.store)) == by_sql


def test_sums_of_digits_have_the_level_that_they_are_compared_with(new_sweep):
    sweep = new_sweep()
    for latent in ("10x4", "10x8"):
        cell = sweep.ask("indecater", latent, (0,), task="mnist_addition", num_samples="10")
        sweep.add(cell, 0, 0.5, metrics={"test_sum_accuracy": 0.0, "test_digit_accuracy": 0.1})
    page = sweep.report()
    levels = [view for view in Page(page).views if '"datum":0.96' in view.text or '"datum":0.92' in view.text]
    assert len(levels) == 2  # a line across each panel
    assert page.count('<path class="level"') == 1  # and one in the legend
    assert Page(page).text.count("0.99^D: each digit right 99 % of the time") == 1


def test_a_task_without_images_shows_the_measures_of_its_figure(new_sweep):
    sweep = new_sweep()
    cell = sweep.ask("rloo", "3x12", (0,), task="synthetic_gradient", dataset=None, num_samples="10")
    measures = ("cosine_variance", "gradient_bias", "estimate_seconds", "function_evaluations")
    sweep.add(cell, 0, 0.5, metrics=dict.fromkeys(measures, 0.0))
    page = Page(sweep.report())
    assert "synthetic_gradient on" not in page.text
    assert [name for name in measures if f"({name})" not in page.text] == []


def test_seconds_are_said_to_be_of_training_and_testing_where_a_task_tests(new_sweep):
    sweep = new_sweep("seconds")
    shape = {"task": "bernoulli_vae", "num_samples": 2, "num_draws": 10}
    cell = sweep.ask("rloo", "2x200", (0,), **shape)
    names = ("train_neg_elbo", "test_neg_elbo", "estimate_variance", "epoch_seconds")
    sweep.add(cell, 0, 1.0, metrics=dict.fromkeys(names, 0.0))
    page = sweep.report()
    assert "variance of the gradient against seconds of training and testing</h3>" in page
    assert sum('"title":"seconds of training and testing"' in view.text for view in Page(page).views) == 3
    assert "Seconds of training and testing: their mean over the seeds" in page
