package serve_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"mime/multipart"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// signForm signs a form for a key and a range of sizes.
func (s *site) signForm(key string, least, limit int64, opts ...storage.SignedUploadOption) *storage.SignedForm {
	s.Helper()
	f, err := storage.SignedUploadForm(s.Context(), s.bucket, key, least, limit, opts...)
	require.NoError(s, err)
	return f
}

// A field is one field of a form. Only the field of the file has a filename.
type field struct{ name, value, filename string }

// fieldsOf returns the fields of a form with a file.
func fieldsOf(f *storage.SignedForm, file string) []field {
	var all []field
	for name, value := range f.Fields {
		all = append(all, field{name: name, value: value})
	}
	return append(all, field{name: "file", value: file, filename: "photo.png"})
}

// encodeForm encodes fields as a browser does. It returns the content type and the body of the
// form.
func encodeForm(t *testing.T, fields []field) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		header := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", f.name)}}
		if f.filename != "" {
			header = textproto.MIMEHeader{
				"Content-Disposition": {fmt.Sprintf("form-data; name=%q; filename=%q", f.name, f.filename)},
				"Content-Type":        {"text/html"},
			}
		}
		part, err := w.CreatePart(header)
		require.NoError(t, err)
		_, err = io.WriteString(part, f.value)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// postForm sends a form.
func (s *site) postForm(f *storage.SignedForm, fields []field) *httptest.ResponseRecorder {
	s.Helper()
	contentType, body := encodeForm(s.T, fields)
	return s.request("POST", f.URL, bytes.NewReader(body), "Content-Type", contentType)
}

// A form stores its file with the signed key and attributes. It ignores the type that the browser
// gives the file.
func TestFormIsStoredAsSigned(t *testing.T) {
	s := newSite(t)
	const (
		key     = "a b/\u00e9+"
		content = "123456789"
		minSize = 1
		maxSize = 9
	)
	f := s.signForm(key, minSize, maxSize,
		storage.WithContentType("image/png"),
		storage.WithMetadata(map[string]string{"name": "caf\u00e9"}),
		storage.WithContentDisposition("inline; filename=\"e f.png\""),
		storage.WithContentLanguage("fr"),
		storage.WithPublicRead(),
		storage.WithCRC32C(0xE3069283), // of content
	)

	w := s.postForm(f, fieldsOf(f, content))
	require.Equal(t, 204, w.Code, w.Body.String())

	// Everything signed is stored, and the object is public.
	attrs, err := s.bucket.Attrs(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, attrs.ETag, w.Header().Get("ETag"))
	require.Equal(t, storage.Properties{
		ContentType:        "image/png",
		ContentDisposition: "inline; filename=\"e f.png\"",
		ContentLanguage:    "fr",
		Metadata:           map[string]string{"name": "caf\u00e9"},
	}, attrs.Properties)
	require.Equal(t, content, s.request("GET", s.publicURL(key), nil).Body.String())
}

// A form can only store a file whose size is within the signed bounds.
func TestFormEnforcesBounds(t *testing.T) {
	s := newSite(t)
	const minSize, maxSize = 2, 5
	f := s.signForm("a", minSize, maxSize)
	tests := []struct {
		name       string
		file       string
		wantStatus int
		wantCode   string
	}{
		{name: "too short", file: "x", wantStatus: 400, wantCode: "EntityTooSmall"},
		{name: "nothing", wantStatus: 400, wantCode: "EntityTooSmall"},
		{name: "too long", file: "longer", wantStatus: 413, wantCode: "EntityTooLarge"},
		{name: "much too long", file: strings.Repeat("x", 1<<20), wantStatus: 413, wantCode: "EntityTooLarge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.requireRefusal(s.postForm(f, fieldsOf(f, tt.file)), tt.wantStatus, tt.wantCode)
			s.requireNothingStored()
		})
	}

	// Files of the smallest and the largest size are stored.
	for _, text := range []string{"xx", "xxxxx"} {
		require.Equal(t, 204, s.postForm(f, fieldsOf(f, text)).Code)
		s.requireContent("a", text)
	}
}

// A form may be signed with the largest possible bound.
func TestFormLargestBound(t *testing.T) {
	s := newSite(t)
	f := s.signForm("key", 1, math.MaxInt64)
	w := s.postForm(f, fieldsOf(f, "text"))
	require.Equal(t, 204, w.Code, w.Body.String())
	s.requireContent("key", "text")
}

// The handler refuses altered and malformed forms.
func TestFormRefused(t *testing.T) {
	s := newSite(t)
	const minSize, maxSize = 0, 100
	f := s.signForm("a", minSize, maxSize, storage.WithContentType("image/png"))

	// These functions change the signed form: they drop, set or prepend fields.
	withoutField := func(name string) []field {
		altered := storage.SignedForm{Fields: maps.Clone(f.Fields)}
		delete(altered.Fields, name)
		return fieldsOf(&altered, "x")
	}
	withField := func(name, value string) []field {
		altered := storage.SignedForm{Fields: maps.Clone(f.Fields)}
		altered.Fields[name] = value
		return fieldsOf(&altered, "x")
	}
	withFirst := func(extra ...field) []field { return append(extra, fieldsOf(f, "x")...) }

	tests := []struct {
		name       string
		fields     []field
		wantStatus int
		wantCode   string
	}{
		{
			name:       "content type changed",
			fields:     withField("content-type", "text/html"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "key changed",
			fields:     withField("key", "b"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "bounds widened",
			fields:     withField("ob-size", "0-1000"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "expiry postponed",
			fields:     withField("ob-expires", "2000000000"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "signature changed",
			fields:     withField("ob-signature", "x"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "field added",
			fields:     withField("cache-control", "no-store"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "content type missing",
			fields:     withoutField("content-type"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "signature missing",
			fields:     withoutField("ob-signature"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "bounds missing",
			fields:     withoutField("ob-size"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "key missing",
			fields:     withoutField("key"),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "all fields missing",
			fields:     []field{{name: "file", value: "x", filename: "photo.png"}},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "file before the fields",
			fields:     append([]field{{name: "file", value: "x", filename: "photo.png"}}, fieldsOf(f, "x")...),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "file missing",
			fields:     fieldsOf(f, "x")[:len(f.Fields)],
			wantStatus: 400,
			wantCode:   "MalformedPOSTRequest",
		},
		{
			name:       "key repeated",
			fields:     withFirst(field{name: "key", value: "a"}),
			wantStatus: 400,
			wantCode:   "MalformedPOSTRequest",
		},
		{
			name:       "key repeated in another case",
			fields:     withFirst(field{name: "KEY", value: "b"}),
			wantStatus: 400,
			wantCode:   "MalformedPOSTRequest",
		},
		{
			name:       "field without a name",
			fields:     withFirst(field{name: "", value: "x"}),
			wantStatus: 400,
			wantCode:   "MalformedPOSTRequest",
		},
		{
			name:       "field too long",
			fields:     withFirst(field{name: "x", value: strings.Repeat("x", 21<<10)}),
			wantStatus: 400,
			wantCode:   "MaxPostPreDataLengthExceeded",
		},
		{
			name:       "too many fields",
			fields:     withFirst(newFields(10_000)...),
			wantStatus: 400,
			wantCode:   "MaxPostPreDataLengthExceeded",
		},
		{
			name:       "header of a part too long",
			fields:     withFirst(field{name: "x", filename: strings.Repeat("n", 1<<20)}),
			wantStatus: 400,
			wantCode:   "MaxPostPreDataLengthExceeded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.requireRefusal(s.postForm(f, tt.fields), tt.wantStatus, tt.wantCode)
			s.requireNothingStored()
		})
	}

	// A field after the file is ignored.
	button := field{name: "submit", value: "Go"}
	require.Equal(t, 204, s.postForm(f, append(fieldsOf(f, "good"), button)).Code)
	s.requireContent("a", "good")
}

// newFields returns n fields.
func newFields(n int) []field {
	fields := make([]field, n)
	for i := range fields {
		fields[i].name = fmt.Sprint("f", i)
	}
	return fields
}

// A form cannot be posted after it has expired.
func TestFormExpires(t *testing.T) {
	s := newSite(t)
	f := s.signForm("a", 0, 9, storage.WithTTL(time.Minute))
	require.Equal(t, s.now.Add(time.Minute), f.ExpiresAt)

	s.now = f.ExpiresAt
	s.requireRefusal(s.postForm(f, fieldsOf(f, "x")), 403, "RequestExpired")
	s.requireNothingStored()
}

// If the connection breaks during a form, nothing is stored.
func TestFormCutOffStoresNothing(t *testing.T) {
	s := newSite(t)
	f := s.signForm("a", 0, 100)
	contentType, body := encodeForm(t, fieldsOf(f, "the content of the file"))
	size := bytes.Index(body, []byte("of the file")) + len("of the file")

	const step = 7 // a form cut off at each byte would take longer
	for end := 0; end <= size; end += step {
		w := s.request("POST", f.URL, bytes.NewReader(body[:end]), "Content-Type", contentType)
		require.GreaterOrEqual(t, w.Code, 400, "%d bytes", end)
		s.requireNothingStored()
	}
}

// A POST without the content type of its form is refused.
func TestFormOfOtherContentType(t *testing.T) {
	s := newSite(t)
	f := s.signForm("a", 0, 100)
	_, body := encodeForm(t, fieldsOf(f, "the content of the file"))

	tests := []struct{ name, contentType string }{
		{name: "no form", contentType: "application/json"},
		{name: "no type"},
		{name: "no boundary", contentType: "multipart/form-data"},
		{name: "another boundary", contentType: "multipart/form-data; boundary=x"},
		{name: "a plain form", contentType: "application/x-www-form-urlencoded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := s.request("POST", f.URL, bytes.NewReader(body), "Content-Type", tt.contentType)
			require.Equal(t, 400, w.Code)
			s.requireNothingStored()
		})
	}
}

// The name that a form gives the user's file has no effect on the stored object.
func TestFormKeyWithoutFileName(t *testing.T) {
	s := newSite(t)
	f := s.signForm("a", 0, 100)
	fields := fieldsOf(f, "x")
	for _, name := range []string{
		"../../etc/passwd",
		"a\r\nSet-Cookie: x=y",
		"\"; name=\"key",
		"",
		strings.Repeat("n", 5000),
	} {
		fields[len(fields)-1].filename = name // the last field is the file
		w := s.postForm(f, fields)
		require.Equal(t, 204, w.Code, "%q: %s", name, w.Body.String())
		require.Empty(t, w.Header().Get("Set-Cookie"))
		s.requireContent("a", "x")
	}
}

// The handler refuses a form whose Content-Length is above the bound, and does not read it to its end.
func TestFormTooLongIsNotRead(t *testing.T) {
	const (
		declaredSize = 5 << 30
		maxRead      = 17 << 20 // the handler reads about 16 MiB of a body that it refuses
	)
	s := newSite(t)
	f := s.signForm("a", 0, 100)
	contentType, body := encodeForm(t, fieldsOf(f, "x"))

	// The request has the form up to the content of its file. This content never ends.
	contentStart := bytes.Index(body, []byte("\r\n\r\nx\r\n")) + len("\r\n\r\n")
	read := 0
	endless := readFunc(func(p []byte) (int, error) {
		read += len(p)
		return len(p), nil
	})
	r := httptest.NewRequest("POST", f.URL, io.MultiReader(bytes.NewReader(body[:contentStart]), endless))
	r.Header.Set("Content-Type", contentType)
	r.ContentLength = declaredSize

	s.requireRefusal(s.send(r), 413, "EntityTooLarge")
	require.Less(t, read, maxRead)
	s.requireNothingStored()
}

// SignedUploadForm refuses IfAbsent, because the forms of cloud providers have no such condition.
func TestFormNeverOverwritingIsNotSigned(t *testing.T) {
	s := newSite(t)
	_, err := storage.SignedUploadForm(t.Context(), s.bucket, "a", 0, 100, storage.IfAbsent())
	require.ErrorIs(t, err, storage.Unsupported)
}
