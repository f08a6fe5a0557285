"""Benchmarks: each sets up its own servers and peers and runs all sides in the same run.

Nothing here is a test, and no test asserts a speed. `bench/README.md` says how to read the table.
"""
