package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// A PUT at a signed URL stores the object with the signed attributes.
func TestSignedUploadIsStoredAsSigned(t *testing.T) {
	s := newSite(t)
	u := s.upload("a b/c", storage.WithContentType("image/png"), storage.WithCacheControl("no-store"), storage.WithStorageClass("COLD"),
		storage.WithContentDisposition("inline"), storage.WithContentEncoding("gzip"), storage.WithContentLanguage("fr"),
		storage.WithMetadata(map[string]string{"name": "caf\u00e9 & co", "k_1": "v"}), storage.WithCRC32C(0xE3069283), storage.WithSize(9))
	w := s.use(u, "123456789", "X-Omnibucket-Meta-More", "of the client's own", "Expires", "never")
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Empty(t, w.Body.String())
	attrs, err := s.bucket.Attrs(t.Context(), "a b/c")
	require.NoError(t, err)
	require.Equal(t, attrs.ETag, w.Header().Get("ETag"))
	require.Equal(t, storage.Properties{
		ContentType:        "image/png",
		ContentEncoding:    "gzip",
		ContentDisposition: "inline",
		ContentLanguage:    "fr",
		CacheControl:       "no-store",
		StorageClass:       "COLD",
		Metadata:           map[string]string{"name": "caf\u00e9 & co", "k_1": "v"},
	}, attrs.Properties, "what was signed, and nothing that the client adds")
	s.holds("a b/c", "123456789")
}

// A signed upload with WithPublicRead makes a public object.
func TestSignedUploadOfPublicObject(t *testing.T) {
	s := newSite(t)
	u := s.upload("a", storage.WithPublicRead())
	without := *u
	without.Header = u.Header.Clone()
	without.Header.Del("X-Omnibucket-Acl")
	s.refused(s.use(&without, "x"), 403, "SignatureDoesNotMatch")
	require.Equal(t, 200, s.use(u, "x").Code)
	require.Equal(t, "x", s.ask("GET", s.public("a"), nil).Body.String())
}

// The handler refuses a signed upload with another length or type, with Content-Range, with a condition other than
// "If-None-Match: *", or after its expiry.
func TestSignedUploadRefusedByHeaders(t *testing.T) {
	s := newSite(t)
	sized := s.upload("a", storage.WithSize(4), storage.WithContentType("image/png"))
	plain := s.upload("a", storage.WithContentType("image/png"))
	expired := s.upload("a", storage.WithTTL(time.Second))
	s.now = s.now.Add(time.Minute)
	for name, row := range map[string]struct {
		signed *storage.SignedURL
		length int64
		header []string
		status int
		code   string
	}{
		"too long":                       {sized, 5, nil, 413, "EntityTooLarge"},
		"enormous":                       {sized, 1 << 62, nil, 413, "EntityTooLarge"},
		"too short":                      {sized, 3, nil, 400, "EntityTooSmall"},
		"another type":                   {plain, 4, []string{"Content-Type", "text/html"}, 403, "SignatureDoesNotMatch"},
		"two types":                      {plain, 4, []string{"Content-Type", "image/png", "Content-Type", "text/html"}, 403, "SignatureDoesNotMatch"},
		"no type":                        {plain, 4, []string{"Content-Typ", "image/png"}, 403, "SignatureDoesNotMatch"},
		"expired":                        {expired, 4, []string{"Content-Type", "application/octet-stream"}, 403, "RequestExpired"},
		"a part of an object":            {plain, 4, []string{"Content-Type", "image/png", "Content-Range", "bytes 0-3/8"}, 400, "InvalidRequest"},
		"a condition on an ETag":         {plain, 4, []string{"Content-Type", "image/png", "If-Match", `"x"`}, 501, "NotImplemented"},
		"a condition on another ETag":    {plain, 4, []string{"Content-Type", "image/png", "If-None-Match", `"x"`}, 501, "NotImplemented"},
		"a condition after an empty one": {plain, 4, []string{"Content-Type", "image/png", "If-None-Match", "", "If-None-Match", `"x"`}, 501, "NotImplemented"},
		"a condition on a time":          {plain, 4, []string{"Content-Type", "image/png", "If-Unmodified-Since", "x"}, 501, "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) {
			if row.header == nil {
				row.header = []string{"Content-Type", "image/png"}
			}
			r := httptest.NewRequestWithContext(t.Context(), row.signed.Method, row.signed.URL, endless{})
			r.ContentLength = row.length
			for i := 0; i < len(row.header); i += 2 {
				r.Header.Add(row.header[i], row.header[i+1])
			}
			w := s.send(r)
			s.refused(w, row.status, row.code)
			if row.status == http.StatusNotImplemented {
				require.Contains(t, w.Body.String(), "Omit them, or send If-None-Match: * with an upload.")
			}
			s.empty()
		})
	}
}

// If the body of a signed upload has another length than was signed, or breaks off, nothing is stored.
func TestSignedUploadOfOtherLength(t *testing.T) {
	s := newSite(t)
	sized := s.upload("a", storage.WithSize(4))
	broken := errors.New("the connection broke")
	for name, row := range map[string]struct {
		body   io.Reader
		length int64
		status int
		code   string
	}{
		"longer, in chunks":            {strings.NewReader("12345"), -1, 413, "EntityTooLarge"},
		"longer, byte by byte":         {iotest.OneByteReader(strings.NewReader("12345")), -1, 413, "EntityTooLarge"},
		"without an end":               {endless{}, -1, 413, "EntityTooLarge"},
		"shorter, in chunks":           {strings.NewReader("123"), -1, 400, "EntityTooSmall"},
		"nothing, in chunks":           {strings.NewReader(""), -1, 400, "EntityTooSmall"},
		"shorter than its own length":  {io.MultiReader(strings.NewReader("12"), iotest.ErrReader(io.ErrUnexpectedEOF)), 4, 400, "IncompleteBody"},
		"broken off":                   {io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broken)), -1, 400, "IncompleteBody"},
		"over the limit of the server": {http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("1234")), 2), 4, 413, "EntityTooLarge"},
		"too slow for the server":      {io.MultiReader(strings.NewReader("12"), iotest.ErrReader(os.ErrDeadlineExceeded)), 4, 408, "RequestTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), sized.Method, sized.URL, row.body)
			r.ContentLength = row.length
			r.Header = sized.Header
			s.refused(s.send(r), row.status, row.code)
			s.empty()
		})
	}
	require.Equal(t, 200, s.use(sized, "1234").Code)
	s.holds("a", "1234")
}

// If an upload was signed with size 0, its body must be empty.
func TestSignedUploadOfEmptyBody(t *testing.T) {
	s := newSite(t)
	u := s.upload("a", storage.WithSize(0))
	s.refused(s.use(u, "x"), 413, "EntityTooLarge")
	s.empty()
	require.Equal(t, 200, s.use(u, "").Code)
	s.holds("a", "")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// If a signed upload's body does not match the signed checksum, nothing is stored.
func TestSignedUploadChecksum(t *testing.T) {
	s := newSite(t)
	u := s.upload("a", storage.WithCRC32C(0xE3069283)) // of "123456789"
	s.refused(s.use(u, "987654321"), 400, "BadDigest")
	s.empty()
	require.Equal(t, 200, s.use(u, "123456789").Code)
}

// An upload that was signed with IfAbsent never overwrites an object.
func TestSignedUploadNeverOverwrites(t *testing.T) {
	s := newSite(t)
	u := s.upload("a", storage.IfAbsent())
	require.Equal(t, "*", u.Header.Get("If-None-Match"))
	require.Equal(t, 200, s.use(u, "first").Code)
	s.refused(s.use(u, "second"), 412, "PreconditionFailed")
	for _, first := range []string{"", "*"} {
		s.refused(s.use(s.upload("a"), "third", "If-None-Match", first, "If-None-Match", "*"), 412, "PreconditionFailed")
	}
	require.Equal(t, 200, s.use(s.upload("b"), "fourth", "If-Match", "", "If-Match", "").Code, "two empty lines are no condition")
	s.holds("a", "first")
	u.Header.Del("If-None-Match")
	s.refused(s.use(u, "fourth"), 403, "SignatureDoesNotMatch")
}

// The handler passes the bytes of an upload on as they arrive.
func TestSignedUploadIsStreamed(t *testing.T) {
	const size = 64 << 20
	var maximum int64
	b := memstore.New(storage.WithSigningBaseURL(siteBase), driver.WithLayer(func(d driver.Driver) driver.Driver { return &drain{Driver: d, read: &maximum} }))
	s := &site{T: t, bucket: b, handler: serve.NewHandler(b)}
	u := s.upload("a", storage.WithSize(size))
	var gap int64 // the most that was read from the client and not yet by the store
	sent := int64(0)
	body := readFunc(func(p []byte) (int, error) {
		if sent == size {
			return 0, io.EOF
		}
		gap = max(gap, sent-maximum)
		n := int(min(int64(len(p)), size-sent))
		sent += int64(n)
		return n, nil
	})
	r := httptest.NewRequestWithContext(t.Context(), u.Method, u.URL, body)
	r.ContentLength = size
	r.Header = u.Header
	require.Equal(t, 200, s.send(r).Code)
	require.EqualValues(t, size, maximum)
	require.Less(t, gap, int64(2<<20))
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// drain is a store that reads bodies and keeps nothing.
type drain struct {
	driver.Driver
	read *int64
}

func (d *drain) Put(_ context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		*d.read += int64(n)
		if err == io.EOF {
			return &storage.Attrs{ETag: `"drained"`, Revision: "memory:1"}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
