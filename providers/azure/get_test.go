package azure

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Get sends the range of a read in the header X-Ms-Range.
func TestGetRangeRequests(t *testing.T) {
	const toEnd = -1
	tests := []struct {
		name           string
		offset, length int64
		want           string
	}{
		{name: "all", length: toEnd},
		{name: "from the start", length: 3, want: "bytes=0-2"},
		{name: "one byte", offset: 4, length: 1, want: "bytes=4-4"},
		{name: "to the end", offset: 4, length: toEnd, want: "bytes=4-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The response doesn't matter, since the test is about the request.
			server := newCannedServer(t, errorReply(503, "ServerBusy"))
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
				Key:    "a",
				Offset: tt.offset,
				Length: tt.length,
			})
			require.ErrorIs(t, err, storage.RateLimited)

			got := server.Last(t)
			require.Equal(t, tt.want, got.Header.Get("X-Ms-Range"))
			require.Empty(t, got.Header.Get("Range"))
			require.Equal(t, "identity", got.Header.Get("Accept-Encoding"))
		})
	}
}

// Get returns all attributes from the headers of its response.
func TestGetAttributes(t *testing.T) {
	// Azure sends "-" in the name of metadata as _x002d_. The body has the bytes 1 to 3 of the
	// object's 5 bytes.
	response := objectReply("ell",
		"Content-Range", "bytes 1-3/5",
		"Content-Encoding", "gzip",
		"Content-Disposition", "inline",
		"Content-Language", "de",
		"Cache-Control", "no-store",
		"X-Ms-Meta-Color_x002d_of", "red",
		"X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5",
		"X-Ms-Meta-Omnibucketwriteid", "w",
		"X-Ms-Blob-Content-Md5", "XUFAKrxLKna5cZ2REBfFkg==",
		"X-Ms-Access-Tier", "Cool",
		"X-Ms-Version-Id", version)
	response.Status = http.StatusPartialContent

	server := newCannedServer(t, response)
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
		Key:    "a",
		Offset: 1,
		Length: 3,
	})
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())

	require.Equal(t, "ell", string(text))
	require.Equal(t, int64(5), attrs.Size, "the size must be that of the whole object")
	require.Equal(t, storage.Properties{
		ContentType:        "text/plain",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		Metadata:           map[string]string{"color-of": "red", "omnibucketwriteid": "w"},
		StorageClass:       "Cool",
	}, attrs.Properties)
	require.Equal(t, etag, attrs.Revision)
	require.Equal(t, version, attrs.Version)
	require.Equal(t, uint32(0x9a71bb4c), attrs.CRC32C.Sum)
	require.Len(t, attrs.MD5, 16)
}

// Attrs.StorageClass is empty if an object has the account's default tier.
func TestGetDefaultTier(t *testing.T) {
	server := newCannedServer(t,
		objectReply("x", "X-Ms-Access-Tier", "Hot", "X-Ms-Access-Tier-Inferred", "true"))
	d := server.openDriver(t)

	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Empty(t, attrs.StorageClass)

	attrs, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.Empty(t, attrs.StorageClass)
}

// Head ignores Content-MD5, because Azure does not verify the MD5 of an object that was made from
// blocks.
func TestHeadUnverifiedMD5(t *testing.T) {
	server := newCannedServer(t, objectReply("x", "Content-Md5", "XUFAKrxLKna5cZ2REBfFkg=="))
	attrs, err := server.openDriver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.Nil(t, attrs.MD5)
	require.False(t, attrs.CRC32C.Known)
}

// Get returns the bytes of a compressed object as they are stored, with the driver's own HTTP
// client and with the user's.
func TestGetDoesNotDecompress(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, "hello")
	require.NoError(t, err)
	require.NoError(t, w.Close())

	for name, change := range map[string]func(*Config){
		"by our transport": func(*Config) {},
		"by the user's": func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newCannedServer(t, objectReply(packed.String(), "Content-Encoding", "gzip"))
			attrs, body, err := server.openDriver(t, change).Get(t.Context(), &driver.GetRequest{
				Key:    "a",
				Length: -1,
			})
			require.NoError(t, err)
			got, err := io.ReadAll(body)
			require.NoError(t, err)

			require.NoError(t, body.Close())
			require.Equal(t, packed.Bytes(), got)
			require.Equal(t, int64(packed.Len()), attrs.Size)
			require.Equal(t, "gzip", attrs.ContentEncoding)
		})
	}
}

// To read a suffix, Get first learns the size, and then reads only the revision that has this size.
func TestGetSuffixOfOneRevision(t *testing.T) {
	part := objectReply("llo", "Content-Range", "bytes 2-4/5")
	part.Status = http.StatusPartialContent
	server := newCannedServer(t, objectReply("hello"), part)
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
		Key:    "a",
		Length: -1,
		Suffix: 3,
	})
	require.NoError(t, err)
	require.NoError(t, body.Close())

	require.Equal(t, int64(5), attrs.Size)
	require.Equal(t, []string{"HEAD /photos/a", "GET /photos/a"}, server.Lines())
	require.Equal(t, "bytes=2-", server.Last(t).Header.Get("X-Ms-Range"))
	require.Equal(t, etag, server.Last(t).Header.Get("If-Match"))
}

// If the requested suffix is longer than the object, Get returns the whole object.
func TestGetSuffixLongerThanObject(t *testing.T) {
	server := newCannedServer(t, objectReply("hello"), objectReply("hello"))
	_, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Empty(t, server.Last(t).Header.Get("X-Ms-Range"))
}

// Get of a suffix of an empty object sends no second request for the bytes.
func TestGetSuffixOfEmptyObject(t *testing.T) {
	server := newCannedServer(t, objectReply(""))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Zero(t, attrs.Size)
	require.Len(t, server.Requests(), 1)
}

// Get fails with a retryable Unavailable if the object is overwritten while Get reads its suffix.
func TestGetSuffixOverwritten(t *testing.T) {
	server := newCannedServer(t,
		objectReply("hello"), // its attributes
		errorReply(http.StatusPreconditionFailed, "ConditionNotMet"), // the range of that revision
		objectReply("hello, all"),
	)
	_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 3})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable, "the next attempt must request the attributes again")
}

// Get and Head fail with the same Code. They send a second request only if the first response does
// not tell what is missing: the container, the object or its revision.
func TestReadErrors(t *testing.T) {
	onlyHeader := func(status int, code string) reply {
		a := errorReply(status, code)
		a.Body = ""
		return a
	}
	ifRevision := storage.Condition{Revision: etag}
	ifRevisionNot := storage.Condition{NotRevision: etag}
	tests := []struct {
		name         string
		replies      []reply
		condition    storage.Condition
		want         storage.Code
		wantRequests int // of Get, and of Head
	}{
		{
			name:         "not modified, with a code",
			replies:      []reply{onlyHeader(304, "ConditionNotMet")},
			condition:    ifRevisionNot,
			want:         storage.NotModified,
			wantRequests: 1,
		},
		{
			name:         "not modified, without a code",
			replies:      []reply{{Status: 304}},
			condition:    ifRevisionNot,
			want:         storage.NotModified,
			wantRequests: 1,
		},
		{
			name:         "object has another revision",
			replies:      []reply{errorReply(412, "ConditionNotMet"), objectReply("x")},
			condition:    ifRevision,
			want:         storage.PreconditionFailed,
			wantRequests: 2,
		},
		{
			name:         "condition not met, because the object is missing",
			replies:      []reply{errorReply(412, "ConditionNotMet"), onlyHeader(404, "BlobNotFound")},
			condition:    ifRevision,
			want:         storage.ObjectNotFound,
			wantRequests: 2,
		},
		{
			name:         "object missing",
			replies:      []reply{onlyHeader(404, "BlobNotFound")},
			condition:    ifRevision,
			want:         storage.ObjectNotFound,
			wantRequests: 1,
		},
		{
			name:         "container missing",
			replies:      []reply{onlyHeader(404, "ContainerNotFound")},
			condition:    ifRevision,
			want:         storage.BucketNotFound,
			wantRequests: 1,
		},
		{
			name:         "container being deleted",
			replies:      []reply{errorReply(409, "ContainerBeingDeleted")},
			condition:    ifRevision,
			want:         storage.BucketNotFound,
			wantRequests: 1,
		},
		{
			name:         "object or container missing, and it is the object",
			replies:      []reply{onlyHeader(404, "ResourceNotFound"), {}},
			condition:    ifRevision,
			want:         storage.ObjectNotFound,
			wantRequests: 2,
		},
		{
			name:         "object or container missing, and it is the container",
			replies:      []reply{onlyHeader(404, "ResourceNotFound")},
			condition:    ifRevision,
			want:         storage.BucketNotFound,
			wantRequests: 2,
		},
		{
			name:         "404 without a code, and then server busy",
			replies:      []reply{{Status: 404}, errorReply(503, "ServerBusy")},
			condition:    ifRevision,
			want:         storage.RateLimited,
			wantRequests: 2,
		},
		{
			name:         "object archived",
			replies:      []reply{errorReply(409, "BlobArchived")},
			condition:    ifRevision,
			want:         storage.Archived,
			wantRequests: 1,
		},
		{
			name:         "object being restored from the archive",
			replies:      []reply{errorReply(409, "BlobBeingRehydrated")},
			condition:    ifRevision,
			want:         storage.Archived,
			wantRequests: 1,
		},
		{
			name:         "wrong account key",
			replies:      []reply{errorReply(403, "AuthenticationFailed")},
			condition:    ifRevision,
			want:         storage.Unauthenticated,
			wantRequests: 1,
		},
		{
			name:         "no permission",
			replies:      []reply{errorReply(403, "AuthorizationPermissionMismatch")},
			condition:    ifRevision,
			want:         storage.PermissionDenied,
			wantRequests: 1,
		},
		{
			name:         "public access disabled",
			replies:      []reply{errorReply(409, "PublicAccessNotPermitted")},
			condition:    ifRevision,
			want:         storage.PermissionDenied,
			wantRequests: 1,
		},
	}
	for _, tt := range tests {
		for _, op := range []string{"Get", "Head"} {
			t.Run(tt.name+"/"+op, func(t *testing.T) {
				server := newCannedServer(t, tt.replies...)
				d := server.openDriver(t)
				r := &driver.GetRequest{Key: "a", Length: -1, Condition: tt.condition}
				var err error
				if op == "Get" {
					_, _, err = d.Get(t.Context(), r)
				} else {
					_, err = d.Head(t.Context(), r)
				}
				require.ErrorIs(t, err, tt.want)
				require.Len(t, server.Requests(), tt.wantRequests)
			})
		}
	}
}

// Get fails if the response has another range than the requested one.
func TestGetUnexpectedRange(t *testing.T) {
	respond := func(span string) reply {
		a := objectReply("x", "Content-Range", span)
		a.Status = http.StatusPartialContent
		return a
	}
	tests := []struct {
		name     string
		response reply
		want     storage.Code
	}{
		{name: "past the end", response: errorReply(416, "InvalidRange"), want: storage.RangeNotSatisfiable},
		{
			name:     "past the end, with a 206",
			response: respond("bytes 0-0/1"),
			want:     storage.RangeNotSatisfiable,
		},
		{name: "the whole object", response: objectReply("hello"), want: storage.Internal},
		{name: "another offset", response: respond("bytes 3-3/5"), want: storage.Internal},
		{name: "invalid Content-Range", response: respond("bytes x"), want: storage.Internal},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.response)
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
				Key:    "a",
				Offset: 2,
				Length: 1,
			})
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}

// Get accepts status 200 if the requested range is the whole object.
func TestGetOfARangeWithAllBytes(t *testing.T) {
	server := newCannedServer(t, objectReply("hello"))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, int64(5), attrs.Size)
}

// The driver refuses a key with a backslash, without a request.
func TestGetKeyWithBackslash(t *testing.T) {
	server := newCannedServer(t, objectReply("x"))
	d := server.openDriver(t)

	_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: `a\b`, Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: `a\b`, Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: `a\b`}), storage.InvalidArgument)
	require.ErrorIs(t, d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: `a\b`}})[0],
		storage.InvalidArgument)
	require.Empty(t, server.Requests(), "no request may read or remove a/b")
}
