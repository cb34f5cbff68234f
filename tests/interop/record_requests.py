#!/usr/bin/env python3
"""Records what a stock MLflow server answers to the requests of tests/server/corpus/requests.json.

Usage: tests/interop/record_requests.py PORT    (of `mlflow server` on an empty store, on 127.0.0.1)

Where the answer is not the one that mlrt is to give, it is written down as "stock", beside "why"
they differ, which is for a person to fill in; those without one are listed.
"""
import http.client
import json
import pathlib
import sys

PATH = pathlib.Path(__file__).resolve().parent.parent / "server/corpus/requests.json"


def send(port, method, target, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection._validate_path = connection._validate_method = lambda _: None  # as they are
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def body_of(request, run):
    if "body_hex" in request:
        return bytes.fromhex(request["body_hex"])
    if "body_repeat" in request:
        before, unit, count, behind = request["body_repeat"]
        return (before.replace("{run}", run) + unit * count + behind).encode()
    return request.get("body", "").replace("{run}", run).encode()


def main():
    port = int(sys.argv[1])
    kind = {"Content-Type": "application/json"}
    _, made = send(port, "POST", "/api/2.0/mlflow/runs/create", kind, b'{"experiment_id": "0"}')
    run = json.loads(made)["run"]["info"]["run_id"]
    requests = json.loads(PATH.read_text(encoding="utf-8"))
    open_questions = 0
    for request in requests:
        headers = {"Content-Type": request["content_type"]} if request.get("content_type") else {}
        status, text = send(port, request["method"], request["target"].replace("{run}", run),
                            headers, body_of(request, run))
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {}
        # Newer servers add members for their makers' own platform.
        stock = {"error_code": answer.get("error_code", ""),
                 "message": answer.get("message", "").replace(run, "{run}"), "status": status}
        if stock == request["answer"]:
            request.pop("stock", None)
            request.pop("why", None)
            continue
        stock["message"] = stock["message"][:300]
        request["stock"] = {key: value for key, value in stock.items() if value}
        request.setdefault("why", "")
        if not request["why"]:
            open_questions += 1
            print(f"{request['name']}: {request['answer']} here, {stock} there")
    PATH.write_text(json.dumps(requests, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(requests)} requests, {sum('stock' in r for r in requests)} answered differently, "
          f"{open_questions} without a reason")


if __name__ == "__main__":
    main()
