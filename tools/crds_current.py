"""Whether crds/ and docs/reference/resources.md are what the models say."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFERENCE = Path("docs/reference/resources.md")


def main() -> int:
    """1 where a file differs; the printed command mends it."""
    with tempfile.TemporaryDirectory() as directory:
        crds, docs = Path(directory) / "crds", Path(directory) / REFERENCE
        tollgate = str(Path(sys.executable).parent / "tollgate")
        subprocess.run([tollgate, "crds", "--output", str(crds), "--docs", str(docs)], check=True)
        fresh = {f"crds/{f.name}": f.read_text() for f in crds.iterdir()} | {str(REFERENCE): docs.read_text()}
    committed = {f"crds/{f.name}": f.read_text() for f in (ROOT / "crds").glob("*.yaml")}
    if (ROOT / REFERENCE).exists():
        committed[str(REFERENCE)] = (ROOT / REFERENCE).read_text()
    different = sorted(n for n in fresh.keys() | committed.keys() if fresh.get(n) != committed.get(n))
    if different:
        print(f"not current: {', '.join(different)}; run: .venv/bin/tollgate crds --output crds --docs {REFERENCE}")
    return 1 if different else 0


sys.exit(main())
