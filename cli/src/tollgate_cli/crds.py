"""Writing the CustomResourceDefinitions and their reference."""

from pathlib import Path
from typing import Any

import yaml

from tollgate_core.manifests.crds import custom_resource_definitions
from tollgate_core.manifests.reference import reference


class _Dumper(yaml.SafeDumper):
    """Without anchors: people read these files."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True


def write_crds(output: Path | None) -> None:
    """To a directory, one file per kind; without one to standard output."""
    for name, definition in custom_resource_definitions().items():
        text = yaml.dump(definition, Dumper=_Dumper, sort_keys=False, width=120)
        if output is None:
            print(f"---\n{text}", end="")  # noqa: T201
        else:
            output.mkdir(parents=True, exist_ok=True)
            (output / f"{name}.yaml").write_text(text)


def write_reference(file: Path) -> None:
    """Every field of every kind, as Markdown."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(reference(custom_resource_definitions()))
