"""The benchmarks run where they are meant to: what they measure beside the peers needs nothing but theirs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
THIRD_PARTY = """
import sys
from pathlib import Path
import benchmarks.kernel
paths = [getattr(module, "__file__", None) for name, module in sys.modules.items() if "." not in name]
print(*{Path(path).parent.name if Path(path).stem == "__init__" else Path(path).stem
        for path in paths if path and "site-packages" in path})
"""


def test_the_kernel_imports_only_what_the_peers_have_installed() -> None:
    ran = subprocess.run([sys.executable, "-c", THIRD_PARTY], cwd=ROOT, capture_output=True, text=True, check=True)
    installed = re.findall(r"^([a-z0-9_-]+)==", (ROOT / "benchmarks/requirements-peers.txt").read_text(), re.MULTILINE)
    imported = set(ran.stdout.replace("_", "-").split())
    assert {"numpy", "msgspec"} <= imported <= set(installed)
