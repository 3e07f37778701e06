package s3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/crc32c"
)

// session is the answer to CreateSession, which the SDK sends before the first request of a directory
// bucket. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html
var session = reply{Body: `<CreateSessionResult><Credentials>` +
	`<AccessKeyId>own</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>` +
	`<SessionToken>of the session</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration>` +
	`</Credentials></CreateSessionResult>`}

// inDirectoryBucket makes the bucket of c a directory bucket.
func inDirectoryBucket(c *Config) {
	c.Bucket = "photos--use1-az4--x-s3"
	c.Region = "us-east-1"
}

// List of a directory bucket fails without WithAnyOrder, because the server lists keys in no order.
// The server accepts only prefixes that end in a slash. For other prefixes, the engine leaves out
// the entries that do not match.
func TestListDirectoryBucket(t *testing.T) {
	// The server opens a session, and then sends two pages.
	server := newStandIn(t, session,
		reply{Body: `<ListBucketResult>
			<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
			<Contents><Key>d/b</Key></Contents><Contents><Key>d/c</Key></Contents></ListBucketResult>`},
		reply{Body: `<ListBucketResult>
			<Contents><Key>d/a</Key></Contents><Contents><Key>d/bb</Key></Contents></ListBucketResult>`})
	b := engine.New(server.openDriver(t, "aws", inDirectoryBucket))

	// Without WithAnyOrder, no request is sent.
	for _, err := range b.List(t.Context(), storage.WithPrefix("d/b")) {
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "WithAnyOrder")
	}
	require.Empty(t, server.Requests())

	// The prefix "d/b" is sent as "d/", so the pages also have the keys "d/a" and "d/c".
	var keys []string
	for e, err := range b.List(t.Context(), storage.WithAnyOrder(), storage.WithPrefix("d/b")) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	require.Equal(t, []string{"d/b", "d/bb"}, keys)

	// The requests after the first one are signed with the session.
	require.Equal(t, []string{
		"GET /photos--use1-az4--x-s3?session=",
		"GET /photos--use1-az4--x-s3?encoding-type=url&list-type=2&max-keys=1000&prefix=d%2F",
		"GET /photos--use1-az4--x-s3?continuation-token=next&encoding-type=url&list-type=2&max-keys=1000" +
			"&prefix=d%2F",
	}, server.Lines())
	require.Equal(t, "of the session", server.Requests()[1].Header.Get("X-Amz-S3session-Token"))
}

// Describe of a directory bucket declares neither an order of listings nor versions, locks, tags or
// signed URLs. https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html.
func TestDescribeDirectoryBucket(t *testing.T) {
	const missingFeatures = storage.OrderedListing | storage.Versioning | storage.ObjectLock | storage.ObjectTags |
		storage.ObjectACLs | storage.StorageClasses | storage.Restoring | storage.ListedUploads | storage.SignedURLs
	tests := []struct {
		name   string
		bucket string
	}{
		{name: "a bucket", bucket: "photos--use1-az4--x-s3"},
		{name: "an access point", bucket: "point--use1-az4--xa-s3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			desc := newStandIn(t).openDriver(t, "aws", func(c *Config) {
				c.Bucket = tt.bucket
				c.Region = "us-east-1"
			}).Describe()
			require.Zero(t, desc.Features&missingFeatures)
			require.NotZero(t, desc.Features&storage.ConditionalCreate)
			require.True(t, desc.FolderPrefixes)
			require.True(t, desc.SlashDelimiter)
			require.False(t, desc.FolderOrder)
			require.Empty(t, desc.PublicBaseURL)
		})
	}
}

// objectOf is the answer to a HEAD of an object of five bytes.
func objectOf(etag string) reply {
	return reply{
		Header: map[string]string{
			"Content-Length": "5",
			"ETag":           etag,
			"Last-Modified":  "Wed, 01 Oct 2025 00:00:00 GMT",
			"Content-Type":   "text/plain",
		},
	}
}

// Append sends only the new bytes to a directory bucket, with their offset.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html.
func TestAppendDirectoryBucket(t *testing.T) {
	// The server opens a session, shows the object of 5 bytes, and then accepts 3 new bytes.
	server := newStandIn(t, session, objectOf(`"1"`), reply{
		Header: map[string]string{"ETag": `"2"`, "X-Amz-Object-Size": "8"},
	})
	b := engine.New(server.openDriver(t, "aws", inDirectoryBucket))

	attrs, err := storage.Append(t.Context(), b, "log", []byte("new"))
	require.NoError(t, err)
	require.Equal(t, int64(8), attrs.Size)
	require.Equal(t, `"2"`, attrs.ETag)
	require.Equal(t, "text/plain", attrs.ContentType)

	// The third request writes at the end of the object that the second one has shown.
	req := server.Requests()[2]
	require.Equal(t, "PUT /photos--use1-az4--x-s3/log?x-id=PutObject", server.Lines()[2])
	require.Equal(t, "new", req.Body)
	require.Equal(t, "5", req.Header.Get("X-Amz-Write-Offset-Bytes"))
	require.Equal(t, `"1"`, req.Header.Get("If-Match"))
	require.Equal(t, crc32c.Encode(crc32c.Sum([]byte("new"))), req.Header.Get("X-Amz-Checksum-Crc32c"))
	for name := range req.Header {
		require.NotContains(t, name, "X-Amz-Meta-", "S3 refuses metadata beside an offset")
	}
}

// If a directory bucket refuses an append in place, Append tries again, or rewrites the whole object.
func TestAppendDirectoryBucketRefused(t *testing.T) {
	refusal := func(code, message string) reply {
		return reply{
			Status: 400,
			Body:   "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>",
		}
	}
	const mismatch = "Checksum Type mismatch occurred, expected checksum Type: sha1, " +
		"actual checksum Type: crc32c."
	object := reply{
		Header: map[string]string{"ETag": `"1"`, "Last-Modified": "Wed, 01 Oct 2025 00:00:00 GMT"},
		Body:   "first",
	}
	rewritten := reply{Header: map[string]string{"ETag": `"3"`}}
	appended := reply{Header: map[string]string{"ETag": `"3"`, "X-Amz-Object-Size": "8"}}

	tests := []struct {
		name     string
		opts     []storage.CopyOption
		replies  []reply // the first ones are for the session and the attributes of the object
		wantLast string  // the body of the last request
	}{
		{
			name: "another writer was faster",
			replies: []reply{
				session,
				objectOf(`"1"`),
				refusal("InvalidWriteOffset", ""),
				objectOf(`"2"`),
				appended,
			},
			wantLast: "new",
		},
		{
			name:     "it has 10,000 parts",
			replies:  []reply{session, objectOf(`"1"`), refusal("TooManyParts", ""), object, rewritten},
			wantLast: "firstnew",
		},
		{
			name:     "it has another kind of checksum",
			replies:  []reply{session, objectOf(`"1"`), refusal("InvalidRequest", mismatch), object, rewritten},
			wantLast: "firstnew",
		},
		{
			name:     "options replace attributes: no append is tried",
			opts:     []storage.CopyOption{storage.WithContentType("text/html")},
			replies:  []reply{session, objectOf(`"1"`), object, rewritten},
			wantLast: "firstnew",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			b := engine.New(server.openDriver(t, "aws", inDirectoryBucket))
			attrs, err := storage.Append(t.Context(), b, "log", []byte("new"), tt.opts...)
			require.NoError(t, err)
			require.Equal(t, int64(8), attrs.Size)

			require.Len(t, server.Requests(), len(tt.replies))
			require.Equal(t, tt.wantLast, server.Last(t).Body)
		})
	}
}

// Append fails with OutcomeUnknown if the response lacks the size of the object, because a server
// that ignores the offset has replaced the object.
func TestAppendDirectoryBucketWithoutSize(t *testing.T) {
	server := newStandIn(t, session, objectOf(`"1"`), reply{Header: map[string]string{"ETag": `"3"`}})
	b := engine.New(server.openDriver(t, "aws", inDirectoryBucket),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := storage.Append(t.Context(), b, "log", []byte("new"))
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}
