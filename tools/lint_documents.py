"""What the documents say of the code: tables of states, folders, errors and tests, and links inside the repository."""

import os
import re

import lint_includes

TEST = re.compile(r'^\s*TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)', re.M)
ROW = re.compile(r'Row\{JobState::(\w+),\s*JobEvent::(\w+),\s*JobState::(\w+)\}')


def state_table(code):
    """{(state, event, new state)} of src/job/state.cpp, in the words of the documents."""
    return {tuple(word.lower() for word in row) for row in ROW.findall(code)}


def table_rows(text, heading):
    """Yields (line, cells) of the Markdown table whose first heading is `heading`."""
    inside = False
    for number, line in enumerate(text.split('\n'), 1):
        cells = [cell.strip() for cell in line.strip('|').split('|')] if line.startswith('|') else None
        if cells is None:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not set(cells[0]) <= set('-: '):
            yield number, cells


def check_states(architecture, code):
    wanted, found = state_table(code), set()
    for number, cells in table_rows(architecture, 'state'):
        row = tuple(cells[:3])
        found.add(row)
        if row not in wanted:
            yield number, f'the row {" ".join(row)} is banned here, use the rows of src/job/state.cpp instead'
    for row in sorted(wanted - found):
        yield 1, f'a table without {" ".join(row)} is banned here, use all rows of src/job/state.cpp instead'


def check_folders(architecture, folders):
    """`folders`: those of src/ that have files."""
    found = set()
    for number, cells in table_rows(architecture, 'folder'):
        name = cells[0].strip('`')
        if not name.startswith('src/'):
            continue
        name = name[len('src/'):]
        found.add(name)
        if name not in folders:
            yield number, f'the folder {name} is banned here, use those that exist instead'
            continue
        for other in re.findall(r'`([\w/]+)`', cells[2]):
            if other not in lint_includes.FOLDERS.get(name, []):
                yield number, f'"{other}" for {name} is banned here, use the table of tools/lint_includes.py instead'
        for other in lint_includes.FOLDERS.get(name, []):
            if other in folders and f'`{other}`' not in cells[2]:
                yield number, f'{name} without "{other}" is banned here, use the row of tools/lint_includes.py instead'
    for name in sorted(folders - found):
        yield 1, f'a table without src/{name} is banned here, use a row for each folder instead'


def check_errors(page, code):
    """`code`: that of src/base/error.cpp, whose array of names is the list."""
    names = re.search(r'kNames\{(.*?)\};', code, re.S)
    wanted = set(re.findall(r'"(\w+)"', names.group(1))) if names else set()
    found = set()
    for number, cells in table_rows(page, 'code'):
        name = cells[0].strip('`')
        found.add(name)
        if name not in wanted:
            yield number, f'the error {name} is banned here, use those of src/base/error.cpp instead'
    for name in sorted(wanted - found):
        yield 1, f'a catalogue without {name} is banned here, use all errors of src/base/error.cpp instead'


def tests_of(root):
    """The names of all C++ tests, as "Suite.Test"."""
    names = set()
    for folder, _, files in os.walk(os.path.join(root, 'tests')):
        for file in files:
            if file.endswith('.cpp'):
                with open(os.path.join(folder, file), encoding='utf-8') as source:
                    names |= {f'{suite}.{name}' for suite, name in TEST.findall(source.read())}
    return names


def check_failures(page, tests):
    """Each row of a table of failures names tests that exist, or says why the failure cannot happen."""
    for number, (_, here, named) in table_rows(page, 'failure'):
        names = re.findall(r'`([^`]+)`', named)
        if not names and 'cannot happen' not in here:
            yield number, 'a failure without a test is banned here, use "Suite.Test" or "cannot happen" instead'
        for name in names:
            if name not in tests:
                yield number, f'the test {name} is banned here, use one that exists in tests/ instead'


def check_links(root, path, text):
    for number, line in enumerate(text.split('\n'), 1):
        for target in re.findall(r'\]\(([^)#:\s]+)(?:#[^)]*)?\)', line):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                yield number, f'a link to {target} is banned here, use a file that exists instead'


def check(root, path, text):
    """Yields (line, message)."""
    yield from check_links(root, path, text)
    errors = os.path.join(root, 'src/base/error.cpp')
    if path == 'docs/errors.md' and os.path.exists(errors):
        with open(errors, encoding='utf-8') as file:
            yield from check_errors(text, file.read())
    if path == 'docs/failures.md':
        yield from check_failures(text, tests_of(root))
    states = os.path.join(root, 'src/job/state.cpp')
    if path != 'ARCHITECTURE.md' or not os.path.exists(states):
        return
    with open(states, encoding='utf-8') as file:
        yield from check_states(text, file.read())
    source = os.path.join(root, 'src')
    folders = {os.path.relpath(folder, source) for folder, _, names in os.walk(source)
               if any(name.endswith(('.cpp', '.hpp')) for name in names)}
    yield from check_folders(text, folders)
