"""Many machines: Dask distributed carries errands and pairs to its workers, as plain values.

`connection` joins a scheduler and refuses what does not fit together; `host` is what runs on a worker;
`errands` and `gating` are what `run` and `gate` do here, done there. Dask is imported in functions alone:
it is the extra `qcaps[dask]`.
"""
