"""boto3 with its default settings, and what its users do every day."""

import io
import uuid

import boto3
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3():
    return boto3.client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    name = "judged-" + uuid.uuid4().hex
    s3.create_bucket(Bucket=name)
    yield name
    versions = boto3.resource("s3").Bucket(name).object_versions
    versions.delete()
    s3.delete_bucket(Bucket=name)


def code(error):
    return error.value.response["Error"]["Code"]


def test_put_head_get(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a/ä +%", Body=b"hello", ContentType="text/plain", Metadata={"camera": "x100"})
    head = s3.head_object(Bucket=bucket, Key="a/ä +%")
    assert head["ContentLength"] == 5
    assert head["ContentType"] == "text/plain"
    assert head["Metadata"] == {"camera": "x100"}
    assert s3.get_object(Bucket=bucket, Key="a/ä +%")["Body"].read() == b"hello"


def test_missing(s3, bucket):
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="missing")
    assert code(error) == "NoSuchKey"
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="missing")
    assert code(error) == "404"


def test_only_the_first_put_if_none_match(s3, bucket):
    s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="once", Body=b"2", IfNoneMatch="*")
    assert code(error) == "PreconditionFailed"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksum(s3, bucket, algorithm):
    put = s3.put_object(Bucket=bucket, Key="sum", Body=b"checked", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
    assert got["Checksum" + algorithm] == put["Checksum" + algorithm]
    assert got["Body"].read() == b"checked"


def test_transfer_in_parts(s3, bucket):
    content = bytes(range(256)) * 4096 * 12
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(content), bucket, "large", Config=config)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back, Config=config)
    assert back.getvalue() == content
    assert s3.head_object(Bucket=bucket, Key="large", PartNumber=1)["PartsCount"] == 3


def test_copy_in_parts(s3, bucket):
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.put_object(Bucket=bucket, Key="source", Body=b"x" * (11 << 20))
    s3.copy({"Bucket": bucket, "Key": "source"}, bucket, "copied", Config=config)
    assert s3.head_object(Bucket=bucket, Key="copied")["ContentLength"] == 11 << 20


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_listing_in_pages(s3, bucket, operation):
    for i in range(5):
        s3.put_object(Bucket=bucket, Key=f"list/{i}", Body=b"")
    pages = s3.get_paginator(operation).paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 2})
    assert [o["Key"] for page in pages for o in page["Contents"]] == [f"list/{i}" for i in range(5)]


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"", Tagging="a=1")
    assert s3.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_presigned(s3, bucket):
    s3.put_object(Bucket=bucket, Key="signed", Body=b"by url")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed"})
    verify = s3._endpoint.http_session._verify
    assert requests.get(url, verify=verify).content == b"by url"
    post = s3.generate_presigned_post(bucket, "form")
    assert requests.post(post["url"], data=post["fields"], files={"file": b"by form"}, verify=verify).status_code == 204


def test_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="versioned", Body=b"1")["VersionId"]
    s3.put_object(Bucket=bucket, Key="versioned", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="versioned")
    assert s3.get_object(Bucket=bucket, Key="versioned", VersionId=first)["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket=bucket, Prefix="versioned")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
