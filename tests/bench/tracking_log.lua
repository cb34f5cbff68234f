-- The Lua side of `scripts/dev bench tracking`: commands from standard input. Each is answered with a
-- line when it begins and one when it is done, so that who asks can take the time.

local mlrt = require "mlrt"

local commands = {}
local run

function commands.log(count)
  run = run or mlrt.start_run()
  io.write("begins\n")
  for i = 1, count do run:log_metric("loss", 0.25 * i, i) end
end

function commands.settle()
  io.write("begins\n")
  local _ = run and run:record()  -- reads all that was logged
end

function commands.runs(count)
  io.write("begins\n")
  for i = 1, count do
    local one <close> = mlrt.start_run { name = "bench" }
    local params, metrics = {}, {}
    for k = 0, 9 do
      params["param" .. k] = i + k
      metrics["metric" .. k] = 0.5 * i + k
    end
    one:log_params(params)
    one:log_metrics(metrics)
  end
end

function commands.search()
  io.write("begins\n")
  local found = mlrt.search_runs {
    filter = "metrics.rmse < 1 and params.model = 'tree'", order_by = "metrics.mae ASC", max_results = 100,
  }
  assert(#found == 100)
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local name, count = line:match("^(%a+) ?(%d*)$")
  commands[name](tonumber(count))
  io.write("done\n")
end
