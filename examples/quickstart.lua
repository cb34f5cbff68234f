-- From a CSV file to a scored HTTP request: mlrt examples/quickstart.lua [CSV]
-- Predicts whether a taxi rider tips more than 20% of the fare, from a CSV with the columns
-- trip_miles, fare, trip_seconds, payment_type and tips. Without one, it draws 6000 trips by the
-- formula in made_up_trip.
local mlrt = require "mlrt"
local csv = ...

local function made_up_trip()
  local r = math.random                                      -- r() is uniform in [0, 1)
  local miles = 0.5 + 12 * r() * r()
  local fare = 3.25 + 2.25 * miles + 2 * r()                 -- dollars: a flag fall, a rate, a wait
  local seconds = 120 + miles * (120 + 120 * r())
  local by_card = r() < 0.4                                  -- riders who pay cash tip off the record
  local tips = by_card and fare * math.max(0, 0.1 + 0.25 * r() - 0.005 * miles) or 0
  return { trip_miles = miles, fare = fare, trip_seconds = seconds,
           payment_type = by_card and "Credit Card" or "Cash", tips = tips }
end

local function made_up_trips(seed, count)
  math.randomseed(seed)
  local trips = {}
  for i = 1, count do trips[i] = made_up_trip() end
  return mlrt.table(trips)
end

local trips = csv and mlrt.read_csv(csv) or made_up_trips(42, 6000)
trips = trips:derive("big_tip", function(trip) return trip.tips > 0.2 * trip.fare end)
local train, test = trips:split { 2, 1 }                     -- by a hash of each row
print(("data       %d trips from %s"):format(#trips, csv or "a formula"))
print(("split      %d to train, %d held out"):format(#train, #test))

mlrt.autolog()                                               -- the training below logs itself
local run <close> = mlrt.start_run { name = "taxi-tips", experiment = "quickstart" }
local model = mlrt.logistic_regression(train, {
  label = "big_tip", l2 = 1,
  standardize = { "trip_miles", "fare", "trip_seconds" }, one_hot = { "payment_type" },
})
local loss = mlrt.metric_history(run.id, "log_loss")
print(("training   log loss %.4f to %.4f in %d rounds"):format(loss[1].value, loss[#loss].value, #loss))

local metrics = mlrt.evaluate(model, test, { label = "big_tip", metric_prefix = "test_" })
local summary = ("accuracy %.4f   AUC %.4f   log loss %.4f"):format(
  metrics.test_accuracy_score, metrics.test_roc_auc, metrics.test_log_loss)
run:log_param("data", csv or "formula, seed 42")
run:log_metrics(metrics)
run:set_tag("example", "quickstart")
run:log_text(summary .. "\n", "summary.txt")
print("held out   " .. summary)

local sha256 = model:save("taxi-tips.mlrt")                  -- with its preprocessing
local version = mlrt.register_model("taxi-tips.mlrt", "taxi-tips", { alias = "champion" })
print(("bundle     taxi-tips.mlrt, SHA-256 %s..."):format(sha256:sub(1, 16)))
print(("registry   %s version %d, alias %s"):format(version.name, version.version, version.aliases[1]))

local server <close> = mlrt.serve(model)
local trip = { trip_miles = 2.5, fare = 9.25, trip_seconds = 540, payment_type = "Credit Card" }
local answer = mlrt.http.post(server.url .. "/invocations", { dataframe_records = { trip } })
print(("request    POST %s/invocations"):format(server.url))
print("answer     " .. answer.body)
