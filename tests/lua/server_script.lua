local t = require "harness"
local mlrt = require "mlrt"

local data = mlrt.table { x = { 1.0, 2.0, 3.0, 4.0, 5.0, 6.0 }, y = { 0, 0, 1, 0, 1, 1 } }
local model = mlrt.logistic_regression(data, { label = "y", numeric = { "x" }, l2 = 0.1 })

t.test("a model is served until the end of the block", function()
  local url
  do
    local server <close> = mlrt.serve(model)
    url = server.url
    t.ok(server.port > 0)
    t.equal(url, "http://127.0.0.1:" .. server.port)
    t.equal(mlrt.http.get(url .. "/ping").status, 200)
    local answer = mlrt.http.post(url .. "/invocations", { dataframe_records = { { x = 2.5 } } })
    t.equal(answer.status, 200)
    t.equal(answer.headers["content-type"], "application/json")
    t.equal(mlrt.json.decode(answer.body).predictions[1], model:predict({ { x = 2.5 } }):column("prediction")[1])
  end
  t.fails("unavailable", "127.0.0.1", function() mlrt.http.get(url .. "/ping") end)
end)

t.test("a path is served too, and stop may be called twice", function()
  model:save(t.path("m.mlrt"))
  local server = mlrt.serve(t.path("m.mlrt"), { host = "127.0.0.1", port = 0 })
  local answer = mlrt.http.post(server.url .. "/invocations", '{"dataframe_records":[{"x":1}]}',
    { ["Content-Type"] = "application/json" }, { timeout_ms = 5000 })
  t.equal(answer.status, 200)
  server:stop()
  server:stop()
  t.fails("conflict", "closed", function() return server.url end)
  t.fails("conflict", "closed", function() server:wait() end)
end)

t.test("a status is an answer, not an error", function()
  local server <close> = mlrt.serve(model)
  t.equal(mlrt.http.get(server.url .. "/nothing", { Accept = "text/plain" }).status, 404)
end)

t.test("what cannot be served or reached is an error", function()
  local server <close> = mlrt.serve(model)
  t.fails("unavailable", tostring(server.port), function() mlrt.serve(model, { port = server.port }) end)
  t.fails("invalid_parameter", "'port' must be from 0", function() mlrt.serve(model, { port = 70000 }) end)
  t.fails("invalid_parameter", "did you mean 'port'?", function() mlrt.serve(model, { prot = 1 }) end)
  t.fails("not_found", "none.mlrt", function() mlrt.serve(t.path("none.mlrt")) end)
  t.fails("invalid_parameter", "'model' must be a model", function() mlrt.serve(data) end)
  t.fails("invalid_parameter", "ftp", function() mlrt.http.get("ftp://127.0.0.1/") end)
  t.fails("invalid_parameter", "'url' must be a string", function() mlrt.http.post() end)
  t.fails("invalid_parameter", "timeout_ms", function() mlrt.http.get(server.url, nil, { timeout_ms = 0 }) end)
end)

t.finish()
