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

// A PUT at a signed URL stores the object with the signed attributes. It ignores attributes that a
// client adds.
func TestSignedUploadIsStoredAsSigned(t *testing.T) {
	s := newSite(t)
	const content = "123456789"
	u := s.signUpload(
		"a b/c",
		storage.WithContentType("image/png"),
		storage.WithCacheControl("no-store"),
		storage.WithStorageClass("COLD"),
		storage.WithContentDisposition("inline"),
		storage.WithContentEncoding("gzip"),
		storage.WithContentLanguage("fr"),
		storage.WithMetadata(map[string]string{"name": "caf\u00e9 & co", "k_1": "v"}),
		storage.WithCRC32C(0xE3069283), // of content
		storage.WithSize(int64(len(content))),
	)

	// The client adds metadata and a header. The URL signs neither of them.
	w := s.requestSigned(u, content, "X-Omnibucket-Meta-More", "unsigned", "Expires", "never")
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
	}, attrs.Properties, "only the signed properties are stored")
	s.requireContent("a b/c", content)
}

// An upload that was signed with WithPublicRead makes a public object. The client cannot leave out the ACL.
func TestSignedUploadOfPublicObject(t *testing.T) {
	s := newSite(t)
	u := s.signUpload("a", storage.WithPublicRead())

	withoutACL := *u
	withoutACL.Header = u.Header.Clone()
	withoutACL.Header.Del("X-Omnibucket-Acl")
	s.requireRefusal(s.requestSigned(&withoutACL, "x"), 403, "SignatureDoesNotMatch")

	require.Equal(t, 200, s.requestSigned(u, "x").Code)
	require.Equal(t, "x", s.request("GET", s.publicURL("a"), nil).Body.String())
}

// The handler refuses a signed upload with another length or type, with Content-Range, with a condition other than
// "If-None-Match: *", or after its expiry.
func TestSignedUploadRefusedByHeaders(t *testing.T) {
	s := newSite(t)
	ofFourBytes := s.signUpload("a", storage.WithSize(4), storage.WithContentType("image/png"))
	ofAnySize := s.signUpload("a", storage.WithContentType("image/png"))
	asPNG := []string{"Content-Type", "image/png"}
	expired := s.signUpload("a", storage.WithTTL(time.Second))
	s.now = s.now.Add(time.Minute)

	tests := []struct {
		name       string
		signed     *storage.SignedURL
		length     int64    // Content-Length
		header     []string // names and values alternate
		wantStatus int
		wantCode   string
	}{
		{name: "too long", signed: ofFourBytes, length: 5, header: asPNG, wantStatus: 413, wantCode: "EntityTooLarge"},
		{
			name:       "enormous",
			signed:     ofFourBytes,
			length:     1 << 62,
			header:     asPNG,
			wantStatus: 413,
			wantCode:   "EntityTooLarge",
		},
		{name: "too short", signed: ofFourBytes, length: 3, header: asPNG, wantStatus: 400, wantCode: "EntityTooSmall"},
		{
			name:       "another type",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "text/html"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "two types",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "Content-Type", "text/html"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "no type",
			signed:     ofAnySize,
			length:     4,
			header:     nil,
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "expired",
			signed:     expired,
			length:     4,
			header:     []string{"Content-Type", "application/octet-stream"},
			wantStatus: 403,
			wantCode:   "RequestExpired",
		},
		{
			name:       "a part of an object",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "Content-Range", "bytes 0-3/8"},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "a condition on an ETag",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "If-Match", `"x"`},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "a condition on another ETag",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "If-None-Match", `"x"`},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "a condition after an empty one",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "If-None-Match", "", "If-None-Match", `"x"`},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
		{
			name:       "a condition on a time",
			signed:     ofAnySize,
			length:     4,
			header:     []string{"Content-Type", "image/png", "If-Unmodified-Since", "x"},
			wantStatus: 501,
			wantCode:   "NotImplemented",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The handler refuses the request by its headers, and must not read the endless body.
			r := httptest.NewRequestWithContext(t.Context(), tt.signed.Method, tt.signed.URL, endless{})
			r.ContentLength = tt.length
			for i := 0; i < len(tt.header); i += 2 {
				r.Header.Add(tt.header[i], tt.header[i+1])
			}

			w := s.send(r)
			s.requireRefusal(w, tt.wantStatus, tt.wantCode)
			if tt.wantStatus == http.StatusNotImplemented {
				require.Contains(t, w.Body.String(), "Omit them, or send If-None-Match: * with an upload.")
			}
			s.requireNothingStored()
		})
	}
}

// If the body of a signed upload has another length than was signed, or breaks off, nothing is stored. The signed
// length is 4.
func TestSignedUploadOfOtherLength(t *testing.T) {
	s := newSite(t)
	sized := s.signUpload("a", storage.WithSize(4))
	broken := errors.New("the connection broke")

	tests := []struct {
		name       string
		body       io.Reader
		length     int64 // the Content-Length, or -1 if there is none
		wantStatus int
		wantCode   string
	}{
		{
			name:       "longer",
			body:       strings.NewReader("12345"),
			length:     5,
			wantStatus: 413,
			wantCode:   "EntityTooLarge",
		},
		{
			name:       "shorter",
			body:       strings.NewReader("123"),
			length:     3,
			wantStatus: 400,
			wantCode:   "EntityTooSmall",
		},
		{
			name:       "in chunks",
			body:       strings.NewReader("1234"),
			length:     -1,
			wantStatus: 411,
			wantCode:   "MissingContentLength",
		},
		{
			name:       "shorter than its own length",
			body:       io.MultiReader(strings.NewReader("12"), iotest.ErrReader(io.ErrUnexpectedEOF)),
			length:     4,
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "broken off",
			body:       io.MultiReader(strings.NewReader("12"), iotest.ErrReader(broken)),
			length:     4,
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "over the limit of the server",
			body:       http.MaxBytesReader(nil, io.NopCloser(strings.NewReader("1234")), 2),
			length:     4,
			wantStatus: 413,
			wantCode:   "EntityTooLarge",
		},
		{
			name:       "too slow for the server",
			body:       io.MultiReader(strings.NewReader("12"), iotest.ErrReader(os.ErrDeadlineExceeded)),
			length:     4,
			wantStatus: 408,
			wantCode:   "RequestTimeout",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), sized.Method, sized.URL, tt.body)
			r.ContentLength = tt.length
			r.Header = sized.Header
			s.requireRefusal(s.send(r), tt.wantStatus, tt.wantCode)
			s.requireNothingStored()
		})
	}

	// The signed length is accepted.
	require.Equal(t, 200, s.requestSigned(sized, "1234").Code)
	s.requireContent("a", "1234")
}

// If an upload was signed with size 0, its body must be empty.
func TestSignedUploadOfEmptyBody(t *testing.T) {
	s := newSite(t)
	u := s.signUpload("a", storage.WithSize(0))

	s.requireRefusal(s.requestSigned(u, "x"), 413, "EntityTooLarge")
	s.requireNothingStored()

	require.Equal(t, 200, s.requestSigned(u, "").Code)
	s.requireContent("a", "")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// If a signed upload's body does not match the signed checksum, nothing is stored.
func TestSignedUploadChecksum(t *testing.T) {
	s := newSite(t)
	u := s.signUpload("a", storage.WithCRC32C(0xE3069283)) // of "123456789"

	s.requireRefusal(s.requestSigned(u, "987654321"), 400, "BadDigest")
	s.requireNothingStored()

	require.Equal(t, 200, s.requestSigned(u, "123456789").Code)
}

// An upload that was signed with IfAbsent never overwrites an object.
func TestSignedUploadNeverOverwrites(t *testing.T) {
	s := newSite(t)
	u := s.signUpload("a", storage.IfAbsent())
	require.Equal(t, "*", u.Header.Get("If-None-Match"))

	require.Equal(t, 200, s.requestSigned(u, "first").Code)
	s.requireRefusal(s.requestSigned(u, "second"), 412, "PreconditionFailed")
	s.requireContent("a", "first")

	u.Header.Del("If-None-Match")
	s.requireRefusal(s.requestSigned(u, "third"), 403, "SignatureDoesNotMatch")
	s.requireContent("a", "first")
}

// A signed upload may repeat the header of a condition. The handler ignores each header that is
// empty.
func TestSignedUploadConditionOnTwoLines(t *testing.T) {
	s := newSite(t)
	s.put("a", "first")

	for _, line := range []string{"", "*"} {
		w := s.requestSigned(s.signUpload("a"), "second", "If-None-Match", line, "If-None-Match", "*")
		s.requireRefusal(w, 412, "PreconditionFailed")
	}
	s.requireContent("a", "first")

	w := s.requestSigned(s.signUpload("b"), "x", "If-Match", "", "If-Match", "")
	require.Equal(t, 200, w.Code, "two empty lines are no condition")
}

// The handler passes the bytes of an upload on to the store as they arrive, without collecting them.
func TestSignedUploadIsStreamed(t *testing.T) {
	const (
		size        = 64 << 20
		maxBuffered = 2 << 20
	)

	// The store reads bodies, counts their bytes, and keeps nothing.
	var stored int64 // bytes that the store has read
	drainBodies := func(d driver.Driver) driver.Driver {
		return &drain{Driver: d, read: &stored}
	}
	b := memstore.New(storage.WithSigningBaseURL(siteBase), driver.WithLayer(drainBodies))
	s := &site{T: t, bucket: b, handler: serve.NewHandler(b)}
	u := s.signUpload("a", storage.WithSize(size))

	// The body measures how many of its bytes the handler has read, but the store has not.
	var sent int64    // bytes that the handler has read
	var maxHeld int64 // most bytes that the handler has read, but the store has not
	body := readFunc(func(p []byte) (int, error) {
		if sent == size {
			return 0, io.EOF
		}
		maxHeld = max(maxHeld, sent-stored)

		n := int(min(int64(len(p)), size-sent))
		sent += int64(n)
		return n, nil
	})
	r := httptest.NewRequestWithContext(t.Context(), u.Method, u.URL, body)
	r.ContentLength = size
	r.Header = u.Header

	// All bytes arrive, and the handler never holds more than a small part of them.
	require.Equal(t, 200, s.send(r).Code)
	require.EqualValues(t, size, stored)
	require.Less(t, maxHeld, int64(maxBuffered))
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// drain is a store that reads bodies and keeps nothing.
type drain struct {
	driver.Driver
	read *int64
}

// Put reads the body to its end and counts its bytes.
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
