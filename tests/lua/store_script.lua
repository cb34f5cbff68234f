local t = require "harness"
local mlrt = require "mlrt"

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

t.test("gc really deletes what was deleted, with its files and names", function()
  local run = mlrt.start_run { name = "old", experiment = "dump" }
  run:log_text("12345", "a.txt")
  run:finish()
  local file = mlrt.run(run).artifact_folder .. "/a.txt"
  t.ok(exists(file))
  mlrt.delete_experiment("dump")
  t.equal(mlrt.gc({ older_than_ms = 3600000 }).runs, 0)
  local told = mlrt.gc { dry_run = true }
  t.equal(told.runs, 1)
  t.equal(told.experiments, 1)
  t.equal(told.artifact_bytes, 5)
  t.equal(mlrt.run(run).lifecycle_stage, "deleted")
  local garbage = mlrt.gc()
  t.equal(garbage.runs, 1)
  t.equal(garbage.experiments, 1)
  t.equal(garbage.logged_models, 0)
  t.ok(not exists(file))
  t.fails("not_found", "", function() mlrt.run(run.id) end)
  mlrt.create_experiment("dump")
  t.fails("invalid_parameter", "'older_than_ms' must be at least 0", function() mlrt.gc { older_than_ms = -1 } end)
end)

t.test("a store is exported to MLflow's database and imported from it, and again with only what is new", function()
  local run = mlrt.start_run { name = "travels", experiment = "export" }
  run:log_param("depth", 3)
  run:log_metrics({ loss = 0.5, nan = 0 / 0 }, 1)
  run:log_metric("loss", 0.25, 2)
  run:finish()
  local revision = mlrt.export(t.path("mlflow.db"))
  t.ok(revision:find("^%x+$"), revision)
  t.fails("already_exists", "mlflow.db", function() mlrt.export(t.path("mlflow.db")) end)
  mlrt.session { store = t.path("second.db") }
  local calls = 0
  local report = mlrt.import(t.path("mlflow.db"), { progress = function(done, total)
    calls = calls + 1
    t.ok(total == 0 or done <= total)
  end })
  t.equal(#report.problems, 0, table.concat(report.problems, "\n"))
  t.ok(report.runs >= 1)
  t.ok(report.experiments >= 1)
  t.ok(calls > 0)
  local record = mlrt.run(run.id)
  t.equal(record.name, "travels")
  t.equal(record.params.depth, "3")
  t.equal(record.metrics.loss, 0.25)
  t.ok(record.metrics.nan ~= record.metrics.nan)
  t.equal(#mlrt.metric_history(run.id, "loss"), 2)
  local again = mlrt.import(t.path("mlflow.db"), { copy_artifacts = false })
  for _, what in ipairs { "runs", "params", "metrics" } do t.equal(again[what], 0) end
  t.fails("not_found", "none.db", function() mlrt.import(t.path("none.db")) end)
  t.fails("invalid_parameter", "", function() mlrt.import(t.write("junk.txt", "no store")) end)
  t.fails("invalid_parameter", "did you mean 'progress'?", function() mlrt.import("x", { progres = print }) end)
end)

t.test("an error in progress ends the import with that error", function()
  local good, e = pcall(mlrt.import, t.path("mlflow.db"), { progress = function() error("enough", 0) end })
  t.equal(good, false)
  t.equal(e, "enough")
end)

t.finish()
