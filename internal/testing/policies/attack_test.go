package policies_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/permissions"
)

const (
	attacked = "policies-attacked"
	other    = "policies-attacked-other"
	secret   = "a secret text"
)

// An attack is a request of an intruder who has the credentials of a program for the prefix
// "users/". It must be refused, and tell nothing of other keys.
type attack struct {
	name   string
	method string // GET if ""
	path   string // after the bucket, escaped
	query  string
	header []string // name and value, by turns
	body   string
	form   map[string]string // if set, the fields of a form in place of a signature
	// allowed are the providers whose policies permit the request. Even then, the response may not reveal other keys.
	allowed []string
	// leaks are the providers on which the attack succeeds, by their documented limits.
	leaks  []string
	echoed bool // whether the response repeats keys of the request
}

// With a printed policy, no program can reach objects outside of the policy's prefix.
func TestIntrudersStayBelowThePrefix(t *testing.T) { attackAll(t, ourServer(t)) }

// The printed policy also keeps an intruder below the prefix on MinIO.
func TestIntrudersStayBelowThePrefixOnMinIO(t *testing.T) { attackAll(t, minio(t)) }

// A scene is a bucket with objects below users/ and elsewhere.
type scene struct {
	*policyServer
	credentials           aws.Credentials // of the intruder
	oldSecret, oldInside  string          // versions of secret/a and users/a that are not current
	uploadID, ownUploadID string          // of secret/m and users/m
}

// setScene creates the buckets, the objects and the uploads, and gets credentials for the intruder.
func setScene(t *testing.T, s *policyServer) *scene {
	service := s.service(t)
	create(t, service, attacked, storage.WithVersioning(true))
	create(t, service, other)
	owner, err := service.Bucket(attacked, storage.WithVersioning(true))
	require.NoError(t, err)
	put := func(b storage.Bucket, key, text string) string {
		attrs, err := b.Upload(t.Context(), key, strings.NewReader(text),
			storage.WithTags(map[string]string{"note": "confidential"}))
		require.NoError(t, err)
		return attrs.Version
	}

	// secret/a and users/a have a secret, and get other versions later.
	sc := &scene{policyServer: s}
	sc.oldSecret = put(owner, "secret/a", secret)
	sc.oldInside = put(owner, "users/a", secret)
	put(owner, "secret/a", secret)
	put(owner, "users/a", "of a user")
	put(owner, "users2/a", secret)
	elsewhere, err := service.Bucket(other)
	require.NoError(t, err)
	put(elsewhere, "users/a", secret)

	// The upload of secret/m stays open.
	client := s.client(aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret})
	upload, err := client.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(attacked),
		Key:    aws.String("secret/m"),
	})
	require.NoError(t, err)
	sc.uploadID = *upload.UploadId
	t.Cleanup(func() {
		_, err := client.AbortMultipartUpload(context.WithoutCancel(t.Context()), &awss3.AbortMultipartUploadInput{
			Bucket:   aws.String(attacked),
			Key:      aws.String("secret/m"),
			UploadId: upload.UploadId,
		})
		require.NoError(t, err)
	})

	// The intruder has the credentials of a program for users/.
	names := []string{"download", "upload", "upload-over", "upload-parts", "upload-parts-failed", "remove"}
	if s.provider == "aws" {
		names = append(names, "list", "download-missing")
	}
	operations, err := permissions.Parse(names...)
	require.NoError(t, err)
	grant := permissions.Grant{Operations: operations, Bucket: attacked, Prefix: "users/"}
	documents, err := grant.Documents(permissions.Provider(s.provider))
	require.NoError(t, err)
	sc.credentials = s.session(t, documents[0].Text)

	ownUpload, err := s.client(sc.credentials).CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
		Bucket: aws.String(attacked),
		Key:    aws.String("users/m"),
	})
	require.NoError(t, err)
	sc.ownUploadID = *ownUpload.UploadId
	return sc
}

// attackAll makes all attacks, and requires that each is refused or tells nothing.
func attackAll(t *testing.T, s *policyServer) {
	sc := setScene(t, s)
	for _, a := range sc.attacks(t) {
		t.Run(a.name, func(t *testing.T) {
			status, body := sc.send(t, &a)

			// The server has understood the request. Ours has no operation "select".
			require.NotContains(t, body, "SignatureDoesNotMatch")
			if a.name != "select" {
				require.NotEqual(t, http.StatusNotImplemented, status, body)
			}

			if slices.Contains(a.leaks, s.provider) {
				return
			}
			require.NotContains(t, body, secret)
			require.NotContains(t, body, "confidential")

			isRefused := status >= http.StatusMultipleChoices
			if isRefused {
				return
			}
			require.Contains(t, a.allowed, s.provider, "it is not refused")
			if a.echoed {
				return
			}
			for _, key := range []string{"<Key>secret", "<Key>users2", "<Prefix>secret"} {
				require.NotContains(t, body, key)
			}
		})
	}
	sc.check(t)
}

// check requires that all objects and uploads are as before, and that no object of the intruder has
// a secret.
func (sc *scene) check(t *testing.T) {
	t.Helper()
	client := sc.client(aws.Credentials{AccessKeyID: sc.key, SecretAccessKey: sc.secret})
	versions, err := client.ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{
		Bucket: aws.String(attacked),
	})
	require.NoError(t, err)

	var outside []string
	for _, v := range versions.Versions {
		if !strings.HasPrefix(*v.Key, "users/") {
			outside = append(outside, *v.Key)
			continue
		}
		object, err := client.GetObject(t.Context(), &awss3.GetObjectInput{
			Bucket:    aws.String(attacked),
			Key:       v.Key,
			VersionId: v.VersionId,
		})
		require.NoError(t, err)
		text, err := io.ReadAll(object.Body)
		require.NoError(t, err)
		if *v.VersionId != sc.oldInside && *v.Key != "users/old" { // a copy of that version
			require.NotContains(t, string(text), secret, "%s has a secret", *v.Key)
		}
	}

	slices.Sort(outside)
	require.Equal(t, []string{"secret/a", "secret/a", "users2/a"}, outside)
	for _, marker := range versions.DeleteMarkers {
		require.True(t, strings.HasPrefix(*marker.Key, "users/"), *marker.Key)
	}

	parts, err := client.ListParts(t.Context(), &awss3.ListPartsInput{
		Bucket:   aws.String(attacked),
		Key:      aws.String("secret/m"),
		UploadId: &sc.uploadID,
	})
	require.NoError(t, err)
	require.Empty(t, parts.Parts)
}

// attacks returns the attacks on the scene.
func (sc *scene) attacks(t *testing.T) []attack {
	both := []string{"aws", "minio"}
	onAWS := []string{"aws"}
	onMinIO := []string{"minio"}
	copyAttack := func(name, source string) attack {
		return attack{
			name:   "copy " + name,
			method: "PUT",
			path:   "/users/stolen",
			header: []string{"X-Amz-Copy-Source", source},
		}
	}
	parts := "partNumber=1&uploadId=" + url.QueryEscape(sc.ownUploadID)
	theirs := "uploadId=" + url.QueryEscape(sc.uploadID)
	return []attack{
		{name: "read below the prefix", path: "/users/a", allowed: both},
		{name: "list below the prefix", query: "list-type=2&prefix=users/", allowed: onAWS},

		{name: "list all", query: "list-type=2"},
		{name: "list all by version 1", query: ""},
		{name: "list folders", query: "delimiter=/"},
		{name: "list other keys", query: "list-type=2&prefix=secret/"},
		{name: "list a longer prefix", query: "list-type=2&prefix=users2/"},
		{name: "list a shorter prefix", query: "list-type=2&prefix=users"},
		{name: "list by a header Prefix", query: "list-type=2", header: []string{"Prefix", "users/"}},
		{
			name:   "list other keys by a header Prefix",
			query:  "list-type=2&prefix=secret/",
			header: []string{"Prefix", "users/"},
		},
		{
			name:    "list by a signed header prefix",
			query:   "prefix=users/",
			header:  []string{"Prefix", "secret/"},
			allowed: onAWS,
		},
		{
			name:   "list by a header x-amz-prefix",
			query:  "list-type=2&prefix=secret/",
			header: []string{"X-Amz-Prefix", "users/"},
		},
		{
			name:   "list by a header s3:prefix",
			query:  "list-type=2&prefix=secret/",
			header: []string{"S3-Prefix", "users/"},
		},
		{name: "list by a parameter Prefix", query: "list-type=2&Prefix=users/"},
		{name: "list other keys by a parameter Prefix", query: "list-type=2&Prefix=users/&prefix=secret/"},
		{
			name:    "list by two parameters, ours first",
			query:   "list-type=2&prefix=users/&prefix=secret/",
			allowed: onAWS,
		},
		{
			name:    "list by two parameters, ours last",
			query:   "list-type=2&prefix=secret/&prefix=users/",
			allowed: onAWS,
		},
		{name: "list by an escaped parameter", query: "list-type=2&%70refix=secret/"},
		{name: "list by a parent folder", query: "list-type=2&prefix=users/../secret/", allowed: onAWS},
		{name: "list with a semicolon", query: "list-type=2&prefix=users/;prefix=secret/", allowed: onAWS},
		{name: "list after a key", query: "list-type=2&prefix=users/&start-after=a", allowed: onAWS},
		{name: "list by a marker", query: "prefix=users/&marker=a&delimiter=/", allowed: onAWS},
		{
			name:    "list by a token",
			query:   "list-type=2&prefix=users/&continuation-token=c2VjcmV0Lw==",
			allowed: onAWS,
		},
		{name: "list with metadata", query: "list-type=2&metadata=true&prefix=secret/"},
		{name: "list by a form", method: "POST", query: "list-type=2&prefix=secret/"},
		{
			name:   "list with a body",
			query:  "list-type=2",
			body:   "prefix=users/",
			header: []string{"Content-Type", "application/x-www-form-urlencoded"},
		},

		{name: "list versions", query: "versions"},
		{name: "list versions below the prefix", query: "versions&prefix=users/"},
		{
			name:   "list versions of other keys",
			query:  "versions&prefix=secret/",
			header: []string{"Prefix", "users/"},
		},
		{name: "list versions with metadata", query: "versions&metadata=true&prefix=secret/"},
		{name: "read a version", path: "/secret/a", query: "versionId=" + sc.oldSecret},
		{
			name:  "read an old version below the prefix",
			path:  "/users/a",
			query: "versionId=" + sc.oldInside,
			leaks: onMinIO,
		},
		{name: "head a version", method: "HEAD", path: "/secret/a", query: "versionId=" + sc.oldSecret},
		{name: "remove a version", method: "DELETE", path: "/secret/a", query: "versionId=" + sc.oldSecret},
		{
			name:   "remove a version below the prefix",
			method: "DELETE",
			path:   "/users/a",
			query:  "versionId=" + sc.oldInside,
		},

		{name: "read another key", path: "/secret/a"},
		{name: "read a longer prefix", path: "/users2/a"},
		{name: "read another bucket", path: "/../" + other + "/users/a"},
		{name: "read by a parent folder", path: "/users/../secret/a"},
		{name: "read by an escaped parent folder", path: "/users/%2e%2e/secret/a"},
		{name: "read by an escaped slash", path: "/users%2f..%2fsecret%2fa"},
		{name: "read by two slashes", path: "//secret/a"},
		{name: "read by a dot", path: "/./secret/a"},
		{name: "read by a backslash", path: `/users%5c..%5csecret%5ca`},
		{
			name:   "read attributes",
			path:   "/secret/a",
			query:  "attributes",
			header: []string{"X-Amz-Object-Attributes", "ETag"},
		},
		{
			name:   "select",
			method: "POST",
			path:   "/secret/a",
			query:  "select&select-type=2",
			body:   "<SelectObjectContentRequest/>",
		},
		{name: "read a retention", path: "/secret/a", query: "retention"},
		{name: "read an access list", path: "/secret/a", query: "acl"},
		{name: "read from an archive", path: "/secret/a/b.zip", header: []string{"X-Minio-Extract", "true"}},

		copyAttack("another key", attacked+"/secret/a"),
		copyAttack("an escaped key", attacked+"/secret%2Fa"),
		copyAttack("after a slash", "/"+attacked+"/secret/a"),
		copyAttack("after two slashes", "//"+attacked+"/secret/a"),
		copyAttack("by a parent folder", attacked+"/users/../secret/a"),
		copyAttack("by an escaped parent folder", attacked+"/users/%2e%2e/secret/a"),
		copyAttack("a version", attacked+"/secret/a?versionId="+sc.oldSecret),
		copyAttack("with an escaped question mark", attacked+"/users/a%3FversionId="+sc.oldSecret),
		copyAttack("another bucket", other+"/users/a"),
		copyAttack("by an ARN", "arn:aws:s3:::"+attacked+"/secret/a"),
		{
			name:   "copy an old version below the prefix",
			method: "PUT",
			path:   "/users/old",
			header: []string{"X-Amz-Copy-Source", attacked + "/users/a?versionId=" + sc.oldInside},
			leaks:  onMinIO,
		},
		{
			name:   "copy by two headers",
			method: "PUT",
			path:   "/users/stolen",
			header: []string{
				"X-Amz-Copy-Source", attacked + "/users/a",
				"X-Amz-Copy-Source", attacked + "/secret/a",
			},
			allowed: both,
		},
		{
			name:   "copy out",
			method: "PUT",
			path:   "/secret/b",
			header: []string{"X-Amz-Copy-Source", attacked + "/users/a"},
		},
		{
			name:   "copy a part",
			method: "PUT",
			path:   "/users/m",
			query:  parts,
			header: []string{"X-Amz-Copy-Source", attacked + "/secret/a"},
		},
		{
			name:   "copy a part of a version",
			method: "PUT",
			path:   "/users/m",
			query:  parts,
			header: []string{"X-Amz-Copy-Source", attacked + "/secret/a?versionId=" + sc.oldSecret},
		},

		{name: "list uploads", query: "uploads"},
		{name: "list uploads below the prefix", query: "uploads&prefix=users/"},
		{
			name:   "list uploads by a header",
			query:  "uploads&prefix=secret/",
			header: []string{"Prefix", "users/"},
		},
		{name: "list parts", path: "/secret/m", query: theirs},
		{name: "list parts by another key", path: "/users/m", query: theirs},
		{name: "put a part", method: "PUT", path: "/secret/m", query: "partNumber=1&" + theirs, body: "x"},
		{
			name:   "put a part by another key",
			method: "PUT",
			path:   "/users/m",
			query:  "partNumber=1&" + theirs,
			body:   "x",
		},
		{name: "abort", method: "DELETE", path: "/secret/m", query: theirs},
		{name: "abort by another key", method: "DELETE", path: "/users/m", query: theirs, allowed: onMinIO},
		{name: "begin an upload", method: "POST", path: "/secret/n", query: "uploads"},
		{
			name:   "complete by another key",
			method: "POST",
			path:   "/users/m",
			query:  theirs,
			body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>" +
				"</CompleteMultipartUpload>",
		},

		{name: "read tags", path: "/secret/a", query: "tagging"},
		{name: "read tags below the prefix", path: "/users/a", query: "tagging"},
		{name: "set tags", method: "PUT", path: "/secret/a", query: "tagging", body: tagging},
		{name: "set tags below the prefix", method: "PUT", path: "/users/a", query: "tagging", body: tagging},
		{name: "remove tags", method: "DELETE", path: "/users/a", query: "tagging"},
		{
			name:    "write tags",
			method:  "PUT",
			path:    "/users/b",
			body:    "x",
			header:  []string{"X-Amz-Tagging", "a=b"},
			allowed: onMinIO,
		},
		{
			name:   "write a lock",
			method: "PUT",
			path:   "/users/b",
			body:   "x",
			header: []string{"X-Amz-Object-Lock-Legal-Hold", "ON"},
		},
		{
			name:    "publish",
			method:  "PUT",
			path:    "/users/b",
			body:    "x",
			header:  []string{"X-Amz-Acl", "public-read"},
			allowed: onMinIO,
		},
		{
			name:    "replicate",
			method:  "PUT",
			path:    "/users/b",
			body:    "x",
			header:  []string{"X-Minio-Source-Replication-Request", "true"},
			allowed: both,
		},

		{name: "put another key", method: "PUT", path: "/secret/b", body: "x"},
		{
			name:    "put by a parent folder",
			method:  "PUT",
			path:    "/users/../secret/b",
			body:    "x",
			allowed: onAWS,
		},
		{name: "remove another key", method: "DELETE", path: "/secret/a"},
		{
			name:   "remove several",
			method: "POST",
			query:  "delete",
			body: "<Delete><Object><Key>secret/a</Key></Object>" +
				"<Object><Key>users/none</Key></Object></Delete>",
			allowed: both,
			echoed:  true,
		},
		{
			name:   "remove several versions",
			method: "POST",
			query:  "delete",
			body: "<Delete><Object><Key>secret/a</Key><VersionId>" + sc.oldSecret + "</VersionId></Object>" +
				"<Object><Key>users/a</Key><VersionId>" + sc.oldInside + "</VersionId></Object></Delete>",
			allowed: both,
			echoed:  true,
		},
		{name: "purge", method: "DELETE", path: "/secret/", header: []string{"X-Minio-Force-Delete", "true"}},
		{
			name:    "unpack an archive",
			method:  "PUT",
			path:    "/users/t.tar",
			body:    archive(t),
			header:  []string{"X-Amz-Meta-Snowball-Auto-Extract", "true"},
			allowed: both,
		},
		{
			name:   "unpack an archive elsewhere",
			method: "PUT",
			path:   "/users/t.tar",
			body:   archive(t),
			header: []string{
				"X-Amz-Meta-Snowball-Auto-Extract", "true",
				"X-Amz-Meta-Minio-Snowball-Prefix", "secret",
				"X-Amz-Meta-Minio-Snowball-Ignore-Dirs", "true",
			},
			allowed: both,
		},

		{name: "form for another key", form: map[string]string{"key": "secret/form"}},
		{
			name:    "form for a folder",
			form:    map[string]string{"key": "users/${filename}", "file": "../secret/form"},
			allowed: both,
		},
		{name: "form below the prefix", form: map[string]string{"key": "users/form"}, allowed: both},
		{
			name:    "form with tags",
			form:    map[string]string{"key": "users/form", "tagging": tagging},
			allowed: onMinIO,
		},
		{
			name: "form to many keys",
			form: map[string]string{
				"key": "users/form", "x-minio-fanout-list": `{"key":"secret/fan"}{"key":"users/fan"}`,
			},
			allowed: onAWS,
		},
		{
			name:    "form with two keys",
			form:    map[string]string{"key": "users/form", "Key": "secret/form"},
			allowed: both,
		},

		{name: "read the policy", query: "policy"},
		{name: "write the policy", method: "PUT", query: "policy", body: "{}"},
		{name: "read the versioning", query: "versioning"},
		{
			name:   "stop the versioning",
			method: "PUT",
			query:  "versioning",
			body:   "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
		},
		{name: "write rules", method: "PUT", query: "lifecycle", body: "<LifecycleConfiguration/>"},
		{name: "listen", query: "events=s3:ObjectCreated:*&prefix=secret/"},
		{name: "remove the bucket", method: "DELETE"},
	}
}

const tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"

// archive returns a tar file whose names lead out of its folder.
func archive(t *testing.T) string {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range []string{"../secret/tar", "secret/tar", "/secret/tar", "tar"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Size: 1, Mode: 0o600}))
		_, err := w.Write([]byte("x"))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buf.String()
}

// send sends the request, and returns the status and the body of the response. Servers differ in
// how a signature covers a parameter that is there twice, so send tries both orders.
func (sc *scene) send(t *testing.T, a *attack) (status int, body string) {
	t.Helper()
	if a.form != nil {
		return sc.post(t, a)
	}
	for _, byValue := range []bool{true, false} {
		client := &http.Client{Timeout: 3 * time.Second}
		resp, err := client.Do(sc.request(t, a, byValue))
		require.NoError(t, err)
		content, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // some responses have no end
		require.NoError(t, resp.Body.Close())
		status = resp.StatusCode
		body = string(content)

		hasOtherOrder := strings.Contains(body, "SignatureDoesNotMatch")
		if !hasOtherOrder {
			break
		}
	}
	return status, body
}

// request returns the signed request of an attack. The SDK's signer would change such paths and queries, so this
// function signs by itself. If byValue is true, equal parameters are signed in the order of their values, and
// otherwise in the order of the query.
func (sc *scene) request(t *testing.T, a *attack, byValue bool) *http.Request {
	t.Helper()
	path := "/" + attacked + a.path
	base, err := url.Parse(sc.endpoint)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), cmp.Or(a.method, "GET"), sc.endpoint, strings.NewReader(a.body))
	require.NoError(t, err)
	req.URL.Opaque = "//" + base.Host + path
	req.URL.RawQuery = a.query

	for i := 0; i < len(a.header); i += 2 {
		req.Header.Add(a.header[i], a.header[i+1])
	}
	now := time.Now().UTC()
	date := now.Format("20060102T150405Z")
	day := now.Format("20060102")
	sum := sha256.Sum256([]byte(a.body))
	bodyHash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", bodyHash)
	if a.body != "" && a.query != "" { // the body is a document, which needs a checksum
		req.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
	}
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-Security-Token", sc.credentials.SessionToken)

	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
	headers, signedHeaders := canonicalHeaders(base.Host, req.Header)
	decodedPath, err := url.PathUnescape(path)
	require.NoError(t, err)
	canonicalRequest := strings.Join([]string{
		req.Method,
		escape.Path(decodedPath),
		canonicalQuery(t, a.query, byValue),
		headers,
		signedHeaders,
		bodyHash,
	}, "\n")
	digest := sha256.Sum256([]byte(canonicalRequest))
	scope := day + "/" + sc.query.Get("region") + "/s3/aws4_request"
	signature := sc.sign(day, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(digest[:]))
	req.Header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		sc.credentials.AccessKeyID, scope, signedHeaders, signature,
	))
	return req
}

// canonicalQuery returns a query as it is signed: escaped, and sorted by the names of the parameters.
func canonicalQuery(t *testing.T, query string, byValue bool) string {
	t.Helper()
	var parameters []string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		plainName, err := url.PathUnescape(name)
		require.NoError(t, err)
		plainValue, err := url.PathUnescape(value)
		require.NoError(t, err)
		parameters = append(parameters, escape.All(plainName)+"="+escape.All(plainValue))
	}
	slices.SortStableFunc(parameters, func(a, b string) int {
		if byValue {
			return strings.Compare(a, b)
		}
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return strings.Compare(nameA, nameB)
	})
	return strings.Join(parameters, "&")
}

// canonicalHeaders returns the headers as they are signed, in the order of their names, and these names. It leaves out
// the headers before "host", which need not be signed.
func canonicalHeaders(host string, header http.Header) (headers, signedHeaders string) {
	var names []string
	for name := range header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)

	headers = "host:" + host + "\n"
	signedHeaders = "host"
	for _, name := range names {
		if name < "host" {
			continue
		}
		headers += name + ":" + strings.Join(header.Values(name), ",") + "\n"
		signedHeaders += ";" + name
	}
	return headers, signedHeaders
}

// post sends a form whose policy permits all fields.
func (sc *scene) post(t *testing.T, a *attack) (status int, body string) {
	t.Helper()
	form, contentType := writeForm(t, sc.formFields(t, a), cmp.Or(a.form["file"], "file"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sc.endpoint+"/"+attacked, form)
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)

	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(content)
}

// A formField is a field of a form.
type formField struct{ name, value string }

// formFields returns the signed fields of the form of an attack, without the file.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
func (sc *scene) formFields(t *testing.T, a *attack) []formField {
	t.Helper()
	now := time.Now().UTC()
	day := now.Format("20060102")
	credential := sc.credentials.AccessKeyID + "/" + day + "/" + sc.query.Get("region") + "/s3/aws4_request"
	fields := []formField{
		{name: "x-amz-algorithm", value: "AWS4-HMAC-SHA256"},
		{name: "x-amz-credential", value: credential},
		{name: "x-amz-date", value: now.Format("20060102T150405Z")},
		{name: "x-amz-security-token", value: sc.credentials.SessionToken},
	}

	// The policy names all fields but the file.
	conditions := []any{map[string]string{"bucket": attacked}}
	for _, field := range fields {
		conditions = append(conditions, map[string]string{field.name: field.value})
	}
	for name, value := range a.form {
		if name == "file" {
			continue
		}
		fields = append(fields, formField{name: name, value: value})
		conditions = append(conditions, []string{"starts-with", "$" + name, ""})
	}
	policy, err := json.Marshal(map[string]any{
		"expiration": now.Add(time.Minute).Format("2006-01-02T15:04:05.000Z"),
		"conditions": conditions,
	})
	require.NoError(t, err)
	encodedPolicy := base64.StdEncoding.EncodeToString(policy)
	return append(fields,
		formField{name: "policy", value: encodedPolicy},
		formField{name: "x-amz-signature", value: sc.sign(day, encodedPolicy)},
	)
}

// writeForm returns the body and the content type of a form. Its last field is a file with one byte.
func writeForm(t *testing.T, fields []formField, fileName string) (form *bytes.Buffer, contentType string) {
	t.Helper()
	form = &bytes.Buffer{}
	w := multipart.NewWriter(form)
	for _, field := range fields {
		require.NoError(t, w.WriteField(field.name, field.value))
	}
	file, err := w.CreateFormFile("file", fileName)
	require.NoError(t, err)
	_, err = file.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return form, w.FormDataContentType()
}

// sign returns the signature of a text by version 4.
func (sc *scene) sign(day, text string) string {
	key := []byte("AWS4" + sc.credentials.SecretAccessKey)
	for _, part := range []string{day, sc.query.Get("region"), "s3", "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
