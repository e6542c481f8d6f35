#!/usr/bin/env python3
"""./dev bench counter --kinds in its quick form: the tables are whole, and a seed is a workload.

usage: counter_kinds_test.py build/release/galley_counter
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
COUNTER = os.path.join(ROOT, 'bench', 'counter')
TABLES = [sys.executable, os.path.join(COUNTER, 'kinds.py')]
PROGRAM = ''
sys.path.insert(0, COUNTER)
sys.dont_write_bytecode = True

import figures  # noqa: E402
import kinds  # noqa: E402

WAYS = {1: ['one line', 'priorities', 'nothing configured', '--reserve express'],
        2: ['one line', 'priorities', '1 slot of its own', 'nothing configured']}


def tables():
    ran = subprocess.run([*TABLES, PROGRAM, '--quick'], stdout=subprocess.PIPE, text=True, check=True)
    head, *all_tables = re.split(r'\n\n(?=\|)', ran.stdout)
    return head, [[[cell.strip() for cell in line.strip('|').split('|')]
                   for line in table.splitlines() if line.startswith('|')] for table in all_tables]


class CounterKinds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.head, (cls.workloads, cls.waits, cls.worst) = tables()

    def test_says_what_was_drawn_and_what_bounded_it(self):
        self.assertEqual(self.head, '4 workloads, drawn from seeds 1 to 4; 1 s of real time a run, 4 at once, each '
                                    'in a process and a store of its own.')
        self.assertEqual([row[:2] for row in self.workloads[2:]], [['1', '1'], ['2', '2'], ['3', '4'], ['4', '16']])

    def test_has_a_row_of_each_seed_and_way(self):
        wanted = [[str(seed), way] for seed in (1, 2, 3, 4) for way in WAYS[min(seed, 2)]]
        self.assertEqual([row[:2] for row in self.waits[2:]], wanted)
        self.assertTrue(all(len(row) == len(self.waits[0]) for row in self.waits))

    def test_its_figures_are_in_order(self):
        for row in self.waits[2:]:
            for triple in (row[3:6], row[6:9]):
                if triple == ['-'] * 3:
                    continue
                values = [float(cell.replace(',', '')) for cell in triple]
                self.assertEqual(values, sorted(values), row)
                self.assertLessEqual(values[2], 1_000, row)
            if row[1] == 'one line':
                self.assertIn(row[-1], ('100.0 %', '-'), row)  # none of them ended in so short a time

    def test_a_table_with_a_hole_is_none(self):
        ran = subprocess.run([*TABLES, '/bin/false', '--quick'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True)
        self.assertEqual((ran.returncode, ran.stdout), (1, ''))

    def test_a_seed_is_a_workload_under_names_of_its_own(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            drawn = pool.map(lambda seed: figures.rows_of([PROGRAM, '--quick', '--shape', seed]), ('2', '2', '6'))
        first, again, other = ({(row['shape'], tuple(row['names'])) for row in rows} for rows in drawn)
        self.assertEqual(first, again)
        self.assertEqual(len(first), 1)
        self.assertFalse(set(next(iter(first))[1]) & set(next(iter(other))[1]))
        self.assertIn(next(iter(first))[0], [row[2] for row in self.workloads])

    def test_the_worst_are_those_that_wait_longest_beside_what_can_be_had_by_hand(self):
        def rows(seed, learned):
            return [{'seed': seed, 'way': way, 'waits_ms': [wait], 'longest_s': 1.0}
                    for way, wait in (('one line', 900), ('priorities', 300), ('1 slot of its own', 10),
                                      ('nothing configured', learned))]

        lines = kinds.worst(kinds.by_seed(rows(1, 20) + rows(2, 500) + rows(3, 9)))
        self.assertEqual([line.split(' | ')[0] for line in lines[2:]], ['| 2', '| 1', '| 3'])
        self.assertIn('| 500 | 10.0 (1 slot of its own) | 900 | 100.0 % | 100.0 % |', lines[2])


if __name__ == '__main__':
    PROGRAM = sys.argv.pop(1)
    unittest.main()
