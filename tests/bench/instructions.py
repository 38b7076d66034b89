#!/usr/bin/env python3
"""Instructions per message of messages_bench, under callgrind, and the budgets they are held to.

  instructions.py print PROGRAM     prints the figures; without valgrind the processor time per message instead
  instructions.py check PROGRAM     fails when a figure is above its budget in budgets.txt
  instructions.py refresh PROGRAM   writes budgets.txt: the present figures and 3 %

A figure is (Ir(many) - Ir(few)) / (many - few): what start-up and connecting cost falls out. The canned system calls
are not counted. Figures repeat to a few thousandths of an instruction, but another compiler makes other code: then
`check` allows 15 % more and says so. valgrind has AVX2 and no AVX-512, so a machine without AVX2 has nothing to check.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

BUDGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budgets.txt")
FEW, MANY = 3200, 35200  # messages; whole turns of every case, which are 16 messages, or 100 or 3200 deliveries
MARGIN = 1.03
OTHER_COMPILER = 1.15


def cases(program):
    usage = subprocess.run([program], capture_output=True, text=True).stderr
    return usage.split("the cases are", 1)[1].split()


def instructions(program, case, messages):
    """Ir of a whole run."""
    # --toggle-collect turns counting off at the start, so what turns it on comes behind it.
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*::canned_*",
               "--collect-atstart=yes", program, case, str(messages)]
    run = subprocess.run(command, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected:
        sys.exit(f"{case}: {' '.join(command)} failed:\n{run.stderr}")
    return int(collected.group(1))


def figure(program, case):
    return (instructions(program, case, MANY) - instructions(program, case, FEW)) / (MANY - FEW)


def figures(program):
    names = cases(program)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        # Without debug information: old valgrinds give up on that of new compilers, and nothing here needs it.
        bare = os.path.join(folder, os.path.basename(program))
        subprocess.run(["strip", "-g", "-o", bare, program], check=True)
        return dict(zip(names, pool.map(lambda case: figure(bare, case), names)))


def compiler_of(program):
    """The compiler's own words in the program's comment section."""
    if not shutil.which("readelf"):
        return "unknown"
    dump = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True).stdout
    return " and ".join(re.findall(r"^\s*\[\s*\w+\]\s+(.*)$", dump, re.MULTILINE)) or "unknown"


def cannot_count():
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    try:
        with open("/proc/cpuinfo") as info:
            return None if re.search(r"\bavx2\b", info.read()) else "this CPU has no AVX2"
    except OSError:
        return None


def print_figures(program):
    if why := cannot_count():
        print(f"{why}: processor time per message instead")
        for case in cases(program):
            subprocess.run([program, case, "1000000"], check=True)
        return 0
    print("instructions per message (fan-out: per delivery)")
    for case, value in figures(program).items():
        print(f"  {case:15} {value:9.1f}")
    return 0


def read_budgets():
    compiler, budgets = "unknown", {}
    with open(BUDGETS) as lines:
        for line in lines:
            if line.startswith("# compiler: "):
                compiler = line[len("# compiler: "):].strip()
            elif not line.startswith("#") and line.strip():
                case, value = line.split()
                budgets[case] = float(value)
    return compiler, budgets


def check(program):
    if why := cannot_count():
        print(f"not checked: {why}")
        return 0
    compiler, budgets = read_budgets()
    slack = 1.0
    if compiler != compiler_of(program):
        slack = OTHER_COMPILER
        print(f"the budgets are of {compiler}, this is {compiler_of(program)}: 15 % more are allowed")
    above = 0
    for case, value in figures(program).items():
        if case not in budgets:
            verdict = "has no budget: make bench-budgets"
        elif value > budgets[case] * slack:
            verdict = f"is above its budget of {budgets[case] * slack:.1f}"
        else:
            print(f"  {case:15} {value:9.1f} of {budgets[case] * slack:.1f}")
            continue
        print(f"  {case:15} {value:9.1f} {verdict}")
        above += 1
    return 1 if above else 0


def refresh(program):
    if why := cannot_count():
        sys.exit(why)
    with open(BUDGETS, "w") as out:
        out.write("# Instructions per message that messages_bench may take under callgrind: what it took, and 3 %.\n"
                  "# Written by `make bench-budgets`, read by `make bench-check`.\n"
                  f"# compiler: {compiler_of(program)}\n")
        for case, value in figures(program).items():
            out.write(f"{case:15} {value * MARGIN:9.1f}\n")
    print(open(BUDGETS).read(), end="")
    return 0


def main():
    commands = {"print": print_figures, "check": check, "refresh": refresh}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    return commands[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
