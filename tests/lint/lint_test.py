#!/usr/bin/env python3
"""Every rule of tools/lint.py, tried on a sample that breaks it and on one that does not."""

import contextlib
import importlib
import io
import os
import sys
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools')
sys.dont_write_bytecode = True
sys.path.insert(0, TOOLS)
lint = importlib.import_module('lint')
lint_documents = importlib.import_module('lint_documents')
lint_includes = importlib.import_module('lint_includes')

# (rule, path, bad, what the message says, good at the same place)
SAMPLES = [
    ('clock', 'src/engine/a.cpp', 'auto t = std::chrono::steady_clock::now();', 'base::Clock&',
     'auto t = clock.mono();'),
    ('clock', 'tests/engine/a.cpp', 'clock_gettime(CLOCK_MONOTONIC, &t);', 'base::Clock&', '// clock_gettime is slow'),
    ('clock', 'src/job/a.cpp', 'auto t = time(nullptr);', 'base::Clock&', 'auto t = run_time(nullptr);'),
    ('clock', 'src/job/a.cpp', 'auto t = std::time(&x);', 'base::Clock&', 'auto t = job::time(&x);'),
    ('clock', 'src/job/a.cpp', 'gettimeofday(&t, nullptr);', 'base::Clock&', 'say("gettimeofday");'),
    ('sleep', 'src/engine/a.cpp', 'std::this_thread::sleep_for(1s);', 'an event', 'bell.wait(1s);'),
    ('sleep', 'tests/engine/a.cpp', 'std::this_thread::sleep_until(t);', 'what it waits for', 'started.wait(lock);'),
    ('sleep', 'src/engine/a.cpp', '::usleep(10);', 'an event', 'run({"sleep", "10"});'),
    ('sleep', 'tests/e2e/a.cpp', 'sleep(1);', 'an event', 'enqueue("sleep 1");'),
    ('sleep', 'tests/e2e/a.cpp', '::sleep(1);', 'an event', 'command.sleep(1);'),
    ('detached', 'src/runtime/a.cpp', 'co_spawn(x, f(), boost::asio::detached);', 'owned', 'group.spawn(f());'),
    ('detached', 'src/runtime/a.cpp', 'thread.detach();', 'owned', 'thread.join();'),
    ('skip', 'tests/contract/a.cpp', 'GTEST_SKIP();', 'every backend', 'EXPECT_TRUE(x);'),
    ('skip', 'tests/contract/a.cpp', 'TEST(Claim, DISABLED_IsOne) {', 'every backend', 'TEST(Claim, IsOne) {'),
    ('random', 'src/job/a.cpp', 'std::mt19937 g(std::random_device{}());', 'base/random.hpp', 'std::mt19937 g(seed);'),
    ('random', 'tests/job/a.cpp', 'int x = rand();', 'a seed that is printed', 'int x = operand();'),
    ('new', 'src/job/a.cpp', 'Job* j = new Job(3);', 'std::make_unique', 'std::unique_ptr<Job> j(new Job(3));'),
    ('new', 'src/job/a.cpp', 'delete job;', 'std::make_unique', 'Job(const Job&) = delete;'),
    ('using_namespace', 'src/job/a.hpp', '#pragma once\nusing namespace std;', 'the qualified name', '#pragma once\n'),
    ('todo', 'src/job/a.cpp', '// TODO: more', 'the finished work', '// More is not needed.'),
    ('todo', 'docs/a.md', 'FIXME', 'the finished work', 'mktemp XXXXXX'),
    ('words', 'docs/a.md', 'see issue #2', 'the reason itself', 'an issue of two sides'),
    ('words', 'src/job/a.cpp', 'open("/work/main/x");', 'inside the repository', 'open("~/work/x");'),
    ('words', 'dev', 'curl https://deb.debian.org/', 'the package name', 'apt-get install curl'),
    ('co_await', 'src/http/a.cpp', 'co_await f(Options{1});', 'named on the line above',
     'Options options{1};\nco_await f(options);'),
    ('co_await', 'src/http/a.cpp', 'auto x = co_await f({.queue = q});', 'named on the line above',
     'auto x = co_await f(q);'),
    ('co_await', 'src/http/a.cpp', 'co_await call([s] { return s; });', 'capturing lambda',
     'co_await call([] { return 1; });'),
    ('co_await', 'src/http/a.cpp', 'use(Options{1}, co_await f());', 'named on the line above',
     'if (co_await f(x[1])) {\n  y = Options{1};\n}'),
    ('co_await', 'src/http/a.cpp', 'co_await call(\n    1, std::vector<int>{1});', 'named on the line above',
     'if (a) {\n  b = c{1};\n}\nco_await f();'),
    ('co_await', 'src/http/a.cpp', 'auto x = ok ? co_await f() : std::string();', 'arm of ?:',
     'auto x = co_await f(ok ? 1 : 2) ? 3 : 4;'),
    ('size', 'src/job/a.cpp', 'int a;\n' * 601, 'several of at most 400', '// lint: table\n' + 'int a;\n' * 601),
    ('columns', 'src/job/a.cpp', '// ' + 'x' * 118, 'use 120 instead', '// ' + 'x' * 117),
    ('pragma_once', 'src/job/a.hpp', '// A job.\n#pragma once', 'use it as the first line', '#pragma once\n// A job.'),
    ('allow', 'src/job/a.cpp', 'sleep(1);  // lint: allow(sleep)', 'because ...',
     'sleep(1);  // lint: allow(sleep) because the kernel offers no event for it'),
    ('allow', 'src/job/a.cpp', 'int x;  // lint: allow(sleep) because it was there', 'that nothing needs',
     '// lint: allow(sleep) because the kernel offers no event for it\nsleep(1);'),
    # The include table.
    ('include', 'src/base/a.cpp', '#include "job/job.hpp"', 'std alone', '#include "base/clock.hpp"'),
    ('include', 'src/job/a.cpp', '#include "store/store.hpp"', 'use base instead', '#include "base/limits.hpp"'),
    ('include', 'src/store/sqlite/a.cpp', '#include "store/memory/memory_store.hpp"', 'allows no more',
     '#include "store/store.hpp"'),
    ('include', 'src/store/memory/a.cpp', '#include "store/sqlite/sql.hpp"', 'allows no more',
     '#include "job/job.hpp"'),
    ('include', 'src/engine/a.cpp', '#include "store/sqlite/sql.hpp"', 'allows no more', '#include "store/store.hpp"'),
    ('include', 'src/engine/a.cpp', '#include "open/url.hpp"', 'allows no more', '#include "galley/worker.hpp"'),
    ('include', 'src/store/a.cpp', '#include "galley/worker.hpp"', 'above', '#include "galley/error.hpp"'),
    ('include', 'src/job/a.cpp', '#include "job.hpp"', 'folder/file.hpp', '#include "job/job.hpp"'),
    ('include', 'src/job/a.cpp', '#include <sqlite3.h>', 'store/store.hpp', '#include <vector>'),
    ('include', 'src/engine/a.cpp', '#include <spdlog/logger.h>', 'base/log.hpp', '#include <sys/types.h>'),
    ('include', 'src/engine/a.cpp', '#include <CLI/App.hpp>', 'src/cli', '#include <boost/json/parse.hpp>'),
    ('include', 'src/store/a.cpp', '#include <boost/json.hpp>', 'job/', '#include <boost/system/result.hpp>'),
    ('include', 'src/store/a.cpp', '#include <boost/asio/post.hpp>', 'src/runtime', '#include "job/order.hpp"'),
    ('include', 'src/job/a.cpp', '#include <abseil/x.h>', 'library of the table', '#include <unistd.h>'),
    ('include', 'src/util/a.cpp', 'int x;', 'a folder of the table', ''),
    ('include', 'include/galley/a.hpp', '#pragma once\n#include "job/job.hpp"', 'galley/',
     '#pragma once\n#include <map>'),
    ('include', 'include/galley/a.hpp', '#pragma once\n#include <boost/json.hpp>', 'payload.hpp', '#pragma once'),
    ('include', 'include/galley/a.hpp', '#pragma once\n#include <unistd.h>', 'no system header', '#pragma once'),
    ('include', 'examples/a.cpp', '#include "store/store.hpp"', 'installed headers', '#include "galley/galley.hpp"'),
]


def findings(path, text):
    return list(lint.check_text(path, text + '\n'))


class Rules(unittest.TestCase):
    def test_each_bad_sample_is_named_with_what_to_use_instead(self):
        for rule, path, bad, says, _ in SAMPLES:
            with self.subTest(rule=rule, bad=bad[:60]):
                found = [f for f in findings(path, bad) if f.rule == rule]
                self.assertEqual(len(found), 1, findings(path, bad))
                self.assertRegex(found[0].message, r'is banned .*here, use .* instead|is banned in \S+, use .* instead')
                self.assertIn(says, found[0].message)
                self.assertTrue(found[0].error)

    def test_no_good_sample_is_refused(self):
        for rule, path, _, _, good in SAMPLES:
            if path.startswith('src/util/'):
                continue
            with self.subTest(rule=rule, good=good[:60]):
                self.assertEqual([f for f in findings(path, good) if f.error], [])

    def test_every_ban_has_a_sample(self):
        self.assertLessEqual({ban.rule for ban in lint.BANS + lint.WORDS}, {sample[0] for sample in SAMPLES})

    def test_every_library_is_refused_somewhere(self):
        for pattern, allowed, _ in lint_includes.LIBRARIES:
            if allowed != ['']:
                header = {'boost/(assert|throw_exception|core)': 'boost/assert.hpp'}.get(
                    pattern, pattern.replace('\\', '').replace('(spdlog|fmt)', 'fmt').replace('(describe|mp11)', 'mp11')
                    .replace('(gtest|gmock)', 'gtest').replace('(/|.hpp)', '.hpp').replace('$', ''))
                with self.subTest(header=header):
                    self.assertIsNotNone(lint_includes.check_library('include/galley/error.hpp', header))

    def test_the_line_is_the_one_that_breaks_the_rule(self):
        self.assertEqual([f.line for f in findings('src/job/a.cpp', 'int a;\n\nint b = rand();')], [3])
        self.assertEqual([f.line for f in findings('src/http/a.cpp', 'co_await f(1,\n\n  A{1});')], [3])

    def test_the_owner_of_a_thing_may_use_it(self):
        owners = [
            ('src/base/clock.cpp', 'clock_gettime(a, b);'),
            ('src/base/random.cpp', 'std::random_device d;'),
            ('src/base/log.cpp', '#include <spdlog/logger.h>'),
            ('src/store/sqlite/a.cpp', '#include <sqlite3.h>'),
            ('src/open/a.cpp', '#include "store/sqlite/sqlite_store.hpp"'),
            ('src/engine/a.cpp', '#include <boost/asio/post.hpp>'),
            ('src/cli/a.cpp', '#include <CLI/App.hpp>\n#include "open/open.hpp"\n#include "job/job.hpp"'),
            ('tests/store/a.cpp', '#include "temp_dir.hpp"\n#include <sqlite3.h>'),
        ]
        for path, text in owners:
            with self.subTest(path=path):
                self.assertEqual(findings(path, text), [])

    def test_a_reason_excuses_no_skip_in_the_contract(self):
        text = 'GTEST_SKIP();  // lint: allow(skip) because Redis is slow'
        self.assertIn('skip', [f.rule for f in findings('tests/contract/a.cpp', text)])

    def test_what_stands_in_quotes_or_comments_is_no_code(self):
        lines = ['f("new Job; delete x");', "f('\"', rand_of(x), '\"');  // rand()", '/* new\nJob */',
                 'f(R"sql(DELETE FROM t; delete x; sleep(1))sql");', "int big = 1'000'000;  // it's new Job"]
        self.assertEqual(findings('src/job/a.cpp', '\n'.join(lines)), [])

    def test_long_files_and_functions_are_asked_about(self):
        self.assertEqual([f.error for f in findings('src/job/a.cpp', 'int a;\n' * 450)], [False])
        body = 'int f(int x) {\n' + '  ++x;\n' * 60 + '}'
        self.assertEqual([(f.line, f.error) for f in findings('src/job/a.cpp', body)], [(1, False)])
        self.assertEqual(findings('src/job/a.cpp', 'int f(int x) {\n' + '  ++x;\n' * 58 + '}'), [])

    def test_names_that_say_nothing_are_refused(self):
        for path in ['src/util/a.cpp', 'src/job/helpers.hpp', 'tests/contract/common_store.hpp', 'src/misc.cpp']:
            found = list(lint.check_name(path))
            self.assertEqual([f.rule for f in found], ['name'], path)
            self.assertIn('use a name that says what it is for instead', found[0].message)
        self.assertEqual(list(lint.check_name('src/job/utility_order.hpp')), [])


class Documents(unittest.TestCase):
    CODE = 'Row{JobState::Ready,     JobEvent::Claim,    JobState::Running},'
    GOOD = '| state | event | new state | who |\n| --- | --- | --- | --- |\n| ready | claim | running | a worker |\n'

    def test_the_table_of_states_is_the_code_s(self):
        self.assertEqual(list(lint_documents.check_states(self.GOOD, self.CODE)), [])
        (wrong, missing) = lint_documents.check_states(self.GOOD.replace('running', 'dead'), self.CODE)
        self.assertEqual(wrong[0], 3)
        self.assertIn('the row ready claim dead is banned here, use the rows of src/job/state.cpp', wrong[1])
        self.assertIn('a table without ready claim running', missing[1])

    def test_errors_are_all_in_the_catalogue(self):
        code = 'kNames{\n    "not_found", "io"};'
        page = '| code | meaning |\n| --- | --- |\n| `not_found` | a |\n| `io` | b |\n'
        self.assertEqual(list(lint_documents.check_errors(page, code)), [])
        (wrong, missing) = lint_documents.check_errors(page.replace('`io`', '`oi`'), code)
        self.assertIn('oi', wrong[1])
        self.assertIn('io', missing[1])

    def test_failures_are_proven_by_tests_that_exist(self):
        page = ('| failure | here | test |\n| --- | --- | --- |\n'
                '| a | b | `A.IsSo`, `B.Is` |\n| c | cannot happen: d | |\n')
        check = lint_documents.check_failures
        self.assertEqual(list(check(page, {'A.IsSo', 'B.Is'})), [])
        (found,) = check(page, {'A.IsSo'})
        self.assertEqual(found, (3, 'the test B.Is is banned here, use one that exists in tests/ instead'))
        (found,) = check(page.replace('cannot happen', 'no'), {'A.IsSo', 'B.Is'})
        self.assertEqual(found[0], 4)
        self.assertIn('a failure without a test is banned', found[1])

    def test_tests_are_found_in_the_sources(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, 'tests/a'))
            with open(os.path.join(root, 'tests/a/a_test.cpp'), 'w', encoding='utf-8') as file:
                file.write('TEST(A, IsSo) {}\nTEST_F(B, Is) {\nTEST_P(C,\n       Too) {}\n// see TEST(D, IsNot)\n')
            self.assertEqual(lint_documents.tests_of(root), {'A.IsSo', 'B.Is', 'C.Too'})

    def test_the_table_of_folders_is_the_lint_s(self):
        text = '| folder | what | may include |\n| --- | --- | --- |\n| `src/store/sqlite` | x | %s |\n'
        check = lint_documents.check_folders
        self.assertEqual(list(check(text % '`store`', {'store/sqlite'})), [])
        self.assertIn('"engine" for store/sqlite is banned', list(check(text % '`engine`', {'store/sqlite'}))[0][1])
        self.assertIn('without "store"', list(check(text % 'std', {'store/sqlite', 'store'}))[0][1])
        self.assertIn('a table without src/job', list(check(text % '`store`', {'store/sqlite', 'job'}))[0][1])
        self.assertIn('use those that exist', list(check(text % '`store`', set()))[0][1])

    def test_links_lead_to_files(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.assertEqual(list(lint_documents.check_links(here, 'a.md', '[x](lint_test.py#top) [y](https://a.b/c)')), [])
        (found,) = lint_documents.check_links(here, 'a.md', 'a\n[x](no/such.md)')
        self.assertEqual(found, (2, 'a link to no/such.md is banned here, use a file that exists instead'))


class Tree(unittest.TestCase):
    """The whole run, on a tree of its own."""

    def run_on(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {'.clang-format': 'BasedOnStyle: Google\n', **files}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                    file.write(text)
            out, arguments = io.StringIO(), sys.argv
            sys.argv = ['lint.py', '--root', root]
            try:
                with contextlib.redirect_stdout(out):
                    code = lint.main()
            finally:
                sys.argv = arguments
            return code, out.getvalue()

    def test_a_clean_tree_passes(self):
        code, out = self.run_on({'src/job/a.cpp': 'int a;\n', 'README.md': 'x\n'})
        self.assertEqual((code, out), (0, 'lint: 2 files, 0 errors\n'))

    def test_an_error_fails_and_names_file_and_line(self):
        code, out = self.run_on({'src/job/a.cpp': 'int a;\nint b = rand();\n'})
        self.assertEqual(code, 1)
        self.assertIn('src/job/a.cpp:2: [random] ', out)

    def test_a_question_does_not_fail(self):
        code, out = self.run_on({'src/job/a.cpp': 'int a;\n' * 450})
        self.assertEqual(code, 0)
        self.assertIn('src/job/a.cpp:450: question: [size] ', out)

    def test_a_layout_by_hand_fails(self):
        code, out = self.run_on({'src/job/a.cpp': 'int  a;\n'})
        self.assertEqual(code, 1)
        self.assertIn('src/job/a.cpp:1: [layout] a layout by hand is banned here, use ./dev format instead', out)

    def test_build_folders_are_not_looked_at(self):
        self.assertEqual(self.run_on({'build/x/a.cpp': 'int  a = rand();\n'})[0], 0)


if __name__ == '__main__':
    unittest.main()
