package gocache

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxRequest limits the bytes of a request without its body. The go command needs some 300.
const maxRequest = 16 << 10

const (
	commandGet   = "get"
	commandPut   = "put"
	commandClose = "close"
)

// A request is a message from the go command. If BodySize is positive, the body follows in a line
// of its own, as a JSON string in base64.
type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64
}

// A response is a message to the go command.
type response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// A requestReader reads the requests of the go command. After an error it is of no more use: the
// beginning of the next request is unknown.
type requestReader struct {
	src *bufio.Reader
}

func newRequestReader(src io.Reader) *requestReader {
	return &requestReader{src: bufio.NewReaderSize(src, 64<<10)}
}

// next returns the next request, or io.EOF at the end of the input.
func (r *requestReader) next() (*request, error) {
	for {
		line, err := r.src.ReadSlice('\n')
		if len(line) > maxRequest || errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("a request must not have more than %d bytes", maxRequest)
		}
		if err == io.EOF && len(line) > 0 {
			// The input has ended within a line.
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}

		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}

		req := &request{}
		if err := json.Unmarshal(line, req); err != nil {
			return nil, fmt.Errorf("a request must be a line of JSON: %w", err)
		}
		// Only a put has a body.
		mayHaveBody := req.Command == commandPut
		if req.BodySize < 0 || (req.BodySize > 0 && !mayHaveBody) {
			return nil, errors.New("a request has an invalid BodySize")
		}
		return req, nil
	}
}

// body returns the body of the last request, which must be read to its end. Reading fails unless it has this size.
func (r *requestReader) body(size int64) io.Reader {
	if size == 0 {
		return bytes.NewReader(nil)
	}
	text := &stringReader{src: r.src}
	return &bodyReader{src: base64.NewDecoder(base64.StdEncoding, text), text: text, remaining: size}
}

// A bodyReader reads a decoded body of a known size.
type bodyReader struct {
	src       io.Reader
	text      *stringReader
	remaining int64
}

var errBody = errors.New("a body must have its BodySize, as a JSON string in base64")

// Read reads the decoded body, and fails with errBody unless the body has exactly the expected size.
func (r *bodyReader) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.remaining -= int64(n)
	if r.remaining < 0 {
		return 0, errBody
	}

	// The body must have all its bytes and the closing quote of the string.
	isIncomplete := r.remaining > 0 || !r.text.isClosed
	if err == io.EOF && isIncomplete {
		return n, errBody
	}
	if err != nil && err != io.EOF {
		return n, fmt.Errorf("%w: %w", errBody, err)
	}
	return n, err
}

// A stringReader reads the content of a JSON string that needs no escapes.
type stringReader struct {
	src      *bufio.Reader
	isOpen   bool // the opening quote was read
	isClosed bool // the closing quote was read
}

// Read reads the text between the quotes of a JSON string without escapes.
func (r *stringReader) Read(p []byte) (int, error) {
	if err := r.begin(); err != nil {
		return 0, err
	}
	if r.isClosed {
		return 0, io.EOF
	}

	// Wait until the buffer has a byte, and then take what it has.
	if _, err := r.src.Peek(1); err != nil {
		return 0, noEOF(err)
	}

	// Peek and Discard do not fail for bytes that are buffered.
	data, _ := r.src.Peek(min(len(p), r.src.Buffered()))

	// A quote ends the string. The first n bytes of data are its text.
	n := bytes.IndexByte(data, '"')
	if n < 0 {
		n = len(data)
	} else {
		r.isClosed = true
	}

	for _, c := range data[:n] {
		if c < ' ' {
			// base64.NewDecoder would skip line breaks.
			return 0, errors.New("a string has a control character")
		}
	}

	copy(p, data[:n])
	_, _ = r.src.Discard(n)
	if r.isClosed {
		_, _ = r.src.Discard(len(`"`))
		// Only the closing quote was left.
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

// begin skips white space and the opening quote of the string, unless it has already done so.
func (r *stringReader) begin() error {
	for !r.isOpen {
		c, err := r.src.ReadByte()
		if err != nil {
			return noEOF(err)
		}
		if c == '"' {
			r.isOpen = true
		} else if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return errors.New("a string must begin with a quote")
		}
	}
	return nil
}

// noEOF converts [io.EOF] to [io.ErrUnexpectedEOF], and returns any other error as it is.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A responseWriter writes responses. Several goroutines may use it.
type responseWriter struct {
	mu  sync.Mutex
	dst io.Writer
	err error // the first error of dst
}

// write writes a response as a line of JSON. After an error, which failure returns, it writes nothing more.
func (w *responseWriter) write(resp *response) {
	// Marshal never fails for these types.
	line, _ := json.Marshal(resp)

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	_, w.err = w.dst.Write(append(line, '\n'))
}

// failure returns the error of the first write that failed.
func (w *responseWriter) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
