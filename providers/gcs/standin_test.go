package gcs

import (
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A standIn is a server that remembers what it was asked, and answers what it is
// told to, in order; the last answer holds for all that follow.
type standIn struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []seen
	answers []reply
}

// seen is one request as it came.
type seen struct {
	method, path string // the path as it was escaped
	query        url.Values
	header       http.Header
	body         string
}

func (s seen) line() string { return s.method + " " + s.path }

// A reply is a response; cut closes the connection instead.
type reply struct {
	status int
	header map[string]string
	body   string
	cut    bool
}

func newStandIn(t *testing.T, answers ...reply) *standIn {
	t.Helper()
	w := &standIn{answers: answers}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *standIn) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.asked = append(w.asked, seen{r.Method, r.URL.EscapedPath(), r.URL.Query(), r.Header.Clone(), string(body)})
	a := reply{}
	if len(w.answers) > 0 {
		a = w.answers[0]
	}
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	w.mu.Unlock()
	if a.cut {
		if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, value := range a.header {
		rw.Header().Set(name, value)
	}
	if a.status == 0 {
		a.status = 200
	}
	rw.WriteHeader(a.status)
	_, _ = io.WriteString(rw, a.body)
}

func (w *standIn) requests() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]seen(nil), w.asked...)
}

func (w *standIn) lines() []string {
	var lines []string
	for _, s := range w.requests() {
		lines = append(lines, s.line())
	}
	return lines
}

// last is the only request, or the last of several.
func (w *standIn) last(t *testing.T) seen {
	t.Helper()
	all := w.requests()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}

// on opens the bucket "photos" at the server.
func (w *standIn) on(t *testing.T, change ...func(*Config)) *driver {
	t.Helper()
	c := Config{Bucket: "photos", Endpoint: w.URL}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

func crcOf(text string) *uint32 {
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return &sum
}

func putOf(key, text string) *storage.PutRequest {
	return &storage.PutRequest{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: crcOf(text)}
}

// failing is an error as the JSON API sends it.
func failing(status int, reason, message string) reply {
	return reply{
		status: status,
		header: map[string]string{"Content-Type": "application/json; charset=UTF-8", requestIDHeader: "R1"},
		body:   fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`, status, message, reason, message),
	}
}

// failingXML is an error as the XML API sends it.
func failingXML(status int, code, message string) reply {
	return reply{
		status: status,
		header: map[string]string{"Content-Type": "application/xml; charset=UTF-8", requestIDHeader: "R1"},
		body:   fmt.Sprintf(`<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message),
	}
}

// stored is the answer to a write.
var stored = reply{
	header: map[string]string{"Content-Type": "application/json; charset=UTF-8"},
	body:   `{"name":"a","bucket":"photos","generation":"1700000000000001","metageneration":"1","etag":"CAE=","crc32c":"yZRlqg==","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","size":"11","storageClass":"STANDARD","timeCreated":"2026-01-02T03:04:05.678Z","updated":"2026-01-02T03:04:05.678Z"}`,
}

// resumeHere is the answer to a chunk: so many bytes are there.
func resumeHere(kept int64) reply {
	if kept == 0 {
		return reply{status: http.StatusPermanentRedirect}
	}
	return reply{status: http.StatusPermanentRedirect, header: map[string]string{"Range": fmt.Sprintf("bytes=0-%d", kept-1)}}
}
