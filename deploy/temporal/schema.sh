#!/bin/sh
# Brings Temporal's two databases to the schema of the admin-tools image that runs this.
# The connection is taken from the SQL_* variables. Every step may be repeated.
set -eu

for store in temporal visibility; do
  case $store in
    temporal) database=temporal ;;
    visibility) database=temporal_visibility ;;
  esac
  temporal-sql-tool --database "$database" create-database
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-name "postgresql/v12/$store"
done
