package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/tools/benchmarks/record"
)

const (
	fileServer  = "http.FileServer"
	contentOnly = "http.ServeContent"

	serveKey = "object.bin"
)

// serveCases returns the cases in which objects are served over HTTP on this machine. The client is
// minimal, so that only the server makes a difference. Our handler reads and verifies all bytes of
// a whole object. It does not verify a range. So the kernel can send a range directly from the
// file.
func serveCases() []benchCase {
	var all []benchCase
	for _, size := range []int{kilobyte, 64 << 20} {
		for _, ranged := range []bool{false, true} {
			c := serveCase{size: size, ranged: ranged}
			all = append(all, c.localCase(), c.memoryCase())
		}
	}
	return all
}

// A serveCase serves an object of size bytes. If ranged is true, the request is for all bytes
// except the first one.
type serveCase struct {
	size   int
	ranged bool
}

func (c serveCase) name(store string) string {
	name := "serve-" + store + "-64m"
	if c.size == kilobyte {
		name = "serve-" + store + "-1k"
	}
	if c.ranged {
		return name + "-range"
	}
	return name
}

func (c serveCase) title(origin string) string {
	part := "the whole of"
	if c.ranged {
		part = "a range of"
	}
	return fmt.Sprintf("%s %s over HTTP, from %s", part, record.Size(float64(c.size)), origin)
}

func (c serveCase) localCase() benchCase {
	return benchCase{
		name:  c.name("local"),
		title: c.title("a directory"),
		rows: []row{
			{
				name: ours,
				setup: func(e *env) (opFunc, error) {
					dir, err := e.dir()
					if err != nil {
						return nil, err
					}
					s, err := openOwn(e, dir, false)
					if err != nil {
						return nil, err
					}
					return c.serveOp(e, s.bucket)
				},
			},
			{
				name: fileServer,
				setup: func(e *env) (opFunc, error) {
					dir, err := e.dir()
					if err != nil {
						return nil, err
					}
					if err := os.WriteFile(filepath.Join(dir, serveKey), make([]byte, c.size), 0o600); err != nil {
						return nil, err
					}
					return c.requestOp(e, http.FileServer(http.Dir(dir)))
				},
			},
		},
		goals: c.goals(fileServer),
	}
}

func (c serveCase) memoryCase() benchCase {
	return benchCase{
		name:  c.name("memory"),
		title: c.title("memory"),
		rows: []row{
			{name: ours, setup: func(e *env) (opFunc, error) { return c.serveOp(e, memstore.New()) }},
			{
				name: contentOnly,
				setup: func(e *env) (opFunc, error) {
					data := make([]byte, c.size)
					modified := time.Now()
					return c.requestOp(e, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", contentType)
						w.Header().Set("Etag", `"0123456789"`)
						http.ServeContent(w, r, serveKey, modified, bytes.NewReader(data))
					}))
				},
			},
		},
		goals: c.goals(contentOnly),
	}
}

func (c serveCase) goals(peer string) []goal {
	if c.size == kilobyte {
		return []goal{within(peer, 1.1)}
	}
	if c.ranged {
		return []goal{within(peer, 1.3)}
	}
	return []goal{within(peer, 1.75)} // slower, because our handler verifies the object
}

// serveOp returns an op that sends requests to our handler for the bucket b.
func (c serveCase) serveOp(e *env, b storage.Bucket) (opFunc, error) {
	if _, err := b.Upload(e.ctx, serveKey, bytes.NewReader(make([]byte, c.size)), storage.WithContentType(contentType)); err != nil {
		return nil, err
	}
	return c.requestOp(e, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve.Object(w, r, b, serveKey)
	}))
}

// requestOp returns an op that sends requests to the handler h over one connection.
func (c serveCase) requestOp(e *env, h http.Handler) (opFunc, error) {
	server := httptest.NewServer(h)
	e.closeAtEnd(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	e.cleanup = append(e.cleanup, conn.Close)

	// The request is written as text, so that the client adds little to the measured time.
	request := "GET /" + serveKey + " HTTP/1.1\r\nHost: localhost\r\n"
	want := c.size
	if c.ranged {
		request += "Range: bytes=1-\r\n"
		want--
	}
	request += "\r\n"

	src := bufio.NewReaderSize(conn, 64<<10)
	body := make([]byte, 256<<10)
	return repeated(func() error {
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		got, err := readResponse(src, body)
		return errors.Join(err, checkCount(got, want))
	}), nil
}

// readResponse reads a response into body, and returns the length of the response's body. It does not
// use net/http, so that the client adds little to the measured time. It needs a Content-Length.
func readResponse(src *bufio.Reader, body []byte) (int, error) {
	length := -1
	for {
		line, err := src.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break // the headers end
		}

		if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length = 0
			for _, digit := range text {
				length = length*10 + int(digit-'0')
			}
		}
	}

	for remaining := length; remaining > 0; {
		n, err := src.Read(body[:min(remaining, len(body))])
		if err != nil {
			return length - remaining, err
		}
		remaining -= n
	}
	return length, nil
}
