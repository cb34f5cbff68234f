"""`mlrt server` and a stock `mlflow server` are sent the same calls, and their answers compared field by field."""
import os
import re
import unittest

import server_calls
import server_compare
import server_support

REFUSED = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS")


def both_refuse(ours, stock):
    """With the same status and code: what is left is the wording."""
    return (ours[0] == stock[0] and ours[0] >= 400 and isinstance(ours[1], dict) and isinstance(stock[1], dict)
            and ours[1]["error_code"] == stock[1]["error_code"])


def ours_says(pattern):
    return lambda ours, stock: both_refuse(ours, stock) and re.match(pattern, ours[1]["message"])


# (why the answers may differ, the names of the calls, and when: given both answers). The paths that may then
# differ are the last member; none of them: any.
DIFFERENCES = [
    ("A permanent failure is never a 5xx: clients would send it again and again.", ".*",
     lambda ours, stock: 400 <= ours[0] < 500 <= stock[0], None),
    ("The message is for users: the SQL of a failure is for the log.", ".*",
     lambda ours, stock: isinstance(stock[1], dict) and "(sqlite3." in stock[1].get("message", "") and ours[0] == 400, None),
    ("An unknown route has an error that is JSON.", "artifacts: unknown",
     lambda ours, stock: ours[0] == stock[0] == 404 and ours[1]["error_code"] == "ENDPOINT_NOT_FOUND", None),
    ("The message says at which column of a filter or an order what is wrong, and what would be right.", ".*",
     ours_says("Invalid filter|Invalid order_by"), ["answer.message"]),
    ("The message says what is wrong with a page token, not its bytes.", ".*",
     ours_says("page token "), ["answer.message"]),
    ("The message says which path is wrong, and why.", "artifacts: .*", ours_says("Invalid path '"), ["answer.message"]),
    ("The name of an artifact is given as the caller gave it, not with the folder of its run.", "artifacts: .*",
     ours_says("No such artifact: "), ["answer.message"]),
    ("An encoded backslash is refused as a plain one is, whatever the server runs on.", "artifacts: .*%255cb",
     lambda ours, _: ours[0] == 400, None),
    ("A name that is wrong is quoted in the message.", "registry: .*no(ne| stage)|logged_models: search models: .*",
     ours_says("Invalid Model Version stage: '|Invalid order by field name: '"), ["answer.message"]),
    ("The message of a batch is that of a single parameter.", "runs: log-batch that changes a param",
     ours_says("Changing param values is not allowed. Param with key='model'"), ["answer.message"]),
    ("A value in a message is written as it was sent.", "runs: log-metric: a negative timestamp", both_refuse,
     ["answer.message"]),
    ("The path in the message has lost its scheme.", "registry: version from a file uri", both_refuse, ["answer.message"]),
    ("A model's name is part of its folders and URIs: \\ and # are refused too, and the message lists them.",
     "logged_models: create with . in the name", both_refuse, ["answer.message"]),
    ("What is not a value of the field's type is refused: MLflow takes a part of it, or drops it without a word.",
     ".*(a fraction as step|true as value|to a status that is none|finalize as nothing|a number as name|a bad view)",
     lambda ours, stock: ours[0] == 400 and stock[0] == 200, None),
    ("A data set needs a name and a digest: MLflow keeps one that can be neither found nor told from others.",
     "runs: log-inputs without (name|digest)", lambda ours, stock: ours[0] == 400 and stock[0] == 200, None),
    ("What is not there is a 404: MLflow answers as if there were an empty one.",
     "histories: history of no run|logged_models: delete a model again",
     lambda ours, stock: ours[0] == 404 and stock[0] == 200, None),
    ("An id that no run can have is refused as such.", "runs: get a bad id",
     lambda ours, stock: ours[0] == 400 and stock[0] == 404, None),
    ("A run without an experiment is in the default one, as in MLflow's own client.", "runs: create without anything",
     lambda ours, stock: ours[0] == 200 and stock[0] == 400, None),
    ("A run that is not told when it started starts now, not in 1970.", "(runs|run_ends|searches): .*",
     lambda ours, stock: ours[0] == stock[0] == 200, [r"answer.run(s\[\d+\])?.info.start_time"]),
    ("A run that is set to an end ends now, if it is not told when.", "run_ends: .*", None,
     [r"answer.(run_info|run.info|runs\[\d+\].info).end_time"]),
    ("A run's metric says of which model and data set it is.", "(runs|run_ends|logged_models): get .*", None,
     [r"answer.run.data.metrics\[\d+\].(dataset_name|dataset_digest|model_id)"]),
    ("The answer to create has the members that the one to get has.", "(runs|searches): (create|run).*", None,
     ["answer.run.outputs"]),
    ("What MLflow 2 answers: an empty object.", "artifacts: put.*", lambda ours, stock: ours[0] == stock[0] == 200,
     ["answer"]),
    ("A file of no bytes has a size.", "artifacts: list .*", None, [r"answer.files\[\d+\].file_size"]),
    ("A plot's sample is taken evenly from each run by itself, its first and last point included.",
     "histories: interval( with steps)?", None, [r"answer.metrics\[\d+\].(step|value)"]),
    ("A logged model's metric is its latest, as a run's is: all of them are in the run's history.",
     "logged_models: (get the model with all|search models.*)", None, [r"answer.models?(\[\d+\])?.data.metrics.*"]),
    ("The status is named as the client names it; MLflow's server compares the text with its number and finds none.",
     "logged_models: search models 7: status = 'READY'", None, ["answer.models"]),
    ("A metric's latest value decides, not any value that it ever had.",
     "logged_models: search models 13: metrics.f1 <= 0.5", None, ["answer.models.*"]),
    ("A version says from which logged model it came.", "registry: .*", None,
     [r"answer.(model_version|model_versions\[\d+\]|registered_model.latest_versions\[\d+\]"
      r"|registered_models\[\d+\].latest_versions\[\d+\]).model_id"]),
    ("A search gives a version as get does, with its aliases.", "registry: search versions.*", None,
     [r"answer.model_versions\[\d+\].aliases"]),
]


class Calls(unittest.TestCase):
    maxDiff = None

    def test_every_call_is_answered_as_a_stock_server_answers_it(self):
        calls = list(server_calls.all_calls())
        self.assertEqual(len({call.name for call in calls}), len(calls), "names of calls are used twice")
        servers, answers = {}, {}

        def run(name, start):
            servers[name] = start()
            self.addCleanup(servers[name].stop)
            connection = server_support.Connection(servers[name].url)
            self.addCleanup(connection.close)
            answers[name] = server_compare.send_all(connection, calls)

        server_support.for_all([lambda: run("ours", server_support.start_mlrt),
                                lambda: run("stock", server_support.start_stock)])
        used, same = set(), 0
        for call, ours, stock in zip(calls, answers["ours"], answers["stock"]):
            rules = [rule for rule in DIFFERENCES if re.fullmatch(rule[1], call.name, re.DOTALL)
                     and (rule[2] is None or rule[2](ours, stock))]
            left = []
            for path, one, other in server_compare.differences({"status": ours[0], "answer": ours[1]},
                                                               {"status": stock[0], "answer": stock[1]}):
                fits = [rule for rule in rules if rule[3] is None or any(re.fullmatch(p, path) for p in rule[3])]
                used.update(rule[0] for rule in fits[:1])
                if not fits:
                    left.append(f"{path}: {one!r} here, {other!r} there")
            with self.subTest(call.name):
                self.assertEqual(left, [])
                same += 1
            if ours[0] >= 500:  # only where the client takes it for an answer, and falls back
                self.assertEqual((ours[0], call.name), (501, "artifacts: multipart upload"))
        self.assertGreater(same, 600)
        # A reason that no call needs any more is out of date.
        self.assertEqual([why for why, *_ in DIFFERENCES if why not in used], [])


if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    unittest.main()
