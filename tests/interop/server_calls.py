"""The calls that are sent to `mlrt server` and to a stock `mlflow server`, in this order.

A call is (name, method, route, body, keep): `keep` takes values out of the answer, by path, under names that
later calls use as $name. A route that does not begin with /api or /ajax-api is below /api/2.0/mlflow.
"""
import collections

import search_test

Call = collections.namedtuple("Call", "name method route body keep")
T = 1700000000000
LONG_KEY = "k" * 251


def get(name, route, **keep):
    return Call(name, "GET", route, None, keep)


def post(name, route, body, **keep):
    return Call(name, "POST", route, body, keep)


def patch(name, route, body):
    return Call(name, "PATCH", route, body, {})


def delete(name, route, body=None):
    return Call(name, "DELETE", route, body, {})


def tag(key, value):
    return {"key": key, "value": value}


def metric(key, value, step=0, timestamp=T, **more):
    return {"key": key, "value": value, "step": step, "timestamp": timestamp, **more}


def experiments():
    yield get("the default experiment", "/experiments/get?experiment_id=0")
    yield get("an experiment that is not there", "/experiments/get?experiment_id=77")
    yield get("an experiment's id that is no number", "/experiments/get?experiment_id=abc")
    yield get("an experiment's id is missing", "/experiments/get")
    yield get("a name that is not there", "/experiments/get-by-name?experiment_name=taxi")
    yield post("create", "/experiments/create", {"name": "taxi", "tags": [tag("team", "a")]}, exp="experiment_id")
    yield get("get by name", "/experiments/get-by-name?experiment_name=taxi")
    yield post("create again", "/experiments/create", {"name": "other"}, other="experiment_id")
    yield post("create where", "/experiments/create", {"name": "where", "artifact_location": "mlflow-artifacts:/w"},
               where="experiment_id")
    yield get("get where", "/experiments/get?experiment_id=$where")
    yield post("create at the root", "/experiments/create", {"name": "top", "artifact_location": "mlflow-artifacts:/"},
               top="experiment_id")
    yield get("get the one at the root", "/experiments/get?experiment_id=$top")
    yield post("create with a control character", "/experiments/create", {"name": "a\u0001z"})
    yield get("get by a name with a control character", "/experiments/get-by-name?experiment_name=a%01z")
    yield post("delete the one at the root", "/experiments/delete", {"experiment_id": "$top"})
    yield post("create with an empty name", "/experiments/create", {"name": ""})
    yield post("create with a long name", "/experiments/create", {"name": "n" * 501})
    yield post("create with a number as name", "/experiments/create", {"name": 3})
    yield post("rename", "/experiments/update", {"experiment_id": "$other", "new_name": "renamed"})
    yield post("rename to a name in use", "/experiments/update", {"experiment_id": "$other", "new_name": "where"})
    yield post("rename what is not there", "/experiments/update", {"experiment_id": "88", "new_name": "x"})
    yield post("tag", "/experiments/set-experiment-tag", {"experiment_id": "$other", **tag("a", "b c")})
    yield post("tag anew", "/experiments/set-experiment-tag", {"experiment_id": "$other", **tag("a", "d")})
    yield post("tag with a long key", "/experiments/set-experiment-tag",
               {"experiment_id": "$other", **tag(LONG_KEY, "d")})
    yield post("tag with a bad key", "/experiments/set-experiment-tag",
               {"experiment_id": "$other", **tag("a/../b", "")})
    yield post("untag", "/experiments/delete-experiment-tag", {"experiment_id": "$other", "key": "a"})
    yield post("untag what is not there", "/experiments/delete-experiment-tag", {"experiment_id": "$other", "key": "a"})
    yield post("delete", "/experiments/delete", {"experiment_id": "$other"})
    yield get("get the deleted", "/experiments/get?experiment_id=$other")
    yield get("get the deleted by name", "/experiments/get-by-name?experiment_name=renamed")
    yield post("delete the deleted", "/experiments/delete", {"experiment_id": "$other"})
    yield post("create with a deleted one's name", "/experiments/create", {"name": "renamed"})
    yield post("rename the deleted", "/experiments/update", {"experiment_id": "$other", "new_name": "y"})
    yield post("run in the deleted", "/runs/create", {"experiment_id": "$other"})
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        yield post(f"search {view}", "/experiments/search",
                   {"view_type": view, "max_results": 10, "order_by": ["experiment_id"]})
    yield post("restore", "/experiments/restore", {"experiment_id": "$other"})
    yield post("restore the active", "/experiments/restore", {"experiment_id": "$other"})
    yield post("restore what is not there", "/experiments/restore", {"experiment_id": "99"})
    yield get("search by GET", "/experiments/search?max_results=10&order_by=name&filter=tags.team = 'a'")
    yield post("search in pages", "/experiments/search", {"max_results": 2, "order_by": ["name"]},
               page="next_page_token")
    yield post("search the next page", "/experiments/search",
               {"max_results": 2, "order_by": ["name"], "page_token": "$page"})
    for name, body in (("no max_results", {}), ("none", {"max_results": 0}), ("negative", {"max_results": -1}),
                       ("too many", {"max_results": 50001}), ("a bad filter", {"filter": "nme = 'x'"}),
                       ("a bad order", {"order_by": ["nothing"]}), ("a bad token", {"page_token": "nonsense"}),
                       ("a comparator of another type", {"filter": "name > 'x'"}),
                       ("no quotes", {"filter": "name = x"})):
        yield post(f"search experiments: {name}", "/experiments/search",
                   {"max_results": 5, "order_by": ["name"], **body})


def runs():
    yield post("create", "/runs/create",
               {"experiment_id": "$exp", "user_id": "ann", "run_name": "first", "start_time": T,
                                          "tags": [tag("team", "edge"), tag("mlflow.source.name", "train.py")]},
               run="run.info.run_id")
    yield post("create without anything", "/runs/create", {})
    yield post("create in the default", "/runs/create", {"experiment_id": "0"}, bare="run.info.run_id")
    yield post("create for what only one accepts", "/runs/create", {"experiment_id": "0", "run_name": "scratch"},
               scratch="run.info.run_id")
    yield post("create in no experiment", "/runs/create", {"experiment_id": "77"})
    yield post("create with two names", "/runs/create",
               {"experiment_id": "$exp", "run_name": "a", "tags": [tag("mlflow.runName", "b")]})
    yield post("create with a name by tag", "/runs/create",
               {"experiment_id": "$exp", "start_time": T + 5, "tags": [tag("mlflow.runName", "tagged")]},
               tagged="run.info.run_id")
    yield post("create with a time that is none", "/runs/create", {"experiment_id": "$exp", "start_time": "soon"})
    yield get("get", "/runs/get?run_id=$run")
    yield get("get by the old name", "/runs/get?run_uuid=$run")
    yield get("get without id", "/runs/get")
    yield get("get what is not there", "/runs/get?run_id=" + "0" * 32)
    yield get("get a bad id", "/runs/get?run_id=../x")
    yield post("log-metric", "/runs/log-metric", {"run_id": "$run", **metric("loss", 0.5, 1)})
    yield post("log-metric by the old name", "/runs/log-metric", {"run_uuid": "$run", **metric("loss", 0.25, 2)})
    yield post("log-metric twice the same", "/runs/log-metric", {"run_id": "$run", **metric("loss", 0.25, 2)})
    yield post("log-metric an older step", "/runs/log-metric", {"run_id": "$run", **metric("loss", 9, 0)})
    for text in ("NaN", "Infinity", "-Infinity"):
        yield post(f"log-metric {text}", "/runs/log-metric", {"run_id": "$run", **metric(f"m{text}", text)})
    yield post("log-metric of step -5", "/runs/log-metric", {"run_id": "$run", **metric("neg", 1, -5)})
    yield post("log-metric with steps as text", "/runs/log-metric", {"run_id": "$run", **metric("steps", 1, "7")})
    yield post("log-metric without step", "/runs/log-metric",
               {"run_id": "$run", "key": "nostep", "value": 1, "timestamp": T})
    yield post("log-metric with a dataset", "/runs/log-metric", {
        "run_id": "$run", **metric("acc", 0.75, dataset_name="d", dataset_digest="x1")})
    for name, body in (("no key", {"value": 1, "timestamp": T}), ("no value", {"key": "a", "timestamp": T}),
                       ("no timestamp", {"key": "a", "value": 1}), ("a word as value", metric("a", "word")),
                       ("a word as step", metric("a", 1, "word")), ("a word as timestamp", metric("a", 1, 0, "word")),
                       ("a fraction as step", metric("a", 1, 0.5)), ("a list as key", metric(["a"], 1)),
                       ("a bad key", metric("a$$b", 1)), ("a key that is a path", metric("a//b", 1)),
                       ("a long key", metric(LONG_KEY, 1)), ("true as value", metric("a", True)),
                       ("null as value", metric("a", None)), ("a negative timestamp", metric("a", 1, 0, -1))):
        yield post(f"log-metric: {name}", "/runs/log-metric", {"run_id": "$scratch", **body})
    yield post("log-metric: no run", "/runs/log-metric", metric("a", 1))
    yield post("log-metric: no such run", "/runs/log-metric", {"run_id": "0" * 32, **metric("a", 1)})
    yield post("log-parameter", "/runs/log-parameter", {"run_id": "$run", **tag("model", "tree")})
    yield post("log-parameter the same", "/runs/log-parameter", {"run_id": "$run", **tag("model", "tree")})
    yield post("log-parameter another value", "/runs/log-parameter", {"run_id": "$run", **tag("model", "forest")})
    yield post("log-parameter of nothing", "/runs/log-parameter", {"run_id": "$run", **tag("empty", "")})
    yield post("log-parameter long", "/runs/log-parameter", {"run_id": "$run", **tag("long", "v" * 6001)})
    yield post("log-parameter with a bad key", "/runs/log-parameter", {"run_id": "$run", **tag("../a", "v")})
    yield post("log-parameter without key", "/runs/log-parameter", {"run_id": "$run", "value": "v"})
    yield post("set-tag", "/runs/set-tag", {"run_id": "$run", **tag("note", "several\nlines é")})
    yield post("set-tag anew", "/runs/set-tag", {"run_id": "$run", **tag("note", "one")})
    yield post("set-tag long", "/runs/set-tag", {"run_id": "$run", **tag("longtag", "v" * 8001)})
    yield post("set-tag without key", "/runs/set-tag", {"run_id": "$run", "value": "x"})
    yield post("set-tag renames", "/runs/set-tag", {"run_id": "$run", **tag("mlflow.runName", "first again")})
    yield post("set-tag to remove", "/runs/set-tag", {"run_id": "$run", **tag("gone", "x")})
    yield post("delete-tag", "/runs/delete-tag", {"run_id": "$run", "key": "gone"})
    yield post("delete-tag of nothing", "/runs/delete-tag", {"run_id": "$run", "key": "gone"})
    yield post("log-batch", "/runs/log-batch", {
        "run_id": "$run", "metrics": [metric("b", i / 4, i, T + i) for i in range(8)],
        "params": [tag("p1", "1"), tag("p2", "2")], "tags": [tag("t1", "1"), tag("t2", "2")]})
    yield post("log-batch of nothing", "/runs/log-batch", {"run_id": "$run"})
    yield post("log-batch to the limit", "/runs/log-batch",
               {"run_id": "$tagged", "metrics": [metric("big", i, i) for i in range(1000)]})
    yield post("log-batch of 1001 metrics", "/runs/log-batch",
               {"run_id": "$run", "metrics": [metric("x", i, i) for i in range(1001)]})
    yield post("log-batch of 101 params", "/runs/log-batch",
               {"run_id": "$run", "params": [tag(f"x{i}", "1") for i in range(101)]})
    yield post("log-batch of 101 tags", "/runs/log-batch",
               {"run_id": "$run", "tags": [tag(f"x{i}", "1") for i in range(101)]})
    yield post("log-batch of 1001 in all", "/runs/log-batch",
               {"run_id": "$run", "metrics": [metric("x", i, i) for i in range(950)],
                "params": [tag(f"x{i}", "1") for i in range(51)]})
    yield post("log-batch with a param twice", "/runs/log-batch",
               {"run_id": "$run", "params": [tag("twice", "1"), tag("twice", "2")]})
    yield post("log-batch with a param twice the same", "/runs/log-batch",
               {"run_id": "$run", "params": [tag("same", "1"), tag("same", "1")]})
    yield post("log-batch that changes a param", "/runs/log-batch",
               {"run_id": "$run", "params": [tag("fresh", "1"), tag("model", "x")], "metrics": [metric("fresh", 1)]})
    yield post("log-batch with a bad metric", "/runs/log-batch",
               {"run_id": "$run", "metrics": [metric("good", 1), metric("bad$$", 1)]})
    yield post("log-batch with a metric without key", "/runs/log-batch",
               {"run_id": "$run", "metrics": [{"value": 1, "timestamp": T}]})
    yield post("log-batch of a word", "/runs/log-batch", {"run_id": "$run", "metrics": "word"})
    yield post("log-batch without run", "/runs/log-batch", {"metrics": []})
    yield get("get all that was logged", "/runs/get?run_id=$run")
    dataset = {"name": "trips", "digest": "abc", "source_type": "local", "source": "{}", "schema": "{}",
               "profile": "{}"}
    yield post("log-inputs", "/runs/log-inputs", {
        "run_id": "$run", "datasets": [{"dataset": dataset, "tags": [tag("mlflow.data.context", "train")]}]})
    yield post("log-inputs without name", "/runs/log-inputs",
               {"run_id": "$scratch", "datasets": [{"dataset": {"digest": "a"}}]})
    yield post("log-inputs without digest", "/runs/log-inputs", {
        "run_id": "$scratch", "datasets": [{"dataset": {"name": "a", "source_type": "x", "source": "y"}}]})
    yield post("log-inputs with a long digest", "/runs/log-inputs", {
        "run_id": "$run", "datasets": [{"dataset": {**dataset, "digest": "d" * 37}}]})
    yield post("search-datasets", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": ["$exp"]})
    yield post("search-datasets nowhere", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": []})
    yield get("get with the dataset", "/runs/get?run_id=$run")


def run_ends():
    yield post("update", "/runs/update",
               {"run_id": "$run", "status": "FINISHED", "end_time": T + 99, "run_name": "ended"})
    yield post("update nothing", "/runs/update", {"run_id": "$run"})
    yield post("update to a status that is none", "/runs/update", {"run_id": "$scratch", "status": "DONE"})
    yield post("update what is not there", "/runs/update", {"run_id": "0" * 32, "status": "FAILED"})
    yield post("update without end", "/runs/update", {"run_id": "$bare", "status": "KILLED"})
    yield get("get the ended", "/runs/get?run_id=$run")
    yield get("get the killed", "/runs/get?run_id=$bare")
    yield post("delete a run", "/runs/delete", {"run_id": "$bare"})
    yield get("get a deleted run", "/runs/get?run_id=$bare")
    yield post("delete a run again", "/runs/delete", {"run_id": "$bare"})
    yield post("delete no run", "/runs/delete", {"run_id": "0" * 32})
    yield post("log-metric to a deleted run", "/runs/log-metric", {"run_id": "$bare", **metric("a", 1)})
    yield post("log-parameter to a deleted run", "/runs/log-parameter", {"run_id": "$bare", **tag("a", "1")})
    yield post("set-tag on a deleted run", "/runs/set-tag", {"run_id": "$bare", **tag("a", "1")})
    yield post("delete-tag on a deleted run", "/runs/delete-tag", {"run_id": "$bare", "key": "a"})
    yield post("log-batch to a deleted run", "/runs/log-batch", {"run_id": "$bare", "metrics": [metric("a", 1)]})
    yield post("update a deleted run", "/runs/update", {"run_id": "$bare", "status": "FAILED"})
    yield post("search deleted runs", "/runs/search", {"experiment_ids": ["0"], "run_view_type": "DELETED_ONLY"})
    yield post("restore a run", "/runs/restore", {"run_id": "$bare"})
    yield post("restore a run again", "/runs/restore", {"run_id": "$bare"})
    yield post("search with the active only", "/runs/search",
               {"experiment_ids": ["0", "$exp"], "filter": "status = 'KILLED'"})


def histories():
    yield get("history", "/metrics/get-history?run_id=$run&metric_key=loss")
    yield get("history of NaN", "/metrics/get-history?run_id=$run&metric_key=mNaN")
    yield get("history of infinity", "/metrics/get-history?run_id=$run&metric_key=mInfinity")
    yield get("history of nothing", "/metrics/get-history?run_id=$run&metric_key=absent")
    yield get("history without key", "/metrics/get-history?run_id=$run")
    yield get("history without run", "/metrics/get-history?metric_key=loss")
    yield get("history of no run", "/metrics/get-history?metric_key=loss&run_id=" + "0" * 32)
    yield get("history in pages", "/metrics/get-history?run_id=$run&metric_key=b&max_results=3", more="next_page_token")
    yield get("history, next page", "/metrics/get-history?run_id=$run&metric_key=b&max_results=3&page_token=$more")
    ajax = "/ajax-api/2.0/mlflow/metrics/"
    yield get("bulk", ajax + "get-history-bulk?run_id=$run&run_id=$tagged&metric_key=b&max_results=4")
    yield get("bulk without runs", ajax + "get-history-bulk?metric_key=b")
    yield get("bulk without key", ajax + "get-history-bulk?run_id=$run")
    yield get("bulk of 101 runs", ajax + "get-history-bulk?metric_key=b" + "&run_id=$run" * 101)
    interval = ajax + "get-history-bulk-interval?"
    yield get("interval", interval + "run_ids=$run&run_ids=$tagged&metric_key=big&max_results=10")
    yield get("interval with steps",
              interval + "run_ids=$tagged&metric_key=big&start_step=10&end_step=20&max_results=5")
    yield get("interval that is none", interval + "run_ids=$tagged&metric_key=big&start_step=20&end_step=10")
    yield get("interval of half", interval + "run_ids=$tagged&metric_key=big&start_step=20")
    yield get("interval without key", interval + "run_ids=$tagged")
    yield get("interval of too many", interval + "run_ids=$tagged&metric_key=big&max_results=2501")
    yield get("interval of no results", interval + "run_ids=$tagged&metric_key=big&max_results=0")


def logged_models():
    yield post("create", "/logged-models", {
        "experiment_id": "$exp", "name": "clf", "model_type": "classifier", "source_run_id": "$run",
        "params": [tag("depth", "3")], "tags": [tag("t", "1")]}, model="model.info.model_id")
    yield post("create a second", "/logged-models", {"experiment_id": "$exp", "name": "reg"},
               second="model.info.model_id")
    for character in "/:.%\"'":
        yield post(f"create with {character} in the name", "/logged-models",
                   {"experiment_id": "$exp", "name": f"a{character}b"})
    yield post("create without experiment", "/logged-models", {"name": "x"})
    yield post("create in no experiment", "/logged-models", {"experiment_id": "77", "name": "x"})
    yield get("get a model", "/logged-models/$model")
    yield get("get no model", "/logged-models/m-" + "0" * 32)
    yield patch("finalize", "/logged-models/$model", {"model_id": "$model", "status": "LOGGED_MODEL_READY"})
    yield patch("finalize as failed", "/logged-models/$second",
                {"model_id": "$second", "status": "LOGGED_MODEL_UPLOAD_FAILED"})
    yield patch("finalize without status", "/logged-models/$second", {"model_id": "$second"})
    yield patch("finalize no model", "/logged-models/m-0", {"model_id": "m-0", "status": "LOGGED_MODEL_READY"})
    yield patch("tag a model", "/logged-models/$model/tags", {"tags": [tag("a", "b"), tag("c", "d")]})
    yield delete("untag a model", "/logged-models/$model/tags/a")
    yield delete("untag what is not there", "/logged-models/$model/tags/a")
    yield post("params of a model", "/logged-models/$model/params", {"params": [tag("width", "9")]})
    yield post("metric of a model", "/runs/log-metric", {"run_id": "$run", **metric("f1", 0.5, 3, model_id="$model")})
    yield post("metrics of a model in a batch", "/runs/log-batch", {"run_id": "$run", "metrics": [
        metric("f1", 0.625, 4, T + 1, model_id="$model"),
        metric("auc", 0.875, 4, T + 1, model_id="$model", dataset_name="trips", dataset_digest="abc")]})
    yield post("metric of a second model", "/runs/log-metric",
               {"run_id": "$run", **metric("f1", 0.25, 3, model_id="$second")})
    yield post("outputs", "/runs/outputs", {"run_id": "$run", "models": [{"model_id": "$model", "step": 3}]})
    yield post("outputs without run", "/runs/outputs", {"models": [{"model_id": "$model", "step": 3}]})
    yield post("inputs that are models", "/runs/log-inputs", {"run_id": "$run", "models": [{"model_id": "$second"}]})
    yield get("get the model with all", "/logged-models/$model")
    yield get("get the run with models", "/runs/get?run_id=$run")
    searches = (
        {}, {"filter": "name = 'clf'"}, {"filter": "name LIKE '%l%'"}, {"filter": "attributes.name ILIKE 'CL%'"},
        {"filter": "name IN ('clf', 'reg')"}, {"filter": "name NOT IN ('clf')"},
        {"filter": "model_type = 'classifier'"},
        {"filter": "status = 'READY'"}, {"filter": "source_run_id = '$run'"}, {"filter": "tags.t = '1'"},
        {"filter": "params.depth = '3'"}, {"filter": "params.depth != '3'"}, {"filter": "metrics.f1 > 0.3"},
        {"filter": "metrics.f1 <= 0.5"}, {"filter": "creation_timestamp > 5"}, {"filter": "model_id = '$second'"},
        {"filter": "metrics.auc > 0", "datasets": [{"dataset_name": "trips", "dataset_digest": "abc"}]},
        {"filter": "metrics.auc > 0", "datasets": [{"dataset_name": "other"}]},
        {"order_by": [{"field_name": "metrics.f1", "ascending": False}]},
        {"order_by": [{"field_name": "metrics.f1"}]}, {"order_by": [{"field_name": "name", "ascending": True}]},
        {"order_by": [{"field_name": "creation_timestamp", "ascending": True}]},
        {"order_by": [{"field_name": "metrics.auc", "dataset_name": "trips", "ascending": True}]})
    for i, body in enumerate(searches):
        body = {"order_by": [{"field_name": "name", "ascending": True}], **body}
        yield post(f"search models {i}: {body.get('filter', '')}", "/logged-models/search",
                   {"experiment_ids": ["$exp"], **body})
    for name, body in (("a bad filter", {"filter": "nothing = 1"}), ("OR", {"filter": "name = 'a' OR name = 'b'"}),
                       ("a bad order", {"order_by": [{"field_name": "nothing"}]}), ("no field", {"order_by": [{}]}),
                       ("a number as name", {"filter": "name = 3"}), ("text as metric", {"filter": "metrics.f1 = 'a'"}),
                       ("too many", {"max_results": 1001}), ("none", {"max_results": 0}),
                       ("a bad token", {"page_token": "nonsense"})):
        body = {"order_by": [{"field_name": "name", "ascending": True}], **body}
        yield post(f"search models: {name}", "/logged-models/search", {"experiment_ids": ["$exp"], **body})
    yield post("search models: more than fit", "/logged-models/search", {
        "experiment_ids": ["$exp"], "max_results": 100000, "order_by": [{"field_name": "name", "ascending": True}]})
    yield post("search models nowhere", "/logged-models/search", {"experiment_ids": []})
    yield get("files of a model without any", "/logged-models/$model/artifacts/directories")
    yield post("create without name", "/logged-models", {"experiment_id": "$exp"}, unnamed="model.info.model_id")
    yield delete("delete a model", "/logged-models/$unnamed")
    yield patch("finalize as nothing", "/logged-models/$second", {"model_id": "$second", "status": "DONE"})
    yield get("get a deleted model", "/logged-models/$unnamed")
    yield delete("delete a model again", "/logged-models/$unnamed")


def registry():
    base, versions = "/registered-models/", "/model-versions/"
    yield post("register", base + "create", {"name": "taxi tips", "description": "what", "tags": [tag("a", "b")]})
    yield post("register again", base + "create", {"name": "taxi tips"})
    yield post("register without name", base + "create", {})
    yield post("register an empty name", base + "create", {"name": ""})
    yield post("register a/b", base + "create", {"name": "a/b"})
    yield post("register a:b", base + "create", {"name": "a:b"})
    yield post("register a second", base + "create", {"name": "second"})
    yield get("get", base + "get?name=taxi tips")
    yield get("get nothing", base + "get?name=nothing")
    yield get("get without name", base + "get")
    yield patch("update", base + "update", {"name": "second", "description": "changed"})
    yield patch("update nothing", base + "update", {"name": "nothing", "description": "x"})
    yield post("rename", base + "rename", {"name": "second", "new_name": "other"})
    yield post("rename to a name in use", base + "rename", {"name": "other", "new_name": "taxi tips"})
    yield post("rename to nothing", base + "rename", {"name": "other"})
    yield post("tag", base + "set-tag", {"name": "other", **tag("k", "v")})
    yield post("tag nothing", base + "set-tag", {"name": "nothing", **tag("k", "v")})
    yield post("tag without key", base + "set-tag", {"name": "other", "value": "v"})
    yield delete("untag", base + "delete-tag", {"name": "other", "key": "k"})
    yield delete("untag again", base + "delete-tag", {"name": "other", "key": "k"})
    source = "mlflow-artifacts:/$exp/$run/artifacts/model"
    for i in range(3):
        yield post(f"version {i + 1}", versions + "create", {
            "name": "taxi tips", "source": source, "run_id": "$run", "description": f"number {i}",
            "run_link": f"http://run/{i}", "tags": [tag("v", str(i))]})
    yield post("version of a model", versions + "create",
               {"name": "taxi tips", "source": "models:/$model", "model_id": "$model"})
    yield post("version of no model", versions + "create", {"name": "nothing", "source": source, "run_id": "$run"})
    yield post("version without source", versions + "create", {"name": "taxi tips"})
    yield post("version from a local path", versions + "create",
               {"name": "taxi tips", "source": "/etc", "run_id": "$run"})
    yield post("version from a file uri", versions + "create", {"name": "taxi tips", "source": "file:///etc"})
    yield post("version from above", versions + "create", {
        "name": "taxi tips", "source": "mlflow-artifacts:/$exp/../../x", "run_id": "$run"})
    yield get("get a version", versions + "get?name=taxi tips&version=1")
    yield get("get version 9", versions + "get?name=taxi tips&version=9")
    yield get("get version x", versions + "get?name=taxi tips&version=x")
    yield get("get a version without version", versions + "get?name=taxi tips")
    yield patch("update a version", versions + "update", {"name": "taxi tips", "version": "1", "description": "new"})
    yield patch("update version 9", versions + "update", {"name": "taxi tips", "version": "9", "description": "new"})
    yield post("stage", versions + "transition-stage", {"name": "taxi tips", "version": "1", "stage": "Production"})
    yield post("stage, any case", versions + "transition-stage",
               {"name": "taxi tips", "version": "2", "stage": "production"})
    yield post("stage and archive", versions + "transition-stage",
               {"name": "taxi tips", "version": "3", "stage": "Production", "archive_existing_versions": True})
    yield post("stage that is none", versions + "transition-stage",
               {"name": "taxi tips", "version": "1", "stage": "Best"})
    yield post("archive with None", versions + "transition-stage",
               {"name": "taxi tips", "version": "1", "stage": "None", "archive_existing_versions": True})
    yield post("stage of version 9", versions + "transition-stage",
               {"name": "taxi tips", "version": "9", "stage": "Staging"})
    yield post("latest", base + "get-latest-versions", {"name": "taxi tips"})
    yield post("latest of a stage", base + "get-latest-versions", {"name": "taxi tips", "stages": ["Production"]})
    yield post("latest of no stage", base + "get-latest-versions", {"name": "taxi tips", "stages": ["Best"]})
    yield get("latest of nothing", base + "get-latest-versions?name=nothing")
    yield post("version tag", versions + "set-tag", {"name": "taxi tips", "version": "1", **tag("k", "v")})
    yield post("version tag without key", versions + "set-tag", {"name": "taxi tips", "version": "1", "value": "v"})
    yield delete("version untag", versions + "delete-tag", {"name": "taxi tips", "version": "1", "key": "v"})
    yield post("alias", base + "alias", {"name": "taxi tips", "alias": "champion", "version": "3"})
    yield post("alias moved", base + "alias", {"name": "taxi tips", "alias": "champion", "version": "1"})
    yield post("alias two", base + "alias", {"name": "taxi tips", "alias": "beta", "version": "1"})
    for alias in ("latest", "v3", "V3", "a b", "a" * 256, ""):
        yield post(f"alias {alias[:10]}", base + "alias", {"name": "taxi tips", "alias": alias, "version": "1"})
    yield post("alias of version 9", base + "alias", {"name": "taxi tips", "alias": "x", "version": "9"})
    yield get("version by alias", base + "alias?name=taxi tips&alias=champion")
    yield get("version by no alias", base + "alias?name=taxi tips&alias=absent")
    yield get("the model with all", base + "get?name=taxi tips")
    yield get("download uri", versions + "get-download-uri?name=taxi tips&version=1")
    yield get("download uri of a logged model", versions + "get-download-uri?name=taxi tips&version=4")
    for text in ("", "name = 'taxi tips'", "name LIKE 'taxi%25'", "name ILIKE 'TAXI%25'", "name != 'other'",
                 "tags.a = 'b'",
                 "tags.a != 'b'", "name = 'x' OR name = 'y'", "nothing = 'x'", "name > 'a'"):
        yield get(f"search models: {text}", base + f"search?max_results=10&filter={text}")
    for order in ("name DESC", "name ASC", "nothing"):
        yield get(f"search models by {order}", base + f"search?max_results=10&order_by={order}")
    yield get("search models in pages", base + "search?max_results=1", next="next_page_token")
    yield get("search models, next page", base + "search?max_results=1&page_token=$next")
    yield get("search 1001 models", base + "search?max_results=1001")
    for text in ("", "name = 'taxi tips'", "run_id = '$run'", "run_id IN ('$run', 'x')", "source_path LIKE '%25model'",
                 "version_number > 1", "version_number = '1'", "tags.v = '1'", "tags.k = 'v'", "name LIKE 'taxi%25'",
                 "nothing = 'x'", "run_id LIKE 'x'"):
        yield get(f"search versions: {text}",
                  versions + f"search?max_results=10&filter={text}&order_by=version_number ASC")
    many = ", ".join(f"'{i:032x}'" for i in range(250))
    yield get("search versions: 250 runs", versions + f"search?max_results=10&filter=run_id IN ('$run', {many})")
    for order in ("version_number DESC", "name DESC", "nothing"):
        yield get(f"search versions by {order}", versions + f"search?max_results=10&order_by={order}")
    yield get("search 200001 versions", versions + "search?max_results=200001")
    yield delete("delete a version", versions + "delete", {"name": "taxi tips", "version": "3"})
    yield get("get a deleted version", versions + "get?name=taxi tips&version=3")
    yield delete("delete a version again", versions + "delete", {"name": "taxi tips", "version": "3"})
    yield delete("delete the last version", versions + "delete", {"name": "taxi tips", "version": "4"})
    yield post("a number is not used again", versions + "create",
               {"name": "taxi tips", "source": source, "run_id": "$run"})
    yield delete("delete an alias", base + "alias", {"name": "taxi tips", "alias": "beta"})
    yield delete("delete an alias again", base + "alias", {"name": "taxi tips", "alias": "beta"})
    yield post("rename with versions", base + "rename", {"name": "taxi tips", "new_name": "tips"})
    yield get("renamed, by alias", base + "alias?name=tips&alias=champion")
    yield delete("unregister", base + "delete", {"name": "tips"})
    yield delete("unregister again", base + "delete", {"name": "tips"})
    yield get("versions of nothing", versions + "search?max_results=10&filter=name = 'tips'")


def artifacts():
    proxy = "/api/2.0/mlflow-artifacts/artifacts"
    here = "/$exp/$run/artifacts"
    yield Call("put", "PUT", f"{proxy}{here}/notes/a.txt", "hello", {})
    yield Call("put anew", "PUT", f"{proxy}{here}/notes/a.txt", "hello again", {})
    yield Call("put with a name", "PUT", f"{proxy}{here}/notes/with space é.txt", "x", {})
    yield Call("put of nothing", "PUT", f"{proxy}{here}/empty", "", {})
    yield get("read", f"{proxy}{here}/notes/a.txt")
    yield get("read nothing", f"{proxy}{here}/absent.txt")
    yield get("list below the root", f"/api/2.0/mlflow-artifacts/artifacts?path=$exp/$run/artifacts")
    yield get("list a folder below the root", f"/api/2.0/mlflow-artifacts/artifacts?path=$exp/$run/artifacts/notes")
    yield get("list of nothing", f"/api/2.0/mlflow-artifacts/artifacts?path=$exp/$run/artifacts/absent")
    yield get("list of a run", "/artifacts/list?run_id=$run")
    yield get("list of a run's folder", "/artifacts/list?run_id=$run&path=notes")
    yield get("list of a run's file", "/artifacts/list?run_id=$run&path=notes/a.txt")
    yield get("list of a run's nothing", "/artifacts/list?run_id=$run&path=absent")
    yield get("list of a run above", "/artifacts/list?run_id=$run&path=../..")
    yield get("list of no run", "/artifacts/list?run_id=" + "0" * 32)
    yield get("list without run", "/artifacts/list")
    yield get("get-artifact", "/get-artifact?run_id=$run&path=notes/a.txt")
    for path in ("notes/", "notes//", "./notes", "notes/.", "."):
        yield get(f"list of a run's {path}", f"/artifacts/list?run_id=$run&path={path}")
        yield get(f"list {path} below the root", f"/api/2.0/mlflow-artifacts/artifacts?path=$exp/$run/artifacts/{path}")
    for path in ("notes//a.txt", "./notes/a.txt", "notes/./a.txt"):
        yield get(f"get-artifact {path}", f"/get-artifact?run_id=$run&path={path}")
    for bad in ("../x", "a/../../x", "%252e%252e/x", "a%2523b", "a%255cb", "/etc/passwd"):
        yield get(f"read {bad}", f"{proxy}/{bad}")
        yield get(f"list {bad}", f"/api/2.0/mlflow-artifacts/artifacts?path={bad}")
    yield Call("multipart upload", "POST", f"/api/2.0/mlflow-artifacts/mpu/create{here}/big",
               {"path": "big", "num_parts": 2}, {})
    yield Call("put a model's file", "PUT", f"{proxy}/$exp/models/$model/artifacts/MLmodel", "flavors: {}", {})
    yield get("files of a model", "/logged-models/$model/artifacts/directories")
    yield get("a file of a model",
              "/ajax-api/2.0/mlflow/logged-models/$model/artifacts/files?artifact_file_path=MLmodel")
    yield get("no file of a model", "/ajax-api/2.0/mlflow/logged-models/$model/artifacts/files?artifact_file_path=x")
    yield Call("small upload", "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=$run&path=up/b.txt", "small", {})
    yield Call("small upload without path", "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=$run", "small", {})
    yield get("read the small", f"{proxy}{here}/up/b.txt")
    yield delete("remove", f"{proxy}{here}/up/b.txt")
    yield delete("remove again", f"{proxy}{here}/up/b.txt")
    yield get("unknown", "/nothing")
    yield get("health", "/health")


def searches():
    """Twelve runs, and each comparator and order over them, as tests of the import have it."""
    yield post("experiment", "/experiments/create", {"name": "search"}, found="experiment_id")
    for i in range(12):
        start = T + 1000 * i  # ties are broken by the id, which is random
        yield post(f"run {i}", "/runs/create", {
            "experiment_id": "$found", "start_time": start, "run_name": f"run {i}", "user_id": ("ann", "bob")[i % 2]},
            **{f"run{i:02}": "run.info.run_id"})
        metrics = [metric("other", i)]
        if i % 4 != 3:
            metrics.append(metric("loss", (0.25, 0.5, 0.5, 1, "NaN", -2)[i % 6], 1))
        if i % 3 == 0:
            metrics.append(metric("deep/a b", i))
        if i % 5 == 0:
            metrics.append(metric("up", ("Infinity", "-Infinity", 1)[i // 5]))
        if i < 2:
            metrics.append(metric("never", "NaN"))
        params = [tag("with space", "x y")] if i % 2 else []
        if i % 6 != 5:
            params.append(tag("model", ("tree", "Tree", "forest", "")[i % 4]))
        tags = [tag("team", ("edge", "Edge", "cloud")[i % 3])] if i % 3 != 1 else []
        tags += [tag("note", "it's"), tag("a.b", "1")] if i == 7 else [tag("note", "a_b%c")] if i == 8 else []
        yield post(f"fill {i}", "/runs/log-batch", {
            "run_id": f"$run{i:02}", "metrics": metrics, "params": params, "tags": tags})
        if i % 4 == 1:
            yield post(f"dataset {i}", "/runs/log-inputs", {"run_id": f"$run{i:02}", "datasets": [{
                "dataset": {"name": ("trips", "Trips", "other")[i // 4], "digest": "train", "source_type": "local",
                            "source": "x"},
                "tags": [tag("mlflow.data.context", ("train", "test")[i % 8 // 4])]}]})
        if i % 3 != 2:
            yield post(f"end {i}", "/runs/update", {
                "run_id": f"$run{i:02}", "status": ("FINISHED", "FAILED")[i % 2], "end_time": start + 500 + i})
        if i == 11:
            yield post("delete", "/runs/delete", {"run_id": "$run11"})
    refused = ("metrics.loss LIKE 'x'", "params.model > 'x'", "metrics.loss = 'x'", "params.model = 3", "nonsense = 1",
               "metrics.loss", "metrics.loss = ", "metrics.loss < 1 OR metrics.loss > 2", "attributes.nothing = 'x'",
               "tags.team IN ('x')", "start_time LIKE 'x'", "dataset.nothing = 'x'", "params.model = 'x",
               "run_id IN ('$run03', '$run04')", "run_id NOT IN ('$run03')", "run_id = '$run03'")
    for text in (*search_test.filters(), *refused):
        yield post(f"find {text}", "/runs/search", {"experiment_ids": ["$found"], "filter": text})
    for order in search_test.ORDERS:
        for view in ("ACTIVE_ONLY", "ALL"):
            yield post(f"order {view} {order}", "/runs/search",
                       {"experiment_ids": ["$found"], "order_by": order, "run_view_type": view})
    for name, body in (("a bad order", {"order_by": ["nothing"]}), ("a bad direction", {"order_by": ["metrics.a UP"]}),
                       ("too many", {"max_results": 50001}), ("none", {"max_results": 0}),
                       ("a bad token", {"page_token": "nonsense"}), ("a bad view", {"run_view_type": "SOME"}),
                       ("pages", {"max_results": 5}), ("experiments as text", {"experiment_ids": "$found"}),
                       ("no experiments", {"experiment_ids": []})):
        yield post(f"find: {name}", "/runs/search", {"experiment_ids": ["$found"], **body},
                   **({"pages": "next_page_token"} if name == "pages" else {}))
    yield post("find: the next page", "/runs/search",
               {"experiment_ids": ["$found"], "max_results": 5, "page_token": "$pages"})


GROUPS = (experiments, runs, histories, logged_models, run_ends, artifacts, registry, searches)


def all_calls():
    for group in GROUPS:
        for call in group():
            yield call._replace(name=f"{group.__name__}: {call.name}")
