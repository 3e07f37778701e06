package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/transport"
)

// maxRecorded is the largest body that is recorded, in bytes. An exchange with a larger one is left
// out.
const maxRecorded = 64 << 10

// fileOfExchanges is how many exchanges one file has.
const fileOfExchanges = 500

// ownBucket matches the name of a bucket that a run of this program creates.
var ownBucket = regexp.MustCompile(`\b(omnibucket-certify-[a-z0-9-]+|storagetest-[a-z0-9-]+)`)

// A recorder records each request about a bucket of this run, with its response, and without what
// tells about the account. Requests for credentials, and listings of the account's buckets, are not
// recorded.
type recorder struct {
	dir      string
	scrubber *scrubber

	mu      sync.Mutex
	entries []exchange
	left    int // number of exchanges that are left out
}

// An exchange has the form of the package httpreplay of google/go-replayers, which gocloud.dev and
// Google's client use for their recordings.
type exchange struct {
	ID      string
	Request struct {
		Method    string
		URL       string
		Header    http.Header
		MediaType string
		BodyParts [][]byte
	}
	Response struct {
		StatusCode int
		Proto      string
		ProtoMajor int
		ProtoMinor int
		Header     http.Header
		Body       []byte
	}
}

// startRecording makes the drivers that are opened from now on record their exchanges. It returns
// nil if nothing is to be recorded.
func startRecording(s settings) (*recorder, error) {
	if s.record == "" {
		return nil, nil
	}
	if err := os.Mkdir(s.record, 0o755); err != nil {
		return nil, fmt.Errorf("-record: the folder must be new: %w", err)
	}
	r := &recorder{dir: s.record, scrubber: newScrubber(s.address, os.Environ())}
	transport.Observe(func(base http.RoundTripper) http.RoundTripper { return &recordingTransport{base, r} })
	return r, nil
}

// write writes the exchanges to files.
func (r *recorder) write() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; len(r.entries) > 0; i++ {
		n := min(fileOfExchanges, len(r.entries))
		data, err := json.MarshalIndent(struct {
			Version string
			Entries []exchange
		}{"0.2", r.entries[:n]}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("%04d.replay", i)), data, 0o644); err != nil {
			return err
		}
		r.entries = r.entries[n:]
	}
	fmt.Printf("Exchanges are in %s; %d with a large body or a secret were left out.\n", r.dir, r.left)
	return nil
}

// add records an exchange. It leaves out one that it cannot free of secrets.
func (r *recorder) add(request *http.Request, sent []byte, response *http.Response, received []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scrubber.learn(request.Header)
	var x exchange
	x.ID = fmt.Sprintf("%d", len(r.entries))
	x.Request.Method = request.Method
	x.Request.URL = request.URL.String()
	x.Request.Header = request.Header
	x.Request.MediaType = request.Header.Get("Content-Type")
	x.Request.BodyParts = parts(request.Header, sent)
	x.Response.StatusCode = response.StatusCode
	x.Response.Proto = "HTTP/1.1"
	x.Response.ProtoMajor, x.Response.ProtoMinor = 1, 1
	x.Response.Header = response.Header
	x.Response.Body = received
	clean, err := r.scrubber.scrub(x)
	if err != nil {
		r.left++
		return
	}
	r.entries = append(r.entries, clean)
}

// parts splits a body of multipart/related, which uploads to Google have, and otherwise returns it
// as one part.
func parts(header http.Header, body []byte) [][]byte {
	_, boundary, found := strings.Cut(header.Get("Content-Type"), "multipart/related; boundary=")
	if !found {
		return [][]byte{body}
	}
	var all [][]byte
	for _, part := range bytes.Split(body, []byte("--"+strings.Trim(boundary, `"`))) {
		if _, content, found := bytes.Cut(part, []byte("\r\n\r\n")); found {
			all = append(all, bytes.TrimSuffix(content, []byte("\r\n")))
		}
	}
	return all
}

// A recordingTransport records the exchanges that name a bucket of this run.
type recordingTransport struct {
	base     http.RoundTripper
	recorder *recorder
}

func (t *recordingTransport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// RoundTrip sends the request. The exchange is recorded when the caller has read the response.
func (t *recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	address, err := url.PathUnescape(r.URL.Host + r.URL.EscapedPath())
	if err != nil || !ownBucket.MatchString(address) {
		return t.base.RoundTrip(r)
	}
	sent := &limitedCopy{}
	if r.Body != nil && r.Body != http.NoBody {
		body := r.Body
		r = r.Clone(r.Context())
		r.Body = copyingBody{io.TeeReader(body, sent), body.Close}
	}
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	received := &limitedCopy{}
	body := response.Body
	var once sync.Once
	response.Body = copyingBody{io.TeeReader(body, received), func() error {
		once.Do(func() { t.finish(r, sent, response, received) })
		return body.Close()
	}}
	return response, nil
}

// finish records an exchange whose response has ended.
func (t *recordingTransport) finish(r *http.Request, sent *limitedCopy, response *http.Response, received *limitedCopy) {
	complete := response.ContentLength < 0 || int64(received.Len()) == response.ContentLength || r.Method == http.MethodHead
	if sent.full || received.full || !complete {
		t.recorder.mu.Lock()
		t.recorder.left++
		t.recorder.mu.Unlock()
		return
	}
	t.recorder.add(r, sent.Bytes(), response, received.Bytes())
}

// A copyingBody is a body whose bytes are copied while they are read.
type copyingBody struct {
	io.Reader
	close func() error
}

func (b copyingBody) Close() error { return b.close() }

// A limitedCopy keeps up to maxRecorded bytes.
type limitedCopy struct {
	bytes.Buffer
	full bool // true if there were more bytes
}

func (c *limitedCopy) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxRecorded {
		c.full = true
		return len(p), nil
	}
	return c.Buffer.Write(p)
}

// errSecret is the error of an exchange in which a secret remains.
var errSecret = errors.New("a secret remains")
