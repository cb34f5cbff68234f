local t = require "harness"
local mlrt = require "mlrt"

local data = mlrt.table { x = { 1.0, 2.0, 3.0, 4.0, 5.0, 6.0 }, y = { 0, 0, 1, 0, 1, 1 } }
-- The record of the one run that body makes.
local function run_made_by(body)
  local known, made = {}, nil
  for _, run in ipairs(mlrt.runs()) do known[run.run_id] = true end
  body()
  for _, run in ipairs(mlrt.runs()) do
    if not known[run.run_id] then
      t.equal(made, nil)
      made = run
    end
  end
  return made
end

local options = { label = "y", numeric = { "x" }, l2 = 0.1 }

t.test("a run keeps what is logged to it", function()
  local id
  do
    local run <close> = mlrt.start_run { name = "first", experiment = "trials", tags = { team = "blue" } }
    id = run.id
    t.equal(run.name, "first")
    t.equal(#id, 32)
    t.equal(run, mlrt.active_run())
    t.equal(run.experiment_id, run:record().experiment_id)
    run:log_param("depth", 3)
    run:log_params { rate = 0.5, flag = true, note = "text" }
    run:log_metric("loss", 0.5)
    run:log_metric("loss", 0.25, 1)
    run:log_metrics({ a = 1, b = 0 / 0 }, 2)
    run:set_tag("n", 5)
    run:log_text("hello", "notes/hello.txt")
    run:log_artifact(t.write("data.csv", "a\n1\n"), "files")
    t.equal(run:record().status, "RUNNING")
    t.equal(run.ended, false)
  end
  local record = mlrt.run(id)
  t.equal(record.status, "FINISHED")
  t.equal(record.name, "first")
  t.equal(record.params.depth, "3")
  t.equal(record.params.rate, "0.5")
  t.equal(record.params.flag, "true")
  t.equal(record.metrics.loss, 0.25)
  t.ok(record.metrics.b ~= record.metrics.b)
  t.equal(record.tags.team, "blue")
  t.equal(record.tags.n, "5")
  t.equal(record.tags["mlflow.source.name"], arg[0])
  t.ok(record.end_time_ms >= record.start_time_ms)
  t.list_equal(mlrt.artifacts(id), { "files/data.csv", "notes/hello.txt" })
  local history = mlrt.metric_history(id, "loss")
  t.equal(#history, 2)
  t.equal(history[1].value, 0.5)
  t.equal(history[2].step, 1)
end)

t.test("a run that has ended takes nothing more", function()
  local run = mlrt.start_run()
  run:finish()
  t.equal(run.ended, true)
  t.fails("conflict", "", function() run:log_param("a", 1) end)
  t.equal(mlrt.active_run(), nil)
  local record = run_made_by(function()
    local other = mlrt.start_run()
    t.fails("invalid_parameter", "'status' must be", function() other:finish("RUNNING") end)
    t.fails("invalid_parameter", "", function() other:finish("DONE") end)
    other:finish("KILLED")
  end)
  t.equal(record.status, "KILLED")
end)

t.test("a block left by an error ends its run as FAILED", function()
  local id
  local good = pcall(function()
    local run <close> = mlrt.start_run { name = "doomed" }
    id = run.id
    error("stop")
  end)
  t.ok(not good)
  t.equal(mlrt.run(id).status, "FAILED")
  t.equal(mlrt.active_run(), nil)
end)

t.test("a second run needs nested, and has its parent", function()
  local outer <close> = mlrt.start_run { name = "outer" }
  t.fails("conflict", { "'outer'", "nested = true" }, function() mlrt.start_run() end)
  do
    local inner <close> = mlrt.start_run { nested = true }
    t.equal(inner:record().tags["mlflow.parentRunId"], outer.id)
    t.equal(mlrt.active_run(), inner)
  end
  t.equal(mlrt.active_run(), outer)
end)

t.test("the functions of the module log to the active run, or start one", function()
  t.equal(mlrt.active_run(), nil)
  mlrt.log_param("p", "v")
  local run = mlrt.active_run()
  mlrt.log_params { q = 1 }
  mlrt.log_metric("m", 1, 3)
  mlrt.log_metrics { n = 2 }
  mlrt.set_tag("k", "v")
  mlrt.log_text("text", "a.txt")
  mlrt.log_artifact(t.write("b.txt", "b"))
  local uri = mlrt.log_model(mlrt.logistic_regression(data, options), "fit")
  t.equal(uri, "runs:/" .. run.id .. "/fit")
  t.equal(mlrt.load_model(uri).flavor, "linear")
  local record = run:record()
  run:finish()
  t.equal(record.params.p, "v")
  t.equal(record.params.q, "1")
  t.equal(record.metrics.m, 1.0)
  t.equal(record.metrics.n, 2.0)
  t.equal(record.tags.k, "v")
end)

t.test("set_experiment is where later runs go, and runs are listed by experiment", function()
  mlrt.set_experiment("later")
  mlrt.start_run({ name = "one" }):finish()
  mlrt.start_run({ name = "two" }):finish()
  local runs = mlrt.runs { experiment = "later" }
  t.equal(#runs, 2)
  t.equal(#mlrt.runs { experiment = "later", max_results = 1 }, 1)
  t.ok(#mlrt.runs() > 2)
  t.fails("not_found", { "'latter'", "did you mean 'later'?" }, function() mlrt.runs { experiment = "latter" } end)
  t.fails("invalid_parameter", "'max_results'", function() mlrt.runs { max_results = 0 } end)
  t.fails("not_found", "", function() mlrt.run(("0"):rep(32)) end)
end)

t.test("wrong values are refused by name", function()
  local run <close> = mlrt.start_run()
  t.fails("invalid_parameter", "'value' must be a number, got a string", function() run:log_metric("m", "1") end)
  t.fails("invalid_parameter", "'value' must be a string, a number or a boolean, got a table", function()
    run:log_param("p", {})
  end)
  t.fails("invalid_parameter", "'q' in 'params' must be", function() run:log_params { q = print } end)
  t.fails("invalid_parameter", "'m' in 'metrics' must be a number", function() run:log_metrics { m = "1" } end)
  t.fails("invalid_parameter", "keys of 'metrics'", function() run:log_metrics { 1 } end)
  t.fails("invalid_parameter", "'step' must be a whole number", function() run:log_metric("m", 1, 0.5) end)
  t.fails("invalid_parameter", "'key' must be a string, got nil", function() run:set_tag() end)
  t.fails("invalid_parameter", "did you mean 'log_metric'?", function() run:log_metrc("m", 1) end)
  t.fails("invalid_parameter", "did you mean 'nested'?", function() mlrt.start_run { nestd = true } end)
  t.fails("invalid_parameter", "'tags' must be a table, got a string", function() mlrt.start_run { tags = "x" } end)
  run:log_param("once", 1)
  run:log_param("once", 1)
  t.fails("invalid_parameter", "Changing param values is not allowed", function() run:log_param("once", 2) end)
  t.fails("invalid_parameter", "", function() run:log_text("x", "../out.txt") end)
  t.fails("not_found", "none.txt", function() run:log_artifact(t.path("none.txt")) end)
end)

t.test("autolog logs a training to the active run", function()
  mlrt.autolog()
  local id
  do
    local run <close> = mlrt.start_run()
    id = run.id
    mlrt.logistic_regression(data, options)
  end
  local record = mlrt.run(id)
  t.equal(record.tags["mlrt.learner"], "logistic_regression")
  t.equal(record.params.l2, "0.1")
  t.ok(#mlrt.metric_history(id, "log_loss") >= 2)
  t.equal(record.inputs[1].digest, data:digest())
  t.equal(record.inputs[1].context, "train")
  t.equal(mlrt.load_model("runs:/" .. id .. "/model").flavor, "linear")
  mlrt.autolog { log_model = false, log_dataset = false }
  local own = run_made_by(function() mlrt.logistic_regression(data, options) end)
  t.equal(own.status, "FINISHED")
  t.equal(#own.inputs, 0)
  t.equal(#mlrt.artifacts(own.run_id), 0)
  mlrt.autolog(false)
  t.equal(run_made_by(function() mlrt.logistic_regression(data, options) end), nil)
  mlrt.autolog { disable = true }
  t.fails("invalid_parameter", "did you mean 'log_model'?", function() mlrt.autolog { log_modle = true } end)
end)

t.test("a learner of one's own is logged too, as a run that fails with it", function()
  mlrt.autolog()
  local record = run_made_by(function()
    pcall(function()
      local training <close> = mlrt.training { learner = "mine", params = { a = 1 } }
      training:round(1, { loss = 2 })
      error("stop")
    end)
  end)
  mlrt.autolog(false)
  t.equal(record.tags["mlrt.learner"], "mine")
  t.equal(record.status, "FAILED")
  t.equal(record.metrics.loss, 2.0)
end)

t.test("models are registered, listed, aliased and loaded", function()
  local model = mlrt.logistic_regression(data, options)
  model:save(t.path("m.mlrt"))
  local run <close> = mlrt.start_run()
  local first = mlrt.register_model(t.path("m.mlrt"), "dots", { alias = "champion" })
  t.equal(first.version, 1)
  t.equal(first.name, "dots")
  t.equal(first.run_id, run.id)
  t.list_equal(first.aliases, { "champion" })
  local uri = run:log_model(model)
  do  -- the run that the URI names, not the one that happens to be active
    local inner <close> = mlrt.start_run { nested = true }
    local second = mlrt.register_model(uri, "dots")
    t.equal(second.version, 2)
    t.equal(second.run_id, run.id)
  end
  os.remove(t.path("m.mlrt"))
  t.equal(mlrt.load_model("models:/dots@champion"):predict(data):digest(), model:predict(data):digest())
  mlrt.set_alias("dots", "champion", 2)
  mlrt.set_alias("dots", "old", 1)
  mlrt.delete_alias("dots", "old")
  local models = mlrt.models()
  t.equal(#models, 1)
  t.equal(models[1].versions[1].version, 2)
  t.list_equal(models[1].versions[1].aliases, { "champion" })
  t.list_equal(models[1].versions[2].aliases, {})
  t.fails("not_found", "old", function() mlrt.load_model("models:/dots@old") end)
  t.fails("not_found", "", function() mlrt.set_alias("dots", "x", 9) end)
  t.fails("not_found", "none.mlrt", function() mlrt.register_model(t.path("none.mlrt"), "dots") end)
  t.equal(#mlrt.models()[1].versions, 2)
end)

t.test("session opens another store", function()
  local session = mlrt.session { store = t.path("other.db") }
  t.equal(session.store, t.path("other.db"))
  t.equal(#mlrt.runs(), 0)
  local run <close> = mlrt.start_run()
  t.fails("conflict", "finish the active run", function() mlrt.session { store = t.path("third.db") } end)
  run:finish()
  t.fails("not_found", "fourth.db", function() mlrt.session { store = t.path("fourth.db"), must_exist = true } end)
  t.fails("data_corrupt", "junk.db", function() mlrt.session { store = t.write("junk.db", ("junk"):rep(500)) } end)
  t.equal(#mlrt.runs(), 1)
end)

t.finish()
