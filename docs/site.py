"""What the documentation site adds to this folder: README, how to contribute, and a page an estimator.

An estimator's page is the docstring of its function, with the registry's entry.
Links are written for the repository, where they lead to files; here they lead to pages of the site.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from estimators.registry import REGISTRY, Estimator

_README = Path(__file__).parent.parent / "README.md"
_NO_TRAITS = ("name", "hyperparameters", "label", "version")
_TRAITS = [field.name for field in fields(Estimator) if field.name not in _NO_TRAITS]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every estimator its place beside the overview."""
    (section,) = (part["Estimators"] for part in config.nav or () if "Estimators" in part)
    section.append({"Reference": [{name: f"estimators/{name}.md"} for name in REGISTRY]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of this folder holds."""
    for page, path in (("index.md", _README), ("contributing.md", _README.with_name("CONTRIBUTING.md"))):
        files.append(File.generated(config, page, content=_on_the_site(path.read_text("utf-8"))))
    for estimator in REGISTRY.values():
        path = f"estimators/{estimator.name}.md"
        files.append(File.generated(config, path, content=_estimator_page(estimator)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn links to the files of estimators to their pages."""
    return re.sub(
        r"\]\(\.\./estimators/(?:pathwise|score_function)/(\w+)\.py\)", r"](estimators/\1.md)", markdown
    )


def _on_the_site(text: str) -> str:
    for of_repository, of_site in (
        ("](docs/", "]("),
        ("](CONTRIBUTING.md)", "](contributing.md)"),
        ("[Apache-2.0](LICENSE)", "Apache-2.0"),
    ):
        text = text.replace(of_repository, of_site)
    return text


def _estimator_page(estimator: Estimator) -> str:
    """Return a page whose text mkdocstrings takes from the docstring."""
    traits = "".join(f"| `{name}` | {getattr(estimator, name)} |\n" for name in _TRAITS)
    rules = "".join(f"| `{one.name}` | {one.default:g} | {one.rule} |\n" for one in estimator.hyperparameters)
    return (
        f"::: {estimator.function.__module__}.{estimator.name}\n\n"
        "The symbols are those of [the overview](../estimators.md#notation); its bias and spread are "
        "[measured beside the others'](../estimators.md#measured-bias-and-variance).\n\n"
        + (f"## Hyperparameters\n\n| name | default | must be |\n|---|---|---|\n{rules}\n" if rules else "")
        + f"## Traits\n\n| trait | value |\n|---|---|\n{traits}\n"
        "What each says is in the docstring of `estimators.registry.Estimator`.\n"
    )
