"""The web face: the admin API and the usage report, loaded when first asked for."""
