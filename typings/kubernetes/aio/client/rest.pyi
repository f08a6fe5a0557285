import ssl

from kubernetes.aio.client import Configuration

class RESTClientObject:
    ssl_context: ssl.SSLContext
    def __init__(self, configuration: Configuration) -> None: ...
