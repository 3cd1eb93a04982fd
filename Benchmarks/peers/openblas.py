#!/usr/bin/env python3
"""Says where an OpenBLAS to compare with lies, numpy's own: its path, version and the kernels it chose, as JSON."""
import ctypes
import json
from pathlib import Path

import numpy


def main():
    folder = Path(numpy.__file__).parent.parent / "numpy.libs"
    found = sorted(folder.glob("libscipy_openblas64_*"))
    if not found:
        raise SystemExit(f"numpy {numpy.__version__} brings no OpenBLAS here; install the wheel of requirements.txt")
    library = ctypes.CDLL(str(found[0]))
    text = {}
    for name in ("config", "corename"):
        function = getattr(library, f"scipy_openblas_get_{name}64_")
        function.restype = ctypes.c_char_p
        text[name] = function().decode()
    print(json.dumps({"path": str(found[0]), "version": text["config"].split()[1], "core": text["corename"]}))


if __name__ == "__main__":
    main()
