from tests.simulator.kubernetes.conftest import start as start
