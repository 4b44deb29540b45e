"""``python tests/e2e_cluster/image_names.py`` prints the chart's default images, one "component name" a line."""

from pathlib import Path

import yaml

CHART = Path(__file__).parents[2] / "charts" / "tollgate"


def image_names() -> dict[str, str]:
    """Component → image, as a default install pulls it."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    own = values["image"]
    names = {
        component: f"{own['registry']}/{own['repository']}/{component}:{own['tag'] or version}"
        for component in ("operator", "extproc", "billing", "sandbox")
    }
    for component, image in {"envoy": values["gateway"]["envoy"]["image"], "valkey": values["valkey"]["image"]}.items():
        names[component] = f"{image['registry']}/{image['repository']}:{image['tag']}"
    return names


if __name__ == "__main__":
    print("\n".join(f"{component} {name}" for component, name in image_names().items()))
