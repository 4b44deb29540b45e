"""Writing the CustomResourceDefinitions."""

from pathlib import Path

import yaml

from tollgate_core.manifests.crds import custom_resource_definitions


def write_crds(output: Path | None) -> None:
    """To a directory, one file per kind; without one to standard output."""
    for name, definition in custom_resource_definitions().items():
        text = yaml.safe_dump(definition, sort_keys=False, width=120)
        if output is None:
            print(f"---\n{text}", end="")  # noqa: T201
        else:
            output.mkdir(parents=True, exist_ok=True)
            (output / f"{name}.yaml").write_text(text)
