package uploads_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

const (
	browserFileSize = 12 << 20 // two parts of ours, three of Uppy's
	browserHoldAt   = 10 << 20 // bytes: parts of both are complete, if they come one by one
	browserPartSize = 5 << 20  // Uppy's
)

// A browserCase is something that happens to an upload.
type browserCase struct {
	name    string
	clients []string
	run     func(c *browserRun)
}

var browserCases = []browserCase{
	{name: "whole", clients: []string{"ours", "uppy", "tus"}, run: (*browserRun).whole},
	{name: "in one request", clients: []string{"uppy"}, run: (*browserRun).inOneRequest},
	{name: "reload", clients: []string{"ours", "uppy", "tus"}, run: (*browserRun).reload},
	{name: "cut", clients: []string{"ours", "uppy", "tus"}, run: (*browserRun).cut},
	{name: "offline", clients: []string{"ours"}, run: (*browserRun).offline},
	{name: "changed file", clients: []string{"ours"}, run: (*browserRun).changedFile},
	{name: "two tabs", clients: []string{"ours"}, run: (*browserRun).twoTabs},
	{name: "two tabs without locks", clients: []string{"ours"}, run: (*browserRun).twoTabsWithoutLocks},
	{name: "two tabs of one upload", clients: []string{"tus"}, run: (*browserRun).twoTabsWithoutLocks},
	{name: "two tabs of two uploads", clients: []string{"uppy"}, run: (*browserRun).twoUploads},
	{name: "file handle", clients: []string{"ours"}, run: (*browserRun).fileHandle},
}

// TestBrowserClients tests the handler and the script in Chromium. "make test-all" runs every case
// with the memory store. With the other stores, it runs only uploads without disturbance that go
// straight to the store. $OMNIBUCKET_BROWSERS=all runs every case with all stores.
func TestBrowserClients(t *testing.T) {
	b := startBrowser(t)
	for _, store := range browserStores {
		t.Run(store.name, func(t *testing.T) {
			site := newBrowserSite(t, store, uploads.Config{})

			// A store that needs headers of its own can serve Uppy only through the handler.
			var proxySite *browserSite
			if store.needsHeaders {
				proxySite = newBrowserSite(t, store, uploads.Config{ProxyParts: true})
				t.Run("without ProxyParts/uppy", func(t *testing.T) {
					newBrowserRun(t, b, site, "uppy").fails()
				})
			}

			for _, c := range browserCases {
				for _, client := range c.clients {
					if !isBrowserCaseSelected(store, c, client) {
						continue
					}
					t.Run(c.name+"/"+client, func(t *testing.T) {
						switch {
						case client == "uppy" && store.needsHeaders:
							c.run(newProxyRun(t, b, proxySite, client))
						case client == "tus":
							// Requests of tus always go to the handler.
							c.run(newProxyRun(t, b, site, client))
						default:
							c.run(newBrowserRun(t, b, site, client))
						}
					})
				}
			}
		})
	}
}

// isBrowserCaseSelected reports whether a case is run with a client on a store. With the memory
// store or $OMNIBUCKET_BROWSERS=all, every case is run. Otherwise only the case "whole" is run,
// with clients that send straight to the store.
func isBrowserCaseSelected(store browserStore, c browserCase, client string) bool {
	if store.name == "memory" || os.Getenv("OMNIBUCKET_BROWSERS") == "all" {
		return true
	}
	isStraightToStore := client != "tus"
	return c.name == "whole" && isStraightToStore
}

// newProxyRun returns a run with a new file. The client sends the bytes of the file to the handler,
// and the handler passes them on to the store.
func newProxyRun(t *testing.T, b *browser, site *browserSite, client string) *browserRun {
	t.Helper()
	run := newBrowserRun(t, b, site, client)
	run.wire = site.toServer
	return run
}

// newBrowserRun returns a run with a new file. The client sends the bytes of the file to the store.
func newBrowserRun(t *testing.T, b *browser, site *browserSite, client string) *browserRun {
	t.Helper()
	site.toServer.pass()
	site.toStore.pass()

	run := &browserRun{
		T:           t,
		b:           b,
		sessionSite: site,
		wire:        site.toStore,
		client:      client,
		path:        filepath.Join(t.TempDir(), client+" "+rand.Text()+".bin"),
		content:     make([]byte, browserFileSize),
	}

	_, _ = rand.Read(run.content)
	require.NoError(t, os.WriteFile(run.path, run.content, 0o600))
	return run
}

// A browserRun is one case with one client on one store.
type browserRun struct {
	*testing.T
	b           *browser
	sessionSite *browserSite
	wire        *wire // on which the bytes go
	client      string
	path        string
	content     []byte
}

func (r *browserRun) open(script string) *tab { return r.b.open(r.T, r.sessionSite.url, script) }

// isStored checks that the clients report no error, and that the file is stored under n keys, with
// its content.
func (r *browserRun) isStored(n int, outcomes ...outcome) {
	r.Helper()
	for _, o := range outcomes {
		require.Empty(r, o.Error)
	}

	keys := r.sessionSite.completed(filepath.Base(r.path))
	require.Len(r, slices.Compact(slices.Sorted(slices.Values(keys))), n)
	for _, o := range outcomes {
		if o.Value.Key != "" {
			require.Contains(r, keys, o.Value.Key)
		}
	}

	for _, key := range keys {
		content, _, err := storage.ReadAll(r.Context(), r.sessionSite.bucket, key)
		require.NoError(r, err)
		require.True(r, slices.Equal(r.content, content), "the object has another content than the file")
	}
}

// whole uploads a file without any disturbance, and checks the stored file.
func (r *browserRun) whole() {
	tab := r.open("")
	defer tab.close()
	tab.begin(r.client, r.path)
	r.isStored(1, tab.result())
	require.Equal(r, int64(len(r.content)), r.wire.bytes(), "every byte is sent once")
}

// inOneRequest checks that a file is stored if Uppy sends it to the handler as one form, not in
// parts.
func (r *browserRun) inOneRequest() {
	tab := r.open("")
	defer tab.close()
	tab.choose(r.path)
	tab.evaluate(fmt.Sprintf("void window.begin(%q, { inOneRequest: true })", r.client))
	r.isStored(1, tab.result())
}

// fails checks that nothing is stored, and that the page reports an error.
func (r *browserRun) fails() {
	tab := r.open("")
	defer tab.close()
	tab.begin(r.client, r.path)
	require.NotEmpty(r, tab.result().Error)
	require.Empty(r, r.sessionSite.completed(filepath.Base(r.path)))
}

// beginAndHold begins the upload, and returns when at least one part is stored and the rest
// does not move.
func (r *browserRun) beginAndHold(tab *tab, begin func()) {
	r.Helper()
	hit := r.wire.holdAt(browserHoldAt)
	begin()

	for finished := false; !finished; {
		select {
		case <-hit:
			finished = true
		case <-time.After(time.Second):
			require.Equal(r, "false", string(tab.evaluate("window.ended")), "the upload ended before")
		}
	}

	if r.client != "tus" {
		require.Eventually(r, func() bool { return r.wire.wholeBodies() > 0 }, time.Minute, 10*time.Millisecond)
	}
}

// reload checks that the page continues the upload after a reload, and does not send stored parts again.
func (r *browserRun) reload() {
	tab := r.open("")
	defer tab.close()
	r.beginAndHold(tab, func() {
		tab.beginSlowly(r.client, r.path)
	})
	if r.client == "uppy" {
		tab.wait("Object.keys(sessionStorage).length > 0") // the page noted a part
	}
	tab.reload()
	r.wire.pass()
	if r.client == "ours" {
		unfinished := fmt.Sprintf(`[{"name": %q, "size": %d}]`, filepath.Base(r.path), browserFileSize)
		require.JSONEq(r, unfinished, string(tab.evaluate("window.unfinished()")))
	}

	tab.begin(r.client, r.path)
	r.isStored(1, tab.result())
	require.LessOrEqual(r, r.wire.bytes(), int64(browserFileSize-browserPartSize), "what was stored before is not sent again")

	if r.client == "ours" {
		require.JSONEq(r, `[]`, string(tab.evaluate("window.unfinished()")))
	}
}

// cut checks that the client resumes after a connection was cut in the middle of the file.
func (r *browserRun) cut() {
	tab := r.open("")
	defer tab.close()
	r.wire.cutAt(browserFileSize / 2)
	tab.begin(r.client, r.path)
	r.isStored(1, tab.result())
}

// offline checks that the client resumes after the browser was offline.
func (r *browserRun) offline() {
	tab := r.open("")
	defer tab.close()
	r.beginAndHold(tab, func() {
		tab.beginSlowly(r.client, r.path)
	})
	r.b.do(r.T, "offline", map[string]any{"value": true})
	r.wire.pass()
	r.b.do(r.T, "offline", map[string]any{"value": false})
	r.isStored(1, tab.result())
}

// changedFile changes a file while it is sent, and checks that the page reports the change instead
// of a lost connection. The connection is cut after the change, because the browser may have read
// the rest of the file before.
func (r *browserRun) changedFile() {
	tab := r.open("")
	defer tab.close()
	r.beginAndHold(tab, func() {
		tab.beginSlowly(r.client, r.path)
	})
	r.b.do(r.T, "offline", map[string]any{"value": true})
	require.NoError(r, os.WriteFile(r.path, []byte("another file"), 0o600))
	r.wire.cutAt(1)

	r.b.do(r.T, "offline", map[string]any{"value": false})
	require.Contains(r, tab.result().Error, "The file was changed or removed")
	require.Empty(r, r.sessionSite.completed(filepath.Base(r.path)))
}

// twoTabs checks that the second of two tabs with one file waits for the first one, and reports the
// same object.
func (r *browserRun) twoTabs() {
	first := r.open("")
	second := r.open("")
	defer first.close()
	defer second.close()
	r.beginAndHold(first, func() {
		first.beginSlowly(r.client, r.path)
	})
	second.begin(r.client, r.path)
	second.wait("window.upload.state === 'waiting'")
	r.wire.pass()
	firstOutcome := first.result()
	secondOutcome := second.result()

	require.Equal(r, firstOutcome, outcome{Value: secondOutcome.Value, First: firstOutcome.First})
	r.isStored(1, firstOutcome, secondOutcome)
}

// twoTabsWithoutLocks checks that two tabs that send the same upload do no harm.
func (r *browserRun) twoTabsWithoutLocks() {
	const script = "Object.defineProperty(navigator, 'locks', { value: undefined })"
	first := r.open(script)
	second := r.open(script)
	defer first.close()
	defer second.close()
	r.beginAndHold(first, func() {
		first.beginSlowly(r.client, r.path)
	})
	second.begin(r.client, r.path)
	if r.client == "tus" {
		second.wait("window.sent.length > 0")
	}

	r.wire.pass()
	r.isStored(1, first.result(), second.result())
}

// twoUploads checks that two tabs that send the same file store it twice.
func (r *browserRun) twoUploads() {
	first := r.open("")
	second := r.open("")
	defer first.close()
	defer second.close()
	first.begin(r.client, r.path)
	second.begin(r.client, r.path)
	r.isStored(2, first.result(), second.result())
}

// fileHandle chooses a file as a file handle, and checks that the page opens the file without a
// dialog after a reload.
func (r *browserRun) fileHandle() {
	tab := r.open("")
	defer tab.close()
	tab.choose(r.path)
	r.beginAndHold(tab, func() {
		tab.evaluate("window.beginFromHandle()")
	})
	tab.reload()
	r.wire.pass()

	tab.evaluate("window.continueFromHandle()")
	r.isStored(1, tab.result())
	require.LessOrEqual(r, r.wire.bytes(), int64(browserFileSize-browserPartSize))
}
