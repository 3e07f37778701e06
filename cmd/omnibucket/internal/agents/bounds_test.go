package agents

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/memstore"
)

// oneReader has rules that permit one read at a time.
var oneReader = rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1}

// A watched core counts the downloads and uploads that run at the same time. It also measures the
// heap when each of them begins.
type watched struct {
	storage.Core
	current atomic.Int64  // number of calls that run
	highest atomic.Int64  // highest value of current
	heap    atomic.Uint64 // most bytes of the heap at the begin of a call

	// These are set by pauseDownloads.
	downloads chan struct{}   // gets a value when a download has begun
	resumed   <-chan struct{} // closed when downloads may go on
}

// pauseDownloads makes each download wait until resume is called or its context ends.
func (w *watched) pauseDownloads() (resume func()) {
	const maxDownloads = 4 // more would wait before they begin
	resumed := make(chan struct{})
	w.resumed = resumed
	w.downloads = make(chan struct{}, maxDownloads)
	return func() { close(resumed) }
}

func (w *watched) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	w.begin()
	defer w.end()
	if w.resumed != nil {
		w.downloads <- struct{}{}
		select {
		case <-w.resumed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return w.Core.Download(ctx, key, o)
}

func (w *watched) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	w.begin()
	defer w.end()
	return w.Core.Upload(ctx, key, body, o)
}

// begin counts a call that begins, and keeps the highest values so far.
func (w *watched) begin() {
	current := w.current.Add(1)
	for highest := w.highest.Load(); current > highest; highest = w.highest.Load() {
		if w.highest.CompareAndSwap(highest, current) {
			break
		}
	}

	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	for heap := w.heap.Load(); memory.HeapAlloc > heap; heap = w.heap.Load() {
		if w.heap.CompareAndSwap(heap, memory.HeapAlloc) {
			break
		}
	}
}

// end counts a call that ends.
func (w *watched) end() { w.current.Add(-1) }

// newWatchedServer returns a server of a bucket in memory, and the core that counts the calls of
// the bucket. The object "a" is as long as one read permits. Its JSON is even longer, because JSON
// escapes each "<".
func newWatchedServer(t *testing.T, r rules) (*server, *watched) {
	t.Helper()
	w := &watched{}
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		w.Core = c
		return w
	})
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("<", maxRead)))
	require.NoError(t, err)

	s := newServer(bucket, r, func(err error) {
		t.Error(err)
	})
	return s, w
}

// startSite starts a server over HTTP with the token "token". The server ends with the test.
func startSite(t *testing.T, s *server) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	t.Cleanup(site.Close)
	return site
}

// hello are the first two messages of a client. Only the first one has a response.
const hello = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18",` +
	`"capabilities":{},"clientInfo":{"name":"x","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
`

// readCall returns a line with a call that reads length bytes of the object "a".
func readCall(id, length int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call",`+
		`"params":{"name":"read","arguments":{"key":"a","length":%d}}}`+"\n", id, length)
}

// longWrite returns a line with a call that writes longText as an object.
func longWrite(id int, key string) io.Reader {
	call := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call",`+
		`"params":{"name":"write","arguments":{"key":%q,"overwrite":true,"text":"TEXT"}}}`+"\n", id, key)
	beforeText, afterText, _ := strings.Cut(call, "TEXT")
	return io.MultiReader(
		strings.NewReader(beforeText),
		strings.NewReader(longText),
		strings.NewReader(afterText),
	)
}

// serveOnLines runs a server until the test ends. A client writes messages to stdin, and reads responses from stdout.
func serveOnLines(t *testing.T, s *server) (stdin *io.PipeWriter, stdout *bufio.Reader) {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	serverIn, stdin := io.Pipe()
	clientIn, serverOut := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- s.serveLines(ctx, serverIn, console.NewOutput(serverOut, interrupt))
	}()
	t.Cleanup(func() {
		interrupt()
		_ = clientIn.Close()
		require.NoError(t, <-ended)
	})
	return stdin, bufio.NewReader(clientIn)
}

// greet sends the first messages of a client, and reads the response.
func greet(t *testing.T, stdin io.Writer, stdout *bufio.Reader) {
	t.Helper()
	answer(t, stdin, stdout, strings.TrimSpace(hello))
}

// bursts has kinds of calls that a client sends without waiting for responses.
var bursts = []struct {
	name  string
	count int
	call  func(id int) io.Reader
}{
	{
		name:  "many reads",
		count: 1000,
		call:  func(id int) io.Reader { return strings.NewReader(readCall(id, 1<<10)) },
	},
	{
		name:  "large reads",
		count: 24,
		call:  func(id int) io.Reader { return strings.NewReader(readCall(id, maxRead)) },
	},
	{
		name:  "large writes",
		count: 24,
		call: func(id int) io.Reader {
			key := fmt.Sprint("w", id%4) // some calls replace the same object
			return longWrite(id, key)
		},
	},
}

// longText is the JSON of the longest text that burstRules permits a call to write.
var longText = strings.Repeat(`\n`, 1<<20)

// burstConcurrency is the number of calls that can run at the same time by burstRules.
const burstConcurrency = 8

var burstRules = rules{
	tools:       []string{toolRead, toolWrite},
	overwrite:   true,
	concurrency: burstConcurrency,
	maxWrite:    1 << 20,
}

// maxHeap includes the memory of the client, and what the garbage collector has not freed yet.
const maxHeap = 256 << 20

// requireBounded fails if too many calls of a burst ran at the same time, or needed too much memory.
func (w *watched) requireBounded(t *testing.T) {
	t.Helper()
	require.LessOrEqual(t, w.highest.Load(), int64(burstConcurrency))
	require.Less(t, w.heap.Load(), uint64(maxHeap))
	t.Logf("at most %d calls and %d MiB", w.highest.Load(), w.heap.Load()>>20)
}

// However many or large calls a client sends on standard input, the server answers all of them in limited memory.
func TestLinesManyCalls(t *testing.T) {
	for _, burst := range bursts {
		t.Run(burst.name, func(t *testing.T) {
			// w measures the memory, and the calls that run at the same time.
			s, w := newWatchedServer(t, burstRules)
			stdin, stdout := serveOnLines(t, s)

			// The client sends all calls without waiting for a response.
			go func() {
				_, _ = io.WriteString(stdin, hello)
				for id := range burst.count {
					_, _ = io.Copy(stdin, burst.call(id))
				}
			}()

			responses := burst.count + 1 // one is for hello
			for range responses {
				require.Positive(t, lineLength(t, stdout))
			}
			w.requireBounded(t)
		})
	}
}

// lineLength reads a line, and returns its length. Unlike ReadString, it does not keep a long line in memory.
func lineLength(t *testing.T, r *bufio.Reader) (length int) {
	t.Helper()
	for {
		part, hasMore, err := r.ReadLine()
		require.NoError(t, err)
		length += len(part)
		if !hasMore {
			return length
		}
	}
}

// However many or large calls clients send over HTTP, the server answers all of them in limited memory.
func TestHTTPManyCalls(t *testing.T) {
	for _, burst := range bursts {
		t.Run(burst.name, func(t *testing.T) {
			// w measures the memory, and the calls that run at the same time.
			s, w := newWatchedServer(t, burstRules)
			site := startSite(t, s)

			var group sync.WaitGroup
			var responses atomic.Int64
			for id := range burst.count {
				group.Go(func() {
					if post(t.Context(), site, burst.call(id)) > 0 {
						responses.Add(1)
					}
				})
			}
			group.Wait()

			require.EqualValues(t, burst.count, responses.Load())
			w.requireBounded(t)
		})
	}
}

// post sends a call. It returns the length of the response, or 0 if the call fails.
func post(ctx context.Context, site *httptest.Server, call io.Reader) int {
	req, err := newPost(ctx, site, call)
	if err != nil {
		return 0
	}
	resp, err := site.Client().Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0
	}
	return int(n)
}

// newPost returns a request with a message and the token of the site.
func newPost(ctx context.Context, site *httptest.Server, message io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, site.URL+path, message)
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Authorization":        {"Bearer token"},
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2025-06-18"},
	}
	return req, nil
}

// If a client sends calls without reading the responses, the server stops reading its calls.
func TestLinesClientReadsNothing(t *testing.T) {
	const (
		concurrency = 2
		calls       = 1000
		maxAccepted = calls / 2 // far more than the server and the pipes keep
	)

	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: concurrency, maxWrite: 1 << 20})
	stdin, stdout := serveOnLines(t, s)
	greet(t, stdin, stdout)

	// The client sends calls until the server stops reading.
	var accepted atomic.Int64
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for id := range calls {
			if _, err := io.WriteString(stdin, readCall(id, 1<<10)); err != nil {
				return
			}
			accepted.Add(1)
		}
	}()

	acceptsTooMany := func() bool { return accepted.Load() > maxAccepted }
	require.Never(t, acceptsTooMany, 200*time.Millisecond, 20*time.Millisecond)
	require.LessOrEqual(t, w.highest.Load(), int64(concurrency))

	// Closing the pipe ends the client.
	require.NoError(t, stdin.CloseWithError(io.ErrClosedPipe))
	<-stopped
}

// If a client cancels a call, the request to the store ends as well.
func TestCanceledCallEndsAtStore(t *testing.T) {
	// The server permits one read at a time, so one call runs and the other waits for it.
	const calls = 2
	s, w := newWatchedServer(t, oneReader)
	w.pauseDownloads() // each waits until its context ends
	serverSide, clientSide := mcp.NewInMemoryTransports()
	session, err := s.protocol.Connect(t.Context(), serverSide, nil)
	require.NoError(t, err)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	clientSession, err := client.Connect(t.Context(), clientSide, nil)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, calls)
	for range calls {
		go func() {
			params := &mcp.CallToolParams{Name: toolRead, Arguments: map[string]any{"key": "a"}}
			_, err := clientSession.CallTool(ctx, params)
			errs <- err
		}()
	}

	// Cancel the calls when a download has begun.
	<-w.downloads
	cancel()
	for range calls {
		require.ErrorIs(t, <-errs, context.Canceled)
	}

	// The session ends only if no call runs. Its error depends on the side that closes the pipe first.
	require.NoError(t, clientSession.Close())
	_ = session.Wait()
	require.Zero(t, w.current.Load(), "number of requests that the store still runs")
}

// If the server is interrupted while a call runs, the call and the server end.
func TestInterruptEndsCalls(t *testing.T) {
	s, w := newWatchedServer(t, oneReader)
	w.pauseDownloads()
	stdin, stdout := serveOnLines(t, s)
	greet(t, stdin, stdout)

	_, err := io.WriteString(stdin, readCall(1, 1<<10))
	require.NoError(t, err)
	<-w.downloads

	// The cleanup of serveOnLines interrupts the server now, and waits for its end.
}

// The time limit for a request body does not apply after the end of the body. The call itself may
// take longer.
func TestHTTPCallOutlastsBody(t *testing.T) {
	const length = 1 << 10
	s, w := newWatchedServer(t, oneReader)
	s.bodyTime = 50 * time.Millisecond
	resume := w.pauseDownloads()
	site := startSite(t, s)

	// The download, and with it the call, goes on long after the limit.
	timer := time.AfterFunc(4*s.bodyTime, resume)
	defer timer.Stop()

	responseLength := post(t.Context(), site, strings.NewReader(readCall(1, length)))
	require.Greater(t, responseLength, length)
}

// If a request body does not end in time, the server ends the request without a result.
func TestHTTPBodyWithoutEnd(t *testing.T) {
	s, _ := newWatchedServer(t, oneReader)
	s.bodyTime = 50 * time.Millisecond
	site := startSite(t, s)
	body, unfinished := io.Pipe()
	defer unfinished.Close()
	go func() {
		_, _ = io.WriteString(unfinished, `{"jsonrpc"`)
	}()

	require.Zero(t, post(t.Context(), site, body))
}

// While a call runs, a second call with the same id is refused. The first call still gets its
// result.
func TestCallIDTwice(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 2, maxWrite: 1})
	resume := w.pauseDownloads()
	stdin, stdout := serveOnLines(t, s)
	greet(t, stdin, stdout)

	// The download of the first call has begun, and waits.
	call := strings.TrimSpace(readCall(1, 1<<10))
	_, err := io.WriteString(stdin, call+"\n")
	require.NoError(t, err)
	<-w.downloads

	// Now the client sends the same call again.
	refusal := answer(t, stdin, stdout, call)
	require.Contains(t, refusal, "has the same id")
	require.Contains(t, refusal, `"id":1`)

	// The first call still gets its result.
	resume()
	result, err := stdout.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, result, `"id":1,"result"`)
}

// A page of a listing has a limited size in bytes, and all pages together have each object once.
func TestListPagesBoundedInBytes(t *testing.T) {
	const objects = 1000
	longName := strings.Repeat("x", 900)
	bucket := memstore.New()
	for i := range objects {
		_, err := bucket.Upload(t.Context(), fmt.Sprintf("%04d/%s", i, longName), strings.NewReader(""))
		require.NoError(t, err)
	}

	listed := 0
	pages := 0
	args := listIn{Recursive: true}
	for {
		page, err := pageOf(t.Context(), bucket, args, maxPage)
		require.NoError(t, err)

		keyBytes := 0
		for _, entry := range page.Entries {
			keyBytes += len(entry.Key)
		}
		require.LessOrEqual(t, keyBytes, maxListed)

		listed += len(page.Entries)
		pages++
		isLast := page.Token == ""
		if isLast {
			break
		}
		args.Cursor = page.Token
	}
	require.Equal(t, objects, listed)
	require.Greater(t, pages, 1)
}
