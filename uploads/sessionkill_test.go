package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

var errDead = errors.New("the process was killed")

// A processKiller kills a process at one of its calls to the store: this call and all later ones fail.
type processKiller struct {
	atCall     int           // the number of the call, from 1
	afterCall  bool          // the store does the call, and only its response is lost
	clockAhead time.Duration // of the clock of the process

	mu    sync.Mutex
	calls int
}

// layer is the layer of the process's bucket.
func (k *processKiller) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		return k.call(ctx, next)
	})
}

// call makes a call of the process, unless the process is dead. It kills the process at call k.atCall: before the store
// sees the call or, if k.afterCall is set, after the store has done it.
func (k *processKiller) call(ctx context.Context, next func(context.Context) error) error {
	k.mu.Lock()
	k.calls++
	number := k.calls
	k.mu.Unlock()

	if number < k.atCall {
		return next(ctx)
	}
	isDead := number > k.atCall
	if isDead || !k.afterCall {
		return &storage.Error{Code: storage.Internal, Err: errDead}
	}
	if err := next(ctx); err != nil {
		return err
	}
	return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
}

// hasKilled reports whether the process lived long enough to be killed.
func (k *processKiller) hasKilled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls >= k.atCall
}

// These constants say whether killAtEachCall kills a process before the store sees a call, or after
// the store has done it.
const (
	killBefore = false
	killAfter  = true
)

// killAtEachCall yields a killer that kills a process at its first call to the store, then one that kills another
// process at its second call, and so on. It ends after a process that makes fewer calls.
func killAtEachCall(t *testing.T, after bool) iter.Seq2[int, *processKiller] {
	return func(yield func(call int, killer *processKiller) bool) {
		const mostCalls = 80
		for call := range mostCalls {
			killer := &processKiller{atCall: call + 1, afterCall: after}
			if !yield(call+1, killer) || !killer.hasKilled() {
				return
			}
		}
		require.Fail(t, "calls without end")
	}
}

// An interruptedUpload is an upload during which a server is killed or the store fails. The client continues the
// upload afterwards, perhaps at another server.
type interruptedUpload struct {
	name   string
	config uploads.Config
	begin  func(s *sessionSite) uploader
	key    string // a pattern of the key of the file
	data   []byte // of the file
}

// An uploader is a client that has begun an upload.
type uploader interface {
	// sendRest makes the requests that a kill interrupts. It must not fail the test.
	sendRest(s *sessionSite)
	// resume does what a client does after the kill, until the file is stored.
	resume(s *sessionSite)
}

// send makes a request that may fail.
func (s *sessionSite) send(method, address string, body []byte, pairs ...string) *answer {
	h := headers{"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}
	resp, _ := s.try(s.t.Context(), alice, method, s.rebase(address), bytes.NewReader(body), h)
	return resp
}

// rebase returns the address of an upload at this process, from its address at another one.
func (s *sessionSite) rebase(address string) string {
	_, path, found := strings.Cut(address, "/uploads/")
	if !found {
		return address
	}
	return s.base + "/" + path
}

// continueTus continues an upload as tus clients do.
func (s *sessionSite) continueTus(address string, data []byte) {
	address = s.rebase(address)
	for range 10 {
		head := s.tus("HEAD", address, nil)
		require.Equal(s.t, http.StatusOK, head.StatusCode)
		offset, err := strconv.Atoi(head.Header.Get("Upload-Offset"))
		require.NoError(s.t, err)
		if offset == len(data) {
			return
		}
		s.patch(address, int64(offset), data[offset:], int64(len(data)))
	}
	require.Fail(s.t, "no progress")
}

// uploadsByName returns interrupted uploads of files whose keys contain the name of the file.
func uploadsByName() []interruptedUpload {
	small := content(1000)
	large := content(part + 10_000)
	inspect := func(_ context.Context, u *uploads.File, _ *storage.ReaderAt) error {
		u.ContentType = "image/png"
		return nil
	}

	list := []interruptedUpload{
		{name: "a small file by tus", data: small},
		{name: "a large file by tus", data: large},
		{name: "a small file by tus, inspected", config: uploads.Config{Inspect: inspect}, data: small},
		{name: "a large file by tus, inspected", config: uploads.Config{Inspect: inspect}, data: large},
	}
	for i := range list {
		data := list[i].data
		list[i].begin = func(s *sessionSite) uploader { return beginTus(s, data) }
	}

	beginLarge := func(s *sessionSite) uploader { return beginParts(s, "file", large) }
	list = append(list,
		interruptedUpload{name: "parts", config: uploads.Config{ProxyParts: true}, begin: beginLarge, data: large},
		interruptedUpload{
			name:   "parts, inspected",
			config: uploads.Config{ProxyParts: true, Inspect: inspect},
			begin:  beginLarge,
			data:   large,
		},
		interruptedUpload{
			name:  "a file of pieces",
			begin: func(s *sessionSite) uploader { return beginJoin(s, small) },
			data:  small,
		},
	)
	for i := range list {
		list[i].key = "^files/alice/file$"
	}
	return list
}

// uploadsByContent returns uploads in which the content of the file decides the extension of the key.
func uploadsByContent() []interruptedUpload {
	video := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41"), make([]byte, part+10_000)...)
	pdf := []byte("%PDF-1.7\n" + string(make([]byte, 1000)))
	list := []interruptedUpload{
		{
			name:  "parts of a video",
			begin: func(s *sessionSite) uploader { return beginParts(s, "film.mp4", video) },
			data:  video,
		},
		{
			name:  "a video by the draft",
			begin: func(s *sessionSite) uploader { return beginDraft(s, video) },
			data:  video,
		},
		{
			name:  "a video by tus",
			begin: func(s *sessionSite) uploader { return beginTus(s, video) },
			data:  video,
		},
		{
			name:  "a PDF by tus",
			begin: func(s *sessionSite) uploader { return beginTus(s, pdf) },
			key:   `^alice/[a-z2-7]{26}\.pdf$`,
			data:  pdf,
		},
	}
	for i := range list {
		list[i].config = uploads.Config{
			Rules:      rules.Rules{Types: []string{"video/mp4", "application/pdf"}, MaxSize: 1 << 20},
			Key:        "{user}/{random}{ext}",
			ProxyParts: true,
		}
		if list[i].key == "" {
			list[i].key = `^alice/[a-z2-7]{26}\.mp4$`
		}
	}
	return list
}

// firstBytes is how many bytes of its file a client sends before the process that may be killed takes over.
const firstBytes = 300

// A tusUploader sends a file by tus.
type tusUploader struct {
	location string
	data     []byte
}

func beginTus(s *sessionSite, data []byte) *tusUploader {
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:firstBytes], firstBytes)
	return &tusUploader{location, data}
}

func (u *tusUploader) sendRest(s *sessionSite) {
	s.send("PATCH", u.location, u.data[firstBytes:], "Upload-Offset", strconv.Itoa(firstBytes))
}

func (u *tusUploader) resume(s *sessionSite) { s.continueTus(u.location, u.data) }

// A partsUploader has sent both parts of a file, and completes the upload.
type partsUploader struct{ upload *multipartUpload }

// beginParts begins an upload in parts, and sends both parts.
func beginParts(s *sessionSite, name string, data []byte) *partsUploader {
	u := s.beginMultipart(map[string]any{"filename": name})
	u.sendPart(1, data[:part])
	u.sendPart(2, data[part:])
	return &partsUploader{u}
}

func (u *partsUploader) sendRest(s *sessionSite) { u.complete(s) }

func (u *partsUploader) resume(s *sessionSite) {
	resp := u.complete(s)
	require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
}

func (u *partsUploader) complete(s *sessionSite) *answer {
	return u.upload.at(s).complete(sentPart{1, ""}, sentPart{2, ""})
}

// A joinUploader has sent two uploads of tus, and joins them.
type joinUploader struct {
	concat string // the header Upload-Concat
	size   int
}

// beginJoin sends both pieces of a file by tus. The rest of the upload is to join them.
func beginJoin(s *sessionSite, data []byte) *joinUploader {
	first := data[:400]
	rest := data[400:]
	firstLocation := s.create("Upload-Length", size(first), "Upload-Concat", "partial")
	restLocation := s.create("Upload-Length", size(rest), "Upload-Concat", "partial")
	s.patch(firstLocation, 0, first, int64(len(first)))
	s.patch(restLocation, 0, rest, int64(len(rest)))
	concat := "final;" + firstLocation + " " + restLocation
	return &joinUploader{concat, len(data)}
}

func (u *joinUploader) sendRest(s *sessionSite) { u.join(s) }

func (u *joinUploader) resume(s *sessionSite) {
	resp := u.join(s)
	require.Equal(s.t, http.StatusCreated, resp.StatusCode, string(resp.body))
	require.EqualValues(s.t, u.size, s.offset(s.locationOf(resp, "/tus/")))
}

func (u *joinUploader) join(s *sessionSite) *answer {
	return s.send("POST", s.base+"/tus/", nil, "Upload-Concat", u.concat, "Content-Type", "")
}

// A draftUploader sends a file by the draft of the IETF.
type draftUploader struct {
	location string
	data     []byte
}

func beginDraft(s *sessionSite, data []byte) *draftUploader {
	resp := s.draft("POST", "/tus/", bytes.NewReader(data[:firstBytes]), "Upload-Complete", "?0")
	return &draftUploader{s.locationOf(resp, "/tus/"), data}
}

// sendRest sends all bytes after the first ones. The request may fail.
func (u *draftUploader) sendRest(s *sessionSite) {
	rest := bytes.NewReader(u.data[firstBytes:])
	_, _ = s.try(s.t.Context(), alice, "PATCH", s.rebase(u.location), rest, headers{
		"Upload-Complete": "?1",
		"Upload-Offset":   strconv.Itoa(firstBytes),
		"Content-Type":    "application/partial-upload",
	})
}

// resume sends what the server lacks, as a client does after an interruption.
func (u *draftUploader) resume(s *sessionSite) {
	offset, err := strconv.Atoi(s.draft("HEAD", u.location, nil).Header.Get("Upload-Offset"))
	require.NoError(s.t, err)
	rest := bytes.NewReader(u.data[offset:])
	resp := s.draft("PATCH", u.location, rest, "Upload-Offset", strconv.Itoa(offset))
	require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
}

// requireOnlyFile requires that one file is stored, under a key of this pattern and with these bytes.
func (s *sessionSite) requireOnlyFile(pattern string, want []byte) {
	s.t.Helper()
	objects, _ := s.keys()
	files := slices.DeleteFunc(objects, func(key string) bool {
		return strings.HasPrefix(key, uploads.DefaultPrefix)
	})
	require.Len(s.t, files, 1)
	require.Regexp(s.t, pattern, files[0])
	s.requireStored(files[0], want)
}

// A server is killed at each of its calls to the store in turn, while Config.Rules check the content of a file. The
// file is neither lost nor stored twice.
func TestKilledServerLosesNoJudgedFile(t *testing.T) {
	stores := []struct {
		name      string
		newDriver func(t *testing.T) driver.Driver
	}{
		{name: "memory", newDriver: newMemoryDriver},
		{name: "a directory", newDriver: newDirectoryDriver},
	}
	onlyMemory := stores[:1]
	for _, store := range testserver.Sample(onlyMemory, stores) {
		for _, upload := range uploadsByContent() {
			for _, afterCall := range []bool{killBefore, killAfter} {
				t.Run(fmt.Sprintf("%s, %s, after the call: %v", store.name, upload.name, afterCall), func(t *testing.T) {
					// Kill the server at call 1, 2 and so on, until an upload ends before that call.
					for _, killer := range killAtEachCall(t, afterCall) {
						requireSurvivesKill(t, store.newDriver(t), upload, killer)
					}
				})
			}
		}
	}
}

func newMemoryDriver(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) }

// newDirectoryDriver returns the driver of an empty directory.
func newDirectoryDriver(t *testing.T) driver.Driver {
	t.Helper()
	drv, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	return drv
}

// A server is killed at each of its calls to the store in turn, and another process continues the upload. No
// acknowledged bytes are lost, Config.Stored is called, and nothing is left behind.
func TestKilledServerLosesNothing(t *testing.T) {
	for _, upload := range uploadsByName() {
		for _, afterCall := range []bool{killBefore, killAfter} {
			t.Run(fmt.Sprintf("%s, after the call: %v", upload.name, afterCall), func(t *testing.T) {
				for _, killer := range killAtEachCall(t, afterCall) {
					requireSurvivesKill(t, newMemoryDriver(t), upload, killer)
				}
			})
		}
	}
}

// The claim of a killed server whose clock is an hour ahead ends as early as the claims of other servers.
func TestKilledServerWithFastClock(t *testing.T) {
	for _, upload := range uploadsByName() {
		waitsFiveSeconds := strings.Contains(upload.name, "tus")
		if waitsFiveSeconds {
			continue
		}
		t.Run(upload.name, func(t *testing.T) {
			for _, killer := range killAtEachCall(t, killBefore) {
				killer.clockAhead = time.Hour
				requireSurvivesKill(t, newMemoryDriver(t), upload, killer)
			}
		})
	}
}

// requireSurvivesKill begins an upload at one process, continues it at a process that is killed, and ends it at the
// first process. It requires that the file is then stored, that Stored was called, and that nothing else is left.
func requireSurvivesKill(t *testing.T, drv driver.Driver, j interruptedUpload, killer *processKiller) {
	t.Helper()
	storedCalls := 0
	c := j.config
	c.Stored = func(context.Context, *uploads.File) error {
		storedCalls++
		return nil
	}
	s := newSessionSite(t, engine.New(drv), c)
	upload := j.begin(s)

	victim := newKilledSite(t, drv, killer, c)
	victim.clock.Advance(killer.clockAhead)
	upload.sendRest(victim)
	if killer.clockAhead > 0 {
		// By the clock of the first process, the victim's claim on the upload ends far too late.
		upload.sendRest(s)
	}

	// The dead process's claim on the upload expires.
	s.clock.Advance(3 * time.Minute)
	upload.resume(s)
	s.requireOnlyFile(j.key, j.data)
	require.Positive(t, storedCalls, "killed at call %d", killer.atCall)
	require.NotContains(t, fmt.Sprint(s.keysAfterExpiry()), ".uploads", "killed at call %d", killer.atCall)
}

// newKilledSite returns the site of another process on the same store. The killer ends that process at one of its
// calls to the store.
func newKilledSite(t *testing.T, drv driver.Driver, killer *processKiller, c uploads.Config) *sessionSite {
	t.Helper()
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	return newSessionSite(t, engine.New(drv, driver.WithLayer(killer.layer), noRetry), c)
}

// keysAfterExpiry lets all uploads expire and runs Sweep. It returns all keys that are left, with those of open
// multipart uploads.
func (s *sessionSite) keysAfterExpiry() []string {
	s.t.Helper()
	s.clock.Advance(100 * time.Hour)
	_, err := s.handler.Sweep(s.t.Context())
	require.NoError(s.t, err)
	objects, states := s.keys()
	return append(append(objects, states...), s.openMultiparts()...)
}

// If a server is killed while it takes a file in one request, the client can send the file again, and Stored is called.
func TestKilledServerS3FileInOneRequest(t *testing.T) {
	for _, afterCall := range []bool{killBefore, killAfter} {
		// Kill the server at call 1, 2 and so on, until a request ends before that call.
		for call, killer := range killAtEachCall(t, afterCall) {
			var stored []*uploads.File
			c := uploads.Config{Stored: appendTo(&stored)}
			drv := memstore.NewDriver(memstore.Config{})
			s := newSessionSite(t, engine.New(drv), c)
			address := s.signPut()

			// The server is killed while it takes the file, and then its claim on the upload expires.
			victim := newKilledSite(t, drv, killer, c)
			victim.send("PUT", victim.rebase(address), []byte("abc"))
			s.clock.Advance(3 * time.Minute)

			// The client sends the file again. If the killed server had completed the upload, the client learns it.
			resp := s.putTo(address, []byte("abc"))
			if resp.StatusCode != http.StatusOK {
				require.Equal(t, "409 completed uploadId", resp.refusal(t), "killed at call %d", call)
			}
			require.NotEmpty(t, stored, "killed at call %d", call)
			s.requireStored("files/alice/file", []byte("abc"))
		}
	}
}

// A server was killed while it completed an upload, and the client aborts the upload. Either the abort succeeds and
// nothing is left, or the response says that the upload was completed, and the file is stored.
func TestKilledServerUploadIsNotAborted(t *testing.T) {
	accept := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	small := content(300)
	large := content(part + 5000)
	tests := []struct {
		name    string
		send    func(s, victim *sessionSite, data []byte) (address string) // begins at s, and completes at victim
		data    []byte
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error // Config.Inspect
	}{
		{name: "parts", send: completeAtKilledSite, data: large},
		{name: "parts, inspected", send: completeAtKilledSite, data: large, inspect: accept},
		{name: "tus", send: patchKilledSite, data: large},
		{name: "tus, inspected", send: patchKilledSite, data: large, inspect: accept},
		{name: "tus in one request", send: patchKilledSite, data: small},
		{name: "tus in one request, inspected", send: patchKilledSite, data: small, inspect: accept},
	}
	for _, tt := range tests {
		for _, afterCall := range []bool{killBefore, killAfter} {
			t.Run(fmt.Sprintf("%s, after the call: %v", tt.name, afterCall), func(t *testing.T) {
				// Kill the server at call 1, 2 and so on, until a completion ends before that call.
				filesFound := 0
				for call, killer := range killAtEachCall(t, afterCall) {
					var stored []*uploads.File
					c := uploads.Config{ProxyParts: true, Inspect: tt.inspect, Stored: appendTo(&stored)}
					drv := memstore.NewDriver(memstore.Config{})
					s := newSessionSite(t, engine.New(drv), c)

					// The server is killed while it completes the upload.
					address := tt.send(s, newKilledSite(t, drv, killer, c), tt.data)
					if !killer.hasKilled() {
						break // the completion made fewer calls
					}

					// Its claim on the upload ends.
					s.clock.Advance(3 * time.Minute)

					// The client aborts the upload. If that succeeds, nothing is left.
					resp := s.tus("DELETE", address, nil)
					if resp.StatusCode < 300 {
						require.Empty(t, s.keysAfterExpiry(), "killed at call %d", call)
						continue
					}

					// Otherwise, the file exists, and Stored was called.
					filesFound++
					require.Contains(t, resp.refusal(t), "completed uploadId", "killed at call %d", call)
					require.NotEmpty(t, stored, "killed at call %d", call)
					s.requireStored("files/alice/file", tt.data)
					require.Equal(t, []string{"files/alice/file"}, s.keysAfterExpiry(), "killed at call %d", call)
				}
				require.Positive(t, filesFound, "at no call, the file was made already")
			})
		}
	}
}

// completeAtKilledSite sends a file as one part, completes the upload at a process that the killer ends, and
// returns the address of the upload.
func completeAtKilledSite(s, victim *sessionSite, data []byte) string {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, data)
	u.at(victim).complete(part)
	return s.base + "/s3/multipart/" + u.UploadID
}

// patchKilledSite creates an upload of tus, sends the file to a process that the killer ends, and returns the
// address of the upload.
func patchKilledSite(s, victim *sessionSite, data []byte) string {
	address := s.create("Upload-Length", size(data))
	victim.send("PATCH", address, data, "Upload-Offset", "0")
	return address
}

// If a process is killed during a Sweep, at whichever call to the store, the next Sweep removes what is left.
func TestSweepContinuesAfterAKill(t *testing.T) {
	data := content(part + 1000)

	// Kill the Sweep at call 1, 2 and so on, until a Sweep ends before that call.
	for call, killer := range killAtEachCall(t, killBefore) {
		drv := memstore.NewDriver(memstore.Config{})
		s := newSessionSite(t, engine.New(drv), uploads.Config{ProxyParts: true})

		// One upload by tus and one in parts are unfinished.
		location := s.create("Upload-Length", size(data))
		s.patch(location, 0, data[:part+10], part+10)
		s.beginMultipart(map[string]any{"filename": "b"}).sendPart(1, data[:1000])

		// Both uploads expire. Another process sweeps, and is killed.
		victim := newKilledSite(t, drv, killer, uploads.Config{})
		victim.clock.Advance(100 * time.Hour)
		_, err := victim.handler.Sweep(t.Context())
		if killer.hasKilled() {
			require.ErrorIs(t, err, errDead)
		} else {
			require.NoError(t, err)
		}

		// The next Sweep leaves nothing.
		require.Empty(t, s.keysAfterExpiry(), "killed at call %d", call)
	}
}
