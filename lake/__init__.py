"""The reports of every run as files for years: read by DuckDB, Spark or Fabric as they lie."""
