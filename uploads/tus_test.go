package uploads_test

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
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

func TestTusStoresAFile(t *testing.T) {
	rows := []struct {
		name   string
		size   int
		chunks int   // bytes of one PATCH; 0: all
		part   int64 // bytes
	}{
		{name: "empty", part: part},
		{name: "small", size: 1000, part: part},
		{name: "small in pieces", size: 1000, chunks: 300, part: part},
		{name: "one part", size: part, part: part},
		{name: "two parts", size: part + 1, part: part},
		{name: "whole parts", size: 2 * part, chunks: part, part: part},
		{name: "parts and chunks that do not align", size: 2*part + 12345, chunks: 25_000, part: part},
		{name: "many chunks in one part", size: part + 5, chunks: 1500, part: part},
		{name: "parts of MinIO", size: 10<<20 + 12345, chunks: 3 << 20, part: 5 << 20},
	}
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				s.t = t
				s.handler.SetBasePart(row.part)
				data := content(row.size)
				chunk := row.chunks
				if chunk == 0 {
					chunk = len(data)
				}
				location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(row.name))
				for offset := 0; offset < len(data); offset += chunk {
					end := min(offset+chunk, len(data))
					s.patch(location, int64(offset), data[offset:end], int64(end))
				}

				require.EqualValues(t, len(data), s.offset(location))
				attrs := s.requireStored("files/alice/"+row.name, data)
				require.Equal(t, "application/x-test", attrs.ContentType)
				require.Equal(t, map[string]string{"by": "alice"}, attrs.Metadata)
			})
		}

		s.t = t
		objects, states := s.keys()
		require.Len(t, objects, len(rows), "segments are left: %v", objects)
		require.Len(t, states, len(rows))
		require.Empty(t, s.pending())
	})
}

// OPTIONS lists the features of the server.
func TestTusOptions(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1 << 30)})
	a := s.do("", "OPTIONS", "/tus/", nil, nil)
	require.Equal(t, http.StatusNoContent, a.StatusCode)
	require.Equal(t, "1.0.0", a.Header.Get("Tus-Version"))
	require.Equal(t, "1073741824", a.Header.Get("Tus-Max-Size"))
	require.Contains(t, a.Header.Get("Tus-Extension"), "concatenation")
	require.Contains(t, a.Header.Get("Tus-Checksum-Algorithm"), "sha1")
}

func TestTusCreatesWithBytes(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(5000)

	a := s.tus("POST", "/tus", data[:2000], "Upload-Length", "5000", "Upload-Metadata", filenameMetadata("a"))
	require.Equal(t, http.StatusCreated, a.StatusCode, string(a.body))
	require.Equal(t, "2000", a.Header.Get("Upload-Offset"))

	expires, err := http.ParseTime(a.Header.Get("Upload-Expires"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(uploads.DefaultTTL), expires, time.Minute)

	s.patch(s.locationOf(a, "/tus"), 2000, data[2000:], 5000)
	s.requireStored("files/alice/a", data)
}

func TestTusDefersTheLength(t *testing.T) {
	rows := []struct {
		name  string
		sizes []int // of the requests; the last declares the length
	}{
		{"empty", []int{0}},
		{"small", []int{10, 20}},
		{"parts", []int{part + 7, part, 3}},
		{"declared without bytes", []int{part + 7, 0}},
		{"whole parts", []int{part, 0}},
	}
	s := newSessionSite(t, openMemory(t), uploads.Config{})

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			location := s.create("Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata(row.name))
			require.Equal(t, "1", s.tus("HEAD", location, nil).Header.Get("Upload-Defer-Length"))

			total := 0
			for _, n := range row.sizes {
				total += n
			}
			data := content(total)
			offset := 0
			for i, n := range row.sizes {
				pairs := []string{}
				if i == len(row.sizes)-1 {
					pairs = append(pairs, "Upload-Length", size(data))
				}
				s.patch(location, int64(offset), data[offset:offset+n], int64(offset+n), pairs...)
				offset += n
			}
			s.requireStored("files/alice/"+row.name, data)
			require.Equal(t, size(data), s.tus("HEAD", location, nil).Header.Get("Upload-Length"))
		})
	}

	s.t = t
	require.Empty(t, s.pending())
}

func TestTusJoinsPieces(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		data := content(part + 10_000)
		cut := part / 3
		a := s.create("Upload-Length", size(data[:cut]), "Upload-Concat", "partial")
		b := s.create("Upload-Length", size(data[cut:]), "Upload-Concat", "partial")
		concat := "final;" + a + " /uploads" + b[len(s.base):]

		refusal := s.tus("POST", "/tus/", nil, "Upload-Concat", concat)
		require.Equal(t, "422 not_uploaded Upload-Concat", refusal.refusal(t))
		s.patch(b, 0, data[cut:], int64(len(data)-cut))
		s.patch(a, 0, data[:cut], int64(cut))
		require.Equal(t, "partial", s.tus("HEAD", a, nil).Header.Get("Upload-Concat"))

		final := s.create("Upload-Concat", concat, "Upload-Metadata", filenameMetadata("whole"))
		s.requireStored("files/alice/whole", data)
		head := s.tus("HEAD", final, nil)
		require.Equal(t, size(data), head.Header.Get("Upload-Offset"))
		require.Equal(t, size(data), head.Header.Get("Upload-Length"))
		require.Equal(t, concat, head.Header.Get("Upload-Concat"))
		require.Equal(t, "403 not_allowed Upload-Concat", s.tus("PATCH", final, []byte("x"), "Upload-Offset", size(data)).refusal(t))

		stolen := s.tusAs(mallo, "POST", "/tus/", nil, "Upload-Concat", concat)
		require.Equal(t, "400 invalid_value Upload-Concat", stolen.refusal(t))

		require.Equal(t, http.StatusNoContent, s.tus("DELETE", a, nil).StatusCode)
		s.clock.Advance(2 * time.Hour) // the other piece expires early
		report, err := s.handler.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Uploads)
		objects, _ := s.keys()
		require.Equal(t, []string{"files/alice/whole"}, objects)
	})
}

func TestTusVerifiesChecksums(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(part + 1000)
	sum := func(data []byte) string {
		sum := sha1.Sum(data)
		return "sha1 " + base64.StdEncoding.EncodeToString(sum[:])
	}
	location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata("a"))

	a := s.tus("PATCH", location, data[:part+10], "Upload-Offset", "0", "Upload-Checksum", sum([]byte("another")))
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", a.refusal(t))
	require.Zero(t, s.offset(location))

	s.patch(location, 0, data[:500], 500, "Upload-Checksum", sum(data[:500]))
	a = s.tus("PATCH", location, data[501:], "Upload-Offset", "500", "Upload-Checksum", sum(data[500:]))
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", a.refusal(t))

	s.patch(location, 500, data[500:], int64(len(data)), "Upload-Checksum", sum(data[500:]))
	s.requireStored("files/alice/a", data)
}

func TestTusTerminatesAnUpload(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	data := content(part + 1000)
	location := s.create("Upload-Length", size(data))

	s.patch(location, 0, data[:part+10], part+10)
	require.NotEmpty(t, s.pending())
	require.Equal(t, http.StatusNoContent, s.tus("DELETE", location, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", location, nil).StatusCode)
	require.Equal(t, "404 not_found uploadId", s.tus("PATCH", location, data[part+10:], "Upload-Offset", size(data[:part+10])).refusal(t))

	objects, states := s.keys()
	require.Empty(t, objects)
	require.Empty(t, states)
	require.Empty(t, s.pending())

	location = s.create("Upload-Length", "3")
	s.patch(location, 0, []byte("abc"), 3)
	require.Equal(t, "403 completed uploadId", s.tus("DELETE", location, nil).refusal(t))
	s.requireStored("files/alice/file", []byte("abc"))
}

func TestTusRefuses(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{Rules: rules.Any(1000)})
	open := s.create("Upload-Length", "10", "Upload-Metadata", filenameMetadata("open"))
	s.patch(open, 0, []byte("abc"), 3)
	deferred := s.create("Upload-Defer-Length", "1", "Upload-Metadata", filenameMetadata("deferred"))
	s.patch(deferred, 0, []byte("abc"), 3)
	stream := "application/offset+octet-stream"
	rows := []struct {
		name, user, method, address string
		body                        string
		headers                     headers
		want                        string
	}{
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
		{name: "nobody", method: "POST", address: "/tus/", headers: headers{"Upload-Length": "1"}, want: "401 unauthenticated"},
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
			name:    "both lengths",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Defer-Length": "1"},
			want:    "400 invalid_value Upload-Defer-Length",
		},
		{
			name:    "another deferral",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Defer-Length": "2"},
			want:    "400 invalid_value Upload-Defer-Length",
		},
		{
			name:    "too large",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1001"},
			want:    "413 too_large Upload-Length",
		},
		{
			name:    "type of the application's",
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
		{
			name:    "unknown concatenation",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Length": "1", "Upload-Concat": "half"},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "no pieces",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final; "},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "a piece that is none",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final;" + open},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "a piece from elsewhere",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			headers: headers{"Upload-Concat": "final;http://x/../../etc"},
			want:    "400 invalid_value Upload-Concat",
		},
		{
			name:    "more bytes than the length, at creation",
			user:    alice,
			method:  "POST",
			address: "/tus/",
			body:    "abc",
			headers: headers{"Upload-Length": "2", "Content-Type": stream},
			want:    "413 too_large Content-Length",
		},
		{name: "method", user: alice, method: "PUT", address: "/tus/", want: "405 invalid_request method"},
		{name: "method of an upload", user: alice, method: "GET", address: open, want: "405 invalid_request method"},
		{
			name:    "unknown",
			user:    alice,
			method:  "PATCH",
			address: "/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA",
			body:    "x",
			headers: headers{"Upload-Offset": "0", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{
			name:    "not an ID",
			user:    alice,
			method:  "PATCH",
			address: "/tus/..%2F..%2Fx",
			body:    "x",
			headers: headers{"Upload-Offset": "0", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{
			name:    "another user",
			user:    mallo,
			method:  "PATCH",
			address: open,
			body:    "x",
			headers: headers{"Upload-Offset": "3", "Content-Type": stream},
			want:    "404 not_found uploadId",
		},
		{name: "termination by another user", user: mallo, method: "DELETE", address: open, want: "404 not_found uploadId"},
		{
			name:    "type of the request",
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
			name:    "another offset",
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
		{name: "nothing here", user: alice, method: "GET", address: "/other", want: "404 not_found"},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			h := headers{"Tus-Resumable": "1.0.0"}
			for name, value := range row.headers {
				h[name] = value
			}
			var body io.Reader
			if row.body != "" {
				body = readerOf(row.body)
			}
			require.Equal(t, row.want, s.do(row.user, row.method, row.address, body, h).refusal(t))
		})
	}

	s.t = t
	require.EqualValues(t, 3, s.offset(open))
	require.EqualValues(t, 3, s.offset(deferred))

	_, states := s.keys()
	require.Len(t, states, 2, "a refused request left something")
}

// If a chunked body has more bytes than Upload-Length, the request fails with 413, and there is no file.
func TestTusChunkedBodyLongerThanLength(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	location := s.create("Upload-Length", "10")
	a := s.do(alice, "PATCH", location, io.MultiReader(readerOf("12345678901")), headers{
		"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
	})
	require.Equal(t, "413 too_large body", a.refusal(t))
	s.requireMissing("files/alice/file")
}

func TestTusExpires(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{TTL: time.Hour})
	data := content(part + 1000)
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:part+10], part+10)
	finished := s.create("Upload-Length", "3", "Upload-Metadata", filenameMetadata("done"))
	s.patch(finished, 0, []byte("abc"), 3)
	s.clock.Advance(59 * time.Minute)

	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)

	s.clock.Advance(2 * time.Minute)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", location, nil).StatusCode)
	require.Equal(t, "404 not_found uploadId", s.tus("PATCH", location, data[part+10:], "Upload-Offset", size(data[:part+10])).refusal(t))

	report, err = s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, report.Uploads)

	objects, states := s.keys()
	require.Equal(t, []string{"files/alice/done"}, objects)
	require.Empty(t, states)
	require.Empty(t, s.pending())
}

// The handler works for requests that a browser sends one after the other on one connection.
func TestTusKeepsTheConnection(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	transport := &http.Transport{}
	s.client = &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	data := content(1000)
	for i := range 20 {
		name := itoa(int64(i))
		location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(name))
		s.patch(location, 0, data[:500], 500)
		require.Equal(t, "409 offset_mismatch Upload-Offset", s.tus("PATCH", location, data, "Upload-Offset", "1").refusal(t))
		s.patch(location, 500, data[500:], 1000)
		s.requireStored("files/alice/"+name, data)
	}
}

func TestTusMethodOverride(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})
	location := s.create("Upload-Length", "3")
	a := s.tus("POST", location, []byte("abc"), "Upload-Offset", "0", "X-HTTP-Method-Override", "PATCH")
	require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
	s.requireStored("files/alice/file", []byte("abc"))
}

// If the connection of a client breaks, the client continues where its stored bytes end.
func TestTusKeepsBytesBeforeCut(t *testing.T) {
	runOnStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		data := content(20 * part)
		location := s.create("Upload-Length", size(data))
		offset := int64(0)

		for _, cut := range []int64{10_000, 10*part + 10_000} {
			send := func() error {
				_, err := s.try(t.Context(), alice, "PATCH", location, &cutBody{data: data[min(offset, cut):cut]}, headers{
					"Tus-Resumable": "1.0.0",
					"Content-Type":  "application/offset+octet-stream",
					"Upload-Offset": itoa(offset),
				})
				return err
			}
			// A request that was cut before may still store bytes, so that this one is a conflict.
			require.Eventually(t, func() bool {
				offset = s.offset(location)
				return send() != nil
			}, time.Minute, 50*time.Millisecond)

			lastOffset := offset
			offset = s.offset(location)
			require.Eventually(t, func() bool { // a reset may lose what the server has not read yet
				if offset <= lastOffset && lastOffset > 0 {
					_ = send()
				}
				offset = s.offset(location)
				return offset > lastOffset || lastOffset == 0
			}, time.Minute, 50*time.Millisecond)
			require.LessOrEqual(t, offset, cut)
		}

		var a *answer
		require.Eventually(t, func() bool { // the request that was cut may still store bytes
			offset = s.offset(location)
			a = s.tus("PATCH", location, data[offset:], "Upload-Offset", itoa(offset))
			return a.StatusCode != http.StatusLocked && a.StatusCode != http.StatusConflict
		}, time.Minute, 50*time.Millisecond)
		require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
		s.requireStored("files/alice/file", data)
	})
}

// If a connection is dead without a sign, as behind a NAT, a new request takes over the upload, and the bytes that
// arrived count.
func TestTusNewRequestEndsOlderOne(t *testing.T) {
	for _, row := range []struct {
		name    string
		another bool
	}{{"in the same process", false}, {"in another process", true}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := memstore.New()
				first := newSiteOnPipes(t, bucket, uploads.Config{})
				second := first // which gets the newer request
				if row.another {
					second = newSiteOnPipes(t, bucket, uploads.Config{})
				}
				data := content(1 << 20)
				location := first.create("Upload-Length", size(data))
				stores := first.countObjects()
				stuck := newStuckBody(data[:1000])
				answers := first.patchAndStall(location, stuck)

				time.Sleep(time.Minute)
				require.Greater(t, first.countObjects(), stores, "the bytes that arrived are stored")
				require.EqualValues(t, 1000, second.offset(location))

				second.patch(location, 1000, data[1000:], int64(len(data)))
				second.requireStored("files/alice/file", data)
				stuck.end()
				<-answers
			})
		})
	}
}
