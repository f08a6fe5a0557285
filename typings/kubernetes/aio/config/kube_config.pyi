from collections.abc import Mapping

from kubernetes.aio.client import Configuration

class KubeConfigLoader:
    def __init__(
        self,
        config_dict: Mapping[str, object],
        active_context: str | None = None,
        *,
        config_base_path: str = "",
    ) -> None: ...
    async def load_and_set(self, client_configuration: Configuration) -> None: ...
