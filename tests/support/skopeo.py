"""Debian's skopeo as the authority on what can be pulled: it fetches and checks every byte, as nodes do."""

import subprocess
import tempfile

from tests.support.docker_registry import PASSWORD, USER, DockerRegistry

PROGRAM = "/usr/bin/skopeo"
PULL_WITHIN = 60.0


def can_pull(
    registry: DockerRegistry, repository: str, reference: str, platform: str = "linux/amd64"
) -> bool:
    """Whether a client of that platform gets the image. reference: a tag, or a digest."""
    system, _, architecture = platform.partition("/")
    joint = "@" if ":" in reference else ":"
    login = ["--src-creds", f"{USER}:{PASSWORD}"] if registry.authentication else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(PROGRAM, "--insecure-policy", "--override-os", system, "--override-arch", architecture),
                *("copy", "--src-tls-verify=false", *login),
                *(f"docker://127.0.0.1:{registry.port}/{repository}{joint}{reference}", f"dir:{folder}"),
            ],
            capture_output=True,
            text=True,
            timeout=PULL_WITHIN,
        )
    assert "connection refused" not in done.stderr, done.stderr
    return done.returncode == 0


def pullable(
    registry: DockerRegistry, images: "dict[tuple[str, str], list[str]]"
) -> set[tuple[str, str, str]]:
    """What can be pulled of these: repository, tag or digest, and platform."""
    return {
        (repository, reference, platform)
        for (repository, reference), platforms in images.items()
        for platform in platforms
        if can_pull(registry, repository, reference, platform)
    }
