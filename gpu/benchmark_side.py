"""Runs cases of the GPU benchmark in a separate process; prints a line of JSON for each.

python gpu/benchmark_side.py keras_mmfusion bfloat16 CASE ...
"""

import json
import pathlib
import sys
import traceback

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "benchmarks"))


def main():
    side, dtype, *cases = sys.argv[1:]
    if side == "torch":
        import benchmark_torch as benchmark
    else:
        import benchmark_keras as benchmark
    for case in cases:
        try:
            result = benchmark.run_case(case, dtype)
        except Exception as error:  # A failed case must not stop the others.
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps({"case": case, **result}), flush=True)
    if side == "torch":
        print(json.dumps({"bfloat16_matrix_peak": benchmark.measure_matrix_peak()}), flush=True)


if __name__ == "__main__":
    main()
