"""Damaged and made-up input files for every reader: `python tests/benchmarks/fuzz.py` runs them by the thousand.

`targets` holds the readers, each with valid small files; `mutations` damages such files by bytes, `texts` and `trees`
by what they say; `cases` hands one damaged file to its reader and tells what is wrong with the answer.
"""
