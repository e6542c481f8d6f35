#!/usr/bin/env python3
"""Which files tools/units.py lets be compiled as one."""

import importlib
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools'))
units = importlib.import_module('units')


def hidden(code):
    return f'namespace galley {{\n\nnamespace {{\n\n{code}\n\n}}  // namespace\n\n}}  // namespace galley\n'


def packed(*texts, size=8):
    """The numbers of the files in each unit."""
    files = [units.File(number, text) for number, text in enumerate(texts)]
    return [[file.path for file in unit] for unit in units.pack(files, size)]


class Units(unittest.TestCase):
    def together(self, one, other):
        self.assertEqual(packed(one, other), [[0, 1]])
        self.assertEqual(packed(other, one), [[0, 1]])

    def apart(self, one, other):
        self.assertEqual(packed(one, other), [[0], [1]])
        self.assertEqual(packed(other, one), [[0], [1]])

    def test_files_without_names_of_their_own_stand_together(self):
        self.together('int a() {\n  return 1;\n}\n', 'int b() {\n  return 2;\n}\n')

    def test_a_unit_has_no_more_files_than_it_may(self):
        self.assertEqual(packed('int a;', 'int b;', 'int c;', size=2), [[0, 1], [2]])

    def test_the_next_files_fill_a_unit_that_one_could_not_join(self):
        self.assertEqual(packed(hidden('int f();'), hidden('int f();'), 'int b;'), [[0, 2], [1]])

    def test_one_name_twice_keeps_files_apart(self):
        for code in ('std::string f(int a) {\n  return {};\n}', 'struct f {\n};', 'enum class f { A };', 'int f = 1;',
                     'template <class T>\nvoid f(T t) {\n}', 'template <class T> class f {\n};', 'int f[3] = {};'):
            self.apart(hidden(code), hidden('bool f(char c) {\n  return true;\n}'))

    def test_a_name_that_another_file_speaks_keeps_files_apart(self):
        self.apart(hidden('bool open(int path) {\n  return true;\n}'), 'void b() {\n  open(1, 2);\n}\n')
        self.apart(hidden('struct Flags : Base {\n};'), 'void b() {\n  Flags flags;\n}\n')

    def test_a_name_in_words_or_of_a_member_is_not_spoken(self):
        self.together(hidden('int f();'), '// f\nvoid b() {\n  x.f(), y->f(), std::f(), say("f");\n}\n')

    def test_an_operator_is_no_name(self):
        self.together(hidden('bool operator==(A a, A b) {\n  return a;\n}'), 'bool b() {\n  return operator==(1);\n}')

    def test_names_of_tests_are_no_names_of_the_file(self):
        self.together(hidden('TEST(Lease, Ends) {\n}'), hidden('TEST(Lease, Begins) {\n}'))

    def test_a_constant_and_a_macro_belong_to_their_file_anywhere(self):
        self.apart('constexpr int kMost = 1;\n', 'int b() {\n  return kMost;\n}\n')
        self.apart('#define MOST 1\n', 'int b = MOST;\n')

    def test_an_alias_may_be_in_both_if_it_is_the_same(self):
        one, other = 'namespace asio = boost::asio;', 'namespace asio = my::asio;'
        self.together(hidden(one), hidden(one))
        self.apart(hidden(one), hidden(other))
        self.together(hidden('using std::chrono::seconds;'), hidden('using std::chrono::seconds;'))
        self.apart(hidden('using std::chrono::seconds;'), 'void b() {\n  int seconds = 1;\n}\n')


if __name__ == '__main__':
    unittest.main()
