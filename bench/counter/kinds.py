#!/usr/bin/env python3
"""./dev bench counter --kinds: drawn workloads of two, three and five kinds on a real worker, as tables.

    bench/counter/kinds.py PROGRAM [--quick] [--out DIR] [--seed FIRST] [--shapes N]

PROGRAM is galley_counter; DIR/kinds.md is written too. Sixteen seeds in a row have every number of kinds, and one that
turns long half-way, with every number of slots.
"""

import argparse
import concurrent.futures
import os
import sys

from figures import number, quantile, rows_of, say

AT_ONCE = 4  # workloads, each in a process of its own: most of them sleep
WORST = 6


def figures(waits):
    """p50, p99, max."""
    waits = sorted(waits)
    return [quantile(waits, 0.5), quantile(waits, 0.99), waits[-1]] if waits else []


def cells(waits):
    return [number(value) for value in figures(waits)] or ['-'] * 3


def by_seed(rows):
    shapes = {}
    for row in rows:
        shapes.setdefault(row['seed'], []).append(row)
    return shapes


def share(row, rows):
    """Of what one line makes of the longest kind."""
    line = rows[0]['longest_s']
    return f"{100 * row['longest_s'] / line:.1f} %" if line > 0 else '-'


def p99(row):
    return (figures(row['waits_ms']) or [0] * 3)[1]


def learned(rows):
    """A pool of one slot is left alone unless it is asked for."""
    return rows[-1]


def by_hand(rows):
    return min((row for row in rows if row['way'] in ('priorities', '1 slot of its own')), key=p99)


def workloads(shapes):
    lines = ['| seed | slots | kinds: mean time, slots that they keep busy |', '|---|---|---|']
    for seed, rows in shapes.items():
        lines.append(f"| {seed} | {rows[0]['slots']} | {rows[0]['shape']} |")
    return lines


def waits(shapes):
    lines = ['| seed | way | jobs of the shortest kind | wait, ms: p50 | p99 | max '
             '| kinds between wait, ms: p50 | p99 | max | longest kind, of one line |',
             '|---|---|---|---|---|---|---|---|---|---|']
    for seed, rows in shapes.items():
        for row in rows:
            lines.append(f"| {seed} | {row['way']} | {len(row['waits_ms'])} | "
                         f"{' | '.join(cells(row['waits_ms']) + cells(row['others_ms']))} | {share(row, rows)} |")
    return lines


def worst(shapes):
    """By how many times as long as by hand the shortest kind waits; 10 ms more or less are nothing."""
    def badness(rows):
        return (p99(learned(rows)) + 10) / (p99(by_hand(rows)) + 10)

    lines = ['| seed | way | p99 wait of the shortest kind, ms | by hand | one line | longest kind, of one line '
             '| by hand |',
             '|---|---|---|---|---|---|---|']
    for seed, rows in sorted(shapes.items(), key=lambda one: badness(one[1]), reverse=True)[:WORST]:
        here, hand = learned(rows), by_hand(rows)
        lines.append(f"| {seed} | {here['way']} | {number(p99(here))} | {number(p99(hand))} ({hand['way']}) | "
                     f"{number(p99(rows[0]))} | {share(here, rows)} | {share(hand, rows)} |")
    return lines


def text_of(rows):
    shapes = by_seed(rows)
    seeds = f"{min(shapes)} to {max(shapes)}" if len(shapes) > 1 else f'{min(shapes)}'
    head = (f"{len(shapes)} workloads, drawn from seeds {seeds}; {rows[0]['open_s']:g} s of real time a run, "
            f'{min(AT_ONCE, len(shapes))} at once, each in a process and a store of its own.')
    return '\n'.join([head, '', *workloads(shapes), '', *waits(shapes), '', 'Where it does badly:', '',
                      *worst(shapes), ''])


def run(program, quick, seeds):
    """Its rows; none where one of them failed, so that a hole in a table is never taken for the whole."""
    def one(seed):
        rows = rows_of([program, *(['--quick'] if quick else []), '--shape', str(seed)])
        say(f"seed {seed}: {rows[0]['shape']}" if rows else f'seed {seed} came to nothing')
        return rows

    say(f'{len(seeds)} workloads of several kinds, {AT_ONCE} at once')
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        all_rows = list(pool.map(one, seeds))
    return sum(all_rows, []) if all(len(rows) == 4 for rows in all_rows) else []


def write(program, quick=False, out=None, first=1, shapes=None):
    """Prints the tables; whether there are any."""
    shapes = shapes or (4 if quick else 16)
    rows = run(program, quick, range(first, first + shapes))
    if not rows:
        return False
    text = text_of(rows)
    print(text)
    if out:
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, 'kinds.md'), 'w', encoding='utf-8') as file:
            file.write(text)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('program')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--out')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--shapes', type=int)
    given = parser.parse_args()
    return 0 if write(given.program, given.quick, given.out, given.seed, given.shapes) else 1


if __name__ == '__main__':
    sys.exit(main())
