"""Simulated CRMs for tests and the demo. They share no code with what they stand in for."""
