import sys, json, ssl, base64, contextlib
from handoff import cell as c
from handoff.app import At
from handoff.namespace import INSTANCE_FROM_LAMBDA
real = c.answering
def answering(cell, moto, instance, roots):
    env = real(cell, moto, instance, roots)
    ctx = ssl.create_default_context(cafile=str(roots))
    class Fake:
        def __enter__(s): env.__enter__(); return s
        def __exit__(s,*a): env.__exit__(*a)
        def __call__(s, event, timeout):
            path = event["rawPath"]
            if path.startswith("/.catnap") or "execute-api" in event["requestContext"]["domainName"]:
                return env(event, timeout)
            try:
                conn = At(INSTANCE_FROM_LAMBDA, c.HOST, ctx)
                conn.request(event["requestContext"]["http"]["method"], path, headers={"Host": c.HOST, "User-Agent":"bridged"})
                r = conn.getresponse(); body = r.read()
                if path == "/live": return {"statusCode":503,"body":"no"}
                return {"statusCode": r.status, "headers": {k.lower():v for k,v in r.getheaders() if k.lower() in("content-type","cache-control")}, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
            except OSError:
                a = env(event, timeout)
                if a.get("body"): a["body"]=a["body"].replace("[65,130,400]","[0,130,400]")
                return a
    return Fake()
c.answering = answering
sys.exit(c.main())
