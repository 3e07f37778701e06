// The AWS SDK for JavaScript with its default settings, and what its users do every day.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import {
  S3Client, CreateBucketCommand, DeleteBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand,
  DeleteObjectCommand, DeleteObjectsCommand, ListObjectsV2Command, ListObjectsCommand, CopyObjectCommand,
  GetObjectAttributesCommand, PutObjectTaggingCommand, GetObjectTaggingCommand, PutBucketVersioningCommand,
  ListObjectVersionsCommand, HeadBucketCommand, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

// Endpoint, region and credentials come from the environment.
const client = new S3Client({ forcePathStyle: true });
const Bucket = `judged-${Date.now().toString(36)}`;
const name = (error) => error.name;

before(() => client.send(new CreateBucketCommand({ Bucket })));

after(async () => {
  for (;;) {
    const page = await client.send(new ListObjectVersionsCommand({ Bucket }));
    const Objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) break;
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  }
  await client.send(new DeleteBucketCommand({ Bucket }));
  client.destroy();
});

test("put, head and get keep content and metadata", async () => {
  await client.send(new PutObjectCommand({
    Bucket, Key: "a/photo ä+%.txt", Body: "hello", ContentType: "text/plain; charset=utf-8", CacheControl: "no-cache", Metadata: { camera: "x100" },
  }));
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: "a/photo ä+%.txt" }));
  assert.equal(head.ContentLength, 5);
  assert.equal(head.ContentType, "text/plain; charset=utf-8");
  assert.equal(head.CacheControl, "no-cache");
  assert.deepEqual(head.Metadata, { camera: "x100" });
  const got = await client.send(new GetObjectCommand({ Bucket, Key: "a/photo ä+%.txt" }));
  assert.equal(await got.Body.transformToString(), "hello");
});

test("a range is read", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "range", Body: "0123456789" }));
  const got = await client.send(new GetObjectCommand({ Bucket, Key: "range", Range: "bytes=2-4" }));
  assert.equal(await got.Body.transformToString(), "234");
  assert.equal(got.ContentRange, "bytes 2-4/10");
});

test("a missing object and a missing bucket have the names of AWS's errors", async () => {
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "missing" })), (e) => name(e) === "NoSuchKey");
  await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: "missing" })), (e) => name(e) === "NotFound");
  await assert.rejects(client.send(new HeadBucketCommand({ Bucket: `${Bucket}-missing` })), (e) => name(e) === "NotFound");
  await assert.rejects(client.send(new ListObjectsV2Command({ Bucket: `${Bucket}-missing` })), (e) => name(e) === "NoSuchBucket");
});

test("IfNoneMatch keeps the first object", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "once", Body: "1", IfNoneMatch: "*" }));
  await assert.rejects(client.send(new PutObjectCommand({ Bucket, Key: "once", Body: "2", IfNoneMatch: "*" })),
    (e) => name(e) === "PreconditionFailed");
});

for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  test(`a checksum ${ChecksumAlgorithm} is kept and checked`, async () => {
    const Key = `checksum-${ChecksumAlgorithm}`;
    const put = await client.send(new PutObjectCommand({ Bucket, Key, Body: "checked", ChecksumAlgorithm }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    assert.equal(got[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`]);
    assert.equal(await got.Body.transformToString(), "checked");
  });
}

test("lib-storage uploads a stream in parts, and a part is read by its number", async () => {
  const size = 11 << 20;
  async function* chunks() {
    for (let i = 0; i < 11; i++) yield Buffer.alloc(1 << 20, i);
  }
  const { Readable } = await import("node:stream");
  await new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from(chunks()) } }).done();
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: "large" }));
  assert.equal(head.ContentLength, size);
  const part = await client.send(new GetObjectCommand({ Bucket, Key: "large", PartNumber: 2 }));
  assert.equal(part.PartsCount, 3);
  assert.equal((await part.Body.transformToByteArray()).length, 5 << 20);
  const attributes = await client.send(new GetObjectAttributesCommand({ Bucket, Key: "large", ObjectAttributes: ["ObjectSize", "ObjectParts"] }));
  assert.equal(attributes.ObjectSize, size);
  assert.equal(attributes.ObjectParts.TotalPartsCount, 3);
});

test("listings come in pages, with delimiter, in both versions", async () => {
  for (let i = 0; i < 5; i++) await client.send(new PutObjectCommand({ Bucket, Key: `list/${i}/x`, Body: "" }));
  const keys = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix: "list/" })) keys.push(...page.Contents.map((o) => o.Key));
  assert.deepEqual(keys, [0, 1, 2, 3, 4].map((i) => `list/${i}/x`));
  const folders = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "list/", Delimiter: "/" }));
  assert.equal(folders.CommonPrefixes.length, 5);
  const old = await client.send(new ListObjectsCommand({ Bucket, Prefix: "list/", MaxKeys: 2 }));
  assert.equal(old.Contents.length, 2);
  assert.equal(old.IsTruncated, true);
});

test("copy, replace metadata, delete several", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "from", Body: "copied", Metadata: { a: "1" } }));
  await client.send(new CopyObjectCommand({ Bucket, Key: "to", CopySource: `${Bucket}/from`, MetadataDirective: "REPLACE", Metadata: { b: "2" } }));
  assert.deepEqual((await client.send(new HeadObjectCommand({ Bucket, Key: "to" }))).Metadata, { b: "2" });
  const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "from" }, { Key: "to" }, { Key: "never" }] } }));
  assert.equal(deleted.Deleted.length, 3);
});

test("tags", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "tagged", Body: "", Tagging: "a=1&b=2" }));
  await client.send(new PutObjectTaggingCommand({ Bucket, Key: "tagged", Tagging: { TagSet: [{ Key: "c", Value: "3" }] } }));
  const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket, Key: "tagged" }));
  assert.deepEqual(TagSet, [{ Key: "c", Value: "3" }]);
});

test("presigned URLs for GET and PUT work with fetch", async () => {
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
  assert.equal((await fetch(put, { method: "PUT", body: "by url" })).status, 200);
  const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "by url");
  assert.equal((await fetch(get.replace("/signed?", "/other?"))).status, 403);
});

test("a presigned POST takes a form", async () => {
  const { url, fields } = await createPresignedPost(client, { Bucket, Key: "form", Conditions: [["content-length-range", 1, 100]], Expires: 60 });
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append("file", new Blob(["by form"]), "form.txt");
  assert.equal((await fetch(url, { method: "POST", body: form })).status, 204);
  assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key: "form" }))).ContentLength, 7);
});

test("versions", async () => {
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const first = await client.send(new PutObjectCommand({ Bucket, Key: "versioned", Body: "1" }));
  await client.send(new PutObjectCommand({ Bucket, Key: "versioned", Body: "2" }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: "versioned" }));
  const got = await client.send(new GetObjectCommand({ Bucket, Key: "versioned", VersionId: first.VersionId }));
  assert.equal(await got.Body.transformToString(), "1");
  const { Versions, DeleteMarkers } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: "versioned" }));
  assert.equal(Versions.length, 2);
  assert.equal(DeleteMarkers.length, 1);
});
