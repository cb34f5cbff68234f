---@meta mlrt
-- What the module `mlrt` offers, for editors (Lua language server) and readers. Times are
-- milliseconds since 1970 UTC. Every error is a table of mlrt.Error; "invalid_parameter" (a wrong
-- argument, named in the message) can come from any function and is not repeated below. A function
-- that failed has changed nothing.

---@class mlrt
---@field version string the version of mlrt, "0.1.0"
---@field json mlrt.Json
---@field http mlrt.Http
local mlrt = {}

--- What pcall gives when a function of mlrt fails. tostring(e) is "script.lua:12: message".
---@class mlrt.Error
---@field code string "invalid_parameter", "not_found", "already_exists", "conflict", "data_corrupt", "unavailable", "timeout", "permission_denied", "too_large", "io", "interrupted", "internal", ...
---@field message string what was wrong, and what would be right
---@field where? string the line of the script, "script.lua:12"

-- ------------------------------------------------------------------------------------------ Tables

--- Columns of equal length, each of booleans, longs (integers), doubles or strings; any value may
--- be missing. A table never changes: what "changes" one gives a new one. #table is the number of
--- rows. `local t <close> =` frees its memory at the end of the block, else the collector does.
---@class mlrt.Table
---@operator len: integer
local Table = {}

---@alias mlrt.Value number|string|boolean
---@alias mlrt.Row table<string, mlrt.Value> without the columns whose value is missing
---@alias mlrt.Data mlrt.Table|table<string, mlrt.Value[]>|mlrt.Row[] a table of mlrt, or what mlrt.table takes

---@class mlrt.CsvOptions
---@field separator? string one character; "," by default
---@field header? boolean whether the first record names the columns; true by default
---@field columns? string[] the names when there is no header; "c0", "c1", ... by default

--- Reads a CSV file (RFC 4180). The type of a column is the first of long, double, string that all
--- its values fit; an empty cell is missing.
--- Errors: "not_found", "io"; "invalid_parameter" with file:line:column for what is not CSV.
---@param path string
---@param options? mlrt.CsvOptions
---@return mlrt.Table
function mlrt.read_csv(path, options) end

--- Makes a table from columns, {name = {values}}, or from a list of rows, {{name = value}, ...}.
--- Columns stand in the order of options.columns, others after them by name; nil and json.null are
--- missing values.
--- Errors: "invalid_parameter" that names column and row for mixed types.
---@param data table<string, mlrt.Value[]>|mlrt.Row[]
---@param options? {columns: string[]}
---@return mlrt.Table
function mlrt.table(data, options) end

--- The names of the columns, in order.
---@return string[]
function Table:columns() end

--- The type of each column: "boolean", "long", "double" or "string".
---@return table<string, string>
function Table:types() end

--- The values of one column, nil where one is missing: count with #table, not with the length of
--- this array.
---@param name string
---@return mlrt.Value[]
function Table:column(name) end

--- One row.
---@param number integer from 1 to #table
---@return mlrt.Row
function Table:row(number) end

--- Iterates over the rows: for row, number in t:rows() do ... end
---@return fun(): mlrt.Row?, integer?
function Table:rows() end

--- The table with one more column, or with another one of that name: the values of callback(row).
---@param name string
---@param callback fun(row: mlrt.Row): mlrt.Value?
---@return mlrt.Table
function Table:derive(name, callback) end

--- The same with values at hand: a list of #table values, nil where one is missing.
---@param name string
---@param values mlrt.Value[]
---@return mlrt.Table
function Table:with(name, values) end

--- The named columns, in that order.
---@param names string[]
---@return mlrt.Table
function Table:select(names) end

--- The rows for which callback(row) is true, in order.
---@param callback fun(row: mlrt.Row): any
---@return mlrt.Table
function Table:filter(callback) end

--- The rows of these numbers, in that order.
---@param numbers integer[]
---@return mlrt.Table
function Table:take(numbers) end

--- Splits the rows by a hash of their content, in proportion to the weights: {2, 1} gives about two
--- thirds and one third. Equal rows always meet in the same part, in every run and on every
--- machine.
---@param weights integer[] at least one that is not 0; their sum is at most 2^31
---@return mlrt.Table ... one for each weight
function Table:split(weights) end

--- A hash over names, types and values in order, 16 hex digits: MLflow's dataset digest.
---@return string
function Table:digest() end

--- Writes the table as CSV with a header; the file is replaced whole or not at all. Errors: "io",
--- "permission_denied".
---@param path string
function Table:to_csv(path) end

--- Frees the memory now; whatever uses the table afterwards fails with "conflict".
function Table:close() end

-- ---------------------------------------------------------------------------------------- Training

---@class mlrt.LogisticOptions
---@field label string the column to predict: 0 and 1, or booleans; none missing
---@field standardize? string[] number columns that are brought to mean 0 and standard deviation 1
---@field numeric? string[] number columns that are used as they are
---@field one_hot? string[] columns of categories, a 0/1 feature each
---@field max_categories? integer of one one_hot column, the most frequent ones; 1000 by default
---@field l2? number half the weight of the squared coefficients in the loss sum; 0 by default
---@field max_iterations? integer 50 by default
---@field tolerance? number stops when the mean loss, with its penalty, falls by no more; 1e-8 by default
---@field dataset? string the name under which the data is logged; "train" by default

--- Fits the probability that the label is 1 (logistic regression by Newton's method; the same data
--- gives the same bits). Each iteration is reported to those who listen (autolog, on_training) as
--- the metric "log_loss".
--- Errors: "invalid_parameter" for a label of one class only, other columns than the table has,
--- more than 500 features; "interrupted".
---@param data mlrt.Data
---@param options mlrt.LogisticOptions
---@return mlrt.Model
function mlrt.logistic_regression(data, options) end

--- Logs every training from now on: its parameters, a metric a round, the data set and the model,
--- to the active run, else to a run of its own. Calling it again replaces the options;
--- mlrt.autolog(false) ends it.
---@param options? {log_model: boolean?, log_dataset: boolean?, disable: boolean?}|false
function mlrt.autolog(options) end

---@class mlrt.TrainingInfo
---@field learner string "logistic_regression"
---@field params table<string, string>
---@field dataset string
---@field digest string "" when it is not known
---@field row_count integer
---@field columns mlrt.ColumnSpec[]

---@class mlrt.TrainingCallbacks
---@field begin? fun(info: mlrt.TrainingInfo)
---@field round? fun(step: integer, metrics: table<string, number>)
---@field finish? fun(model: mlrt.Model?, metrics: table<string, number>)
---@field fail? fun(reason: string)

--- Listens to every training from now on. An error in a callback ends the training with that error;
--- in `fail` it is only logged.
---@param callbacks mlrt.TrainingCallbacks
---@return mlrt.Observer
function mlrt.on_training(callbacks) end

--- `local o <close> =` stops listening at the end of the block.
---@class mlrt.Observer
local Observer = {}

--- Stops listening.
function Observer:remove() end

---@class mlrt.TrainingOptions
---@field learner string
---@field params? table<string, mlrt.Value>
---@field dataset? string the name of the data; "train" by default
---@field table? mlrt.Data the data, for its digest and schema

--- Begins a training that the script does itself, so that it is logged and watched as the built-in
--- ones are. Use `local t <close> =`: a training that is left without finish() has failed.
---@param options mlrt.TrainingOptions
---@return mlrt.Training
function mlrt.training(options) end

---@class mlrt.Training
local Training = {}

--- Reports one round. Errors: "interrupted" after Ctrl-C, "conflict" when the training has ended or
--- is just calling a callback, what a callback raised.
---@param step integer
---@param metrics table<string, number>
function Training:round(step, metrics) end

--- Reports the end of the training. Errors: as round.
---@param model? mlrt.Model
---@param metrics? table<string, number>
function Training:finish(model, metrics) end

--- Reports that the training failed; does nothing when it has ended.
---@param reason? any
function Training:fail(reason) end

-- ------------------------------------------------------------------------------------------ Models

---@class mlrt.ColumnSpec
---@field name string
---@field type string "boolean", "integer", "long", "float", "double" or "string"
---@field required boolean

--- A model takes raw columns, the preprocessing is part of it. It never changes. `local m <close>
--- =` frees its memory at the end of the block, else the collector does.
---@class mlrt.Model
---@field signature {inputs: mlrt.ColumnSpec[], outputs: mlrt.ColumnSpec[]} what it takes and gives
---@field flavor string its kind: "linear"
local Model = {}

--- Predicts: one row for each row of the data, with the column "prediction". Columns that the model
--- does not know are ignored. Errors: "invalid_parameter" for columns that are missing or of
--- another type.
---@param data mlrt.Data
---@return mlrt.Table
function Model:predict(data) end

--- Writes the model as a bundle, a zip file that MLflow's tools and `mlrt serve` read. The same
--- model gives the same bytes. The file is replaced whole or not at all. Errors: "io",
--- "permission_denied".
---@param path string
---@return string sha256 of the file, 64 hex digits
function Model:save(path) end

--- Frees the memory now; whatever uses the model afterwards fails with "conflict".
function Model:close() end

--- Loads "models:/name/version", "models:/name/latest", "models:/name@alias", "runs:/run_id/path",
--- or a bundle file or model folder. Errors: "not_found", "data_corrupt".
---@param uri string
---@return mlrt.Model
function mlrt.load_model(uri) end

---@class mlrt.EvaluateOptions
---@field label string the column with the truth, 0 and 1 or booleans
---@field threshold? number a row counts as positive from this prediction on; 0.5 by default
---@field metric_prefix? string put before the name of each metric, such as "test_"

--- How well a model of probabilities fits, by MLflow's names: example_count, true_positives,
--- false_positives, true_negatives, false_negatives, accuracy_score, precision_score, recall_score,
--- f1_score, log_loss, roc_auc.
---@param model mlrt.Model
---@param data mlrt.Data
---@param options mlrt.EvaluateOptions
---@return table<string, number>
function mlrt.evaluate(model, data, options) end

---@class mlrt.ServeOptions
---@field host? string "127.0.0.1" by default
---@field port? integer 0, the default, takes a free one

--- Answers scoring requests in the background: GET /ping, /health, /version, POST /invocations. It
--- is stopped by stop(), at the end of the block with `local s <close> =`, and at the end of the
--- script.
--- Errors: "unavailable" for a port in use; those of load_model.
---@param model mlrt.Model|string a model, or what load_model takes
---@param options? mlrt.ServeOptions
---@return mlrt.Server
function mlrt.serve(model, options) end

---@class mlrt.Server
---@field url string "http://127.0.0.1:40123"
---@field port integer
local Server = {}

--- Finishes the requests under way and stops; fine when it is stopped.
function Server:stop() end

--- Serves until Ctrl-C, which ends the script.
function Server:wait() end

-- ---------------------------------------------------------------------------------------- Tracking

--- Opens a store, created on demand, and makes it the script's. Without this call the store of
--- --store, else of $MLRT_STORE, else "mlrt.db" is opened when it is first needed.
--- Errors: "not_found" (must_exist), "data_corrupt", "unavailable" when others hold it locked,
--- "conflict" while a run is active, "io", "permission_denied".
--- With the durability "process" a logged record survives the end of the process by any means; a
--- power cut loses at most the last second. With "power" a call returns when the disk has its record.
--- Without it $MLRT_DURABILITY counts, else "process".
---@param options? {store: string?, must_exist: boolean?, durability: ("process"|"power")?}
---@return {store: string, durability: "process"|"power"}
function mlrt.session(options) end

---@class mlrt.Experiment
---@field id string a whole number; "0" is "Default"
---@field name string
---@field artifact_location string an absolute folder
---@field lifecycle_stage "active"|"deleted"
---@field creation_time_ms integer
---@field last_update_time_ms integer
---@field tags table<string, string>

--- The experiment of the runs that are started later; created on demand.
---@param name string
---@return mlrt.Experiment
function mlrt.set_experiment(name) end

--- Errors: "already_exists" if the name is taken, by a deleted experiment too.
---@param name string at most 500 bytes
---@param options? {artifact_location: string?, tags: table<string, mlrt.Value>?} a folder; the usual one below the store's by default
---@return string id
function mlrt.create_experiment(name, options) end

--- One experiment, active or deleted. Errors: "not_found" with the nearest name.
---@param id_or_name string
---@return mlrt.Experiment
function mlrt.experiment(id_or_name) end

---@class mlrt.SearchOptions
---@field filter? string in MLflow's language: "metrics.loss < 0.5 AND params.depth = '3'"; all by default
---@field order_by? string|string[] "metrics.loss ASC"; the newest first by default; NaN and what is absent last
---@field view? "active"|"deleted"|"all" "active" by default
---@field max_results? integer of one page; 1000 by default
---@field page_token? string next_page_token of the page before

---@class mlrt.Experiments: mlrt.Experiment[]
---@field next_page_token? string nil on the last page

--- Errors: "invalid_parameter" for a mistake in the filter, with its position and what was expected
--- there.
---@param options? mlrt.SearchOptions
---@return mlrt.Experiments
function mlrt.search_experiments(options) end

--- Errors of these: "not_found".
---@param id_or_name string
---@param name string
function mlrt.rename_experiment(id_or_name, name) end

--- Marks the experiment and its runs as deleted. The name stays taken until mlrt.gc.
---@param id_or_name string
function mlrt.delete_experiment(id_or_name) end

---@param id_or_name string
function mlrt.restore_experiment(id_or_name) end

---@param id_or_name string
---@param key string
---@param value mlrt.Value
function mlrt.set_experiment_tag(id_or_name, key, value) end

---@param id_or_name string
---@param key string
function mlrt.delete_experiment_tag(id_or_name, key) end

---@class mlrt.RunOptions
---@field name? string made up by default
---@field experiment? string created on demand; that of set_experiment, at first "Default", by default
---@field tags? table<string, mlrt.Value>
---@field description? string
---@field nested? boolean inside of the active run
---@field parent_run_id? string the active run by default
---@field run_id? string opens this run, ended or not, for more logging, in place of a new one
---@field system_metrics? boolean|integer logs CPU, memory, disk and network as "system/..." metrics until the run ends; every 10000 ms (true), or as many as given

--- Starts a run and makes it the active one. Use `local run <close> =`: it ends FINISHED, FAILED
--- when the block is left by an error, KILLED by Ctrl-C. A run left open is ended the same way with
--- the script.
--- Errors: "conflict" when a run is active and nested is not true; "not_found" for an unknown
--- run_id.
---@param options? mlrt.RunOptions
---@return mlrt.Run
function mlrt.start_run(options) end

--- The innermost run that is open, or nil.
---@return mlrt.Run?
function mlrt.active_run() end

--- Ends the active run; does nothing when there is none.
---@param status? "FINISHED"|"FAILED"|"KILLED" "FINISHED" by default
function mlrt.end_run(status) end

--- One run. Each call returns when what it logs is safe (mlrt.session's `durability`). Errors of all:
--- "conflict" when the run has ended, "unavailable" when other processes hold the store too long, "io".
---@class mlrt.Run
---@field id string 32 hex digits
---@field name string
---@field experiment_id string
---@field ended boolean
local Run = {}

--- A parameter is logged once: the same value again is fine, another one is an error.
---@param key string
---@param value mlrt.Value
function Run:log_param(key, value) end

---@param params table<string, mlrt.Value> all of them are logged, or none
function Run:log_params(params) end

---@class mlrt.MetricOptions
---@field step? integer 0 by default
---@field timestamp_ms? integer now by default
---@field model? mlrt.LoggedModel|string the logged model that was measured, or its id
---@field dataset? {name: string, digest: string} the data it was measured on: what log_input gave

---@param key string
---@param value number NaN and infinities too
---@param step? integer|mlrt.MetricOptions 0 by default
function Run:log_metric(key, value, step) end

---@param metrics table<string, number> all of them are logged, or none
---@param step? integer|mlrt.MetricOptions 0 by default
function Run:log_metrics(metrics, step) end

---@param key string
---@param value mlrt.Value
function Run:set_tag(key, value) end

---@param tags table<string, mlrt.Value> all of them are set, or none
function Run:set_tags(tags) end

--- Errors: "not_found".
---@param key string
function Run:delete_tag(key) end

---@param text string Markdown
function Run:set_description(text) end

---@class mlrt.BatchMetric: mlrt.MetricOptions
---@field key string
---@field value number

---@class mlrt.Batch
---@field metrics? table<string, number>|mlrt.BatchMetric[] at most 1000
---@field params? table<string, mlrt.Value> at most 100
---@field tags? table<string, mlrt.Value> at most 100

--- Logs all of it or nothing.
---@param batch mlrt.Batch
function Run:log_batch(batch) end

--- Stores a text as an artifact.
---@param text string
---@param path string below the run's artifacts, "notes/summary.txt"
function Run:log_text(text, path) end

--- Stores a value as json.encode writes it, indented.
---@param value any
---@param path string "settings.json"
function Run:log_json(value, path) end

--- Stores a table as JSON that MLflow shows as a table; a table that is there already gets the rows
--- appended.
---@param data mlrt.Data
---@param path string "rows.json"
function Run:log_table(data, path) end

--- Stores a picture: at a path, or, a PNG, as one of a series with a key and a step.
---@param image string the bytes of a PNG, JPEG, GIF, WebP or SVG, or the path of such a file
---@param where string|{key: string, step: integer?} "plots/roc.png"
function Run:log_image(image, where) end

--- Copies a file to the artifacts. Errors: "not_found".
---@param file string
---@param path? string the folder below the run's artifacts
function Run:log_artifact(file, path) end

--- Copies all files below a folder to the artifacts: all or none. Errors: "not_found",
--- "permission_denied" for links.
---@param folder string
---@param path? string the folder below the run's artifacts
function Run:log_artifacts(folder, path) end

---@class mlrt.Dataset
---@field name string
---@field digest string at most 36 characters
---@field source_type string "local", "http", "code", ...
---@field source string JSON
---@field schema string JSON, may be empty
---@field profile string JSON, may be empty
---@field context string "train", "eval", ...; may be empty
---@field tags table<string, string>

---@class mlrt.InputOptions
---@field name? string "dataset" by default
---@field context? string what it is used for: "train", "eval", ...
---@field source? string the file or address it came from; the script by default
---@field tags? table<string, mlrt.Value>

--- Notes a data set that the run uses, by its digest; the data itself is not stored.
---@param data mlrt.Data|mlrt.Dataset
---@param options? mlrt.InputOptions
---@return mlrt.Dataset
function Run:log_input(data, options) end

--- Notes a logged model that the run made.
---@param model mlrt.LoggedModel|string or its id
---@param step? integer 0 by default
function Run:log_output(model, step) end

--- Stores a model, as a logged model of its own that shows as a folder among the run's artifacts.
--- Errors: "already_exists".
---@param model mlrt.Model
---@param path? string "model" by default
---@return string uri "runs:/<id>/<path>", for load_model and register_model
function Run:log_model(model, path) end

--- Logs CPU, memory, disk and network as metrics "system/..." until the run ends.
---@param interval_ms? integer 10000 by default
function Run:start_system_metrics(interval_ms) end

--- What the store holds of the run at this moment.
---@return mlrt.RunRecord
function Run:record() end

--- Ends the run.
---@param status? "FINISHED"|"FAILED"|"KILLED" "FINISHED" by default
function Run:finish(status) end

-- The same on the active run; when there is none, one is started that ends with the script.

---@param key string
---@param value mlrt.Value
function mlrt.log_param(key, value) end

---@param params table<string, mlrt.Value>
function mlrt.log_params(params) end

---@param key string
---@param value number
---@param step? integer|mlrt.MetricOptions
function mlrt.log_metric(key, value, step) end

---@param metrics table<string, number>
---@param step? integer|mlrt.MetricOptions
function mlrt.log_metrics(metrics, step) end

---@param key string
---@param value mlrt.Value
function mlrt.set_tag(key, value) end

---@param tags table<string, mlrt.Value>
function mlrt.set_tags(tags) end

---@param key string
function mlrt.delete_tag(key) end

---@param text string
function mlrt.set_description(text) end

---@param batch mlrt.Batch
function mlrt.log_batch(batch) end

---@param text string
---@param path string
function mlrt.log_text(text, path) end

---@param value any
---@param path string
function mlrt.log_json(value, path) end

---@param data mlrt.Data
---@param path string
function mlrt.log_table(data, path) end

---@param image string
---@param where string|{key: string, step: integer?}
function mlrt.log_image(image, where) end

---@param file string
---@param path? string
function mlrt.log_artifact(file, path) end

---@param folder string
---@param path? string
function mlrt.log_artifacts(folder, path) end

---@param data mlrt.Data|mlrt.Dataset
---@param options? mlrt.InputOptions
---@return mlrt.Dataset
function mlrt.log_input(data, options) end

---@param model mlrt.LoggedModel|string
---@param step? integer
function mlrt.log_output(model, step) end

---@param model mlrt.Model
---@param path? string
---@return string uri
function mlrt.log_model(model, path) end

---@class mlrt.RunRecord
---@field run_id string
---@field name string
---@field experiment_id string
---@field user string
---@field status "RUNNING"|"SCHEDULED"|"FINISHED"|"FAILED"|"KILLED"
---@field start_time_ms integer
---@field end_time_ms? integer nil while it runs
---@field lifecycle_stage "active"|"deleted"
---@field artifact_folder string absolute
---@field params table<string, string>
---@field tags table<string, string>
---@field metrics table<string, number> the latest value of each
---@field inputs mlrt.Dataset[] the data sets
---@field outputs {model_id: string, step: integer}[] the logged models

-- Where a function takes a run, it takes an mlrt.Run, an mlrt.RunRecord or a run's id.

---@class mlrt.RunRecords: mlrt.RunRecord[]
---@field next_page_token? string nil on the last page

---@class mlrt.RunSearchOptions: mlrt.SearchOptions
---@field experiments? string|string[] ids or names; all active ones by default

--- Runs that match. Errors: "not_found" for an unknown experiment; "invalid_parameter" for a mistake
--- in the filter, with its position and what was expected there.
---@param options? mlrt.RunSearchOptions
---@return mlrt.RunRecords
function mlrt.search_runs(options) end

--- Runs, the newest first. Errors: "not_found" for an unknown experiment.
---@param options? {experiment: string?, max_results: integer?} all experiments, and 1000 runs, by default
---@return mlrt.RunRecord[]
function mlrt.runs(options) end

--- One run, active or deleted. Errors: "not_found".
---@param run mlrt.Run|mlrt.RunRecord|string
---@return mlrt.RunRecord
function mlrt.run(run) end

--- Marks a run as deleted. Errors: "not_found".
---@param run mlrt.Run|mlrt.RunRecord|string
function mlrt.delete_run(run) end

--- Errors: "not_found".
---@param run mlrt.Run|mlrt.RunRecord|string
function mlrt.restore_run(run) end

--- Changes the name or status of any run. Errors: "not_found".
---@param run mlrt.Run|mlrt.RunRecord|string
---@param options {name: string?, status: string?, end_time_ms: integer?} a final status ends the run, "RUNNING" and "SCHEDULED" open it
---@return mlrt.RunRecord
function mlrt.update_run(run, options) end

---@class mlrt.MetricValue
---@field key string
---@field value number
---@field step integer
---@field timestamp_ms integer
---@field model? string the id of the logged model that was measured
---@field dataset? {name: string, digest: string} what it was measured on

--- All values of a metric by time, step and value. With max_points, about as many of them, for
--- drawing: the least and the greatest of each stretch. Errors: "not_found" for an unknown run.
---@param run mlrt.Run|mlrt.RunRecord|string
---@param key string
---@param options? {max_points: integer?}
---@return mlrt.MetricValue[]
function mlrt.metric_history(run, key, options) end

-- --------------------------------------------------------------------------------------- Artifacts

---@alias mlrt.ArtifactOwner mlrt.Run|mlrt.RunRecord|mlrt.LoggedModel|mlrt.LoggedModelRecord|string a run or a logged model, its id, "runs:/<id>/<path>", or "models:/m-<id>/<path>"

--- The paths of all files among the artifacts, sorted. Errors: "not_found".
---@param run mlrt.Run|mlrt.RunRecord|mlrt.LoggedModel|mlrt.LoggedModelRecord|string
---@return string[]
function mlrt.artifacts(run) end

---@class mlrt.Artifact
---@field path string below the artifacts
---@field is_folder boolean
---@field size_bytes integer
---@field sha256? string 64 hex digits, of what mlrt logged

--- What lies in a folder of the artifacts, by name; with `recursive` all files below it.
---@param run mlrt.ArtifactOwner
---@param path? string the top by default
---@param options? {recursive: boolean?}
---@return mlrt.Artifact[]
function mlrt.list_artifacts(run, path, options) end

--- Copies a file or folder (all, without a path) to a folder, which is made on demand. Errors:
--- "not_found", "data_corrupt" for bytes that are not those that were logged.
---@param run mlrt.ArtifactOwner
---@param path? string below the artifacts; with a URI, below that
---@param folder string
---@return string path where it lies now
function mlrt.download_artifacts(run, path, folder) end

--- The content of an artifact. Errors: "not_found".
---@param run mlrt.ArtifactOwner
---@param path? string
---@return string
function mlrt.load_text(run, path) end

--- The value of an artifact that holds JSON. Errors: "not_found".
---@param run mlrt.ArtifactOwner
---@param path? string
---@return any
function mlrt.load_json(run, path) end

--- The table that log_table stored. Errors: "not_found".
---@param run mlrt.ArtifactOwner
---@param path? string
---@return mlrt.Table
function mlrt.load_table(run, path) end

-- ----------------------------------------------------------------------------------- Logged models

--- A model that was logged, with an id of its own.
---@class mlrt.LoggedModel
---@field id string "m-" and 32 hex digits
---@field name string
---@field experiment_id string
---@field artifact_folder string absolute
local LoggedModel = {}

---@class mlrt.LoggedModelRecord
---@field model_id string
---@field experiment_id string
---@field name string
---@field model_type string may be empty
---@field source_run_id? string
---@field artifact_folder string absolute
---@field status "PENDING"|"READY"|"FAILED"
---@field lifecycle_stage "active"|"deleted"
---@field creation_time_ms integer
---@field last_update_time_ms integer
---@field params table<string, string>
---@field tags table<string, string>
---@field metrics mlrt.MetricValue[] the latest of each key, run and data set

---@class mlrt.LoggedModelOptions
---@field experiment? string id or name; that of the run by default
---@field source_run? mlrt.Run|mlrt.RunRecord|string the active run by default
---@field model_type? string
---@field params? table<string, mlrt.Value>
---@field tags? table<string, mlrt.Value>

--- A new logged model, PENDING, for models that mlrt does not store itself: Run:log_model makes one
--- that is READY.
---@param name? string none of / : . % " '; made up by default
---@param options? mlrt.LoggedModelOptions
---@return mlrt.LoggedModel
function mlrt.create_logged_model(name, options) end

--- Errors: "not_found".
---@param model mlrt.LoggedModelRecord|string or its id
---@return mlrt.LoggedModel
function mlrt.logged_model(model) end

---@class mlrt.LoggedModelRecords: mlrt.LoggedModelRecord[]
---@field next_page_token? string nil on the last page

--- Errors: as search_runs.
---@param options? mlrt.RunSearchOptions
---@return mlrt.LoggedModelRecords
function mlrt.search_logged_models(options) end

---@param status? "READY"|"FAILED" "READY" by default
function LoggedModel:finalize(status) end

---@param params table<string, mlrt.Value>
function LoggedModel:log_params(params) end

---@param tags table<string, mlrt.Value>
function LoggedModel:set_tags(tags) end

---@param key string
function LoggedModel:delete_tag(key) end

--- Marks the model as deleted.
function LoggedModel:delete() end

function LoggedModel:restore() end

--- What the store holds of the model at this moment.
---@return mlrt.LoggedModelRecord
function LoggedModel:record() end

-- --------------------------------------------------------------------------------- The whole store

--- Really deletes what was deleted, with its artifacts, and what uploads that were cut off a day ago
--- have left. Runs and logged models in which registered versions have their files are kept, and
--- counted as `kept`.
--- With `compact` the database's file is written anew without its free space, which needs as much
--- space again for the moment; database_bytes tells how much smaller it is.
---@param options? {older_than_ms: integer?, dry_run: boolean?, compact: boolean?} only what was deleted that long ago; only tell; make the file smaller
---@return {experiments: integer, runs: integer, logged_models: integer, kept: integer, artifact_bytes: integer, database_bytes: integer}
function mlrt.gc(options) end

---@class mlrt.Limits
---@field quota_bytes integer of the space in use in the database; 0: none
---@field retention_days number how long the histories of finished runs stay whole; 0: for ever
---@field keep_points integer about so many points of a metric stay of a thinned history
---@field used_bytes integer what quota_bytes limits
---@field thinned_runs integer runs whose histories were thinned
---@field dropped_runs integer runs of whose histories only the last points are left
---@field applied_time? integer when a history last gave way, milliseconds since 1970

--- What the store may grow to, and how far that is applied.
---@return mlrt.Limits
function mlrt.limits() end

---@class mlrt.LimitsOptions
---@field quota_bytes? integer at least 1 MB, or 0; as it was by default, like all of these
---@field retention_days? number
---@field keep_points? integer at most 10000; 0: only the last point stays
---@field apply? boolean now, to the end; else in the background while something is logged

--- Sets limits of the store, for whoever opens it. What gives way is the metric history of finished
--- runs, the oldest first: it is thinned to its extremes, and dropped to the last point once thinned
--- histories take half the quota. Params, tags, latest metrics, artifacts and runs under way are
--- never touched. A run whose history gave way has the tag mlrt.history, "thinned" or "dropped".
--- Errors: "invalid_parameter", "permission_denied".
---@param options mlrt.LimitsOptions
---@return mlrt.Limits
function mlrt.set_limits(options) end

---@class mlrt.ImportOptions
---@field experiment? string for TensorBoard files: the experiment's name; "tensorboard" by default
---@field copy_artifacts? boolean the files too, where they are at hand; true by default
---@field progress? fun(done: integer, total: integer) called now and then; total is 0 when it is not known

---@class mlrt.ImportReport
---@field experiments integer new ones, as all of these
---@field runs integer
---@field params integer
---@field tags integer
---@field metrics integer
---@field inputs integer
---@field logged_models integer
---@field registered_models integer
---@field model_versions integer
---@field artifacts integer
---@field problems string[] what was left out, and why

--- Imports an MLflow SQLite database, an mlruns/ folder, or TensorBoard event files; importing again
--- adds only what is new. What is sound is imported, what is not is listed; the source is not
--- changed. Errors: "not_found", "data_corrupt" for a database of which nothing can be read.
---@param path string
---@param options? mlrt.ImportOptions
---@return mlrt.ImportReport
function mlrt.import(path, options) end

--- Writes the store as an MLflow SQLite database that `mlflow ui` opens. Errors: "already_exists"
--- when there is a file.
---@param path string
---@return string revision of MLflow's schema
function mlrt.export(path) end

-- ---------------------------------------------------------------------------------------- Registry

---@class mlrt.ModelVersion
---@field name string
---@field version integer
---@field source string
---@field run_id? string
---@field model_id? string the logged model
---@field run_link? string
---@field user? string who registered it
---@field description string
---@field stage "None"|"Staging"|"Production"|"Archived"
---@field creation_time_ms integer
---@field last_update_time_ms integer
---@field aliases string[] sorted
---@field tags table<string, string>

---@class mlrt.RegisteredModel
---@field name string
---@field description string
---@field creation_time_ms integer
---@field last_update_time_ms integer
---@field tags table<string, string>
---@field aliases table<string, integer> the versions that they stand on
---@field latest_versions mlrt.ModelVersion[] the newest of each stage that has one
---@field versions? mlrt.ModelVersion[] from mlrt.models only: all, the newest first

--- Registers the next version of a model (version 1 of a new one). The model is checked first: what
--- is broken is not registered; flavors that mlrt cannot score are fine. A file or folder is copied into the store's folder. Errors:
--- "not_found", "data_corrupt".
---@param source string a bundle file, a model folder, "runs:/<id>/<path>", "models:/m-<id>", "models:/<name>/<version>"
---@param name string
---@param options? {alias: string?, run_id: string?, description: string?, tags: table<string, any>?} run_id by default: that of the source, else of the active run
---@return mlrt.ModelVersion
function mlrt.register_model(source, name, options) end

--- All registered models by name, with their versions.
---@return mlrt.RegisteredModel[]
function mlrt.models() end

--- Points an alias to a version; it is moved when it stands elsewhere. Errors: "not_found".
---@param name string
---@param alias string letters, digits, "_" and "-"; not "latest", not "v1"
---@param version integer
function mlrt.set_alias(name, alias, version) end

--- Removes an alias; fine if there is none. Errors: "not_found" for an unknown model.
---@param name string
---@param alias string
function mlrt.delete_alias(name, alias) end

--- The registry itself: models, versions, stages, aliases, tags and their history. Errors of all:
--- "not_found" with the nearest name, "invalid_parameter" for a value against MLflow's rules.
---@class mlrt.Registry
mlrt.registry = {}

--- Errors: "already_exists".
---@param name string not empty, without "/" and ":"
---@param options? {description: string?, tags: table<string, any>?}
---@return mlrt.RegisteredModel
function mlrt.registry.create_model(name, options) end

---@param name string
---@return mlrt.RegisteredModel
function mlrt.registry.model(name) end

---@class mlrt.RegistrySearchOptions
---@field filter? string "name LIKE 'taxi%' AND tags.team = 'edge'"; of versions also version_number, run_id, source_path
---@field order_by? string|string[] "name DESC"
---@field max_results? integer of one page
---@field page_token? string next_page_token of the page before

---@class mlrt.RegisteredModels: mlrt.RegisteredModel[]
---@field next_page_token? string nil on the last page

---@class mlrt.ModelVersions: mlrt.ModelVersion[]
---@field next_page_token? string nil on the last page

--- By name, unless order_by says otherwise; MLflow's prompts are left out.
---@param options? mlrt.RegistrySearchOptions
---@return mlrt.RegisteredModels
function mlrt.registry.search_models(options) end

--- Errors: "already_exists".
---@param name string
---@param new_name string
---@return mlrt.RegisteredModel
function mlrt.registry.rename_model(name, new_name) end

---@param name string
---@param description string
---@return mlrt.RegisteredModel
function mlrt.registry.update_model(name, description) end

--- Deletes a model with all its versions, for good.
---@param name string
function mlrt.registry.delete_model(name) end

---@param name string
---@param key string
---@param value string|number|boolean
function mlrt.registry.set_model_tag(name, key, value) end

--- Fine if there is no such tag.
---@param name string
---@param key string
function mlrt.registry.delete_model_tag(name, key) end

--- The next version, whose files are not looked at: see register_model. A number is never given
--- twice, also after its version was deleted.
---@param name string
---@param source string where the files are
---@param options? {run_id: string?, model_id: string?, run_link: string?, description: string?, tags: table<string, any>?, alias: string?, create_model: boolean?} create_model: make the model when there is none
---@return mlrt.ModelVersion
function mlrt.registry.create_version(name, source, options) end

---@param name string
---@param version integer
---@return mlrt.ModelVersion
function mlrt.registry.version(name, version) end

--- All versions, the newest first.
---@param name string
---@return mlrt.ModelVersion[]
function mlrt.registry.versions(name) end

---@param name string
---@return mlrt.ModelVersion
function mlrt.registry.latest_version(name) end

--- The newest version of each of the stages that has one.
---@param name string
---@param stages? string[] all by default
---@return mlrt.ModelVersion[]
function mlrt.registry.latest_versions(name, stages) end

---@param name string
---@param alias string
---@return mlrt.ModelVersion
function mlrt.registry.version_by_alias(name, alias) end

---@param uri string "models:/<name>/<version>", "/latest", "/<stage>" or "models:/<name>@<alias>"
---@return mlrt.ModelVersion
function mlrt.registry.version_by_uri(uri) end

--- The last changed first, unless order_by says otherwise.
---@param options? mlrt.RegistrySearchOptions
---@return mlrt.ModelVersions
function mlrt.registry.search_versions(options) end

---@param name string
---@param version integer
---@param description string
---@return mlrt.ModelVersion
function mlrt.registry.update_version(name, version, description) end

--- Deletes a version with its tags and aliases, for good.
---@param name string
---@param version integer
function mlrt.registry.delete_version(name, version) end

---@param name string
---@param version integer
---@param key string
---@param value string|number|boolean
function mlrt.registry.set_version_tag(name, version, key, value) end

--- Fine if there is no such tag.
---@param name string
---@param version integer
---@param key string
function mlrt.registry.delete_version_tag(name, version, key) end

---@param name string
---@param version integer
---@param stage string "None", "Staging", "Production" or "Archived", in any case
---@param options? {archive_existing: boolean?} move the versions that are in the stage to Archived
---@return mlrt.ModelVersion
function mlrt.registry.set_stage(name, version, stage, options) end

--- As mlrt.set_alias.
---@param name string
---@param alias string
---@param version integer
function mlrt.registry.set_alias(name, alias, version) end

--- As mlrt.delete_alias.
---@param name string
---@param alias string
function mlrt.registry.delete_alias(name, alias) end

--- Where the files of a version are.
---@param name string
---@param version integer
---@return string
function mlrt.registry.download_uri(name, version) end

---@class mlrt.ModelLineage what is not in this store is nil
---@field version mlrt.ModelVersion
---@field run_name? string
---@field run_status? string
---@field experiment_id? string
---@field model_name? string of the logged model
---@field model_status? string
---@field datasets mlrt.Dataset[] what its run used, without schema and profile

--- Where a version comes from.
---@param name string
---@param version integer
---@return mlrt.ModelLineage
function mlrt.registry.lineage(name, version) end

---@class mlrt.RegistryEvent
---@field time_ms integer
---@field user? string who did it
---@field action string the function's name: "set_stage", "delete_version", ...
---@field name string the model's name then
---@field version? integer nil when it is about the model
---@field alias? string
---@field before? string the stage, version or name before
---@field after? string

--- Who changed which stage or alias, registered, renamed or deleted what, and when: the newest
--- first, also from before a rename and of models that were deleted under that name.
---@param name string
---@param options? {max_results: integer?} all by default
---@return mlrt.RegistryEvent[]
function mlrt.registry.history(name, options) end

-- ---------------------------------------------------------------------------------- JSON and HTTP

---@class mlrt.Json
---@field null lightuserdata what stands for JSON's null in tables
mlrt.json = {}

--- JSON text with sorted keys. A table with the keys 1..n is an array, one with strings as keys an
--- object, an empty one an object unless json.array marks it; NaN and infinities become null.
---@param value any nil, booleans, numbers, strings, json.null and tables of them, at most 64 levels deep
---@param options? {indent: integer} spaces a level, 0 to 16; 0, one line, by default
---@return string
function mlrt.json.encode(value, options) end

--- The value of a JSON text; arrays stay arrays when they are encoded again, even empty ones.
--- Errors: "invalid_parameter" with line and column.
---@param text string
---@return any
function mlrt.json.decode(text) end

--- Marks a table as a JSON array, which an empty table would not be; returns it.
---@generic T: table
---@param list T
---@return T
function mlrt.json.array(list) end

---@class mlrt.Http
mlrt.http = {}

---@class mlrt.HttpResponse
---@field status integer 200, 404, ...: an answer with any status is no error
---@field body string
---@field headers table<string, string> by lower-case name

--- Errors of both: "unavailable" when nothing answers, "timeout", "too_large" beyond 64 MB.
---@param url string "http://host:port/path"
---@param headers? table<string, string>
---@param options? {timeout_ms: integer} for the whole call; 30000 by default
---@return mlrt.HttpResponse
function mlrt.http.get(url, headers, options) end

---@param url string "http://host:port/path"
---@param body string|table a table is sent as JSON
---@param headers? table<string, string> of a table by default {["Content-Type"] = "application/json"}
---@param options? {timeout_ms: integer} for the whole call; 30000 by default
---@return mlrt.HttpResponse
function mlrt.http.post(url, body, headers, options) end

return mlrt
