#!/usr/bin/env python3
"""Packs the .cpp files of a target into units that are compiled as one. Prints "NUMBER FILE" a line.

    tools/units.py SIZE FILE...    at most SIZE files a unit

What a file has for itself (the names of its anonymous namespace, its constants, aliases and macros) is seen by those
behind it in the same unit. So two files are in one unit only where neither speaks a word that the other has for itself.
"""

import re
import sys

sys.dont_write_bytecode = True
import lint

OPENS, CLOSES = 'namespace {', '}  // namespace'
ALIAS = re.compile(r'(?:using|namespace) +(\w+) *=.*;$|using +[\w:]*::(\w+);$')
MACRO = re.compile(r'# *define +(\w+)')
TYPE = re.compile(r'(?:template *<.*> *)?(?:struct|class|union|enum(?: +(?:class|struct))?) +(\w+)')
CONSTANT = re.compile(r'(?:inline +|static +)*(?:constexpr|const|constinit|static|thread_local)\b')
NAME = re.compile(r'(\w+)(?:\[[^\]]*\])* *[(={;]')
SPOKEN = re.compile(r'(?<![\w.])(?<!->)(?<!std::)[A-Za-z_]\w*')
TESTS = re.compile(r'(?:TEST(?:_F|_P)?|INSTANTIATE_TEST_SUITE_P|[A-Z_]+) *\(')


class File:
    def __init__(self, path, text):
        self.path = path
        self.own = {}  # name -> the whole line of an alias, which two files may both have; else the file itself
        code = lint.blank(text)
        self.words = set(SPOKEN.findall(code))
        hidden = False
        for raw, line in zip(text.split('\n'), code.split('\n')):
            line = line.rstrip()
            if raw == OPENS:
                hidden = True
            elif raw == CLOSES:
                hidden = False
            elif (line[:1].isalpha() or line[:1] in '#_[') and 'operator' not in line:
                self._declares(line, hidden)

    def _declares(self, line, hidden):
        alias = ALIAS.match(line)
        if alias:
            self.own[alias.group(1) or alias.group(2)] = line
            return
        found = MACRO.match(line) or (hidden and TYPE.match(line))
        if not found and (hidden or CONSTANT.match(line)) and not line.startswith('#') and not TESTS.match(line):
            found = NAME.search(line)
        if found:
            self.own[found.group(1)] = self.path

    def is_heard_by(self, other):
        return any(name in other.words and other.own.get(name) != line for name, line in self.own.items())


def pack(files, size):
    units = []
    for file in files:
        for unit in units:
            if len(unit) < size and not any(file.is_heard_by(other) or other.is_heard_by(file) for other in unit):
                unit.append(file)
                break
        else:
            units.append([file])
    return units


def main():
    files = []
    for path in sys.argv[2:]:
        with open(path, encoding='utf-8') as file:
            files.append(File(path, file.read()))
    for number, unit in enumerate(pack(files, int(sys.argv[1]))):
        for file in unit:
            print(number, file.path)


if __name__ == '__main__':
    main()
