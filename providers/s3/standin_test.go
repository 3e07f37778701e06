package s3

import (
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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
	before  func(*http.Request) // runs before the answer
}

// seen is one request as it came.
type seen struct {
	method, path, query string // the path as it was escaped
	header              http.Header
	body                string
}

func (s seen) line() string {
	line := s.method + " " + s.path
	if s.query != "" {
		line += "?" + s.query
	}
	return line
}

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
	w.asked = append(w.asked, seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), string(body)})
	a := reply{status: 200}
	if len(w.answers) > 0 {
		a = w.answers[0]
	}
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	w.mu.Unlock()
	if w.before != nil {
		w.before(r)
	}
	if a.cut {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err == nil {
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
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(rw, a.body)
	}
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

// on opens the bucket "photos" at the server, under a profile.
func (w *standIn) on(t *testing.T, profile string, change ...func(*Config)) *driver {
	t.Helper()
	p, known := NamedProfile(profile)
	require.True(t, known)
	c := Config{Bucket: "photos", Endpoint: w.URL, Profile: &p, AccessKeyID: "key", SecretKey: "secret"}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

// startTLS is the address of a server whose certificate nobody trusts.
func startTLS(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func crcOf(text string) *uint32 {
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return &sum
}

func putOf(key, text string) *storage.PutRequest {
	return &storage.PutRequest{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: crcOf(text)}
}

// failing is an error as S3 sends it.
func failing(status int, code, message string) reply {
	return reply{
		status: status,
		header: map[string]string{"Content-Type": "application/xml", "X-Amz-Request-Id": "R1"},
		body:   fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`, code, message),
	}
}

const etag = `"9b2cf535f27731c974343645a3985328"`

var stored = reply{header: map[string]string{"ETag": etag}}
