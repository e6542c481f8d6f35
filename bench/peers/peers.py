#!/usr/bin/env python3
"""Galley beside BullMQ and bee-queue, producer and worker in different processes each.

usage: peers.py GALLEY_BENCH --modules DIR [--quick] [--large]

BullMQ and bee-queue are taken from DIR/node_modules and talk to a Redis server that this script starts on a free
loopback port, with its log on (appendfsync everysec), and stops again. Galley is a file, durability=normal: what
survives a crash of a process, as theirs. Medians of three alternating runs. Goes on without what is not there.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SLOTS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Redis:
    def __init__(self, directory):
        self.port = free_port()
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--dir', directory, '--save', '',
             '--appendonly', 'yes', '--appendfsync', 'everysec'], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > until:
                    self.stop()
                    raise
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class GalleyRoles:
    name = 'galley'

    def __init__(self, bench, directory):
        self.words = [bench, 'role', f'sqlite:{directory}/galley.db?durability=normal']
        self.env = dict(os.environ)

    def stop(self):
        pass


class PeerRoles:
    def __init__(self, name, modules, directory):
        self.name = name
        self.redis = Redis(directory)
        self.words = ['node', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peer.mjs'), name]
        self.env = dict(os.environ, MODULES=modules, PORT=str(self.redis.port))

    def stop(self):
        self.redis.stop()


class Role:
    """A process that plays one; a worker is waited for until it is ready."""

    def __init__(self, contender, *words):
        self.words = [*contender.words, *map(str, words)]
        worker = words[0] == 'work'
        self.process = subprocess.Popen(self.words, env=contender.env, text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE if worker else None)
        if worker and self.process.stderr.readline().strip() != 'ready':
            raise RuntimeError(f'{" ".join(self.words)} does not get ready')

    def answer(self):
        out = self.process.stdout.read()
        _, status, self.used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            raise RuntimeError(f'{" ".join(self.words)} failed')
        return json.loads(out)


def measure(contender, sizes):
    """A producer alone, then a worker that drains, then both."""
    answer = {}
    bulk = Role(contender, 'bulk', sizes.jobs).answer()
    answer['bulk enqueue, jobs/s'] = bulk['jobs'] / bulk['seconds']
    drained = Role(contender, 'work', SLOTS, sizes.jobs + 1).answer()
    answer['drain, jobs/s'] = sizes.jobs / drained['seconds']
    single = Role(contender, 'single', sizes.seconds).answer()
    answer['single awaited enqueue, jobs/s'] = single['jobs'] / single['seconds']
    Role(contender, 'work', SLOTS, single['jobs'] + 1).answer()
    worker = Role(contender, 'work', SLOTS, sizes.paced + 1)
    Role(contender, 'paced', 100, sizes.paced).answer()
    waits = sorted(worker.answer()['waits_us'][1:])
    answer['enqueue to start at 100 jobs/s, p50, us'] = waits[len(waits) // 2]
    answer['enqueue to start at 100 jobs/s, p99, us'] = waits[len(waits) * 99 // 100]
    worker = Role(contender, 'work', SLOTS, sizes.jobs + 1)
    begin = time.monotonic()
    Role(contender, 'bulk', sizes.jobs).answer()
    worker.answer()
    answer['both at once, jobs/s'] = sizes.jobs / (time.monotonic() - begin)
    return answer


def drain_many(bench, directory, jobs):
    """What a worker needs for very many jobs, and what they leave behind."""
    galley = GalleyRoles(bench, directory)
    Role(galley, 'bulk', jobs).answer()
    worker = Role(galley, 'work', SLOTS, jobs + 1)
    seconds = worker.answer()['seconds']
    size = os.path.getsize(os.path.join(directory, 'galley.db'))
    print(f'  draining {jobs:,} jobs: {jobs / seconds:,.0f} jobs/s, peak memory of the worker '
          f'{worker.used.ru_maxrss / 1024:,.1f} MiB, the file {size / 2**20:,.0f} MiB afterwards')


def contenders(arguments):
    yield 'galley', lambda directory: GalleyRoles(arguments.bench, directory)
    for tool in ('node', 'redis-server'):
        if shutil.which(tool) is None:
            print(f'going on without BullMQ and bee-queue: there is no {tool}', file=sys.stderr)
            return
    for name in ('bullmq', 'bee-queue'):
        package = os.path.join(arguments.modules, 'node_modules', name, 'package.json')
        if not os.path.exists(package):
            print(f'going on without {name}: there is no {package}', file=sys.stderr)
            continue
        with open(package, encoding='utf-8') as text:
            print(f'  {name}: {json.load(text)["version"]}')
        yield name, lambda directory, name=name: PeerRoles(name, os.path.abspath(arguments.modules), directory)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('bench')
    parser.add_argument('--modules', default='build/peers')
    parser.add_argument('--dir', default=None)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--large', action='store_true')
    sizes = parser.parse_args()
    sizes.jobs, sizes.seconds, sizes.paced, rounds = (1000, 1, 50, 1) if sizes.quick else (20_000, 1, 400, 3)
    makers = list(contenders(sizes))
    runs = {name: [] for name, _ in makers}
    for _ in range(rounds):
        for name, make in makers:
            with tempfile.TemporaryDirectory(dir=sizes.dir) as directory:
                contender = make(directory)
                try:
                    runs[name].append(measure(contender, sizes))
                finally:
                    contender.stop()
    if sizes.large:
        with tempfile.TemporaryDirectory(dir=sizes.dir) as directory:
            drain_many(sizes.bench, directory, 1_000_000)
    names = list(runs)
    title = 'producer and worker in different processes'
    width = max(len(what) for what in runs['galley'][0])
    print('  ' + title.ljust(width) + ''.join(name.rjust(12) for name in names))
    for what in runs['galley'][0]:
        values = [statistics.median(run[what] for run in runs[name]) for name in names]
        print('  ' + what.ljust(width) + ''.join(f'{value:12,.0f}' for value in values))


if __name__ == '__main__':
    main()
