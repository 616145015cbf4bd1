"""What a spec may state depends on its task: keys that a task requires, takes or refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from estimators.hyperparameter import NUM_SAMPLES
from sweep.spec.block import ANNEALING, Block, SpecModel, check_hyperparameter
from sweep.spec.values import MISSING, SpecValueError
from trainables.own_data import OWN_DATA, OwnDataset
from trainables.schema import NETWORK_PARAMS
from trainables.schema.dataset_names import NUM_TRAIN_IMAGES
from trainables.task import OPTIONAL, REQUIRED, Keys, Task

_BLOCK_KEYS = ("optimizer", "lr", *ANNEALING, *NETWORK_PARAMS, "epochs")
"""The keys of a block that a task requires, takes or refuses."""

Part = TypeVar("Part", bound=SpecModel)


def settled(task: Task, key: str, value: object) -> object:
    """Return the value of a spec's key: as stated, or the task's; None where it has none.

    Args:
        task: The task.
        key: The key.
        value: What the spec states; None where it states nothing.
    Raises:
        SpecValueError: If the key must be given or left out where this is the task.
    """
    if value is None and key in task.fixed:
        return task.fixed[key]
    return _settled(task, task.keys, key, value)


def settled_block(task: Task, index: int, block: Block) -> Block:
    """Return a block of the grid with the task's defaults filled in.

    Args:
        task: The task.
        index: Its place in the grid.
        block: The block as stated.
    Raises:
        SpecValueError: If a key must be given or left out where this is the task, or a latent has too many
            states for it.
    """
    for estimator in block.estimator:
        if not task.can_train_with(estimator):
            rule = f"estimator must evaluate f at one-hot samples alone where task is {task.name}"
            raise SpecValueError(rule, estimator, place=(index, "estimator"))
        own, name = task.hyperparameters_of(estimator), NUM_SAMPLES.name
        check_hyperparameter(name, block.hyperparameters.get(name), estimator, own, (index, name))
    for latent in block.latent:
        _check_latent(task, latent, (index, "latent"))
    return _filled(task, task.block_keys, block, _BLOCK_KEYS, (index,))


def _check_latent(task: Task, latent: str, place: tuple[str | int, ...]) -> None:
    categorical_dim, latent_dim = map(int, latent.split("x"))
    if not task.has_few_enough_states(categorical_dim, latent_dim):
        rule = f"latent must have at most {task.max_states} states for an exact gradient"
        raise SpecValueError(rule, latent, place=place)
    if task.categorical_dim not in (None, categorical_dim):
        rule = f"latent must have {task.categorical_dim} categories where task is {task.name}"
        raise SpecValueError(f"{rule}, such as {task.categorical_dim}x{latent_dim}", latent, place=place)


def check_batch(task: Task, dataset: str, batch_size: int, latents: Iterable[str]) -> None:
    """Refuse batches of more examples than an epoch has, which would be one batch of other than that size.

    Args:
        task: The task.
        dataset: The name of the images.
        batch_size: Examples a batch.
        latents: All latents of the grid, one of which says how many images an example takes where it has
            one for each variable.
    Raises:
        SpecValueError: If there are fewer examples.
    """
    images_each = max(int(latent.split("x")[1]) for latent in latents) if task.has_image_per_variable else 1
    own = OWN_DATA.get(dataset)
    if own is not None and own.images is None:  # only the store knows of it, and nothing can be trained
        return
    num_images = len(own.images.train_images) if own and own.images else NUM_TRAIN_IMAGES[dataset]
    num_examples = num_images // images_each
    if batch_size > num_examples:
        what = "images" if images_each == 1 else f"examples of {images_each} images"
        rule = f"batch_size must be at most {num_examples:,}, as many {what} as {dataset} has to train on"
        raise SpecValueError(rule, batch_size, place=("batch_size",))


def check_own_data(task: Task, own: OwnDataset) -> None:
    """Refuse a data set of a user's that a task can do nothing with.

    Raises:
        SpecValueError: If images or labels are not what the task needs.
    """
    if task.image_shape not in (None, own.image_shape):
        size = "x".join(map(str, task.image_shape or ()))
        raise SpecValueError(f"dataset must have images of {size} where task is {task.name}", own.shape_text)
    most = task.num_classes
    if most is not None and own.images is not None and (own.num_classes or most + 1) > most:
        got = "no labels" if own.num_classes is None else f"labels up to {own.num_classes - 1}"
        rule = f"dataset must have labels from 0 to {most - 1} where task is {task.name}"
        raise SpecValueError(f"{rule}, and {own.name} has {got}", MISSING)


def settled_measure(task: Task, measure: Part) -> Part:
    """Return how gradients are measured with the task's defaults filled in.

    Raises:
        SpecValueError: If a key must be given or left out where this is the task, or draws are too few.
    """
    draws = getattr(measure, "draws", None)
    if draws is not None and draws < task.least_draws:
        rule = f"draws must be an integer >= {task.least_draws} where task is {task.name}"
        raise SpecValueError(rule, draws, place=("draws",))
    return _filled(task, task.measure_keys, measure, tuple(type(measure).model_fields), ())


def _filled(task: Task, keys: Keys, part: Part, names: tuple[str, ...], place: tuple[str | int, ...]) -> Part:
    filled = {name: _settled(task, keys, name, getattr(part, name), (*place, name)) for name in names}
    return part.model_copy(update=filled)


def _settled(task: Task, keys: Keys, key: str, value: object, place: tuple[str | int, ...] = ()) -> object:
    if value is None:
        default = keys.get(key, OPTIONAL)
        if default is REQUIRED:
            raise SpecValueError(f"{key} must be given where task is {task.name}", MISSING, place=place)
        return None if default is OPTIONAL else default
    if key not in keys:
        raise SpecValueError(f"{key} must be left out where task is {task.name}", value, place=place)
    return value
