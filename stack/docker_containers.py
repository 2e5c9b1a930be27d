"""Containers, volumes and the network of one project, through Docker's SDK, labelled as Compose labels its own.

So ``docker compose ps``, ``logs`` and ``down`` see them too. Nothing of another project is ever touched. The functions
say what to do with a container; when is for ``stack.docker_stack``.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack.compose import Compose, Healthcheck, Service
from stack.docker_engine import EngineRefused, reason_of

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NANOSECONDS = 1_000_000_000
OWN_UID = 1000


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the SDK raises into ``EngineRefused``."""
    import docker  # noqa: PLC0415 - loads where it is used

    try:
        yield
    except docker.errors.DockerException as error:
        raise EngineRefused(what, reason_of(error)) from error
    except OSError as error:  # requests' errors are among them
        raise EngineRefused(what, f"the connection broke: {error}") from error


class Project:
    """One project's parts on one engine. ``folder`` is where the Compose file lies, for paths relative to it."""

    def __init__(self, client: Any, name: str, folder: Path) -> None:
        self.client, self.name, self._folder = client, name, folder

    @property
    def network(self) -> str:
        """The name of the network that its containers share."""
        return f"{self.name}_default"

    def volume(self, name: str) -> str:
        """Return the engine's name of the volume that the Compose file calls ``name``."""
        return f"{self.name}_{name}"

    def containers(self) -> dict[str, Any]:
        """Return its containers by service, ended ones too; the last where a service has several."""
        with asking("list containers"):
            found = self.client.containers.list(all=True, filters={"label": f"{PROJECT}={self.name}"})
        return {each.labels.get(SERVICE, each.name): each for each in found}

    def prepare(self, compose: Compose, services: Mapping[str, Service]) -> None:
        """Make the network and the volumes that are not there yet."""
        with asking("make the network and the volumes"):
            if not self.client.networks.list(names=[f"^{self.network}$"]):
                labels = self._labels() | {"com.docker.compose.network": "default"}
                self.client.networks.create(self.network, driver="bridge", labels=labels, check_duplicate=True)
            used = {mount.source for service in services.values() for mount in service.mounts() if mount.named}
            for name in compose.volumes:
                if name in used:  # the engine leaves one alone that is there
                    labels = self._labels() | {"com.docker.compose.volume": name}
                    self.client.volumes.create(self.volume(name), labels=labels)

    def create(self, name: str, service: Service) -> Any:
        """Make the container of ``service``; it is not started."""
        labels = self._labels() | {
            SERVICE: name,
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
        }
        with asking(f"make the container of {name}"):
            import docker  # noqa: PLC0415 - loads where it is used

            ports = {f"{port.port}/tcp": (port.address, port.published) for port in service.published()}
            log = None
            if service.logging is not None:
                log = docker.types.LogConfig(type=service.logging.driver, config=service.logging.options)
            restart = None if service.one_off else {"Name": service.restart}
            return self.client.containers.create(
                service.image,
                name=f"{self.name}-{name}-1",
                command=list(service.command) if service.command is not None else None,
                entrypoint=list(service.entrypoint) if service.entrypoint is not None else None,
                environment=service.environment,
                labels=labels,
                ports=ports,
                volumes=self._binds(service),
                healthcheck=_healthcheck(service.healthcheck),
                mem_limit=service.mem_limit,
                restart_policy=restart,
                user=service.user,
                group_add=list(service.group_add),
                cap_drop=list(service.cap_drop),
                security_opt=list(service.security_opt),
                init=service.init or None,
                log_config=log,
                network=self.network,
                networking_config={self.network: self.client.api.create_endpoint_config(aliases=[name])},
                detach=True,
            )

    def put(self, container: Any, path: str, content: str, *, mode: int) -> None:
        """Write a file of our own user into a container, one that was not started yet included."""
        folder, _, name = path.rpartition("/")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.gid = len(content.encode()), mode, OWN_UID, OWN_UID
            archive.addfile(member, io.BytesIO(content.encode()))
        with asking(f"write {path}"):
            container.put_archive(folder, packed.getvalue())

    def remove_network(self) -> None:
        """Remove the network, once nothing is in it."""
        with asking("remove the network"):
            for network in self.client.networks.list(names=[f"^{self.network}$"]):
                network.remove()

    def remove_volumes(self) -> None:
        """Remove all that was ever stored: for tests and for ``docker compose down --volumes``, not for ``down``."""
        with asking("remove the volumes"):
            for volume in self.client.volumes.list(filters={"label": f"{PROJECT}={self.name}"}):
                volume.remove()

    def _labels(self) -> dict[str, str]:
        return {PROJECT: self.name, "com.docker.compose.project.working_dir": str(self._folder)}

    def _binds(self, service: Service) -> list[str]:
        binds = []
        for mount in service.mounts():
            path = Path(mount.source).expanduser()
            source = self.volume(mount.source) if mount.named else str((self._folder / path).resolve())
            binds.append(f"{source}:{mount.target}:{'ro' if mount.read_only else 'rw'}")
        return binds


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "test": list(check.test),
        "interval": round(check.interval * NANOSECONDS),
        "timeout": round(check.timeout * NANOSECONDS),
        "start_period": round(check.start_period * NANOSECONDS),
        "retries": check.retries,
    }
