"""The part of a training step that a GPU records once and then replays: loss and gradient of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from trainables.models.discrete_vae import DiscreteVAE, NegElbo, Sampler

_WARM_UP_STEPS = 3


@dataclass(frozen=True)
class _Recording:
    """A CUDA graph, the images that it reads and the losses that it writes."""

    graph: torch.cuda.CUDAGraph
    images: torch.Tensor
    loss: NegElbo


@cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """Return a device's one stream for recordings: cuBLAS keeps a workspace for each that it has seen."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class GradientStep:
    """Calls `DiscreteVAE.differentiate`, on a GPU through a CUDA graph, one for each batch size.

    A step is some hundred kernels of a few microseconds each, which a CPU launches more slowly than a GPU
    runs them; a graph launches them all at once. It does not make them fewer: each member's generator fills
    its own noise, so that the kernels that draw are P times as many in a pack of P, one after the other, and
    before each launch PyTorch writes the state of each generator, two small fills a member.

    The optimiser's two kernels stay outside: RAdam's learning rate and ε, arguments of one, change from step
    to step.

    Args:
        model: The pack of auto-encoders.
        sampler: The estimator.
        generators: Every generator that the sampler draws from.
    """

    def __init__(self, model: DiscreteVAE, sampler: Sampler, generators: Sequence[torch.Generator]) -> None:
        self._model = model
        self._sampler = sampler
        self._generators = generators
        self._recordings: dict[torch.Size, _Recording] = {}

    def __call__(self, images: torch.Tensor) -> NegElbo:
        """Leave the gradient of the images' loss in the model; arguments and result as `differentiate`."""
        if not images.is_cuda:
            return self._model.differentiate(images, self._sampler)
        if images.shape not in self._recordings:
            with torch.cuda.device(images.device):
                self._recordings[images.shape] = self._record(images.clone())
        recording = self._recordings[images.shape]
        recording.images.copy_(images)
        recording.graph.replay()
        return NegElbo(recording.loss.recon.clone(), recording.loss.kl.clone())

    def _record(self, images: torch.Tensor) -> _Recording:
        # One stream for both: what libraries set up for a stream is then there before the recording.
        stream = _recording_stream(images.device)
        self._warm_up(images, stream)
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=stream):
            loss = self._model.differentiate(images, self._sampler)
        return _Recording(graph, images, loss)

    def _warm_up(self, images: torch.Tensor, stream: torch.cuda.Stream) -> None:
        """Let kernels be compiled and buffers be made, which cannot be recorded, and take the draws back."""
        states = [generator.get_state() for generator in self._generators]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_STEPS):
                self._model.differentiate(images, self._sampler)
        torch.cuda.current_stream().wait_stream(stream)
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state)
