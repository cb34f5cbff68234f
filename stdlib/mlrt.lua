-- The module `mlrt`. What each function takes, gives and raises is written in types/mlrt.lua, which
-- editors read. Here: options are checked, then handed to the C++ functions of mlrt.native by
-- position.

local native = require "mlrt.native"
local options = require "mlrt.options"
require "mlrt.table"

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
  local o = options.check("session", given, { store = "string", must_exist = "boolean" })
  return { store = native.tracking.session(o.store, o.must_exist) }
end

mlrt.set_experiment = native.tracking.set_experiment

function mlrt.start_run(given)
  local o = options.check("start_run", given,
    { name = "string", experiment = "string", tags = "table", nested = "boolean" })
  return native.tracking.start_run(o.name, o.experiment, o.tags, o.nested)
end

function mlrt.active_run() return native.tracking.active_run() end

-- On the active run; without one, a run is started that ends with the script.
for _, name in ipairs {
  "log_param", "log_params", "log_metric", "log_metrics", "set_tag", "log_text", "log_artifact",
  "log_model",
} do
  local method = native.tracking.methods[name]
  mlrt[name] = function(...) return method(native.tracking.active_run(true), ...) end
end

function mlrt.runs(given)
  local o = options.check("runs", given, { experiment = "string", max_results = "integer" })
  return native.tracking.runs(o.experiment, o.max_results)
end

mlrt.run = native.tracking.run
mlrt.metric_history = native.tracking.metric_history
mlrt.artifacts = native.tracking.artifacts

-- The registry

function mlrt.register_model(source, name, given)
  local o = options.check("register_model", given, { alias = "string", run_id = "string" })
  -- A runs:/ source names its own run, whichever is active.
  local run = not tostring(source):find("^runs:") and mlrt.active_run() or nil
  return native.registry.register(source, name, o.alias, o.run_id or run and run.id)
end

mlrt.models = native.registry.models
mlrt.set_alias = native.registry.set_alias
mlrt.delete_alias = native.registry.delete_alias

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
