"""The proof that counting and landing are exact: a town of real processes, faults, and a recount.

Owns everything that `countinghouse chaos` does: the schedule of faults, the traffic, the truth kept
apart from the product's own code, and the verdicts. Nothing in production imports it.
"""
