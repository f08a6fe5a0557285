"""A simulated world as data, as a scenario's file says it: machines, how they answer, and what changes them.

Durations are simulated seconds. The modules beside this package run what is declared here.
"""
