#!/usr/bin/env python3
"""The house rules that a machine can check. Prints "file:line: [rule] X is banned here, use Y instead".

    tools/lint.py [--root DIR]     checks the tree; exit code 1 on any error (a "question" is none)
    tools/lint.py --format         lays out all C++ files instead

A line that must break a rule says why, on itself or alone on the line above:

    // lint: allow(sleep) because SQLite has no lock that one could wait on
"""

import argparse
import os
import re
import subprocess
import sys
from collections import namedtuple

sys.dont_write_bytecode = True
import lint_documents
import lint_includes

CPP = ('.hpp', '.cpp')
TEXT = CPP + ('.py', '.sh', '.md', '.txt', '.json', '.cmake', '.sql', '.toml', '.yml', '.html', '.css', '.js')
SCRIPTS = ('dev', '.ci/run')
CODE_ROOTS = ('include/', 'src/', 'apps/', 'tests/', 'bench/', 'examples/', 'fuzz/')
LINTS_OWN = ('tools/lint', 'tests/lint/')  # these name what they ban
MAX_COLUMNS = 120
ASK_LINES, MAX_LINES, ASK_FUNCTION_LINES = 400, 600, 60
BAD_NAMES = {'util', 'utils', 'common', 'helper', 'helpers', 'misc'}

Finding = namedtuple('Finding', 'line rule message error')
Ban = namedtuple('Ban', 'rule pattern where what instead')


def is_code(path):
    return path.endswith(CPP) and path.startswith(CODE_ROOTS)


def but(*exceptions):
    return lambda path: is_code(path) and path not in exceptions


# Looked for in code, that is, without comments and what stands in quotes.
BANS = [
    Ban('clock', r'::now\s*\(|\bclock_gettime\b|\bgettimeofday\b'
        r'|\bstd::time\s*\(|(?<!:)\btime\s*\(\s*(nullptr|NULL|0)\s*\)',
        but('src/base/clock.cpp'), 'reading the system clock', 'a base::Clock& that is passed in'),
    Ban('sleep', r'\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b|(?<![\w.>])sleep\s*\(', is_code,
        'a sleep', 'an event (a Bell, a condition variable, a timer; in a test, what it waits for)'),
    Ban('detached', r'\bdetached\b|(\.|->)detach\s*\(', is_code, 'detached work',
        'a thread or group that is owned and awaited'),
    Ban('skip', r'\bGTEST_SKIP\b|\bDISABLED_\w+', lambda path: path.startswith('tests/contract/'), 'a skipped test',
        'a behaviour that every backend has'),
    Ban('random', r'\brandom_device\b|(?<![\w.>])s?rand\s*\(|\b[dl]rand48\b', but('src/base/random.cpp'),
        'a private source of randomness', 'base/random.hpp, or a seed that is printed'),
    # A unique_ptr that takes a `new` at once is how a private constructor is called.
    Ban('new', r'unique_ptr<[^;{}]*\(\s*new\b|(?<!operator )\bnew\b(?=\s*[A-Za-z_:(])'
        r'|(?<!operator )(?<!=)(?<!= )\bdelete\b', is_code, 'new or delete',
        'std::make_unique, a container or a value'),
    Ban('using_namespace', r'\busing\s+namespace\b',
        lambda path: path.endswith('.hpp') and path.startswith(('include/', 'src/')), 'using namespace in a header',
        'the qualified name'),
]
NEVER_ALLOWED = {'skip', 'todo', 'words'}

# Looked for in all text, comments too.
WORDS = [
    Ban('todo', r'\b(TODO|FIXME|XXX)\b', None, 'a note to do it later',
        'the finished work, or an entry in the tracker'),
    Ban('words', r'\b[Ii]ssues?\s+#?\d+', None, "a tracker's number", 'the reason itself'),
    Ban('words', r'(?<![\w.~/-])/work/', None, 'a path of one machine', 'a path inside the repository'),
    Ban('words', r'\b(registry\.npmjs\.org|deb\.debian\.org|pypi\.org|proxy\.golang\.org|crates\.io)\b', None,
        "a registry's host", 'the package name'),
]

QUOTED = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                    r'|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
ALLOW = re.compile(r'//\s*lint:\s*allow\((\w*)\)(\s+because\s+\S.*)?')


def blank(text):
    """The text with comments and quoted parts made blank; lines and columns stay."""
    return QUOTED.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), text)


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def banned(text, bans, path):
    for ban in bans:
        if ban.where and not ban.where(path):
            continue
        for match in re.finditer(ban.pattern, text):
            if match.group().startswith('unique_ptr'):
                continue
            message = f'{ban.what} ({match.group().rstrip(" (")}) is banned here, use {ban.instead} instead'
            if ban.rule not in NEVER_ALLOWED:
                message += f', or say why: // lint: allow({ban.rule}) because ...'
            yield Finding(line_of(text, match.start()), ban.rule, message, True)


def statement_around(code, at):
    """The bounds of the statement that holds the offset `at`: what a full expression can reach."""
    start, depth = at, 0
    while start > 0:
        char = code[start - 1]
        if char == ';' and depth == 0:
            break
        if char == '}' and depth == 0 and not re.match(r'\s*[),.;\]]', code[start:start + 80]):
            break
        depth += (char in ')]}') - (char in '([{')
        if char == '{' and depth < 0:
            break
        depth = max(depth, 0)
        start -= 1
    end, depth = at, 0
    while end < len(code):
        char = code[end]
        opens_a_block = char == '{' and depth < 0 and code[at:end].rstrip().endswith(')')
        if depth <= 0 and (char in ';}' or opens_a_block):
            break
        depth += (char in '([{') - (char in ')]}')
        end += 1
    return start, end


TEMPORARIES = [
    (re.compile(r'\[\s*[&=\w*](?:[^\[\]]|\[[^\]]*\])*\]\s*(\([^)]*\)\s*)?((mutable|noexcept)\s*)*'
                r'(->\s*[\w:<>]+\s*)?\{'),
     'a capturing lambda inside co_await'),
    (re.compile(r'\b(?!return\b|else\b|do\b|try\b)[A-Za-z_]\w*(<[^;{}]*>)?\s*\{|[(,]\s*\{'),
     'a braced temporary inside co_await'),
    (re.compile(r'\?[^;]*\bco_await\b'), 'co_await in an arm of ?:'),
]


def co_await_temporaries(code):
    """g++ 12 destroys such a temporary, and of ?: a class value, twice."""
    for match in re.finditer(r'\bco_await\b', code):
        start, end = statement_around(code, match.start())
        statement = code[start:end]
        for pattern, what in TEMPORARIES:
            found = pattern.search(statement)
            if found:
                yield Finding(line_of(code, start + found.start()), 'co_await',
                              f'{what} is banned here, use a variable named on the line above instead', True)
                break


def sizes(path, lines):
    if lines and '// lint: table' in lines[0]:
        return
    if len(lines) > MAX_LINES:
        yield Finding(len(lines), 'size',
                      f'a file of {len(lines)} lines is banned here, use several of at most {ASK_LINES} instead', True)
    elif len(lines) > ASK_LINES:
        yield Finding(len(lines), 'size', f'a file of {len(lines)} lines is long: is it one idea?', False)
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            yield Finding(number, 'columns', f'a line of {len(line)} columns is banned here, use {MAX_COLUMNS} instead',
                          True)


def long_functions(lines):
    """In laid-out code a function of a namespace opens with a line at column 0 and ends with "}" at column 0."""
    opened = None
    for number, line in enumerate(lines, 1):
        if opened is None and re.match(r'(?!namespace\b|struct\b|class\b|enum\b)[A-Za-z_:].*\)[^;]*\{\s*$', line):
            opened = number
        elif opened is not None and line.startswith('}'):
            size = number - opened + 1
            if size > ASK_FUNCTION_LINES:
                yield Finding(opened, 'size', f'a function of {size} lines is long: does it do one thing?', False)
            opened = None


def pragma_once(lines):
    first = [line for line in lines[:2] if '// lint: table' not in line][:1]
    if first != ['#pragma once']:
        yield Finding(1, 'pragma_once', 'anything before #pragma once is banned here, use it as the first line instead',
                      True)


def allowed(findings, text):
    """Drops what a line allows with a reason; adds an error for an allowance without a reason or without a use."""
    allowances = {}  # (line, rule) -> the line it is written on
    for number, line in enumerate(text.split('\n'), 1):
        found = ALLOW.search(line)
        if not found:
            continue
        if not found.group(2):
            yield Finding(number, 'allow', 'an allowance without a reason is banned here, use '
                          f'"// lint: allow({found.group(1)}) because ..." instead', True)
        target = number + 1 if line.lstrip().startswith('//') else number
        allowances[target, found.group(1)] = number
    used = set()
    for finding in findings:
        if (finding.line, finding.rule) in allowances and finding.rule not in NEVER_ALLOWED:
            used.add((finding.line, finding.rule))
        else:
            yield finding
    for key in sorted(set(allowances) - used):
        yield Finding(allowances[key], 'allow',
                      f'an allowance ({key[1]}) that nothing needs is banned here, use none instead', True)


def check_text(path, text):
    """All findings in one file; the path is relative to the repository."""
    lines = text.split('\n')
    if lines[-1] == '':
        lines.pop()
    findings = []
    if not path.startswith(LINTS_OWN):
        findings += banned(text, WORDS, path)
    if not path.endswith(CPP):
        if path.endswith('.py') or path in SCRIPTS or path.endswith('CMakeLists.txt'):
            findings += sizes(path, lines)
        return findings
    code = blank(text)
    findings += banned(code, BANS, path)
    findings += co_await_temporaries(code)
    findings += sizes(path, lines)
    findings += long_functions(code.split('\n'))
    findings += (Finding(line, 'include', message, True) for line, message in lint_includes.check(path, lines))
    if path.endswith('.hpp'):
        findings += pragma_once(lines)
    return list(allowed(findings, text))


def check_name(path):
    for part in path.split('/'):
        bad = BAD_NAMES.intersection(re.split(r'[._-]', part.lower()))
        if bad:
            yield Finding(1, 'name', f'{part} is banned here, use a name that says what it is for instead', True)


def files_under(root):
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        folders[:] = sorted(name for name in folders if name != 'build' and (not name.startswith('.') or name == '.ci'))
        for name in sorted(names):
            path = name if inside == '.' else f'{inside}/{name}'
            if name.endswith(TEXT) or path in SCRIPTS:
                yield path


def clang_format(root, paths, *arguments):
    """Runs clang-format over the paths, one process a core; yields the files it complains of."""
    cores = os.cpu_count() or 1
    try:
        running = [subprocess.Popen(['clang-format', *arguments, *paths[n::cores]], cwd=root, text=True,
                                    stderr=subprocess.PIPE) for n in range(cores) if paths[n::cores]]
    except FileNotFoundError:
        raise SystemExit('clang-format is missing: run ./dev lint, which installs it, or apt-get install clang-format')
    seen = set()
    for process in running:
        output = process.communicate()[1]
        for path, line in re.findall(r'^(\S+?):(\d+):\d+: error: code should be clang-formatted', output, re.M):
            if path not in seen:
                seen.add(path)
                yield path, Finding(int(line), 'layout',
                                    'a layout by hand is banned here, use ./dev format instead', True)
        if process.returncode and not seen:
            raise SystemExit(f'clang-format failed: {output}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument('--format', action='store_true', help='lay out all C++ files')
    arguments = parser.parse_args()
    paths = list(files_under(arguments.root))
    cpp = [path for path in paths if path.endswith(CPP)]
    if arguments.format:
        list(clang_format(arguments.root, cpp, '-i'))
        return 0

    found = []
    for path in paths:
        with open(os.path.join(arguments.root, path), encoding='utf-8') as file:
            text = file.read()
        found += [(path, finding) for finding in [*check_name(path), *check_text(path, text)]]
        if path.endswith('.md'):
            found += [(path, Finding(line, 'document', message, True))
                      for line, message in lint_documents.check(arguments.root, path, text)]
    found += clang_format(arguments.root, cpp, '--dry-run', '-Werror')
    for path, finding in sorted(found):
        print(f'{path}:{finding.line}: {"" if finding.error else "question: "}[{finding.rule}] {finding.message}')
    errors = sum(finding.error for _, finding in found)
    print(f'lint: {len(paths)} files, {errors} errors')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
