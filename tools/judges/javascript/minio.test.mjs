// minio-js over HTTP, with its default settings. It does not sign Content-Type.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { Client, CopyConditions } from "minio";

const at = new URL(process.env.AWS_ENDPOINT_URL);
const client = new Client({
  endPoint: at.hostname, port: Number(at.port), useSSL: at.protocol === "https:",
  accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY,
});
const bucket = `judged-minio-${Date.now().toString(36)}`;
const all = async (stream) => {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
};
const bytes = async (key) => Buffer.concat(await all(await client.getObject(bucket, key)));
const text = async (key) => (await bytes(key)).toString();

before(() => client.makeBucket(bucket));

after(async () => {
  const versions = await all(client.listObjects(bucket, "", true, { IncludeVersion: true }));
  await client.removeObjects(bucket, versions.map(({ name, versionId }) => ({ name, versionId })));
  assert.deepEqual(await all(client.listObjects(bucket, "", true, { IncludeVersion: true })), []);
  await client.removeBucket(bucket);
});

test("minio-js: buckets are found", async () => {
  assert.equal(await client.bucketExists(bucket), true);
  assert.equal(await client.bucketExists(`${bucket}-missing`), false);
  assert.ok((await client.listBuckets()).some(({ name }) => name === bucket));
});

test("minio-js: an object keeps content and metadata", async () => {
  const key = "a/photo ä+%.txt";
  await client.putObject(bucket, key, "hello", 5, { "Content-Type": "text/plain", "X-Amz-Meta-Camera": "x100" });
  const found = await client.statObject(bucket, key);
  assert.equal(found.size, 5);
  assert.equal(found.metaData.camera, "x100");
  assert.equal(found.metaData["content-type"], "text/plain");
  assert.equal(await text(key), "hello");
  assert.equal(Buffer.concat(await all(await client.getPartialObject(bucket, key, 1, 3))).toString(), "ell");
});

test("minio-js: a large object is sent in parts", async () => {
  const large = Buffer.alloc(70 << 20, "x");
  await client.putObject(bucket, "large", large);
  assert.ok((await bytes("large")).equals(large));
  assert.deepEqual(await all(client.listIncompleteUploads(bucket, "", true)), []);
});

test("minio-js: a stream of unknown length is sent", async () => {
  await client.putObject(bucket, "stream", Readable.from([Buffer.from("one "), Buffer.from("two")]));
  assert.equal(await text("stream"), "one two");
});

test("minio-js: objects are copied, listed and removed", async () => {
  await client.putObject(bucket, "list/one", "1");
  await client.copyObject(bucket, "list/b/two", `/${bucket}/list/one`, new CopyConditions());
  assert.equal(await text("list/b/two"), "1");
  assert.deepEqual((await all(client.listObjectsV2(bucket, "list/", true))).map(({ name }) => name), ["list/b/two", "list/one"]);
  assert.deepEqual((await all(client.listObjects(bucket, "list/", false))).map(({ name, prefix }) => name ?? prefix).sort(), ["list/b/", "list/one"]);
  await client.removeObject(bucket, "list/one");
  assert.deepEqual((await all(client.listObjectsV2(bucket, "list/", true))).map(({ name }) => name), ["list/b/two"]);
});

test("minio-js: tags are kept", async () => {
  await client.putObject(bucket, "tags", "1");
  await client.setObjectTagging(bucket, "tags", { color: "red" });
  assert.deepEqual(await client.getObjectTagging(bucket, "tags"), [{ Key: "color", Value: "red" }]);
});

test("minio-js: signed URLs and forms work", async () => {
  assert.equal((await fetch(await client.presignedPutObject(bucket, "signed", 60), { method: "PUT", body: "signed" })).status, 200);
  assert.equal(await (await fetch(await client.presignedGetObject(bucket, "signed", 60))).text(), "signed");
  const policy = client.newPostPolicy();
  policy.setBucket(bucket);
  policy.setKey("form");
  policy.setExpires(new Date(Date.now() + 60_000));
  const { postURL, formData } = await client.presignedPostPolicy(policy);
  const form = new FormData();
  for (const [name, value] of Object.entries(formData)) form.append(name, value);
  form.append("file", new Blob(["form"]));
  assert.equal((await fetch(postURL, { method: "POST", body: form })).status, 204);
  assert.equal(await text("form"), "form");
});

test("minio-js: a missing object has the code of AWS's errors", async () => {
  await assert.rejects(client.getObject(bucket, "missing"), ({ code }) => code === "NoSuchKey");
  await assert.rejects(client.statObject(bucket, "missing"), ({ code }) => code === "NotFound");
});

test("minio-js: versions are kept and removed", async () => {
  await client.setBucketVersioning(bucket, { Status: "Enabled" });
  await client.putObject(bucket, "versions", "one");
  await client.putObject(bucket, "versions", "two");
  await client.removeObject(bucket, "versions");
  const found = await all(client.listObjects(bucket, "versions", true, { IncludeVersion: true }));
  assert.equal(found.length, 3);
});
