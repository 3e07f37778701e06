package uploads_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// part is the size of parts in tests, in bytes, where the store takes such small ones.
const part = 64 << 10

// A file of any size is stored, however its bytes are spread over the requests and over the parts of the store.
func TestTusStoresAFile(t *testing.T) {
	tests := []struct {
		name  string
		size  int
		chunk int   // bytes of one PATCH; 0 for all
		part  int64 // bytes of one part of the store
	}{
		{name: "empty file", part: part},
		{name: "small file", size: 1000, part: part},
		{name: "small file in several requests", size: 1000, chunk: 300, part: part},
		{name: "one part", size: part, part: part},
		{name: "two parts", size: part + 1, part: part},
		{name: "two whole parts", size: 2 * part, chunk: part, part: part},
		{name: "requests that end within parts", size: 2*part + 12345, chunk: 25_000, part: part},
		{name: "many requests for each part", size: part + 5, chunk: 1500, part: part},
		{name: "parts of MinIO", size: 10<<20 + 12345, chunk: 3 << 20, part: 5 << 20},
	}
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s.t = t // the helpers of s fail this subtest
				s.handler.SetBasePart(tt.part)
				data := content(tt.size)
				chunk := tt.chunk
				if chunk == 0 {
					chunk = len(data)
				}

				// Send the file in chunks.
				location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(tt.name))
				for offset := 0; offset < len(data); offset += chunk {
					end := min(offset+chunk, len(data))
					s.patch(location, int64(offset), data[offset:end], int64(end))
				}

				// The file has all bytes, and the attributes that Begin chooses.
				require.EqualValues(t, len(data), s.offset(location))
				attrs := s.requireStored("files/alice/"+tt.name, data)
				require.Equal(t, "application/x-test", attrs.ContentType)
				require.Equal(t, map[string]string{"by": "alice"}, attrs.Metadata)
			})
		}

		s.t = t

		// Each file has one object and one state, and no multipart upload is open.
		objects, states := s.keys()
		require.Len(t, objects, len(tests), "segments are left: %v", objects)
		require.Len(t, states, len(tests))
		require.Empty(t, s.openMultiparts())
	})
}

// OPTIONS lists the features of the server.
func TestTusOptions(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1 << 30)})
	resp := s.do("", "OPTIONS", "/tus/", nil, nil)
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Equal(t, "1.0.0", resp.Header.Get("Tus-Version"))
	require.Equal(t, "1073741824", resp.Header.Get("Tus-Max-Size"))
	require.Contains(t, resp.Header.Get("Tus-Extension"), "concatenation")
	require.Contains(t, resp.Header.Get("Tus-Checksum-Algorithm"), "sha1")
}

// A client may send the first bytes with the request that creates the upload. The response says how many were stored,
// and when the upload expires.
func TestTusCreatesWithBytes(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(5000)
	resp := s.tus("POST", "/tus", data[:2000], "Upload-Length", "5000", "Upload-Metadata", filenameMetadata("a"))
	require.Equal(t, http.StatusCreated, resp.StatusCode, string(resp.body))
	require.Equal(t, "2000", resp.Header.Get("Upload-Offset"))
	expires, err := http.ParseTime(resp.Header.Get("Upload-Expires"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(uploads.DefaultTTL), expires, time.Minute)

	s.patch(s.locationOf(resp, "/tus"), 2000, data[2000:], 5000)
	s.requireStored("files/alice/a", data)
}

// A client may declare the length of a file only with its last request, with or without bytes.
func TestTusDefersTheLength(t *testing.T) {
	tests := []struct {
		name  string
		sizes []int // sizes of the requests; the last one declares the length
	}{
		{name: "empty file", sizes: []int{0}},
		{name: "small file", sizes: []int{10, 20}},
		{name: "file of several parts", sizes: []int{part + 7, part, 3}},
		{name: "length without bytes", sizes: []int{part + 7, 0}},
		{name: "length without bytes after a whole part", sizes: []int{part, 0}},
	}
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t // the helpers of s fail this subtest
			location := s.create("Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata(tt.name))
			require.Equal(t, "1", s.tus("HEAD", location, nil).Header.Get("Upload-Defer-Length"))

			// The file has as many bytes as all requests together.
			total := 0
			for _, n := range tt.sizes {
				total += n
			}
			data := content(total)

			// Send the bytes, and the length with the last request.
			offset := 0
			for i, n := range tt.sizes {
				var lengthHeader []string
				isLast := i == len(tt.sizes)-1
				if isLast {
					lengthHeader = []string{"Upload-Length", size(data)}
				}
				end := offset + n
				s.patch(location, int64(offset), data[offset:end], int64(end), lengthHeader...)
				offset = end
			}

			// The file is whole, and HEAD knows its length.
			s.requireStored("files/alice/"+tt.name, data)
			require.Equal(t, size(data), s.tus("HEAD", location, nil).Header.Get("Upload-Length"))
		})
	}

	s.t = t
	require.Empty(t, s.openMultiparts())
}

// A client may send the pieces of a file as several uploads, and join them when all are complete.
func TestTusJoinsPieces(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})

		// Begin an upload for each of the two pieces.
		data := content(part + 10_000)
		head := data[:part/3]
		tail := data[part/3:]
		headLocation := s.create("Upload-Length", size(head), "Upload-Concat", "partial")
		tailLocation := s.create("Upload-Length", size(tail), "Upload-Concat", "partial")

		// A path is as valid as a URL.
		tailPath := "/uploads" + tailLocation[len(s.base):]
		concat := "final;" + headLocation + " " + tailPath

		// The pieces cannot be joined before they are complete.
		resp := s.tus("POST", "/tus/", nil, "Upload-Concat", concat)
		require.Equal(t, "422 not_uploaded Upload-Concat", resp.refusal(t))

		// The order in which they are sent does not matter.
		s.patch(tailLocation, 0, tail, int64(len(tail)))
		s.patch(headLocation, 0, head, int64(len(head)))
		require.Equal(t, "partial", s.tus("HEAD", headLocation, nil).Header.Get("Upload-Concat"))

		// The joined upload is complete.
		final := s.create("Upload-Concat", concat, "Upload-Metadata", filenameMetadata("whole"))
		s.requireStored("files/alice/whole", data)
		resp = s.tus("HEAD", final, nil)
		require.Equal(t, size(data), resp.Header.Get("Upload-Offset"))
		require.Equal(t, size(data), resp.Header.Get("Upload-Length"))
		require.Equal(t, concat, resp.Header.Get("Upload-Concat"))

		// It takes no more bytes.
		resp = s.tus("PATCH", final, []byte("x"), "Upload-Offset", size(data))
		require.Equal(t, "403 not_allowed Upload-Concat", resp.refusal(t))

		// Mallo may not join the pieces of alice.
		resp = s.tusAs(mallo, "POST", "/tus/", nil, "Upload-Concat", concat)
		require.Equal(t, "400 invalid_value Upload-Concat", resp.refusal(t))

		// After the client has removed one piece, Sweep removes the other one when it expires.
		require.Equal(t, http.StatusNoContent, s.tus("DELETE", headLocation, nil).StatusCode)
		s.clock.Advance(2 * time.Hour)
		report, err := s.handler.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Uploads)
		objects, _ := s.keys()
		require.Equal(t, []string{"files/alice/whole"}, objects)
	})
}

// The server stores none of the bytes of a request if they do not have its Upload-Checksum.
func TestTusVerifiesChecksums(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(part + 1000)
	location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata("a"))

	// The sum of other bytes is refused, and nothing is stored.
	wrongSum := sha1Header([]byte("another"))
	resp := s.tus("PATCH", location, data[:part+10], "Upload-Offset", "0", "Upload-Checksum", wrongSum)
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", resp.refusal(t))
	require.Zero(t, s.offset(location))

	// The right sum of the first 500 bytes is accepted, but a request that lacks one byte of the rest is not.
	s.patch(location, 0, data[:500], 500, "Upload-Checksum", sha1Header(data[:500]))
	rest := data[500:]
	resp = s.tus("PATCH", location, rest[1:], "Upload-Offset", "500", "Upload-Checksum", sha1Header(rest))
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", resp.refusal(t))

	// The whole rest is accepted.
	s.patch(location, 500, rest, int64(len(data)), "Upload-Checksum", sha1Header(rest))
	s.requireStored("files/alice/a", data)
}

// sha1Header returns the header Upload-Checksum of a body.
func sha1Header(body []byte) string {
	sum := sha1.Sum(body)
	return "sha1 " + base64.StdEncoding.EncodeToString(sum[:])
}

// DELETE removes everything of an upload, unless the upload is complete.
func TestTusTerminatesAnUpload(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(part + 1000)

	// An unfinished upload has some of its bytes.
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:part+10], part+10)
	require.NotEmpty(t, s.openMultiparts())

	// After DELETE, requests do not find it, and nothing of it is left.
	require.Equal(t, http.StatusNoContent, s.tus("DELETE", location, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", location, nil).StatusCode)
	resp := s.tus("PATCH", location, data[part+10:], "Upload-Offset", size(data[:part+10]))
	require.Equal(t, "404 not_found uploadId", resp.refusal(t))

	objects, states := s.keys()
	require.Empty(t, objects)
	require.Empty(t, states)
	require.Empty(t, s.openMultiparts())

	// A complete upload cannot be terminated.
	location = s.create("Upload-Length", "3")
	s.patch(location, 0, []byte("abc"), 3)
	require.Equal(t, "403 completed uploadId", s.tus("DELETE", location, nil).refusal(t))
	s.requireStored("files/alice/file", []byte("abc"))
}

// The tus routes refuse invalid requests, and those of other users, before they change anything.
func TestTusRefuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1000)})

	// Two uploads have three bytes. One has a length of 10, and the other one has no length yet.
	open := s.create("Upload-Length", "10", "Upload-Metadata", filenameMetadata("open"))
	s.patch(open, 0, []byte("abc"), 3)
	deferred := s.create("Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata("deferred"))
	s.patch(deferred, 0, []byte("abc"), 3)

	const stream = "application/offset+octet-stream"
	tests := []struct {
		name    string
		user    string
		method  string
		address string
		body    string
		headers headers
		want    string // status, code and field of the refusal
	}{
		// Requests that create an upload.
		{
			name:    "no version",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Tus-Resumable": "", "Upload-Length": "1"},
			want:    "412 invalid_request Tus-Resumable",
		},
		{
			name:    "another version",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Tus-Resumable": "0.2.2", "Upload-Length": "1"},
			want:    "412 invalid_request Tus-Resumable",
		},
		{name: "no user", method: "POST", address: "/tus/", headers: headers{"Upload-Length": "1"}, want: "401 unauthenticated"},
		{name: "no length", user: alice, method: "POST", address: "/tus/", want: "400 invalid_value Upload-Length"},
		{
			name:    "negative length",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "-1"},
			want:    "400 invalid_value Upload-Length",
		},
		{
			name:    "huge length",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "99999999999999999999"},
			want:    "400 invalid_value Upload-Length",
		},
		{
			name:    "length with a sign",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "+1"},
			want:    "400 invalid_value Upload-Length",
		},
		{
			name:    "a length and a deferred length",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Defer-Length": "1"},
			want:    "400 invalid_value Upload-Defer-Length",
		},
		{
			name:    "an unknown value of Upload-Defer-Length",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Defer-Length": "2"},
			want:    "400 invalid_value Upload-Defer-Length",
		},
		{
			name:    "a file that is too large",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1001"},
			want:    "413 too_large Upload-Length",
		},
		{
			name:    "a type that Begin refuses",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Metadata": "filetype dGV4dC9odG1s"},
			want:    "415 type_not_allowed type",
		},
		{
			name:    "metadata not in base64",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Metadata": "a %%%"},
			want:    "400 invalid_value Upload-Metadata",
		},
		{
			name:    "metadata twice",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Metadata": "a YQ==,a YQ=="},
			want:    "400 invalid_value Upload-Metadata",
		},
		{
			name:    "metadata without a key",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Metadata": "a YQ==,,"},
			want:    "400 invalid_value Upload-Metadata",
		},

		// Requests that join pieces.
		{
			name:    "unknown concatenation",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Concat": "half"},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "a join of no pieces",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final; "},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "a join of an upload that is no piece",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final;" + open},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "a join of an address of another site",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final;http://x/../../etc"},
			want:    "400 invalid_value Upload-Concat",
		},

		// These requests create an upload with too many bytes, or have an unknown method.
		{
			name:    "more bytes than the length, at creation",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			body:    "abc",
			headers: headers{"Upload-Length": "2", "Content-Type": stream},
			want:    "413 too_large Content-Length",
		},
		{name: "an unknown method", user: alice, method: "PUT", address: "/tus/", want: "405 invalid_request method"},
		{name: "an unknown method for an upload", user: alice, method: "GET", address: open, want: "405 invalid_request method"},

		// Uploads that do not exist, or that are of another user.
		{
			name:    "an unknown upload",
			user:    alice,
			method:  "PATCH",
			address: "/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA",
			body:    "x",
			headers: headers{"Upload-Offset": "0", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{
			name:    "an ID with a path",
			user:    alice,
			method:  "PATCH",
			address: "/tus/..%2F..%2Fx",
			body:    "x",
			headers: headers{"Upload-Offset": "0", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{
			name:    "the upload of another user",
			user:    mallo,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{name: "termination by another user", user: mallo, method: "DELETE", address: open, want: "404 not_found uploadId"},

		// Bytes for an upload of 10 bytes, of which three have arrived.
		{
			name:    "another content type",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Content-Type": "text/plain"},
			want:    "415 invalid_request Content-Type",
		},
		{
			name:    "no offset",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Content-Type": stream},
			want:    "400 invalid_value Upload-Offset",
		},
		{
			name:    "a later offset",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "4", "Content-Type": stream},
			want:    "409 offset_mismatch Upload-Offset",
		},
		{
			name:    "an earlier offset",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "0", "Content-Type": stream},
			want:    "409 offset_mismatch Upload-Offset",
		},
		{
			name:    "more bytes than the length",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "12345678",
			headers: headers{"Upload-Offset": "3", "Content-Type": stream},
			want:    "413 too_large Content-Length",
		},
		{
			name:    "another length",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Upload-Length": "11", "Content-Type": stream},
			want:    "400 invalid_value Upload-Length",
		},

		// These requests send bytes to the upload whose length is not known.
		{
			name:    "a length that is too small",
			user:    alice,
			method:  "PATCH",
			address: deferred,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Upload-Length": "2", "Content-Type": stream},
			want:    "400 invalid_value Upload-Length",
		},
		{
			name:    "a length that is too large",
			user:    alice,
			method:  "PATCH",
			address: deferred,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Upload-Length": "1001", "Content-Type": stream},
			want:    "413 too_large Upload-Length",
		},
		{
			name:    "too many bytes",
			user:    alice,
			method:  "PATCH",
			address: deferred,
			body:    string(content(1001)),
			headers: headers{"Upload-Offset": "3", "Content-Type": stream},
			want:    "413 too_large Content-Length",
		},

		// Checksums, and an unknown route.
		{
			name:    "unknown checksum",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Upload-Checksum": "crc64 AAAA", "Content-Type": stream},
			want:    "400 invalid_value Upload-Checksum",
		},
		{
			name:    "checksum of another length",
			user:    alice,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Upload-Checksum": "sha1 AAAA", "Content-Type": stream},
			want:    "400 invalid_value Upload-Checksum",
		},
		{name: "an unknown route", user: alice, method: "GET", address: "/other", want: "404 not_found"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t // the helpers of s fail this subtest
			h := headers{"Tus-Resumable": "1.0.0"}
			for name, value := range tt.headers {
				h[name] = value
			}
			var body io.Reader
			if tt.body != "" {
				body = readerOf(tt.body)
			}
			require.Equal(t, tt.want, s.do(tt.user, tt.method, tt.address, body, h).refusal(t))
		})
	}

	// Nothing has changed.
	s.t = t
	require.EqualValues(t, 3, s.offset(open))
	require.EqualValues(t, 3, s.offset(deferred))
	_, states := s.keys()
	require.Len(t, states, 2, "a refused request left something")
}

// A chunked body with more bytes than Upload-Length fails with 413, and makes no file.
func TestTusChunkedBodyLongerThanLength(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	location := s.create("Upload-Length", "10")
	chunked := io.MultiReader(readerOf("12345678901")) // hides the length
	resp := s.do(alice, "PATCH", location, chunked, headers{
		"Tus-Resumable": "1.0.0",
		"Content-Type":  "application/offset+octet-stream",
		"Upload-Offset": "0",
	})
	require.Equal(t, "413 too_large body", resp.refusal(t))
	s.requireMissing("files/alice/file")
}

// After Config.TTL, no request finds an upload any more, and Sweep removes what is left of it, except a finished file.
func TestTusExpires(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{TTL: time.Hour})
	data := content(part + 1000)
	const sent = part + 10

	// One upload is unfinished, and another one is complete.
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:sent], sent)
	finished := s.create("Upload-Length", "3", "Upload-Metadata", filenameMetadata("done"))
	s.patch(finished, 0, []byte("abc"), 3)

	// Before the TTL, Sweep removes nothing.
	s.clock.Advance(59 * time.Minute)
	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)

	// After the TTL, requests do not find the upload.
	s.clock.Advance(2 * time.Minute)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", location, nil).StatusCode)
	resp := s.tus("PATCH", location, data[sent:], "Upload-Offset", itoa(sent))
	require.Equal(t, "404 not_found uploadId", resp.refusal(t))

	// Sweep removes what is left of both uploads, and keeps the file.
	report, err = s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, report.Uploads)
	objects, states := s.keys()
	require.Equal(t, []string{"files/alice/done"}, objects)
	require.Empty(t, states)
	require.Empty(t, s.openMultiparts())
}

// A connection serves further requests after one that was refused.
func TestTusKeepsTheConnection(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})

	// The client counts its connections.
	var connections atomic.Int64
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	s.client = &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()

	data := content(1000)
	for i := range 20 {
		// Send half of a file.
		name := itoa(int64(i))
		location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(name))
		s.patch(location, 0, data[:500], 500)

		// A request with a wrong offset is refused, and the next one with the right offset succeeds.
		resp := s.tus("PATCH", location, data, "Upload-Offset", "1")
		require.Equal(t, "409 offset_mismatch Upload-Offset", resp.refusal(t))
		s.patch(location, 500, data[500:], 1000)
		s.requireStored("files/alice/"+name, data)
	}
	require.EqualValues(t, 1, connections.Load())
}

// A client that cannot send PATCH may send POST with the header X-HTTP-Method-Override.
func TestTusMethodOverride(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	location := s.create("Upload-Length", "3")
	resp := s.tus("POST", location, []byte("abc"), "Upload-Offset", "0", "X-HTTP-Method-Override", "PATCH")
	require.Equal(t, http.StatusNoContent, resp.StatusCode, string(resp.body))
	s.requireStored("files/alice/file", []byte("abc"))
}

// After a broken connection, a client continues where the stored bytes end.
func TestTusKeepsBytesBeforeCut(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		data := content(20 * part)
		location := s.create("Upload-Length", size(data))

		// The connection breaks in the first part. The server may have read none of the bytes yet.
		const firstCut = 10_000
		s.breakConnection(location, data, firstCut)
		require.LessOrEqual(t, s.offset(location), int64(firstCut))

		// The next one breaks in the eleventh part. The client sends these bytes again until the server has stored
		// some.
		const secondCut = 10*part + 10_000
		start := s.breakConnection(location, data, secondCut)
		require.Eventually(t, func() bool {
			offset := s.offset(location)
			if offset <= start {
				_ = s.patchUntilCut(location, data, offset, secondCut)
			}
			return s.offset(location) > start
		}, cutTimeout, cutInterval)
		require.LessOrEqual(t, s.offset(location), int64(secondCut))

		// The client sends the rest, and tries again while the request that was cut still stores bytes.
		var resp *answer
		require.Eventually(t, func() bool {
			offset := s.offset(location)
			resp = s.tus("PATCH", location, data[offset:], "Upload-Offset", itoa(offset))
			return resp.StatusCode != http.StatusLocked && resp.StatusCode != http.StatusConflict
		}, cutTimeout, cutInterval)
		require.Equal(t, http.StatusNoContent, resp.StatusCode, string(resp.body))
		s.requireStored("files/alice/file", data)
	})
}

const cutTimeout, cutInterval = time.Minute, 50 * time.Millisecond

// breakConnection sends data from the offset of HEAD on, over a connection that breaks at cut, and returns that
// offset. It tries again if the server responds before, because a request that was cut earlier still stores bytes.
func (s *sessionSite) breakConnection(location string, data []byte, cut int64) (start int64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		start = s.offset(location)
		return s.patchUntilCut(location, data, start, cut) != nil
	}, cutTimeout, cutInterval)
	return start
}

// patchUntilCut sends data from an offset on, over a connection that breaks at cut. It returns the error of the broken
// connection, or nil if the server has responded before.
func (s *sessionSite) patchUntilCut(location string, data []byte, offset, cut int64) error {
	body := &cutBody{data: data[min(offset, cut):cut]}
	_, err := s.try(s.t.Context(), alice, "PATCH", location, body, headers{
		"Tus-Resumable": "1.0.0",
		"Content-Type":  "application/offset+octet-stream",
		"Upload-Offset": itoa(offset),
	})
	return err
}

// A new request takes over the upload of an older one whose connection has silently died, and continues after the bytes
// that arrived.
func TestTusNewRequestEndsOlderOne(t *testing.T) {
	tests := []struct {
		name           string
		anotherProcess bool // whether another process gets the new request
	}{
		{name: "in the same process"},
		{name: "in another process", anotherProcess: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The processes have the same store.
				bucket := memstore.New()
				first := newSynctestSite(t, bucket, uploads.Config{})
				second := first
				if tt.anotherProcess {
					second = newSynctestSite(t, bucket, uploads.Config{})
				}
				data := content(1 << 20)

				location := first.create("Upload-Length", size(data))
				before := first.countObjects()

				// The older request sends 1000 bytes, and then nothing.
				stuck := newStuckBody(data[:1000])
				answers := first.patchAndStall(location, stuck)
				time.Sleep(time.Minute)
				require.Greater(t, first.countObjects(), before, "the bytes that arrived are stored")

				// The new request gets the offset, and completes the upload.
				require.EqualValues(t, 1000, second.offset(location))
				second.patch(location, 1000, data[1000:], int64(len(data)))
				second.requireStored("files/alice/file", data)

				// The older request ends, too.
				stuck.end()
				<-answers
			})
		})
	}
}
