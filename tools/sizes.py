"""Modules that one can hold in one's head: median at most 130 lines, none above 400, no function above 60."""

import ast
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
MEMBERS = ("core", "operator", "extproc", "billing", "sandbox", "cli")


def main() -> int:
    """1 where a bound is passed."""
    files = [
        f for m in MEMBERS for f in (ROOT / m / "src").rglob("*.py") if "_pb2" not in f.name and f.name != "__init__.py"
    ]
    sizes = {f: f.read_text().count("\n") for f in files}
    wrong = [f"{f.relative_to(ROOT)}: {n} lines" for f, n in sizes.items() if n > 400]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 60:
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    middle = median(sizes.values())
    print(f"{len(files)} modules, median {middle:.0f} lines, largest {max(sizes.values())}")
    if middle > 130:
        wrong.append(f"the median module has {middle:.0f} lines")
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
