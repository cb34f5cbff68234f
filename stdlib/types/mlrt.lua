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
---@param options? {store: string?, must_exist: boolean?}
---@return {store: string}
function mlrt.session(options) end

--- The experiment of the runs that are started later; created on demand.
---@param name string
function mlrt.set_experiment(name) end

---@class mlrt.RunOptions
---@field name? string made up by default
---@field experiment? string created on demand; that of set_experiment, at first "Default", by default
---@field tags? table<string, mlrt.Value>
---@field nested? boolean inside of the active run

--- Starts a run and makes it the active one. Use `local run <close> =`: it ends FINISHED, FAILED
--- when the block is left by an error, KILLED by Ctrl-C. A run left open is ended the same way with
--- the script.
--- Errors: "conflict" when a run is active and nested is not true.
---@param options? mlrt.RunOptions
---@return mlrt.Run
function mlrt.start_run(options) end

--- The innermost run that is open, or nil.
---@return mlrt.Run?
function mlrt.active_run() end

--- One run. Each call returns when what it logs is safe in the store. Errors of all: "conflict"
--- when the run has ended, "unavailable" when other processes hold the store too long, "io".
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

---@param key string
---@param value number
---@param step? integer 0 by default
function Run:log_metric(key, value, step) end

---@param metrics table<string, number> all of them are logged, or none
---@param step? integer 0 by default
function Run:log_metrics(metrics, step) end

---@param key string
---@param value mlrt.Value
function Run:set_tag(key, value) end

--- Stores a text as an artifact.
---@param text string
---@param path string below the run's artifacts, "notes/summary.txt"
function Run:log_text(text, path) end

--- Copies a file to the artifacts. Errors: "not_found".
---@param file string
---@param path? string the folder below the run's artifacts
function Run:log_artifact(file, path) end

--- Stores a model as an MLflow model folder below the artifacts.
---@param model mlrt.Model
---@param path? string "model" by default
---@return string uri "runs:/<id>/<path>", for load_model and register_model
function Run:log_model(model, path) end

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
---@param step? integer
function mlrt.log_metric(key, value, step) end

---@param metrics table<string, number>
---@param step? integer
function mlrt.log_metrics(metrics, step) end

---@param key string
---@param value mlrt.Value
function mlrt.set_tag(key, value) end

---@param text string
---@param path string
function mlrt.log_text(text, path) end

---@param file string
---@param path? string
function mlrt.log_artifact(file, path) end

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
---@field inputs table[] the data sets: name, digest, source_type, source, schema, profile, context

--- Runs, the newest first. Errors: "not_found" for an unknown experiment.
---@param options? {experiment: string?, max_results: integer?} all experiments, and 1000 runs, by default
---@return mlrt.RunRecord[]
function mlrt.runs(options) end

--- One run. Errors: "not_found".
---@param run_id string
---@return mlrt.RunRecord
function mlrt.run(run_id) end

--- All values of a metric by time and step. Errors: "not_found" for an unknown run.
---@param run_id string
---@param key string
---@return {value: number, step: integer, timestamp_ms: integer}[]
function mlrt.metric_history(run_id, key) end

--- The paths of all artifacts of a run, sorted. Errors: "not_found".
---@param run_id string
---@return string[]
function mlrt.artifacts(run_id) end

-- ---------------------------------------------------------------------------------------- Registry

---@class mlrt.ModelVersion
---@field name string
---@field version integer
---@field source string
---@field run_id? string
---@field description string
---@field creation_time_ms integer
---@field aliases string[] sorted

---@class mlrt.RegisteredModel
---@field name string
---@field description string
---@field creation_time_ms integer
---@field last_update_time_ms integer
---@field versions mlrt.ModelVersion[] the newest first

--- Registers the next version of a model (version 1 of a new one). The model is loaded first: what
--- is broken is not registered. A file or folder is copied into the store's folder. Errors:
--- "not_found", "data_corrupt".
---@param source string a bundle file, a model folder, or "runs:/<id>/<path>"
---@param name string
---@param options? {alias: string?, run_id: string?} run_id by default: that of runs:/, else of the active run
---@return mlrt.ModelVersion
function mlrt.register_model(source, name, options) end

--- All registered models by name.
---@return mlrt.RegisteredModel[]
function mlrt.models() end

--- Points an alias to a version; it is moved when it stands elsewhere. Errors: "not_found".
---@param name string
---@param alias string letters, digits, "_" and "-"; not "latest", not "v1"
---@param version integer
function mlrt.set_alias(name, alias, version) end

--- Removes an alias. Errors: "not_found" for an unknown model.
---@param name string
---@param alias string
function mlrt.delete_alias(name, alias) end

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
