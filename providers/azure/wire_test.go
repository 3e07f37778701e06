package azure

import (
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A script answers what it is told to, in order, whatever it is asked; the last
// answer holds for all that follow.
type script struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []seen
	answers []said
	before  func(*http.Request) // runs before the answer
}

// seen is one request as it came.
type seen struct {
	method, path, query string // the path as it was escaped, without the account
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

// said is a response; cut closes the connection instead.
type said struct {
	status int // 0: 200
	header map[string]string
	body   string
	cut    bool
}

func newScript(t *testing.T, answers ...said) *script {
	t.Helper()
	s := &script{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, seen{r.Method, strings.TrimPrefix(r.URL.EscapedPath(), "/"+emulatorAccount), r.URL.RawQuery, r.Header.Clone(), string(body)})
	var a said
	if len(s.answers) > 0 {
		a = s.answers[0]
	}
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	if s.before != nil {
		s.before(r)
	}
	if a.cut {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, a.body)
	}
}

func (s *script) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *script) lines() []string {
	var lines []string
	for _, request := range s.requests() {
		lines = append(lines, request.line())
	}
	return lines
}

// last is the only request, or the last of several.
func (s *script) last(t *testing.T) seen {
	t.Helper()
	all := s.requests()
	require.NotEmpty(t, all)
	return all[len(all)-1]
}

// driver opens the container "photos" of the emulator's account at the server.
func (s *script) driver(t *testing.T, change ...func(*Config)) *driver {
	t.Helper()
	c := Config{Bucket: "photos", Endpoint: s.URL + "/" + emulatorAccount}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

func crcOf(text string) *uint32 {
	sum := crc32.Checksum([]byte(text), castagnoli)
	return &sum
}

func putOf(key, text string) *storage.PutRequest {
	return &storage.PutRequest{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: crcOf(text)}
}

// refusing is an error as Azure sends it.
func refusing(status int, code string) said {
	return said{
		status: status,
		header: map[string]string{"Content-Type": "application/xml", "X-Ms-Request-Id": "R1", "X-Ms-Error-Code": code},
		body:   fmt.Sprintf("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>What went wrong.\nRequestId:R1\nTime:2026-11-20T12:00:00.0000000Z</Message></Error>", code),
	}
}

const (
	etag    = `"0x8DE1F3A5B6C7D80"`
	aTime   = "Fri, 20 Nov 2026 12:00:00 GMT"
	version = "2026-11-20T12:00:00.1234567Z"
)

var created = said{status: http.StatusCreated, header: map[string]string{"ETag": etag, "Last-Modified": aTime}}

// accepted is how a copy is answered that is done.
var accepted = said{status: http.StatusAccepted, header: created.header}

// anObject is a whole answer to GET or HEAD.
func anObject(text string, with ...string) said {
	a := said{header: map[string]string{"ETag": etag, "Last-Modified": aTime, "Content-Length": fmt.Sprint(len(text)), "Content-Type": "text/plain"}, body: text}
	for i := 0; i < len(with); i += 2 {
		a.header[with[i]] = with[i+1]
	}
	return a
}
