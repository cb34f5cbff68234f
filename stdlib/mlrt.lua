-- The module `mlrt`. What each function takes, gives and raises is written in types/mlrt.lua, which
-- editors read. Here: options are checked, then handed to the C++ functions of mlrt.native by
-- position.

local native = require "mlrt.native"
local options = require "mlrt.options"
require "mlrt.table"
require "mlrt.run"

local mlrt = { version = native.version, json = { null = native.json.null } }

-- Tables

function mlrt.read_csv(path, given)
  local o = options.check("read_csv", given,
    { separator = "string", header = "boolean", columns = "table" })
  return native.table.read_csv(path, o.separator, o.header, o.columns)
end

function mlrt.table(data, given)
  local o = options.check("table", given, { columns = "table" })
  return native.table.from(data, o.columns)
end

-- Training

function mlrt.logistic_regression(data, given)
  local o = options.check("logistic_regression", given, {
    label = "string", standardize = "table", numeric = "table", one_hot = "table",
    max_categories = "integer", l2 = "number", max_iterations = "integer", tolerance = "number",
    dataset = "string",
  }, { "label" })
  return native.train.logistic_regression(data, o.label, o.standardize, o.numeric, o.one_hot,
    o.max_categories, o.l2, o.max_iterations, o.tolerance, o.dataset)
end

function mlrt.training(given)
  local o = options.check("training", given,
    { learner = "string", params = "table", dataset = "string", table = "data" }, { "learner" })
  return native.train.training(o.learner, o.params, o.dataset, o.table)
end

function mlrt.on_training(callbacks)
  return native.train.on_training(options.check("on_training", callbacks,
    { begin = "function", round = "function", finish = "function", fail = "function" }))
end

function mlrt.autolog(given)
  if given == false then return native.train.autolog(false) end
  local o = options.check("autolog", given,
    { log_model = "boolean", log_dataset = "boolean", disable = "boolean" })
  return native.train.autolog(not o.disable, o.log_model, o.log_dataset)
end

-- Models

mlrt.load_model = native.model.load

function mlrt.evaluate(model, data, given)
  local o = options.check("evaluate", given,
    { label = "string", threshold = "number", metric_prefix = "string" }, { "label" })
  local metrics = native.model.evaluate(model, data, o.label, o.threshold)
  if not o.metric_prefix then return metrics end
  local prefixed = {}
  for name, value in pairs(metrics) do prefixed[o.metric_prefix .. name] = value end
  return prefixed
end

function mlrt.serve(model, given)
  local o = options.check("serve", given, { host = "string", port = "integer" })
  if type(model) == "string" then model = mlrt.load_model(model) end
  return native.server.serve(model, o.host, o.port)
end

-- Tracking

function mlrt.session(given)
  local o = options.check("session", given,
    { store = "string", must_exist = "boolean", durability = "string" })
  local store, durability = native.tracking.session(o.store, o.must_exist, o.durability)
  return { store = store, durability = durability }
end

-- Experiments; each is named by its id or its name.

local search_options = {
  filter = "string", order_by = "strings", view = "string", max_results = "integer",
  page_token = "string",
}

local function search(name, given, takes_experiments)
  local known = { experiments = takes_experiments and "strings" or nil }
  for key, kind in pairs(search_options) do known[key] = kind end
  local o = options.check(name, given, known)
  local order_by = type(o.order_by) == "string" and { o.order_by } or o.order_by
  return o.experiments, o.filter, order_by, o.view, o.max_results, o.page_token
end

function mlrt.create_experiment(name, given)
  local o = options.check("create_experiment", given,
    { artifact_location = "string", tags = "table" })
  return native.tracking.create_experiment(name, o.artifact_location, o.tags)
end

function mlrt.search_experiments(given)
  return native.tracking.search_experiments(select(2, search("search_experiments", given)))
end

for _, name in ipairs {
  "experiment", "set_experiment", "rename_experiment", "delete_experiment", "restore_experiment",
  "set_experiment_tag", "delete_experiment_tag",
} do
  mlrt[name] = native.tracking[name]
end

-- Runs

function mlrt.start_run(given)
  local o = options.check("start_run", given, {
    name = "string", experiment = "string", tags = "table", nested = "boolean", run_id = "string",
    description = "string", parent_run_id = "string", system_metrics = "interval",
  })
  local interval_ms = o.system_metrics
  if type(interval_ms) == "boolean" then interval_ms = interval_ms and 10000 or nil end
  return native.tracking.start_run(o.name, o.experiment, o.tags, o.nested, o.run_id, o.description,
    o.parent_run_id, interval_ms)
end

function mlrt.active_run() return native.tracking.active_run() end

function mlrt.end_run(status)
  local run = mlrt.active_run()
  if run then run:finish(status) end
end

-- On the active run; without one, a run is started that ends with the script.
for _, name in ipairs {
  "log_param", "log_params", "log_metric", "log_metrics", "set_tag", "set_tags", "delete_tag",
  "set_description", "log_batch", "log_text", "log_json", "log_table", "log_image", "log_artifact",
  "log_artifacts", "log_input", "log_output", "log_model",
} do
  local method = native.run.methods[name]
  mlrt[name] = function(...) return method(native.tracking.active_run(true), ...) end
end

function mlrt.runs(given)
  local o = options.check("runs", given, { experiment = "string", max_results = "integer" })
  return native.tracking.runs(o.experiment, o.max_results)
end

function mlrt.search_runs(given)
  return native.tracking.search_runs(search("search_runs", given, true))
end

mlrt.run = native.tracking.run
mlrt.delete_run = native.tracking.delete_run
mlrt.restore_run = native.tracking.restore_run

function mlrt.update_run(run, given)
  local o = options.check("update_run", given,
    { name = "string", status = "string", end_time_ms = "integer" })
  return native.tracking.update_run(run, o.name, o.status, o.end_time_ms)
end

function mlrt.metric_history(run, key, given)
  local o = options.check("metric_history", given, { max_points = "integer" })
  return native.tracking.metric_history(run, key, o.max_points)
end

-- Artifacts

mlrt.artifacts = native.artifacts.paths
mlrt.download_artifacts = native.artifacts.download
mlrt.load_text = native.artifacts.load_text

function mlrt.list_artifacts(run, path, given)
  local o = options.check("list_artifacts", given, { recursive = "boolean" })
  return native.artifacts.list(run, path, o.recursive)
end

function mlrt.load_json(run, path)
  return native.json.decode(native.artifacts.load_text(run, path))
end

function mlrt.load_table(run, path)
  local stored = mlrt.load_json(run, path)
  local names = type(stored) == "table" and stored.columns
  local rows = type(stored) == "table" and stored.data
  local good = type(names) == "table" and type(rows) == "table"
  local columns = {}
  for i, name in ipairs(good and names or {}) do
    local values = {}
    for number, row in ipairs(rows) do
      good = good and type(row) == "table"
      local value = good and row[i]
      values[number] = value == nil and native.json.null or value
    end
    good = good and type(name) == "string"
    columns[name] = values
  end
  if not good then
    native.errors.invalid("load_table: the artifact is not a table, which is written as "
      .. '{"columns": [...], "data": [[...]]}')
  end
  return native.table.from(columns, names)
end

-- Logged models

function mlrt.create_logged_model(name, given)
  local o = options.check("create_logged_model", given, {
    experiment = "string", source_run = "run", model_type = "string", params = "table",
    tags = "table",
  })
  return native.logged_models.create(name, o.experiment, o.source_run, o.model_type, o.params,
    o.tags)
end

mlrt.logged_model = native.logged_models.get

function mlrt.search_logged_models(given)
  return native.logged_models.search(search("search_logged_models", given, true))
end

-- The whole store

function mlrt.gc(given)
  local o = options.check("gc", given,
    { older_than_ms = "integer", dry_run = "boolean", compact = "boolean" })
  return native.store.gc(o.older_than_ms, o.dry_run, o.compact)
end

mlrt.limits = native.store.limits

function mlrt.set_limits(given)
  local o = options.check("set_limits", given, {
    quota_bytes = "integer", retention_days = "number", keep_points = "integer", apply = "boolean",
  })
  return native.store.set_limits(o.quota_bytes, o.retention_days, o.keep_points, o.apply)
end

function mlrt.import(path, given)
  local o = options.check("import", given,
    { experiment = "string", copy_artifacts = "boolean", progress = "function" })
  return native.store.import(path, o.experiment, o.copy_artifacts, o.progress)
end

mlrt.export = native.store.export

-- The registry

function mlrt.register_model(source, name, given)
  local o = options.check("register_model", given, {
    alias = "string", run_id = "string", description = "string", tags = "table",
  })
  -- These name their own run, whichever is active.
  local named = tostring(source):find("^runs:") or tostring(source):find("^models:")
  local run = not named and mlrt.active_run() or nil
  return native.registry.register_model(source, name, o.alias, o.run_id or run and run.id,
    o.description, o.tags)
end

mlrt.registry = {}

for name, call in pairs(native.registry) do
  if name ~= "register_model" then mlrt.registry[name] = call end
end

function mlrt.registry.create_model(name, given)
  local o = options.check("create_model", given, { description = "string", tags = "table" })
  return native.registry.create_model(name, o.description, o.tags)
end

function mlrt.registry.create_version(name, source, given)
  local o = options.check("create_version", given, {
    run_id = "string", model_id = "string", run_link = "string", description = "string",
    tags = "table", alias = "string", create_model = "boolean",
  })
  return native.registry.create_version(name, source, o.run_id, o.model_id, o.run_link,
    o.description, o.tags, o.alias, o.create_model)
end

function mlrt.registry.search_models(given)
  return native.registry.search_models(select(2, search("search_models", given)))
end

function mlrt.registry.search_versions(given)
  return native.registry.search_versions(select(2, search("search_versions", given)))
end

function mlrt.registry.set_stage(name, version, stage, given)
  local o = options.check("set_stage", given, { archive_existing = "boolean" })
  return native.registry.set_stage(name, version, stage, o.archive_existing)
end

function mlrt.registry.history(name, given)
  local o = options.check("history", given, { max_results = "integer" })
  return native.registry.history(name, o.max_results)
end

mlrt.set_alias = mlrt.registry.set_alias
mlrt.delete_alias = mlrt.registry.delete_alias

function mlrt.models()
  local all, page = {}, {}
  repeat
    page = mlrt.registry.search_models { max_results = 1000, page_token = page.next_page_token }
    for _, model in ipairs(page) do
      model.versions = mlrt.registry.versions(model.name)
      all[#all + 1] = model
    end
  until not page.next_page_token
  return all
end

-- JSON and HTTP

function mlrt.json.encode(value, given)
  local o = options.check("json.encode", given, { indent = "integer" })
  return native.json.encode(value, o.indent)
end

mlrt.json.decode = native.json.decode
mlrt.json.array = native.json.array

mlrt.http = {}

function mlrt.http.get(url, headers, given)
  local o = options.check("http.get", given, { timeout_ms = "integer" })
  return native.http.request("GET", url, headers, nil, o.timeout_ms)
end

function mlrt.http.post(url, body, headers, given)
  local o = options.check("http.post", given, { timeout_ms = "integer" })
  if type(body) == "table" then
    body = mlrt.json.encode(body)
    headers = headers or { ["Content-Type"] = "application/json" }
  end
  return native.http.request("POST", url, headers, body, o.timeout_ms)
end

return mlrt
