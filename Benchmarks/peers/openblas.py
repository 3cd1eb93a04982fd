#!/usr/bin/env python3
"""Says where the OpenBLAS to compare with lies: one JSON line with its path and the prefix of its names."""
import json
from pathlib import Path

import scipy_openblas32


def main():
    folder = Path(scipy_openblas32.get_lib_dir())
    found = sorted(folder.glob("libscipy_openblas.*"))
    if not found:
        raise SystemExit(f"scipy-openblas32 holds no library in {folder}")
    print(json.dumps({"path": str(found[0]), "prefix": "scipy_", "version": scipy_openblas32.__version__}))


if __name__ == "__main__":
    main()
