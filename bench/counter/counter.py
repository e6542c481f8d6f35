#!/usr/bin/env python3
"""./dev bench counter: has Galley and, where they are there, BullMQ and beanstalkd serve burgers and drinks, and writes
a table and plots; then drawn workloads of several kinds (bench/counter/kinds.py).

    bench/counter/counter.py PROGRAM [--quick] [--out DIR] [--modules DIR]

PROGRAM is galley_counter; DIR/table.md and DIR/*.svg are written (default: standard output, no plots); --modules is the
directory where node_modules/bullmq is.
"""

import argparse
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import kinds
from figures import number, quantile, rows_of, say

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def bullmq(loads, modules):
    if not modules or not os.path.isdir(os.path.join(modules, 'node_modules', 'bullmq')):
        return say('going on without BullMQ: it is not installed') or []
    if not shutil.which('redis-server') or not shutil.which('node'):
        return say('going on without BullMQ: redis-server or node is missing') or []
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        redis = subprocess.Popen(['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--save', '',
                                  '--appendonly', 'no', '--dir', folder], stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    socket.create_connection(('127.0.0.1', port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            return rows_of(['node', os.path.join(HERE, 'bullmq.mjs')], loads,
                           env={**os.environ, 'PORT': str(port), 'MODULES': modules})
        finally:
            redis.terminate()
            redis.wait()


def beanstalkd(loads):
    if not shutil.which('beanstalkd'):
        return say('going on without beanstalkd: it is not installed') or []
    return rows_of([sys.executable, os.path.join(HERE, 'beanstalkd.py')], loads)


def measured(row):
    waits = sorted(row['waits_ms'])
    return [quantile(waits, 0.5), quantile(waits, 0.99), quantile(waits, 0.999), waits[-1]]


def table(rows):
    lines = []
    for load in dict.fromkeys(row['load'] for row in rows):
        lines += [f'{load[0].upper()}{load[1:]}:', '',
                  '| who | way | drinks wait, ms: p50 | p99 | p99.9 | max | burgers/s |',
                  '|---|---|---|---|---|---|---|']
        for row in (row for row in rows if row['load'] == load):
            cells = [number(value) for value in measured(row)]
            lines.append(f"| {row['who']} | {row['way']} | {' | '.join(cells)} | {row['burgers_per_s']:.2f} |")
        lines.append('')
    return '\n'.join(lines)


COLOURS = {'galley': '#0b6e4f', 'BullMQ': '#b5473c', 'beanstalkd': '#4a6fa5'}
LEFT, RIGHT, TOP, LINE = 260, 40, 60, 26


def plot(load, rows):
    """One line a way: p50 to max on a logarithmic axis, the p99 as a dot."""
    rows = [row for row in rows if row['load'] == load]
    low, high = -1, 5  # 0.1 ms to 100 s
    width, height = 860, TOP + LINE * len(rows) + 50

    def x(ms):
        return LEFT + (math.log10(max(ms, 0.1)) - low) / (high - low) * (width - LEFT - RIGHT)

    bottom = TOP + LINE * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
           f'font-size="13">', f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="20" y="26" font-size="16">How long drinks wait: {load}, 4 slots</text>',
           '<text x="20" y="44" fill="#666">line: p50 to the longest; dot: p99; at the right: burgers a second</text>']
    for power in range(low, high + 1):
        ms = 10 ** power
        label = f'{ms:g} ms' if ms < 1000 else f'{ms // 1000:g} s'
        out += [f'<line x1="{x(ms):.1f}" y1="{TOP}" x2="{x(ms):.1f}" y2="{bottom}" stroke="#ddd"/>',
                f'<text x="{x(ms):.1f}" y="{bottom + 20}" text-anchor="middle" fill="#666">{label}</text>']
    for i, row in enumerate(rows):
        p50, p99, _, longest = measured(row)
        y, colour = TOP + LINE * i + LINE / 2, COLOURS.get(row['who'], '#333')
        out += [f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{row["who"]}, {row["way"]}</text>',
                f'<line x1="{x(p50):.1f}" y1="{y}" x2="{x(longest):.1f}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
                f'<circle cx="{x(p99):.1f}" cy="{y}" r="6" fill="{colour}"/>',
                f'<text x="{width - 6}" y="{y + 4}" text-anchor="end" fill="#666">{row["burgers_per_s"]:.1f}</text>']
    return '\n'.join(out + ['</svg>', ''])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('program')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--out')
    parser.add_argument('--modules')
    given = parser.parse_args()
    quick = ['--quick'] if given.quick else []
    loads = subprocess.run([given.program, *quick, '--loads'], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = []
    for slots in ('4', '1', '2', '16'):
        say(f'Galley, slots: {slots}')
        rows += rows_of([given.program, *quick, '--slots', slots])
    if not rows:
        return 1
    pools = [row for row in rows if row['slots'] != 4]
    rows = [row for row in rows if row['slots'] == 4]
    say('beanstalkd')
    rows += beanstalkd(loads)
    say('BullMQ')
    rows += bullmq(loads, given.modules)
    text = table(rows) + '\n' + table(pools)
    print(text, flush=True)
    if given.out:
        os.makedirs(given.out, exist_ok=True)
        with open(os.path.join(given.out, 'table.md'), 'w', encoding='utf-8') as file:
            file.write(text)
        for i, load in enumerate(dict.fromkeys(row['load'] for row in rows)):
            with open(os.path.join(given.out, f'waits-{i + 1}.svg'), 'w', encoding='utf-8') as file:
                file.write(plot(load, rows))
    return 0 if kinds.write(given.program, given.quick, given.out) else 1


if __name__ == '__main__':
    sys.exit(main())
