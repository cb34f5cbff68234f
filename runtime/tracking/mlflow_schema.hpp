#ifndef MLRT_TRACKING_MLFLOW_SCHEMA_HPP_
#define MLRT_TRACKING_MLFLOW_SCHEMA_HPP_

// Internal: the tables of an MLflow database.

namespace mlrt {

// The Alembic revision that MLflow 3.0 stands at, the first with logged models. MLflow 3.0 opens
// such a database as it is; a newer one finds tables missing and brings it to its own revision when
// it opens it, as `mlflow db upgrade` does.
extern const char kMlflowRevision[];

// Statements that make the tables of that revision in an empty database; ends with a null pointer.
extern const char* const kMlflowTables[];

}  // namespace mlrt

#endif  // MLRT_TRACKING_MLFLOW_SCHEMA_HPP_
