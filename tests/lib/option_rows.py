"""The rows of src/options.def, as the compiler would have them."""

import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is told to have been expected; the ends are those of the row.
WANTS = {
    "FLAG": "yes or no", "TALLY": "a whole number", "COUNT": "a whole number",
    "OCTAL": "an octal number", "SIZE": "bytes or a number with k, m, g or t",
    "MEGABYTES": "megabytes or a number with k, m, g or t",
    "DURATION": "seconds or a number with ms, s, m or h",
    "STRING": "1 to 4095 bytes of text", "LIST": "values with commas between them",
    "ROLE": "both, front or shard",
    "SHARDS": "NAME=HOST:PORT, with *WEIGHT from 1 to 100 after it if wanted",
}

_ARG = r'(?:"([^"]*)"|NULL)'
_OPTION = re.compile(r'^OPTION(?:_RARE)?\(\w+, "([\w-]+)", (?:\'(.)\'|0), ([A-Z]+), "([^"]*)", '
                     r'"([^"]*)", "([^"]*)", ([A-Z]+), ([A-Z]+), ' + _ARG + ",$", re.M)
_IGNORED = re.compile(r'^OPTION_IGNORED\("([\w-]+)", \'(.)\', ' + _ARG + r',\s+"([^"]*)"\)', re.M)
_REFUSED = re.compile(r'^OPTION_REFUSED\("([\w-]+)", \'(.)\',\s+"([^"]*)"\)', re.M)


class Row:
    """What one process can be told, and where."""

    def __init__(self, name, letter, kind, default, least, most, section, when, arg):
        self.name, self.letter, self.kind, self.default = name, letter, kind, default
        self.least, self.most, self.when, self.arg = least, most, when, arg
        self.section = None if section in ("NONE", "SHARD") else section.lower()

    def said(self, value):
        """The line about a value that is none."""
        limits = ", from %s to %s" % (self.least, self.most) if self.most else ""
        return '--%s: read "%s", expected %s%s' % (self.name, value, WANTS[self.kind], limits)


def _text():
    with open(os.path.join(TOP, "src", "options.def")) as f:
        return f.read()


def rows():
    return [Row(*groups) for groups in _OPTION.findall(_text())]


def ignored():
    """[(name, letter, value or "", reason)]"""
    return _IGNORED.findall(_text())


def refused():
    """[(name, letter, reason)]"""
    return _REFUSED.findall(_text())


def n_written():
    """Rows of any kind, counted more simply."""
    return len(re.findall(r"^OPTION\w*\(", _text(), re.M))
