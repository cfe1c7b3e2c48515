"""Median speed-up of ONNX files over the first of them in OpenVINO, one thread, taking turns. Prints a JSON list."""

import json
import statistics
import sys
import time

import numpy as np
import openvino as ov

ROUNDS, WARM_UP = 50, 10

core = ov.Core()
options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}


def compiled(file):
    try:
        return core.compile_model(file, "CPU", options)
    except RuntimeError:
        return None


models = [compiled(file) for file in sys.argv[1:]]
feeds = [
    m and [np.full([d.get_length() if d.is_static else 1 for d in i.partial_shape], 0.5, i.element_type.to_dtype()) for i in m.inputs]
    for m in models
]
times = [[] for _ in models]
for turn in range(WARM_UP + ROUNDS):
    for k, (model, feed) in enumerate(zip(models, feeds)):
        if model is None:
            continue
        start = time.perf_counter()
        model(feed)
        if turn >= WARM_UP:
            times[k].append(time.perf_counter() - start)
print(json.dumps([statistics.median(a / b for a, b in zip(times[0], t)) if t and times[0] else None for t in times]))
