"""What docs/security.md promises of the code as a whole; passwords are in sweep/cli/test_passwords.py."""

from __future__ import annotations

import ast
import inspect
import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trainables.data import DATASETS, DataError, fetch, load, verify

ROOT = Path(__file__).parent.parent
PACKAGES = ("estimators", "trainables", "sweep", "analysis")

FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "cloudpickle.load",
    "cloudpickle.loads",
    "marshal.load",
    "marshal.loads",
    "shelve.open",
    "joblib.load",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "torch.jit.load",
    "torch.hub.load",
    "torch.package.PackageImporter",
    "shutil.unpack_archive",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
}
FORBIDDEN_METHODS = {"extract", "extractall"}
EVERY_ADDRESS = {"0.0.0.0", "::"}

RESTRICTED_UNPICKLER = "trainables/data/omniglot/numpy_pickle.py"
"""Derives from `pickle.Unpickler` to admit numpy arrays and nothing else; see its tests."""
SENT_BY_THE_DRIVER = "trainables/own_estimators.py"
"""Unpickles what its own driver has sent it through Ray, and no file."""
WHOLE_ENVIRONMENT = {"trainables/data/program.py"}
"""Hand their environment on to a program that they start."""


def name_of(node: ast.expr) -> str:
    """Return a dotted name, or "" for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and name_of(node.value):
        return f"{name_of(node.value)}.{node.attr}"
    return ""


def is_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and name_of(node) == "os.environ"


def violations(source: str, path: str = "") -> Iterator[str]:
    """Yield what a file does that no file of the four packages may do."""
    tree = ast.parse(source)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, (ast.Attribute, ast.Subscript))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            own = {"cloudpickle.loads"} if path == SENT_BY_THE_DRIVER else set()
            yield from (one for one in call_violations(node) if one not in own)
        elif isinstance(node, ast.ClassDef) and path != RESTRICTED_UNPICKLER:
            yield from (f"class of {name_of(one)}" for one in node.bases if "Unpickler" in name_of(one))
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from names & (FORBIDDEN_CALLS | {"torch.load", "os.environ"})
        elif isinstance(node, ast.Constant) and node.value in EVERY_ADDRESS:
            yield f"address {node.value}"
        elif is_environment(node) and id(node) not in inner and path not in WHOLE_ENVIRONMENT:
            yield "the whole environment"


def call_violations(call: ast.Call) -> Iterator[str]:
    name = name_of(call.func)
    options = {one.arg: one.value.value for one in call.keywords if isinstance(one.value, ast.Constant)}
    if name in FORBIDDEN_CALLS:
        yield name
    if name == "torch.load" and options.get("weights_only") is not True:
        yield "torch.load without weights_only=True"
    if isinstance(call.func, ast.Attribute) and call.func.attr in FORBIDDEN_METHODS:
        yield f"method {call.func.attr}"
    for option in ("shell", "allow_pickle"):
        given = [one for one in call.keywords if one.arg == option]
        if given and options.get(option, True) is not False:
            yield f"{option} is not False"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_runs_what_it_reads_or_listens_to_everybody(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: {one}" for one in violations(path.read_text(), name)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "pickle.load(file)",
        "pickle.loads(data)",
        "pickle.Unpickler(file).load()",
        "from pickle import loads",
        "class Own(pickle.Unpickler): ...",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=is_safe)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=maybe)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "archive.extractall(folder)",
        "archive.extract(name, folder)",
        "shutil.unpack_archive(path)",
        'server.bind(("0.0.0.0", 80))',
        'host = "::"',
        "log(os.environ)",
        "log(dict(os.environ))",
        "log({**os.environ})",
        "from os import environ",
    ],
)
def test_the_rule_catches_what_it_forbids(source: str) -> None:
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path, map_location='cpu', weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "model.eval()",
        "trainer.evaluate(images)",
        "subprocess.run([program], check=True)",
        "except_(pickle.UnpicklingError)",
        'os.environ.get("HOME")',
        'os.environ["HOME"]',
        'host = "127.0.0.1"',
    ],
)
def test_the_rule_leaves_alone_what_is_safe(source: str) -> None:
    assert list(violations(source)) == []


def listening_addresses() -> set[str]:
    """Return the addresses that this process and all that it started listen on."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def is_of_this_machine_only(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("::", False), ("10.0.0.1", False)],
)
def test_an_address_of_this_machine_is_known(address: str, expected: bool) -> None:
    assert is_of_this_machine_only(address) is expected


def test_ray_listens_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from sweep.cluster.cluster import cluster
    from sweep.quiet import quieten
    from sweep.spec.sweep_spec import Resources

    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    quieten()
    before = listening_addresses()
    with cluster(None, Resources()):
        ray.get(ray.remote(lambda: None).remote())  # a worker listens too
        addresses = listening_addresses() - before
        assert addresses
        assert [address for address in addresses if not is_of_this_machine_only(address)] == []
        # On this machine everybody can try; the token that is asked for is for its user alone.
        assert Path("~/.ray/auth_token").expanduser().stat().st_mode & 0o077 == 0
        session = Path(ray._private.worker._global_node.get_session_dir_path())
        assert session.is_dir()
        # Ray opens its own folders to everybody: nobody else may get there.
        assert session.parent.parent.stat().st_mode & 0o077 == 0
    assert not session.parent.parent.exists()


TOKEN_AT_THE_START = """
import stat
from pathlib import Path
import ray
from sweep.cluster.cluster import cluster
from sweep.spec.sweep_spec import Resources

def look(*words, **options):
    print(oct(stat.S_IMODE(Path("~/.ray/auth_token").expanduser().stat().st_mode)))
    raise RuntimeError("enough was seen")

ray.init = look
with cluster(None, Resources()):
    pass
"""


def start_with_home(folder: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", TOKEN_AT_THE_START],
        cwd=ROOT,
        env={**environment, "HOME": str(folder)},
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_token_is_its_users_alone_before_ray_starts(tmp_path: Path) -> None:
    first = start_with_home(tmp_path)
    token = tmp_path / ".ray" / "auth_token"
    made = token.read_text()
    token.chmod(0o644)  # as Ray makes it
    again = start_with_home(tmp_path)
    assert (first.stdout, again.stdout) == ("0o600\n", "0o600\n")
    assert "token" not in first.stderr
    assert token.read_text() == made != ""


def test_a_token_that_cannot_be_kept_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = start_with_home(tmp_path / "file").stderr.splitlines()[-1]
    assert said.startswith("sweep.cluster_error.ClusterError: Ray cannot be started on this machine: ")


def test_the_ui_listens_to_this_machine_unless_told_otherwise() -> None:
    from sweep.cli.ui import command

    assert is_of_this_machine_only(inspect.signature(command).parameters["host"].default)


CLIMBING = [
    "../up",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    ".hidden",
    "~root",
    "a\0b",
    "a\n",
    "",
    "é",
    "$HOME",
]


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("key", ["name", "dataset", "task"])
def test_no_name_of_a_spec_leads_out_of_the_home(key: str, name: str) -> None:
    from pydantic import ValidationError

    from tests.sweep.samples import spec_of

    with pytest.raises(ValidationError):
        spec_of(**{key: name})


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("key", ["estimator", "optimizer", "latent"])
def test_no_name_of_a_block_leads_out_of_the_home(key: str, name: str) -> None:
    from pydantic import ValidationError

    from tests.sweep.samples import spec_of

    with pytest.raises(ValidationError):
        spec_of({key: name})


@pytest.mark.parametrize("name", CLIMBING)
def test_no_dataset_is_sought_outside_the_data_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for use in (fetch, verify, load):
        with pytest.raises(DataError, match="unknown dataset"):
            use(name, folder)
    assert list(tmp_path.iterdir()) == []
    assert set(DATASETS) == {Path(one).name for one in DATASETS}


ALIASES = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
BOMBS = {
    "aliases to aliases": f"name: x\na: &a [1]\n{ALIASES}\nseeds: *j\n",
    "an alias within itself": "name: x\nseeds: &a [*a]\n",
    "deep nesting": f"name: x\nseeds: {'[' * 5000}{']' * 5000}\n",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_spec_that_would_fill_the_memory_is_refused_in_a_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    code = f"""
import resource
from sweep.spec.file import load_spec
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    load_spec({str(path)!r})
except Exception as error:
    print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert answer.stdout.startswith(f"{path}: "), answer.stderr
    assert len(answer.stdout) < len(str(path)) + 100


def test_a_planted_manifest_link_is_not_written_through(tmp_path: Path) -> None:
    from sweep.planning.packing import write_manifest
    from tests.trainables.members import member
    from trainables.pack import Pack

    pack = Pack((member(),))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "checkpoints" / pack.hash
    folder.mkdir(parents=True)
    for name in ("pack.json", f"pack.json.{os.getpid()}"):
        (folder / name).symlink_to(victim)
    write_manifest(tmp_path / "checkpoints", pack)
    assert victim.read_text() == "precious"
