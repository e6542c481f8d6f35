"""What the tables of ./dev bench counter are made with."""

import json
import math
import subprocess
import sys


def say(text):
    print(f'counter: {text}', file=sys.stderr, flush=True)


def rows_of(command, text='', **more):
    """The JSON objects that a program writes; none where it fails, which is said."""
    ran = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, **more)
    if ran.returncode != 0:
        say(f'{command[0]} failed with {ran.returncode}')
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{')]


def quantile(sorted_values, q):
    return sorted_values[max(0, math.ceil(q * len(sorted_values)) - 1)]


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}'
