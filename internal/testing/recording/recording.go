// Package recording records what the drivers exchange with an account of a cloud, so that it can be
// replayed to them. It replaces what tells about the account.
package recording

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
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxRecorded is the largest body that is recorded, in bytes. An exchange with a larger one is left
// out.
const maxRecorded = 64 << 10

// fileOfExchanges is how many exchanges one file has.
const fileOfExchanges = 500

// ownBucket matches the name of a bucket that "certify" or its suite creates.
var ownBucket = regexp.MustCompile(`\b(omnibucket-certify-[a-z0-9-]+|storagetest-[a-z0-9-]+)`)

// A Recorder records each request about a bucket of its program, with its response, and without what
// tells about the account. Requests for credentials, and listings of the account's buckets, are not
// recorded. Its methods can be called from several goroutines.
type Recorder struct {
	dir      string
	scrubber *scrubber

	mu      sync.Mutex
	entries []entry
	skipped int // number of exchanges that are left out
}

// An entry is an exchange as it was sent. Write replaces what tells about the account: a later
// exchange may show what is a secret.
type entry struct {
	exchange Exchange
	own      secrets // those that only this exchange has
}

// A File has the form of the package httpreplay of google/go-replayers, which gocloud.dev and
// Google's client use for their recordings.
type File struct {
	Version string
	Entries []Exchange
}

// An Exchange is a request and its response, as a File has them.
type Exchange struct {
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

// New returns a Recorder for the account with an address, such as s3://?region=eu-west-1. It knows
// the secrets in the address and in environ, which has the form of os.Environ.
func New(dir, address string, environ []string) *Recorder {
	return &Recorder{dir: dir, scrubber: newScrubber(address, environ)}
}

// Begin makes the folder of the recording, and fails if the folder already has files.
func (r *Recorder) Begin() error {
	err := os.Mkdir(r.dir, 0o755)
	if !errors.Is(err, os.ErrExist) {
		return err
	}

	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s must be new, or empty", r.dir)
	}
	return nil
}

// Write writes the exchanges to files. It returns how many there are, and how many were left out
// because a body is too large or a secret remains. Before Write, the folder stays empty, because
// only a later exchange may show that an earlier one has a secret.
func (r *Recorder) Write() (written, skipped int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	var exchanges []Exchange
	for _, e := range r.entries {
		x, err := r.scrubber.scrub(e.exchange, e.own)
		if err != nil {
			// A secret remains in the exchange, or its address or a document is malformed.
			r.skipped++
			continue
		}
		x.ID = strconv.Itoa(len(exchanges))
		exchanges = append(exchanges, x)
	}
	r.entries = nil

	fileNumber := 0
	for file := range slices.Chunk(exchanges, fileOfExchanges) {
		if err := r.writeFile(fmt.Sprintf("%04d.replay", fileNumber), file); err != nil {
			return written, r.skipped, err
		}
		fileNumber++
		written += len(file)
	}
	return written, r.skipped, nil
}

// writeFile writes a new file, whole or not at all. If another run has written to the folder
// meanwhile, it fails and leaves that file as it is.
func (r *Recorder) writeFile(name string, entries []Exchange) error {
	data, err := json.MarshalIndent(File{Version: "0.2", Entries: entries}, "", "  ")
	if err != nil {
		return err
	}

	path := filepath.Join(r.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// add records an exchange, and learns the secrets in it.
func (r *Recorder) add(req *http.Request, reqBody []byte, resp *http.Response, respBody []byte) {
	var x Exchange
	x.Request.Method = req.Method
	x.Request.URL = req.URL.String()
	x.Request.Header = req.Header.Clone()
	x.Request.MediaType = req.Header.Get("Content-Type")
	x.Request.BodyParts = parts(req.Header, reqBody)
	x.Response.StatusCode = resp.StatusCode
	x.Response.Proto = "HTTP/1.1"
	x.Response.ProtoMajor = 1
	x.Response.ProtoMinor = 1
	x.Response.Header = resp.Header.Clone()
	x.Response.Body = respBody

	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entry{exchange: x, own: r.scrubber.learn(&x)})
}

// parts returns the contents of the parts of a body of multipart/related, with which Google's clients
// upload, and any other body as one part. It does not fail for a malformed body, unlike a multipart.Reader.
func parts(header http.Header, body []byte) [][]byte {
	_, boundary, ok := strings.Cut(header.Get("Content-Type"), "multipart/related; boundary=")
	if !ok {
		return [][]byte{body}
	}

	boundary, _, _ = strings.Cut(boundary, ";")
	separator := []byte("--" + strings.Trim(boundary, `"`))
	var contents [][]byte
	for _, part := range bytes.Split(body, separator) {
		// The text before the first separator, and that after the last one, have no header.
		_, content, hasHeader := bytes.Cut(part, []byte("\r\n\r\n"))
		if hasHeader {
			contents = append(contents, bytes.TrimSuffix(content, []byte("\r\n")))
		}
	}
	return contents
}

// Transport returns a RoundTripper that sends requests through base, and records them.
func (r *Recorder) Transport(base http.RoundTripper) http.RoundTripper {
	return &recordingTransport{base, r}
}

// A recordingTransport records the exchanges that name a bucket of this run.
type recordingTransport struct {
	base     http.RoundTripper
	recorder *Recorder
}

func (t *recordingTransport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// RoundTrip sends the request, and records the exchange when the caller has closed the response.
func (t *recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	// Only a request that names a bucket of this run is recorded, and not one for credentials.
	address, err := url.PathUnescape(req.URL.Host + req.URL.EscapedPath())
	isRecorded := err == nil && ownBucket.MatchString(address)
	if !isRecorded {
		return t.base.RoundTrip(req)
	}

	// Copy the body of the request while it is sent.
	reqCopy := &limitedCopy{}
	if req.Body != nil && req.Body != http.NoBody {
		body := req.Body
		req = req.Clone(req.Context()) // a RoundTripper may not change the caller's request
		req.Body = copyingBody{
			Reader: io.TeeReader(body, reqCopy),
			close:  body.Close,
		}
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}

	// Copy the body of the response while the caller reads it.
	respCopy := &limitedCopy{}
	body := resp.Body
	var once sync.Once
	resp.Body = copyingBody{
		Reader: io.TeeReader(body, respCopy),
		close: func() error {
			once.Do(func() {
				t.record(req, reqCopy, resp, respCopy)
			})
			return body.Close()
		},
	}
	return resp, nil
}

// record adds an exchange to the recorder, unless a body is too large or the caller has not read the
// whole response.
func (t *recordingTransport) record(
	req *http.Request, reqCopy *limitedCopy, resp *http.Response, respCopy *limitedCopy,
) {
	isTooLarge := reqCopy.full || respCopy.full

	// The response to HEAD has a length, but no body.
	hasLength := req.Method != http.MethodHead && resp.ContentLength >= 0
	isIncomplete := hasLength && int64(respCopy.Len()) != resp.ContentLength
	if isTooLarge || isIncomplete {
		t.recorder.mu.Lock()
		t.recorder.skipped++
		t.recorder.mu.Unlock()
		return
	}
	t.recorder.add(req, reqCopy.Bytes(), resp, respCopy.Bytes())
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

// Write keeps a copy of p, unless that would exceed maxRecorded.
func (c *limitedCopy) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxRecorded {
		c.full = true
		return len(p), nil
	}
	return c.Buffer.Write(p)
}

// errSecret is the error of an exchange in which a secret remains.
var errSecret = errors.New("a secret remains")
