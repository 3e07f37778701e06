package gocache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A build has the go command's ends of the pipes to a server.
type build struct {
	t        *testing.T
	server   *server
	in       io.WriteCloser
	out      *json.Decoder
	ended    chan error
	warnings *[]string
	lastID   int64
}

func defaultSettings() settings {
	return settings{uploads: 4, patience: 2 * time.Second, closeTimeout: time.Minute}
}

// start starts a build with a directory and a store.
func start(t *testing.T, dir string, bucket storage.Bucket, set settings) *build {
	t.Helper()
	return startContext(t.Context(), t, dir, bucket, set)
}

// startContext starts a build whose server uses the store until ctx ends.
func startContext(ctx context.Context, t *testing.T, dir string, bucket storage.Bucket, set settings) *build {
	t.Helper()
	d, err := openDisk(dir)
	require.NoError(t, err)
	var warnings []string
	s := newServer(ctx, d, bucket, set, func(err error) {
		warnings = append(warnings, err.Error())
	})
	serverIn, stdin := io.Pipe()
	stdout, serverOut := io.Pipe()
	b := &build{
		t:        t,
		server:   s,
		in:       stdin,
		out:      json.NewDecoder(stdout),
		ended:    make(chan error, 1),
		warnings: &warnings,
	}

	go func() {
		err := s.serve(serverIn, serverOut)
		_ = serverOut.CloseWithError(io.EOF)
		_ = serverIn.Close()
		b.ended <- err
	}()
	require.Equal(t, []string{"get", "put", "close"}, b.response().KnownCommands)
	return b
}

func (b *build) send(text string) {
	b.t.Helper()
	_, err := io.WriteString(b.in, text)
	require.NoError(b.t, err)
}

// request sends a request as the go command does, and returns the response. The body, if there is
// one, follows an empty line, as a line of JSON.
func (b *build) request(command string, action, output []byte, body string) *response {
	b.t.Helper()
	b.lastID++
	line, err := json.Marshal(request{
		ID:       b.lastID,
		Command:  command,
		ActionID: action,
		OutputID: output,
		BodySize: int64(len(body)),
	})
	require.NoError(b.t, err)
	text := string(line) + "\n\n"
	if body != "" {
		text += `"` + base64.StdEncoding.EncodeToString([]byte(body)) + "\"\n"
	}
	b.send(text)

	resp := b.response()
	require.Equal(b.t, b.lastID, resp.ID)
	return resp
}

// response reads the next response of the server.
func (b *build) response() *response {
	b.t.Helper()
	resp := &response{}
	require.NoError(b.t, b.out.Decode(resp))
	return resp
}

// action returns the id of an action by name.
func action(name string) []byte {
	sum := sha256.Sum256([]byte("action " + name))
	return sum[:]
}

// put puts an output of the named action.
func (b *build) put(name, content string) {
	b.t.Helper()
	sum := sha256.Sum256([]byte(content))
	resp := b.request("put", action(name), sum[:], content)
	require.Empty(b.t, resp.Err)
	require.Equal(b.t, content, readText(b.t, resp.DiskPath))
}

// requireHit requests the output of an action. There must be an output with this content.
func (b *build) requireHit(name, content string) {
	b.t.Helper()
	resp := b.request("get", action(name), nil, "")
	require.Empty(b.t, resp.Err)
	require.False(b.t, resp.Miss, name)

	sum := sha256.Sum256([]byte(content))
	require.Equal(b.t, sum[:], resp.OutputID)
	require.Equal(b.t, int64(len(content)), resp.Size)
	require.True(b.t, filepath.IsAbs(resp.DiskPath))
	require.Equal(b.t, content, readText(b.t, resp.DiskPath))
	require.NotNil(b.t, resp.Time)
}

// requireMiss requests the output of an action. There must be no output.
func (b *build) requireMiss(name string) {
	b.t.Helper()
	require.Equal(b.t, &response{ID: b.lastID + 1, Miss: true}, b.request("get", action(name), nil, ""))
}

// close ends the build, and returns the warnings.
func (b *build) close() []string {
	b.t.Helper()
	require.Empty(b.t, b.request("close", nil, nil, "").Err)
	require.NoError(b.t, <-b.ended)
	require.NoError(b.t, b.in.Close())
	return *b.warnings
}

// readText returns the content of a file.
func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// outputs has contents of the sizes at which the cache or its protocol changes its behavior.
var outputs = map[string]string{
	"empty":  "",
	"small":  "package archive",
	"quote":  "\"\n\\\x00",
	"buffer": strings.Repeat("0123456789abcdef", 4096),
	"large":  strings.Repeat("0123456789abcde", 200_000),
}

// A machine gets each output of another machine with one request to the store. Later, it gets the
// output from its own directory.
func TestOutputsAreShared(t *testing.T) {
	injector := faults.New() // counts the requests to the store
	bucket := memstore.New(driver.WithLayer(injector.Layer()))

	// The first machine makes each output. The sizes of the outputs are those at which the cache or
	// its protocol changes its behavior.
	first := start(t, t.TempDir(), bucket, defaultSettings())
	for name, content := range outputs {
		first.requireMiss(name)
		first.put(name, content)
		first.requireHit(name, content)
	}
	require.Empty(t, first.close())
	require.Len(t, foldermarker.Keys(t, bucket), len(outputs))
	require.Equal(t, len(outputs), injector.Count(faults.Put), "one request for each output")

	// Another machine gets each output from the store, and then from its directory.
	injector.Reset()
	dir := t.TempDir()
	second := start(t, dir, bucket, defaultSettings())
	for name, content := range outputs {
		second.requireHit(name, content)
		second.requireHit(name, content)
	}
	require.Empty(t, second.close())
	require.Equal(t, len(outputs), injector.Count(faults.Any), "one request for each output")
	require.EqualValues(t, len(outputs), second.server.stats.remoteHits.Load())
	require.EqualValues(t, len(outputs), second.server.stats.localHits.Load())

	// A later build on that machine needs no request.
	injector.Reset()
	third := start(t, dir, bucket, defaultSettings())
	for name, content := range outputs {
		third.requireHit(name, content)
	}
	require.Empty(t, third.close())
	require.Zero(t, injector.Count(faults.Any))
	require.Empty(t, temporaryFiles(t, dir))
}

// temporaryFiles returns the files that a server has not finished in a cache directory.
func temporaryFiles(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, diskFolder, "tmp"))
	require.NoError(t, err)
	return files
}

// With the setting readOnly, outputs go to the directory, and not to the store.
func TestReadOnlyUploadsNothing(t *testing.T) {
	bucket := memstore.New()
	set := defaultSettings()
	set.readOnly = true
	b := start(t, t.TempDir(), bucket, set)
	b.put("a", "text")

	b.requireHit("a", "text")
	require.Empty(t, b.close())
	require.Empty(t, foldermarker.Keys(t, bucket))
}

// If two machines store different outputs of one action, the store keeps the first one. So later
// builds agree.
func TestSecondOutputOfAnActionIsNotStored(t *testing.T) {
	bucket := memstore.New()
	first := start(t, t.TempDir(), bucket, defaultSettings())
	second := start(t, t.TempDir(), bucket, defaultSettings())

	first.put("a", "first")
	require.Empty(t, first.close())

	// The second machine uses its own output, but the store does not get it.
	second.put("a", "second")
	second.requireHit("a", "second")
	require.Empty(t, second.close())

	// A later build gets the first output from the store.
	third := start(t, t.TempDir(), bucket, defaultSettings())
	third.requireHit("a", "first")
	require.Empty(t, third.close())
}

// An invalid object in the store counts as a miss and causes one warning. The next put replaces the
// object.
func TestWrongObjectsAreRefused(t *testing.T) {
	// An object is the line of an entry, and then the output. This is the entry of the output
	// "text" of action a.
	right := entry{action: id(action("a")), output: sha256.Sum256([]byte("text")), size: 4, storedAt: time.Now()}

	// Each of these entries has one wrong field.
	otherAction := right
	otherAction.action = id(action("other"))
	long := right
	long.size = 5
	negative := right
	negative.size = -4
	huge := right
	huge.size = maxOutput + 1

	for _, tt := range []struct {
		name   string
		object string
	}{
		{name: "empty", object: ""},
		{name: "other text", object: strings.Repeat("<html>", 1000)},
		{name: "other content", object: right.line() + "tex!"},
		{name: "shorter content", object: right.line() + "tex"},
		{name: "longer content", object: right.line() + "text!"},
		{name: "other size", object: long.line() + "text!"},
		{name: "negative size", object: negative.line()},
		{name: "huge size", object: huge.line() + "text"},
		{name: "other action", object: otherAction.line() + "text"},
		{name: "other format", object: strings.Replace(right.line(), "gocache1", "gocache2", 1) + "text"},
		{name: "no line", object: strings.TrimSuffix(right.line(), "\n")},
		{name: "path", object: "gocache1 ../../../../etc/passwd ../../x 4 0\ntext"},
		{name: "long line", object: strings.Repeat("x", 1<<20) + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := bucket.Upload(t.Context(), key(right.action), strings.NewReader(tt.object))
			require.NoError(t, err)
			dir := t.TempDir()
			b := start(t, dir, bucket, defaultSettings())

			b.requireMiss("a")
			// The second miss causes no second warning.
			b.requireMiss("a")
			b.put("a", "text")

			warnings := b.close()
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], "an output of the build cache was refused and is built again")
			require.Empty(t, temporaryFiles(t, dir))

			// Another machine gets the object that this put has stored.
			next := start(t, t.TempDir(), bucket, defaultSettings())
			next.requireHit("a", "text")
			require.Empty(t, next.close())
		})
	}
}

// If a store fails, hangs or is slow, a build with it still ends in time. The build prints one or
// two warnings.
func TestStoreFailures(t *testing.T) {
	// A build sends no more requests when failures and slow answers have taken as long as its patience.
	patience := defaultSettings().patience
	const (
		bytesBeforeStall = 100
		bytesPerSecond   = 100
		damagedByte      = 300 // offset in the object
	)
	denied := faults.Fail(faults.Any).WithError(&storage.Error{Code: storage.PermissionDenied})

	tests := []struct {
		name    string
		fault   faults.Rule
		limit   time.Duration // of the whole build
		warning string        // part of one
	}{
		{name: "all requests fail", fault: faults.Fail(faults.Any), limit: patience, warning: "continues without"},
		{name: "all requests hang", fault: faults.Stall(faults.Any), limit: patience, warning: "in time"},
		{name: "bodies hang", fault: faults.StallBody(bytesBeforeStall), limit: patience, warning: "in time"},
		{
			name:    "bodies are slow",
			fault:   faults.SlowBody(bytesPerSecond),
			limit:   patience + time.Second,
			warning: "in time",
		},
		{
			name:    "gets are slow",
			fault:   faults.Delay(faults.Get, time.Second),
			limit:   patience + 2*time.Second, // some of the wait is usual
			warning: "in time",
		},
		{name: "gets are damaged", fault: faults.Corrupt(faults.Get, damagedByte), limit: patience, warning: "refused"},
		{name: "all requests are denied", fault: denied, limit: patience, warning: "permission denied"},
		{name: "puts fail", fault: faults.Fail(faults.Put), limit: time.Minute, warning: "no more outputs"},
		{name: "puts hang", fault: faults.Stall(faults.Put), limit: patience, warning: "not all outputs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A first build fills the store. A second build, on another machine, meets the fault.
			synctest.Test(t, func(t *testing.T) { testStoreFailure(t, tt.fault, tt.limit, tt.warning) })
		})
	}
}

// testStoreFailure fills a store by a first build. A second build, on another machine, meets the fault.
func testStoreFailure(t *testing.T, fault faults.Rule, limit time.Duration, warning string) {
	const actions = 20
	content := strings.Repeat("x", 1000)
	injector := faults.New()
	bucket := memstore.New(driver.WithLayer(injector.Layer()))

	first := start(t, t.TempDir(), bucket, defaultSettings())
	for i := range actions {
		first.put(fmt.Sprint(i), content)
	}
	require.Empty(t, first.close())

	injector.Set(fault)
	startTime := time.Now()
	second := start(t, t.TempDir(), bucket, defaultSettings())
	for i := range actions {
		second.request("get", action(fmt.Sprint(i)), nil, "") // may be a miss
		second.put("new"+fmt.Sprint(i), content)
	}
	warnings := second.close()

	require.LessOrEqual(t, time.Since(startTime), limit)
	require.NotEmpty(t, warnings)
	require.LessOrEqual(t, len(warnings), 2)
	require.Contains(t, strings.Join(warnings, "\n"), warning)
}

// The cache stops using a store when slow answers have used up a budget of time. Fast hits add to
// the budget. So the cache goes on using a store that is only sometimes slow.
func TestPatienceIsReturnedByHits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 2 * time.Second
		const fast = 100 * time.Millisecond
		const small = 10 // bytes
		budget := newTimeBudget(patience)
		// An answer is slow if it takes longer than usualWait. The budget loses only the time after
		// that. isSpent reports whether the budget is used up after an answer that had this size
		// and took this long.
		isSpent := func(wait time.Duration, size int64) bool {
			begin := time.Now()
			time.Sleep(wait)
			return budget.addAnswer(begin, size)
		}

		// A slow hit takes at most as much time from the budget as eight fast hits add to it.
		const slowBy = 400 * time.Millisecond
		for range 100 {
			require.False(t, isSpent(usualWait+slowBy, small))
			for range 8 {
				require.False(t, isSpent(fast, small))
			}
		}
		require.False(t, isSpent(time.Minute, 60<<20), "a large body takes its time")

		// One slow answer takes the whole budget except for a rest.
		const rest = 100 * time.Millisecond
		require.False(t, isSpent(usualWait+patience-rest, 0))

		// Misses have no bytes, and add nothing to the budget, however fast they are.
		for range 100 {
			require.False(t, isSpent(fast, 0))
		}

		// So the next slow answer, longer than the rest, uses up the budget.
		require.True(t, isSpent(usualWait+2*rest, small))
	})
}

// If several requests wait for the store at the same time, the budget loses the time of their wait
// only once.
func TestPatienceCountsWaitsAtTheSameTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 2 * time.Second
		const wait = time.Second
		budget := newTimeBudget(patience)
		start := time.Now()
		time.Sleep(wait)

		// Two requests began at the start, and a third one began a little later.
		require.False(t, budget.addFailure(start))
		require.False(t, budget.addFailure(start))
		require.False(t, budget.addFailure(start.Add(100*time.Millisecond)))
		require.Equal(t, patience-wait, budget.remaining())
	})
}

// If some uploads are not complete at the close timeout, the build drops them. It ends with one
// warning.
func TestCloseTimeoutDropsUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outputCount = 100 // each takes a second
		injector := faults.New(faults.Delay(faults.Put, time.Second))
		bucket := memstore.New(driver.WithLayer(injector.Layer()))
		set := defaultSettings()
		set.uploads = 1 // at a time
		set.closeTimeout = 10 * time.Second
		b := start(t, t.TempDir(), bucket, set)
		for i := range outputCount {
			b.put(fmt.Sprint(i), "text")
		}

		begin := time.Now()
		warnings := b.close()
		require.Equal(t, set.closeTimeout, time.Since(begin).Round(time.Second))
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0], "--close-timeout")

		stats := &b.server.stats
		require.EqualValues(t, outputCount, stats.uploads.Load()+stats.dropped.Load())
		require.NotZero(t, stats.dropped.Load())
	})
}

// After an interrupt, gocache still answers the go command from its directory until the build ends.
func TestInterruptEndsOnlyTheUseOfTheStore(t *testing.T) {
	injector := faults.New()
	bucket := memstore.New(driver.WithLayer(injector.Layer()))
	ctx, cancel := context.WithCancel(t.Context())
	b := startContext(ctx, t, t.TempDir(), bucket, defaultSettings())
	cancel()

	b.requireMiss("a")
	b.put("a", "text")
	b.requireHit("a", "text")
	require.Empty(t, b.close())
	require.Zero(t, injector.Count(faults.Any))
}

// The end of standard input has the effect of a close request, because "go list -export" sends none.
func TestEndOfInputIsLikeClose(t *testing.T) {
	bucket := memstore.New()
	b := start(t, t.TempDir(), bucket, defaultSettings())
	b.put("a", "text")
	require.NoError(t, b.in.Close())
	require.NoError(t, <-b.ended)
	require.Len(t, foldermarker.Keys(t, bucket), 1)
}

// If a file of the cache directory is missing or damaged, a get is a miss, and the next put repairs the file.
func TestDamagedFilesAreMisses(t *testing.T) {
	bucket := memstore.New()
	set := defaultSettings()
	// Without uploads, no store has an output. The directory alone can have one.
	set.readOnly = true
	a := id(action("a"))

	for _, tt := range []struct {
		name string
		// damage gets two paths: that of the output of action a, and that of the index file that
		// names this output.
		damage func(t *testing.T, d *disk, index, output string)
	}{
		{
			name: "output is missing",
			damage: func(t *testing.T, _ *disk, _, output string) {
				require.NoError(t, os.Remove(output))
			},
		},
		{
			name: "output is empty",
			damage: func(t *testing.T, _ *disk, _, output string) {
				require.NoError(t, os.Truncate(output, 0))
			},
		},
		{
			name: "index is empty",
			damage: func(t *testing.T, _ *disk, index, _ string) {
				require.NoError(t, os.Truncate(index, 0))
			},
		},
		{
			name: "index is cut",
			damage: func(t *testing.T, _ *disk, index, _ string) {
				require.NoError(t, os.Truncate(index, 100))
			},
		},
		{
			name: "index of another action",
			damage: func(t *testing.T, d *disk, index, _ string) {
				require.NoError(t, os.Rename(d.indexPath(id(action("b"))), index))
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := start(t, dir, bucket, set)
			b.put("a", "text")
			b.put("b", "other")

			d := b.server.disk
			output := d.outputPath(sha256.Sum256([]byte("text")))
			tt.damage(t, d, d.indexPath(a), output)
			b.requireMiss("a")

			b.put("a", "text")
			b.requireHit("a", "text")
			require.Empty(t, b.close())
		})
	}
}

// An invalid request gets an error. If the server cannot find the next request after the invalid
// one, it ends, and leaves no temporary file.
func TestInvalidRequests(t *testing.T) {
	get := func(fields string) string { return `{"ID":1,"Command":"get",` + fields + "}\n" }
	valid := base64.StdEncoding.EncodeToString(action("a"))
	put := func(size, body string) string {
		return `{"ID":1,"Command":"put","ActionID":"` + valid + `","OutputID":"` + valid + `","BodySize":` + size + "}\n" + body
	}

	for _, tt := range []struct {
		name    string
		text    string
		wantErr string // part of the Err of the response, or of the error that ends the server
		ends    bool   // the server ends, because the beginning of the next request is unknown
	}{
		{name: "unknown command", text: `{"ID":1,"Command":"get2"}` + "\n", wantErr: "unknown command"},
		{name: "no id", text: get(`"BodySize":0`), wantErr: "ActionID: id must have 32 bytes"},
		{name: "short id", text: get(`"ActionID":"AAAA"`), wantErr: "ActionID: id must have 32 bytes"},
		{name: "long id", text: get(`"ActionID":"` + strings.Repeat("AAAA", 1000) + `"`), wantErr: "ActionID: id must have 32 bytes"},
		{name: "path as an id", text: get(`"ActionID":"../../etc/passwd"`), wantErr: "line of JSON", ends: true},
		{name: "number as an id", text: get(`"ActionID":7`), wantErr: "line of JSON", ends: true},
		{name: "no JSON", text: "GET / HTTP/1.1\r\n\r\n", wantErr: "line of JSON", ends: true},
		{name: "nested JSON", text: strings.Repeat("[", 10_000) + "\n", wantErr: "line of JSON", ends: true},
		{name: "long line", text: strings.Repeat("x", 1<<20) + "\n", wantErr: "more than", ends: true},
		{name: "long line of JSON", text: get(`"ActionID":"` + strings.Repeat("AAAA", 8000) + `"`), wantErr: "more than", ends: true},
		{name: "half a line", text: `{"ID":1`, wantErr: "unexpected EOF", ends: true},
		{name: "body of a get", text: get(`"BodySize":1`), wantErr: "invalid BodySize", ends: true},
		{name: "negative size", text: put("-1", ""), wantErr: "invalid BodySize", ends: true},
		{name: "size above all integers", text: put("99999999999999999999", ""), wantErr: "line of JSON", ends: true},
		{name: "short body", text: put("5", "\"dGV4dA==\"\n"), wantErr: "BodySize", ends: true},
		{name: "long body", text: put("3", "\"dGV4dA==\"\n"), wantErr: "BodySize", ends: true},
		{name: "empty body", text: put("3", "\"\"\n"), wantErr: "BodySize", ends: true},
		{name: "body with two paddings", text: put("4", "\"dGV4dA==dGV4dA==\"\n"), wantErr: "BodySize", ends: true},
		{name: "body in two lines", text: put("4", "\"dGV4\ndA==\"\n"), wantErr: "BodySize", ends: true},
		{name: "body with an escape", text: put("4", "\"dGV4\\u0041\"\n"), wantErr: "BodySize", ends: true},
		{name: "body without quotes", text: put("4", "dGV4dA==\n"), wantErr: "BodySize", ends: true},
		{name: "body without an end", text: put("4", "\"dGV4dA=="), wantErr: "BodySize", ends: true},
		{name: "body is missing", text: put("4", ""), wantErr: "BodySize", ends: true},
		{name: "huge body that ends", text: put("9223372036854775807", "\"dGV4dA==\"\n"), wantErr: "BodySize", ends: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := start(t, dir, memstore.New(), defaultSettings())
			go func() {
				_, _ = io.WriteString(b.in, tt.text) // fails if the server stops reading
				if tt.ends {
					_ = b.in.Close()
				}
			}()

			// After some errors, the server answers the next requests.
			if !tt.ends {
				require.Contains(t, b.response().Err, tt.wantErr)
				b.put("next", "text")
				b.requireHit("next", "text")
				require.Empty(t, b.close())
				return
			}

			err := <-b.ended
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantErr)
			require.Empty(t, temporaryFiles(t, dir))
		})
	}
}

// The id of an output is the hash of its content. If a put has an id with another hash, the build
// still gets the output, but the output is never stored.
func TestPutContentWithOtherHash(t *testing.T) {
	bucket := memstore.New()
	b := start(t, t.TempDir(), bucket, defaultSettings())
	b.put("right", "right")
	sum := sha256.Sum256([]byte("right"))

	// The build puts another content under the hash of "right". It gets a file with this content,
	// but a later get is a miss.
	resp := b.request("put", action("a"), sum[:], "wrong")
	require.Equal(t, "wrong", readText(t, resp.DiskPath))
	require.True(t, b.request("get", action("a"), nil, "").Miss)

	// The right output stays, and it is the only object in the store.
	b.requireHit("right", "right")
	warnings := b.close()
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "SHA-256")
	require.Len(t, foldermarker.Keys(t, bucket), 1)
}

// A build replaces wrong objects, however many there are, because they do not count as failures of the store.
func TestGetManyWrongObjects(t *testing.T) {
	bucket := memstore.New()
	var names []string
	for i := range 3 * maxFailures {
		name := fmt.Sprint("action ", i)
		names = append(names, name)
		_, err := bucket.Upload(t.Context(), key(id(action(name))), strings.NewReader("wrong"))
		require.NoError(t, err)
	}

	b := start(t, t.TempDir(), bucket, defaultSettings())
	for _, name := range names {
		b.requireMiss(name)
		b.put(name, "content of "+name)
	}
	require.Len(t, b.close(), 1, "one warning for all wrong objects")

	// Another machine gets the objects that these puts have stored.
	next := start(t, t.TempDir(), bucket, defaultSettings())
	for _, name := range names {
		next.requireHit(name, "content of "+name)
	}
	require.Empty(t, next.close())
}

// Concurrent builds may share a cache directory and a store.
func TestBuildsAtOnceShareADirectory(t *testing.T) {
	const builds = 8
	const actions = 30
	dir := t.TempDir()
	bucket := memstore.New()

	var group sync.WaitGroup
	for range builds {
		b := start(t, dir, bucket, defaultSettings())
		group.Go(func() {
			for i := range actions {
				name := fmt.Sprint(i)
				content := strings.Repeat(name, 5000)
				// Another build may have put this output already.
				if b.request("get", action(name), nil, "").Miss {
					b.put(name, content)
				}
				b.requireHit(name, content)
			}
			require.Empty(t, b.close())
		})
	}
	group.Wait()

	require.Len(t, foldermarker.Keys(t, bucket), actions)
	require.Empty(t, temporaryFiles(t, dir))
}

// At most once a day, a server removes files that were not used for some days. A hit counts as use.
func TestTrimRemovesUnusedFiles(t *testing.T) {
	// The content of each output is the name of its action.
	dir := t.TempDir()
	bucket := memstore.New()
	b := start(t, dir, bucket, defaultSettings())
	b.put("unused", "unused")
	b.put("used", "used")
	d := b.server.disk
	require.Empty(t, b.close())

	// A cache directory has an index file for each action, a file for each output, and temporary files.
	index := func(name string) string { return d.indexPath(id(action(name))) }
	output := func(content string) string { return d.outputPath(sha256.Sum256([]byte(content))) }
	leftover := filepath.Join(d.temporary(), "new-killed") // of a server that was killed
	require.NoError(t, os.WriteFile(leftover, nil, 0o600))

	// All files are six days old. A server does not keep files that long.
	sixDaysAgo := time.Now().Add(-6 * 24 * time.Hour)
	makeOld := func(paths ...string) {
		for _, path := range paths {
			require.NoError(t, os.Chtimes(path, sixDaysAgo, sixDaysAgo))
		}
	}
	makeOld(index("unused"), output("unused"), index("used"), output("used"), leftover)

	// A hit uses one output. The server removes nothing.
	b = start(t, dir, bucket, defaultSettings())
	b.requireHit("used", "used") // sets the times of its files
	require.Empty(t, b.close())
	require.FileExists(t, index("unused"), "the last trim was less than a day ago")

	// The time of the file "trimmed" is that of the last trim. When it is more than a day ago, a
	// server removes what was not used.
	makeOld(filepath.Join(d.dir, "trimmed"))
	require.Empty(t, start(t, dir, bucket, defaultSettings()).close())
	require.NoFileExists(t, index("unused"))
	require.NoFileExists(t, output("unused"))
	require.NoFileExists(t, leftover)
	require.FileExists(t, index("used"))
	require.FileExists(t, output("used"))
}
