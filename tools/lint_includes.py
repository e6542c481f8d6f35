"""Who may include whom: the folder table of ARCHITECTURE.md, and which folder may see which library."""

import re

# A folder of src/ and the folders that it may include besides itself; what those may include, it may include too.
FOLDERS = {
    'base': [],
    'telemetry': ['base'],
    'runtime': ['telemetry'],
    'cache': ['telemetry'],
    'job': ['base'],
    'store': ['job', 'telemetry'],
    'store/memory': ['store'],
    'store/sqlite': ['store'],
    'store/redis': ['store', 'runtime'],
    'open': ['store/memory', 'store/sqlite', 'store/redis'],
    'engine': ['store', 'runtime'],
    'session': ['engine', 'store/sqlite'],
    'testkit': ['open', 'engine'],
    'http': ['engine'],
    'load': ['telemetry'],
    'cli': ['open', 'engine', 'http', 'load', 'cache'],
}

# Public headers that speak of queues, workers and typed payloads are not for the folders below the engine.
ENGINE_HEADERS = {'galley/worker.hpp', 'galley/queue.hpp', 'galley/payload.hpp', 'galley/galley.hpp',
                  'galley/middleware.hpp', 'galley/batch.hpp', 'galley/receipt.hpp', 'galley/schedule.hpp',
                  'galley/testkit.hpp', 'galley/sqlite.hpp', 'galley/resume.hpp', 'galley/split.hpp',
                  'galley/coroutine.hpp'}
ABOVE_STORE = {'engine', 'session', 'testkit', 'http', 'load', 'cli', 'apps'}

# A library's headers, the files that may include them (by the start of their path), and what everybody else uses.
LIBRARIES = [
    (r'sqlite3\.h$', ['src/store/sqlite/', 'tests/', 'examples/exactly_once.cpp'], 'store/store.hpp'),
    (r'hiredis/', ['src/store/redis/', 'tests/'], 'store/store.hpp'),
    (r'(spdlog|fmt)/', ['src/base/'], 'base/log.hpp or std::string'),
    (r'CLI/', ['src/cli/', 'apps/'], 'src/cli, where the command line is read'),
    (r'toml\+\+/', ['src/cli/'], 'cli/settings.hpp'),
    (r'zlib\.h$', ['src/cli/', 'tests/'], 'src/cli, where the demo compresses'),
    (r'boost/json(/|\.hpp)',
     ['include/galley/payload.hpp', 'src/job/', 'src/engine/', 'src/load/', 'src/cli/', 'src/http/', 'tests/', 'bench/',
      'fuzz/'],
     'galley/payload.hpp or job/'),
    (r'boost/beast', ['include/galley/http/', 'src/http/', 'src/load/', 'tests/'], 'src/http'),
    (r'boost/url', ['src/http/', 'src/load/', 'tests/'], 'load/http_load.hpp'),
    (r'boost/asio',
     ['include/galley/coroutine.hpp', 'include/galley/runtime/', 'include/galley/http/', 'src/runtime/',
      'src/store/redis/', 'src/engine/', 'src/http/', 'src/load/', 'src/cli/', 'apps/', 'tests/', 'bench/',
      'examples/'], 'a rule that takes `now`, with a shell in src/runtime'),
    (r'boost/(describe|mp11)', ['include/galley/payload.hpp', 'src/', 'tests/', 'bench/', 'examples/'],
     'galley/payload.hpp'),
    (r'boost/system/', [''], ''),
    (r'boost/assert/source_location\.hpp$', [''], ''),
    (r'boost/(assert|throw_exception|core)', ['src/'], 'galley/error.hpp'),
    (r'(gtest|gmock)/', ['tests/'], 'a test in tests/'),
    (r'benchmark/', ['bench/'], 'bench/'),
    (r'oneapi/tbb/', ['bench/runtime/'], 'galley/runtime/worker_pool.hpp'),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def reachable(folder):
    """The folder and all that it may include."""
    seen, todo = set(), [folder]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += FOLDERS[name]
    return seen


def folder_of(path):
    """src/store/sqlite/claim.cpp -> store/sqlite; nothing for a folder that the table does not have."""
    parts = path.split('/')[:-1]
    for size in range(len(parts), 0, -1):
        if '/'.join(parts[:size]) in FOLDERS:
            return '/'.join(parts[:size])
    return None


def check_library(path, header):
    for pattern, allowed, instead in LIBRARIES:
        if re.match(pattern, header):
            if any(path.startswith(start) for start in allowed):
                return None
            return f'<{header}> is banned here, use {instead} instead'
    if '/' in header and header.split('/')[0] not in ('sys', 'netinet', 'arpa', 'linux', 'net', 'galley'):
        return f'<{header}> is banned here, use std or a library of the table in lint_includes.py instead'
    if header.endswith(('.h', '.hpp')) and path.startswith('include/') and not header.startswith('galley/'):
        return f'<{header}> is banned here, use the standard library instead: public headers show no system header'
    return None


def check_own(path, header):
    if path.startswith(('include/', 'examples/')):
        if header.startswith('galley/'):
            return None
        return f'"{header}" is banned here, use "galley/..." instead: only installed headers are seen from outside'
    if not path.startswith(('src/', 'apps/')):
        return None
    folder = 'apps' if path.startswith('apps/') else folder_of(path[len('src/'):])
    if folder is None:
        return None
    if header.startswith('galley/'):
        if header in ENGINE_HEADERS and folder not in ABOVE_STORE:
            return f'"{header}" is banned in {folder}, use "job/job.hpp" instead: the engine stands above it'
        return None
    if '/' not in header:
        return f'"{header}" is banned here, use the path from src/, "folder/file.hpp", instead'
    if folder == 'apps':
        return None
    target = folder_of(header)
    if target is None or target not in reachable(folder):
        allowed = ', '.join(sorted(reachable(folder) - {folder})) or 'std alone'
        return f'"{header}" is banned in {folder}, use {allowed} instead: the include table allows no more'
    return None


def check(path, lines):
    """Yields (line, message)."""
    if path.startswith('src/') and folder_of(path[len('src/'):]) is None:
        yield 1, f'{path.rsplit("/", 1)[0]} is banned here, use a folder of the table in tools/lint_includes.py instead'
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        kind, header = found.groups()
        message = check_library(path, header) if kind == '<' else check_own(path, header)
        if message:
            yield number, message
