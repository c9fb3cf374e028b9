"""Runs the unittest cases of a script and prints TAP.

    if __name__ == "__main__":
        tap.main()

A test that skips itself is "ok N - name # SKIP reason".  Arguments are parts
of names: only tests that contain one of them run.
"""

import sys
import traceback
import unittest


def _tests(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _tests(item)
        else:
            yield item


def _sentence(test):
    """test_text.Lone.test_a_get_keeps_order -> "Lone: a get keeps order"."""
    kind, _, name = test.id().rpartition(".")
    return "%s: %s" % (kind.rpartition(".")[2], name.replace("test_", "", 1).replace("_", " "))


class _Result(unittest.TestResult):
    """Collects what went wrong in one test, failures of subtests included."""

    def __init__(self):
        super().__init__()
        self.skipped_because = None
        self.notes = []

    def _note(self, err):
        self.notes.append("".join(traceback.format_exception(*err)))

    def addError(self, test, err):
        self._note(err)

    def addFailure(self, test, err):
        self._note(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.notes.append("%s" % subtest._subDescription())
            self._note(err)

    def addSkip(self, test, reason):
        self.skipped_because = reason


class _Class:
    """setUpClass() and tearDownClass() around the tests of one class."""

    def __init__(self, cls):
        self.cls = cls
        self.broken = None          # (error, notes) when setUpClass() failed
        self.skip = None

    def enter(self):
        if getattr(self.cls, "__unittest_skip__", False):
            self.skip = self.cls.__unittest_skip_why__
            return
        try:
            self.cls.setUpClass()
        except unittest.SkipTest as e:
            self.skip = str(e)
        except Exception:
            self.broken = traceback.format_exc()

    def leave(self):
        if self.broken or self.skip:
            return None
        try:
            self.cls.tearDownClass()
        except Exception:
            return traceback.format_exc()
        return None


def _print(number, ok, sentence, notes=(), skip=None):
    print("%s %d - %s%s" % ("ok" if ok else "not ok", number, sentence,
                            " # SKIP %s" % skip if skip is not None else ""))
    for note in notes:
        for line in note.rstrip().split("\n"):
            print("# " + line[:2000])
    sys.stdout.flush()


def _run_one(test, group, number):
    result = _Result()
    if group.skip is None and group.broken is None:
        test.run(result)
    elif group.broken is not None:
        result.notes.append(group.broken)
    skip = group.skip if group.skip is not None else result.skipped_because
    ok = not result.notes
    _print(number, ok, _sentence(test), result.notes, skip if ok else None)
    return ok


def main():
    words = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    tests = [t for t in _tests(suite)
             if not words or any(w in t.id() for w in words)]
    classes = []
    for test in tests:
        if type(test) not in classes:
            classes.append(type(test))

    # One more for each class: its daemons must stop as they should.
    print("1..%d" % (len(tests) + len(classes)))
    number, failed = 0, 0
    for cls in classes:
        group = _Class(cls)
        group.enter()
        for test in tests:
            if type(test) is cls:
                number += 1
                failed += not _run_one(test, group, number)
        trouble = group.leave()
        number += 1
        failed += trouble is not None
        _print(number, trouble is None, "%s: all that was started stops cleanly" % cls.__name__,
               [trouble] if trouble else [], group.skip)
    sys.exit(1 if failed else 0)
