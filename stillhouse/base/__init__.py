"""The ground that everything else stands on: ids, records, tables, parameters, errors."""
