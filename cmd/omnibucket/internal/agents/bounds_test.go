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

// A watched core counts downloads at the same time, and the bytes of the heap meanwhile.
type watched struct {
	storage.Core
	now, most atomic.Int64
	heap      atomic.Uint64
	wait      <-chan struct{} // if not nil, a download waits for it
	began     chan struct{}
}

func (w *watched) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	defer w.begin()()
	if w.wait != nil {
		w.began <- struct{}{}
		select {
		case <-w.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return w.Core.Download(ctx, key, o)
}

func (w *watched) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	defer w.begin()()
	return w.Core.Upload(ctx, key, body, o)
}

func (w *watched) begin() (end func()) {
	now := w.now.Add(1)
	for maximum := w.most.Load(); now > maximum && !w.most.CompareAndSwap(maximum, now); maximum = w.most.Load() {
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	heap := w.heap.Load()
	for memory.HeapAlloc > heap && !w.heap.CompareAndSwap(heap, memory.HeapAlloc) {
		heap = w.heap.Load()
	}
	return func() {
		w.now.Add(-1)
	}
}

// newWatchedServer returns a server of a bucket with the longest text for one read, which is even longer in JSON.
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
	return newServer(bucket, r, func(err error) {
		t.Error(err)
	}), w
}

const (
	hello = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18",` +
		`"capabilities":{},"clientInfo":{"name":"x","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
`
	read = `{"jsonrpc":"2.0","id":%d,"method":"tools/call",` +
		`"params":{"name":"read","arguments":{"key":"a","length":%d}}}` + "\n"
	write = `{"jsonrpc":"2.0","id":%d,"method":"tools/call",` +
		`"params":{"name":"write","arguments":{"key":"w%d","overwrite":true,"text":"TEXT"}}}` + "\n"
)

// serveOnLines runs a server on pipes until the test ends.
func serveOnLines(t *testing.T, s *server) (in *io.PipeWriter, out *bufio.Reader) {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	fromClient, in := io.Pipe()
	toRead, toClient := io.Pipe()
	errc := make(chan error, 1)
	go func() {
		errc <- s.serveLines(ctx, fromClient, console.NewOutput(toClient, interrupt))
	}()
	t.Cleanup(func() {
		interrupt()
		_ = toRead.Close()
		require.NoError(t, <-errc)
	})
	return in, bufio.NewReader(toRead)
}

// bursts are calls that a client sends at once.
var bursts = []struct {
	name  string
	calls int
	call  func(id int) io.Reader
}{
	{"many reads", 1000, func(id int) io.Reader { return strings.NewReader(fmt.Sprintf(read, id, 1<<10)) }},
	{"large reads", 24, func(id int) io.Reader { return strings.NewReader(fmt.Sprintf(read, id, maxRead)) }},
	{"large writes", 24, func(id int) io.Reader {
		prefix, suffix, _ := strings.Cut(fmt.Sprintf(write, id, id%4), "TEXT")
		return io.MultiReader(strings.NewReader(prefix), strings.NewReader(longText), strings.NewReader(suffix))
	}},
}

var longText = strings.Repeat(`\n`, 1<<20)

// maxHeap includes the client, and what the garbage collector has not freed yet.
const maxHeap = 256 << 20

func (w *watched) requireBounded(t *testing.T) {
	t.Helper()
	require.LessOrEqual(t, w.most.Load(), int64(8))
	require.Less(t, w.heap.Load(), uint64(maxHeap))
	t.Logf("at most %d calls and %d MiB", w.most.Load(), w.heap.Load()>>20)
}

func TestLinesManyCalls(t *testing.T) {
	for _, burst := range bursts {
		t.Run(burst.name, func(t *testing.T) {
			s, w := newWatchedServer(t, rules{
				tools:       []string{toolRead, toolWrite},
				overwrite:   true,
				concurrency: 8,
				maxWrite:    1 << 20,
			})
			stdin, stdout := serveOnLines(t, s)
			go func() {
				_, _ = io.WriteString(stdin, hello)
				for i := range burst.calls {
					_, _ = io.Copy(stdin, burst.call(i))
				}
			}()

			for range burst.calls + 1 {
				size := 0
				for hasMore := true; hasMore; {
					part, prefix, err := stdout.ReadLine()
					require.NoError(t, err)
					size += len(part)
					hasMore = prefix
				}
				require.Positive(t, size)
			}
			w.requireBounded(t)
		})
	}
}

func TestHTTPManyCalls(t *testing.T) {
	for _, burst := range bursts {
		t.Run(burst.name, func(t *testing.T) {
			s, w := newWatchedServer(t, rules{
				tools:       []string{toolRead, toolWrite},
				overwrite:   true,
				concurrency: 8,
				maxWrite:    1 << 20,
			})
			site := httptest.NewServer(s.setDeadlines(s.handler("token")))
			defer site.Close()
			var calls sync.WaitGroup
			var answered atomic.Int64
			for i := range burst.calls {
				calls.Go(func() {
					if post(t.Context(), site, burst.call(i)) > 0 {
						answered.Add(1)
					}
				})
			}
			calls.Wait()
			require.EqualValues(t, burst.calls, answered.Load())
			w.requireBounded(t)
		})
	}
}

// post returns the length of the response to a call, or 0 if it fails.
func post(ctx context.Context, site *httptest.Server, call io.Reader) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, site.URL+path, call)
	if err != nil {
		return 0
	}
	r.Header = http.Header{
		"Authorization":        {"Bearer token"},
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2025-06-18"},
	}
	response, err := site.Client().Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return 0
	}
	return int(n)
}

// If a client sends calls and reads no responses, the server stops reading its calls.
func TestLinesClientReadsNothing(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 2, maxWrite: 1 << 20})
	stdin, stdout := serveOnLines(t, s)
	_, err := io.WriteString(stdin, hello)
	require.NoError(t, err)
	_, err = stdout.ReadString('\n')
	require.NoError(t, err)
	var count atomic.Int64
	stopped := make(chan struct{})

	go func() {
		defer close(stopped)
		for i := range 1000 {
			if _, err := fmt.Fprintf(stdin, read, i, 1<<10); err != nil {
				return
			}
			count.Add(1)
		}
	}()
	require.Never(t, func() bool { return count.Load() > 500 }, 200*time.Millisecond, 20*time.Millisecond)
	require.LessOrEqual(t, w.most.Load(), int64(2))

	require.NoError(t, stdin.CloseWithError(io.ErrClosedPipe))
	<-stopped
}

// If a client cancels a call, the request to the store ends, too.
func TestCanceledCallEndsAtStore(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	w.wait = make(chan struct{})
	w.began = make(chan struct{}, 4)
	serverSide, clientSide := mcp.NewInMemoryTransports()
	session, err := s.protocol.Connect(t.Context(), serverSide, nil)
	require.NoError(t, err)
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).
		Connect(t.Context(), clientSide, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	errc := make(chan error, 2)
	for range 2 { // one works, and one waits for it
		go func() {
			_, err := client.CallTool(ctx, &mcp.CallToolParams{Name: toolRead, Arguments: map[string]any{"key": "a"}})
			errc <- err
		}()
	}

	<-w.began
	cancel()
	require.ErrorIs(t, <-errc, context.Canceled)
	require.ErrorIs(t, <-errc, context.Canceled)

	require.NoError(t, client.Close())
	_ = session.Wait() // it ends only if no call works; its error depends on who closes the pipe first
	require.Zero(t, w.now.Load())
}

// An interrupt ends calls.
func TestInterruptEndsCalls(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	w.wait = make(chan struct{})
	w.began = make(chan struct{}, 4)
	stdin, stdout := serveOnLines(t, s)
	_, err := io.WriteString(stdin, hello+fmt.Sprintf(read, 1, 1<<10))
	require.NoError(t, err)
	_, err = stdout.ReadString('\n')
	require.NoError(t, err)
	<-w.began // the cleanup interrupts, and waits for the end
}

// A call may take longer than the time limit for its request body.
func TestHTTPCallOutlastsBody(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	s.bodyTime = 50 * time.Millisecond
	wait := make(chan struct{})
	w.wait = wait
	w.began = make(chan struct{}, 1)
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()
	timer := time.AfterFunc(4*s.bodyTime, func() {
		close(wait)
	})
	defer timer.Stop()

	require.Greater(t, post(t.Context(), site, strings.NewReader(fmt.Sprintf(read, 1, 1<<10))), 1<<10)
}

// If a request body does not end in time, the server ends the request, and the client gets no successful response.
func TestHTTPBodyWithoutEnd(t *testing.T) {
	s, _ := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 1, maxWrite: 1})
	s.bodyTime = 50 * time.Millisecond
	site := httptest.NewServer(s.setDeadlines(s.handler("token")))
	defer site.Close()
	body, unfinished := io.Pipe()
	defer unfinished.Close()
	go func() {
		_, _ = io.WriteString(unfinished, `{"jsonrpc"`)
	}()

	require.Zero(t, post(t.Context(), site, body))
}

// A call with the ID of an open call is refused.
func TestCallIDTwice(t *testing.T) {
	s, w := newWatchedServer(t, rules{tools: []string{toolRead}, concurrency: 2, maxWrite: 1})
	wait := make(chan struct{})
	w.wait = wait
	w.began = make(chan struct{}, 4)
	stdin, stdout := serveOnLines(t, s)
	_, err := io.WriteString(stdin, hello+fmt.Sprintf(read, 1, 1<<10))
	require.NoError(t, err)
	_, err = stdout.ReadString('\n')
	require.NoError(t, err)
	<-w.began
	_, err = io.WriteString(stdin, fmt.Sprintf(read, 1, 1<<10))
	require.NoError(t, err)

	line, err := stdout.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "has the same id")
	require.Contains(t, line, `"id":1`)

	close(wait)
	line, err = stdout.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"id":1,"result"`)
}

// The server limits the size of a list page in bytes.
func TestListPagesBoundedInBytes(t *testing.T) {
	bucket := memstore.New()
	for i := range 1000 {
		_, err := bucket.Upload(t.Context(), fmt.Sprintf("%04d/%s", i, strings.Repeat("x", 900)), strings.NewReader(""))
		require.NoError(t, err)
	}

	n, pages, cursor := 0, 0, ""
	for {
		page, err := pageOf(t.Context(), bucket, listIn{Recursive: true, Cursor: cursor}, maxPage)
		require.NoError(t, err)
		bytes := 0
		for _, entry := range page.Entries {
			bytes += len(entry.Key)
		}

		require.LessOrEqual(t, bytes, maxListed)
		n += len(page.Entries)
		pages++
		cursor = page.Token
		if cursor == "" {
			break
		}
	}
	require.Equal(t, 1000, n)
	require.Greater(t, pages, 1)
}
