package uploads_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// These are the limits of the user alice.
const (
	allowedBytes = 10_000
	allowedFiles = 6
)

// A sendMethod is one way to upload a file. send returns the code of the error or of the response,
// "" if the file is stored, and something else if the process was killed.
type sendMethod struct {
	name string
	send func(t *testing.T, p *process, data []byte) string
}

// sendMethods are all ways to upload a file.
var sendMethods = []sendMethod{
	{name: "Store", send: tryToStore},
	{name: "Store, of unknown size", send: sendUnsizedToService},
	{name: "a form", send: sendByForm},
	{name: "a ticket", send: sendWithTicket},
	{name: "a ticket, of unknown size", send: sendWithUnsizedTicket},
	{name: "parts", send: sendInParts},
	{name: "parts, of unknown size", send: sendInUnsizedParts},
	{name: "one request of S3", send: sendInSingleRequest},
	{name: "tus", send: sendByTus},
	{name: "tus, of unknown length", send: sendByDeferredTus},
	{name: "joined uploads of tus", send: sendJoined},
	{name: "pieces", send: sendTwoPieces},
}

// A process is one of several processes that serve the same bucket.
type process struct {
	ctx     context.Context
	service *uploads.Service
	store   storage.Bucket // the bucket as the clients of signed addresses see it, which no kill ends
}

// ask makes a request as alice. pairs are names and values of headers.
func (p *process) ask(
	method, target string, body []byte, pairs ...string,
) (status int, header http.Header, text []byte) {
	r := httptest.NewRequestWithContext(p.ctx, method, "http://site.invalid"+target, bytes.NewReader(body))
	r.Header.Set("X-User", alice)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	w := httptest.NewRecorder()
	p.service.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.Bytes()
}

// codeIn returns the code in a response, or "" for a success.
func codeIn(status int, text []byte) string {
	var problem struct{ Code string }
	if status >= 300 && json.Unmarshal(text, &problem) != nil {
		return strconv.Itoa(status)
	}
	return problem.Code
}

// codeOfError returns the code of an error, or "" for nil.
func codeOfError(err error) string {
	if err == nil {
		return ""
	}
	return string(uploads.CodeOf(err))
}

// pathOf returns the path and the query of a URL.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.RequestURI()
}

// tryToStore stores a file of alice with Store, and returns the code of the error or "".
func tryToStore(_ *testing.T, p *process, data []byte) string {
	_, err := p.service.Store(p.ctx, uploads.Upload{
		Body: bytes.NewReader(data),
		Size: int64(len(data)),
		User: uploads.User{ID: alice},
	})
	return codeOfError(err)
}

// storeFile stores a file of alice with Store, which must succeed.
func (p *process) storeFile(t *testing.T, data []byte) {
	t.Helper()
	require.Empty(t, tryToStore(t, p, data))
}

// sendUnsizedToService stores a file of alice with Store, and does not tell Store the size of the
// file.
func sendUnsizedToService(_ *testing.T, p *process, data []byte) string {
	_, err := p.service.Store(p.ctx, uploads.Upload{
		Body: io.MultiReader(bytes.NewReader(data)), // hides the size
		User: uploads.User{ID: alice},
	})
	return codeOfError(err)
}

// sendByForm sends a file in a form.
func sendByForm(t *testing.T, p *process, data []byte) string {
	body, contentType := newForm(t, formFile{field: "file", name: "a", content: string(data)})
	status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", contentType)
	return codeIn(status, text)
}

func sendWithTicket(t *testing.T, p *process, data []byte) string {
	return sendWithRequest(t, p, uploads.Request{Size: int64(len(data))}, data)
}

func sendWithUnsizedTicket(t *testing.T, p *process, data []byte) string {
	return sendWithRequest(t, p, uploads.Request{}, data)
}

// sendWithRequest signs a ticket, sends the file to the store, and finishes the upload.
func sendWithRequest(t *testing.T, p *process, req uploads.Request, data []byte) string {
	user := uploads.User{ID: alice}
	ticket, err := p.service.Sign(p.ctx, req, user)
	if err != nil {
		return codeOfError(err)
	}

	// The client sends the file to the store itself. So it continues if the process is killed.
	client := context.WithValue(p.ctx, killerKey{}, nil)
	contentType := storage.WithContentType("application/octet-stream")
	_, err = p.store.Upload(client, signedKeyOf(ticket), bytes.NewReader(data), contentType)
	require.NoError(t, err)

	_, err = p.service.Finish(p.ctx, ticket.Token, user)
	return codeOfError(err)
}

func sendInParts(t *testing.T, p *process, data []byte) string {
	return sendOnePart(t, p, map[string]any{"filename": "file", "size": len(data)}, data)
}

func sendInUnsizedParts(t *testing.T, p *process, data []byte) string {
	return sendOnePart(t, p, map[string]any{"filename": "file"}, data)
}

// sendOnePart begins an upload by the S3 routes with these fields, sends the file as one part, and
// completes the upload. It returns the code of the first refused request, or else of the last
// request.
func sendOnePart(t *testing.T, p *process, fields map[string]any, data []byte) string {
	// Begin the upload.
	request, err := json.Marshal(fields)
	require.NoError(t, err)
	status, _, text := p.ask("POST", "/s3/multipart", request, "Content-Type", "application/json")
	if status >= 300 {
		return codeIn(status, text)
	}
	var u multipartUpload
	require.NoError(t, json.Unmarshal(text, &u))
	path := "/s3/multipart/" + u.UploadID
	query := "?key=" + url.QueryEscape(u.Key)

	// Get the signed URL of the part, and send the part to it.
	status, _, text = p.ask("GET", path+"/1"+query, nil)
	if status >= 300 {
		return codeIn(status, text)
	}
	var part signedPart
	require.NoError(t, json.Unmarshal(text, &part))
	status, header, text := p.ask(part.Method, pathOf(part.URL), data)
	if status >= 300 {
		return codeIn(status, text)
	}

	// Complete the upload.
	parts, err := json.Marshal(map[string]any{"parts": []sentPart{{PartNumber: 1, ETag: header.Get("ETag")}}})
	require.NoError(t, err)
	status, _, text = p.ask("POST", path+"/complete"+query, parts, "Content-Type", "application/json")
	return codeIn(status, text)
}

// sendInSingleRequest sends a file with the signed request of the S3 routes.
func sendInSingleRequest(t *testing.T, p *process, data []byte) string {
	status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
	if status >= 300 {
		return codeIn(status, text)
	}
	var request signedPart
	require.NoError(t, json.Unmarshal(text, &request))
	status, _, text = p.ask("PUT", pathOf(request.URL), data)
	return codeIn(status, text)
}

// sendByTus sends a file by tus, in one PATCH.
func sendByTus(_ *testing.T, p *process, data []byte) string {
	status, header, text := p.ask("POST", "/tus/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", size(data))
	if status >= 300 {
		return codeIn(status, text)
	}
	status, _, text = p.ask("PATCH", pathOf(header.Get("Location")), data,
		"Tus-Resumable", "1.0.0",
		"Upload-Offset", "0",
		"Content-Type", "application/offset+octet-stream")
	return codeIn(status, text)
}

// sendByDeferredTus sends a file by tus. It tells the length of the file in the PATCH with the
// bytes, and not before.
func sendByDeferredTus(_ *testing.T, p *process, data []byte) string {
	status, header, text := p.ask("POST", "/tus/", nil, "Tus-Resumable", "1.0.0", "Upload-Defer-Length", "1")
	if status >= 300 {
		return codeIn(status, text)
	}
	status, _, text = p.ask("PATCH", pathOf(header.Get("Location")), data,
		"Tus-Resumable", "1.0.0",
		"Upload-Offset", "0",
		"Upload-Length", size(data),
		"Content-Type", "application/offset+octet-stream")
	return codeIn(status, text)
}

// sendJoined sends two uploads of tus, and joins them.
func sendJoined(_ *testing.T, p *process, data []byte) string {
	concat := "final;"
	for _, piece := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		status, header, text := p.ask("POST", "/tus/", piece,
			"Tus-Resumable", "1.0.0",
			"Upload-Length", size(piece),
			"Upload-Concat", "partial",
			"Content-Type", "application/offset+octet-stream")
		if status >= 300 {
			return codeIn(status, text)
		}
		concat += header.Get("Location") + " "
	}
	status, _, text := p.ask("POST", "/tus/", nil,
		"Tus-Resumable", "1.0.0",
		"Upload-Concat", strings.TrimSpace(concat))
	return codeIn(status, text)
}

// sendTwoPieces stores a file as two halves with PutPiece.
func sendTwoPieces(_ *testing.T, p *process, data []byte) string {
	token := strconv.FormatInt(time.Now().UnixNano(), 36) // differs for each file
	for i, body := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		_, err := p.service.PutPiece(p.ctx, uploads.Piece{
			Token:  token,
			Count:  2,
			Number: i + 1,
			Body:   bytes.NewReader(body),
			User:   uploads.User{ID: alice},
			Name:   "a",
		})
		if err != nil {
			return codeOfError(err)
		}
	}
	return ""
}

// An account is a store with services that share the allowance of alice.
type account struct {
	t            *testing.T
	open         func(t *testing.T, now *clock) driver.Driver // makes drv
	drv          driver.Driver
	shared       storage.Bucket // of all processes, in place of drv
	clock        *clock
	hasRecords   bool                  // the services have Config.Records
	changeConfig func(*uploads.Config) // of services that begin later; may be nil
}

var accounts = []struct {
	name string
	open func(t *testing.T, now *clock) driver.Driver
}{
	{name: "memory", open: newMemoryDriverAt},
	{name: "a directory", open: newDirectoryDriverAt},
}

func newMemoryDriverAt(_ *testing.T, now *clock) driver.Driver {
	return memstore.NewDriver(memstore.Config{Now: now.Now})
}

// newDirectoryDriverAt ignores the test's clock, because a directory has the clock of its disk.
func newDirectoryDriverAt(t *testing.T, _ *clock) driver.Driver { return newDirectoryDriver(t) }

// runOnAccounts runs a test on stores with and without records.
func runOnAccounts(t *testing.T, test func(t *testing.T, acct *account)) {
	for _, store := range testserver.Sample(accounts[:1], accounts) {
		for _, record := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, records: %v", store.name, record), func(t *testing.T) {
				test(t, &account{t: t, open: store.open, hasRecords: record})
			})
		}
	}
}

// runWithEachMethod runs a test for each way of uploading, on stores with and without records.
func runWithEachMethod(t *testing.T, test func(t *testing.T, acct *account, method sendMethod)) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		for _, method := range sendMethods {
			t.Run(method.name, func(t *testing.T) {
				test(t, &account{t: t, open: acct.open, hasRecords: acct.hasRecords}, method)
			})
		}
	})
}

// useEmptyStore makes the account begin with an empty store.
func (acct *account) useEmptyStore() {
	acct.clock = &clock{}
	if acct.shared == nil {
		acct.drv = acct.open(acct.t, acct.clock)
		return
	}
	_, err := storage.RemoveMatching(acct.t.Context(), acct.shared, nil)
	require.NoError(acct.t, err)
}

// bucket opens the store with these layers.
func (acct *account) bucket(layers ...driver.Layer) storage.Bucket {
	if acct.shared != nil {
		return wrapped.Clock(acct.t, acct.shared, acct.clock.Now)
	}
	opts := []storage.OpenOption{
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
		storage.WithSigningBaseURL("http://store.invalid"),
	}
	for _, layer := range layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	return wrapped.Clock(acct.t, engine.New(acct.drv, opts...), acct.clock.Now)
}

// startProcess starts a process that serves the store through these layers.
func (acct *account) startProcess(layers ...driver.Layer) *process {
	bucket := acct.bucket(layers...)
	c := uploads.Config{
		Rules:        rules.Any(1 << 20),
		Key:          "{user}/{random}{ext}",
		ProxyParts:   true,
		Now:          acct.clock.Now,
		TokenKey:     make([]byte, 32),
		BaseURL:      "http://site.invalid",
		DeleteShared: true,
		Authorize:    func(r *http.Request) (uploads.User, error) { return uploads.User{ID: r.Header.Get("X-User")}, nil },
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: allowedBytes, Files: allowedFiles}, nil
		},
	}
	if acct.hasRecords {
		c.Key = ""
		c.Records = uploads.BucketRecords(bucket)
	}
	if acct.changeConfig != nil {
		acct.changeConfig(&c)
	}

	service, err := uploads.New(bucket, c)
	require.NoError(acct.t, err)
	return &process{ctx: acct.t.Context(), service: service, store: acct.bucket()}
}

// files returns the keys of the stored files, and the sum of their sizes.
func (acct *account) files() (keys []string, bytes int64) {
	prefix := alice + "/"
	if acct.hasRecords {
		prefix = "files/content/"
	}
	for entry, err := range acct.bucket().List(acct.t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(acct.t, err)
		keys = append(keys, entry.Key)
		bytes += entry.Size
	}
	return keys, bytes
}

// requireWithinAllowance requires that the stored files do not exceed what is counted and reserved,
// and that this sum does not exceed the allowance.
func (acct *account) requireWithinAllowance(p *process, about ...any) {
	acct.t.Helper()
	keys, bytes := acct.files()

	u, err := p.service.Usage(acct.t.Context(), alice)
	require.NoError(acct.t, err)
	require.LessOrEqual(acct.t, bytes, u.Bytes+u.ReservedBytes, about...)
	require.LessOrEqual(acct.t, int64(len(keys)), u.Files+u.ReservedFiles, about...)
	require.LessOrEqual(acct.t, u.Bytes+u.ReservedBytes, int64(allowedBytes), about...)
	require.LessOrEqual(acct.t, u.Files+u.ReservedFiles, int64(allowedFiles), about...)
}

// requireExactAfterSweep lets everything expire, and runs Sweep. It requires that exactly the stored files are then
// counted.
func (acct *account) requireExactAfterSweep(p *process, about ...any) {
	acct.t.Helper()
	acct.clock.Advance(200 * time.Hour)
	_, err := p.service.Sweep(acct.t.Context())
	require.NoError(acct.t, err, about...)
	keys, bytes := acct.files()

	u, err := p.service.Usage(acct.t.Context(), alice)
	require.NoError(acct.t, err)
	require.Equal(acct.t, uploads.Usage{Bytes: bytes, Files: int64(len(keys))}, u, about...)
}

// Config.Allowance limits each way of uploading, in bytes and in files. Delete frees the room that
// a file took.
func TestAllowanceHoldsForAllWays(t *testing.T) {
	runWithEachMethod(t, func(t *testing.T, acct *account, method sendMethod) {
		acct.useEmptyStore()
		p := acct.startProcess()

		// Two files together are larger than the allowance.
		const moreThanHalf = allowedBytes/2 + 1000
		require.Empty(t, method.send(t, p, content(moreThanHalf)))
		require.Contains(t, []string{"over_allowance", "too_large"}, method.send(t, p, content(moreThanHalf)))
		acct.requireWithinAllowance(p)
		usage, err := p.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.EqualValues(t, moreThanHalf, usage.Bytes)
		require.EqualValues(t, 1, usage.Files)
		acct.requireExactAfterSweep(p)

		// Small files fit until there are as many as is allowed.
		for range allowedFiles - 1 {
			require.Empty(t, method.send(t, p, content(500)))
		}
		require.Equal(t, "over_allowance", method.send(t, p, content(500)), "too many files")

		// Delete frees the room of the file once.
		keys, _ := acct.files()
		require.NoError(t, p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
		require.NoError(t, p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}), "again")
		require.Empty(t, method.send(t, p, content(500)), "there is room again")
		acct.requireExactAfterSweep(p)
	})
}

// If a process is killed at any call to the store while it takes a file, the stored bytes never exceed the allowance,
// whatever other processes do then. One Sweep makes the count exact.
func TestAllowanceSurvivesKills(t *testing.T) {
	runWithEachMethod(t, func(t *testing.T, acct *account, method sendMethod) {
		for _, afterCall := range []bool{killBefore, killAfter} {
			t.Run(fmt.Sprintf("after the call: %v", afterCall), func(t *testing.T) {
				// Kill the process at call 1, 2 and so on, until a run ends before that call.
				for call, killer := range killAtEachCall(t, afterCall) {
					acct.useEmptyStore()
					other := acct.startProcess()
					other.storeFile(t, content(1000))

					// The process is killed while it takes a file.
					victim := acct.startProcess(killer.layer)
					method.send(t, victim, content(3000))
					acct.requireWithinAllowance(other, "killed at call %d", call)

					// Another process stores files until there is no room.
					for range 8 {
						tryToStore(t, other, content(1500))
						acct.requireWithinAllowance(other, "killed at call %d", call)
					}
					acct.requireExactAfterSweep(other, "killed at call %d", call)
				}
			})
		}
	})
}

// If a process is killed at any call of a Delete to the store, the stored files stay within the allowance. A second
// Delete and one Sweep make the count exact.
func TestAllowanceSurvivesKillsOfRemovals(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		for _, afterCall := range []bool{killBefore, killAfter} {
			// Kill the process at call 1, 2 and so on, until a Delete ends before that call.
			for call, killer := range killAtEachCall(t, afterCall) {
				acct.useEmptyStore()
				other := acct.startProcess()
				victim := acct.startProcess(killer.layer)

				// Three files leave no room for a fourth one.
				const fileSize = 3000
				for range allowedBytes / fileSize {
					other.storeFile(t, content(fileSize))
				}

				// The process is killed while it removes a file.
				keys, _ := acct.files()
				_ = victim.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
				acct.requireWithinAllowance(other, "killed at call %d", call)

				// The user removes the file again through another process.
				require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
				acct.requireWithinAllowance(other, "killed at call %d", call)

				// The user tries to store a file in place of the removed one. That fails if the
				// removed file still counts.
				tryToStore(t, other, content(fileSize))
				acct.requireWithinAllowance(other, "killed at call %d", call)
				acct.requireExactAfterSweep(other, "killed at call %d", call)
			}
		}
	})
}

// If the store's response to any one call of a process is lost, the count still stays within the allowance.
func TestAllowanceSurvivesLostResponses(t *testing.T) {
	runWithEachMethod(t, func(t *testing.T, acct *account, method sendMethod) {
		// Lose the response to call 1, 2 and so on, until a run ends before that call.
		for call, loss := range loseEachResponse(t) {
			acct.useEmptyStore()
			p := acct.startProcess(loss.layer)
			other := acct.startProcess()

			// The client sends a file.
			method.send(t, p, content(3000))
			acct.requireWithinAllowance(other, "at call %d", call)

			// The client sends the file again.
			method.send(t, p, content(3000))
			acct.requireWithinAllowance(other, "at call %d", call)

			// The client removes a file. Delete may fail, because its response may be the one that
			// is lost.
			if keys, _ := acct.files(); len(keys) > 0 {
				_ = p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
				acct.requireWithinAllowance(other, "at call %d", call)
			}

			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// loseEachResponse yields a responseLoss for the first call of one process, then one for the second
// call of another process, and so on. It ends after a process that makes fewer calls.
func loseEachResponse(t *testing.T) iter.Seq2[int, *responseLoss] {
	return func(yield func(call int, loss *responseLoss) bool) {
		const mostCalls = 80
		for call := 1; call < mostCalls; call++ {
			loss := &responseLoss{at: call}
			if !yield(call, loss) || !loss.hasHappened() {
				return
			}
		}
		require.Fail(t, "calls without end")
	}
}

// A responseLoss loses the response to one of the calls of a process to the store. Calls that fail
// are not counted.
type responseLoss struct {
	at    int // the number of the call, from 1
	calls atomic.Int32
}

// layer is the layer of the process's bucket.
func (l *responseLoss) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		if err := next(ctx); err != nil {
			return err
		}
		if int(l.calls.Add(1)) == l.at {
			return &storage.Error{Code: storage.Unavailable, Unknown: true}
		}
		return nil
	})
}

// hasHappened reports whether the process has made the call with the number l.at.
func (l *responseLoss) hasHappened() bool { return int(l.calls.Load()) >= l.at }

// If another process removes a file at any moment of a Delete of that file, the file is subtracted once.
func TestAllowanceFileRemovedTwice(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the file is removed just before the nth call of Delete to the store.
		for call, interruption := range acct.interruptEachCall() {
			// The user has three files of 1000 bytes.
			other := acct.startProcess()
			acct.storeThreeFiles(other)
			keys, _ := acct.files()

			// Another process removes the first file during the Delete of this file.
			p := acct.startProcess(interruption.beforeCall(func() {
				require.NoError(t, other.service.Delete(t.Context(), keys[0], user))
			}))

			require.NoError(t, p.service.Delete(t.Context(), keys[0], user))
			acct.requireWithinAllowance(other, "at call %d", call)
			usage, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 2 * 1000, Files: 2}, usage, "at call %d", call)
		}
	})
}

// If another process stores a file at any moment of a Recount, the count is exact afterwards.
func TestRecountWhileFileIsStored(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, a file is stored just before the nth call of Recount to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			acct.storeThreeFiles(other)

			// Another process stores a fourth file during Recount.
			p := acct.startProcess(interruption.beforeCall(func() {
				other.storeFile(t, content(500))
			}))

			acct.requireExactRecount(p, other, call)
		}
	})
}

// If another process removes a file at any moment of a Recount, the count is exact afterwards.
func TestRecountWhileFileIsRemoved(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, a file is removed just before the nth call of Recount to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			acct.storeThreeFiles(other)

			// Another process removes one of the files during Recount.
			p := acct.startProcess(interruption.beforeCall(func() {
				keys, _ := acct.files()
				require.NoError(t, other.service.Delete(t.Context(), keys[1], uploads.User{ID: alice}))
			}))

			acct.requireExactRecount(p, other, call)
		}
	})
}

// storeThreeFiles stores three files of alice, of 1000 bytes each.
func (acct *account) storeThreeFiles(p *process) {
	for range 3 {
		p.storeFile(acct.t, content(1000))
	}
}

// requireExactRecount runs Recount at p, and requires that exactly the stored files are then counted. call is the
// number of the call before which another process acts.
func (acct *account) requireExactRecount(p, other *process, call int) {
	_, err := p.service.Recount(acct.t.Context(), alice)
	require.NoError(acct.t, err)

	keys, bytes := acct.files()
	usage, err := other.service.Usage(acct.t.Context(), alice)
	require.NoError(acct.t, err)
	require.Equal(acct.t, uploads.Usage{Bytes: bytes, Files: int64(len(keys))}, usage, "at call %d", call)
}

// If another process recounts at any moment of an upload, the uploaded file is counted exactly once.
func TestRecountDuringUpload(t *testing.T) {
	runWithEachMethod(t, func(t *testing.T, acct *account, method sendMethod) {
		// In the nth run, Recount runs just before the nth call of the upload to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			p := acct.startProcess(interruption.beforeCall(func() {
				_, err := other.service.Recount(t.Context(), alice)
				require.NoError(t, err)
				acct.requireWithinAllowance(other)
			}))

			require.Empty(t, method.send(t, p, content(3000)), "at call %d", call)
			usage, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 3000, Files: 1}, usage, "at call %d", call)
		}
	})
}

// If an upload ends without a file, the room that it reserved is free again at once.
func TestAllowanceOfUploadWithoutFile(t *testing.T) {
	refuseContent := func(c *uploads.Config) {
		c.Inspect = func(context.Context, *uploads.File, *storage.ReaderAt) error {
			return &uploads.Error{Message: "No."}
		}
	}
	denyFile := func(c *uploads.Config) {
		c.Stored = func(context.Context, *uploads.File) error { return storage.PermissionDenied }
	}
	tests := []struct {
		name   string
		change func(*uploads.Config)
		send   func(t *testing.T, p *process, data []byte) (code string)
		want   []string // the code is one of these
	}{
		{name: "tus, ended by the client", send: sendByTerminatedTus, want: []string{""}},
		{name: "parts, ended by the client", send: sendInAbortedParts, want: []string{""}},
		{name: "a file of another size", send: sendTooFewBytes, want: []string{"wrong_size"}},
		{name: "Store of content that Inspect refuses", change: refuseContent, send: tryToStore, want: []string{"refused"}},
		{name: "tus with content that Inspect refuses", change: refuseContent, send: sendByTus, want: []string{"refused"}},
		{name: "pieces with content that Inspect refuses", change: refuseContent, send: sendTwoPieces, want: []string{"refused"}},
		{
			name:   "Store of a file that Stored refuses",
			change: denyFile,
			send:   tryToStore,
			want:   []string{"not_allowed"},
		},
		{
			name: "a form whose second file has no room",
			send: sendTwiceByForm,
			want: []string{"over_allowance", "too_large"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			runOnAccounts(t, func(t *testing.T, acct *account) {
				// Send a file for which there is room, but which is not stored.
				acct.useEmptyStore()
				acct.changeConfig = tt.change
				p := acct.startProcess()
				require.Contains(t, tt.want, tt.send(t, p, content(6000)))

				// Nothing is stored or reserved.
				usage, err := p.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				require.Zero(t, usage)
				keys, _ := acct.files()
				require.Empty(t, keys)
			})
		})
	}
}

// sendByTerminatedTus creates an upload of tus, and terminates it before the first byte.
func sendByTerminatedTus(t *testing.T, p *process, data []byte) string {
	status, header, text := p.ask("POST", "/tus/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", size(data))
	require.Equal(t, http.StatusCreated, status, string(text))
	status, _, text = p.ask("DELETE", pathOf(header.Get("Location")), nil, "Tus-Resumable", "1.0.0")
	require.Equal(t, http.StatusNoContent, status, string(text))
	return ""
}

// sendInAbortedParts begins an upload by the S3 routes, and aborts it before the first part.
func sendInAbortedParts(t *testing.T, p *process, data []byte) string {
	request := []byte(`{"filename":"a","size":` + size(data) + `}`)
	_, _, text := p.ask("POST", "/s3/multipart", request, "Content-Type", "application/json")
	var u multipartUpload
	require.NoError(t, json.Unmarshal(text, &u))
	status, _, text := p.ask("DELETE", "/s3/multipart/"+u.UploadID+"?key="+u.Key, nil)
	require.Equal(t, http.StatusOK, status, string(text))
	return ""
}

// sendTooFewBytes calls Store with fewer bytes than the size that it states.
func sendTooFewBytes(_ *testing.T, p *process, data []byte) string {
	_, err := p.service.Store(p.ctx, uploads.Upload{
		Body: bytes.NewReader(data[:3]),
		Size: int64(len(data)),
		User: uploads.User{ID: alice},
	})
	return codeOfError(err)
}

// sendTwiceByForm sends the file twice in one form.
func sendTwiceByForm(t *testing.T, p *process, data []byte) string {
	body, contentType := newForm(t,
		formFile{field: "a", name: "a", content: string(data)},
		formFile{field: "b", name: "b", content: string(data)})
	status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", contentType)
	return codeIn(status, text)
}

// With Config.Allowance, an upload makes two more requests to the store: one reserves room, the
// other counts the file. This holds once the process knows how much the user has. Two ways of
// uploading need more.
func TestAllowanceCostsTwoRequests(t *testing.T) {
	moreRequests := map[string]int{
		"joined uploads of tus": 4, // three uploads, of which two are pieces
		"one request of S3":     3, // its state says that room is reserved, after the claim
	}
	limited := func(context.Context, uploads.User) (uploads.Allowance, error) {
		return uploads.Allowance{Bytes: allowedBytes, Files: allowedFiles}, nil
	}
	for _, method := range sendMethods {
		t.Run(method.name, func(t *testing.T) {
			extra := cmp.Or(moreRequests[method.name], 2)
			withAllowance := countRequests(t, method, uploads.Config{Allowance: limited})
			withoutAllowance := countRequests(t, method, uploads.Config{})
			require.Equal(t, withoutAllowance+extra, withAllowance)
		})
	}
}

// countRequests returns how many requests a process makes to the store for its second upload, with
// config.Allowance.
func countRequests(t *testing.T, method sendMethod, config uploads.Config) int {
	t.Helper()
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.useEmptyStore()
	acct.changeConfig = func(c *uploads.Config) {
		c.Stored = func(context.Context, *uploads.File) error { return nil }
		c.Allowance = config.Allowance
	}
	var calls atomic.Int32
	p := acct.startProcess(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
			calls.Add(1)
			return next(ctx)
		})
	})

	// The first upload also reads the ledger, the object that counts the user's files.
	require.Empty(t, method.send(t, p, content(1000)))
	calls.Store(0)
	require.Empty(t, method.send(t, p, content(1000)))
	return int(calls.Load())
}

// New refuses Config.Allowance unless Config.Key has {user} and is outside of the folder of the objects that count the
// files.
func TestAllowanceNeedsUserInKey(t *testing.T) {
	allowance := func(context.Context, uploads.User) (uploads.Allowance, error) { return uploads.Allowance{}, nil }

	// The default key has no user.
	_, err := uploads.New(memstore.New(), uploads.Config{Allowance: allowance})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "{user}")

	// The folder files/usage/ has the objects that count the files.
	_, err = uploads.New(memstore.New(), uploads.Config{Allowance: allowance, Key: "files/usage/{user}/{random}"})
	require.ErrorIs(t, err, storage.InvalidArgument)

	// Another folder of the user is accepted.
	_, err = uploads.New(memstore.New(), uploads.Config{Allowance: allowance, Key: "{user}/{random}", Unguarded: true})
	require.NoError(t, err)
}

// Without Config.Allowance, Usage and Recount fail with NotAllowed.
func TestUsageNeedsAllowance(t *testing.T) {
	s, err := uploads.New(memstore.New(), uploads.Config{})
	require.NoError(t, err)

	_, err = s.Usage(t.Context(), alice)
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))

	_, err = s.Recount(t.Context(), alice)
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))
}

// If Config.Allowance returns an error, or an Allowance that is too small, the upload fails with
// the matching code.
func TestAllowanceErrors(t *testing.T) {
	tests := []struct {
		name      string
		allowance uploads.Allowance
		err       error
		want      string // the code for a file of 1000 bytes
	}{
		{name: "no limit", want: ""},
		{name: "no bytes", allowance: uploads.Allowance{Bytes: -1}, want: "over_allowance"},
		{name: "no files", allowance: uploads.Allowance{Files: -1}, want: "over_allowance"},
		{name: "exactly enough bytes", allowance: uploads.Allowance{Bytes: 1000}, want: ""},
		{name: "one byte too few", allowance: uploads.Allowance{Bytes: 999}, want: "over_allowance"},
		{name: "the user is not permitted", err: storage.PermissionDenied, want: "not_allowed"},
		{name: "the database does not answer", err: storage.Unavailable, want: "busy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			acct := &account{t: t, open: newMemoryDriverAt}
			acct.changeConfig = func(c *uploads.Config) {
				c.Allowance = func(_ context.Context, user uploads.User) (uploads.Allowance, error) {
					require.Equal(t, alice, user.ID)
					return tt.allowance, tt.err
				}
			}
			acct.useEmptyStore()

			require.Equal(t, tt.want, tryToStore(t, acct.startProcess(), content(1000)))
		})
	}
}

// A form reserves as much room as its request has bytes, because its files do not say their sizes.
func TestAllowanceReservesLengthOfForm(t *testing.T) {
	// Inspect runs during the upload, and asks how much is reserved.
	var p *process
	var duringUpload uploads.Usage
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.changeConfig = func(c *uploads.Config) {
		c.Inspect = func(ctx context.Context, _ *uploads.File, _ *storage.ReaderAt) (err error) {
			duringUpload, err = p.service.Usage(ctx, alice)
			return err
		}
	}
	acct.useEmptyStore()
	p = acct.startProcess()

	// The form has a file that takes more than half of the allowance.
	const fileSize = 6000
	const maxOverhead = 1000 // bytes of the form around the file
	body, contentType := newForm(t, formFile{field: "file", name: "a", content: string(content(fileSize))})
	status, _, _ := p.ask("POST", "/", body.Bytes(), "Content-Type", contentType)
	require.Equal(t, http.StatusCreated, status)
	require.Less(t, duringUpload.ReservedBytes, int64(fileSize+maxOverhead))

	// There is no room for the form a second time. The message says how much is left: 10,000 - 6000 bytes.
	status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", contentType)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, "over_allowance", codeIn(status, text))
	require.Contains(t, string(text), "There is no room for this file: 3.9 KiB are left.")
}

// Two services in one bucket with different Config.Key count the files of the same user separately.
func TestAllowancesOfTwoServices(t *testing.T) {
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.useEmptyStore()
	first := acct.startProcess()
	acct.changeConfig = func(c *uploads.Config) {
		c.Key = "documents/{user}/{random}"
	}
	second := acct.startProcess()

	// Together, these files have more bytes than is allowed.
	const firstSize, secondSize = allowedBytes/2 + 1000, allowedBytes/2 + 2000
	first.storeFile(t, content(firstSize))
	second.storeFile(t, content(secondSize))

	usage, err := first.service.Recount(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: firstSize, Files: 1}, usage)
	usage, err = second.service.Recount(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: secondSize, Files: 1}, usage)
}

// If a user's files change during each listing, Recount fails with Unavailable after ten attempts.
func TestRecountOfRestlessUserEnds(t *testing.T) {
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.useEmptyStore()
	other := acct.startProcess()

	// Before each listing, another process stores a file and removes it.
	listings := 0
	p := acct.startProcess(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if strings.Contains(call, "List") {
				listings++
				tryToStore(t, other, content(10))
				keys, _ := acct.files()
				require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
			}
			return next(ctx)
		})
	})

	_, err := p.service.Recount(t.Context(), alice)
	require.ErrorIs(t, err, storage.Unavailable)
	require.Equal(t, 10, listings)
}
