#!/usr/bin/env python3
"""Galley from outside: what cmake --install and cpack make, used as a stranger would.

    package_test.py CHECK --build DIR --compiler CXX     CHECK is a class below, or "Install", which the others need

Everything happens in DIR/package_test.
"""

import argparse
import glob
import gzip
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.dirname(os.path.dirname(HERE))
PROJECT = os.path.join(HERE, 'project')
COMMANDS = ['enqueue', 'work', 'jobs', 'queues', 'stats', 'demo']  # those that will not go away
OPTIONS = None  # of the command line


def run(*command, env=None, **options):
    """Runs it and gives what it printed; fails with all of it when the command does."""
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, 'LC_ALL': 'C.UTF-8', **(env or {})}, **options)
    if done.returncode != 0:
        raise AssertionError(f'{" ".join(command)}\nended with {done.returncode}:\n{done.stdout}')
    return done.stdout


def here(*names):
    return os.path.join(OPTIONS.build, 'package_test', *names)


def fresh(name):
    """An empty folder of that name."""
    shutil.rmtree(here(name), ignore_errors=True)
    os.makedirs(here(name))
    return here(name)


def prefix(*names):
    return here('prefix', *names)


def only(pattern):
    """The one file that matches."""
    found = glob.glob(pattern, recursive=True)
    if len(found) != 1:
        raise AssertionError(f'{pattern}: {found}')
    return found[0]


def configure(folder, *arguments):
    """CMake with the compiler that Galley was built with, and its cache."""
    ccache = ['-DCMAKE_CXX_COMPILER_LAUNCHER=ccache'] if shutil.which('ccache') else []
    return run('cmake', '-G', 'Ninja', '-B', folder, f'-DCMAKE_CXX_COMPILER={OPTIONS.compiler}', *ccache, *arguments)


class Package(unittest.TestCase):
    def check_program(self, program, folder):
        """The mailer runs its job, and the installed program sees it in the store."""
        store = 'sqlite:' + os.path.join(folder, 'mail.db')
        self.assertEqual(run(program, store), 'sent 3 pages to ada\n')
        listed = run(prefix('bin', 'galley'), 'jobs', '--state', 'completed', '--kind', 'letter', '--json', '--store',
                     store)
        self.assertEqual(len(listed.splitlines()), 1, listed)


class Install(Package):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(prefix(), ignore_errors=True)
        run('cmake', '--install', OPTIONS.build, '--prefix', prefix())

    def test_puts_the_program_the_library_and_their_documents_below_the_prefix(self):
        self.assertRegex(run(prefix('bin', 'galley'), '--version'), r'^galley \d+\.\d+\.\d+\n$')
        self.assertEqual(sorted(os.listdir(prefix('bin'))), ['galley'])
        installed = sorted(os.listdir(prefix('include', 'galley')))
        self.assertEqual(installed, sorted(os.listdir(os.path.join(SOURCES, 'include', 'galley'))))
        only(prefix('**', 'libgalley.a'))
        only(prefix('share', 'bash-completion', 'completions', 'galley'))
        for command in COMMANDS:
            only(prefix('share', 'man', 'man1', f'galley-{command}.1.gz'))
        only(prefix('lib', 'systemd', 'system', 'galley-worker@.service'))

    def test_leaves_no_path_of_the_build_in_what_others_read(self):
        for path in glob.glob(prefix('**', 'cmake', 'galley', '*'), recursive=True) + [only(prefix('**', 'galley.pc'))]:
            with open(path, encoding='utf-8') as file:
                self.assertNotIn(SOURCES, file.read(), path)


class FindPackage(Package):
    def test_builds_a_program_that_runs_a_typed_job(self):
        folder = fresh('find_package')
        configure(folder, '-S', PROJECT, f'-DCMAKE_PREFIX_PATH={prefix()}')
        run('cmake', '--build', folder)
        self.check_program(os.path.join(folder, 'mailer'), folder)

    def test_is_refused_where_another_minor_version_is_asked_for(self):
        folder = fresh('wrong_version')
        shutil.copy(os.path.join(PROJECT, 'mailer.cpp'), folder)
        with open(os.path.join(PROJECT, 'CMakeLists.txt'), encoding='utf-8') as file:
            text = file.read()
        with open(os.path.join(folder, 'CMakeLists.txt'), 'w', encoding='utf-8') as file:
            file.write(text.replace('galley 0.1', 'galley 0.0'))
        with self.assertRaisesRegex(AssertionError, 'compatible\\s+with requested version "0.0"'):
            configure(os.path.join(folder, 'build'), '-S', folder, f'-DCMAKE_PREFIX_PATH={prefix()}')


class AddSubdirectory(Package):
    def test_adds_the_library_and_nothing_for_galleys_own_use(self):
        folder = fresh('add_subdirectory')
        shutil.copy(os.path.join(PROJECT, 'mailer.cpp'), folder)
        shutil.copy(os.path.join(PROJECT, 'in_tree.cmake'), os.path.join(folder, 'CMakeLists.txt'))
        build = os.path.join(folder, 'build')
        configure(build, '-S', folder, f'-DGALLEY_SOURCES={SOURCES}')
        run('cmake', '--install', build, '--prefix', os.path.join(folder, 'prefix'))
        self.assertFalse(os.path.exists(os.path.join(folder, 'prefix')))


class PkgConfig(Package):
    def test_links_a_program_by_hand(self):
        folder = fresh('pkg_config')
        program = os.path.join(folder, 'mailer')
        env = {'PKG_CONFIG_PATH': os.path.dirname(only(prefix('**', 'galley.pc')))}
        flags = run('pkg-config', '--static', '--cflags', '--libs', 'galley', env=env).split()
        compiler = (['ccache'] if shutil.which('ccache') else []) + [OPTIONS.compiler]
        run(*compiler, '-std=c++20', '-c', os.path.join(PROJECT, 'mailer.cpp'), '-o', program + '.o',
            *[flag for flag in flags if not flag.startswith(('-l', '-L'))])
        run(OPTIONS.compiler, program + '.o', '-o', program, *flags)
        self.check_program(program, folder)


class Man(Package):
    def pages(self):
        return sorted(glob.glob(prefix('share', 'man', 'man1', '*.gz')))

    def rendered(self, name):
        with gzip.open(prefix('share', 'man', 'man1', name + '.1.gz')) as file:
            done = subprocess.run(['groff', '-man', '-ww', '-Tascii', '-P-c', '-P-b', '-P-u', '-rLL=100n'],
                                  input=file.read(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.stderr.decode(), '', name)
        self.assertEqual(done.returncode, 0, name)
        return done.stdout.decode()

    def test_parses_without_a_warning(self):
        self.assertGreater(len(self.pages()), len(COMMANDS))
        for page in self.pages():
            self.rendered(os.path.basename(page)[:-len('.1.gz')])

    def test_has_a_page_for_each_command_of_the_program(self):
        help_text = run(prefix('bin', 'galley'), '--help')
        commands = [line.split()[0] for line in help_text.split('Subcommands:')[1].split('\n\n')[0].splitlines()
                    if line.startswith('  ') and not line.startswith('   ')]
        self.assertLessEqual(set(COMMANDS), set(commands))
        names = ['galley'] + [f'galley-{command}' for command in commands]
        self.assertEqual([os.path.basename(page) for page in self.pages()], sorted(f'{name}.1.gz' for name in names))

    def test_says_what_help_says(self):
        page = self.rendered('galley-jobs')
        for words in ('NAME\n       galley-jobs - List jobs', 'galley jobs [OPTIONS] [SUBCOMMAND]', '--limit N',
                      'At most this many (default 100); 0: all', 'EXAMPLES', 'galley jobs --state dead --limit 20',
                      'galley jobs show [OPTIONS] ID...', 'galley jobs retry'):
            self.assertIn(words, page)
        page = self.rendered('galley')
        for words in ('galley-work(1)', 'EXIT STATUS', 'Exit codes: 0, 1 failure, 2 usage',
                      "find . -name '*.png' | galley"):
            self.assertIn(words, page)
        self.assertIn('galley enqueue --queue thumbs -- convert cat.png', self.rendered('galley-enqueue'))


class Completion(Package):
    SCRIPT = 'share/bash-completion/completions/galley'

    def complete(self, *words, folder='/'):
        """What bash offers for the last of the words."""
        script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  '_galley; printf "%s\\n" "${COMPREPLY[@]}"')
        return run('bash', '--norc', '-uc', script, 'bash', prefix(self.SCRIPT), 'galley', *words, cwd=folder).split()

    def test_is_a_valid_script_that_names_its_function(self):
        run('bash', '-n', prefix(self.SCRIPT))
        registered = run('bash', '--norc', '-c', f'. "{prefix(self.SCRIPT)}"; complete -p galley')
        self.assertEqual(registered, 'complete -F _galley galley\n')

    def test_completes_commands_and_those_below_them(self):
        self.assertEqual(self.complete('jo'), ['jobs'])
        self.assertLessEqual(set(COMMANDS), set(self.complete('')))
        self.assertEqual(self.complete('jobs', 'sh'), ['show'])
        self.assertEqual(self.complete('--store', 'jobs', 'wo'), ['work'])  # the value is no command
        self.assertEqual(self.complete('jobs', 'show', 're'), [])

    def test_completes_options_of_the_command_that_was_named(self):
        self.assertEqual(self.complete('jobs', '--li'), ['--limit'])
        self.assertEqual(self.complete('jobs', 'show', '--li'), [])
        self.assertIn('-0', self.complete('enqueue', '-'))

    def test_completes_the_values_that_an_option_allows(self):
        self.assertEqual(self.complete('jobs', '--state', 'd'), ['dead', 'discarded'])
        self.assertEqual(self.complete('jobs', '--state', '=', 'd'), ['dead', 'discarded'])
        self.assertEqual(self.complete('enqueue', '--on-timeout', '=')[:3], ['pause', 'retry', 'dead'])
        self.assertEqual(self.complete('jobs', '--limit', 's'), [])  # a number, and no command

    def test_completes_files_for_a_command_behind_the_dashes(self):
        folder = fresh('completion')
        with open(os.path.join(folder, 'two words.png'), 'w', encoding='utf-8'):
            os.mkdir(os.path.join(folder, 'twofold'))
        self.assertIn('bash', self.complete('enqueue', '--', 'bas'))
        offered = self.complete('enqueue', '--', 'ls', 'two', folder=folder)
        self.assertEqual(sorted(offered), ['two', 'twofold', 'words.png'])
        self.assertEqual(self.complete('enqueue', '--cwd', 'two', folder=folder), ['twofold'])


class Deb(Package):
    def test_has_the_program_in_one_package_and_the_library_in_another(self):
        folder = fresh('deb')
        # No compression: the same files, in a third of the time.
        run('cpack', '--config', os.path.join(OPTIONS.build, 'CPackConfig.cmake'), '-B', folder, '-D',
            'CPACK_DEBIAN_COMPRESSION_TYPE=none', cwd=folder)
        program, library = only(os.path.join(folder, 'galley_*.deb')), only(os.path.join(folder, 'libgalley-dev_*.deb'))

        info = run('dpkg-deb', '--info', program)
        self.assertRegex(info, r'\n Package: galley\n')
        depends = re.search(r'\n Depends: (.*)\n', info).group(1)
        for package in ('libc6', 'libsqlite3-0', 'libstdc++6', 'tzdata'):
            self.assertIn(package, re.split(r'[ ,]+', depends))
        self.assertNotRegex(info, r'Depends: .*-dev')
        self.assertRegex(info, r'\n Description: durable job queue')
        contents = run('dpkg-deb', '--contents', program)
        for path in ('bin/galley', 'share/man/man1/galley-jobs.1.gz', 'share/bash-completion/completions/galley',
                     'share/doc/galley/copyright', 'lib/systemd/system/galley-worker@.service',
                     'lib/sysusers.d/galley.conf'):
            self.assertRegex(contents, rf'root/root .* \./usr/{path}\n')
        self.assertNotIn('include/', contents)
        scripts = os.path.join(folder, 'scripts')
        run('dpkg-deb', '--control', program, scripts)
        for script in ('postinst', 'postrm'):
            run('sh', '-n', os.path.join(scripts, script))
            self.assertTrue(os.access(os.path.join(scripts, script), os.X_OK))

        info = run('dpkg-deb', '--info', library)
        for package in ('libboost-json1.81-dev', 'libspdlog-dev', 'libsqlite3-dev'):
            self.assertRegex(info, rf'\n Depends: .*{package}')
        self.assertNotIn('bin/galley', run('dpkg-deb', '--contents', library))

        root = os.path.join(folder, 'root')
        for package in (program, library):
            run('dpkg-deb', '-x', package, root)
        self.assertRegex(run(os.path.join(root, 'usr', 'bin', 'galley'), '--version'), r'^galley \d')
        configure(os.path.join(folder, 'project'), '-S', PROJECT, f'-DCMAKE_PREFIX_PATH={root}/usr')


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('check')
    parser.add_argument('--build', required=True, type=os.path.abspath)
    parser.add_argument('--compiler', default='g++')
    OPTIONS = parser.parse_args()
    os.makedirs(here(), exist_ok=True)
    unittest.main(argv=[sys.argv[0], OPTIONS.check], verbosity=2)


if __name__ == '__main__':
    main()
