"""Training beside the plainest PyTorch loop: they share images, noise and the estimator's function alone."""

from __future__ import annotations

import pytest
import torch

import estimators
from benchmarks.plain_loop import PlainVae
from tests.trainables.members import images, member
from trainables.pack import Pack
from trainables.training.vae_trainer import PackTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

_STEPS, _CHECKED_EVERY, _BATCH_SIZE = 40, 8, 100
_ROUNDING = 2e-4
"""Norm of the difference of two float32 gradients over the norm of one: both are sums over a batch in some
order, of terms that cancel to a hundredth."""

PATHWISE = [name for name, one in estimators.REGISTRY.items() if not one.needs_objective]
HYPERPARAMETERS = {"temperature": 0.7, "eta": 1.5, "beta": 0.3, "gap": 1.5, "num_mc_samples": 10}


def _plain_twin(trainer: PackTrainer) -> PlainVae:
    """Return a plain model with the parameters of a trainer's only member."""
    model = PlainVae(trainer.model.categorical_dim, trainer.model.latent_dim)
    for plain, network in ((model.encoder, trainer.model.encoder), (model.decoder, trainer.model.decoder)):
        layers = [layer for layer in plain if isinstance(layer, torch.nn.Linear)]
        for layer, weight in zip(layers, network.weights, strict=True):
            with torch.no_grad():
                layer.weight.copy_(weight[0, :-1].t())
                layer.bias.copy_(weight[0, -1])
    return model


def _plain_gradient(model: PlainVae) -> torch.Tensor:
    """Return the gradient of a plain model, laid out as that of a pack's member."""
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    parts = [torch.cat((layer.weight.grad.t(), layer.bias.grad[None])) for layer in layers]  # type: ignore
    return torch.cat([part.flatten() for part in parts])


def _own_gradient(trainer: PackTrainer) -> torch.Tensor:
    networks = trainer.model.encoder, trainer.model.decoder
    return torch.cat([part[0].flatten() for network in networks for part in network.weight_gradients])


@pytest.mark.parametrize(
    ("estimator", "optimizer"), [*((name, "adam") for name in PATHWISE), ("reinmax_cv", "radam")]
)
def test_every_step_of_a_training_is_the_plain_loops(estimator: str, optimizer: str) -> None:
    settings = {"estimator": estimator, "optimizer": optimizer, **HYPERPARAMETERS}
    trainer = PackTrainer(Pack((member(**settings),)), images(100), images(100))
    expected = trainer.model.parameters.clone().requires_grad_()
    plain_optimizer = {"adam": torch.optim.Adam, "radam": torch.optim.RAdam}[optimizer](
        [expected], lr=float(trainer.pack.members[0].params["lr"])
    )
    own = estimators.get(estimator).hyperparameters
    values = {one.name: HYPERPARAMETERS[one.name] for one in own}
    order = torch.Generator().manual_seed(7)
    drawn = images(2_000, seed=3)
    for step in range(_STEPS):
        batch = drawn[torch.randperm(len(drawn), generator=order)[:_BATCH_SIZE]]
        if step % _CHECKED_EVERY == 0:
            _check_gradient(trainer, batch, values)
        else:
            trainer._differentiate(batch[None])
        trainer._optimizer.step()
        expected.grad = trainer.model.gradients.clone()
        plain_optimizer.step()
    torch.testing.assert_close(trainer.model.parameters, expected.detach(), rtol=1e-4, atol=1e-6)


def _check_gradient(trainer: PackTrainer, batch: torch.Tensor, values: dict[str, float]) -> None:
    """Take the gradient of a step, and compare it and the loss with the plain loop's from the same noise."""
    estimator = estimators.get(trainer.pack.shared["estimator"])
    noise = trainer._noise[0].clone_state()
    model = _plain_twin(trainer)
    losses = model.neg_elbo(batch / 255, lambda logits: estimator.function(logits, **values, generator=noise))
    losses.mean().backward()
    loss = trainer._differentiate(batch[None])
    own, plain = _own_gradient(trainer), _plain_gradient(model)
    assert (loss.recon + loss.kl).item() == pytest.approx(losses.sum().item(), rel=1e-5)
    assert (own - plain).norm() < _ROUNDING * plain.norm()
    assert torch.equal(trainer._noise[0].get_state(), noise.get_state())
