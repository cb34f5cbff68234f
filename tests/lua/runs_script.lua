-- What MLflow's client does with runs beyond logging single values: resuming, batches, inputs, search.
local t = require "harness"
local mlrt = require "mlrt"

local function names(list)
  local found = {}
  for i, each in ipairs(list) do found[i] = each.name end
  return found
end

t.test("a run is opened again by its id, and its tags and description stand", function()
  local first = mlrt.start_run { name = "again", description = "a *first* try", tags = { a = 1 } }
  local id = first.id
  first:log_metric("loss", 1)
  first:finish("FAILED")
  do
    local run <close> = mlrt.start_run { run_id = id, tags = { b = 2 } }
    t.equal(run.id, id)
    t.equal(run.name, "again")
    t.equal(run:record().status, "RUNNING")
    t.equal(run:record().end_time_ms, nil)
    t.fails("conflict", "is active already", function() mlrt.start_run { run_id = id, nested = true } end)
    run:log_metric("loss", 0.5, 1)
  end
  local record = mlrt.run(id)
  t.equal(record.status, "FINISHED")
  t.equal(record.tags["mlflow.note.content"], "a *first* try")
  t.equal(record.tags.a, "1")
  t.equal(record.tags.b, "2")
  t.equal(#mlrt.metric_history(id, "loss"), 2)
  t.fails("not_found", "", function() mlrt.start_run { run_id = ("0"):rep(32) } end)
  t.fails("invalid_parameter", "are for a new run", function() mlrt.start_run { run_id = id, name = "x" } end)
  t.equal(mlrt.active_run(), nil)
end)

t.test("a parent may be named, and end_run ends the active run", function()
  local parent = mlrt.start_run()
  parent:finish()
  local child = mlrt.start_run { parent_run_id = parent.id }
  t.equal(child:record().tags["mlflow.parentRunId"], parent.id)
  mlrt.end_run("KILLED")
  t.equal(mlrt.run(child).status, "KILLED")
  mlrt.end_run()
  t.fails("not_found", "", function() mlrt.start_run { parent_run_id = ("0"):rep(32) } end)
end)

t.test("tags and the description are set together and taken away", function()
  local run <close> = mlrt.start_run()
  run:set_tags { a = 1, b = "two", c = true }
  run:delete_tag("b")
  run:set_description("what it is about")
  local tags = run:record().tags
  t.equal(tags.a, "1")
  t.equal(tags.b, nil)
  t.equal(tags.c, "true")
  t.equal(tags["mlflow.note.content"], "what it is about")
  t.fails("not_found", "name: b", function() run:delete_tag("b") end)
  t.fails("invalid_parameter", "'tags' must be a table, got nil", function() run:set_tags() end)
end)

t.test("a batch is logged whole or not at all", function()
  local run <close> = mlrt.start_run()
  run:log_batch {
    metrics = { { key = "loss", value = 2, step = 1, timestamp_ms = 5000 }, { key = "loss", value = 1, step = 2 } },
    params = { depth = 3 }, tags = { colour = "red" },
  }
  run:log_batch { metrics = { accuracy = 0.5 } }
  local record = run:record()
  t.equal(record.metrics.loss, 1.0)
  t.equal(record.metrics.accuracy, 0.5)
  t.equal(record.params.depth, "3")
  t.equal(record.tags.colour, "red")
  t.equal(mlrt.metric_history(run, "loss")[1].timestamp_ms, 5000)
  t.fails("invalid_parameter", "", function() run:log_batch { metrics = { new = 1 }, params = { depth = 4 } } end)
  t.equal(run:record().metrics.new, nil)
  local many = {}
  for i = 1, 1001 do many[i] = { key = "m" .. i, value = i } end
  t.fails("invalid_parameter", "1000", function() run:log_batch { metrics = many } end)
  t.fails("invalid_parameter", "a metric needs a 'value'", function() run:log_batch { metrics = { { key = "a" } } } end)
  t.fails("invalid_parameter", { "no field 'stpe'", "did you mean 'step'?" }, function()
    run:log_batch { metrics = { { key = "a", value = 1, stpe = 1 } } }
  end)
  t.fails("invalid_parameter", "did you mean 'params'?", function() run:log_batch { param = {} } end)
end)

t.test("a metric carries its step, time, model and data set", function()
  local run <close> = mlrt.start_run()
  local model = mlrt.create_logged_model("measured")
  local dataset = run:log_input({ x = { 1.0, 2.0 } }, { name = "points", context = "eval" })
  run:log_metric("error", 0.25, { step = 7, timestamp_ms = 1234, model = model, dataset = dataset })
  run:log_metrics({ a = 1, b = 2 }, { step = 8, model = model.id })
  local point = mlrt.metric_history(run, "error")[1]
  t.equal(point.key, "error")
  t.equal(point.value, 0.25)
  t.equal(point.step, 7)
  t.equal(point.timestamp_ms, 1234)
  t.equal(point.model, model.id)
  t.equal(point.dataset.name, "points")
  t.equal(point.dataset.digest, dataset.digest)
  local linked = model:record().metrics
  t.equal(#linked, 3)
  t.equal(linked[1].key, "a")
  t.equal(linked[3].value, 0.25)
  t.fails("invalid_parameter", "did you mean 'timestamp_ms'?", function() run:log_metric("e", 1, { timestamp = 1 }) end)
  t.fails("invalid_parameter", "'dataset' must be", function() run:log_metric("e", 1, { dataset = "points" }) end)
  t.fails("invalid_parameter", "'model' must be a logged model or its id", function() run:log_metric("e", 1, { model = {} }) end)
end)

t.test("a data set is noted with its digest, schema and source", function()
  local run <close> = mlrt.start_run()
  local data = mlrt.table { x = { 1.0, 2.0 }, name = { "a", "b" } }
  local noted = run:log_input(data, { name = "train", context = "train", source = "rows.csv", tags = { day = 1 } })
  t.equal(noted.digest, data:digest())
  local columns = { x = { 1.0 } }
  run:log_input(columns, { context = "eval" })
  run:log_input { name = "foreign", digest = "abc", source_type = "http", source = '{"url": "http://a/b"}' }
  local by_name = {}
  for _, input in ipairs(run:record().inputs) do by_name[input.name] = input end
  t.equal(by_name.train.context, "train")
  t.equal(by_name.train.tags.day, "1")
  t.equal(by_name.train.source_type, "local")
  t.equal(mlrt.json.decode(by_name.train.source).uri, "rows.csv")
  local schema = mlrt.json.decode(by_name.train.schema).mlflow_colspec
  t.equal(#schema, 2)
  t.equal(mlrt.json.decode(by_name.train.profile).num_rows, 2)
  t.equal(by_name.dataset.context, "eval")
  t.equal(by_name.dataset.source_type, "code")
  t.equal(by_name.foreign.source_type, "http")
  t.fails("invalid_parameter", "needs a 'digest'", function() run:log_input { name = "x" } end)
  t.fails("invalid_parameter", "no field 'digset'; did you mean 'digest'?", function() run:log_input { name = "x", digset = "y" } end)
  t.fails("invalid_parameter", "did you mean 'context'?", function() run:log_input(columns, { contxt = "x" }) end)
end)

t.test("runs are found by a filter over metrics, parameters and tags", function()
  local experiment = mlrt.set_experiment("searched").id
  for depth = 1, 4 do
    local run <close> = mlrt.start_run { name = "depth " .. depth }
    run:log_param("depth", depth)
    if depth < 4 then run:log_metric("loss", 1 / depth) end
    run:set_tag("even", depth % 2 == 0)
  end
  local function search(query)
    query.experiments = query.experiments or { "searched" }
    return mlrt.search_runs(query)
  end
  t.list_equal(names(search { filter = "metrics.loss < 0.6", order_by = { "metrics.loss ASC" } }), { "depth 3", "depth 2" })
  t.list_equal(names(search { filter = "params.depth = '4' AND tags.even = 'true'" }), { "depth 4" })
  t.list_equal(names(search { order_by = "metrics.loss ASC" }), { "depth 3", "depth 2", "depth 1", "depth 4" })
  t.equal(#search { experiments = experiment }, 4)
  t.equal(#search { experiments = { experiment, "Default" }, filter = "attributes.run_name LIKE 'depth%'" }, 4)
  local first = search { order_by = "params.depth", max_results = 3 }
  t.equal(#first, 3)
  t.list_equal(names(search { order_by = "params.depth", max_results = 3, page_token = first.next_page_token }), { "depth 4" })
  t.fails("invalid_parameter", { "column 16", "expected a number" }, function() search { filter = "metrics.loss < 'x'" } end)
  t.fails("invalid_parameter", { "column 15", "found the end" }, function() search { filter = "metrics.loss <" } end)
  t.fails("invalid_parameter", "order_by 'params.depth UP'", function() search { order_by = "params.depth UP" } end)
  t.fails("invalid_parameter", "Invalid page token", function() search { page_token = "no token" } end)
  t.fails("not_found", "did you mean 'searched'?", function() search { experiments = { "serched" } } end)
  t.fails("invalid_parameter", "'experiments' must be a string or a list of strings", function() search { experiments = 1 } end)
  mlrt.set_experiment("Default")
end)

t.test("a run is deleted, restored, renamed and ended from outside", function()
  local run = mlrt.start_run { name = "outside", experiment = "others" }
  mlrt.delete_run(run)
  t.equal(mlrt.run(run.id).lifecycle_stage, "deleted")
  t.fails("invalid_parameter", "deleted", function() run:log_metric("m", 1) end)
  t.equal(#mlrt.search_runs { experiments = { "others" } }, 0)
  t.equal(#mlrt.search_runs { experiments = { "others" }, view = "deleted" }, 1)
  mlrt.restore_run(run.id)
  run:finish()
  local record = mlrt.update_run(run, { name = "renamed", status = "FAILED", end_time_ms = mlrt.run(run).start_time_ms + 5 })
  t.equal(record.name, "renamed")
  t.equal(record.status, "FAILED")
  t.equal(record.end_time_ms, record.start_time_ms + 5)
  t.equal(mlrt.update_run(record, { status = "RUNNING" }).end_time_ms, nil)
  t.fails("not_found", "", function() mlrt.delete_run(("0"):rep(32)) end)
  t.fails("invalid_parameter", "'run' must be a run or its id, got nil", function() mlrt.restore_run() end)
  t.fails("invalid_parameter", "", function() mlrt.update_run(run, { status = "DONE" }) end)
end)

t.test("a long history is thinned out for drawing", function()
  local run <close> = mlrt.start_run()
  local metrics = {}
  for i = 1, 900 do metrics[i] = { key = "wave", value = math.sin(i), step = i, timestamp_ms = 1000 + i } end
  run:log_batch { metrics = metrics }
  t.equal(#mlrt.metric_history(run, "wave"), 900)
  local few = mlrt.metric_history(run, "wave", { max_points = 50 })
  t.ok(#few >= 2 and #few <= 60, "got " .. #few)
  t.equal(few[1].step, 1)
  t.equal(few[#few].step, 900)
  t.fails("invalid_parameter", "'max_points' must be at least 1", function()
    mlrt.metric_history(run, "wave", { max_points = 0 })
  end)
end)

t.test("system metrics are sampled while the run is open", function()
  local run = mlrt.start_run { system_metrics = 20 }
  local good_until = os.time() + 20
  while #mlrt.metric_history(run, "system/system_memory_usage_megabytes") < 2 and os.time() < good_until do end
  run:finish()
  local count = #mlrt.metric_history(run, "system/system_memory_usage_megabytes")
  t.ok(count >= 2)
  t.equal(mlrt.metric_history(run, "system/system_memory_usage_megabytes")[2].step, 1)
  local other <close> = mlrt.start_run { system_metrics = false }
  other:start_system_metrics(50)
  t.fails("invalid_parameter", "'system_metrics' must be true", function()
    mlrt.start_run { nested = true, system_metrics = 0 }
  end)
  t.fails("invalid_parameter", "'system_metrics' must be true, or", function() mlrt.start_run { system_metrics = "on" } end)
end)

t.test("the functions of the module do the same on the active run", function()
  local run <close> = mlrt.start_run()
  mlrt.set_tags { a = 1, b = 2 }
  mlrt.delete_tag("b")
  mlrt.set_description("fluent")
  mlrt.log_batch { params = { p = 1 } }
  mlrt.log_input({ x = { 1.0 } }, { context = "train" })
  local record = run:record()
  t.equal(record.tags.a, "1")
  t.equal(record.tags.b, nil)
  t.equal(record.tags["mlflow.note.content"], "fluent")
  t.equal(record.params.p, "1")
  t.equal(#record.inputs, 1)
end)

t.test("an error says at which line of the script it was made", function()
  local run <close> = mlrt.start_run()
  local line = debug.getinfo(1, "l").currentline + 1
  local e = t.fails("invalid_parameter", "would resolve to 'a/b'", function() run:log_batch { metrics = { ["a//b"] = 1 } } end)
  t.ok(e.where:find("runs_script.lua:" .. line, 1, true), e.where)
  t.ok(tostring(e):find(e.where, 1, true))
end)

t.finish()
