"""pyperf script: start; options: --scenario, --count, --policy, --validity, and pyperf's own."""

from qcaps.measure.worker.pyperf_script import bench_task

if __name__ == "__main__":
    bench_task("start")
