package s3server_test

import (
	"bytes"
	"encoding/xml"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// If the server lacks a header to which AWS gives a meaning, or may give one some day, it fails with
// NotImplemented.
func TestHeadersNotImplemented(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	upload := s.begin(t, "u")

	tests := map[string]struct{ method, path, header, value string }{
		"an append": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-write-offset-bytes",
			value:  "7",
		},
		"a hold for an event": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-object-lock-event-hold",
			value:  "ON",
		},
		"an unknown header of a write": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-future",
			value:  "1",
		},
		"an unknown header of encryption": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-server-side-encryption-future",
			value:  "1",
		},
		"a copy's header without a copy": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-copy-source-if-match",
			value:  `"x"`,
		},
		"a directive without a copy": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-metadata-directive",
			value:  "REPLACE",
		},
		"a checksum mode of a write": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-checksum-mode",
			value:  "ENABLED",
		},
		"a write's header in a read": {
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-storage-class",
			value:  "STANDARD",
		},
		"metadata in a read": {
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-meta-a",
			value:  "b",
		},
		"a checksum in a read": {
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-checksum-crc32c",
			value:  "AAAAAA==",
		},
		"a deletion's condition on time": {
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-last-modified-time",
			value:  "Fri, 24 May 2013 00:00:00 GMT",
		},
		"a deletion's condition on size": {
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-size",
			value:  "1",
		},
		"a deletion with MFA": {
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-mfa",
			value:  "serial 123456",
		},
		"an abort's condition": {
			method: "DELETE",
			path:   "/photos/u?uploadId=" + upload,
			header: "x-amz-if-match-initiated-time",
			value:  "Fri, 24 May 2013 00:00:00 GMT",
		},
		"a part with an access list": {
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-acl",
			value:  "private",
		},
		"a part with metadata": {
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-meta-a",
			value:  "b",
		},
		"a part with a size": {
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-mp-object-size",
			value:  "1",
		},
		"an upload with a checksum": {
			method: "POST",
			path:   "/photos/k?uploads",
			header: "x-amz-checksum-crc32c",
			value:  "AAAAAA==",
		},
		"a bucket in a namespace": {
			method: "PUT",
			path:   "/bucket",
			header: "x-amz-bucket-namespace",
			value:  "account-regional",
		},
		"a listing's unknown header": {method: "GET", path: "/photos", header: "x-amz-future", value: "1"},
		"tags with an unknown header": {
			method: "GET",
			path:   "/photos/k?tagging",
			header: "x-amz-future",
			value:  "1",
		},
		"a setting with a header of object lock": {
			method: "PUT",
			path:   "/photos?versioning",
			header: "x-amz-bypass-governance-retention",
			value:  "true",
		},
		"the name of a source to rename": {
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-rename-source",
			value:  "/photos/l",
		},
		"a session of a directory bucket": {
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-s3session-token",
			value:  "x",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := s.signedSend(t, tt.method, tt.path, "", map[string]string{tt.header: tt.value})
			require.Equal(t, http.StatusNotImplemented, response.StatusCode, body)
			e := struct{ Code, Header string }{}
			require.NoError(t, xml.Unmarshal([]byte(body), &e))
			require.Equal(t, "NotImplemented", e.Code)
			require.Equal(t, tt.header, e.Header)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))

	for _, header := range []string{"x-amz-user-agent", "x-amz-te", "amz-sdk-invocation-id", "x-amzn-trace-id"} {
		response, body := s.signedSend(t, "GET", "/photos/k", "", map[string]string{header: "x"})
		require.Equal(t, http.StatusOK, response.StatusCode, body)
	}
}

// Without Config.Strict, the server ignores headers that AWS does not know, but none to which AWS gives a meaning.
func TestHeadersUnknown(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.put(t, "k", "content")
	tests := []struct {
		method, path, header string
		status               int
	}{
		{method: "PUT", path: "/photos/k", header: "x-amz-future", status: http.StatusOK},
		{method: "GET", path: "/photos/k", header: "x-amz-future", status: http.StatusOK},
		{method: "GET", path: "/photos", header: "x-amz-foo", status: http.StatusOK},
		{
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-write-offset-bytes",
			status: http.StatusNotImplemented,
		},
		{
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-object-lock-event-hold",
			status: http.StatusNotImplemented,
		},
		{
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-server-side-encryption-future",
			status: http.StatusNotImplemented,
		},
		{
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-metadata-directive",
			status: http.StatusNotImplemented,
		},
		{method: "GET", path: "/photos/k", header: "x-amz-storage-class", status: http.StatusNotImplemented},
		{method: "GET", path: "/photos/k", header: "x-amz-meta-a", status: http.StatusNotImplemented},
		{
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-size",
			status: http.StatusNotImplemented,
		},
		{
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-last-modified-time",
			status: http.StatusNotImplemented,
		},
		{method: "DELETE", path: "/photos/k", header: "x-amz-mfa", status: http.StatusNotImplemented},
		{method: "PUT", path: "/bucket", header: "x-amz-bucket-namespace", status: http.StatusNotImplemented},
		{
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-s3session-token",
			status: http.StatusNotImplemented,
		},
	}
	for _, tt := range tests {
		response, body := s.signedSend(t, tt.method, tt.path, "content", map[string]string{tt.header: "1"})
		require.Equal(t, tt.status, response.StatusCode, "%s %s: %s", tt.method, tt.header, body)
	}
	require.Equal(t, "content", s.get(t, "k"))
}

// For each subresource that the server lacks, it fails with NotImplemented.
func TestSubresourcesNotImplemented(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	tests := []struct{ method, path, name string }{
		{method: "GET", path: "/photos/k?torrent", name: "torrent"},
		{method: "POST", path: "/photos/k?select&select-type=2", name: "select"},
		{method: "PUT", path: "/photos/k?renameObject", name: "renameObject"},
		{method: "PUT", path: "/photos/k?encryption", name: "encryption"},
		{method: "GET", path: "/photos/k?annotation&annotationName=a", name: "annotation"},
		{method: "PUT", path: "/photos/k?future", name: "future"},
		{method: "DELETE", path: "/photos/k?future=", name: "future"},
		{method: "GET", path: "/photos?session", name: "session"},
		{method: "GET", path: "/photos?abac", name: "abac"},
		{method: "POST", path: "/photos?metadataTable", name: "metadataTable"},
		{method: "POST", path: "/photos?metadataConfiguration", name: "metadataConfiguration"},
		{method: "PUT", path: "/photos?metadataInventoryTable", name: "metadataInventoryTable"},
		{method: "PUT", path: "/photos?metadataJournalTable", name: "metadataJournalTable"},
		{method: "GET", path: "/photos?future", name: "future"},
		{method: "PUT", path: "/photos?future", name: "future"},
		{method: "DELETE", path: "/photos?future", name: "future"},
	}
	for _, tt := range tests {
		response, body := s.signedSend(t, tt.method, tt.path, "", nil)
		require.Equal(t, http.StatusNotImplemented, response.StatusCode, tt.path)
		e := struct{ Code, Resource string }{}
		require.NoError(t, xml.Unmarshal([]byte(body), &e))
		require.Equal(t, "NotImplemented", e.Code)
		require.Contains(t, body, "<Resource>"+tt.name+"</Resource>")
	}
	require.Equal(t, []string{"k"}, s.keys(t))

	for _, path := range []string{"/photos/k?nocache", "/photos/k?nocache=1", "/photos?nocache=1", "/photos?prefix=&marker=&delimiter="} {
		response, body := s.signedSend(t, "GET", path, "", nil)
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, body)
	}
	for path, method := range map[string]string{
		"/photos/k?versionId=null":         "PUT",
		"/photos/k?partNumber=1":           "PUT",
		"/photos/k?uploads&versionId=null": "POST",
	} {
		response, body := s.signedSend(t, method, path, "", nil)
		require.Equal(t, http.StatusBadRequest, response.StatusCode, path)
		require.Equal(t, "InvalidArgument", parseError(t, body).Code, path)
	}
}

// The server treats parameters of a presigned URL as headers, because SDKs sign headers into a URL in this way.
func TestPresignedURLParametersAreHeaders(t *testing.T) {
	s := start(t, s3server.Config{})
	send := func(method string, query url.Values, content string) (*http.Response, string) {
		t.Helper()
		query.Set("X-Amz-Expires", "60")
		r, err := http.NewRequestWithContext(t.Context(), method,
			s.server.URL+"/photos/k?"+query.Encode(), nil)
		require.NoError(t, err)
		as := aws.Credentials{
			AccessKeyID:     s3server.DefaultAccessKeyID,
			SecretAccessKey: s3server.DefaultSecretKey,
		}
		signedURL, _, err := v4.NewSigner().PresignHTTP(t.Context(), as, r, "UNSIGNED-PAYLOAD", "s3",
			"us-east-1", time.Now())
		require.NoError(t, err)
		return s.send(t, method, signedURL, strings.NewReader(content), nil)
	}

	response, body := send("PUT", url.Values{
		"x-amz-meta-a":                 {"b"},
		"x-amz-tagging":                {"c=d"},
		"X-Amz-Storage-Class":          {"STANDARD_IA"},
		"x-amz-checksum-crc32":         {"AAAAAA=="},
		"x-amz-sdk-checksum-algorithm": {"CRC32"}, // of an empty body, which S3 ignores
	}, "content")
	require.Equal(t, http.StatusOK, response.StatusCode, body)

	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "b"}, head.Metadata)
	require.Equal(t, int32(1), *head.TagCount)
	require.Equal(t, types.StorageClassStandardIa, head.StorageClass)

	response, _ = send("GET", url.Values{"x-amz-checksum-mode": {"ENABLED"}}, "")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("X-Amz-Checksum-Crc64nvme"))
	for parameter, method := range map[string]string{
		"x-amz-write-offset-bytes":     "PUT",
		"x-amz-object-lock-event-hold": "PUT",
		"x-amz-tagging":                "GET",
	} {
		response, body = send(method, url.Values{parameter: {"1"}}, "other")
		require.Equal(t, http.StatusNotImplemented, response.StatusCode, "%s: %s", parameter, body)
	}
	response, body = send("PUT", url.Values{"x-amz-object-lock-legal-hold": {"ON"}}, "other")
	require.Equal(t, http.StatusBadRequest, response.StatusCode, body)
	require.Equal(t, "content", s.get(t, "k"))
}

// Listings report the restore status of archived objects that were restored.
func TestListingsShowRestoredCopies(t *testing.T) {
	s := start(t, s3server.Config{RestoreTime: 10 * time.Minute})
	input := putInput("k", "x")
	input.StorageClass = types.StorageClassGlacier
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	status := func() []*types.RestoreStatus {
		t.Helper()
		attributes := []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}
		one, err := s.ListObjects(t.Context(), &s3.ListObjectsInput{
			Bucket:                   input.Bucket,
			OptionalObjectAttributes: attributes,
		})
		require.NoError(t, err)
		two, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
			Bucket:                   input.Bucket,
			OptionalObjectAttributes: attributes,
		})
		require.NoError(t, err)
		versions, err := s.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
			Bucket:                   input.Bucket,
			OptionalObjectAttributes: attributes,
		})
		require.NoError(t, err)
		return []*types.RestoreStatus{
			one.Contents[0].RestoreStatus, two.Contents[0].RestoreStatus,
			versions.Versions[0].RestoreStatus,
		}
	}
	require.Equal(t, []*types.RestoreStatus{nil, nil, nil}, status())

	_, err = s.RestoreObject(t.Context(), &s3.RestoreObjectInput{
		Bucket:         input.Bucket,
		Key:            input.Key,
		RestoreRequest: &types.RestoreRequest{Days: aws.Int32(1)},
	})
	require.NoError(t, err)
	for _, r := range status() {
		require.True(t, *r.IsRestoreInProgress)
		require.Nil(t, r.RestoreExpiryDate)
	}

	s.clock.move(11 * time.Minute)
	for _, r := range status() {
		require.False(t, *r.IsRestoreInProgress)
		require.WithinDuration(t, s.clock.now().AddDate(0, 0, 1), *r.RestoreExpiryDate, 2*time.Minute)
	}

	list, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: input.Bucket})
	require.NoError(t, err)
	require.Nil(t, list.Contents[0].RestoreStatus, "nobody has asked for it")

	response, body := s.signedSend(t, "GET", "/photos", "", map[string]string{
		"X-Amz-Optional-Object-Attributes": "Color",
	})
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Equal(t, "InvalidArgument", parseError(t, body).Code)
}

// Conditions that AWS supports only in directory buckets fail with NotImplemented.
func TestConditionsOfDirectoryBuckets(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")

	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{
			Key:  aws.String("k"),
			Size: aws.Int64(1),
		}, {Key: aws.String("k"), LastModifiedTime: aws.Time(time.Now())},
	}}})
	require.NoError(t, err)
	require.Empty(t, output.Deleted)
	require.Len(t, output.Errors, 2)
	require.Equal(t, "NotImplemented", *output.Errors[0].Code)
	require.Equal(t, "content", s.get(t, "k"))
}

// The server refuses a form with one of these fields.
func TestFormRefusesFields(t *testing.T) {
	s := start(t, s3server.Config{})
	tests := map[string]struct {
		value  string
		status int
	}{
		"x-amz-meta-a":                {"b", http.StatusNoContent},
		"x-amz-expected-bucket-owner": {"210987654321", http.StatusForbidden},
		"x-amz-tagging":               {"a=b", http.StatusNotImplemented}, // the field is named tagging
		"x-amz-write-offset-bytes":    {"1", http.StatusNotImplemented},
		"x-amz-checksum-crc8":         {"AA==", http.StatusBadRequest},
		"x-amz-checksum-xxhash3":      {"AAAAAAAAAAA=", http.StatusNotImplemented},
		"x-amz-checksum-algorithm":    {"CRC8", http.StatusBadRequest},
	}
	for field, tt := range tests {
		presigned, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		},
			func(o *s3.PresignPostOptions) {
				o.Conditions = []any{[]string{"starts-with", "$" + field, ""}}
			})
		require.NoError(t, err)
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		presigned.Values[field] = tt.value
		for name, value := range presigned.Values {
			require.NoError(t, form.WriteField(name, value))
		}
		file, err := form.CreateFormFile("file", "f")
		require.NoError(t, err)
		_, _ = file.Write([]byte("content"))
		require.NoError(t, form.Close())

		response, answer := s.send(t, "POST", presigned.URL, &body, http.Header{
			"Content-Type": {form.FormDataContentType()},
		})
		require.Equal(t, tt.status, response.StatusCode, "%s: %s", field, answer)
	}
}
