package s3server_test

import (
	"encoding/xml"
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

// A request fails with NotImplemented if the server does not support one of its headers, and AWS
// gives this header a meaning or may give it one some day.
func TestHeadersNotImplemented(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	upload := s.beginUpload(t, "u")

	tests := []struct {
		name   string
		method string
		path   string
		header string
		value  string
	}{
		{
			name:   "append to an object",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-write-offset-bytes",
			value:  "7",
		},
		{
			name:   "event hold",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-object-lock-event-hold",
			value:  "ON",
		},
		{
			name:   "an unknown header of a write",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-future",
			value:  "1",
		},
		{
			name:   "an unknown header of encryption",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-server-side-encryption-future",
			value:  "1",
		},
		{
			name:   "condition on a source, without a copy",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-copy-source-if-match",
			value:  `"x"`,
		},
		{
			name:   "directive for metadata, without a copy",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-metadata-directive",
			value:  "REPLACE",
		},
		{
			name:   "a checksum mode of a write",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-checksum-mode",
			value:  "ENABLED",
		},
		{
			name:   "storage class of a read",
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-storage-class",
			value:  "STANDARD",
		},
		{
			name:   "metadata of a read",
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-meta-a",
			value:  "b",
		},
		{
			name:   "checksum of a read",
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-checksum-crc32c",
			value:  "AAAAAA==",
		},
		{
			name:   "deletion with a condition on the time",
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-last-modified-time",
			value:  "Fri, 24 May 2013 00:00:00 GMT",
		},
		{
			name:   "deletion with a condition on the size",
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-if-match-size",
			value:  "1",
		},
		{
			name:   "deletion with MFA",
			method: "DELETE",
			path:   "/photos/k",
			header: "x-amz-mfa",
			value:  "serial 123456",
		},
		{
			name:   "abort with a condition",
			method: "DELETE",
			path:   "/photos/u?uploadId=" + upload,
			header: "x-amz-if-match-initiated-time",
			value:  "Fri, 24 May 2013 00:00:00 GMT",
		},
		{
			name:   "part with an ACL",
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-acl",
			value:  "private",
		},
		{
			name:   "part with metadata",
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-meta-a",
			value:  "b",
		},
		{
			name:   "part with the size of the object",
			method: "PUT",
			path:   "/photos/u?partNumber=1&uploadId=" + upload,
			header: "x-amz-mp-object-size",
			value:  "1",
		},
		{
			name:   "an upload with a checksum",
			method: "POST",
			path:   "/photos/k?uploads",
			header: "x-amz-checksum-crc32c",
			value:  "AAAAAA==",
		},
		{
			name:   "bucket in a namespace",
			method: "PUT",
			path:   "/bucket",
			header: "x-amz-bucket-namespace",
			value:  "account-regional",
		},
		{
			name:   "unknown header of a listing",
			method: "GET",
			path:   "/photos",
			header: "x-amz-future",
			value:  "1",
		},
		{
			name:   "unknown header of a read of tags",
			method: "GET",
			path:   "/photos/k?tagging",
			header: "x-amz-future",
			value:  "1",
		},
		{
			name:   "header of object lock in a request about versioning",
			method: "PUT",
			path:   "/photos?versioning",
			header: "x-amz-bypass-governance-retention",
			value:  "true",
		},
		{
			name:   "source of a renaming",
			method: "PUT",
			path:   "/photos/k",
			header: "x-amz-rename-source",
			value:  "/photos/l",
		},
		{
			name:   "session of a directory bucket",
			method: "GET",
			path:   "/photos/k",
			header: "x-amz-s3session-token",
			value:  "x",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, tt.method, tt.path, "", map[string]string{tt.header: tt.value})
			require.Equal(t, http.StatusNotImplemented, response.StatusCode, body)
			e := struct{ Code, Header string }{}
			require.NoError(t, xml.Unmarshal([]byte(body), &e))
			require.Equal(t, "NotImplemented", e.Code)
			require.Equal(t, tt.header, e.Header)
		})
	}
	require.Equal(t, "content", s.get(t, "k"))

	// Headers that SDKs send for statistics have no effect on a request, and are accepted.
	for _, header := range []string{"x-amz-user-agent", "x-amz-te", "amz-sdk-invocation-id", "x-amzn-trace-id"} {
		response, body := s.sendSigned(t, "GET", "/photos/k", "", map[string]string{header: "x"})
		require.Equal(t, http.StatusOK, response.StatusCode, body)
	}
}

// Without Config.Strict, the server ignores headers without a meaning for AWS. A request with another header that the
// server does not support still fails.
func TestHeadersUnknown(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.put(t, "k", "content")
	tests := []struct {
		method, path, header string
		wantStatus           int
	}{
		{method: "PUT", path: "/photos/k", header: "x-amz-future", wantStatus: http.StatusOK},
		{method: "GET", path: "/photos/k", header: "x-amz-future", wantStatus: http.StatusOK},
		{method: "GET", path: "/photos", header: "x-amz-foo", wantStatus: http.StatusOK},
		{
			method:     "PUT",
			path:       "/photos/k",
			header:     "x-amz-write-offset-bytes",
			wantStatus: http.StatusNotImplemented,
		},
		{
			method:     "PUT",
			path:       "/photos/k",
			header:     "x-amz-object-lock-event-hold",
			wantStatus: http.StatusNotImplemented,
		},
		{
			method:     "PUT",
			path:       "/photos/k",
			header:     "x-amz-server-side-encryption-future",
			wantStatus: http.StatusNotImplemented,
		},
		{
			method:     "PUT",
			path:       "/photos/k",
			header:     "x-amz-metadata-directive",
			wantStatus: http.StatusNotImplemented,
		},
		{method: "GET", path: "/photos/k", header: "x-amz-storage-class", wantStatus: http.StatusNotImplemented},
		{method: "GET", path: "/photos/k", header: "x-amz-meta-a", wantStatus: http.StatusNotImplemented},
		{
			method:     "DELETE",
			path:       "/photos/k",
			header:     "x-amz-if-match-size",
			wantStatus: http.StatusNotImplemented,
		},
		{
			method:     "DELETE",
			path:       "/photos/k",
			header:     "x-amz-if-match-last-modified-time",
			wantStatus: http.StatusNotImplemented,
		},
		{method: "DELETE", path: "/photos/k", header: "x-amz-mfa", wantStatus: http.StatusNotImplemented},
		{method: "PUT", path: "/bucket", header: "x-amz-bucket-namespace", wantStatus: http.StatusNotImplemented},
		{
			method:     "GET",
			path:       "/photos/k",
			header:     "x-amz-s3session-token",
			wantStatus: http.StatusNotImplemented,
		},
	}
	for _, tt := range tests {
		response, body := s.sendSigned(t, tt.method, tt.path, "content", map[string]string{tt.header: "1"})
		require.Equal(t, tt.wantStatus, response.StatusCode, "%s %s: %s", tt.method, tt.header, body)
	}
	require.Equal(t, "content", s.get(t, "k"))
}

// A request for a subresource that the server does not implement changes nothing and fails with an error that names the
// subresource. Unknown parameters that are no subresource of S3 are ignored, and misplaced ones are refused.
func TestSubresourcesNotImplemented(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	notImplemented := []struct{ method, path, wantResource string }{
		{method: "GET", path: "/photos/k?torrent", wantResource: "torrent"},
		{method: "POST", path: "/photos/k?select&select-type=2", wantResource: "select"},
		{method: "PUT", path: "/photos/k?renameObject", wantResource: "renameObject"},
		{method: "PUT", path: "/photos/k?encryption", wantResource: "encryption"},
		{method: "GET", path: "/photos/k?annotation&annotationName=a", wantResource: "annotation"},
		{method: "PUT", path: "/photos/k?future", wantResource: "future"},
		{method: "DELETE", path: "/photos/k?future=", wantResource: "future"},
		{method: "GET", path: "/photos?session", wantResource: "session"},
		{method: "GET", path: "/photos?abac", wantResource: "abac"},
		{method: "POST", path: "/photos?metadataTable", wantResource: "metadataTable"},
		{method: "POST", path: "/photos?metadataConfiguration", wantResource: "metadataConfiguration"},
		{method: "PUT", path: "/photos?metadataInventoryTable", wantResource: "metadataInventoryTable"},
		{method: "PUT", path: "/photos?metadataJournalTable", wantResource: "metadataJournalTable"},
		{method: "GET", path: "/photos?future", wantResource: "future"},
		{method: "PUT", path: "/photos?future", wantResource: "future"},
		{method: "DELETE", path: "/photos?future", wantResource: "future"},
	}
	for _, tt := range notImplemented {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			response, body := s.sendSigned(t, tt.method, tt.path, "", nil)
			require.Equal(t, http.StatusNotImplemented, response.StatusCode)
			e := parseError(t, body)
			require.Equal(t, "NotImplemented", e.Code)
			require.Equal(t, tt.wantResource, e.Resource)
		})
	}
	require.Equal(t, []string{"k"}, s.keys(t))

	// Parameters that are no subresource of S3 are ignored.
	ignored := []string{
		"/photos/k?nocache",
		"/photos/k?nocache=1",
		"/photos?nocache=1",
		"/photos?prefix=&marker=&delimiter=",
	}
	for _, path := range ignored {
		t.Run(path, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", path, "", nil)
			require.Equal(t, http.StatusOK, response.StatusCode, body)
		})
	}

	// Parameters that only reads take make a write fail.
	misplaced := []struct{ method, path string }{
		{method: "PUT", path: "/photos/k?versionId=null"},
		{method: "PUT", path: "/photos/k?partNumber=1"},
		{method: "POST", path: "/photos/k?uploads&versionId=null"},
	}
	for _, tt := range misplaced {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			response, body := s.sendSigned(t, tt.method, tt.path, "", nil)
			require.Equal(t, http.StatusBadRequest, response.StatusCode)
			require.Equal(t, "InvalidArgument", parseError(t, body).Code)
		})
	}
}

// The server treats parameters of a presigned URL that have the names of headers as headers, because SDKs presign
// headers in this way.
func TestPresignedURLParametersAreHeaders(t *testing.T) {
	s := startServer(t, s3server.Config{})
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	sendPresigned := func(method string, query url.Values, content string) (*http.Response, string) {
		t.Helper()
		query.Set("X-Amz-Expires", "60")
		r, err := http.NewRequestWithContext(t.Context(), method,
			s.server.URL+"/photos/k?"+query.Encode(), nil)
		require.NoError(t, err)
		signedURL, _, err := v4.NewSigner().PresignHTTP(t.Context(), owner, r, "UNSIGNED-PAYLOAD", "s3",
			"us-east-1", time.Now())
		require.NoError(t, err)
		return s.send(t, method, signedURL, strings.NewReader(content), nil)
	}

	// A write gets its properties from the URL.
	response, body := sendPresigned("PUT", url.Values{
		"x-amz-meta-a":                 {"b"},
		"x-amz-tagging":                {"c=d"},
		"X-Amz-Storage-Class":          {"STANDARD_IA"},
		"x-amz-sdk-checksum-algorithm": {"CRC32"},
		// This checksum is that of an empty body. S3 ignores it.
		"x-amz-checksum-crc32": {"AAAAAA=="},
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

	// A read gets its options from the URL.
	response, _ = sendPresigned("GET", url.Values{"x-amz-checksum-mode": {"ENABLED"}}, "")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NotEmpty(t, response.Header.Get("X-Amz-Checksum-Crc64nvme"))

	// Headers that the server does not support, or that the operation does not have, are refused.
	refused := []struct{ method, parameter string }{
		{method: "PUT", parameter: "x-amz-write-offset-bytes"},
		{method: "PUT", parameter: "x-amz-object-lock-event-hold"},
		{method: "GET", parameter: "x-amz-tagging"},
	}
	for _, tt := range refused {
		response, body = sendPresigned(tt.method, url.Values{tt.parameter: {"1"}}, "other")
		require.Equal(t, http.StatusNotImplemented, response.StatusCode, "%s: %s", tt.parameter, body)
	}

	// The server understands a parameter of object lock, but refuses it, because the bucket has no
	// object lock.
	response, body = sendPresigned("PUT", url.Values{"x-amz-object-lock-legal-hold": {"ON"}}, "other")
	require.Equal(t, http.StatusBadRequest, response.StatusCode, body)
	require.Equal(t, "content", s.get(t, "k"))
}

// Listings report the restore status of archived objects, if the request asks for it.
func TestListingsShowRestoredCopies(t *testing.T) {
	const restoreTime = 10 * time.Minute
	s := startServer(t, s3server.Config{RestoreTime: restoreTime})
	input := putInput("k", "x")
	input.StorageClass = types.StorageClassGlacier
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// listStatus returns the status of k in each kind of listing.
	listStatus := func() []*types.RestoreStatus {
		t.Helper()
		attributes := []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}
		v1, err := s.ListObjects(t.Context(), &s3.ListObjectsInput{
			Bucket:                   input.Bucket,
			OptionalObjectAttributes: attributes,
		})
		require.NoError(t, err)
		v2, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
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
			v1.Contents[0].RestoreStatus,
			v2.Contents[0].RestoreStatus,
			versions.Versions[0].RestoreStatus,
		}
	}

	// An archived object has no status.
	require.Equal(t, []*types.RestoreStatus{nil, nil, nil}, listStatus())

	// During the restore, the status says that it is in progress.
	_, err = s.RestoreObject(t.Context(), &s3.RestoreObjectInput{
		Bucket:         input.Bucket,
		Key:            input.Key,
		RestoreRequest: &types.RestoreRequest{Days: aws.Int32(1)},
	})
	require.NoError(t, err)
	for _, status := range listStatus() {
		require.True(t, *status.IsRestoreInProgress)
		require.Nil(t, status.RestoreExpiryDate)
	}

	// Afterwards, the restored copy expires in a day.
	s.clock.move(restoreTime + time.Minute)
	for _, status := range listStatus() {
		require.False(t, *status.IsRestoreInProgress)
		require.WithinDuration(t, s.clock.now().AddDate(0, 0, 1), *status.RestoreExpiryDate, 2*time.Minute)
	}

	// A listing without the header X-Amz-Optional-Object-Attributes does not report the status of
	// restores.
	list, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: input.Bucket})
	require.NoError(t, err)
	require.Nil(t, list.Contents[0].RestoreStatus)

	// The header X-Amz-Optional-Object-Attributes cannot name other attributes.
	response, body := s.sendSigned(t, "GET", "/photos", "", map[string]string{
		"X-Amz-Optional-Object-Attributes": "Color",
	})
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Equal(t, "InvalidArgument", parseError(t, body).Code)
}

// DeleteObjects refuses conditions on the size and the time of an object, which AWS supports only in directory buckets.
func TestConditionsOfDirectoryBuckets(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")

	output, err := s.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{
			{Key: aws.String("k"), Size: aws.Int64(1)},
			{Key: aws.String("k"), LastModifiedTime: aws.Time(time.Now())},
		}},
	})

	require.NoError(t, err)
	require.Empty(t, output.Deleted)
	require.Len(t, output.Errors, 2)
	require.Equal(t, "NotImplemented", *output.Errors[0].Code)
	require.Equal(t, "content", s.get(t, "k"))
}

// The server accepts the form fields that set metadata. It refuses fields named after headers that
// S3 refuses or the server does not implement, even if the form's policy allows them.
func TestFormRefusesFields(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct {
		field, value string
		wantStatus   int
	}{
		{field: "x-amz-meta-a", value: "b", wantStatus: http.StatusNoContent},
		{field: "x-amz-expected-bucket-owner", value: otherAccount, wantStatus: http.StatusForbidden},
		// The form field that sets tags is named tagging, not x-amz-tagging.
		{field: "x-amz-tagging", value: "a=b", wantStatus: http.StatusNotImplemented},
		{field: "x-amz-write-offset-bytes", value: "1", wantStatus: http.StatusNotImplemented},
		{field: "x-amz-checksum-crc8", value: "AA==", wantStatus: http.StatusBadRequest},
		{field: "x-amz-checksum-xxhash3", value: "AAAAAAAAAAA=", wantStatus: http.StatusNotImplemented},
		{field: "x-amz-checksum-algorithm", value: "CRC8", wantStatus: http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			input := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}

			// The condition of the policy allows any value of the field.
			form, err := s3.NewPresignClient(s.Client).PresignPostObject(t.Context(), input,
				func(o *s3.PresignPostOptions) {
					o.Conditions = []any{[]string{"starts-with", "$" + tt.field, ""}}
				})
			require.NoError(t, err)
			form.Values[tt.field] = tt.value

			response, body := s.post(t, form.URL, form.Values, "content")

			require.Equal(t, tt.wantStatus, response.StatusCode, body)
		})
	}
}
