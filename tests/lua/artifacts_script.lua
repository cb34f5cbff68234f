local t = require "harness"
local mlrt = require "mlrt"

local png = "\x89PNG\r\n\x1a\n" .. "the rest of a picture"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function paths(list)
  local found = {}
  for i, each in ipairs(list) do found[i] = each.path end
  return found
end

t.test("values, tables and texts are stored and read back", function()
  local run <close> = mlrt.start_run()
  run:log_text("hello", "notes/hello.txt")
  run:log_json({ depth = 3, names = { "a", "b" } }, "settings.json")
  run:log_table({ x = { 1, 2 }, y = { "a", "b" } }, "rows.json")
  run:log_table({ x = { 3 }, y = { "c" } }, "rows.json")
  t.equal(mlrt.load_text(run, "notes/hello.txt"), "hello")
  t.equal(mlrt.load_text("runs:/" .. run.id .. "/notes", "hello.txt"), "hello")
  t.equal(mlrt.load_text("runs:/" .. run.id .. "/notes/hello.txt"), "hello")
  t.equal(mlrt.load_json(run, "settings.json").depth, 3)
  t.list_equal(mlrt.load_json(run.id, "settings.json").names, { "a", "b" })
  local rows = mlrt.load_table(run:record(), "rows.json")
  t.list_equal(rows:column("x"), { 1, 2, 3 })
  t.list_equal(rows:column("y"), { "a", "b", "c" })
  t.fails("invalid_parameter", "is not a table", function() mlrt.load_table(run, "settings.json") end)
  t.fails("not_found", "none.txt", function() mlrt.load_text(run, "none.txt") end)
  t.fails("not_found", "", function() mlrt.load_text(("0"):rep(32), "none.txt") end)
  t.fails("invalid_parameter", "is a folder", function() mlrt.load_text(run, "notes") end)
  t.fails("invalid_parameter", "has no JSON form", function() run:log_json(print, "f.json") end)
  for _, path in ipairs { "../out.json", "/out.json", "a/../../out.json", "a\\b.json", "" } do
    t.fails("invalid_parameter", "Invalid path", function() run:log_json({}, path) end)
  end
  t.fails("invalid_parameter", "runs:/<run id>/<path>", function() mlrt.load_text("s3://bucket/x") end)
end)

t.test("files and folders are stored, listed with their hashes and copied out", function()
  local run <close> = mlrt.start_run()
  local folder = t.path("sent")
  local source <close> = mlrt.start_run { nested = true }
  source:log_text("1", "sent/a.txt")
  source:log_text("22", "sent/deep/b.txt")
  local sent = mlrt.download_artifacts(source, "sent", folder)
  run:log_artifacts(sent)
  run:log_artifacts(sent, "copy")
  run:log_artifact(sent .. "/a.txt", "single")
  local top = mlrt.list_artifacts(run)
  t.list_equal(paths(top), { "a.txt", "copy", "deep", "single" })
  t.equal(top[1].is_folder, false)
  t.equal(top[1].size_bytes, 1)
  t.equal(top[1].sha256, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")
  t.equal(top[2].is_folder, true)
  t.equal(top[2].sha256, nil)
  t.list_equal(paths(mlrt.list_artifacts(run, "copy")), { "copy/a.txt", "copy/deep" })
  t.list_equal(paths(mlrt.list_artifacts(run, "copy", { recursive = true })), { "copy/a.txt", "copy/deep/b.txt" })
  t.list_equal(mlrt.artifacts(run), { "a.txt", "copy/a.txt", "copy/deep/b.txt", "deep/b.txt", "single/a.txt" })
  t.list_equal(paths(mlrt.list_artifacts("runs:/" .. run.id .. "/copy/deep")), { "copy/deep/b.txt" })
  local file = mlrt.download_artifacts("runs:/" .. run.id .. "/copy/deep/b.txt", nil, t.path("fetched"))
  t.equal(read(file), "22")
  t.fails("not_found", "nowhere", function() mlrt.download_artifacts(run, "nowhere", t.path("fetched")) end)
  t.fails("invalid_parameter", "'folder' must be a string, got nil", function() mlrt.download_artifacts(run, "a.txt") end)
  t.fails("not_found", "none", function() run:log_artifacts(t.path("none")) end)
  t.fails("invalid_parameter", "did you mean 'recursive'?", function() mlrt.list_artifacts(run, "", { recursiv = true }) end)
end)

t.test("pictures are stored at a path, or as a series of steps", function()
  local run <close> = mlrt.start_run()
  run:log_image(png, "plots/one.png")
  run:log_image(t.write("two.png", png), "plots/two.png")
  t.equal(mlrt.load_text(run, "plots/one.png"), png)
  t.equal(mlrt.load_text(run, "plots/two.png"), png)
  run:log_image(png, { key = "sample", step = 3 })
  local found
  for _, path in ipairs(mlrt.artifacts(run)) do
    if path:find("^images/sample%+step%+3%+timestamp%+%d+%+[^/]+%.png$") then found = path end
  end
  t.ok(found, table.concat(mlrt.artifacts(run), " "))
  t.fails("not_found", "none.png", function() run:log_image(t.path("none.png"), "x.png") end)
  t.fails("invalid_parameter", "", function() run:log_image(t.write("text.png", "only text"), "x.png") end)
  t.fails("invalid_parameter", "'key' is missing", function() run:log_image(png, { step = 1 }) end)
end)

t.test("the functions of the module store with the active run", function()
  local run <close> = mlrt.start_run()
  mlrt.log_json({ 1, 2 }, "list.json")
  mlrt.log_table({ x = { 1 } }, "table.json")
  mlrt.log_image(png, "p.png")
  mlrt.log_artifacts(t.path("sent") .. "/sent", "all")
  t.list_equal(mlrt.artifacts(run), { "all/a.txt", "all/deep/b.txt", "list.json", "p.png", "table.json" })
end)

t.finish()
