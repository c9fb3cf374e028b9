#!/usr/bin/python3 -B
"""
The tables of manual pages, made from src/options.def and src/stats.def.

    man/tables.py           makes them anew: `make tables`
    man/tables.py --check   says which pages are not as it would make them

A table stands between two remarks of its page and is not edited by hand:

    .\\" table NAME: made by `make tables`
    ...
    .\\" end of table
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = ("man/chcached.conf.5", "man/chcached-protocol.7")
PLACE = re.compile(r'(\.\\" table ([\w -]+): made by `make tables`\n)(.*?)(\.\\" end of table\n)',
                   re.S)
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'.\'|[\w.-]+|[(),]')


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


# ---- rows -------------------------------------------------------------------

def _value(token):
    if token[0] == '"':
        return token[1:-1].replace('\\"', '"')
    return token[1] if token[0] == "'" else token


def rows(text, macro):
    """[cells] of each row `macro(...)` of a .def file; words, and strings without quotes."""
    text = re.sub(r"/\*.*?\*/|^#[^\n]*", "", text, flags=re.S | re.M)
    found = []
    for start in re.finditer(r"^%s\(" % macro, text, re.M):
        cells, strings = [], []
        for token in TOKEN.finditer(text, start.end()):
            if token[0] in ",)":
                cells.append("".join(strings))
                strings = []
                if token[0] == ")":
                    break
            else:
                strings.append(_value(token[0]))
        found.append(cells)
    return found


def options():
    """[{column: cell}] of the options that do something, in the order of the file."""
    text = read("src/options.def")
    columns = re.search(r"#define OPTION\((.*)\)", text)[1].split(", ")
    return [dict(zip(columns, cells, strict=True)) for cells in rows(text, "OPTION(?:_RARE)?")]


# ---- tables -----------------------------------------------------------------

def _cell(text):
    """No cell begins with a macro, ends in punctuation of its own, or is empty."""
    text = text.replace("\\", "\\e") or "-"
    return re.sub(r"(?<![^ ])([.,:;()\[\]?!|])(?![^ ])", r"\\&\1", text)


def _table(widths, lines):
    """A column list; `widths` are texts as wide as the columns."""
    text = ".Bl -column %s\n" % " ".join('"%s"' % width for width in widths)
    for cells in lines:
        text += ".It " + " Ta ".join(cells) + "\n"
    return text + ".El\n"


def _widest(column):
    return max(column, key=len)


def _values(option):
    """What may stand behind the `=` in a file."""
    if option["TYPE"] == "FLAG":
        return "yes or no"
    if option["TYPE"] == "TALLY":
        return "a number"
    if option["max"]:
        return "%s to %s" % (option["min"], option["max"])
    return option["ARG"]


def _default(option):
    return {"FLAG": "no", "TALLY": "0"}.get(option["TYPE"], option["dflt"])


WHEN = {"LIVE": "at once", "START": "with a restart"}


def keys(section):
    """Of a file: what may stand in [section]."""
    found = [(o["name"], _default(o) or "-", _values(o), WHEN[o["WHEN"]])
             for o in sorted(options(), key=lambda o: o["name"]) if o["SECTION"] == section.upper()]
    head = ("name", "default", "values", "changes")
    lines = [["Em " + word for word in head]]
    lines += [["Cm " + name, *map(_cell, cells)] for name, *cells in found]
    return _table([_widest(column) for column in zip(head, *found)], lines)


def counters(macro):
    """Of `stats`, or `stats segments`."""
    found = [(cells[0], cells[-2] + ("; not reset" if cells[1] == "GAUGE" else ""))
             for cells in rows(read("src/stats.def"), macro)]
    return _table([_widest([name for name, _ in found]), ""],
                  [["Cm " + name, _cell(help)] for name, help in found])


def table(name):
    kind, _, what = name.partition(" ")
    return {"keys": keys, "counters": counters}[kind](what)


def made(page):
    """The text of a page with its tables as they are to be."""
    return PLACE.sub(lambda m: m[1] + table(m[2]) + m[4], page)


def main():
    stale = [path for path in PAGES if made(read(path)) != read(path)]
    if sys.argv[1:] == ["--check"]:
        for path in stale:
            print("%s: its tables are older than src/*.def, see make tables" % path)
        return bool(stale)
    for path in stale:
        text = made(read(path))
        with open(os.path.join(TOP, path), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
