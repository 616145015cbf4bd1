"""Is an estimator right? The contract that every one keeps, and its bias, spread and cost."""
