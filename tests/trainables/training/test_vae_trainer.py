from __future__ import annotations

import math

import pytest
import torch

import estimators
from tests.trainables.members import images, member, through_bytes, values_of
from trainables.pack import Pack
from trainables.task_registry import TASKS
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.epochs import STATE_FORMAT, EpochRecord
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

TEST = images(200, seed=1)


def _trainer(pack: Pack, steps: int = 6) -> DiscreteVaeTrainer:
    return DiscreteVaeTrainer(pack, TrainingData.of_images(images(steps * 100), TEST))


def test_epoch_reports_every_metric_of_the_schema() -> None:
    record = _trainer(Pack((member(),))).run_epoch()
    assert record.metrics[0] is not None
    assert set(record.metrics[0]) == set(TASKS["mnist_vae"].metrics)
    assert record.metrics[0]["train_neg_elbo"] == pytest.approx(
        record.metrics[0]["train_recon"] + record.metrics[0]["train_kl"], abs=0
    )


@pytest.mark.parametrize("optimizer", ["adam", "radam"])
@pytest.mark.parametrize("estimator", ["reinmax", "reinmax_rao"])
def test_member_of_a_pack_equals_member_alone_bit_for_bit(estimator: str, optimizer: str) -> None:
    settings = {"estimator": estimator, "optimizer": optimizer, "num_mc_samples": 100}
    members = tuple(
        member(seed, temperature=tau, **settings) for seed, tau in enumerate((1.0, 0.3, 0.5, 1.3))
    )
    together = _trainer(Pack(members), steps=50).run_epoch()
    for index, one in enumerate(members):
        alone = _trainer(Pack((one,)), steps=50).run_epoch()
        assert values_of(together, index) == values_of(alone)


@pytest.mark.parametrize(("categorical_dim", "latent_dim"), [(4, 24), (8, 16), (16, 12), (64, 8)])
def test_member_of_a_pack_equals_member_alone_at_every_even_width(
    categorical_dim: int, latent_dim: int
) -> None:
    shape = {"categorical_dim": categorical_dim, "latent_dim": latent_dim}
    members = tuple(member(seed, **shape) for seed in range(2))
    together = _trainer(Pack(members), steps=20).run_epoch()
    for index, one in enumerate(members):
        assert values_of(together, index) == values_of(_trainer(Pack((one,)), steps=20).run_epoch())


def test_member_of_a_pack_of_a_ragged_width_equals_member_alone_nearly() -> None:
    # 300 latent units are no multiple of the vector width, and kernels round the last ones differently.
    members = tuple(member(seed, categorical_dim=10, latent_dim=30) for seed in range(4))
    together = _trainer(Pack(members), steps=50).run_epoch()
    for index, one in enumerate(members):
        alone = _trainer(Pack((one,)), steps=50).run_epoch()
        assert values_of(together, index) == pytest.approx(values_of(alone), rel=1e-5)


@pytest.mark.parametrize("estimator", estimators.REGISTRY)
def test_every_estimator_trains_members_of_a_pack_as_it_trains_each_alone(estimator: str) -> None:
    categorical_dim = estimators.get(estimator).categorical_dim or 4
    shape = {"categorical_dim": categorical_dim, "latent_dim": 16 // categorical_dim, "batch_size": 20}
    settings = {"estimator": estimator, "num_mc_samples": 10, "num_samples": 3, **shape}
    free = [
        {"temperature": tau, "eta": eta, "beta": eta} for tau, eta in ((1.0, 0.5), (0.3, 1.0), (1.5, 0.2))
    ]
    members = tuple(member(seed, **settings, **values) for seed, values in enumerate(free))
    few = images(60)

    def epoch(pack: Pack) -> EpochRecord:
        return DiscreteVaeTrainer(pack, TrainingData.of_images(few, TEST)).run_epoch()

    together = epoch(Pack(members))
    assert values_of(together, 0) != values_of(together, 1)
    for index, one in enumerate(members):
        assert values_of(together, index) == values_of(epoch(Pack((one,))))


def test_members_have_their_own_seeds() -> None:
    record = _trainer(Pack((member(0), member(1)))).run_epoch()
    assert values_of(record, 0) != values_of(record, 1)


@pytest.mark.parametrize("optimizer", ["adam", "radam"])
def test_restored_pack_goes_on_bit_for_bit(optimizer: str) -> None:
    pack = Pack((member(0, optimizer=optimizer), member(1, optimizer=optimizer)))
    whole = _trainer(pack)
    whole.run_epoch()
    state = whole.state_dict()
    restored = _trainer(pack)
    restored.load_state_dict(through_bytes(state))
    for _ in range(2):
        expected, record = whole.run_epoch(), restored.run_epoch()
        assert [values_of(record, index) for index in range(2)] == [
            values_of(expected, index) for index in range(2)
        ]
    assert [record.epoch for record in restored.history] == [1, 2, 3]
    assert restored.is_finished


def test_state_of_other_members_is_refused() -> None:
    with pytest.raises(ValueError, match="must be of members"):
        _trainer(Pack((member(1),))).load_state_dict(_trainer(Pack((member(0),))).state_dict())


@pytest.mark.parametrize("other", [{}, {"format": STATE_FORMAT + 1}], ids=["none", "a later one"])
def test_state_of_another_format_is_refused_though_it_is_laid_out_alike(other: dict[str, object]) -> None:
    trainer = _trainer(Pack((member(0),)))
    state = trainer.state_dict()
    del state["format"]
    with pytest.raises(ValueError, match=f"must be of format {STATE_FORMAT}, got {other.get('format')}"):
        trainer.load_state_dict({**state, **other})


@pytest.mark.parametrize("part", ["run_epoch", "time_epoch", "pictures"])
def test_each_of_two_packs_has_its_own_precision_in_all_that_it_does(part: str) -> None:
    rounded, exact = (
        _trainer(Pack((member(epochs=1, **params),)), steps=1) for params in ({"precision": "tf32"}, {})
    )
    for trainer in (rounded, exact):  # the last leaves the process as it is without any
        getattr(trainer, part)()
        assert torch.backends.cuda.matmul.allow_tf32 is (trainer is rounded)


def test_training_does_not_touch_the_global_generator() -> None:
    before = torch.get_rng_state()
    _trainer(Pack((member(estimator="reinmax_cv"),))).run_epoch()
    assert torch.equal(before, torch.get_rng_state())


def test_diverged_member_stops_and_its_pack_goes_on() -> None:
    pack = Pack((member(0), member(1)))
    trainer, calm = _trainer(pack), _trainer(pack)
    trainer.run_epoch()
    expected = calm.run_epoch(), calm.run_epoch()
    trainer.model.encoder.weights[0][0, 0, 0] = math.nan
    record = trainer.run_epoch()
    assert record.diverged == (2, None)
    assert record.metrics[0] is None
    assert values_of(record, 1) == values_of(expected[1], 1)
    assert not trainer.is_finished
    assert trainer.run_epoch().diverged == (2, None)


def test_pack_is_finished_when_all_have_diverged() -> None:
    trainer = _trainer(Pack((member(0),)))
    trainer.model.encoder.weights[0].fill_(math.inf)
    assert trainer.run_epoch().diverged == (1,)
    assert trainer.is_finished


@pytest.mark.parametrize("optimizer", ["adam", "radam"])
def test_member_of_a_pack_of_several_learning_rates_equals_member_alone_bit_for_bit(optimizer: str) -> None:
    rates = (0.0003, 0.0003, 0.001, 0.0007)
    members = tuple(member(seed, lr=lr, optimizer=optimizer) for seed, lr in enumerate(rates))
    together = _trainer(Pack(members), steps=20).run_epoch()
    alone = [values_of(_trainer(Pack((one,)), steps=20).run_epoch()) for one in members]
    assert [values_of(together, index) for index in range(len(members))] == alone
    others = [
        values_of(_trainer(Pack((member(seed, optimizer=optimizer),)), steps=20).run_epoch()) for seed in (2,)
    ]
    assert others[0] != alone[2]  # the rate makes a difference
