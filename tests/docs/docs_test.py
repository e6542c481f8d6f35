#!/usr/bin/env python3
"""Runs what the documents tell a person to type, and holds their programs to the examples that are built and run.

```sh blocks of a page are run by bash, one after the other, in one empty directory a page, each as a script of its own
that stops at the first failure. A command with "# exits with N" behind it must do that. ```cpp blocks must stand, line
by line, in one of examples/. What is only to be looked at is ```console or ```text.

usage: docs_test.py --program build/release/galley [--list] [PAGE...]
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
FENCE = re.compile(r'^```(\w*)\s*$')
EXITS = re.compile(r'^(?P<command>.*?)\s+# exits with (?P<code>\d+)\b.*$')
SECONDS = 60  # a page's block takes at most this long


def pages():
    return sorted(glob.glob(os.path.join(ROOT, '*.md')) + glob.glob(os.path.join(ROOT, 'docs', '*.md')))


def blocks(path):
    """(language, first line's number, lines) of each fenced block."""
    found, current = [], None
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            fence = FENCE.match(line)
            if current is None and fence:
                current = (fence.group(1), number + 1, [])
            elif current is not None and line.startswith('```'):
                found.append(current)
                current = None
            elif current is not None:
                current[2].append(line.rstrip('\n'))
    return found


def script_of(lines):
    """The block as bash reads it, with each "# exits with N" made a check."""
    script = ['set -euo pipefail']
    for line in lines:
        exits = EXITS.match(line)
        if exits:
            script.append(f'code=0; {exits["command"]} || code=$?; '
                          f'[ "$code" = {exits["code"]} ] || {{ echo "exit code $code instead of {exits["code"]}" >&2; '
                          'exit 99; }')
        else:
            script.append(line)
    return '\n'.join(script) + '\n'


def run_page(path, program):
    faults = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith('GALLEY')}
    environment['PATH'] = os.path.dirname(os.path.abspath(program)) + ':' + environment['PATH']
    with tempfile.TemporaryDirectory() as directory:
        environment['HOME'] = directory
        for language, number, lines in blocks(path):
            if language != 'sh':
                continue
            try:
                ran = subprocess.run(['bash', '-c', script_of(lines)], cwd=directory, env=environment, text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     timeout=SECONDS, check=False)
                if ran.returncode != 0:
                    faults.append(f'{path}:{number}: exit code {ran.returncode}\n{ran.stdout[-2000:]}')
            except subprocess.TimeoutExpired:
                faults.append(f'{path}:{number}: still runs after {SECONDS} s')
    return faults


def plain(lines):
    """Without indentation and empty lines, which a page and a program may have otherwise."""
    return [line.strip() for line in lines if line.strip()]


def check_programs(path, examples):
    faults = []
    for language, number, lines in blocks(path):
        if language != 'cpp':
            continue
        wanted = '\n'.join(plain(lines))
        if not any(('\n' + wanted + '\n') in ('\n' + text + '\n') for text in examples):
            faults.append(f'{path}:{number}: this program is not, line by line, in any of examples/*.cpp')
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--list', action='store_true')
    parser.add_argument('pages', nargs='*')
    options = parser.parse_args()
    examples = []
    for path in sorted(glob.glob(os.path.join(ROOT, 'examples', '*.cpp'))):
        with open(path, encoding='utf-8') as file:
            examples.append('\n'.join(plain(file.read().split('\n'))))
    faults, count = [], 0
    for path in options.pages or pages():
        count += sum(language in ('sh', 'cpp') for language, _, _ in blocks(path))
        if options.list:
            continue
        faults += check_programs(path, examples)
        faults += run_page(path, options.program)
    print(f'{count} blocks of commands and programs')
    for fault in faults:
        print(fault)
    if count == 0:
        print('there is nothing to test: the pages or their fences have changed')
        return 1
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
