"""Small wrong changes, each made in a process of its own and judged by the tests that ought to notice it.

`python_code` makes them of a module, `tables` of the tables of programs; `judges` says which tests judge
which file, `run` runs them, and `__main__` is the command behind `make mutants`. A change that no test
notices is a survivor, and is named.

Neither mutmut nor cosmic-ray does this here. mutmut 3 changes the bodies of undecorated functions only, so
never a list of words, a set of error kinds or a default. cosmic-ray changes operators and numbers, removes no
entry, guard or argument, and starts an interpreter and pytest for each change: 5,990 times for `policy/`
alone, at some seconds each. Here a process that has imported what is not ours forks for each change, and
calls the tests straight: most changes are found in a tenth of a second.
"""
