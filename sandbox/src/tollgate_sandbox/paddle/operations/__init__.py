"""The API, by resource."""
