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

// A multipartUpload is the client's view of an upload in parts.
type multipartUpload struct {
	s    *sessionSite
	user string

	// These are fields of the response.
	Key         string
	UploadID    string
	PartSize    int64
	MaxPartSize int64
	Checksum    string
}

// A sentPart is a part as a client names it.
type sentPart struct {
	PartNumber int
	ETag       string
}

// post sends a value as JSON.
func (s *sessionSite) post(user, address string, value any) *answer {
	s.t.Helper()
	text, err := json.Marshal(value)
	require.NoError(s.t, err)
	return s.do(user, "POST", address, bytes.NewReader(text), headers{"Content-Type": "application/json"})
}

// beginMultipart begins an upload in parts as alice.
func (s *sessionSite) beginMultipart(fields map[string]any) *multipartUpload {
	s.t.Helper()
	resp := s.post(alice, "/s3/multipart", fields)
	require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
	u := &multipartUpload{s: s, user: alice}
	resp.json(s.t, u)
	return u
}

// path returns an address of the upload.
func (u *multipartUpload) path(extra string) string {
	return "/s3/multipart/" + u.UploadID + extra + "?key=" + url.QueryEscape(u.Key)
}

// A signedPart is the request for a part, as a client gets it.
type signedPart struct {
	URL, Method string
	Headers     map[string]string
	Expires     int
}

// signPart returns the request for a part.
func (u *multipartUpload) signPart(number int, query string) signedPart {
	u.s.t.Helper()
	resp := u.s.do(u.user, "GET", u.path(fmt.Sprintf("/%d", number))+query, nil, nil)
	require.Equal(u.s.t, http.StatusOK, resp.StatusCode, string(resp.body))
	var part signedPart
	resp.json(u.s.t, &part)
	require.Positive(u.s.t, part.Expires)
	return part
}

// sendPart sends a part as Uppy does.
func (u *multipartUpload) sendPart(number int, data []byte) sentPart {
	u.s.t.Helper()
	part := u.signPart(number, "")
	resp := u.s.do("", part.Method, part.URL, bytes.NewReader(data), part.Headers)
	require.Less(u.s.t, resp.StatusCode, 300, string(resp.body))
	require.NotEmpty(u.s.t, resp.Header.Get("ETag"), "Uppy waits for an ETag")
	return sentPart{PartNumber: number, ETag: resp.Header.Get("ETag")}
}

// at returns the upload at another process.
func (u *multipartUpload) at(s *sessionSite) *multipartUpload {
	other := *u
	other.s = s
	return &other
}

// complete asks to complete the upload of these parts.
func (u *multipartUpload) complete(parts ...sentPart) *answer {
	u.s.t.Helper()
	return u.s.post(u.user, u.path("/complete"), map[string]any{"parts": parts})
}

// crcOf returns the CRC-32C of data in base64.
func crcOf(data []byte) string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// cut returns data in parts of the given length, of which the last may be shorter.
func cut(data []byte, part int64) (parts [][]byte) {
	for len(data) > 0 {
		n := min(int64(len(data)), part)
		parts = append(parts, data[:n])
		data = data[n:]
	}
	return parts
}

// A completed upload stores the last content of each part, in whatever order the parts were sent, and cannot be changed
// any more.
func TestS3StoresAFileInParts(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)

		// The file has two parts, of which the first has the least size of S3.
		const firstSize = 5 << 20
		const secondSize = 12345
		data := content(firstSize + secondSize)

		u := s.beginMultipart(map[string]any{
			"filename": "a b.bin",
			"type":     "video/mp4",
			"metadata": map[string]any{"name": "x", "n": 1},
		})
		require.Equal(t, "files/alice/a b.bin", u.Key)

		// The last part comes first, and is listed.
		second := u.sendPart(2, data[firstSize:])
		var listed []struct {
			PartNumber int
			Size       int64
			ETag       string
		}
		s.get(alice, u.path("")).json(t, &listed)
		require.Len(t, listed, 1)
		require.Equal(t, 2, listed[0].PartNumber)
		require.EqualValues(t, secondSize, listed[0].Size)

		// The first part is sent twice.
		u.sendPart(1, data[1:1<<20])
		first := u.sendPart(1, data[:firstSize])
		s.requireMissing(u.Key)

		// The upload is completed, and the file has the last content of each part.
		resp := u.complete(first, second)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		attrs := s.requireStored(u.Key, data)
		require.Equal(t, "application/x-test", attrs.ContentType, "the client's type is not used")

		// The upload can be completed again, but not changed.
		require.Equal(t, http.StatusOK, u.complete(first, second).StatusCode)
		require.Equal(t, "409 completed uploadId", s.do(alice, "DELETE", u.path(""), nil, nil).refusal(t))
		require.Equal(t, "409 completed uploadId", s.get(alice, u.path("/1")).refusal(t))
		s.requireStored(u.Key, data)

		// Only the file and the state are left.
		objects, states := s.keys()
		require.Equal(t, []string{u.Key}, objects)
		require.Len(t, states, 1)
		require.Empty(t, s.openMultiparts())
	})
}

// If a client declares a size and a checksum, the store verifies each part, and the upload cannot be completed without
// all bytes.
func TestS3EnforcesDeclaredSize(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)

		// MinIO permits no smaller part than this, except as the last one.
		const minPartOfMinIO = 5 << 20
		data := content(minPartOfMinIO + 1000)

		u := s.beginMultipart(map[string]any{"filename": "a", "size": len(data), "checksum": "crc32c"})
		require.GreaterOrEqual(t, u.PartSize, int64(part))

		// Not every store verifies checksums. If this one does, no part can be signed without its checksum.
		verifiesChecksums := u.Checksum != ""
		if verifiesChecksums {
			require.Equal(t, "400 invalid_value crc32c", s.get(alice, u.path("/1")).refusal(t))
		}

		// Send each part. Such a store refuses a part with a wrong byte.
		var parts []sentPart
		for i, partData := range cut(data, u.PartSize) {
			query := "&size=" + size(partData) + "&crc32c=" + url.QueryEscape(crcOf(partData))
			request := u.signPart(i+1, query)
			if verifiesChecksums {
				damaged := bytes.Clone(partData)
				damaged[0]++
				resp := s.do("", request.Method, request.URL, bytes.NewReader(damaged), request.Headers)
				require.GreaterOrEqual(t, resp.StatusCode, http.StatusBadRequest, "the store took damaged bytes")
			}
			resp := s.do("", request.Method, request.URL, bytes.NewReader(partData), request.Headers)
			require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))
			parts = append(parts, sentPart{PartNumber: i + 1, ETag: resp.Header.Get("ETag")})
		}

		// The upload cannot be completed without the last part, but with all parts.
		require.Equal(t, "422 not_uploaded parts", u.complete(parts[:len(parts)-1]...).refusal(t))
		resp := u.complete(parts...)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		s.requireStored(u.Key, data)
	})
}

// DELETE removes everything of an upload, and no later request finds it.
func TestS3AbortRemovesEverything(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)
		u := s.beginMultipart(map[string]any{"filename": "a", "type": ""})
		part := u.sendPart(1, content(1000))

		resp := s.do(alice, "DELETE", u.path(""), nil, nil)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		require.Equal(t, "404 not_found uploadId", u.complete(part).refusal(t))
		require.Equal(t, "404 not_found uploadId", s.get(alice, u.path("")).refusal(t))
		require.Equal(t, "404 not_found uploadId", s.get(alice, u.path("/2")).refusal(t))

		objects, states := s.keys()
		require.Empty(t, objects)
		require.Empty(t, states)
		require.Empty(t, s.openMultiparts())
	})
}

// An upload in parts with more bytes than its client declared, or than the rules allow, fails and leaves nothing.
func TestS3RefusesWrongSize(t *testing.T) {
	const maxSize = 2000
	tests := []struct {
		name     string
		declared any // the size, or nil
		want     string
	}{
		{name: "more than it declared", declared: 1000, want: "422 wrong_size size"},
		{name: "more than is allowed", declared: nil, want: "413 too_large parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
				c.Rules = rules.Any(maxSize)
				s := newSessionSite(t, open(t), c)
				u := s.beginMultipart(map[string]any{"filename": "a", "size": tt.declared})
				request := u.signPart(1, "")
				body := bytes.NewReader(content(maxSize + 1))
				resp := s.do("", request.Method, request.URL, body, request.Headers)

				// If the handler gets the part, it refuses the part at once.
				if c.ProxyParts {
					require.Equal(t, "413 too_large Content-Length", resp.refusal(t))
					return
				}

				// If the store gets the part, it takes it. The service sees the size when the upload is completed.
				require.Less(t, resp.StatusCode, http.StatusMultipleChoices, string(resp.body))
				part := sentPart{PartNumber: 1, ETag: resp.Header.Get("ETag")}
				require.Equal(t, tt.want, u.complete(part).refusal(t))

				// The refusal has ended the upload, and nothing is left.
				require.Equal(t, "404 not_found uploadId", u.complete(sentPart{PartNumber: 1}).refusal(t))
				objects, states := s.keys()
				require.Empty(t, objects)
				require.Empty(t, states)
				require.Empty(t, s.openMultiparts())
			})
		})
	}
}

// The S3 routes refuse invalid requests, and those of other users, before they change anything.
func TestS3Refuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1 << 40), ProxyParts: true})

	// One upload of alice has a part, and another one has none.
	u := s.beginMultipart(map[string]any{"filename": "a"})
	first := u.sendPart(1, content(1000))
	other := s.beginMultipart(map[string]any{"filename": "b"})

	const unknown = "/s3/multipart/AAAAAAAAAAAAAAAAAAAAAAAAAA"
	const json = "application/json"
	tests := []struct {
		name        string
		user        string
		method      string
		address     string
		body        string
		contentType string
		want        string // status, code and field of the refusal
	}{
		// Requests that begin an upload.
		{name: "no user", method: "POST", address: "/s3/multipart", body: `{}`, contentType: json, want: "401 unauthenticated"},
		{name: "not JSON", user: alice, method: "POST", address: "/s3/multipart", body: `{`, contentType: json, want: "400 invalid_request"},
		{
			name:        "another content type",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{}`,
			contentType: "text/plain",
			want:        "415 invalid_request Content-Type",
		},
		{name: "no content type", user: alice, method: "POST", address: "/s3/multipart", body: `{}`, want: "415 invalid_request Content-Type"},
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
			name:        "a file that is too large",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"size": 2199023255552}`,
			contentType: json,
			want:        "413 too_large size",
		},
		{
			name:        "a type that Begin refuses",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"type": "text/html"}`,
			contentType: json,
			want:        "415 type_not_allowed type",
		},
		{
			name:        "an unknown checksum",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"checksum": "md5"}`,
			contentType: json,
			want:        "400 invalid_value checksum",
		},
		{
			name:        "metadata with an object",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"metadata": {"a": {"b": "c"}}}`,
			contentType: json,
			want:        "400 invalid_value metadata",
		},
		{
			name:        "too much metadata",
			user:        alice,
			method:      "POST",
			address:     "/s3/multipart",
			body:        `{"metadata": {"a": "` + strings.Repeat("x", 10000) + `"}}`,
			contentType: json,
			want:        "400 invalid_value metadata",
		},

		// The ID of no upload.
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
		{name: "an ID with a path", user: alice, method: "GET", address: "/s3/multipart/..%2Fstate.json", want: "404 not_found uploadId"},

		// An upload of another user.
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

		// The key in this request is that of another upload.
		{
			name:    "the key of another upload",
			user:    alice,
			method:  "GET",
			address: "/s3/multipart/" + u.UploadID + "?key=files/alice/b",
			want:    "404 not_found uploadId",
		},

		// Requests for URLs of parts.
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

		// Completions.
		{
			name:        "a completion without parts",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[]}`,
			contentType: json,
			want:        "400 invalid_value parts",
		},
		{
			name:        "a completion with parts in another order",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":2},{"PartNumber":1}]}`,
			contentType: json,
			want:        "400 invalid_value parts[0].PartNumber",
		},
		{
			name:        "a completion with a part twice",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1},{"PartNumber":1}]}`,
			contentType: json,
			want:        "400 invalid_value parts[1].PartNumber",
		},
		{
			name:        "a completion with a part that was not sent",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1},{"PartNumber":2}]}`,
			contentType: json,
			want:        "422 not_uploaded parts[1]",
		},
		{
			name:        "a completion with another ETag",
			user:        alice,
			method:      "POST",
			address:     u.path("/complete"),
			body:        `{"parts":[{"PartNumber":1,"ETag":"\"no\""}]}`,
			contentType: json,
			want:        "422 parts_changed parts[0].ETag",
		},
		{
			name:        "a completion with the part of another upload",
			user:        alice,
			method:      "POST",
			address:     other.path("/complete"),
			body:        `{"parts":[{"PartNumber":1,"ETag":"` + strings.Trim(first.ETag, `"`) + `"}]}`,
			contentType: json,
			want:        "422 not_uploaded parts[0]",
		},

		// Requests without a valid signature, or for another kind of upload.
		{name: "a part without a signature", method: "PUT", address: "/s3/part/" + u.UploadID + "/1", body: "x", want: "404 not_found uploadId"},
		{
			name:    "a part with another signature",
			method:  "PUT",
			address: "/s3/part/" + u.UploadID + "/1?expires=9999999999&signature=x",
			body:    "x",
			want:    "404 not_found uploadId",
		},
		{name: "a file in one request, to an upload in parts", method: "PUT", address: "/s3/single/" + u.UploadID, body: "x", want: "404 not_found uploadId"},
		{name: "a request of tus, to an upload in parts", user: alice, method: "DELETE", address: "/tus/" + u.UploadID, want: "404 not_found uploadId"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t // the helpers of s fail this subtest
			h := headers{"Content-Type": tt.contentType}
			if strings.HasPrefix(tt.address, "/tus") {
				h["Tus-Resumable"] = "1.0.0"
			}
			require.Equal(t, tt.want, s.do(tt.user, tt.method, tt.address, readerOf(tt.body), h).refusal(t))
		})
	}

	// There are still two uploads, and the first one can be completed.
	s.t = t
	_, states := s.keys()
	require.Len(t, states, 2)
	require.Equal(t, http.StatusOK, u.complete(first).StatusCode)
}

// After Config.TTL, no request finds an upload in parts any more, and Sweep removes what is left of it.
func TestS3Expires(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{TTL: time.Hour, ProxyParts: true})
	u := s.beginMultipart(map[string]any{"filename": "a"})
	part := u.sendPart(1, content(1000))
	signedPart := u.signPart(1, "")

	// After the TTL, requests do not find the upload.
	s.clock.Advance(61 * time.Minute)
	require.Equal(t, "404 not_found uploadId", u.complete(part).refusal(t))
	require.Equal(t, "404 not_found uploadId", s.putTo(signedPart.URL, []byte("x")).refusal(t))

	// Sweep removes everything of it.
	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Uploads)

	objects, states := s.keys()
	require.Empty(t, objects)
	require.Empty(t, states)
	require.Empty(t, s.openMultiparts())
}

// The URL of a proxied part is valid only for its part, size and checksum, and until it expires.
func TestS3AddressesOfProxiedParts(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{ProxyParts: true, UploadTTL: time.Minute})

	// Sign a URL for part 1, which must be "abc".
	u := s.beginMultipart(map[string]any{"filename": "a", "checksum": "crc32c"})
	require.Equal(t, "crc32c", u.Checksum)
	signedURL := u.signPart(1, "&size=3&crc32c="+url.QueryEscape(crcOf([]byte("abc")))).URL

	// change returns the signed URL with one of its values replaced.
	change := func(old, replacement string) string {
		require.Contains(t, signedURL, old)
		return strings.Replace(signedURL, old, replacement, 1)
	}
	tests := []struct {
		name    string
		address string
		body    string
		want    string
	}{
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
			s.t = t // the helpers of s fail this subtest
			require.Equal(t, tt.want, s.putTo(tt.address, []byte(tt.body)).refusal(t))
		})
	}

	// The URL itself works until it expires.
	s.t = t
	require.Equal(t, http.StatusOK, s.putTo(signedURL, []byte("abc")).StatusCode)
	s.clock.Advance(2 * time.Minute)
	require.Equal(t, "404 not_found uploadId", s.putTo(signedURL, []byte("abc")).refusal(t))
}

// The completion of an upload in parts fails if an object has appeared under its key, and leaves that object as it is.
func TestS3NeverOverwrites(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{ProxyParts: true})
	u := s.beginMultipart(map[string]any{"filename": "a"})
	part := u.sendPart(1, content(1000))
	_, err := s.bucket.Upload(t.Context(), u.Key, readerOf("before"))
	require.NoError(t, err)

	require.Equal(t, "412 exists key", u.complete(part).refusal(t))
	s.requireStored(u.Key, []byte("before"))
	require.Empty(t, s.openMultiparts())
}

// A URL of GET /s3/params stores a file in one request, and then accepts the same file again, but no other one.
func TestS3FileInOneRequest(t *testing.T) {
	const maxSize = 1 << 20
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(maxSize)})
	var request struct {
		Method, URL string
		Fields      map[string]string
		Expires     int
	}

	// Ask for a URL.
	resp := s.get(alice, "/s3/params?filename=a.txt&type=text%2Fplain&metadata%5Bx%5D=y")
	require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
	resp.json(t, &request)
	require.Equal(t, "PUT", request.Method)
	require.Equal(t, "files/alice/a.txt", request.Fields["key"])

	// A file that is too large is refused.
	resp = s.putTo(request.URL, content(maxSize+1))
	require.Equal(t, "413 too_large Content-Length", resp.refusal(t))

	// The URL still stores a smaller one.
	resp = s.putTo(request.URL, content(maxSize))
	require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
	require.NotEmpty(t, resp.Header.Get("ETag"))
	s.requireStored("files/alice/a.txt", content(maxSize))

	// Only the same file is accepted again.
	resp = s.putTo(request.URL, []byte("again"))
	require.Equal(t, "409 completed uploadId", resp.refusal(t))
	resp = s.putTo(request.URL, content(maxSize))
	require.Equal(t, http.StatusOK, resp.StatusCode)

	// A file that was removed cannot be sent again.
	require.NoError(t, s.bucket.Remove(t.Context(), "files/alice/a.txt"))
	resp = s.putTo(request.URL, content(maxSize))
	require.Equal(t, "409 completed uploadId", resp.refusal(t))
}

// GET /s3/params refuses a key that exists, and a type that is not allowed.
func TestS3ParamsRefuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	_, err := s.bucket.Upload(t.Context(), "files/alice/a.txt", readerOf("text"))
	require.NoError(t, err)

	resp := s.get(alice, "/s3/params?filename=a.txt")
	require.Equal(t, "412 exists key", resp.refusal(t))

	resp = s.get(alice, "/s3/params?type=text%2Fhtml")
	require.Equal(t, "415 type_not_allowed type", resp.refusal(t))
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

// A file that is sent as a form to a URL of GET /s3/params is stored under the key of that URL, whatever key the form
// has. The same form may be sent again, but no other one.
func TestS3FileInAForm(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{Rules: rules.Any(1 << 20)})

		// All forms are sent to one URL.
		var request struct{ URL string }
		s.get(alice, "/s3/params?filename=a.txt").json(t, &request)
		post := func(body []byte, contentType string) *answer {
			return s.do("", "POST", request.URL, bytes.NewReader(body), headers{"Content-Type": contentType})
		}

		data := content(1 << 20)
		form, contentType := fileForm(t, "file", data)

		// The form also has a key, which is ignored.
		resp := post(form, contentType)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		require.NotEmpty(t, resp.Header.Get("ETag"))
		s.requireStored("files/alice/a.txt", data)
		const keyInForm = "files/alice/other"
		s.requireMissing(keyInForm)

		// The client sends the form again because the response was lost.
		require.Equal(t, http.StatusOK, post(form, contentType).StatusCode)

		// A form with another file is refused.
		otherData := append(content(1<<20-1), '!')
		otherForm, otherType := fileForm(t, "file", otherData)
		require.Equal(t, "409 completed uploadId", post(otherForm, otherType).refusal(t))
		s.requireStored("files/alice/a.txt", data)
		require.Equal(t, []string{"files/alice/a.txt"}, s.keysAfterExpiry())
	})
}

// A form that is too large, broken or without a file is refused, and nothing is stored.
func TestS3RefusesForms(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		const maxSize = 1 << 20
		const longText = 1 << 17 // longer than any header or field may be
		s := newSessionSite(t, open(t), uploads.Config{Rules: rules.Any(maxSize)})

		// Each form is posted to a new URL, because a file that is too large ends the upload of its
		// URL.
		type sentForm struct {
			body        []byte
			contentType string
		}
		post := func(form sentForm) *answer {
			var request struct{ URL string }
			s.get(alice, "/s3/params?filename=a.txt").json(t, &request)
			return s.do("", "POST", request.URL, bytes.NewReader(form.body), headers{"Content-Type": form.contentType})
		}

		// formOf returns a form with data in the given field. In each form, the field "key" comes first.
		formOf := func(field string, data []byte) sentForm {
			body, contentType := fileForm(t, field, data)
			return sentForm{body: body, contentType: contentType}
		}
		file := content(maxSize)
		valid := formOf("file", file)
		withoutFile := formOf("other", []byte("x"))

		// The header of the file has a long name.
		longHeader := formOf("file", content(10))
		longName := []byte(`filename="` + strings.Repeat("x", longText))
		longHeader.body = bytes.Replace(longHeader.body, []byte(`filename="`), longName, 1)

		// The field "key" has a long value.
		longField := formOf("file", content(10))
		longField.body = bytes.Replace(longField.body, []byte("files/alice/other"), content(longText), 1)

		tests := []struct {
			name string
			form sentForm
			want string
		}{
			{name: "a header that is too long", form: longHeader, want: "400 invalid_request"},
			{name: "a field that is too long", form: longField, want: "413 too_large file"},
			{
				name: "a body that is not a form",
				form: sentForm{body: valid.body, contentType: "text/plain"},
				want: "415 invalid_request Content-Type",
			},
			{
				name: "a form without a boundary",
				form: sentForm{body: valid.body, contentType: "multipart/form-data"},
				want: "415 invalid_request Content-Type",
			},
			{name: "a form without a file", form: withoutFile, want: "400 no_file file"},
			{name: "a file that is too large by one byte", form: formOf("file", content(maxSize+1)), want: "413 too_large body"},
			{name: "a file that is twice too large", form: formOf("file", content(2*maxSize)), want: "413 too_large Content-Length"},
			{
				name: "a field that is larger than a file may be",
				form: formOf("other", content(maxSize+1<<16)),
				want: "413 too_large Content-Length",
			},
			{
				name: "the boundary of another form",
				form: sentForm{body: valid.body, contentType: withoutFile.contentType},
				want: "400 invalid_request",
			},
			{
				name: "a form cut in its file",
				form: sentForm{body: valid.body[:maxSize/2], contentType: valid.contentType},
				want: "400 interrupted file",
			},
			{
				name: "a form cut in a field",
				form: sentForm{body: valid.body[:20], contentType: valid.contentType},
				want: "400 interrupted file",
			},
		}
		for _, tt := range tests {
			require.Equal(t, tt.want, post(tt.form).refusal(t), tt.name)
			s.requireMissing("files/alice/a.txt")
		}

		// A form that has none of these faults is accepted.
		resp := post(valid)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
		s.requireStored("files/alice/a.txt", file)
	})
}

// If Config.Stored has failed for a file that was sent in one request, the URL accepts only the same file again.
func TestS3OtherFileAfterStoredFails(t *testing.T) {
	tests := []struct {
		name string
		text string // body of the second request
		want string // refusal of the second request; "" if it succeeds
	}{
		{name: "the same file", text: "abc"},
		{name: "other bytes of the same length", text: "abd", want: "409 completed uploadId"},
		{name: "a shorter file", text: "a", want: "409 completed uploadId"},
		{name: "an empty file", text: "", want: "409 completed uploadId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The first call of Stored fails.
			storedCalls := 0
			s := newSessionSite(t, openMemory(t), uploads.Config{Stored: func(context.Context, *uploads.File) error {
				storedCalls++
				if storedCalls == 1 {
					return storage.Unavailable
				}
				return nil
			}})
			var request struct{ URL string }
			s.get(alice, "/s3/params?filename=file").json(t, &request)

			// The file is stored, and Stored fails.
			resp := s.putTo(request.URL, []byte("abc"))
			require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)

			// The client sends a file to the URL again.
			resp = s.putTo(request.URL, []byte(tt.text))
			if tt.want == "" {
				require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
			} else {
				require.Equal(t, tt.want, resp.refusal(t))
			}

			// The same file is accepted in any case, and Stored is not called again after it has succeeded.
			resp = s.putTo(request.URL, []byte("abc"))
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, 2, storedCalls)
			s.requireStored("files/alice/file", []byte("abc"))
		})
	}
}

// The handler refuses a GET that another site or a link causes, because it would have the cookies of the user.
func TestHandlerRefusesRequestsOfOtherSites(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Origins: []string{"https://app.example"}})
	tests := []struct {
		name       string
		headers    headers
		wantStatus int
	}{
		{
			name:       "a picture of another site",
			headers:    headers{"Sec-Fetch-Site": "cross-site"},
			wantStatus: http.StatusForbidden,
		},
		{
			name:       "a script of another site",
			headers:    headers{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
			wantStatus: http.StatusForbidden,
		},
		{
			name:       "a script of an allowed site",
			headers:    headers{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"},
			wantStatus: http.StatusOK,
		},
		{
			name:       "a picture of the same site",
			headers:    headers{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
			wantStatus: http.StatusForbidden,
		},
		{
			name:       "a link",
			headers:    headers{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"},
			wantStatus: http.StatusForbidden,
		},
		{name: "the own page", headers: headers{"Sec-Fetch-Site": "same-origin"}, wantStatus: http.StatusOK},
		{
			name:       "a script of the own page",
			headers:    headers{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"},
			wantStatus: http.StatusOK,
		},
		{name: "no browser", wantStatus: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := s.countObjects()
			resp := s.do(alice, "GET", "/s3/params?filename=file", nil, tt.headers)
			require.Equal(t, tt.wantStatus, resp.StatusCode, string(resp.body))

			// An accepted request has stored the state of an upload.
			began := s.countObjects() > before
			require.Equal(t, tt.wantStatus == http.StatusOK, began)
		})
	}
}

// Only pages of the origins in Config.Origins may send requests.
func TestHandlerCORS(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Origins: []string{"https://app.example"}})
	preflight := headers{
		"Origin":                         "https://app.example",
		"Access-Control-Request-Method":  "PATCH",
		"Access-Control-Request-Headers": "tus-resumable,upload-offset",
	}
	resp := s.do("", "OPTIONS", "/tus/x", nil, preflight)
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Equal(t, "https://app.example", resp.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "tus-resumable,upload-offset", resp.Header.Get("Access-Control-Allow-Headers"))
	require.Contains(t, resp.Header.Get("Access-Control-Allow-Methods"), "PATCH")

	// A page of another site gets no permission.
	preflight["Origin"] = "https://evil.example"
	resp = s.do("", "OPTIONS", "/s3/multipart", nil, preflight)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))

	// An OPTIONS request of tus, which is no preflight, exposes the response headers.
	resp = s.do("", "OPTIONS", "/tus/", nil, headers{"Origin": "https://app.example"})
	require.Contains(t, resp.Header.Get("Access-Control-Expose-Headers"), "Upload-Offset")
}

// New refuses a Config with an invalid field, and the error names the field.
func TestNewHandlerRefuses(t *testing.T) {
	tests := []struct {
		name   string
		config uploads.Config
		want   string
	}{
		{name: "negative size", config: uploads.Config{Rules: rules.Any(-1)}, want: "Config.Rules"},
		{name: "long TTL", config: uploads.Config{TTL: 8 * 24 * time.Hour}, want: "Config.TTL"},
		{name: "long UploadTTL", config: uploads.Config{UploadTTL: 8 * 24 * time.Hour}, want: "Config.UploadTTL"},
		{name: "little memory", config: uploads.Config{MemoryLimit: 1}, want: "Config.MemoryLimit"},
		{name: "prefix without a slash", config: uploads.Config{Prefix: "x"}, want: "Config.Prefix"},
		{name: "origin with a path", config: uploads.Config{Origins: []string{"https://a/b"}}, want: "Config.Origins"},
		{name: "address without a host", config: uploads.Config{BaseURL: "/uploads"}, want: "Config.BaseURL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := uploads.New(openMemory(t), withTestDefaults(tt.config))
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// New refuses Config.Begin without Config.Authorize, because only the handler, which needs Authorize, calls Begin.
func TestNewRefusesBeginWithoutAuthorize(t *testing.T) {
	config := withTestDefaults(uploads.Config{})
	require.NotNil(t, config.Begin)
	config.Authorize = nil
	_, err := uploads.New(openMemory(t), config)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "Config.Authorize")
}

// A file that would need more parts than the store takes is refused before its first byte.
func TestS3RefusesAFileOfTooManyParts(t *testing.T) {
	const maxParts = 10_000
	// A part may be as large as a quarter of the memory that the bucket has for bodies of requests.
	const maxPartSize = 128 << 20
	s := newSessionSite(t, memstore.New(), uploads.Config{ProxyParts: true})
	fields := map[string]any{"filename": "a", "size": maxParts*maxPartSize + 1}
	require.Equal(t, "413 too_large size", s.post(alice, "/s3/multipart", fields).refusal(t))
	require.Empty(t, s.openMultiparts())

	// One byte less is accepted.
	fields["size"] = maxParts * maxPartSize
	require.EqualValues(t, maxPartSize, s.beginMultipart(fields).PartSize)
}
