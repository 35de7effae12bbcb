"""What a type checker is told of the public API: `public_api.py` beside this file, for mypy and for pyright.

mypy reads it with everything else in `make types`; pyright does here, as editors do.
"""

import json
import subprocess
import sys
from pathlib import Path

API = Path(__file__).parent / "public_api.py"


def test_pyright_agrees_with_every_type_of_the_public_api() -> None:
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level", "error", "--pythonpath", sys.executable]
    done = subprocess.run([*command, str(API)], capture_output=True, text=True, timeout=300)
    report = json.loads(done.stdout)
    told = {each["range"]["start"]["line"]: each["message"] for each in report["generalDiagnostics"]}
    wrong = {line for line, text in enumerate(API.read_text(encoding="utf-8").splitlines()) if "# type: ignore" in text}
    assert {line + 1: message for line, message in told.items() if line not in wrong} == {}
    assert wrong <= set(told), "it takes what is marked as wrong"
    assert report["summary"]["filesAnalyzed"] == 1
