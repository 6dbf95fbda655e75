"""What the base install weighs: import time, what importing loads, size of the wheel, number of distributions.

    python bench/light.py

Builds the wheel and installs it into an environment of its own, so it needs the package index.
"""

import json
import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 7
IMPORT = "import time; t = time.perf_counter(); import whyrank; print(time.perf_counter() - t)"
HEAVY = ("torch", "onnxruntime", "numpy", "pydantic", "bm25s", "tokenizers")
LOADED = f"import sys, whyrank; print([m for m in {HEAVY!r} if m in sys.modules])"
HELP = (
    "import subprocess, sys, time; t = time.perf_counter();"
    "subprocess.run([sys.argv[1], '--help'], capture_output=True, check=True); print(time.perf_counter() - t)"
)


def run(*command: str | Path) -> str:
    """Standard output of a command that must succeed."""
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
        [wheel] = folder.glob("*.whl")
        run(python, "-m", "pip", "install", "--quiet", wheel)
        installed = json.loads(run(python, "-m", "pip", "list", "--format", "json"))
        names = sorted(p["name"] for p in installed if p["name"] not in {"pip", "setuptools", "wheel"})
        seconds = min(float(run(python, "-c", IMPORT)) for _ in range(ROUNDS))
        helping = min(float(run(python, "-c", HELP, python.with_name("whyrank"))) for _ in range(ROUNDS))
        print(f"python {platform.python_version()} on {platform.machine()}; best of {ROUNDS} fresh interpreters")
        print(f"import whyrank    {seconds:.3f} s    (limit 0.3)")
        print(f"  loads of {', '.join(HEAVY)}: {run(python, '-c', LOADED).strip()}")
        print(f"whyrank --help    {helping:.3f} s    (limit 0.4)")
        print(f"wheel             {wheel.stat().st_size / 1e6:.1f} MB   (limit 30)")
        print(f"distributions     {len(names)}         (limit 35): {', '.join(names)}")
        sys.exit(seconds > 0.3 or helping > 0.4 or wheel.stat().st_size > 30e6 or len(names) > 35)


if __name__ == "__main__":
    main()
