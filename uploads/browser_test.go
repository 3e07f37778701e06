package uploads_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A browser is Chromium, driven by testdata/browser/drive.mjs.
type browser struct {
	t     *testing.T
	stdin io.WriteCloser

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

type reply struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

// startBrowser starts Chromium under Playwright, and ends it after the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	cmd := exec.Command("node", "testdata/browser/drive.mjs", testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT"), testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM"))
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var said strings.Builder
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	b := &browser{t: t, stdin: stdin, waiting: map[int]chan reply{0: make(chan reply, 1)}}
	started := b.waiting[0]
	done := make(chan struct{})

	go func() {
		defer close(done)
		b.read(stdout)
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the browser's console:\n%s", said.String())
		}
	})
	require.Empty(t, (<-started).Error)
	return b
}

// read passes each reply to the call that waits for it, until the browser ends.
func (b *browser) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			b.mu.Lock()
			if replies := b.waiting[r.ID]; replies != nil {
				replies <- r
			}
			delete(b.waiting, r.ID)
			b.mu.Unlock()
		}
	}

	// After the end of the browser, calls that still wait get an error.
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, replies := range b.waiting {
		replies <- reply{Error: "the browser has ended"}
	}
	b.waiting = nil
}

// do runs the operation op of drive.mjs with arguments, and returns its result.
func (b *browser) do(t *testing.T, op string, arguments map[string]any) json.RawMessage {
	t.Helper()
	replies := make(chan reply, 1)

	b.mu.Lock()
	require.NotNil(t, b.waiting, "the browser has ended")
	b.last++
	id := b.last
	b.waiting[id] = replies
	b.mu.Unlock()

	// A command is a line of JSON.
	command := map[string]any{"id": id, "op": op}
	for name, value := range arguments {
		command[name] = value
	}
	line, err := json.Marshal(command)
	require.NoError(t, err)
	_, err = b.stdin.Write(append(line, '\n'))
	require.NoError(t, err)

	select {
	case r := <-replies:
		require.Empty(t, r.Error, op)
		return r.Value
	case <-time.After(10 * time.Minute):
		require.Fail(t, "the browser does not reply", op)
		return nil
	}
}

// A tab is a browser tab with a page that has the upload clients.
type tab struct {
	t    *testing.T
	b    *browser
	name string
}

var tabNumber int

// open opens url in a new tab. The tab runs script before the scripts of the page.
func (b *browser) open(t *testing.T, url, script string) *tab {
	t.Helper()
	tabNumber++
	tb := &tab{t: t, b: b, name: fmt.Sprintf("tab %d", tabNumber)}
	b.do(t, "open", map[string]any{"tab": tb.name, "url": url, "script": script})
	return tb
}

func (tb *tab) reload() { tb.b.do(tb.t, "reload", map[string]any{"tab": tb.name}) }

func (tb *tab) close() { tb.b.do(tb.t, "close", map[string]any{"tab": tb.name}) }

func (tb *tab) choose(path string) {
	tb.b.do(tb.t, "choose", map[string]any{"tab": tb.name, "path": path})
}

func (tb *tab) evaluate(expression string) json.RawMessage {
	return tb.b.do(tb.t, "evaluate", map[string]any{"tab": tb.name, "expression": expression})
}

// wait returns when the JavaScript expression is true in the tab.
func (tb *tab) wait(expression string) {
	tb.b.do(tb.t, "wait", map[string]any{"tab": tb.name, "expression": expression})
}

// begin chooses the file at path, and begins to upload it with the client.
func (tb *tab) begin(client, path string) {
	tb.t.Helper()
	tb.choose(path)
	tb.evaluate(fmt.Sprintf("void window.begin(%q)", client))
}

// beginSlowly chooses the file at path, and makes our client send one part after the other, as Uppy
// does.
func (tb *tab) beginSlowly(client, path string) {
	tb.t.Helper()
	tb.choose(path)
	tb.evaluate(fmt.Sprintf("void window.begin(%q, { concurrency: 1 })", client))
}

// An outcome is what an upload client reports at the end.
type outcome struct {
	Value struct {
		Key      string `json:"key"`
		Location string `json:"location"`
	} `json:"value"`
	First float64 `json:"first"` // bytes, in its first report of progress
	Error string  `json:"error"`
}

// result returns the outcome of the upload in the tab.
func (tb *tab) result() outcome {
	tb.t.Helper()
	var o outcome
	require.NoError(tb.t, json.Unmarshal(tb.evaluate("window.result"), &o))
	return o
}
