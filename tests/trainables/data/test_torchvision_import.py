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


def test_installed_torchvision_lists_mirrors_and_digests() -> None:
    script = """
from trainables.data.torchvision_mirrors import published_files
for name in ("MNIST", "FashionMNIST", "Omniglot"):
    files = published_files(name)
    print(len(files), files[0].name, files[0].md5, all(url.endswith(f.name) for f in files for url in f.urls))
"""
    assert run(script).splitlines() == [
        "4 train-images-idx3-ubyte.gz f68b3c2dcbeaaa9fbdd348bbdeb94873 True",
        "4 train-images-idx3-ubyte.gz 8d4fb7e6c68d591d4c3dfef9ec88bf0d True",
        "2 images_background.zip 68d2efa1b9178cc56df9314c21c6e718 True",
    ]


def test_absent_torchvision_is_a_source_that_fails() -> None:
    script = """
sys.modules["torchvision"] = None
from trainables.data.errors import SourceError
from trainables.data.torchvision_mirrors import published_files
try:
    published_files("MNIST")
except SourceError as error:
    print(error)
"""
    assert run(script).startswith("torchvision cannot be imported: ")


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
