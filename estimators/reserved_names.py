"""Names that no hyperparameter of a user's can have: specs, stores and tables have them already."""

RESERVED = frozenset(
    {
        "activation", "batch_size", "categorical_dim", "cell", "dataset", "dataset_content",
        "dataset_version", "decoder", "diverged", "draws", "encoder", "end_time",
        "epoch", "epochs", "error", "estimator", "estimator_version", "experiment", "f", "generator",
        "hyperparameters", "image_shape", "iterations_per_epoch",
        "label", "latent", "latent_dim", "logits", "lr",
        "measured_epochs", "member", "metric", "n", "note", "num_draws", "optimizer", "precision", "pruned",
        "rank", "run_id", "seed", "start_time", "status", "task", "task_version", "temperature_decay",
        "temperature_floor", "trained_temperature", "trained_with",
    }
)  # fmt: skip
