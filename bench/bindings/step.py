"""step.py KEYS - step.c from Python"""
import os
import statistics
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "examples", "python"))
import lctx                                              # noqa: E402

n = int(sys.argv[1])
q = np.zeros((1, 8, 64), np.float32)
k, v = np.zeros((2, n, 2, 64), np.float32)
again = lctx.Attention(q, [lctx.span(k, v)])
calls, rounds = 20 if n > 1000 else 200, ([], [])
for _ in range(31):
    for times, call in zip(rounds, (lambda: lctx.attend(q, k, v), again)):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - start) / calls * 1e6)
print(*(f"{statistics.median(times):.2f}" for times in rounds))
