"""Estimators within torch.compile: they run as they are, between the parts that it compiles."""

from __future__ import annotations

from typing import Any

import torch

from estimators.pathwise.differentiable import sample_with_gradient

eager_sample_with_gradient: Any = torch.compiler.disable(  # type: ignore[no-untyped-call]
    sample_with_gradient,
    reason="torch.compile traces neither generators nor the draw that an estimator keeps for its backward "
    "pass; without fullgraph=True estimators run between the compiled parts (docs/estimators.md)",
)
