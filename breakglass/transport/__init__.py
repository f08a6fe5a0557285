"""The ways out: Kubernetes, SSH and HTTP. A prepared request in, streamed output and a typed result out."""
