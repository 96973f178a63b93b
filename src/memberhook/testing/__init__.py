"""Simulated CRMs for the demo, the tests and the benchmarks. They share no code with what they test.

May import core.errors, and no Django.
"""
