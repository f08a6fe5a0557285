"""A simulated Kubernetes cluster: an API server on loopback over HTTPS, with small controllers behind it.

Good enough for the `kubernetes` package and for the `kubectl` program. The parts, and what a scenario uses:

- `store.ObjectStore(clock, kinds)`: the objects. `store.load(objects)` fills it; `store.patch(kind,
  namespace, name, merge_patch)` moves the world; `store.subscribe(callback)` tells of every change, whoever
  made it; `store.snapshot()` gives all of it as JSON. A `kind` is `store.kinds.named("Pod")`.
- `kinds.Kinds(extra)` and `kinds.custom_kind(...)`: resources of a scenario's own, such as ExternalSecrets.
- `hooks.Hooks`: what the cluster asks of the scenario: how a command in a container answers, what a log
  says, how pods start and end, how jobs go, what admission refuses, and how the server itself fails.
  `hooks.PlainHooks` is a healthy cluster to derive from.
- `access.User` and `access.RbacRule`: who gets a kubeconfig, and what they may do.
- `server.start_api_server(store, hooks, folder, users=...)`: starts it, with the controllers, in the running
  event loop, and writes one kubeconfig for each user into `folder`. Gives an `ApiServer` with `url`,
  `address`, `kubeconfig` (the first user's), `kubeconfigs` (by user name) and `close()`. With `dial` it
  forwards the ports of pods to where they really listen.
- `breakglass.simulator.clock.SimulatedClock`: simulated time, which everything above waits by.

`hooks`, `store`, `kinds` and `access` are light to import; `server` brings aiohttp and cryptography.

Not simulated: schemas (unknown fields are stored), managedFields, resource
requests in scheduling, `kubectl explain` and `top`.
"""
