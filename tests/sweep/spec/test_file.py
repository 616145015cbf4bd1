from __future__ import annotations

from pathlib import Path

import pytest

from sweep.spec.file import SpecError, load_spec, place_in_spec, preset_names, read_spec_text
from tests.sweep.samples import SPEC_TEXT, spec_of


def message(text: str) -> str:
    Path("grid.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec("grid.yaml")
    return str(caught.value)


def test_a_file_gives_the_spec_that_it_states() -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    assert load_spec("grid.yaml") == load_spec(Path("grid.yaml")) == spec_of()
    assert read_spec_text("grid.yaml") == (SPEC_TEXT, "grid.yaml")


def test_a_file_need_not_be_called_yaml() -> None:
    Path("grid").write_text(SPEC_TEXT)
    assert load_spec("grid") == spec_of()


def test_a_preset_wins_over_a_file_of_its_name() -> None:
    Path("quickstart").write_text(SPEC_TEXT)
    assert load_spec("quickstart").name == "quickstart"


def test_numbers_that_yaml_takes_for_text_are_numbers() -> None:
    Path("grid.yaml").write_text(SPEC_TEXT.replace("0.0005", "[5e-4, 1e-3, 7E-4]"))
    lrs = [request.cell.params["lr"] for request in load_spec("grid.yaml").requests()]
    assert lrs == ["0.0005", "0.001", "0.0007"]


def test_anchors_and_aliases_work() -> None:
    Path("grid.yaml").write_text(SPEC_TEXT + "    temperature: &t [0.5, 1.0]\n  - {estimator: reinmax, "
                                 "latent: 8x4, lr: 0.001, temperature: *t}\n")  # fmt: skip
    assert len(load_spec("grid.yaml").requests()) == 4


def test_every_problem_is_reported_on_a_line_of_its_own() -> None:
    text = SPEC_TEXT.replace("epochs", "epoch").replace("8x4", "8by4").replace("0.0005", "[0.1, -1]")
    assert message(text).splitlines() == [
        "grid.yaml, line 1: epochs must be given where task is mnist_vae",
        "grid.yaml, line 6: latent must be categories x variables, such as 8x4, got '8by4' (grid block 1)",
        "grid.yaml, line 7: lr must be > 0, got -1 (grid block 1)",
        "grid.yaml, line 2: unknown key 'epoch'; nearest: epochs",
    ]


def test_a_value_of_a_long_list_is_found_on_its_own_line() -> None:
    text = SPEC_TEXT.replace("0.0005", "\n    - 0.1\n    - 0.2\n    - oops")
    assert message(text) == "grid.yaml, line 10: lr must be a number, got 'oops' (grid block 1)"


def test_the_block_is_named_by_its_number() -> None:
    text = SPEC_TEXT + "  - {estimator: st, latent: 8x4}\n"
    assert message(text) == "grid.yaml, line 8: lr must be given where task is mnist_vae (grid block 2)"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("seed: 3\n", "unknown key 'seed'; nearest: seeds"),
        ("zzz: 3\n", "unknown key 'zzz'; allowed: name, use, task, dataset, epochs, iterations_per_epoch, "
                     "batch_size, seeds, precision, measure, grid, search, resources"),
        ("resources: {cpu: 2}\n", "unknown key 'cpu'; nearest: cpus"),
        ("resources: {member_per_pack: 2}\n", "unknown key 'member_per_pack'; nearest: members_per_pack"),
        ("search: {kind: optna}\n", "kind must be one of grid, optuna, got 'optna'; nearest: optuna"),
        ("search: {trails: 3}\n", "unknown key 'trails'; nearest: trials"),
        ("precision: tf32\nresources: {gpus: 0}\n",
         "precision must be float32 where resources.gpus is 0, got 'tf32'"),
        ("    temprature: 1\n", "unknown key 'temprature'; nearest: temperature (grid block 1)"),
        ("    optimizer: adm\n", "optimizer must be one of adam, radam, rmsprop, got 'adm'; nearest: adam "
                                 "(grid block 1)"),
        ("    optimizer: []\n", "optimizer must not be empty (grid block 1)"),
        ("    temperature_decay: 0.01\n", "temperature_decay must be left out where task is mnist_vae, "
                                          "got [0.01] (grid block 1)"),
        ("    num_samples: 10\n", "num_samples must be left out: st takes only temperature, got [10.0] "
                                  "(grid block 1)"),
        ("iterations_per_epoch: 20\n", "iterations_per_epoch must be left out where task is mnist_vae, "
                                       "got 20"),
        ("dataset: mnst\n", "dataset must be one of mnist, fashion_mnist, omniglot, got 'mnst'; "
                            "nearest: mnist"),
    ],
)  # fmt: skip
def test_a_problem_names_file_line_and_what_is_allowed(added: str, expected: str) -> None:
    assert message(SPEC_TEXT + added) == f"grid.yaml, line 8: {expected}"


JUDGED = SPEC_TEXT + "task: gradient_quality\n"


@pytest.mark.parametrize(
    ("added", "line", "expected"),
    [
        ("", 1, "measure must be given where task is gradient_quality"),
        ("measure: {}\n", 9, "epochs must be given where task is gradient_quality"),
        ("measure: {epochs: [1, 3]}\n", 9, "epochs to measure after must end with the last, 2, got [1, 3]"),
        ("measure: {epochs: [3, 2]}\n", 9, "epochs to measure after must differ and increase, got [3, 2]"),
        ("measure: {epochs: [0]}\n", 9, "epochs to measure after must be integers >= 1, got [0]"),
        ("measure: {epochs: 2, draws: 0}\n", 9, "draws must be an integer >= 1, got 0"),
        ("measure: {epochs: 2, trained_with: rainmax}\n", 9, "nearest: reinmax"),
        ("measure: {epochs: 2, trained_with: arms}\n", 9,
         "trained_with must take the categories of 8x4, and arms takes 2, got 'arms'"),
        ("measure: {epochs: 2, trained_with: rloo, trained_temperature: 0.5}\n", 9,
         "trained_temperature must be left out: rloo takes none, got 0.5"),
        ("measure: {epochs: 2}\nsearch: {kind: optuna, trials: 2}\n", 10,
         "kind must be grid where task is gradient_quality, got 'optuna'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_measurement_is_said(added: str, line: int, expected: str) -> None:
    said = message(JUDGED + added)
    assert said.startswith(f"grid.yaml, line {line}: ")
    assert expected in said


def test_a_measurement_belongs_to_its_task() -> None:
    said = message(SPEC_TEXT + "measure: {epochs: 2}\n")
    assert said.startswith("grid.yaml, line 8: measure must be left out where task is mnist_vae, got {")


def test_a_mistyped_task_is_the_only_thing_said_of_a_measurement() -> None:
    said = message(JUDGED.replace("gradient_quality", "gradient_qualty") + "measure: {epochs: 2}\n")
    assert said.count("\n") == 0
    assert "task must be one of" in said


def test_a_latent_without_an_exact_gradient_is_refused() -> None:
    text = JUDGED.replace("8x4", "8x16") + "measure: {epochs: 2}\n"
    assert "latent must have at most 16384 states for an exact gradient, got '8x16'" in message(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "grid.yaml: a spec must be a mapping of keys to values"),
        ("- st\n- gst\n", "grid.yaml: a spec must be a mapping of keys to values"),
        (SPEC_TEXT + "---\nname: two\n",
         "grid.yaml, line 8, column 1: YAML syntax error: but found another document"),
        (SPEC_TEXT.replace("    lr", "\tlr"),
         "grid.yaml, line 7, column 1: YAML syntax error: found character '\\t' that cannot start any token"),
        (SPEC_TEXT + "x: !!python/object:os.system {}\n",
         "grid.yaml, line 8, column 4: YAML syntax error: could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/object:os.system'"),
        (SPEC_TEXT + "    lr: 0.1\n", "grid.yaml, line 8: key 'lr' stands already on line 7"),
        (SPEC_TEXT + "name: again\n", "grid.yaml, line 8: key 'name' stands already on line 1"),
    ],
)  # fmt: skip
def test_what_is_no_spec_at_all_is_refused(text: str, expected: str) -> None:
    assert message(text) == expected


def test_a_repeated_key_would_be_silent_in_yaml_itself() -> None:
    import yaml

    assert yaml.safe_load("lr: 1\nlr: 2\n") == {"lr": 2}


@pytest.mark.parametrize("given", ["grid: 3", "grid:", "grid: {estimator: st}", "grid: [st]"])
def test_a_grid_of_the_wrong_shape_is_refused(given: str) -> None:
    text = SPEC_TEXT[: SPEC_TEXT.index("grid:")] + given + "\n"
    assert message(text).startswith("grid.yaml, line 4: grid is wrong (")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("quikstart", "spec must be a YAML file or a preset, got 'quikstart'; nearest: quickstart"),
        ("zzz", "spec must be a YAML file or a preset, got 'zzz'; allowed: " + ", ".join(preset_names())),
        ("no.yaml", "spec no.yaml cannot be read: [Errno 2] No such file or directory: 'no.yaml'"),
        ("folder.yaml", "spec folder.yaml cannot be read: [Errno 21] Is a directory: 'folder.yaml'"),
    ],
)
def test_a_spec_that_is_not_there_is_named(spec: str, expected: str) -> None:
    Path("folder.yaml").mkdir()
    with pytest.raises(SpecError) as caught:
        load_spec(spec)
    assert str(caught.value) == expected


def test_a_file_that_is_no_text_is_refused() -> None:
    Path("grid.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(SpecError, match=r"^spec grid.yaml cannot be read: 'utf-8' codec"):
        load_spec("grid.yaml")


def test_a_key_is_found_in_the_spec_that_states_it() -> None:
    Path("grid.yaml").write_text(SPEC_TEXT + "resources:\n  gpus: 0\n  cpus: 2\n")
    assert place_in_spec("grid.yaml", "resources", "cpus") == "grid.yaml, line 10"
    assert place_in_spec("grid.yaml", "grid", 0, "lr") == "grid.yaml, line 7"
    assert place_in_spec("quickstart", "grid", 1) == "preset quickstart, line 10"


GRADIENT = """name: known
task: synthetic_gradient
seeds: 1
grid:
  - {estimator: indecater, latent: 3x4, num_samples: 1}
"""
OPTIMISATION = """name: binary
task: synthetic_optimisation
epochs: 3
seeds: 1
grid:
  - estimator: stgs
    latent: 2x200
    lr: 0.01
"""


BINARY = """name: binary
task: bernoulli_vae
epochs: 9
seeds: 1
grid:
  - {estimator: rloo, latent: 2x200, lr: 0.0001}
  - {estimator: indecater, latent: 2x200, lr: 0.0001, epochs: 3}
"""
ADDITION = """name: sums
task: mnist_addition
epochs: 3
seeds: 1
grid:
  - {estimator: rloo, latent: 10x4, lr: 0.001}
"""


def test_a_block_may_train_for_epochs_of_its_own_where_the_task_takes_it() -> None:
    Path("grid.yaml").write_text(BINARY)
    requests = load_spec("grid.yaml").requests()
    assert [request.cell.params["epochs"] for request in requests] == ["9", "3"]
    assert requests[1].cell.params["num_draws"] == "10"


def test_digits_are_added_in_batches_of_ten() -> None:
    Path("grid.yaml").write_text(ADDITION)
    (request,) = load_spec("grid.yaml").requests()
    assert request.cell.params["batch_size"] == "10"
    assert request.cell.latent == "10x4"


def test_a_task_without_a_data_set_has_neither_images_nor_batches() -> None:
    Path("grid.yaml").write_text(GRADIENT)
    (request,) = load_spec("grid.yaml").requests()
    assert request.cell.params == {
        "task": "synthetic_gradient", "task_version": "1", "estimator": "indecater", "categorical_dim": "3",
        "latent_dim": "4", "num_samples": "1", "epochs": "1", "num_draws": "1000",
    }  # fmt: skip


def test_a_pathwise_estimator_has_a_number_of_draws_and_a_temperature_that_falls() -> None:
    Path("grid.yaml").write_text(OPTIMISATION + "    temperature_decay: 0.05\n    num_samples: 800\n")
    (request,) = load_spec("grid.yaml").requests()
    assert request.cell.params == {
        "task": "synthetic_optimisation", "task_version": "1", "estimator": "stgs", "categorical_dim": "2",
        "latent_dim": "200", "optimizer": "rmsprop", "lr": "0.01", "temperature": "1.0", "num_samples": "800",
        "temperature_decay": "0.05", "temperature_floor": "0.0", "epochs": "3",
        "iterations_per_epoch": "20", "num_draws": "10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GRADIENT + "dataset: mnist\n",
         "line 6: dataset must be left out where task is synthetic_gradient, got 'mnist'"),
        (GRADIENT + "epochs: 3\n",
         "line 6: epochs must be left out where task is synthetic_gradient, got 3"),
        (GRADIENT + "measure: {epochs: 1}\n",
         "line 6: epochs must be left out where task is synthetic_gradient, got (1,)"),
        (GRADIENT + "  - {estimator: st, latent: 3x4, lr: 0.1}\n",
         "line 6: lr must be left out where task is synthetic_gradient, got [0.1] (grid block 2)"),
        (OPTIMISATION.replace("2x200", "3x200"),
         "line 7: latent must have 2 categories where task is synthetic_optimisation, such as 2x200, got "
         "'3x200' (grid block 1)"),
        (OPTIMISATION.replace("epochs: 3\n", ""),
         "line 1: epochs must be given where task is synthetic_optimisation"),
        (OPTIMISATION + "measure: {draws: 1}\n",
         "line 9: draws must be an integer >= 2 where task is synthetic_optimisation, got 1"),
        (BINARY + "measure: {draws: 1}\n",
         "line 8: draws must be an integer >= 2 where task is bernoulli_vae, got 1"),
        (OPTIMISATION + "search: {kind: optuna, trials: 2}\n",
         "line 9: kind must be grid where task is synthetic_optimisation, got 'optuna'"),
        (BINARY.replace("2x200, lr: 0.0001}", "3x200, lr: 0.0001}"),
         "line 6: latent must have 2 categories where task is bernoulli_vae, such as 2x200, got '3x200' "
         "(grid block 1)"),
        (BINARY.replace("epochs: 3", "epochs: 0"),
         "line 7: epochs must be an integer >= 1, got 0 (grid block 2)"),
        (OPTIMISATION + "    epochs: 4\n",
         "line 9: epochs must be left out where task is synthetic_optimisation, got [4] (grid block 1)"),
        (ADDITION.replace("10x4", "8x4"),
         "line 6: latent must have 10 categories where task is mnist_addition, such as 10x4, got '8x4' "
         "(grid block 1)"),
        (ADDITION.replace("rloo", "stgs"),
         "line 6: estimator must evaluate f at one-hot samples alone where task is mnist_addition, got "
         "'stgs' (grid block 1)"),
        (ADDITION.replace("rloo", "rebar"),
         "line 6: estimator must evaluate f at one-hot samples alone where task is mnist_addition, got "
         "'rebar' (grid block 1)"),
        (ADDITION + "dataset: omniglot\n",
         "line 7: dataset must be one of mnist where task is mnist_addition, got 'omniglot'; "
         "nearest: mnist"),
        (OPTIMISATION + "    num_samples: 0\n",
         "line 9: num_samples must be an integer >= 1, got 0 (grid block 1)"),
        (OPTIMISATION + "    temperature_decay: -1\n",
         "line 9: temperature_decay must be >= 0, got -1 (grid block 1)"),
        (OPTIMISATION + "    temperature_floor: 2\n",
         "line 9: temperature_floor must be at most the temperature, 1, got 2.0 (grid block 1)"),
        (OPTIMISATION.replace("stgs", "rloo") + "    temperature_decay: 0.1\n",
         "line 9: temperature_decay must be left out: rloo takes no temperature, got [0.1] (grid block 1)"),
    ],
)  # fmt: skip
def test_what_a_task_does_not_take_is_refused(text: str, expected: str) -> None:
    assert message(text) == f"grid.yaml, {expected}"


def test_a_note_is_one_line_however_it_is_written() -> None:
    text = "name: one\nepochs: 1\nseeds: 1\ngrid:\n  - estimator: st\n    latent: 8x4\n    lr: 0.1\n"
    Path("grid.yaml").write_text(text + "    note: >\n      as printed\n      in Table 5\n")
    (request,) = load_spec("grid.yaml").requests()
    assert request.cell.note == "as printed in Table 5"


BASE = """name: merged
epochs: 2
seeds: 1
grid:
  - &base
    estimator: st
    latent: 8x4
    lr: 0.1
"""


def test_a_key_of_its_own_overrides_a_merged_one() -> None:
    others = "  - {<<: *base, estimator: reinmax}\n  - {estimator: stgs, <<: [*base]}\n"
    Path("grid.yaml").write_text(BASE + others)
    cells = [request.cell for request in load_spec("grid.yaml").requests()]
    assert [(cell.estimator, cell.params["lr"]) for cell in cells] == [
        ("st", "0.1"), ("reinmax", "0.1"), ("stgs", "0.1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("  - {<<: *base, lr: 1, lr: 2}\n", "line 9: key 'lr' stands already on line 9"),
        ("  - <<: *base\n    <<: *base\n", "line 10: key '<<' stands already on line 9"),
        ("  - <<: *base\n    lr: -1\n", "line 10: lr must be > 0, got -1 (grid block 2)"),
        ("  - {<<: 3}\n",
         "line 9, column 10: YAML syntax error: expected a mapping or list of mappings for merging, but "
         "found scalar"),
    ],
)  # fmt: skip
def test_a_merge_hides_neither_repetitions_nor_lines(block: str, expected: str) -> None:
    assert message(BASE + block) == f"grid.yaml, {expected}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("9" * 5000, "at most 1,000,000, got '" + 59 * "9" + "... (5002 characters)"),
        ("0x" + "f" * 5000, "at most 1,000,000, got more than 4300 digits"),
        ("2020-13-45", "an integer >= 1, got '2020-13-45'"),
        ("!!int many", "an integer >= 1, got 'many'"),
        ("!!timestamp soon", "an integer >= 1, got 'soon'"),
    ],
)  # fmt: skip
def test_what_yaml_cannot_read_as_its_type_is_refused_by_its_key(value: str, expected: str) -> None:
    assert (
        message(SPEC_TEXT + f"batch_size: {value}\n") == f"grid.yaml, line 8: batch_size must be {expected}"
    )


def test_a_key_that_is_no_text_is_refused() -> None:
    assert message(SPEC_TEXT + "? [a, b]\n: 2\n").endswith("YAML syntax error: found unhashable key")


def test_of_very_many_errors_the_first_are_shown() -> None:
    lines = message(SPEC_TEXT.replace("0.0005", str([-1] * 50_000))).splitlines()
    assert lines[0] == "grid.yaml, line 7: lr must be > 0, got -1 (grid block 1)"
    assert (len(lines), lines[-1]) == (21, "grid.yaml: 49,980 more errors")


def test_a_name_too_long_for_a_file_is_one_error() -> None:
    with pytest.raises(SpecError, match=r"cannot be read: \[Errno 36\] File name too long"):
        load_spec("a" * 300)
