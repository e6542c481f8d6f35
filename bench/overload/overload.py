#!/usr/bin/env python3
"""What a server is good for when more is asked of it than it can do: with each gate of the overload guard, with all of
them, with toobusy's arithmetic, and with none; and toobusy-js on Node, where that is there.

usage: overload.py GALLEY GALLEY_OVERLOAD --modules DIR [--quick] [--seconds N] [--only RULE,RULE] [--json]

The server runs on the first core, the generator (galley load http: an open loop, Poisson arrivals) on the second. A
request asks for so many microseconds of computation (--work). Goodput is what was answered with 200 within 200 ms of
its planned moment, as a part of the capacity: of what the same server without a rule answers when it is always busy.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

RULES = ['none', 'toobusy', 'accept', 'admit', 'start', 'all']
NAMES = {'none': 'none', 'toobusy': "toobusy's arithmetic", 'accept': 'accept gate alone',
         'admit': 'admit gate alone', 'start': 'start gate alone', 'all': 'all three gates', 'node none': 'Node, none',
         'node toobusy': 'Node, toobusy-js'}
DEADLINE = '200ms'


def on_core(core):
    return lambda: os.sched_setaffinity(0, {core})


class Server:
    def __init__(self, rule, arguments):
        env = dict(os.environ, MODULES=os.path.abspath(arguments.modules))
        if rule.startswith('node '):
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'toobusy.mjs')
            words = ['node', script, rule.removeprefix('node ')]
        else:
            words = [arguments.server, rule]
        self.process = subprocess.Popen([*words, str(arguments.work)], env=env, text=True, stdout=subprocess.PIPE,
                                        preexec_fn=on_core(arguments.cores[0]))
        self.url = f'http://127.0.0.1:{int(self.process.stdout.readline())}'

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def load(arguments, url, rate, seconds, connections, seed=1):
    """The generator's report. Time-outs are the client's: who has waited 200 ms goes away."""
    done = subprocess.run(
        [arguments.galley, 'load', 'http', url, '--rate', f'{rate:.0f}', '--duration', f'{seconds}s', '--poisson',
         '--seed', str(seed), '--connections', str(connections), '--timeout', DEADLINE, '--deadline', DEADLINE,
         '--allow-status', '503', '--json'],
        text=True, stdout=subprocess.PIPE, preexec_fn=on_core(arguments.cores[1]))
    return json.loads(done.stdout)


def capacity(arguments, rule):
    """Answers in a second of a server that always has some ten requests to choose from."""
    with Server(rule, arguments) as server:
        load(arguments, server.url + '/work', 0.5e6 / arguments.work, 1, 100)  # what comes first is slower
        report = load(arguments, server.url + '/work', 2e6 / arguments.work, 3, 10)
        return report['statuses']['200'] / report['seconds']


def goodput(arguments, rule, rate, seed):
    with Server(rule, arguments) as server:
        load(arguments, server.url + '/work', 0.5e6 / arguments.work, 1, 100)
        report = load(arguments, server.url + '/work', rate, arguments.seconds, arguments.connections, seed)
        status = json.loads(server.get('/status'))
    refused = report['statuses'].get('503', 0)
    return {'good': report['good_per_second'], 'p99_ms': report['ok']['p99_ms'], 'refused': refused,
            'outcomes': report['outcomes'], 'late': report['lateness']['share'], 'valid': report['valid'],
            'refusing': status.get('refusing'), 'times_closed': status.get('times_closed')}


def after_a_stall(arguments, rule, rate):
    """How long somebody was refused who came when a stall of a second was over."""
    with Server(rule, arguments) as server:
        stall = threading.Timer(2, server.get, ['/stall'])
        stall.start()
        load(arguments, server.url + '/work', rate, 4 if arguments.quick else 7, arguments.connections)
        stall.join()
        return json.loads(server.get('/status'))


def classes(arguments, rule, rate, each):
    """Three generators at once: a tenth of the requests High, three tenths Normal, the rest Low."""
    with Server(rule, arguments) as server:
        reports = {}

        def one(path, part, seed):
            report = load(arguments, server.url + path, rate * part, each, arguments.connections // 3, seed)
            reports[path] = report['good_per_second'] / report['offered_per_second']

        threads = [threading.Thread(target=one, args=words) for words in
                   (('/low', 0.6, 1), ('/work', 0.3, 2), ('/high', 0.1, 3))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return reports


def rules_of(arguments):
    rules = list(RULES)
    package = os.path.join(arguments.modules, 'node_modules', 'toobusy-js', 'package.json')
    if shutil.which('node') is None or not os.path.exists(package):
        print(f'going on without toobusy-js: there is no node, or no {package}', file=sys.stderr)
    else:
        with open(package, encoding='utf-8') as text:
            version = json.load(text)['version']
        node = subprocess.run(['node', '--version'], text=True, stdout=subprocess.PIPE).stdout.strip()
        print(f'toobusy-js {version} on Node {node}', file=sys.stderr)
        rules += ['node none', 'node toobusy']
    if arguments.only:
        rules = [rule for rule in rules if rule in arguments.only.split(',')]
    return rules


def measure(arguments):
    capacities, rows = {}, []
    for rule in rules_of(arguments):
        base = 'node none' if rule.startswith('node') else 'none'
        if base not in capacities:
            capacities[base] = capacity(arguments, base)
            print(f'capacity of {NAMES[base]}: {capacities[base]:.0f}/s', file=sys.stderr)
        row = {'rule': rule, 'loads': {}}
        for load_factor in arguments.loads:
            cell = goodput(arguments, rule, load_factor * capacities[base], seed=int(load_factor * 10))
            cell['goodput'] = cell['good'] / capacities[base]
            row['loads'][load_factor] = cell
            print(f'  {rule:12} {load_factor:4}x  {cell}', file=sys.stderr)
        row['stall'] = after_a_stall(arguments, rule, 0.3 * capacities[base])
        print(f'  {rule:12} after a stall: {row["stall"]}', file=sys.stderr)
        if rule in ('none', 'all'):
            row['classes'] = classes(arguments, rule, 5 * capacities[base], arguments.seconds)
            print(f'  {rule:12} classes at 5x: {row["classes"]}', file=sys.stderr)
        rows.append(row)
    return {'capacity': capacities, 'work_us': arguments.work, 'seconds': arguments.seconds, 'rows': rows}


def table(result, loads):
    lines = ['| rule | ' + ' | '.join(f'{load:g}x' for load in loads) + ' | p99 of the 200s at '
             + ' / '.join(f'{load:g}x' for load in loads) + ' | refused after a stall of 1 s |',
             '| --- |' + ' ---: |' * (len(loads) + 2)]
    for row in result['rows']:
        cells = [row['loads'][load] for load in loads]
        good = [f'{cell["goodput"]:.2f}' + ('' if cell['valid'] else ' (invalid)') for cell in cells]
        p99 = ' / '.join(f'{cell["p99_ms"]:.0f}' for cell in cells) + ' ms'
        stall = f'{row["stall"]["false_for_ms"]:.0f} ms' if row['stall']['false'] else 'nobody'
        lines.append(f'| {NAMES[row["rule"]]} | ' + ' | '.join(good) + f' | {p99} | {stall} |')
    return '\n'.join(lines)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    parser = argparse.ArgumentParser()
    parser.add_argument('galley')
    parser.add_argument('server')
    parser.add_argument('--modules', default='build/peers')
    parser.add_argument('--seconds', type=int, default=6)
    parser.add_argument('--work', type=int, default=2000)  # with 1000 the generator is late at 10x
    parser.add_argument('--connections', type=int, default=4000)
    parser.add_argument('--only', default='')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--json', action='store_true')
    arguments = parser.parse_args()
    arguments.loads = [1, 2, 5, 10]
    if arguments.quick:
        arguments.seconds, arguments.loads = 2, [5]
    cores = sorted(os.sched_getaffinity(0))
    arguments.cores = (cores[0], cores[-1])
    if len(cores) < 2:
        print('one core for both: the figures say little', file=sys.stderr)
    result = measure(arguments)
    print(json.dumps(result) if arguments.json else table(result, arguments.loads))
    for row in result['rows']:
        if not arguments.json and 'classes' in row:
            parts = ', '.join(f'{path[1:]} {part:.3f}' for path, part in sorted(row['classes'].items()))
            print(f'\nAnswered in time at 5x, {NAMES[row["rule"]]}: {parts}')


if __name__ == '__main__':
    main()
