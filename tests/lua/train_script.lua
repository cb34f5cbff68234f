local t = require "harness"
local mlrt = require "mlrt"

math.randomseed(7)
local rows = {}
for i = 1, 400 do
  local x = math.random() * 4 - 2
  local kind = math.random() < 0.5 and "red" or "blue"
  local score = 2 * x + (kind == "red" and 1 or -1)
  rows[i] = { x = x, kind = kind, hit = math.random() < 1 / (1 + math.exp(-score)) }
end
local data = mlrt.table(rows)
local options = { label = "hit", standardize = { "x" }, one_hot = { "kind" }, l2 = 0.1, dataset = "dots" }

t.test("a model learns, predicts and is evaluated", function()
  local model = mlrt.logistic_regression(data, options)
  t.list_equal(model:predict(data):columns(), { "prediction" })
  local p = model:predict({ { x = 1.5, kind = "red" }, { x = -1.5, kind = "blue" } }):column("prediction")
  t.ok(p[1] > 0.9 and p[2] < 0.1)
  local metrics = mlrt.evaluate(model, data, { label = "hit" })
  t.equal(metrics.example_count, 400.0)
  t.ok(metrics.accuracy_score > 0.75)
  t.ok(mlrt.evaluate(model, data, { label = "hit", threshold = 0.99 }).recall_score < metrics.recall_score)
  t.equal(mlrt.evaluate(model, data, { label = "hit", metric_prefix = "test_" }).test_roc_auc, metrics.roc_auc)
  t.equal(model.flavor, "linear")
  t.equal(tostring(model), "linear model of 2 columns")
end)

t.test("a signature names the raw columns", function()
  local signature = mlrt.logistic_regression(data, options).signature
  t.equal(signature.inputs[1].name, "x")
  t.equal(signature.inputs[1].type, "double")
  t.equal(signature.inputs[2].type, "string")
  t.equal(signature.inputs[1].required, true)
  t.equal(#signature.outputs, 1)
end)

t.test("the same data gives the same bundle, and a loaded one predicts the same bits", function()
  local model = mlrt.logistic_regression(data, options)
  local first = model:save(t.path("a.mlrt"))
  t.equal(mlrt.logistic_regression(data, options):save(t.path("b.mlrt")), first)
  t.equal(#first, 64)
  local loaded = mlrt.load_model(t.path("a.mlrt"))
  t.equal(loaded:predict(data):digest(), model:predict(data):digest())
end)

t.test("options of training are checked", function()
  t.fails("invalid_parameter", { "'standardise'", "did you mean 'standardize'?" }, function()
    mlrt.logistic_regression(data, { label = "hit", standardise = { "x" } })
  end)
  t.fails("invalid_parameter", "'label' is missing", function() mlrt.logistic_regression(data, {}) end)
  t.fails("invalid_parameter", "'l2' must be a number, got a string", function()
    mlrt.logistic_regression(data, { label = "hit", l2 = "1" })
  end)
  t.fails("invalid_parameter", "value 2 is a number", function()
    mlrt.logistic_regression(data, { label = "hit", numeric = { "x", 5 } })
  end)
  t.fails("invalid_parameter", "'max_iterations' must be from 1", function()
    mlrt.logistic_regression(data, { label = "hit", numeric = { "x" }, max_iterations = 0 })
  end)
  t.fails("invalid_parameter", "'table' must be a table of mlrt", function()
    mlrt.logistic_regression(5, { label = "hit", numeric = { "x" } })
  end)
  t.fails("invalid_parameter", "options must be a table", function() mlrt.logistic_regression(data, "hit") end)
end)

t.test("the data of a prediction or evaluation is checked", function()
  local model = mlrt.logistic_regression(data, options)
  t.fails("invalid_parameter", "missing inputs ['kind']", function() model:predict { { x = 1.5 } } end)
  t.fails("invalid_parameter", "did you mean 'hit'?", function() mlrt.evaluate(model, data, { label = "hitt" }) end)
  t.fails("invalid_parameter", "holds strings", function() mlrt.evaluate(model, data, { label = "kind" }) end)
  t.fails("invalid_parameter", "'model' must be a model", function() mlrt.evaluate(data, data, { label = "hit" }) end)
end)

t.test("a closed model is an error", function()
  local model = mlrt.logistic_regression(data, options)
  model:close()
  t.fails("conflict", "closed", function() model:predict(data) end)
  t.fails("conflict", "closed", function() return model.signature end)
end)

t.test("a model that is not there, or not a model, is an error", function()
  t.fails("not_found", "none.mlrt", function() mlrt.load_model(t.path("none.mlrt")) end)
  t.fails("data_corrupt", "junk.mlrt", function() mlrt.load_model(t.write("junk.mlrt", "not a zip")) end)
  t.fails("not_found", "nobody", function() mlrt.load_model("models:/nobody/1") end)
end)

t.test("observers hear begin, rounds and finish", function()
  local heard, losses, finished = {}, {}, nil
  do
    local observer <close> = mlrt.on_training {
      begin = function(info) heard = info end,
      round = function(step, metrics) losses[#losses + 1] = metrics.log_loss end,
      finish = function(model) finished = model end,
    }
    mlrt.logistic_regression(data, options)
  end
  t.equal(heard.learner, "logistic_regression")
  t.equal(heard.dataset, "dots")
  t.equal(heard.row_count, 400)
  t.equal(heard.digest, data:digest())
  t.equal(heard.params.l2, "0.1")
  t.ok(#heard.columns == 3)
  t.ok(#losses >= 2 and losses[#losses] < losses[1])
  t.equal(finished.flavor, "linear")
  local count = #losses
  mlrt.logistic_regression(data, options)
  t.equal(#losses, count)
end)

t.test("an error in an observer ends the training with it, and the observer hears of the failure", function()
  local reason
  local value = { "mine" }
  local observer = mlrt.on_training {
    round = function() error(value) end,
    fail = function(text) reason = text error("this one is lost") end,
  }
  local good, e = pcall(mlrt.logistic_regression, data, options)
  observer:remove()
  observer:remove()
  t.ok(not good)
  t.equal(e, value)
  t.equal(type(reason), "string")
  t.fails("invalid_parameter", { "'rounds'", "did you mean 'round'?" }, function() mlrt.on_training { rounds = print } end)
  t.fails("invalid_parameter", "'round' must be a function, got a number", function() mlrt.on_training { round = 1 } end)
end)

t.test("a learner of one's own reports through the same hooks", function()
  local heard = {}
  local observer <close> = mlrt.on_training {
    begin = function(info) heard.begin = info end,
    round = function(step, metrics) heard[step] = metrics.loss end,
    finish = function(model, metrics) heard.finish = { model, metrics.final } end,
    fail = function(reason) heard.fail = reason end,
  }
  do
    local training <close> = mlrt.training { learner = "mine", params = { depth = 3 }, dataset = "d", table = data }
    training:round(1, { loss = 0.5 })
    training:finish(nil, { final = 0.25 })
    t.fails("conflict", "has ended", function() training:round(2, { loss = 0 }) end)
  end
  t.equal(heard.begin.learner, "mine")
  t.equal(heard.begin.params.depth, "3")
  t.equal(heard.begin.digest, data:digest())
  t.equal(heard[1], 0.5)
  t.equal(heard.finish[1], nil)
  t.equal(heard.finish[2], 0.25)
  t.equal(heard.fail, nil)
end)

t.test("a training left by an error has failed with it", function()
  local reason
  local observer <close> = mlrt.on_training { fail = function(text) reason = text end }
  local good = pcall(function()
    local training <close> = mlrt.training { learner = "mine" }
    error("out of luck", 0)
  end)
  t.ok(not good)
  t.equal(reason, "out of luck")
  reason = nil
  local training = mlrt.training { learner = "mine" }
  training:fail("by hand")
  t.equal(reason, "by hand")
  training:fail("once only")
  t.equal(reason, "by hand")
  t.fails("invalid_parameter", "'learner' is missing", function() mlrt.training {} end)
end)

t.test("a callback cannot report to the training that is calling it", function()
  local training, inside
  local observer <close> = mlrt.on_training {
    round = function() inside() end, finish = function() inside() end,
  }
  for _, name in ipairs { "round", "finish", "fail" } do
    training = mlrt.training { learner = "mine" }
    inside = function() training[name](training, name == "round" and 1 or nil, {}) end
    t.fails("conflict", "is telling its observers", function() training:round(1, {}) end)
    t.fails("conflict", "is telling its observers", function() training:finish() end)
    inside = function() end
    training:round(2, {})
    training:finish()
  end
end)

t.test("a training may be reported from a coroutine", function()
  local steps = {}
  local observer <close> = mlrt.on_training { round = function(step) steps[#steps + 1] = step end }
  local work = coroutine.wrap(function()
    local training <close> = mlrt.training { learner = "mine" }
    training:round(1, { a = 1 })
    coroutine.yield()
    training:round(2, { a = 1 })
    training:finish()
  end)
  work()
  work()
  t.list_equal(steps, { 1, 2 })
end)

t.finish()
