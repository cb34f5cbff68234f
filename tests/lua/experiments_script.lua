local t = require "harness"
local mlrt = require "mlrt"

local function names(list)
  local found = {}
  for i, each in ipairs(list) do found[i] = each.name end
  return found
end

t.test("an experiment is created with tags and a folder, and found by id and by name", function()
  local id = mlrt.create_experiment("alpha", { tags = { team = "blue", size = 3 }, artifact_location = t.path("alpha files") })
  t.equal(math.type(tonumber(id)), "integer")
  local found = mlrt.experiment(id)
  t.equal(found.id, id)
  t.equal(found.name, "alpha")
  t.equal(found.tags.team, "blue")
  t.equal(found.tags.size, "3")
  t.equal(found.artifact_location, t.path("alpha files"))
  t.equal(found.lifecycle_stage, "active")
  t.ok(found.last_update_time_ms >= found.creation_time_ms)
  t.equal(mlrt.experiment("alpha").id, id)
  t.equal(mlrt.experiment("0").name, "Default")
  t.fails("already_exists", "alpha", function() mlrt.create_experiment("alpha") end)
  t.fails("not_found", { "'alhpa'", "did you mean 'alpha'?" }, function() mlrt.experiment("alhpa") end)
  t.fails("not_found", "'4711'", function() mlrt.experiment("4711") end)
  t.fails("invalid_parameter", "", function() mlrt.create_experiment("") end)
  t.fails("invalid_parameter", "did you mean 'tags'?", function() mlrt.create_experiment("x", { tag = {} }) end)
end)

t.test("an experiment is renamed, tagged, deleted and restored with its runs", function()
  local id = mlrt.set_experiment("beta").id
  mlrt.start_run({ name = "kept" }):finish()
  mlrt.rename_experiment("beta", "gamma")
  t.equal(mlrt.experiment(id).name, "gamma")
  mlrt.set_experiment_tag("gamma", "stage", 2)
  t.equal(mlrt.experiment(id).tags.stage, "2")
  mlrt.delete_experiment_tag(id, "stage")
  t.equal(mlrt.experiment(id).tags.stage, nil)
  mlrt.delete_experiment("gamma")
  t.equal(mlrt.experiment(id).lifecycle_stage, "deleted")
  t.equal(#mlrt.search_runs { experiments = { id } }, 0)
  mlrt.restore_experiment(id)
  t.list_equal(names(mlrt.search_runs { experiments = "gamma" }), { "kept" })
  t.fails("not_found", "", function() mlrt.delete_experiment("nowhere") end)
  t.fails("already_exists", "", function() mlrt.rename_experiment("gamma", "alpha") end)
  t.fails("invalid_parameter", "'name' must be a string", function() mlrt.rename_experiment("gamma") end)
  mlrt.set_experiment("Default")
end)

t.test("experiments are searched by filter, order, view and page", function()
  for _, name in ipairs { "s-one", "s-two", "s-three" } do
    mlrt.create_experiment(name, { tags = { letters = #name } })
  end
  mlrt.delete_experiment("s-two")
  t.list_equal(names(mlrt.search_experiments { filter = "name LIKE 's-%'", order_by = "name ASC" }), { "s-one", "s-three" })
  t.list_equal(names(mlrt.search_experiments { filter = "name LIKE 's-%'", view = "deleted" }), { "s-two" })
  t.list_equal(names(mlrt.search_experiments { filter = "tags.letters = '5'", view = "all", order_by = { "name DESC" } }),
    { "s-two", "s-one" })
  local query = { filter = "name LIKE 's-%'", order_by = { "name" }, view = "all", max_results = 2 }
  local first = mlrt.search_experiments(query)
  t.list_equal(names(first), { "s-one", "s-three" })
  query.page_token = first.next_page_token
  local last = mlrt.search_experiments(query)
  t.list_equal(names(last), { "s-two" })
  t.equal(last.next_page_token, nil)
  t.fails("invalid_parameter", "", function() mlrt.search_experiments { filter = "name ~ 'x'" } end)
  t.fails("invalid_parameter", "'view' must be 'active', 'deleted' or 'all', got 'dead'", function()
    mlrt.search_experiments { view = "dead" }
  end)
  t.fails("invalid_parameter", "'max_results' must be at least 1", function() mlrt.search_experiments { max_results = 0 } end)
  t.fails("invalid_parameter", "there is no option 'experiments'", function() mlrt.search_experiments { experiments = {} } end)
end)

t.finish()
