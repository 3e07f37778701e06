// Package gocache has the command gocache, which keeps the build cache of the go command in any
// location. The go command starts it as the program of GOCACHEPROG, and speaks with it in lines of
// JSON on standard input and output.
//
// Outputs are files in a local directory, because the go command reads files. Outputs that it
// lacks are downloaded from the store. New outputs are uploaded in the background. Nothing that a
// store does fails a build.
package gocache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// maxGets limits the gets at once. The go command makes as many as it runs compilers.
const maxGets = 64

// settings are what the flags of the command set.
type settings struct {
	readOnly     bool
	uploads      int // number of uploads at once
	patience     time.Duration
	closeTimeout time.Duration
}

// A server answers the requests of one go command.
type server struct {
	settings settings
	disk     *disk
	remote   *remote
	uploads  *uploads
	stats    stats
	warn     func(text string, err error)

	closing time.Duration // how long the end took
}

// newServer returns a server that keeps outputs in a local directory and in a bucket. When ctx is done,
// it no longer uses the bucket.
func newServer(ctx context.Context, d *disk, bucket storage.Bucket, cfg settings, warn func(error)) *server {
	s := &server{settings: cfg, disk: d, warn: warnOnce(warn)}
	s.remote = &remote{
		bucket:   bucket,
		disk:     d,
		stats:    &s.stats,
		patience: newTimeBudget(cfg.patience),
		warn:     s.warn,
	}

	// A call of disable ends the use of the bucket.
	s.remote.ctx, s.remote.disable = context.WithCancel(ctx)
	s.uploads = newUploads(s.remote, cfg.uploads)
	return s
}

// warnOnce returns a function that prints a warning, unless one with the same text was printed before.
func warnOnce(print func(error)) func(text string, err error) {
	var mu sync.Mutex
	printed := map[string]bool{}
	return func(text string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if !printed[text] {
			printed[text] = true
			print(fmt.Errorf("%s: %w", text, err))
		}
	}
}

// serve answers requests until the request close or the end of the input, and then waits for the
// uploads. Some go commands end without a request close.
func (s *server) serve(in io.Reader, out io.Writer) error {
	defer s.remote.disable()
	w := &responseWriter{dst: out}
	w.write(&response{KnownCommands: []string{commandGet, commandPut, commandClose}})
	closeReq, err := s.answerAll(newRequestReader(in), w)

	// The build has ended. After a failed input, the uploads that wait are abandoned.
	start := time.Now()
	if err != nil {
		s.remote.disable()
	}
	s.uploads.close(s.settings.closeTimeout, s.settings.patience)
	s.disk.trim()
	s.closing = time.Since(start)

	if err != nil {
		return err
	}
	if closeReq != nil {
		w.write(&response{ID: closeReq.ID})
	}
	return w.failure()
}

// answerAll answers the requests up to the request close, which it returns. If the input ended without
// one, it returns nil.
func (s *server) answerAll(r *requestReader, w *responseWriter) (*request, error) {
	var gets sync.WaitGroup
	defer gets.Wait()
	slots := make(chan struct{}, maxGets)

	for w.failure() == nil {
		req, err := r.next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, invalidInput(err)
		}

		switch req.Command {
		case commandGet:
			// At most maxGets gets run at the same time.
			slots <- struct{}{}
			gets.Go(func() {
				w.write(s.get(req))
				<-slots
			})
		case commandPut:
			// The body follows in the input, so it must be read before the next request.
			resp, err := s.put(req, r.body(req.BodySize))
			if err != nil {
				return nil, invalidInput(err)
			}
			w.write(resp)
		case commandClose:
			return req, nil
		default:
			w.write(&response{ID: req.ID, Err: "unknown command"})
		}
	}
	return nil, w.failure()
}

// invalidInput returns the error of input that is not of a go command.
func invalidInput(err error) error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Op:   "gocache",
		Err:  fmt.Errorf("standard input must have requests of a go command: %w", err),
		Hint: "set GOCACHEPROG to this command line",
	}
}

// get looks for the output of an action in the local directory, and then in the store.
func (s *server) get(req *request) *response {
	s.stats.gets.Add(1)
	action, err := parseID(req.ActionID)
	if err != nil {
		return &response{ID: req.ID, Err: "ActionID: " + err.Error()}
	}

	e, path, ok := s.disk.lookup(action)
	if ok {
		s.stats.localHits.Add(1)
	} else {
		e, path, ok = s.remote.get(action)
	}
	if !ok {
		return &response{ID: req.ID, Miss: true}
	}
	return &response{ID: req.ID, OutputID: e.output[:], Size: e.size, Time: &e.storedAt, DiskPath: path}
}

// put stores an output in the local directory, and later in the store. It fails only if the body
// cannot be read. All other errors are in the response.
func (s *server) put(req *request, body io.Reader) (*response, error) {
	s.stats.puts.Add(1)
	s.stats.putBytes.Add(req.BodySize)

	e, err := putEntry(req)
	if err != nil {
		return refusePut(req, body, err)
	}
	output, err := s.disk.create()
	if err != nil {
		return refusePut(req, body, err)
	}

	// The body must be read to its end, even if the output cannot be written.
	writer := &firstError{dst: output}
	if _, err := io.Copy(writer, body); err != nil {
		output.discard()
		return nil, err
	}
	if writer.err != nil {
		output.discard()
		return &response{ID: req.ID, Err: writer.err.Error()}, nil
	}

	// The content of a file may change while the go command sends it. Only this build gets such a file.
	if output.hash() != e.output {
		s.warn("an output is not kept for later builds", errors.New("its id is not the SHA-256 of its content"))
		path, err := s.disk.place(output)
		return putResponse(req, path, err), nil
	}

	path, err := s.disk.install(output, e)
	if err == nil && !s.settings.readOnly {
		s.uploads.enqueue(e)
	}
	return putResponse(req, path, err), nil
}

// refusePut skips the body of a request and returns a response that says why the request failed.
func refusePut(req *request, body io.Reader, reason error) (*response, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	return &response{ID: req.ID, Err: reason.Error()}, nil
}

// putResponse returns the response to a put: the path of the output, or err if it could not be stored.
func putResponse(req *request, path string, err error) *response {
	if err != nil {
		return &response{ID: req.ID, Err: err.Error()}
	}
	return &response{ID: req.ID, DiskPath: path}
}

// putEntry returns the entry of the output that a request brings.
func putEntry(req *request) (entry, error) {
	action, err := parseID(req.ActionID)
	if err != nil {
		return entry{}, fmt.Errorf("ActionID: %w", err)
	}
	output, err := parseID(req.OutputID)
	if err != nil {
		return entry{}, fmt.Errorf("OutputID: %w", err)
	}
	return entry{action: action, output: output, size: req.BodySize, storedAt: time.Now()}, nil
}

// A firstError is a writer that never fails. It keeps the first error of dst, and skips what
// follows.
type firstError struct {
	dst io.Writer
	err error
}

// Write writes to dst until that fails. It never fails itself, so that the caller reads its input to
// the end.
func (w *firstError) Write(p []byte) (int, error) {
	if w.err == nil {
		_, w.err = w.dst.Write(p)
	}
	return len(p), nil
}
