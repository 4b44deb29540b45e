"""Whether crds/ is what the models say."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """1 where a file differs; ``tollgate crds --output crds`` mends it."""
    with tempfile.TemporaryDirectory() as directory:
        command = [str(Path(sys.executable).parent / "tollgate"), "crds", "--output", directory]
        subprocess.run(command, check=True)
        fresh = {f.name: f.read_text() for f in Path(directory).iterdir()}
    committed = {f.name: f.read_text() for f in (ROOT / "crds").glob("*.yaml")}
    different = sorted(n for n in fresh.keys() | committed.keys() if fresh.get(n) != committed.get(n))
    if different:
        print(f"not current: {', '.join(different)}; run: .venv/bin/tollgate crds --output crds")
    return 1 if different else 0


sys.exit(main())
