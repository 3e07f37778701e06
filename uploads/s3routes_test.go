package uploads_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A begun is an upload in parts, as a client sees it.
type begun struct {
	s        *sessionSite
	user     string
	Key      string
	UploadID string
	PartSize int64
	Checksum string

	MaxPartSize int64
}

// A sentPart is a part as a client names it.
type sentPart struct {
	PartNumber int
	ETag       string
}

func (s *sessionSite) post(user, address string, value any) *answer {
	s.t.Helper()
	text, err := json.Marshal(value)
	require.NoError(s.t, err)
	return s.do(user, "POST", address, bytes.NewReader(text), headers{"Content-Type": "application/json"})
}

// begin begins an upload in parts as alice.
func (s *sessionSite) begin(fields map[string]any) *begun {
	s.t.Helper()
	a := s.post(alice, "/s3/multipart", fields)
	require.Equal(s.t, http.StatusOK, a.StatusCode, string(a.body))
	u := &begun{s: s, user: alice}
	a.json(s.t, u)
	return u
}

// path returns an address of the upload.
func (u *begun) path(extra string) string {
	return "/s3/multipart/" + u.UploadID + extra + "?key=" + url.QueryEscape(u.Key)
}

type signedPart struct {
	URL, Method string
	Headers     map[string]string
	Expires     int
}

// sign returns the request for a part.
func (u *begun) sign(number int, query string) signedPart {
	u.s.t.Helper()
	a := u.s.do(u.user, "GET", u.path(fmt.Sprintf("/%d", number))+query, nil, nil)
	require.Equal(u.s.t, http.StatusOK, a.StatusCode, string(a.body))
	var part signedPart
	a.json(u.s.t, &part)
	require.Positive(u.s.t, part.Expires)
	return part
}

// send sends a part as Uppy does.
func (u *begun) send(number int, data []byte) sentPart {
	u.s.t.Helper()
	part := u.sign(number, "")
	a := u.s.do("", part.Method, part.URL, bytes.NewReader(data), part.Headers)
	require.Less(u.s.t, a.StatusCode, 300, string(a.body))
	require.NotEmpty(u.s.t, a.Header.Get("ETag"), "Uppy waits for an ETag")
	return sentPart{number, a.Header.Get("ETag")}
}

func (u *begun) complete(parts ...sentPart) *answer {
	u.s.t.Helper()
	return u.s.post(u.user, u.path("/complete"), map[string]any{"parts": parts})
}

func crcOf(data []byte) string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// cut returns data in parts of the given length. The last part may be shorter.
func cut(data []byte, part int64) (parts [][]byte) {
	for len(data) > 0 {
		n := min(int64(len(data)), part)
		parts = append(parts, data[:n])
		data = data[n:]
	}
	return parts
}

func TestS3StoresAFileInParts(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)
		data := content(5<<20 + 12345)

		u := s.begin(map[string]any{"filename": "a b.bin", "type": "video/mp4", "metadata": map[string]any{"name": "x", "n": 1}})
		require.Equal(t, "files/alice/a b.bin", u.Key)
		second := u.send(2, data[5<<20:])
		listed := s.do(alice, "GET", u.path(""), nil, nil)
		var listedParts []struct {
			PartNumber int
			Size       int64
			ETag       string
		}
		listed.json(t, &listedParts)
		require.Len(t, listedParts, 1)
		require.Equal(t, 2, listedParts[0].PartNumber)
		require.EqualValues(t, 12345, listedParts[0].Size)

		u.send(1, data[1:1<<20]) // is replaced
		first := u.send(1, data[:5<<20])
		s.requireMissing(u.Key)

		a := u.complete(first, second)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		attrs := s.requireStored(u.Key, data)
		require.Equal(t, "application/x-test", attrs.ContentType, "the client's type is not used")
		require.Equal(t, http.StatusOK, u.complete(first, second).StatusCode)
		require.Equal(t, "409 completed uploadId", s.do(alice, "DELETE", u.path(""), nil, nil).refusal(t))
		require.Equal(t, "409 completed uploadId", s.do(alice, "GET", u.path("/1"), nil, nil).refusal(t))
		s.requireStored(u.Key, data)

		objects, states := s.keys()
		require.Equal(t, []string{u.Key}, objects)
		require.Len(t, states, 1)
		require.Empty(t, s.pending())
	})
}

// If a client declares the size and a checksum, it gets a part size that fits, and the store verifies each part.
func TestS3EnforcesDeclaredSize(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)
		data := content(5<<20 + 1000) // two parts of MinIO

		u := s.begin(map[string]any{"filename": "a", "size": len(data), "checksum": "crc32c"})
		require.GreaterOrEqual(t, u.PartSize, int64(part))
		if u.Checksum != "" {
			require.Equal(t, "400 invalid_value crc32c", s.do(alice, "GET", u.path("/1"), nil, nil).refusal(t))
		}
		var parts []sentPart
		for i, data := range cut(data, u.PartSize) {
			part := u.sign(i+1, "&size="+size(data)+"&crc32c="+url.QueryEscape(crcOf(data)))
			if u.Checksum != "" {
				damaged := bytes.Clone(data)
				damaged[0]++
				a := s.do("", part.Method, part.URL, bytes.NewReader(damaged), part.Headers)
				require.GreaterOrEqual(t, a.StatusCode, 400, "the store took damaged bytes")
			}
			a := s.do("", part.Method, part.URL, bytes.NewReader(data), part.Headers)
			require.Less(t, a.StatusCode, 300, string(a.body))
			parts = append(parts, sentPart{PartNumber: i + 1, ETag: a.Header.Get("ETag")})
		}
		require.Equal(t, "422 not_uploaded parts", u.complete(parts[:len(parts)-1]...).refusal(t))

		a := u.complete(parts...)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		s.requireStored(u.Key, data)
	})
}

func TestS3AbortRemovesEverything(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)
		u := s.begin(map[string]any{"filename": "a", "type": ""})
		part := u.send(1, content(1000))

		a := s.do(alice, "DELETE", u.path(""), nil, nil)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		require.Equal(t, "404 not_found uploadId", u.complete(part).refusal(t))
		require.Equal(t, "404 not_found uploadId", s.do(alice, "GET", u.path(""), nil, nil).refusal(t))
		require.Equal(t, "404 not_found uploadId", s.do(alice, "GET", u.path("/2"), nil, nil).refusal(t))

		objects, states := s.keys()
		require.Empty(t, objects)
		require.Empty(t, states)
		require.Empty(t, s.pending())
	})
}

// If a client sends more bytes than it declared, or than the rules allow, the upload fails.
func TestS3RefusesWrongSize(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		c.Rules = rules.Any(2000)
		s := newSessionSite(t, open(t), c)
		tests := []struct {
			name string
			said any
			want string
		}{
			{"more than it said", 1000, "422 wrong_size size"},
			{"more than is allowed", nil, "413 too_large parts"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s.t = t
				u := s.begin(map[string]any{"filename": "a", "size": tt.said})
				part := u.sign(1, "")
				a := s.do("", part.Method, part.URL, bytes.NewReader(content(2001)), part.Headers)
				if c.ProxyParts {
					require.Equal(t, "413 too_large Content-Length", a.refusal(t))
					return
				}

				require.Less(t, a.StatusCode, 300, string(a.body))
				require.Equal(t, tt.want, u.complete(sentPart{1, a.Header.Get("ETag")}).refusal(t))
				require.Equal(t, "404 not_found uploadId", u.complete(sentPart{1, ""}).refusal(t))

				objects, states := s.keys()
				require.Empty(t, objects)
				require.Empty(t, states)
				require.Empty(t, s.pending())
			})
		}
	})
}

func TestS3Refuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1 << 40), ProxyParts: true})
	u := s.begin(map[string]any{"filename": "a"})
	first := u.send(1, content(1000))
	other := s.begin(map[string]any{"filename": "b"})
	unknown := "/s3/multipart/AAAAAAAAAAAAAAAAAAAAAAAAAA"
	json := "application/json"
	rows := []struct {
		name, user, method, address, body, contentType, want string
	}{
		{name: "nobody", method: "POST", address: "/s3/multipart", body: `{}`, contentType: json, want: "401 unauthenticated"},
		{name: "not JSON", user: alice, method: "POST", address: "/s3/multipart", body: `{`, contentType: json, want: "400 invalid_request"},
		{
			name:        "a form",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{}`,
			contentType: "text/plain",
			want:        "415 invalid_request Content-Type",
		},
		{name: "no type", user: alice, method: "POST", address: "/s3/multipart", body: `{}`, want: "415 invalid_request Content-Type"},
		{
			name:        "negative size",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"size": -1}`,
			contentType: json,
			want:        "400 invalid_value size",
		},
		{
			name:        "a size that is text",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"size": "1"}`,
			contentType: json,
			want:        "400 invalid_request",
		},
		{
			name:        "a name that is too long",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"filename": "` + strings.Repeat("x", 10000) + `"}`,
			contentType: json,
			want:        "400 invalid_value filename",
		},
		{
			name:        "a document that is too long",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"metadata": [` + strings.Repeat("[],", 30000) + `[]]}`,
			contentType: json,
			want:        "400 invalid_request",
		},
		{
			name:        "too large",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"size": 2199023255552}`,
			contentType: json,
			want:        "413 too_large size",
		},
		{
			name:        "a type of the application's",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"type": "text/html"}`,
			contentType: json,
			want:        "415 type_not_allowed type",
		},
		{
			name:        "another checksum",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"checksum": "md5"}`,
			contentType: json,
			want:        "400 invalid_value checksum",
		},
		{
			name:        "deep metadata",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"metadata": {"a": {"b": "c"}}}`,
			contentType: json,
			want:        "400 invalid_value metadata",
		},
		{
			name:        "much metadata",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"metadata": {"a": "` + strings.Repeat("x", 10000) + `"}}`,
			contentType: json,
			want:        "400 invalid_value metadata",
		},
		{name: "unknown upload", user: alice, method: "GET", address: unknown, want: "404 not_found uploadId"},
		{name: "unknown upload to sign", user: alice, method: "GET", address: unknown + "/1", want: "404 not_found uploadId"},
		{
			name:        "unknown upload to complete",
			user:        alice,
			method:      "POST",
			address:     unknown + "/complete",
			body:        `{"parts":[]}`,
			contentType: json,
			want:        "404 not_found uploadId",
		},
		{name: "unknown upload to abort", user: alice, method: "DELETE", address: unknown, want: "404 not_found uploadId"},
		{name: "malformed ID", user: alice, method: "GET", address: "/s3/multipart/..%2Fstate.json", want: "404 not_found uploadId"},
		{name: "another user lists", user: mallo, method: "GET", address: u.path(""), want: "404 not_found uploadId"},
		{name: "another user signs", user: mallo, method: "GET", address: u.path("/1"), want: "404 not_found uploadId"},
		{
			name:        "another user completes",
			user:        mallo,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1,"ETag":""}]}`,
			contentType: json,
			want:        "404 not_found uploadId",
		},
		{name: "another user aborts", user: mallo, method: "DELETE", address: u.path(""), want: "404 not_found uploadId"},
		{
			name:    "another key",
			user:    alice,
			method:  "GET",
			address: "/s3/multipart/" + u.UploadID + "?key=files/alice/b",
			want:    "404 not_found uploadId",
		},
		{name: "part 0", user: alice, method: "GET", address: u.path("/0"), want: "400 invalid_value partNumber"},
		{name: "part -1", user: alice, method: "GET", address: u.path("/-1"), want: "400 invalid_value partNumber"},
		{name: "part 01", user: alice, method: "GET", address: u.path("/01"), want: "400 invalid_value partNumber"},
		{name: "a part that has letters", user: alice, method: "GET", address: u.path("/x"), want: "400 invalid_value partNumber"},
		{name: "a size that has letters", user: alice, method: "GET", address: u.path("/1") + "&size=x", want: "400 invalid_value size"},
		{name: "a part that is too large", user: alice, method: "GET", address: u.path("/1") + "&size=1099511627777", want: "413 too_large size"},
		{
			name:    "a batch with part 0",
			user:    alice,
			method:  "GET",
			address: u.path("/batch") + "&partNumbers=1,0",
			want:    "400 invalid_value partNumbers",
		},
		{name: "an empty batch", user: alice, method: "GET", address: u.path("/batch"), want: "400 invalid_value partNumbers"},
		{
			name:        "no parts",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[]}`,
			contentType: json,
			want:        "400 invalid_value parts",
		},
		{
			name:        "parts in another order",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":2},{"PartNumber":1}]}`,
			contentType: json,
			want:        "400 invalid_value parts[0].PartNumber",
		},
		{
			name:        "a part twice",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1},{"PartNumber":1}]}`,
			contentType: json,
			want:        "400 invalid_value parts[1].PartNumber",
		},
		{
			name:        "a part that is missing",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1},{"PartNumber":2}]}`,
			contentType: json,
			want:        "422 not_uploaded parts[1]",
		},
		{
			name:        "another ETag",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1,"ETag":"\"no\""}]}`,
			contentType: json,
			want:        "422 parts_changed parts[0].ETag",
		},
		{
			name:        "the part of another upload",
			user:        alice,
			method:      "POST",
			address:     other.path("/complete"),
			body:        `{"parts":[{"PartNumber":1,"ETag":"` + strings.Trim(first.ETag, `"`) + `"}]}`,
			contentType: json,
			want:        "422 not_uploaded parts[0]",
		},
		{name: "bytes without a signature", method: "PUT", address: "/s3/part/" + u.UploadID + "/1", body: "x", want: "404 not_found uploadId"},
		{
			name:    "bytes with another signature",
			method:  "PUT",
			address: "/s3/part/" + u.UploadID + "/1?expires=9999999999&signature=x",
			body:    "x",
			want:    "404 not_found uploadId",
		},
		{name: "bytes to an upload in parts", method: "PUT", address: "/s3/single/" + u.UploadID, body: "x", want: "404 not_found uploadId"},
		{name: "tus on an upload in parts", user: alice, method: "DELETE", address: "/tus/" + u.UploadID, want: "404 not_found uploadId"},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			h := headers{"Content-Type": row.contentType}
			if strings.HasPrefix(row.address, "/tus") {
				h["Tus-Resumable"] = "1.0.0"
			}
			require.Equal(t, row.want, s.do(row.user, row.method, row.address, readerOf(row.body), h).refusal(t))
		})
	}

	s.t = t
	_, states := s.keys()
	require.Len(t, states, 2, "a refused request left something")
	require.Equal(t, http.StatusOK, u.complete(first).StatusCode, "a refused request changed the upload")
}

func TestS3Expires(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{TTL: time.Hour, ProxyParts: true})
	u := s.begin(map[string]any{"filename": "a"})
	part := u.send(1, content(1000))
	signedPart := u.sign(1, "")
	s.clock.Advance(61 * time.Minute)

	require.Equal(t, "404 not_found uploadId", u.complete(part).refusal(t))
	require.Equal(t, "404 not_found uploadId", s.do("", "PUT", signedPart.URL, readerOf("x"), nil).refusal(t))
	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Uploads)

	objects, states := s.keys()
	require.Empty(t, objects)
	require.Empty(t, states)
	require.Empty(t, s.pending())
}

// The address of a proxied part is valid for one part, size and checksum, and it expires.
func TestS3AddressesOfProxiedParts(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{ProxyParts: true, UploadTTL: time.Minute})
	u := s.begin(map[string]any{"filename": "a", "checksum": "crc32c"})

	signedURL := u.sign(1, "&size=3&crc32c="+url.QueryEscape(crcOf([]byte("abc")))).URL
	require.Equal(t, "crc32c", u.Checksum)
	change := func(pattern, replacement string) string {
		modified := strings.Replace(signedURL, pattern, replacement, 1)
		require.NotEqual(t, signedURL, modified, pattern)
		return modified
	}
	tests := []struct{ name, address, body, want string }{
		{name: "another part", address: change("/1?", "/2?"), body: "abc", want: "404 not_found uploadId"},
		{name: "another size", address: change("size=3", "size=4"), body: "abcd", want: "404 not_found uploadId"},
		{name: "no size", address: change("size=3", ""), body: "abcd", want: "404 not_found uploadId"},
		{name: "a later end", address: change("expires=", "expires=9"), body: "abc", want: "404 not_found uploadId"},
		{name: "another checksum", address: change("crc32c=", "crc32c=A"), body: "abc", want: "404 not_found uploadId"},
		{name: "more bytes", address: signedURL, body: "abcd", want: "400 invalid_value Content-Length"},
		{name: "other bytes", address: signedURL, body: "abd", want: "460 checksum_mismatch crc32c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			require.Equal(t, tt.want, s.do("", "PUT", tt.address, readerOf(tt.body), nil).refusal(t))
		})
	}

	s.t = t
	require.Equal(t, http.StatusOK, s.do("", "PUT", signedURL, readerOf("abc"), nil).StatusCode)
	s.clock.Advance(2 * time.Minute)
	require.Equal(t, "404 not_found uploadId", s.do("", "PUT", signedURL, readerOf("abc"), nil).refusal(t))
}

func TestS3NeverOverwrites(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{ProxyParts: true})
	u := s.begin(map[string]any{"filename": "a"})
	part := u.send(1, content(1000))
	_, err := s.bucket.Upload(t.Context(), u.Key, readerOf("before"))
	require.NoError(t, err)

	require.Equal(t, "412 exists key", u.complete(part).refusal(t))
	s.requireStored(u.Key, []byte("before"))
	require.Empty(t, s.pending())
}

func TestS3FileInOneRequest(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1 << 20)})
	params := func() (request struct {
		Method, URL string
		Fields      map[string]string
		Expires     int
	}) {
		a := s.do(alice, "GET", "/s3/params?filename=a.txt&type=text%2Fplain&metadata%5Bx%5D=y", nil, nil)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		a.json(t, &request)
		return request
	}

	request := params()
	require.Equal(t, "PUT", request.Method)
	require.Equal(t, "files/alice/a.txt", request.Fields["key"])

	a := s.do("", "PUT", request.URL, bytes.NewReader(content(1<<20+1)), nil)
	require.Equal(t, "413 too_large Content-Length", a.refusal(t))
	a = s.do("", "PUT", request.URL, bytes.NewReader(content(1<<20)), nil)
	require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
	require.NotEmpty(t, a.Header.Get("ETag"))
	s.requireStored("files/alice/a.txt", content(1<<20))

	a = s.do("", "PUT", request.URL, readerOf("again"), nil)
	require.Equal(t, "409 completed uploadId", a.refusal(t))
	a = s.do("", "PUT", request.URL, bytes.NewReader(content(1<<20)), nil)
	require.Equal(t, http.StatusOK, a.StatusCode, "the response was lost")

	require.NoError(t, s.bucket.Remove(t.Context(), "files/alice/a.txt"))
	a = s.do("", "PUT", request.URL, bytes.NewReader(content(1<<20)), nil)
	require.Equal(t, "409 completed uploadId", a.refusal(t), "it was removed since")

	_, err := s.bucket.Upload(t.Context(), "files/alice/a.txt", bytes.NewReader(content(1<<20)))
	require.NoError(t, err)
	a = s.do(alice, "GET", "/s3/params?filename=a.txt", nil, nil)
	require.Equal(t, "412 exists key", a.refusal(t))
	require.Equal(t, "415 type_not_allowed type", s.do(alice, "GET", "/s3/params?type=text%2Fhtml", nil, nil).refusal(t))
}

// fileForm returns a form as Uppy 6 sends it, with its content type.
func fileForm(t *testing.T, field string, data []byte) ([]byte, string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("key", "files/alice/other"))
	file, err := form.CreateFormFile(field, "blob")
	require.NoError(t, err)
	_, err = file.Write(data)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	return body.Bytes(), form.FormDataContentType()
}

func TestS3FileInAForm(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{Rules: rules.Any(1 << 20)})
		var request struct{ URL string }
		post := func(body []byte, kind string) *answer {
			return s.do("", "POST", request.URL, bytes.NewReader(body), headers{"Content-Type": kind})
		}
		data, kind := fileForm(t, "file", content(1<<20))
		large, largeKind := fileForm(t, "file", content(1<<20+1))
		huge, hugeKind := fileForm(t, "file", content(2<<20))
		other, otherKind := fileForm(t, "other", []byte("x"))
		padded, paddedKind := fileForm(t, "other", content(1<<20+1<<16))
		header, headerKind := fileForm(t, "file", content(10))
		header = bytes.Replace(header, []byte(`filename="`), []byte(`filename="`+strings.Repeat("x", 1<<17)), 1)
		field, fieldKind := fileForm(t, "file", content(10))
		field = bytes.Replace(field, []byte("files/alice/other"), content(1<<17), 1)

		tests := []struct {
			name string
			body []byte
			kind string
			want string
		}{
			{name: "a long header", body: header, kind: headerKind, want: "400 invalid_request"},
			{name: "a long field", body: field, kind: fieldKind, want: "413 too_large file"},
			{name: "no form", body: data, kind: "text/plain", want: "415 invalid_request Content-Type"},
			{name: "no boundary", body: data, kind: "multipart/form-data", want: "415 invalid_request Content-Type"},
			{name: "no file", body: other, kind: otherKind, want: "400 no_file file"},
			{name: "too large", body: large, kind: largeKind, want: "413 too_large body"},
			{name: "much too large", body: huge, kind: hugeKind, want: "413 too_large Content-Length"},
			{name: "too large a field", body: padded, kind: paddedKind, want: "413 too_large Content-Length"},
			{name: "another boundary", body: data, kind: otherKind, want: "400 invalid_request"},
			{name: "cut in the file", body: data[:1<<19], kind: kind, want: "400 interrupted file"},
			{name: "cut in a field", body: data[:20], kind: kind, want: "400 interrupted file"},
		}
		for _, tt := range tests {
			s.do(alice, "GET", "/s3/params?filename=a.txt", nil, nil).json(t, &request)
			require.Equal(t, tt.want, post(tt.body, tt.kind).refusal(t), tt.name)
			s.requireMissing("files/alice/a.txt")
		}

		a := post(data, kind)
		require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		require.NotEmpty(t, a.Header.Get("ETag"))
		s.requireStored("files/alice/a.txt", content(1<<20))

		s.requireMissing("files/alice/other")
		require.Equal(t, http.StatusOK, post(data, kind).StatusCode, "the response was lost")
		tooLong := append(content(1<<20-1), '!')
		changedForm, changedKind := fileForm(t, "file", tooLong)
		require.Equal(t, "409 completed uploadId", post(changedForm, changedKind).refusal(t))
		s.requireStored("files/alice/a.txt", content(1<<20))
		require.Equal(t, []string{"files/alice/a.txt"}, s.sweepEverything())
	})
}

// If Stored fails after a file is stored in one request, the address accepts only the same file again.
func TestS3OtherFileAfterStoredFails(t *testing.T) {
	for other, want := range map[string]string{"abc": "", "abd": "409 completed uploadId", "a": "409 completed uploadId", "": "409 completed uploadId"} {
		told := 0
		s := newSessionSite(t, openMemory(t), uploads.Config{Stored: func(context.Context, *uploads.File) error {
			told++
			if told == 1 {
				return storage.Unavailable
			}
			return nil
		}})
		var request struct{ URL string }
		s.do(alice, "GET", "/s3/params?filename=file", nil, nil).json(t, &request)

		send := func(text string) *answer { return s.do("", "PUT", request.URL, readerOf(text), nil) }
		require.Equal(t, http.StatusServiceUnavailable, send("abc").StatusCode)
		a := send(other)
		if want == "" {
			require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
		} else {
			require.Equal(t, want, a.refusal(t), other)
		}
		require.Equal(t, http.StatusOK, send("abc").StatusCode)
		require.Equal(t, 2, told)
		s.requireStored("files/alice/file", []byte("abc"))
	}
}

// The handler refuses a GET that another site or a link causes. http.CrossOriginProtection would let it pass, with
// the user's cookies.
func TestHandlerRefusesRequestsOfOtherSites(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Origins: []string{"https://app.example"}})
	tests := []struct {
		name   string
		h      headers
		status int
	}{
		{"a picture of another site", headers{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"a script of another site", headers{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		{"a script of an allowed site", headers{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}, http.StatusOK},
		{"a picture of the same site", headers{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}, http.StatusForbidden},
		{"a link", headers{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"}, http.StatusForbidden},
		{"the own page", headers{"Sec-Fetch-Site": "same-origin"}, http.StatusOK},
		{"a script of the own page", headers{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}, http.StatusOK},
		{"no browser", nil, http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stores := s.countObjects()
			a := s.do(alice, "GET", "/s3/params?filename=file", nil, tt.h)
			require.Equal(t, tt.status, a.StatusCode, string(a.body))
			require.Equal(t, tt.status == http.StatusOK, s.countObjects() > stores)
		})
	}
}

// Only pages of the origins in Config.Origins may send requests.
func TestHandlerCORS(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Origins: []string{"https://app.example"}})
	preflight := headers{"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "tus-resumable,upload-offset"}
	preflight["Origin"] = "https://app.example"

	a := s.do("", "OPTIONS", "/tus/x", nil, preflight)
	require.Equal(t, http.StatusNoContent, a.StatusCode)
	require.Equal(t, "https://app.example", a.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "tus-resumable,upload-offset", a.Header.Get("Access-Control-Allow-Headers"))
	require.Contains(t, a.Header.Get("Access-Control-Allow-Methods"), "PATCH")

	preflight["Origin"] = "https://evil.example"
	a = s.do("", "OPTIONS", "/s3/multipart", nil, preflight)
	require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))

	a = s.do("", "OPTIONS", "/tus/", nil, headers{"Origin": "https://app.example"})
	require.Contains(t, a.Header.Get("Access-Control-Expose-Headers"), "Upload-Offset")
}

func TestNewHandlerRefuses(t *testing.T) {
	bucket := openMemory(t)
	good := withTestDefaults(uploads.Config{})
	tests := []struct {
		name   string
		bucket storage.Bucket
		change func(*uploads.Config)
		want   string
	}{
		{name: "no bucket", change: func(*uploads.Config) {}, want: "bucket"},
		{
			name:   "no Authorize",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.Authorize = nil
			},
			want: "Config.Authorize",
		},
		{
			name:   "negative size",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.Rules = rules.Any(-1)
			},
			want: "Config.Rules",
		},
		{
			name:   "long TTL",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.TTL = 8 * 24 * time.Hour
			},
			want: "Config.TTL",
		},
		{
			name:   "long UploadTTL",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.UploadTTL = 8 * 24 * time.Hour
			},
			want: "Config.UploadTTL",
		},
		{
			name:   "little memory",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.MemoryLimit = 1
			},
			want: "Config.MemoryLimit",
		},
		{
			name:   "prefix without a slash",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.Prefix = "x"
			},
			want: "Config.Prefix",
		},
		{
			name:   "origin with a path",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.Origins = []string{"https://a/b"}
			},
			want: "Config.Origins",
		},
		{
			name:   "address without a host",
			bucket: bucket,
			change: func(c *uploads.Config) {
				c.BaseURL = "/uploads"
			},
			want: "Config.BaseURL",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := uploads.New(tt.bucket, c)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A file that would have more parts than the store takes is refused before its first byte.
func TestS3RefusesAFileOfTooManyParts(t *testing.T) {
	s := newSessionSite(t, memstore.New(), uploads.Config{ProxyParts: true})
	const most = 10_000 * 128 << 20 // 128 MiB: a quarter of what the bucket may hold of the requests that send bytes
	require.Equal(t, "413 too_large size", s.post(alice, "/s3/multipart", map[string]any{"filename": "a", "size": most + 1}).refusal(t))
	require.Empty(t, s.pending())
	require.EqualValues(t, 128<<20, s.begin(map[string]any{"filename": "a", "size": most}).PartSize)
}
