"""Sends the table of calls to a server, and says where two servers' answers differ."""
import json
import re
import string
import time

RUN_NAME = re.compile(r"[a-z]+-[a-z]+-\d{1,3}")
DAY_MS = 86400000
# What newer servers add for the platform of their makers: classes of errors of theirs, and workspaces, which
# a server without them names "default".
PLATFORM = ("error_class", "sqlstate", "workspace")


def is_now(value):
    return isinstance(value, int) and abs(value - time.time() * 1000) < DAY_MS


def plain(value, names, ordered=False):
    """The value with everything that a server makes up for itself replaced by what it stands for."""
    if isinstance(value, dict):
        return {key: plain(one, names, ordered) for key, one in value.items() if key not in PLATFORM}
    if isinstance(value, list):
        values = [plain(one, names, ordered) for one in value]
        if values and all(isinstance(one, dict) and "current_stage" in one for one in values) and not ordered:
            values.sort(key=lambda one: int(one["version"]))
        if values and all(isinstance(one, dict) and "key" in one for one in values) and not ordered:
            # Tags, params and latest metrics have no order.
            values.sort(key=lambda one: (str(one["key"]), one.get("step", 0), json.dumps(one, sort_keys=True)))
        return values
    if is_now(value):
        return "<now>"
    if isinstance(value, str):
        for made_up, name in names:
            value = value.replace(made_up, name)
        return "<name>" if RUN_NAME.fullmatch(value) else value
    return value


def kept(answer, path):
    for part in path.split("."):
        answer = answer.get(part, {}) if isinstance(answer, dict) else {}
    return answer if isinstance(answer, str) else "absent"


def send_all(connection, calls):
    """(status, answer) of each call; an answer that is not JSON is text."""
    values, answers = {}, []
    for call in calls:
        target = call.route
        if not target.startswith(("/api", "/ajax-api", "/get-artifact", "/health")):
            target = "/api/2.0/mlflow" + target
        target = string.Template(target).safe_substitute(values)
        body = call.body
        if isinstance(body, (dict, list)):
            body = json.loads(string.Template(json.dumps(body)).safe_substitute(values))
        status, text = connection.send(call.method, target, body)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = text
        for name, path in call.keep.items():
            values[name] = kept(answer, path)
            time.sleep(0.002)  # what is made next has a later time, so that orders by it are the same
        # Page tokens and small numbers could be anything: only long names are put back.
        names = sorted(((value, "$" + name) for name, value in values.items() if len(value) >= 30),
                       key=lambda pair: -len(pair[0]))
        ordered = "get-history" in target or "model-versions/search" in target
        answers.append((status, plain(answer, names, ordered)))
    return answers


def differences(ours, stock, path=""):
    """Paths at which two answers differ, with both values; `None` is absent."""
    if isinstance(ours, dict) and isinstance(stock, dict):
        for key in sorted(set(ours) | set(stock)):
            yield from differences(ours.get(key), stock.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(ours, list) and isinstance(stock, list):
        for i in range(max(len(ours), len(stock))):
            yield from differences(ours[i] if i < len(ours) else None, stock[i] if i < len(stock) else None,
                                   f"{path}[{i}]")
    elif ours != stock or isinstance(ours, bool) != isinstance(stock, bool):
        yield path, ours, stock
