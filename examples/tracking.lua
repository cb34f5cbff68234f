-- A parameter sweep, tracked: mlrt examples/tracking.lua
-- Fits made-up points with penalties of several strengths, one run each inside of the sweep's run.
-- Then it searches the runs, compares the best with the worst, and keeps what it found as artifacts.
local mlrt = require "mlrt"

local function made_up_points(seed, count)
  math.randomseed(seed)
  local points = {}
  for i = 1, count do
    local x, y, noise = math.random(), math.random(), 0.4 * math.random()
    points[i] = { x = x, y = y, inside = x + 2 * y + noise > 1.6 }
  end
  return mlrt.table(points)
end

local train, test = made_up_points(7, 900):split { 2, 1 }    -- by a hash of each row
mlrt.set_experiment("sweep")                                 -- created on demand
local sweep <close> = mlrt.start_run { name = "l2 sweep", description = "How strong a penalty?" }
sweep:log_input(train, { name = "points", context = "train" })

for _, l2 in ipairs { 0.1, 1, 10, 100 } do                   -- a run for each, inside of the sweep
  local run <close> = mlrt.start_run { name = "l2=" .. l2, nested = true, tags = { kind = "trial" } }
  run:log_params { l2 = l2, learner = "logistic regression" }
  local model = mlrt.logistic_regression(train, { label = "inside", standardize = { "x", "y" }, l2 = l2 })
  run:log_metrics(mlrt.evaluate(model, test, { label = "inside", metric_prefix = "test_" }))
  run:log_model(model)
end

local trials = mlrt.search_runs {
  experiments = "sweep",
  filter = ("tags.kind = 'trial' AND tags.mlflow.parentRunId = '%s'"):format(sweep.id),
  order_by = "metrics.test_log_loss ASC",
}
for place, trial in ipairs(trials) do
  print(("%d. %-8s log loss %.4f   AUC %.4f"):format(place, trial.name,
    trial.metrics.test_log_loss, trial.metrics.test_roc_auc))
end

local best, worst = trials[1], trials[#trials]
print(("what differs between %s and %s"):format(best.name, worst.name))
for key, value in pairs(best.params) do
  if value ~= worst.params[key] then print(("  %-8s %s, %s"):format(key, value, worst.params[key])) end
end

local rows = {}
for i, trial in ipairs(trials) do rows[i] = { trial = trial.name, log_loss = trial.metrics.test_log_loss } end
sweep:log_table(rows, "trials.json")                         -- with the sweep, for MLflow's pages too
sweep:log_json({ run_id = best.run_id, l2 = tonumber(best.params.l2) }, "best/choice.json")
sweep:log_metric("best_log_loss", best.metrics.test_log_loss)

local choice = mlrt.load_json(sweep, "best/choice.json")     -- as a later script would
local model = mlrt.load_model(("runs:/%s/model"):format(choice.run_id))
print(("chosen: l2=%g, inside at (0.4, 0.55): %.3f"):format(choice.l2,
  model:predict { x = { 0.4 }, y = { 0.55 } }:column("prediction")[1]))
for _, file in ipairs(mlrt.list_artifacts(sweep, "", { recursive = true })) do
  print(("artifact: %s, %d bytes"):format(file.path, file.size_bytes))
end
