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

// The range of a read is a header of its request.
func TestGetRangeRequests(t *testing.T) {
	tests := map[string]struct {
		offset, length int64
		want           string
	}{
		"all":            {0, -1, ""},
		"from the start": {0, 3, "bytes=0-2"},
		"one byte":       {4, 1, "bytes=4-4"},
		"to the end":     {4, -1, "bytes=4-"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, refusing(503, "ServerBusy"))
			_, _, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Offset: tt.offset, Length: tt.length})
			require.ErrorIs(t, err, storage.RateLimited)
			got := s.server.Last(t)
			require.Equal(t, tt.want, got.Header.Get("X-Ms-Range"))
			require.Empty(t, got.Header.Get("Range"))
			require.Equal(t, "identity", got.Header.Get("Accept-Encoding"))
		})
	}
}

func TestGetAttributes(t *testing.T) {
	answer := anObject("ell",
		"Content-Range", "bytes 1-3/5", "Content-Encoding", "gzip", "Content-Disposition", "inline", "Content-Language", "de", "Cache-Control", "no-store",
		"X-Ms-Meta-Color_x002d_of", "red", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5", "X-Ms-Meta-Omnibucketwriteid", "w", "X-Ms-Blob-Content-Md5", "XUFAKrxLKna5cZ2REBfFkg==",
		"X-Ms-Access-Tier", "Cool", "X-Ms-Version-Id", version)
	answer.Status = http.StatusPartialContent
	s := newScript(t, answer)
	attrs, body, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Offset: 1, Length: 3})
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, "ell", string(text))
	require.Equal(t, int64(5), attrs.Size, "of the whole")
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

// If an object has the account's default tier, Attrs.StorageClass is empty.
func TestGetDefaultTier(t *testing.T) {
	s := newScript(t, anObject("x", "X-Ms-Access-Tier", "Hot", "X-Ms-Access-Tier-Inferred", "true"))
	d := s.driver(t)
	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Empty(t, attrs.StorageClass)
	attrs, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.Empty(t, attrs.StorageClass)
}

// Head ignores Content-MD5, because Azure does not verify that of a block list.
func TestHeadUnverifiedMD5(t *testing.T) {
	s := newScript(t, anObject("x", "Content-Md5", "XUFAKrxLKna5cZ2REBfFkg=="))
	attrs, err := s.driver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.Nil(t, attrs.MD5)
	require.False(t, attrs.CRC32C.Known)
}

func TestGetDoesNotDecompress(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, "hello")
	require.NoError(t, w.Close())

	for name, change := range map[string]func(*Config){
		"by our transport": func(*Config) {},
		"by the user's": func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject(packed.String(), "Content-Encoding", "gzip"))
			attrs, body, err := s.driver(t, change).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
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

// To read a suffix, Get learns the size first and then reads only that revision.
func TestGetSuffixOfOneRevision(t *testing.T) {
	part := anObject("llo", "Content-Range", "bytes 2-4/5")
	part.Status = http.StatusPartialContent
	s := newScript(t, anObject("hello"), part)
	attrs, body, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 3})
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, int64(5), attrs.Size)
	require.Equal(t, []string{"HEAD /photos/a", "GET /photos/a"}, s.server.Lines())
	require.Equal(t, "bytes=2-", s.server.Last(t).Header.Get("X-Ms-Range"))
	require.Equal(t, etag, s.server.Last(t).Header.Get("If-Match"))
}

// If a suffix is longer than the object, Get returns the whole object.
func TestGetSuffixLongerThanObject(t *testing.T) {
	s := newScript(t, anObject("hello"), anObject("hello"))
	_, body, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Empty(t, s.server.Last(t).Header.Get("X-Ms-Range"), "all of it")

	s = newScript(t, anObject(""))
	attrs, body, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Zero(t, attrs.Size)
	require.Len(t, s.server.Requests(), 1, "nothing has no range")
}

// If the object is overwritten while Get reads its suffix, Get fails with a retryable Unavailable.
func TestGetSuffixOverwritten(t *testing.T) {
	s := newScript(t, anObject("hello"), refusing(412, "ConditionNotMet"), anObject("hello, all"))
	_, _, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Suffix: 3})
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable, "the next attempt requests the attributes again")
}

func TestReadErrors(t *testing.T) {
	onlyHeader := func(status int, code string) said {
		a := refusing(status, code)
		a.Body = ""
		return a
	}
	revision := storage.Condition{Revision: etag}
	not := storage.Condition{NotRevision: etag}
	tests := map[string]struct {
		answers   []said
		condition storage.Condition
		want      storage.Code
		requests  int // of Get, and of Head
	}{
		"not modified": {
			answers:   []said{onlyHeader(304, "ConditionNotMet")},
			condition: not,
			want:      storage.NotModified,
			requests:  1,
		},
		"not modified, without a code": {answers: []said{{Status: 304}}, condition: not, want: storage.NotModified, requests: 1},
		"another revision": {
			answers:   []said{refusing(412, "ConditionNotMet"), anObject("x")},
			condition: revision,
			want:      storage.PreconditionFailed,
			requests:  2,
		},
		"a condition on nothing": {
			answers:   []said{refusing(412, "ConditionNotMet"), onlyHeader(404, "BlobNotFound")},
			condition: revision,
			want:      storage.ObjectNotFound,
			requests:  2,
		},
		"no object": {
			answers:   []said{onlyHeader(404, "BlobNotFound")},
			condition: revision,
			want:      storage.ObjectNotFound,
			requests:  1,
		},
		"no container": {
			answers:   []said{onlyHeader(404, "ContainerNotFound")},
			condition: revision,
			want:      storage.BucketNotFound,
			requests:  1,
		},
		"a container on its way out": {
			answers:   []said{refusing(409, "ContainerBeingDeleted")},
			condition: revision,
			want:      storage.BucketNotFound,
			requests:  1,
		},
		"nothing that may be known": {
			answers:   []said{onlyHeader(404, "ResourceNotFound"), {}},
			condition: revision,
			want:      storage.ObjectNotFound,
			requests:  2,
		},
		"nothing that may be known at all": {
			answers:   []said{onlyHeader(404, "ResourceNotFound")},
			condition: revision,
			want:      storage.BucketNotFound,
			requests:  2,
		},
		"404 without a code, and a busy server": {
			answers:   []said{{Status: 404}, refusing(503, "ServerBusy")},
			condition: revision,
			want:      storage.RateLimited,
			requests:  2,
		},
		"an object in the archive": {
			answers:   []said{refusing(409, "BlobArchived")},
			condition: revision,
			want:      storage.Archived,
			requests:  1,
		},
		"an object on its way out of the archive": {
			answers:   []said{refusing(409, "BlobBeingRehydrated")},
			condition: revision,
			want:      storage.Archived,
			requests:  1,
		},
		"a wrong key": {
			answers:   []said{refusing(403, "AuthenticationFailed")},
			condition: revision,
			want:      storage.Unauthenticated,
			requests:  1,
		},
		"a missing right": {
			answers:   []said{refusing(403, "AuthorizationPermissionMismatch")},
			condition: revision,
			want:      storage.PermissionDenied,
			requests:  1,
		},
		"no public access": {
			answers:   []said{refusing(409, "PublicAccessNotPermitted")},
			condition: revision,
			want:      storage.PermissionDenied,
			requests:  1,
		},
	}
	for name, tt := range tests {
		for _, op := range []string{"Get", "Head"} {
			t.Run(name+"/"+op, func(t *testing.T) {
				s := newScript(t, tt.answers...)
				d := s.driver(t)
				r := &driver.GetRequest{Key: "a", Length: -1, Condition: tt.condition}
				var err error
				if op == "Get" {
					_, _, err = d.Get(t.Context(), r)
				} else {
					_, err = d.Head(t.Context(), r)
				}
				require.ErrorIs(t, err, tt.want)
				require.Len(t, s.server.Requests(), tt.requests)
			})
		}
	}
}

// A response with another range is an error.
func TestGetUnexpectedRange(t *testing.T) {
	respond := func(span string) said {
		a := anObject("x", "Content-Range", span)
		a.Status = http.StatusPartialContent
		return a
	}
	tests := map[string]struct {
		answer said
		want   storage.Code
	}{
		"past the end":                 {refusing(416, "InvalidRange"), storage.RangeNotSatisfiable},
		"past the end, with a 206":     {respond("bytes 0-0/1"), storage.RangeNotSatisfiable},
		"the whole object":             {anObject("hello"), storage.Internal},
		"another offset":               {respond("bytes 3-3/5"), storage.Internal},
		"a Content-Range that is none": {respond("bytes x"), storage.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answer)
			_, _, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Offset: 2, Length: 1})
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}

// Get accepts status 200 if the requested range is the whole object.
func TestGetOfARangeWithAllBytes(t *testing.T) {
	s := newScript(t, anObject("hello"))
	attrs, body, err := s.driver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: 9})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, int64(5), attrs.Size)
}

// Keys with a backslash are refused.
func TestGetKeyWithBackslash(t *testing.T) {
	s := newScript(t, anObject("x"))
	d := s.driver(t)

	_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: `a\b`, Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: `a\b`, Length: -1})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorIs(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: `a\b`}), storage.InvalidArgument)
	require.ErrorIs(t, d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: `a\b`}})[0], storage.InvalidArgument)
	require.Empty(t, s.server.Requests(), "a/b would be read, and removed")
}
