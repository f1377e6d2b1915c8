"""The hand-made function that Catnap replaces, written anew from its description, as the benchmark's baseline.

It keeps that function's shape on purpose: each request builds its own client and starts the instance, whatever its
state, and is answered with a small page, or with the error's text.
"""

import os

import boto3

PAGE = """<!doctype html>
<html><head><title>Waking up</title></head>
<body style="font-family: sans-serif; text-align: center; margin-top: 3em">
<h2>Your application has been asked to start</h2>
<p>Give it a minute or two, then load this page again: https://{host}</p>
</body></html>"""


def handler(event, context):
    instance = os.environ["CATNAP_INSTANCE_ID"]
    try:
        ec2 = boto3.client("ec2", region_name=os.environ["AWS_REGION"])
        ec2.start_instances(InstanceIds=[instance])
    except Exception as error:
        return {"statusCode": 500, "headers": {"Content-Type": "text/plain"}, "body": f"{instance}: {error}"}
    print(f"{instance}: start requested")
    page = PAGE.format(host=os.environ["CATNAP_APP_DOMAIN"])
    return {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": page}
