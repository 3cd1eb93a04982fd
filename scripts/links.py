#!/usr/bin/env python3
"""Every relative link in a Markdown document must lead to a file of the repository."""
import os
import re
import subprocess
import sys

files = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split("\n")
faults = []
for name in filter(None, files):
    with open(name, encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        if not os.path.exists(os.path.join(os.path.dirname(name), target)):
            faults.append(f"{name}: {target} does not exist")
print("\n".join(faults))
sys.exit(1 if faults else 0)
