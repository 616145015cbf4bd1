"""Estimators within torch.compile: they run as they are, between the parts that it compiles."""

from __future__ import annotations

import torch

from estimators.pathwise import sample_with_gradient

eager_sample_with_gradient = torch.compiler.disable(
    sample_with_gradient,
    reason="estimators draw by generators and save the draw for their backward pass, which torch.compile does "
    "not trace; without fullgraph=True they run between the compiled parts (docs/estimators.md)",
)
