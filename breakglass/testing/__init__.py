"""How a team tests its runbooks: each scenario walked headless, rightly, into each trap and as a dry run, and
with each command failing. `breakglass test` runs it, and so do this project's own tests of what ships.
"""
