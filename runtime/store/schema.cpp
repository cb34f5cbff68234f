#include "store/schema.hpp"

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"
#include "store/connection.hpp"

namespace mlrt {
namespace {

// Step N brings a store from user_version N to N + 1. A step that was released is never changed:
// add another one.
//
// Folders are kept relative ("NULL: the usual place below the artifact root"), so that a store and
// its artifacts can be moved together. A metric's record is known by its run, who wrote it (a
// random id per opening) and a counter of that writer, so that joining two stores adds only what is
// new. Records are kept in blocks of up to 512 (tracking/metric_blocks.hpp): measured
// (tests/bench/metric_layouts.cpp), a row each is slower to write, twice as large and slower to
// read as a history. A NULL value is a NaN.
const char* const kSchemaSteps[] = {
    R"sql(
CREATE TABLE experiments (
  experiment INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  artifact_location TEXT,
  lifecycle_stage TEXT NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
  creation_time INTEGER NOT NULL,
  last_update_time INTEGER NOT NULL,
  deleted_time INTEGER
) STRICT;

CREATE TABLE experiment_tags (
  experiment INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (experiment, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  run INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  experiment INTEGER NOT NULL REFERENCES experiments,
  name TEXT NOT NULL,
  user TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
  start_time INTEGER NOT NULL,
  end_time INTEGER,
  lifecycle_stage TEXT NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
  deleted_time INTEGER,
  artifact_location TEXT
) STRICT;
CREATE INDEX runs_newest ON runs (lifecycle_stage, start_time DESC, run_id);
CREATE INDEX runs_newest_of_experiment
  ON runs (experiment, lifecycle_stage, start_time DESC, run_id);

CREATE TABLE params (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX params_by_value ON params (key, value);

CREATE TABLE tags (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_value ON tags (key, value);

CREATE TABLE metric_keys (
  metric_key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE writers (
  writer INTEGER PRIMARY KEY,
  writer_id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL DEFAULT 'live' CHECK (kind IN ('live', 'import'))
) STRICT;

-- What a metric was measured on: '' where that is not known. 1 is "nothing is known".
CREATE TABLE metric_links (
  link INTEGER PRIMARY KEY,
  model_id TEXT NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  UNIQUE (model_id, dataset_name, dataset_digest)
) STRICT;
INSERT INTO metric_links VALUES (1, '', '', '');

-- min and max are of the numbers among the values, NULL if there are none.
CREATE TABLE metric_blocks (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  metric_key INTEGER NOT NULL REFERENCES metric_keys,
  writer INTEGER NOT NULL REFERENCES writers,
  link INTEGER NOT NULL REFERENCES metric_links,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  last_step INTEGER NOT NULL,
  last_timestamp INTEGER NOT NULL,
  last_value REAL,
  count INTEGER NOT NULL,
  min REAL,
  max REAL,
  data BLOB NOT NULL,
  PRIMARY KEY (run, metric_key, writer, link, first_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE latest_metrics (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  metric_key INTEGER NOT NULL REFERENCES metric_keys,
  step INTEGER NOT NULL,
  timestamp INTEGER NOT NULL,
  value REAL,
  link INTEGER NOT NULL DEFAULT 1 REFERENCES metric_links,
  PRIMARY KEY (run, metric_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX latest_metrics_by_value ON latest_metrics (metric_key, value);

CREATE TABLE datasets (
  dataset INTEGER PRIMARY KEY,
  experiment INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  source_type TEXT NOT NULL,
  source TEXT NOT NULL,
  schema TEXT NOT NULL,
  profile TEXT NOT NULL,
  UNIQUE (experiment, name, digest)
) STRICT;

CREATE TABLE inputs (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  dataset INTEGER NOT NULL REFERENCES datasets ON DELETE CASCADE,
  context TEXT NOT NULL,
  PRIMARY KEY (run, dataset, context)
) STRICT, WITHOUT ROWID;
CREATE INDEX inputs_by_dataset ON inputs (dataset);

CREATE TABLE input_tags (
  run INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  context TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, dataset, context, key),
  FOREIGN KEY (run, dataset, context) REFERENCES inputs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The logged model need not be in this store.
CREATE TABLE outputs (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  step INTEGER NOT NULL,
  PRIMARY KEY (run, model_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE logged_models (
  model INTEGER PRIMARY KEY,
  model_id TEXT NOT NULL UNIQUE,
  experiment INTEGER NOT NULL REFERENCES experiments,
  name TEXT NOT NULL,
  model_type TEXT,
  source_run_id TEXT,
  status TEXT NOT NULL CHECK (status IN ('PENDING', 'READY', 'FAILED')),
  creation_time INTEGER NOT NULL,
  last_update_time INTEGER NOT NULL,
  lifecycle_stage TEXT NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
  deleted_time INTEGER,
  artifact_location TEXT
) STRICT;
CREATE INDEX logged_models_newest
  ON logged_models (experiment, lifecycle_stage, creation_time DESC, model_id);
CREATE INDEX logged_models_by_run ON logged_models (source_run_id, name);

CREATE TABLE logged_model_params (
  model INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE logged_model_tags (
  model INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) STRICT, WITHOUT ROWID;

-- The latest of each key, run and data set, by timestamp, step, value.
CREATE TABLE logged_model_metrics (
  model INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
  metric_key INTEGER NOT NULL REFERENCES metric_keys,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  step INTEGER NOT NULL,
  timestamp INTEGER NOT NULL,
  value REAL,
  PRIMARY KEY (model, metric_key, run, dataset_name, dataset_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX logged_model_metrics_by_run ON logged_model_metrics (run);

-- The files that were logged. `owner` is a run id or a logged model's.
CREATE TABLE artifacts (
  owner TEXT NOT NULL,
  path TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (owner, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE registered_models (
  model INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL DEFAULT '',
  creation_time INTEGER NOT NULL,
  last_update_time INTEGER NOT NULL
) STRICT;

CREATE TABLE registered_model_tags (
  model INTEGER NOT NULL REFERENCES registered_models ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_versions (
  model INTEGER NOT NULL REFERENCES registered_models ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version >= 1),
  source TEXT NOT NULL,
  run_id TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  creation_time INTEGER NOT NULL,
  last_update_time INTEGER NOT NULL,
  PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_version_tags (
  model INTEGER NOT NULL,
  version INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, version, key),
  FOREIGN KEY (model, version) REFERENCES model_versions (model, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE model_aliases (
  model INTEGER NOT NULL,
  alias TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (model, alias),
  FOREIGN KEY (model, version) REFERENCES model_versions (model, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX model_aliases_by_version ON model_aliases (model, version);

INSERT INTO experiments (experiment, name, creation_time, last_update_time)
VALUES (0, 'Default', unixepoch() * 1000, unixepoch() * 1000);
)sql",
    R"sql(
-- A writer's journal is in the store up to and including the slot of this number.
ALTER TABLE writers ADD COLUMN folded_seq INTEGER NOT NULL DEFAULT 0;

-- What holds for the whole store, whoever opens it: its limits, and how far they are applied.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Finished runs, the oldest first: whose metric history gives way first.
CREATE INDEX runs_oldest_finished ON runs (coalesce(end_time, start_time))
  WHERE status IN ('FINISHED', 'FAILED', 'KILLED');

-- The registry. No number of a version is given twice: the highest that was deleted is kept.
ALTER TABLE registered_models ADD COLUMN last_deleted_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE model_versions ADD COLUMN model_id TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN run_link TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN user TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'None'
  CHECK (stage IN ('None', 'Staging', 'Production', 'Archived'));
-- Where the files are, where that is not the source itself.
ALTER TABLE model_versions ADD COLUMN storage TEXT NOT NULL DEFAULT '';
CREATE INDEX model_versions_by_stage ON model_versions (model, stage, version);
CREATE INDEX model_versions_by_run ON model_versions (nullif(run_id, ''));
CREATE INDEX model_versions_newest ON model_versions (last_update_time DESC);
CREATE INDEX registered_models_newest ON registered_models (last_update_time DESC, name);
CREATE INDEX registered_model_tags_by_value ON registered_model_tags (key, value);
CREATE INDEX model_version_tags_by_value ON model_version_tags (key, value);

-- What was done to a registered model; stays when the model is deleted, so there is no reference.
-- The name is what it was called then; version 0 is the model as a whole.
CREATE TABLE registry_history (
  event INTEGER PRIMARY KEY,
  model INTEGER NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  time INTEGER NOT NULL,
  user TEXT NOT NULL,
  action TEXT NOT NULL,
  alias TEXT NOT NULL,
  old_value TEXT NOT NULL,
  new_value TEXT NOT NULL
) STRICT;
CREATE INDEX registry_history_of_model ON registry_history (model, event);
CREATE INDEX registry_history_deleted ON registry_history (name) WHERE action = 'delete_model';

-- Logged models that a run used. They need not be in this store.
CREATE TABLE model_inputs (
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  model_id TEXT NOT NULL,
  PRIMARY KEY (run, model_id)
) STRICT, WITHOUT ROWID;
)sql",
};

constexpr int kSchemaStepCount = static_cast<int>(sizeof(kSchemaSteps) / sizeof(kSchemaSteps[0]));

// The user_version of a store, or 0 for a database that is empty; throws for any other database.
// Must run inside a transaction: between two reads another process could make the file a store.
std::int64_t read_schema_version(StoreConnection& connection) {
  const std::int64_t application = connection.query_integer("PRAGMA application_id");
  const std::int64_t version = connection.query_integer("PRAGMA user_version");
  if (application != kStoreApplicationId) {
    if (application == 0 && connection.query_integer("SELECT count(*) FROM sqlite_schema") == 0)
      return 0;
    throw Error(
        ErrorCode::kDataCorrupt,
        quoted(connection.shown_path(), 300) + " is a SQLite database but not an mlrt store",
        "application_id " + std::to_string(application));
  }
  if (version > kSchemaStepCount) {
    throw Error(ErrorCode::kDataCorrupt, "the store " + quoted(connection.shown_path(), 300) +
                                             " was written by a newer mlrt (schema " +
                                             std::to_string(version) + ", this one knows " +
                                             std::to_string(kSchemaStepCount) + ")");
  }
  if (version < 1) {
    throw Error(ErrorCode::kDataCorrupt, "the store " + quoted(connection.shown_path(), 300) +
                                             " is damaged: its schema number is " +
                                             std::to_string(version));
  }
  return version;
}

std::int64_t checked_schema_version(StoreConnection& connection) {
  if (connection.in_transaction()) return read_schema_version(connection);
  connection.execute("BEGIN");
  try {
    const std::int64_t version = read_schema_version(connection);
    connection.execute("COMMIT");
    return version;
  } catch (const std::exception&) {
    connection.roll_back();
    throw;
  }
}

}  // namespace

int newest_schema() { return kSchemaStepCount; }

void migrate_schema(StoreConnection& connection) {
  while (checked_schema_version(connection) < kSchemaStepCount) {
    if (connection.read_only()) {
      throw Error(ErrorCode::kPermissionDenied,
                  "the store " + quoted(connection.shown_path(), 300) +
                      " must first be brought to the schema of this mlrt, but it is "
                      "read-only");
    }
    connection.execute("BEGIN IMMEDIATE");
    try {
      // Asked again under the lock: another process may have done the step meanwhile.
      const std::int64_t version = checked_schema_version(connection);
      if (version < kSchemaStepCount) {
        connection.execute(kSchemaSteps[version]);
        connection.execute("PRAGMA application_id = " + std::to_string(kStoreApplicationId));
        connection.execute("PRAGMA user_version = " + std::to_string(version + 1));
      }
      connection.execute("COMMIT");
    } catch (const std::exception&) {
      connection.roll_back();
      throw;
    }
  }
}

}  // namespace mlrt
