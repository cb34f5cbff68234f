local t = require "harness"
local mlrt = require "mlrt"

local data = mlrt.table { x = { 1.0, 2.0, 3.0, 4.0 }, y = { 0, 1, 0, 1 } }
local zeros = ("0"):rep(32)

t.test("a logged model has an id, belongs to the active run and is finalized", function()
  local run <close> = mlrt.start_run { experiment = "modelled" }
  local model = mlrt.create_logged_model("net", { model_type = "classifier", params = { depth = 2 }, tags = { a = true } })
  t.ok(model.id:find("^m%-%x+$"))
  t.equal(#model.id, 34)
  t.equal(model.name, "net")
  t.equal(model.experiment_id, run.experiment_id)
  t.ok(model.artifact_folder:find(model.id, 1, true))
  t.ok(tostring(model):find(model.id, 1, true))
  local record = model:record()
  t.equal(record.model_id, model.id)
  t.equal(record.status, "PENDING")
  t.equal(record.model_type, "classifier")
  t.equal(record.source_run_id, run.id)
  t.equal(record.params.depth, "2")
  t.equal(record.tags.a, "true")
  model:log_params { rate = 0.5 }
  model:set_tags { a = "no", b = 1 }
  model:delete_tag("b")
  model:finalize()
  record = mlrt.logged_model(model.id):record()
  t.equal(record.status, "READY")
  t.equal(record.params.rate, "0.5")
  t.equal(record.tags.a, "no")
  t.equal(record.tags.b, nil)
  run:log_output(model, 3)
  mlrt.log_output(model.id, 3)
  t.equal(run:record().outputs[1].model_id, model.id)
  t.equal(run:record().outputs[1].step, 3)
  run:finish()
  t.fails("conflict", "has ended", function() run:log_output(model) end)
  t.fails("invalid_parameter", "", function() model:finalize("DONE") end)
  t.fails("invalid_parameter", "", function() mlrt.create_logged_model("a/b") end)
  t.fails("not_found", "", function() mlrt.logged_model("m-" .. zeros) end)
  t.fails("not_found", "", function() mlrt.create_logged_model("x", { source_run = zeros }) end)
  t.fails("not_found", "'modeled'", function() mlrt.create_logged_model("x", { experiment = "modeled" }) end)
end)

t.test("a model that a run logs is one, and is loaded by its run", function()
  local run <close> = mlrt.start_run { experiment = "modelled" }
  local uri = run:log_model(mlrt.logistic_regression(data, { label = "y", numeric = { "x" }, l2 = 0.1 }), "fit")
  local id = run:record().outputs[1].model_id
  local logged = mlrt.logged_model(id)
  t.equal(logged.name, "fit")
  t.equal(logged:record().status, "READY")
  t.equal(logged:record().source_run_id, run.id)
  t.equal(mlrt.load_model(uri).flavor, "linear")
  t.ok(mlrt.load_text("models:/" .. id .. "/MLmodel"):find("flavors", 1, true))
  t.equal(mlrt.load_text(logged, "MLmodel"), mlrt.load_text(run, "fit/MLmodel"))
end)

t.test("logged models are searched, deleted and restored", function()
  mlrt.set_experiment("shelf")
  for size = 1, 3 do
    local model = mlrt.create_logged_model("size " .. size, { params = { size = size } })
    t.equal(model.experiment_id, mlrt.experiment("shelf").id)
    local run <close> = mlrt.start_run()
    run:log_metric("loss", 1 / size, { model = model })
  end
  local function found(query)
    query.experiments = { "shelf" }
    local list, result = mlrt.search_logged_models(query), {}
    for i, each in ipairs(list) do result[i] = each.name end
    return result, list
  end
  t.list_equal(found { filter = "metrics.loss < 0.6", order_by = { "metrics.loss ASC" } }, { "size 3", "size 2" })
  t.list_equal(found { filter = "params.size = '1'" }, { "size 1" })
  local names, list = found { order_by = "name", max_results = 2 }
  t.list_equal(names, { "size 1", "size 2" })
  t.list_equal(found { order_by = "name", max_results = 2, page_token = list.next_page_token }, { "size 3" })
  local first = mlrt.logged_model(list[1])
  first:delete()
  t.list_equal(found { order_by = "name" }, { "size 2", "size 3" })
  first:restore()
  t.equal(#found {}, 3)
  t.fails("invalid_parameter", "", function() found { filter = "metrics.loss LIKE 'x'" } end)
  mlrt.set_experiment("Default")
end)

t.finish()
