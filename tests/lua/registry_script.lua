local t = require "harness"
local mlrt = require "mlrt"

local function names(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.name end
  return found
end

local function numbers(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.version end
  return found
end

t.test("a model is created, found, changed, renamed and deleted", function()
  local made = mlrt.registry.create_model("taxi", { description = "tips", tags = { team = "edge", n = 1 } })
  t.equal(made.name, "taxi")
  t.equal(made.description, "tips")
  t.equal(made.tags.n, "1")
  t.equal(#made.latest_versions, 0)
  t.ok(made.creation_time_ms > 0)
  t.fails("already_exists", "Registered Model (name=taxi) already exists.", function() mlrt.registry.create_model("taxi") end)
  t.equal(mlrt.registry.update_model("taxi", "more").description, "more")
  mlrt.registry.set_model_tag("taxi", "ready", true)
  mlrt.registry.delete_model_tag("taxi", "n")
  t.equal(mlrt.registry.model("taxi").tags.ready, "true")
  t.equal(mlrt.registry.model("taxi").tags.n, nil)
  t.equal(mlrt.registry.rename_model("taxi", "cab").name, "cab")
  t.fails("not_found", "Registered Model with name=taxi not found", function() mlrt.registry.model("taxi") end)
  mlrt.registry.delete_model("cab")
  t.fails("not_found", "", function() mlrt.registry.delete_model("cab") end)
  t.fails("invalid_parameter", "'/'", function() mlrt.registry.create_model("a/b") end)
  t.fails("invalid_parameter", "descripton", function() mlrt.registry.create_model("x", { descripton = "d" }) end)
end)

t.test("a version has a number, a stage, aliases and tags", function()
  mlrt.registry.create_model("net")
  local run <close> = mlrt.start_run { name = "fit" }
  run:log_input { name = "trips", digest = "d1", source = "trips.csv", context = "train" }
  local first = mlrt.registry.create_version("net", "/files/1", {
    run_id = run.id, run_link = "http://there", description = "one", tags = { k = "v" }, alias = "champion",
  })
  t.equal(first.version, 1)
  t.equal(first.stage, "None")
  t.equal(first.run_id, run.id)
  t.equal(first.run_link, "http://there")
  t.equal(first.description, "one")
  t.equal(first.tags.k, "v")
  t.ok(first.user)
  t.list_equal(first.aliases, { "champion" })
  mlrt.registry.create_version("net", "/files/2")
  mlrt.registry.create_version("net", "/files/3")
  t.fails("not_found", "", function() mlrt.registry.create_version("nett", "/x") end)
  t.equal(mlrt.registry.create_version("other", "/x", { create_model = true }).version, 1)
  mlrt.registry.set_version_tag("net", 2, "checked", true)
  mlrt.registry.set_version_tag("net", 2, "gone", 1)
  mlrt.registry.delete_version_tag("net", 2, "gone")
  t.equal(mlrt.registry.version("net", 2).tags.checked, "true")
  t.equal(mlrt.registry.update_version("net", 2, "two").description, "two")
  t.equal(mlrt.registry.set_stage("net", 1, "production").stage, "Production")
  mlrt.registry.set_stage("net", 2, "Production", { archive_existing = true })
  t.equal(mlrt.registry.version("net", 1).stage, "Archived")
  t.list_equal(numbers(mlrt.registry.latest_versions("net")), { 1, 2, 3 })
  t.list_equal(numbers(mlrt.registry.latest_versions("net", { "production" })), { 2 })
  t.equal(mlrt.registry.latest_version("net").version, 3)
  mlrt.registry.set_alias("net", "champion", 2)
  mlrt.registry.set_alias("net", "spare", 2)
  mlrt.registry.delete_alias("net", "spare")
  t.equal(mlrt.registry.version_by_alias("net", "champion").version, 2)
  t.equal(mlrt.registry.model("net").aliases.champion, 2)
  t.equal(mlrt.registry.version_by_uri("models:/net/Archived").version, 1)
  t.fails("invalid_parameter", "<stage>", function() mlrt.registry.version_by_uri("net") end)
  t.fails("invalid_parameter", "Invalid Model Version stage: 'Prod'", function() mlrt.registry.set_stage("net", 1, "Prod") end)
  t.equal(mlrt.registry.download_uri("net", 1), "/files/1")
  local lineage = mlrt.registry.lineage("net", 1)
  t.equal(lineage.version.version, 1)
  t.equal(lineage.run_name, "fit")
  t.equal(lineage.run_status, "RUNNING")
  t.equal(lineage.experiment_id, run.experiment_id)
  t.equal(lineage.model_name, nil)
  t.equal(lineage.datasets[1].name, "trips")
  t.equal(lineage.datasets[1].context, "train")
  mlrt.registry.delete_version("net", 3)
  t.list_equal(numbers(mlrt.registry.versions("net")), { 2, 1 })
  t.equal(mlrt.registry.create_version("net", "/files/4").version, 4)
  t.fails("not_found", "version=3) not found", function() mlrt.registry.version("net", 3) end)
end)

t.test("models and versions are searched, page by page", function()
  mlrt.registry.create_model("ask", { tags = { ["mlflow.prompt.is_prompt"] = "true" } })
  t.list_equal(names(mlrt.registry.search_models()), { "net", "other" })
  t.list_equal(names(mlrt.registry.search_models { filter = "name LIKE 'n%'" }), { "net" })
  t.list_equal(names(mlrt.registry.search_models { order_by = "name DESC" }), { "other", "net" })
  local page = mlrt.registry.search_models { max_results = 1 }
  t.equal(#page, 1)
  t.list_equal(names(mlrt.registry.search_models { max_results = 1, page_token = page.next_page_token }), { "other" })
  t.list_equal(numbers(mlrt.registry.search_versions { filter = "name = 'net'", order_by = { "version_number ASC" } }),
    { 1, 2, 4 })
  t.list_equal(numbers(mlrt.registry.search_versions { filter = "tags.checked = 'true'" }), { 2 })
  t.fails("invalid_parameter", "", function() mlrt.registry.search_versions { filter = "size > 3" } end)
  t.fails("invalid_parameter", "filtr", function() mlrt.registry.search_models { filtr = "" } end)
  local models = mlrt.models()
  t.list_equal(names(models), { "net", "other" })
  t.list_equal(numbers(models[1].versions), { 4, 2, 1 })
end)

t.test("the history tells what happened, the newest first, through a rename", function()
  mlrt.registry.rename_model("net", "deep")
  local events = mlrt.registry.history("deep")
  t.equal(events[1].action, "rename_model")
  t.equal(events[1].before, "net")
  t.equal(events[1].after, "deep")
  t.equal(events[#events].action, "create_model")
  t.equal(events[#events].name, "net")
  t.ok(events[1].time_ms >= events[#events].time_ms and events[1].user)
  local stages, aliases = {}, {}
  for _, event in ipairs(events) do
    if event.action == "set_stage" then stages[#stages + 1] = ("%d %s %s"):format(event.version, event.before, event.after) end
    if event.alias == "champion" then aliases[#aliases + 1] = ("%s %s"):format(event.before, event.after) end
  end
  t.list_equal(stages, { "2 None Production", "1 Production Archived", "1 None Production" })
  t.list_equal(aliases, { "1 2", "nil 1" })
  t.equal(#mlrt.registry.history("deep", { max_results = 2 }), 2)
  t.fails("invalid_parameter", "max_results", function() mlrt.registry.history("deep", { max_results = -1 }) end)
  t.fails("not_found", "", function() mlrt.registry.history("never") end)
  mlrt.registry.delete_model("deep")
  t.equal(mlrt.registry.history("deep")[1].action, "delete_model")
end)

t.test("a model is registered with all that is told of it, and loaded by its stage", function()
  local data = mlrt.table { x = { 1.0, 2.0, 3.0, 4.0 }, y = { 0, 1, 0, 1 } }
  local model = mlrt.logistic_regression(data, { label = "y", numeric = { "x" } })
  model:save(t.path("m.mlrt"))
  local version = mlrt.register_model(t.path("m.mlrt"), "dots", { description = "text", tags = { a = 1 } })
  t.equal(version.description, "text")
  t.equal(version.tags.a, "1")
  mlrt.registry.set_stage("dots", 1, "Staging")
  t.equal(mlrt.load_model("models:/dots/staging"):predict(data):digest(), model:predict(data):digest())
  local copy = mlrt.register_model("models:/dots/Staging", "spots")
  t.equal(copy.source, "models:/dots/1")
  mlrt.registry.delete_model("dots")
  t.equal(mlrt.load_model("models:/spots/1"):predict(data):digest(), model:predict(data):digest())
end)

t.finish()
