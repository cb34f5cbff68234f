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

t.test("the limits of a store are set, kept and applied to the histories of finished runs", function()
  local none = mlrt.limits()
  t.equal(none.quota_bytes, 0)
  t.equal(none.retention_days, 0.0)
  t.equal(none.keep_points, 1000)
  t.equal(none.applied_time, nil)
  t.ok(none.used_bytes > 0)
  local run = mlrt.start_run { name = "long" }
  for step = 1, 300 do run:log_metric("loss", step % 7, step) end
  run:finish()
  mlrt.update_run(run, { end_time_ms = 1000000 })
  t.equal(mlrt.set_limits({ retention_days = 1.5, keep_points = 20 }).retention_days, 1.5)
  t.equal(mlrt.set_limits({ quota_bytes = 1 << 30 }).keep_points, 20)
  local applied = mlrt.set_limits { apply = true }
  t.equal(applied.quota_bytes, 1 << 30)
  t.equal(applied.thinned_runs, 1)
  t.equal(applied.dropped_runs, 0)
  t.ok(applied.applied_time > 0)
  local history = mlrt.metric_history(run, "loss")
  t.ok(#history >= 10 and #history <= 22, #history)
  t.equal(history[1].step, 1)
  t.equal(history[#history].step, 300)
  t.equal(mlrt.run(run).tags["mlrt.history"], "thinned")
  t.equal(mlrt.run(run).metrics.loss, 6.0)
  t.fails("invalid_parameter", "a quota is at least 1048576 bytes", function() mlrt.set_limits { quota_bytes = 5 } end)
  t.fails("invalid_parameter", "'retention_days' from 0 to 36500", function() mlrt.set_limits { retention_days = -1 } end)
  t.fails("invalid_parameter", "at most 10000 points", function() mlrt.set_limits { keep_points = 10001 } end)
  t.fails("invalid_parameter", "there is no option 'quota'", function() mlrt.set_limits { quota = 5 } end)
  mlrt.set_limits { quota_bytes = 0, retention_days = 0 }
  t.ok(mlrt.gc({ compact = true }).database_bytes >= 0)
  t.fails("invalid_parameter", "'compact' goes without 'dry_run'", function()
    mlrt.gc { compact = true, dry_run = true }
  end)
end)

t.test("a store is opened with the durability that is asked for", function()
  t.equal(mlrt.session({ store = t.path("durable.db"), durability = "power" }).durability, "power")
  local run = mlrt.start_run {}
  run:log_metric("loss", 1)
  run:finish()
  t.equal(mlrt.run(run).metrics.loss, 1.0)
  t.fails("invalid_parameter", "process or power, not 'disk'", function()
    mlrt.session { durability = "disk" }
  end)
  t.equal(mlrt.session({ store = t.path("durable.db"), durability = "process" }).durability, "process")
  t.equal(mlrt.run(run).metrics.loss, 1.0)
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
