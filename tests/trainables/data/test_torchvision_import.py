import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def run(script: str, *path: Path) -> str:
    """Output of a fresh interpreter; these tests are about what importing does."""
    setup = f"import sys; sys.path[:0] = {[str(entry) for entry in (*path, REPOSITORY)]!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_proper_build_is_imported_without_declaring_anything(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("")
    (tmp_path / "torchvision" / "datasets.py").write_text("MNIST = 'proper'")
    script = """
from trainables.data import torchvision_import
print(torchvision_import.torchvision_datasets().MNIST, torchvision_import._declared, "torch" in sys.modules)
"""
    assert run(script, tmp_path) == "proper [] False"


def test_build_that_lacks_its_operators_is_imported_again_after_declaring_them(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "import torch\n"
        "for name in ('nms', 'qnms'):\n"
        "    if not hasattr(torch.ops.torchvision, name):\n"
        "        raise RuntimeError(f'operator torchvision::{name} does not exist')\n"
    )
    (tmp_path / "torchvision" / "datasets.py").write_text("MNIST = 'declared'")
    script = """
from trainables.data.torchvision_import import torchvision_datasets
print(torchvision_datasets().MNIST)
"""
    assert run(script, tmp_path) == "declared"


def test_package_needs_neither_torch_nor_torchvision() -> None:
    script = """
for name in ("torch", "torchvision", "ray", "mlflow", "pydantic"):
    sys.modules[name] = None
import trainables.data
print(sorted(trainables.data.DATASETS))
"""
    assert run(script) == "['fashion_mnist', 'mnist', 'omniglot']"
