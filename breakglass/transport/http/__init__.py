"""HTTP requests to a site's endpoints."""
