#include "cli/help.hpp"

namespace mlrt {

const char* root_help() {
  return R"(mlrt trains, tracks, registers and serves models, all in this one program.

Usage:
  mlrt [OPTIONS] SCRIPT.lua [ARGS...]   run a Lua script; ARGS are its own
  mlrt [OPTIONS] -e CODE [ARGS...]      run Lua code
  mlrt [OPTIONS] -i                     a prompt for Lua
  mlrt [OPTIONS] COMMAND ...            a command; 'mlrt COMMAND --help' says more

Tracking:
  experiments         create, search, get, rename, delete, restore, csv
  runs                list, search, get, describe, compare, tail, plot, delete, restore
  artifacts           log, list, download: the files of runs

Models:
  models              list, search, show, register, rename, describe, alias, stage, tag, history,
                      delete
  predict MODEL       print a model's predictions for the rows of a CSV file
  serve MODEL         answer scoring requests over HTTP
  server              serve the store over HTTP, as MLflow's tracking server

Store:
  sql SELECT          answer one SELECT on the store, read-only
  gc                  really delete what was deleted
  limits              show or set what the store may grow to
  doctor              check the store: versions, sizes, journals, defects
  import PATH         from an MLflow database, an mlruns folder or TensorBoard files
  export FILE         to a database that MLflow opens

Editors and shells:
  types DIR           stubs of the Lua API for editors
  completion SHELL    completion for bash, zsh or fish

Options:
  --store FILE        the store, one SQLite file; else $MLRT_STORE, else mlrt.db
  --overlay DIR       look for Lua modules in DIR before the built-in ones
  --log-level LEVEL   debug, info, warn (the default), error or off
  --log-format FORM   text (the default) or json, one object a line
  -V, --version       print the version
  -h, --help          print this

Environment:
  MLRT_STORE          the store where --store is not given
  MLRT_DURABILITY     what a logged record survives: process (the default: the end of the program
                      by any means; a power cut loses at most the last second) or power
  MLRT_HOST, MLRT_PORT, MLRT_ARTIFACTS_DESTINATION, MLRT_READ_ONLY, MLRT_ALLOWED_HOSTS, MLRT_CONFIG
                      options of 'mlrt server', whose help says more

Examples:
  mlrt examples/quickstart.lua
  mlrt -e 'print(require("mlrt").version)'
  mlrt runs search "metrics.auc > 0.9" --max 5
  mlrt serve taxi-tips.mlrt --port 8080
  mlrt serve models:/taxi-tips@champion --port 8080
  mlrt server --store lab.db
)";
}

}  // namespace mlrt
