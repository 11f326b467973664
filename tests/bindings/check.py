"""check.py - the tests' marks in Python."""
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"  FAIL: {what}")


def raises(kind, words, call, what):
    """call() must raise `kind` with all of `words` in its text."""
    try:
        call()
    except kind as error:
        missing = [w for w in ([words] if isinstance(words, str) else words) if w not in str(error)]
        check(not missing, f"{what}: '{error}' without {missing}")
    except Exception as error:
        check(False, f"{what}: {type(error).__name__}: {error}")
    else:
        check(False, f"{what}: nothing was raised")


def close(name):
    print(f"{name}: {passed} passed, {failed} failed")
    return failed > 0
