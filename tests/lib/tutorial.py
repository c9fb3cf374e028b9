"""
A manual page of commands to type, or a Markdown text with some, as steps.

    $ command           typed, in a folder of its own; `s1$`: on the host s1
    what it prints      below
    ^C                  to the last command that still runs

    .\\" not run: why    before a display, or as its first line
    .\\" file: NAME      the display is what is to stand in that file

What is printed is right when it has the page's words: columns may be wider,
slanted words stand for as many others, `...` for anything on its line, and a
line of `...` for any lines.
"""

import re

SLANTED = re.compile(r"\\fI(.*?)\\fP")
PROMPT = re.compile(r"(\w*)([$#]) (.*)")


class Step:
    """A command, a file to be written, or ^C."""

    def __init__(self, command="", host="", is_root=False, file=None):
        self.command, self.host, self.is_root = command, host, is_root
        self.file = file            # a name: `printed` is what is to stand in it
        self.printed = []           # lines, as the page has them
        self.why_not = None         # not to be run, because of this

    def __repr__(self):
        return "%s$ %s" % (self.host, self.command)

    @property
    def text(self):
        return "".join(plain(line) + "\n" for line in self.printed)


def plain(line):
    """A line of a literal display, as a reader sees it."""
    line = re.sub(r"\\f[IP]", "", line)
    for escape, char in (("\\&", ""), ("\\(dq", '"'), ("\\e", "\\")):
        line = line.replace(escape, char)
    return line


def _displays(section):
    """(note before it or None, lines) of each display."""
    note, lines = None, None
    for line in section.splitlines():
        remark = re.match(r'\.\\" ((?:not run|file): .*)', line)
        if remark:
            note = remark[1]
        elif line.startswith(".Bd -literal"):
            lines = []
        elif line.startswith(".Ed"):
            yield note, lines
            note, lines = None, None
        elif line.startswith(".Dl "):
            yield note, [line[4:]]
            note = None
        elif lines is not None:
            lines.append(line)


def _steps_of(note, lines):
    kind, _, rest = (note or "").partition(": ")
    if kind == "file":
        step = Step(file=rest)
        step.printed = lines
        return [step]
    steps = []
    for line in lines:
        prompt = PROMPT.match(line)
        if line == "^C" or (prompt and prompt[3] == "^C"):
            steps.append(Step("^C", prompt[1] if prompt else ""))
        elif prompt:
            steps.append(Step(plain(prompt[3]), prompt[1], prompt[2] == "#"))
        elif steps and steps[-1].command.endswith("\\"):
            steps[-1].command += "\n" + plain(line)
        elif steps:
            steps[-1].printed.append(line)
        else:
            raise ValueError("no command before: %s" % line)
    for step in steps:
        step.why_not = rest if kind == "not run" else None
    return steps


def sections(page):
    """[(title, steps)] of the page's subsections under EXAMPLES."""
    examples = page.partition("\n.Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    found = []
    for part in re.split(r"^\.Ss ", examples, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        found.append((title, [step for note, lines in _displays(body)
                              for step in _steps_of(note, lines)]))
    return found


def blocks(markdown):
    """The steps of all blocks of a Markdown text that begin with `$`."""
    return [step for lines in re.findall(r"^```\n(\$ .*?)^```$", markdown, re.M | re.S)
            for step in _steps_of(None, lines.splitlines())]


def _line(line):
    """A pattern that the words of a printed line, one blank between, must have."""
    slanted = SLANTED.sub(lambda m: " ".join(["\0"] * len(m[1].split())), line)
    pattern = re.escape(" ".join(plain(slanted).split()))
    return pattern.replace(r"\.\.\.", ".*").replace("\0", r"\S+")


def _pattern(lines):
    pattern = ""
    for line in lines:
        pattern += "(?:.*\n)*" if plain(line) == "..." else _line(line) + "\n"
    return re.compile(pattern)


def is_what_the_page_prints(said, lines):
    words = "".join(" ".join(line.split()) + "\n" for line in said.splitlines())
    return _pattern(lines).fullmatch(words) is not None
