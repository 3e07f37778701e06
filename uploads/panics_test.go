package uploads_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A form stores none of its files if Config.Inspect panics for one of them.
func TestPanicOfJudgeLeavesNoFormFile(t *testing.T) {
	calls := 0
	s := newSite(t, memstore.New(), uploads.Config{Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
		calls++
		isSecondFile := calls == 2
		if isSecondFile {
			panic("cannot decode")
		}
		return nil
	}})
	file := formFile{field: "photo", name: "me.png", contentType: "image/png", content: newPNG()}
	require.PanicsWithValue(t, "cannot decode", func() {
		s.form("42", file, file)
	})
	require.Empty(t, listKeys(t, s.bucket))
}

// A panickingStates panics once, when it is armed.
type panickingStates struct {
	uploads.States
	armed atomic.Bool
}

// State panics once after s.armed was set.
func (s *panickingStates) State(ctx context.Context, key string) ([]byte, string, error) {
	if s.armed.CompareAndSwap(true, false) {
		panic("no database")
	}
	return s.States.State(ctx, key)
}

// A service renews its claim on an upload in the background. A panic there reaches the caller of the service, who can
// recover from it. It does not end the process.
func TestPanicOfHeartbeatReachesCaller(t *testing.T) {
	bucket := memstore.New()
	inspecting := make(chan struct{})
	states := &panickingStates{States: uploads.BucketStates(bucket)}

	// Inspect makes the next read of the state of the upload panic, and waits until its context ends.
	service, err := uploads.New(bucket, uploads.Config{
		States: states,
		Inspect: func(ctx context.Context, _ *uploads.File, _ *storage.ReaderAt) error {
			states.armed.Store(true)
			close(inspecting)
			<-ctx.Done()
			return ctx.Err()
		},
	})
	require.NoError(t, err)

	// The service calls this function before each renewal of its claim. The first renewal, which reads the state,
	// happens during Inspect, and a second one does not come.
	renewals := 0
	service.SetPulse(func(ctx context.Context) error {
		renewals++
		isFirst := renewals == 1
		if isFirst {
			<-inspecting
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})

	// The panic of the renewal reaches the caller.
	require.PanicsWithValue(t, "no database", func() {
		_, _ = service.PutPiece(t.Context(), uploads.Piece{
			Token:  "token",
			Count:  1,
			Number: 1,
			Name:   "me.png",
			Body:   strings.NewReader(newPNG()),
		})
	})
}

// After Inspect has panicked in one process, another process can complete the upload without waiting for its claim.
func TestPanicOfJudgeThenOtherProcess(t *testing.T) {
	bucket := memstore.New()
	panics := true
	c := uploads.Config{Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
		if panics {
			panic("cannot decode")
		}
		return nil
	}}

	// The deadline passes long before another process may take over the upload of the first.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	putInNewProcess := func() (*uploads.File, error) {
		service, err := uploads.New(bucket, c)
		require.NoError(t, err)
		return service.PutPiece(ctx, uploads.Piece{
			Token:  "token",
			Count:  1,
			Number: 1,
			Name:   "me.png",
			Body:   strings.NewReader(newPNG()),
		})
	}
	require.PanicsWithValue(t, "cannot decode", func() {
		_, _ = putInNewProcess()
	})

	// Another process sends the piece again, and Inspect accepts it.
	panics = false
	file, err := putInNewProcess()
	require.NoError(t, err)
	require.NotNil(t, file)
}

// A panickingBody is a body that a broken middleware has replaced.
type panickingBody struct{}

func (panickingBody) Read([]byte) (int, error) { panic("a broken middleware") }
func (panickingBody) Close() error             { return nil }

// A panic of the body of a request reaches the HTTP server, and leaks nothing of the request.
func TestPanicOfBodyReachesServer(t *testing.T) {
	s := newUnservedSite(t, memstore.New(), uploads.Config{})

	// serve calls the handler itself, because an HTTP server would recover from the panic.
	serve := func(method, path string, body io.Reader, h headers) http.Header {
		r := httptest.NewRequestWithContext(t.Context(), method, path, body)
		r.Header.Set("X-User", alice)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for name, value := range h {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, r)
		return w.Header()
	}

	// Begin an upload, and send a body that panics.
	address := serve(http.MethodPost, "/uploads/tus/", nil, headers{"Upload-Length": "10"}).Get("Location")
	require.NotEmpty(t, address)
	require.PanicsWithValue(t, "a broken middleware", func() {
		serve(http.MethodPatch, address, panickingBody{}, headers{
			"Upload-Offset": "0",
			"Content-Type":  "application/offset+octet-stream",
		})
	})
	require.Zero(t, s.handler.FeedsUsed(), "the request must leave no memory in use")
}
