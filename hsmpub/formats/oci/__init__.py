"""Images in OCI registries: their signatures, and the manifests by which these lie beside the image."""
