from tests.rehearsal.kubernetes.conftest import start as start
