"""The fused kernel against conditional Gumbels written out in float64 from the kernel's own noise.

On a GPU the kernels run as they are; without one, triton's interpreter runs them in a process of its own,
since triton decides at import whether it compiles or interprets.
"""

import importlib.util
import multiprocessing
import os
import subprocess
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch._subclasses import FakeTensorMode

from estimators import fused_gumbel
from estimators.fused_gumbel import (
    _can_launch,
    fused_averaged_softmax_vjp,
    is_available,
    philox_seeds,
    philox_uniforms,
    takes,
)
from tests.estimators import oracles
from tests.estimators.oracles import normal, one_hot
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import FALSE_ALARM, check_uncorrelated

CPU = torch.device("cpu")
EPS = torch.finfo(torch.float32).eps
HAS_TRITON = importlib.util.find_spec("triton") is not None
IS_INTERPRETED = HAS_TRITON and os.environ.get("TRITON_INTERPRET") == "1"


@dataclass(frozen=True)
class Case:
    """Arguments of the kernel, logits of shape (P, B, L, C); `seeds` holds those of the P generators."""

    logits: Tensor
    sample: Tensor
    grad: Tensor
    temperature: float | Tensor = 0.7
    num_mc_samples: int = 5
    seeds: list[int] = field(default_factory=lambda: [11, 12])

    @property
    def rows_per_member(self) -> int:
        return self.logits[0].numel() // self.logits.shape[-1]


@dataclass(frozen=True)
class Outcome:
    """What the kernel returned, the noise that it used, shape (..., L, C, K), and its next draws' keys."""

    product: Tensor
    uniforms: Tensor
    next_seeds: Tensor


def on_device(value, device):
    return value.to(device) if isinstance(value, Tensor) else value


def run(case: Case, device: str) -> Outcome:
    """Executed in the process that has the kernels."""
    arguments = [on_device(x, device) for x in (case.logits, case.sample, case.grad, case.temperature)]
    generators, again = ([torch.Generator(device).manual_seed(s) for s in case.seeds] for _ in range(2))
    product = fused_averaged_softmax_vjp(*arguments, case.num_mc_samples, generators)
    keys = philox_seeds(len(again), again, device)
    uniforms = philox_uniforms(keys, case.rows_per_member, case.logits.shape[-1], case.num_mc_samples)
    uniforms = uniforms.view(*case.logits.shape, case.num_mc_samples)
    return Outcome(product.cpu(), uniforms.cpu(), philox_seeds(len(generators), generators, device).cpu())


def run_without_pack(case: Case, generator_seed: int | None, device: str) -> Tensor:
    arguments = [on_device(x, device) for x in (case.logits, case.sample, case.grad, case.temperature)]
    generator = None if generator_seed is None else torch.Generator(device).manual_seed(generator_seed)
    return fused_averaged_softmax_vjp(*arguments, case.num_mc_samples, generator).cpu()


def write_uniforms(keys: Tensor, shape: tuple[int, int, int], device: str) -> Tensor:
    return philox_uniforms(keys.to(device), *shape).cpu()


@pytest.fixture(scope="module")
def call():
    """Calls a function of this file where kernels run, and tells it the device."""
    if not HAS_TRITON:
        reason = "triton is not installed: the development extra has it on Linux"
        yield lambda *_: pytest.skip(reason)  # here, so that the summary has one line for all
        return
    if torch.cuda.is_available():
        yield lambda function, *arguments: function(*arguments, "cuda")
        return
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRITON_INTERPRET", "1")
            assert pool.submit(is_available, "cpu").result()
        yield lambda function, *arguments: pool.submit(function, *arguments, "cpu").result()


def make_case(categorical_dim=4, shape=(2, 2, 2), scale=1.0, **changes) -> Case:
    logits = normal(*shape, categorical_dim, seed=1, scale=scale, dtype=torch.float32)
    index = torch.randint(categorical_dim, shape, generator=seeded(2))
    grad = normal(*logits.shape, seed=3, dtype=torch.float32)
    return Case(logits, one_hot(index, logits), grad, **changes)


# The reference, and wrong versions of it.


def conditional(logits, sample, uniforms) -> Tensor:
    """Eq. 7 literally, in float64."""
    e, chosen = -torch.log(uniforms.double()), sample.unsqueeze(-1) > 0
    probs = torch.softmax(logits.double(), -1).unsqueeze(-1)
    e_winner = torch.where(chosen, e, 0.0).sum(-2, keepdim=True)
    return torch.where(chosen, -torch.log(e), -torch.log(e / probs + e_winner))


def literal(case: Case, uniforms: Tensor) -> Tensor:
    y = conditional(case.logits, case.sample, uniforms)
    temperature = case.temperature.double() if isinstance(case.temperature, Tensor) else case.temperature
    return oracles.apply(oracles.mean_jacobian(y, temperature), case.grad.double())


def check_equals_literal(case: Case, product: Tensor, uniforms: Tensor) -> None:
    """The tolerance of test_float32.py: that of rounding the inputs."""
    y = conditional(case.logits, case.sample, uniforms)
    sharpness = 1 / torch.as_tensor(case.temperature).min().item()
    largest = max(case.logits.abs().max().item(), y.abs().max().item())
    rounding = EPS * (1 + largest * max(1, sharpness)) * case.grad.abs().max().item() * (1 + sharpness)
    assert product.dtype == torch.float32
    torch.testing.assert_close(product.double(), literal(case, uniforms), rtol=0, atol=0.2 * rounding)


def _winner_shared_over_draws(case, uniforms):
    return literal(case, torch.where(case.sample.unsqueeze(-1) > 0, uniforms[..., :1], uniforms))


def _winner_at_its_own_logit(case, uniforms):
    probs = torch.softmax(case.logits, -1).unsqueeze(-1)
    chosen = case.sample.unsqueeze(-1) > 0
    return literal(case, torch.where(chosen, uniforms.double() ** (1 / probs), uniforms.double()))


def _no_baseline(case, uniforms):
    y = conditional(case.logits, case.sample, uniforms)
    return case.grad * torch.softmax(y / case.temperature, -2).mean(-1) / case.temperature


PLANTED = {
    "winner shared over draws": _winner_shared_over_draws,
    "winner at its own logit": _winner_at_its_own_logit,
    "no baseline": _no_baseline,
    "last draw left out": lambda case, u: literal(case, u[..., :-1]),
    "draws of the next row": lambda case, u: literal(case, u.roll(1, -3)),
    "unnoticed temperature": lambda case, u: literal(replace(case, temperature=1.0), u),
    "no 1/temperature": lambda case, u: literal(case, u) * case.temperature,
    "sum over draws": lambda case, u: literal(case, u) * case.num_mc_samples,
    "off by 1e-5": lambda case, u: literal(case, u) * (1 + 1e-5),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_check_rejects(planted):
    case = make_case()
    uniforms = torch.rand(*case.logits.shape, 5, generator=seeded(4))
    check_equals_literal(case, literal(case, uniforms).float(), uniforms)
    with pytest.raises(AssertionError, match="not close"):
        check_equals_literal(case, PLANTED[planted](case, uniforms).float(), uniforms)


# The kernel.


def per_member(*values) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    "temperature", [0.1, 1.0, 10.0, per_member(0.3, 2.0)], ids=["0.1", "1.0", "10.0", "0.3 and 2.0"]
)
@pytest.mark.parametrize("categorical_dim", [1, 2, 8, 10, 64])
def test_equals_literal_average(call, categorical_dim, temperature):
    case = make_case(categorical_dim, temperature=temperature)
    outcome = call(run, case)
    check_equals_literal(case, outcome.product, outcome.uniforms)


@pytest.mark.parametrize("num_mc_samples", [1, 2, 4, 100, 270])
def test_equals_literal_average_for_any_number_of_draws(call, num_mc_samples):
    case = make_case(8, shape=(2, 2, 1), num_mc_samples=num_mc_samples)
    outcome = call(run, case)
    check_equals_literal(case, outcome.product, outcome.uniforms)


@pytest.mark.parametrize("categorical_dim", [300, 1000])
def test_equals_literal_average_for_many_categories(call, categorical_dim):
    case = make_case(categorical_dim, shape=(2, 1, 1), scale=3.0)
    outcome = call(run, case)
    check_equals_literal(case, outcome.product, outcome.uniforms)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
def test_equals_literal_average_where_probabilities_underflow(call, temperature):
    """Every category as the draw, those among them whose probability is 0 in float32."""
    rows = torch.tensor([[80.0, -80, 0, 79], [80, 80, 80, 80], [-80, -80, -80, -80], [-80, 80, -80, 80]])
    sample = torch.eye(4).unsqueeze(1).expand(4, 4, 4)
    grad = torch.tensor([1.0, -3.0, 2.0, 0.5]).expand(1, 4, 4, 4)
    case = Case(rows.expand(4, 4, 4)[None], sample[None], grad, temperature, seeds=[11])
    outcome = call(run, case)
    assert outcome.product.isfinite().all()
    check_equals_literal(case, outcome.product, outcome.uniforms)


def test_logits_that_are_not_numbers_are_not_hidden(call):
    case = make_case()
    case.logits[0, 1, 0, 2] = float("nan")
    product = call(run, case).product
    assert product[0, 1, 0].isnan().all()
    assert product.isnan().sum() == 4


def test_impossible_categories_get_no_gradient(call):
    case = make_case()
    case.logits[..., 1] = -float("inf")
    first = torch.zeros(case.logits.shape[:-1], dtype=torch.int64)
    product = call(run, replace(case, sample=one_hot(first, case.logits))).product
    assert product.isfinite().all()
    assert (product[..., 1] == 0).all()


def test_improbable_categories_keep_their_gradient(call):
    """At a high temperature they matter, even where 1 / p or E_j / (p_j E_i) is beyond float32."""
    logits = torch.tensor([0.0, -40.0, -59.0, -61.0, -87.0, -88.5, -95.0, -160.0]).expand(1, 3, 1, 8)
    grad = normal(1, 3, 1, 8, seed=3, dtype=torch.float32)
    case = Case(logits, one_hot(torch.zeros(1, 3, 1, dtype=torch.int64), logits), grad, 10.0, 20, [11])
    outcome = call(run, case)
    expected = literal(case, outcome.uniforms)
    torch.testing.assert_close(outcome.product[..., 1:].double(), expected[..., 1:], rtol=3e-5, atol=0)


def test_member_equals_itself_alone_bit_for_bit(call):
    case = make_case(10, shape=(3, 5, 1), temperature=per_member(0.3, 1.0, 2.0), seeds=[5, 6, 7])
    pack = call(run, case)
    for p, seed in enumerate(case.seeds):
        one = [x[p : p + 1] for x in (case.logits, case.sample, case.grad, case.temperature)]
        alone = call(run, Case(*one, case.num_mc_samples, [seed]))
        assert torch.equal(pack.product[p], alone.product[0])
        assert torch.equal(pack.uniforms[p], alone.uniforms[0])
        assert torch.equal(pack.next_seeds[p], alone.next_seeds[0])


def test_strides_do_not_matter(call):
    case = make_case()
    expected = call(run, replace(case, grad=torch.ones_like(case.grad))).product
    permuted = case.logits.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    strided = case.sample.repeat_interleave(2, -1)[..., ::2]
    constant = torch.ones(()).expand(case.grad.shape)
    outcome = call(run, replace(case, logits=permuted, sample=strided, grad=constant))
    assert torch.equal(outcome.product, expected)


@pytest.mark.parametrize(
    "temperature",
    [torch.tensor(0.5), torch.tensor([0.5]), per_member(0.5, 0.5), per_member(0.5, 0.5).double()],
    ids=["scalar", "vector", "members", "float64"],
)
def test_temperature_may_be_a_tensor(call, temperature):
    expected = call(run, make_case(temperature=0.5)).product
    assert torch.equal(call(run, make_case(temperature=temperature)).product, expected)


def test_one_generator_serves_all_rows(call):
    """Without a member axis, of any number of dimensions, and as a pack of one."""
    case = make_case(shape=(1, 3, 2), seeds=[5])
    expected = call(run, case).product
    flat = replace(case, **{name: getattr(case, name)[0] for name in ("logits", "sample", "grad")})
    assert torch.equal(call(run_without_pack, case, 5), expected)
    assert torch.equal(call(run_without_pack, flat, 5), expected[0])


def test_without_a_generator_every_call_differs(call):
    first, second = (call(run_without_pack, make_case(), None) for _ in range(2))
    assert first.isfinite().all()
    assert not torch.equal(first, second)


def test_no_rows_are_no_trouble(call):
    assert call(run, make_case(shape=(2, 0, 2))).product.shape == (2, 0, 2, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_replays_of_a_cuda_graph_draw_anew_and_never_wait(call):
    case, generator = make_case(), torch.Generator("cuda").manual_seed(1)
    arguments = [x.cuda() for x in (case.logits, case.sample, case.grad, per_member(0.5, 2.0))]
    fused_averaged_softmax_vjp(*arguments, 5, generator)
    torch.cuda.set_sync_debug_mode("error")
    try:
        eager = [fused_averaged_softmax_vjp(*arguments, 5, generator.manual_seed(2)) for _ in range(2)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(*eager)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        product = fused_averaged_softmax_vjp(*arguments, 5, generator)
    replays = []
    for _ in range(2):
        graph.replay()
        replays.append(product.clone())
    assert not torch.equal(*replays)


@pytest.mark.skipif(not HAS_TRITON or IS_INTERPRETED, reason="no triton that compiles")
@pytest.mark.parametrize("name", ["_average_kernel", "_uniforms_kernel"])
def test_kernel_compiles_without_a_gpu_too(name, monkeypatch, tmp_path):
    """The interpreter accepts Python that the compiler does not."""
    from triton import compiler
    from triton.backends.compiler import GPUTarget

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(fused_gumbel, name)
    signature = {arg: "*fp32" if arg.endswith("_ptr") else "i32" for arg in kernel.arg_names}
    signature |= {"seed_ptr": "*i64", "block_c": "constexpr", "block_groups": "constexpr"}
    source = compiler.ASTSource(kernel, signature, constexprs={"block_c": 8, "block_groups": 32})
    compiled = compiler.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": 1})
    assert len(compiled.asm["cubin"]) > 0


# The noise.


def check_independent_uniforms(uniforms: Tensor) -> None:
    """Uniform, none twice, and neighbours along every axis have nothing in common."""
    assert uniforms.min() > 0 and uniforms.max() < 1
    assert uniforms.unique().numel() > 0.999 * uniforms.numel(), "draws are repeated"
    pvalue = stats.kstest(uniforms.double().flatten().numpy(), "uniform", method="asymp").pvalue
    assert pvalue > FALSE_ALARM, f"not uniform: p = {pvalue:.3g}"
    for axis in range(uniforms.ndim):
        length = uniforms.shape[axis] - 1
        ahead, behind = (uniforms.narrow(axis, start, length).reshape(-1, 1) for start in (1, 0))
        check_uncorrelated(ahead, behind)


def test_noise_is_uniform_and_independent(call):
    keys = philox_seeds(2, [seeded(1), seeded(2)], "cpu")
    uniforms = call(write_uniforms, keys, (10, 10, 135))
    assert uniforms.shape == (20, 10, 135)
    assert uniforms.dtype == torch.float32
    check_independent_uniforms(uniforms.view(2, 10, 10, 135))


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda u: u[:1].expand(u.shape), id="shared over members"),
        pytest.param(lambda u: u[..., :1].expand(u.shape), id="shared over draws"),
        pytest.param(lambda u: u + 0.1 * u.roll(1, 2) - 0.05, id="correlated over categories"),
        pytest.param(lambda u: u**1.05, id="not uniform"),
    ],
)
def test_noise_check_rejects(planted):
    uniforms = torch.rand(2, 10, 10, 135, dtype=torch.float64, generator=seeded(3)).clamp(min=1e-9)
    check_independent_uniforms(uniforms)
    with pytest.raises(AssertionError):
        check_independent_uniforms(planted(uniforms))


def test_each_call_has_its_own_noise(call):
    """The key is all that one call takes from a generator, and the next call takes another."""
    case = make_case()
    outcome = call(run, case)
    later = call(write_uniforms, outcome.next_seeds, (case.rows_per_member, 4, case.num_mc_samples))
    assert not torch.isin(later, outcome.uniforms).any()


def test_keys_follow_the_generators():
    keys = philox_seeds(3, [seeded(s) for s in (1, 2, 1)], "cpu")
    assert keys.dtype == torch.int64
    assert keys[0] == keys[2] != keys[1]
    generator = seeded(1)
    first, second = (philox_seeds(1, generator, "cpu") for _ in range(2))
    assert first == keys[0] != second


# Without triton too.


def test_is_available_where_a_gpu_and_triton_are_or_its_interpreter():
    assert is_available("cuda") is (HAS_TRITON and (IS_INTERPRETED or torch.cuda.is_available()))
    assert is_available(torch.device("cpu")) is IS_INTERPRETED


@pytest.fixture
def launches(monkeypatch):
    """What launches of the small kernel are to end with: a list of errors, or None for success."""
    pending = []

    def launch(*_):
        error = pending.pop(0)
        if error is not None:
            raise error

    monkeypatch.setattr(fused_gumbel, "philox_uniforms", launch)
    _can_launch.cache_clear()
    yield pending
    _can_launch.cache_clear()


def test_a_launch_that_succeeds_is_asked_for_once(launches):
    launches.append(None)
    with warnings.catch_warnings(action="error"):
        assert [_can_launch(CPU) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RuntimeError("Failed to find C compiler"), id="no compiler"),
        pytest.param(FileNotFoundError(2, "No such file or directory", "icc"), id="$CC is not there"),
        pytest.param(subprocess.CalledProcessError(1, ["gcc", "main.c"]), id="Python.h is missing"),
        pytest.param(AssertionError("libcuda.so cannot found!"), id="libcuda is missing"),
    ],
)
def test_where_triton_cannot_compile_there_is_one_warning_and_the_answer_stays(launches, error):
    launches.append(error)
    with pytest.warns(RuntimeWarning, match="Triton cannot compile on this machine") as caught:
        assert [_can_launch(CPU) for _ in range(3)] == [False] * 3
    assert len(caught) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        ZeroDivisionError(),
    ],
)
def test_an_error_that_says_nothing_of_the_compiler_is_not_taken_for_an_answer(launches, error):
    launches += [error, None]
    with pytest.raises(type(error)):
        _can_launch(CPU)
    assert _can_launch(CPU)


@pytest.mark.parametrize("name", ["logits", "sample", "grad"])
@pytest.mark.parametrize("wrong", [lambda x: x.double(), lambda x: x[:1], lambda x: x.to("meta")])
def test_tensors_that_do_not_fit_are_refused(name, wrong):
    case = make_case()
    case = replace(case, **{name: wrong(getattr(case, name))})
    with pytest.raises(ValueError, match="must have dtype, shape and device"):
        fused_averaged_softmax_vjp(case.logits, case.sample, case.grad, 1.0, 5, seeded(1))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_wrong_number_of_generators_is_refused(count):
    case = make_case()
    generators = [seeded(s) for s in range(count)]
    with pytest.raises(ValueError, match="generator must be one generator or one for each"):
        fused_averaged_softmax_vjp(case.logits, case.sample, case.grad, 1.0, 5, generators)


def test_fake_tensors_are_kept_from_the_kernel(monkeypatch):
    """Whether it can be launched is not found out with them either: the answer is kept."""
    asked = []
    monkeypatch.setattr(fused_gumbel, "is_available", lambda device: asked.append(device) or True)
    with FakeTensorMode():
        assert not takes(torch.empty(5, 3, 4, device="cuda"))
    assert not asked
