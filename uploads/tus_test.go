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
		{"empty", 0, 0, part},
		{"small", 1000, 0, part},
		{"small in pieces", 1000, 300, part},
		{"one part", part, 0, part},
		{"two parts", part + 1, 0, part},
		{"whole parts", 2 * part, part, part},
		{"parts and chunks that do not align", 2*part + 12345, 25_000, part},
		{"many chunks in one part", part + 5, 1500, part},
		{"parts of MinIO", 10<<20 + 12345, 3 << 20, 5 << 20},
	}
	onStores(t, func(t *testing.T, open opener) {
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
				at := s.create("Upload-Length", size(data), "Upload-Metadata", named(row.name))
				for offset := 0; offset < len(data); offset += chunk {
					end := min(offset+chunk, len(data))
					s.patch(at, int64(offset), data[offset:end], int64(end))
				}
				require.EqualValues(t, len(data), s.offset(at))
				attrs := s.stored("files/alice/"+row.name, data)
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
	s := newSessionSite(t, inMemory(t), uploads.Config{Rules: rules.Any(1 << 30)})
	a := s.do("", "OPTIONS", "/tus/", nil, nil)
	require.Equal(t, http.StatusNoContent, a.StatusCode)
	require.Equal(t, "1.0.0", a.Header.Get("Tus-Version"))
	require.Equal(t, "1073741824", a.Header.Get("Tus-Max-Size"))
	require.Contains(t, a.Header.Get("Tus-Extension"), "concatenation")
	require.Contains(t, a.Header.Get("Tus-Checksum-Algorithm"), "sha1")
}

func TestTusCreatesWithBytes(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	data := content(5000)
	a := s.tus("POST", "/tus", data[:2000], "Upload-Length", "5000", "Upload-Metadata", named("a"))
	require.Equal(t, http.StatusCreated, a.StatusCode, string(a.body))
	require.Equal(t, "2000", a.Header.Get("Upload-Offset"))
	expires, err := http.ParseTime(a.Header.Get("Upload-Expires"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(uploads.DefaultTTL), expires, time.Minute)
	s.patch(s.located(a, "/tus"), 2000, data[2000:], 5000)
	s.stored("files/alice/a", data)
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
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.t = t
			at := s.create("Upload-Defer-Length", "1", "Upload-Metadata", named(row.name))
			require.Equal(t, "1", s.tus("HEAD", at, nil).Header.Get("Upload-Defer-Length"))
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
				s.patch(at, int64(offset), data[offset:offset+n], int64(offset+n), pairs...)
				offset += n
			}
			s.stored("files/alice/"+row.name, data)
			require.Equal(t, size(data), s.tus("HEAD", at, nil).Header.Get("Upload-Length"))
		})
	}
	s.t = t
	require.Empty(t, s.pending())
}

func TestTusJoinsPieces(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		data := content(part + 10_000)
		cut := part / 3
		a := s.create("Upload-Length", size(data[:cut]), "Upload-Concat", "partial")
		b := s.create("Upload-Length", size(data[cut:]), "Upload-Concat", "partial")
		concat := "final;" + a + " /uploads" + b[len(s.base):]
		refused := s.tus("POST", "/tus/", nil, "Upload-Concat", concat)
		require.Equal(t, "422 not_uploaded Upload-Concat", refused.refusal(t))
		s.patch(b, 0, data[cut:], int64(len(data)-cut))
		s.patch(a, 0, data[:cut], int64(cut))
		require.Equal(t, "partial", s.tus("HEAD", a, nil).Header.Get("Upload-Concat"))

		final := s.create("Upload-Concat", concat, "Upload-Metadata", named("whole"))
		s.stored("files/alice/whole", data)
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
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	data := content(part + 1000)
	sum := func(data []byte) string {
		sum := sha1.Sum(data)
		return "sha1 " + base64.StdEncoding.EncodeToString(sum[:])
	}
	at := s.create("Upload-Length", size(data), "Upload-Metadata", named("a"))
	a := s.tus("PATCH", at, data[:part+10], "Upload-Offset", "0", "Upload-Checksum", sum([]byte("another")))
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", a.refusal(t))
	require.Zero(t, s.offset(at))
	s.patch(at, 0, data[:500], 500, "Upload-Checksum", sum(data[:500]))
	a = s.tus("PATCH", at, data[501:], "Upload-Offset", "500", "Upload-Checksum", sum(data[500:]))
	require.Equal(t, "460 checksum_mismatch Upload-Checksum", a.refusal(t))
	s.patch(at, 500, data[500:], int64(len(data)), "Upload-Checksum", sum(data[500:]))
	s.stored("files/alice/a", data)
}

func TestTusTerminatesAnUpload(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	data := content(part + 1000)
	at := s.create("Upload-Length", size(data))
	s.patch(at, 0, data[:part+10], part+10)
	require.NotEmpty(t, s.pending())
	require.Equal(t, http.StatusNoContent, s.tus("DELETE", at, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", at, nil).StatusCode)
	require.Equal(t, "404 not_found uploadId", s.tus("PATCH", at, data[part+10:], "Upload-Offset", size(data[:part+10])).refusal(t))
	objects, states := s.keys()
	require.Empty(t, objects)
	require.Empty(t, states)
	require.Empty(t, s.pending())

	at = s.create("Upload-Length", "3")
	s.patch(at, 0, []byte("abc"), 3)
	require.Equal(t, "403 completed uploadId", s.tus("DELETE", at, nil).refusal(t))
	s.stored("files/alice/file", []byte("abc"))
}

func TestTusRefuses(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{Rules: rules.Any(1000)})
	open := s.create("Upload-Length", "10", "Upload-Metadata", named("open"))
	s.patch(open, 0, []byte("abc"), 3)
	deferred := s.create("Upload-Defer-Length", "1", "Upload-Metadata", named("deferred"))
	s.patch(deferred, 0, []byte("abc"), 3)
	stream := "application/offset+octet-stream"
	rows := []struct {
		name, user, method, address string
		body                        string
		headers                     headers
		want                        string
	}{
		{"no version", alice, "POST", "/tus/", "", headers{"Tus-Resumable": "", "Upload-Length": "1"}, "412 invalid_request Tus-Resumable"},
		{"another version", alice, "POST", "/tus/", "", headers{"Tus-Resumable": "0.2.2", "Upload-Length": "1"}, "412 invalid_request Tus-Resumable"},
		{"nobody", "", "POST", "/tus/", "", headers{"Upload-Length": "1"}, "401 unauthenticated"},
		{"no length", alice, "POST", "/tus/", "", nil, "400 invalid_value Upload-Length"},
		{"negative length", alice, "POST", "/tus/", "", headers{"Upload-Length": "-1"}, "400 invalid_value Upload-Length"},
		{"huge length", alice, "POST", "/tus/", "", headers{"Upload-Length": "99999999999999999999"}, "400 invalid_value Upload-Length"},
		{"length with a sign", alice, "POST", "/tus/", "", headers{"Upload-Length": "+1"}, "400 invalid_value Upload-Length"},
		{"both lengths", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Defer-Length": "1"}, "400 invalid_value Upload-Defer-Length"},
		{"another deferral", alice, "POST", "/tus/", "", headers{"Upload-Defer-Length": "2"}, "400 invalid_value Upload-Defer-Length"},
		{"too large", alice, "POST", "/tus/", "", headers{"Upload-Length": "1001"}, "413 too_large Upload-Length"},
		{"type of the application's", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Metadata": "filetype dGV4dC9odG1s"}, "415 type_not_allowed type"},
		{"metadata not in base64", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Metadata": "a %%%"}, "400 invalid_value Upload-Metadata"},
		{"metadata twice", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Metadata": "a YQ==,a YQ=="}, "400 invalid_value Upload-Metadata"},
		{"metadata without a key", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Metadata": "a YQ==,,"}, "400 invalid_value Upload-Metadata"},
		{"unknown concatenation", alice, "POST", "/tus/", "", headers{"Upload-Length": "1", "Upload-Concat": "half"}, "400 invalid_value Upload-Concat"},
		{"no pieces", alice, "POST", "/tus/", "", headers{"Upload-Concat": "final; "}, "400 invalid_value Upload-Concat"},
		{"a piece that is none", alice, "POST", "/tus/", "", headers{"Upload-Concat": "final;" + open}, "400 invalid_value Upload-Concat"},
		{"a piece from elsewhere", alice, "POST", "/tus/", "", headers{"Upload-Concat": "final;http://x/../../etc"}, "400 invalid_value Upload-Concat"},
		{"more bytes than the length, at creation", alice, "POST", "/tus/", "abc", headers{"Upload-Length": "2", "Content-Type": stream}, "413 too_large Content-Length"},
		{"method", alice, "PUT", "/tus/", "", nil, "405 invalid_request method"},
		{"method of an upload", alice, "GET", open, "", nil, "405 invalid_request method"},
		{"unknown", alice, "PATCH", "/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA", "x", headers{"Upload-Offset": "0", "Content-Type": stream}, "404 not_found uploadId"},
		{"not an ID", alice, "PATCH", "/tus/..%2F..%2Fx", "x", headers{"Upload-Offset": "0", "Content-Type": stream}, "404 not_found uploadId"},
		{"another user", mallo, "PATCH", open, "x", headers{"Upload-Offset": "3", "Content-Type": stream}, "404 not_found uploadId"},
		{"termination by another user", mallo, "DELETE", open, "", nil, "404 not_found uploadId"},
		{"type of the request", alice, "PATCH", open, "x", headers{"Upload-Offset": "3", "Content-Type": "text/plain"}, "415 invalid_request Content-Type"},
		{"no offset", alice, "PATCH", open, "x", headers{"Content-Type": stream}, "400 invalid_value Upload-Offset"},
		{"another offset", alice, "PATCH", open, "x", headers{"Upload-Offset": "4", "Content-Type": stream}, "409 offset_mismatch Upload-Offset"},
		{"an earlier offset", alice, "PATCH", open, "x", headers{"Upload-Offset": "0", "Content-Type": stream}, "409 offset_mismatch Upload-Offset"},
		{"more bytes than the length", alice, "PATCH", open, "12345678", headers{"Upload-Offset": "3", "Content-Type": stream}, "413 too_large Content-Length"},
		{"another length", alice, "PATCH", open, "x", headers{"Upload-Offset": "3", "Upload-Length": "11", "Content-Type": stream}, "400 invalid_value Upload-Length"},
		{"a length that is too small", alice, "PATCH", deferred, "x", headers{"Upload-Offset": "3", "Upload-Length": "2", "Content-Type": stream}, "400 invalid_value Upload-Length"},
		{"a length that is too large", alice, "PATCH", deferred, "x", headers{"Upload-Offset": "3", "Upload-Length": "1001", "Content-Type": stream}, "413 too_large Upload-Length"},
		{"too many bytes", alice, "PATCH", deferred, string(content(1001)), headers{"Upload-Offset": "3", "Content-Type": stream}, "413 too_large Content-Length"},
		{"unknown checksum", alice, "PATCH", open, "x", headers{"Upload-Offset": "3", "Upload-Checksum": "crc64 AAAA", "Content-Type": stream}, "400 invalid_value Upload-Checksum"},
		{"checksum of another length", alice, "PATCH", open, "x", headers{"Upload-Offset": "3", "Upload-Checksum": "sha1 AAAA", "Content-Type": stream}, "400 invalid_value Upload-Checksum"},
		{"nothing here", alice, "GET", "/other", "", nil, "404 not_found"},
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
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	at := s.create("Upload-Length", "10")
	a := s.do(alice, "PATCH", at, io.MultiReader(readerOf("12345678901")), headers{
		"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
	})
	require.Equal(t, "413 too_large body", a.refusal(t))
	s.missing("files/alice/file")
}

func TestTusExpires(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{TTL: time.Hour})
	data := content(part + 1000)
	at := s.create("Upload-Length", size(data))
	s.patch(at, 0, data[:part+10], part+10)
	done := s.create("Upload-Length", "3", "Upload-Metadata", named("done"))
	s.patch(done, 0, []byte("abc"), 3)
	s.clock.Advance(59 * time.Minute)
	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)
	s.clock.Advance(2 * time.Minute)
	require.Equal(t, http.StatusNotFound, s.tus("HEAD", at, nil).StatusCode)
	require.Equal(t, "404 not_found uploadId", s.tus("PATCH", at, data[part+10:], "Upload-Offset", size(data[:part+10])).refusal(t))
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
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	transport := &http.Transport{}
	s.client = &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	data := content(1000)
	for i := range 20 {
		name := itoa(int64(i))
		at := s.create("Upload-Length", size(data), "Upload-Metadata", named(name))
		s.patch(at, 0, data[:500], 500)
		require.Equal(t, "409 offset_mismatch Upload-Offset", s.tus("PATCH", at, data, "Upload-Offset", "1").refusal(t))
		s.patch(at, 500, data[500:], 1000)
		s.stored("files/alice/"+name, data)
	}
}

func TestTusMethodOverride(t *testing.T) {
	s := newSessionSite(t, inMemory(t), uploads.Config{})
	at := s.create("Upload-Length", "3")
	a := s.tus("POST", at, []byte("abc"), "Upload-Offset", "0", "X-HTTP-Method-Override", "PATCH")
	require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
	s.stored("files/alice/file", []byte("abc"))
}

// If the connection of a client breaks, the client continues where its stored bytes end.
func TestTusKeepsBytesBeforeCut(t *testing.T) {
	onStores(t, func(t *testing.T, open opener) {
		s := newSessionSite(t, open(t), uploads.Config{})
		data := content(20 * part)
		at := s.create("Upload-Length", size(data))
		offset := int64(0)
		for _, cut := range []int64{10_000, 10*part + 10_000} {
			send := func() error {
				_, err := s.try(t.Context(), alice, "PATCH", at, &cutBody{data: data[min(offset, cut):cut]}, headers{
					"Tus-Resumable": "1.0.0",
					"Content-Type":  "application/offset+octet-stream",
					"Upload-Offset": itoa(offset),
				})
				return err
			}
			// A request that was cut before may still store bytes, so that this one is a conflict.
			require.Eventually(t, func() bool {
				offset = s.offset(at)
				return send() != nil
			}, time.Minute, 50*time.Millisecond)
			before := offset
			offset = s.offset(at)
			require.Eventually(t, func() bool { // a reset may lose what the server has not read yet
				if offset <= before && before > 0 {
					_ = send()
				}
				offset = s.offset(at)
				return offset > before || before == 0
			}, time.Minute, 50*time.Millisecond)
			require.LessOrEqual(t, offset, cut)
		}
		var a *answer
		require.Eventually(t, func() bool { // the request that was cut may still store bytes
			offset = s.offset(at)
			a = s.tus("PATCH", at, data[offset:], "Upload-Offset", itoa(offset))
			return a.StatusCode != http.StatusLocked && a.StatusCode != http.StatusConflict
		}, time.Minute, 50*time.Millisecond)
		require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
		s.stored("files/alice/file", data)
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
				at := first.create("Upload-Length", size(data))
				begun := first.stores()
				stuck := newStuckBody(data[:1000])
				ended := first.patchAndStall(at, stuck)
				time.Sleep(time.Minute)
				require.Greater(t, first.stores(), begun, "the bytes that arrived are stored")
				require.EqualValues(t, 1000, second.offset(at))
				second.patch(at, 1000, data[1000:], int64(len(data)))
				second.stored("files/alice/file", data)
				stuck.end()
				<-ended
			})
		})
	}
}
