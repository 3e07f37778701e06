package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// requireValidUsage requires that no number in the usage of alice is negative.
func (acct *account) requireValidUsage(p *process) {
	acct.t.Helper()
	acct.usage(p)
}

// usage returns the usage of alice, and requires that no number in it is negative.
func (acct *account) usage(p *process) uploads.Usage {
	acct.t.Helper()
	usage, err := p.service.Usage(acct.t.Context(), alice)
	require.NoError(acct.t, err)
	for _, n := range []int64{usage.Bytes, usage.Files, usage.ReservedBytes, usage.ReservedFiles} {
		require.GreaterOrEqual(acct.t, n, int64(0))
	}
	return usage
}

// A partsUpload is an upload by the S3 routes, and its only part has arrived. complete completes
// the upload through a process.
type partsUpload struct {
	key      string
	complete func(p *process)
}

// beginPartsUpload begins an upload by the S3 routes, and sends the only part of it.
func (p *process) beginPartsUpload(t *testing.T, data []byte) partsUpload {
	t.Helper()
	body := []byte(`{"filename":"a","size":` + size(data) + `}`)
	_, _, text := p.ask("POST", "/s3/multipart", body, "Content-Type", "application/json")
	var u multipartUpload
	require.NoError(t, json.Unmarshal(text, &u))
	path := "/s3/multipart/" + u.UploadID
	query := "?key=" + url.QueryEscape(u.Key)

	// Get the signed URL of the part, and send the part to it.
	_, _, text = p.ask("GET", path+"/1"+query, nil)
	var part signedPart
	require.NoError(t, json.Unmarshal(text, &part))
	_, header, _ := p.ask(part.Method, pathOf(part.URL), data)

	parts, err := json.Marshal(map[string]any{"parts": []sentPart{{PartNumber: 1, ETag: header.Get("ETag")}}})
	require.NoError(t, err)
	return partsUpload{
		key: u.Key,
		complete: func(p *process) {
			p.ask("POST", path+"/complete"+query, parts, "Content-Type", "application/json")
		},
	}
}

// A process was killed while it completed an upload. The user deletes the file and uses the whole
// allowance, and the client completes the upload again. The stored bytes stay within the allowance.
func TestDeleteBeforeUploadEnds(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		for _, afterCall := range []bool{killBefore, killAfter} {
			// Kill the process at call 1, 2 and so on, until a completion ends before that call.
			for call, killer := range killAtEachCall(t, afterCall) {
				acct.useEmptyStore()
				other := acct.startProcess()
				u := other.beginPartsUpload(t, content(6000))

				// The process is killed while it completes the upload, and the user deletes the file.
				u.complete(acct.startProcess(killer.layer))
				require.NoError(t, other.service.Delete(t.Context(), u.key, uploads.User{ID: alice}))

				// The user uses the whole allowance.
				acct.requireValidUsage(other)
				for range 4 {
					tryToStore(t, other, content(2500))
				}
				acct.requireWithinAllowance(other, "killed at call %d", call)

				// When the claim of the dead process has ended, the client completes the upload again.
				acct.clock.Advance(2 * time.Minute)
				u.complete(other)
				acct.requireValidUsage(other)
				acct.requireWithinAllowance(other, "killed at call %d", call)

				_, bytes := acct.files()
				require.LessOrEqual(t, bytes, int64(allowedBytes), "killed at call %d", call)
				acct.requireExactAfterSweep(other, "killed at call %d", call)
			}
		}
	})
}

// A process was killed while it joined pieces. The user deletes the file, uses the whole allowance, and sends the last
// piece again. The stored bytes stay within the allowance.
func TestDeleteBeforePiecesEnd(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the process after call 1, 2 and so on, until a run ends before that call.
		for call, killer := range killAtEachCall(t, killAfter) {
			acct.useEmptyStore()
			other := acct.startProcess()
			require.NoError(t, putPiece(other, 1, content(3000)))

			// The process is killed while it joins the pieces, and the user deletes the file.
			_ = putPiece(acct.startProcess(killer.layer), 2, content(3000))
			keys, _ := acct.files()
			for _, key := range keys {
				require.NoError(t, other.service.Delete(t.Context(), key, uploads.User{ID: alice}))
			}

			// The user stores as much as the allowance permits.
			acct.requireValidUsage(other)
			for range 4 {
				tryToStore(t, other, content(2500))
			}

			// When the claim of the dead process has ended, the client sends the last piece again.
			acct.clock.Advance(2 * time.Minute)
			_ = putPiece(other, 2, content(3000))
			acct.requireValidUsage(other)
			acct.requireWithinAllowance(other, "killed at call %d", call)
			acct.requireExactAfterSweep(other, "killed at call %d", call)
		}
	})
}

// If the client calls Finish again at any moment of a Delete of the file, the file is not stored
// again, and does not count.
func TestFinishBesideDelete(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		user := uploads.User{ID: alice}

		// In the nth run, Finish is called just before the nth call of Delete to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			ticket := other.signAndSend(t, content(3000))
			f, err := other.service.Finish(t.Context(), ticket.Token, user)
			require.NoError(t, err)

			// The client calls Finish again during Delete.
			p := acct.startProcess(interruption.beforeCall(func() {
				_, _ = other.service.Finish(t.Context(), ticket.Token, user)
			}))

			// The file no longer counts. With records, it is not in the list of files that expire
			// either.
			require.NoError(t, p.service.Delete(t.Context(), f.Key, user))
			require.Equal(t, uploads.Usage{}, acct.usage(other), "at call %d", call)
			if acct.hasRecords {
				files, _, err := p.service.Records().List(t.Context(), uploads.Filter{Expiring: true}, "", 10)
				require.NoError(t, err)
				require.Empty(t, files, "at call %d", call)
			}

			// After a Sweep, the file still does not count.
			_, err = other.service.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{}, acct.usage(other), "at call %d", call)
		}
	})
}

// A ledger is the object that counts a user's files. An older version may have written a negative
// number into it. Usage reports zero instead, and Sweep corrects the ledger.
func TestSweepMendsNegativeCount(t *testing.T) {
	acct := &account{t: t, open: newMemoryDriverAt, hasRecords: true}
	acct.useEmptyStore()
	p := acct.startProcess()
	p.storeFile(t, content(100))

	// Make the number in the ledger negative.
	ledgers := keysUnder(t, p.store, ".uploads-usage/")
	require.Len(t, ledgers, 1)
	ledger, _, err := storage.ReadAll(t.Context(), p.store, ledgers[0])
	require.NoError(t, err)
	require.Contains(t, string(ledger), `"bytes":100`)
	negative := strings.Replace(string(ledger), `"bytes":100`, `"bytes":-8`, 1)
	_, err = p.store.Upload(t.Context(), ledgers[0], strings.NewReader(negative))
	require.NoError(t, err)

	// A new process, which has no ledger in its memory, reports zero.
	p = acct.startProcess()
	require.Zero(t, acct.usage(p).Bytes)

	// Sweep counts again.
	_, err = p.service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: 100, Files: 1}, acct.usage(p))
}

// A ledger is the object that counts a user's files. Usage reads a ledger from the key of an older version, and the
// next Sweep moves it to its new key.
func TestUsageOfOlderVersion(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		p := acct.startWithOldLedger(content(4000))
		require.Equal(t, uploads.Usage{Bytes: 4000, Files: 1}, acct.usage(p))

		_, err := p.service.Sweep(t.Context())
		require.NoError(t, err)
		acct.requireLedgerMoved(p)
	})
}

// If a user's ledger was written by an older version, the next upload of the user moves it, too.
// The ledger then counts the uploaded file.
func TestUploadMovesLedgerOfOlderVersion(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		p := acct.startWithOldLedger(content(4000))
		p.storeFile(t, content(1000))
		require.Equal(t, uploads.Usage{Bytes: 4000 + 1000, Files: 2}, acct.usage(p))
		acct.requireLedgerMoved(p)
	})
}

const (
	ledgerPrefix    = ".uploads-usage/"
	oldLedgerPrefix = "files/usage/" // of an older version
)

// startWithOldLedger stores a file, moves the ledger to its key of an older version, and starts a process that does not
// know the ledger.
func (acct *account) startWithOldLedger(data []byte) *process {
	acct.t.Helper()
	ctx := acct.t.Context()
	acct.useEmptyStore()
	p := acct.startProcess()
	p.storeFile(acct.t, data)
	ledgers := keysUnder(acct.t, p.store, ledgerPrefix)
	require.Len(acct.t, ledgers, 1)
	oldKey := oldLedgerPrefix + strings.TrimPrefix(ledgers[0], ledgerPrefix)
	_, err := storage.Move(ctx, p.store, ledgers[0], oldKey)
	require.NoError(acct.t, err)
	return acct.startProcess()
}

// requireLedgerMoved requires that the ledger is at its new key only, and that it is exact.
func (acct *account) requireLedgerMoved(p *process) {
	acct.t.Helper()
	require.Empty(acct.t, keysUnder(acct.t, p.store, oldLedgerPrefix))
	require.Len(acct.t, keysUnder(acct.t, p.store, ledgerPrefix), 1)
	acct.requireExactAfterSweep(p)
}

// If a process is killed during Store or an upload by a form, Sweep frees the room that it has reserved in the user's
// allowance.
func TestStoreKilledReservationEndsWithSweep(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		storeAndForm := []sendMethod{
			{name: "Store", send: tryToStore},
			{name: "Store, of unknown size", send: sendUnsizedToService},
			{name: "a form", send: sendByForm},
		}
		for _, method := range storeAndForm {
			// Kill the process after call 1, 2 and so on, until an upload ends before that call.
			for call, killer := range killAtEachCall(t, killAfter) {
				acct.useEmptyStore()
				other := acct.startProcess()
				method.send(t, acct.startProcess(killer.layer), content(3000))

				// Sweep frees a reservation that nobody has renewed for ten minutes.
				acct.clock.Advance(11 * time.Minute)
				_, err := other.service.Sweep(t.Context())
				require.NoError(t, err)
				usage := acct.usage(other)
				require.Zero(t, usage.ReservedBytes, "%s, killed at call %d", method.name, call)
				require.Zero(t, usage.ReservedFiles, "%s, killed at call %d", method.name, call)
			}
		}
	})
}

// Store renews its reservation of room while it runs. Sweep removes reservations that are not
// renewed, and runs every five minutes. An upload of an hour still succeeds and counts.
func TestStoreKeepsReservationWhileItRuns(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.useEmptyStore()
		sweeping := acct.startProcess()

		// Store waits before each renewal. It sends to the channel waiting, and continues when it
		// receives from the channel renew. So the test decides when Store renews.
		waiting := make(chan struct{})
		renew := make(chan struct{})
		waitForRenewal := func(ctx context.Context) error {
			select {
			case waiting <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case <-renew:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}

		// The upload takes an hour, because Inspect takes an hour. Every five minutes, Store renews
		// its reservation, and then a Sweep runs.
		inspectForAnHour := func(context.Context, *uploads.File, *storage.ReaderAt) error {
			const interval = 5 * time.Minute
			<-waiting
			for elapsed := time.Duration(0); elapsed < time.Hour; elapsed += interval {
				acct.clock.Advance(interval)
				renew <- struct{}{}
				<-waiting // Store has renewed, and waits for the next time
				_, err := sweeping.service.Sweep(t.Context())
				require.NoError(t, err)
			}
			return nil
		}

		acct.changeConfig = func(c *uploads.Config) {
			c.Inspect = inspectForAnHour
		}
		p := acct.startProcess()
		p.service.SetPulse(waitForRenewal)

		// Store the file.
		_, err := p.service.Store(t.Context(), uploads.Upload{
			Body: bytes.NewReader(content(3000)),
			User: uploads.User{ID: alice},
		})
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: 3000, Files: 1}, acct.usage(sweeping))
	})
}

// GET /s3/params reserves no room, but fails if no room is left.
func TestS3ParamsReserveNothing(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.useEmptyStore()
		p := acct.startProcess()
		requestParams(t, p)
		require.Equal(t, uploads.Usage{}, acct.usage(p))

		p.storeFile(t, content(allowedBytes))
		status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
		require.Equal(t, "over_allowance", codeIn(status, text))
	})
}

// Two files that are sent to one URL of GET /s3/params at the same time reserve room once.
func TestS3ParamsReserveOnce(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the other file arrives just before the nth call of a PUT to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			path := requestParams(t, other)

			// Another process gets a file for the same URL during the PUT.
			p := acct.startProcess(interruption.beforeCall(func() {
				other.ask("PUT", path, content(1000))
			}))

			p.ask("PUT", path, content(3000))
			acct.requireValidUsage(other)
			acct.requireWithinAllowance(other, "at call %d", call)
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// requestParams returns the path of a PUT request that stores a file.
func requestParams(t *testing.T, p *process) (path string) {
	t.Helper()
	status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
	require.Equal(t, http.StatusOK, status, string(text))
	var request signedPart
	require.NoError(t, json.Unmarshal(text, &request))
	return pathOf(request.URL)
}

// A process that is killed while it joins tus uploads may leave the pieces beside the joined file.
// Files and pieces together never have more than twice the allowance, because a file is counted
// only after its pieces are removed.
func TestTusJoinedPiecesDoNotStay(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the processes after call 1, 2 and so on, until a join ends before that call.
		const mostCalls = 80
		for call := 1; ; call++ {
			require.Less(t, call, mostCalls, "calls without end")
			acct.useEmptyStore()
			other := acct.startProcess()

			// The user sends three files in pieces, each to a process that is killed.
			const files = 3
			var killer *processKiller
			for range files {
				killer = &processKiller{atCall: call, afterCall: true}
				sendJoined(t, acct.startProcess(killer.layer), content(3000))

				// If no room is reserved, the count includes all stored files and pieces.
				if usage := acct.usage(other); usage.ReservedBytes == 0 {
					require.LessOrEqual(t, acct.bytesWithPieces(), usage.Bytes, "killed at call %d", call)
				}
			}
			require.LessOrEqual(t, acct.bytesWithPieces(), int64(2*allowedBytes), "killed at call %d", call)

			// If no process was killed, there are three files and no pieces.
			if !killer.hasKilled() {
				keys, bytes := acct.files()
				require.Len(t, keys, files)
				require.Equal(t, bytes, acct.bytesWithPieces())
				acct.requireExactAfterSweep(other)
				return
			}
			acct.requireExactAfterSweep(other, "killed at call %d", call)
		}
	})
}

// bytesWithPieces returns the size of all stored files and of the content of open uploads together.
func (acct *account) bytesWithPieces() (bytes int64) {
	_, bytes = acct.files()
	for entry, err := range acct.bucket().List(acct.t.Context(), storage.WithPrefix(uploads.DefaultPrefix)) {
		require.NoError(acct.t, err)
		if strings.HasSuffix(entry.Key, "/content") {
			bytes += entry.Size
		}
	}
	return bytes
}

// Cancel frees all room that the ticket has reserved. After that, Finish fails.
func TestCancelReturnsRoomOfTicket(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.useEmptyStore()
		p := acct.startProcess()
		user := uploads.User{ID: alice}

		// A ticket for a file of unknown size reserves the whole allowance.
		ticket, err := p.service.Sign(t.Context(), uploads.Request{}, user)
		require.NoError(t, err)
		require.EqualValues(t, allowedBytes, acct.usage(p).ReservedBytes)

		// Cancel frees this room, and may be called again.
		require.NoError(t, p.service.Cancel(t.Context(), ticket.Token, user))
		require.NoError(t, p.service.Cancel(t.Context(), ticket.Token, user), "a second time")
		require.Equal(t, uploads.Usage{}, acct.usage(p))

		// The ticket cannot be finished any more.
		_, err = p.service.Finish(t.Context(), ticket.Token, user)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "This upload was canceled.")

		// There is room for a file that uses the whole allowance.
		p.storeFile(t, content(allowedBytes))
		acct.requireExactAfterSweep(p)
	})
}

// Cancel fails with Completed after Finish, and the file still counts.
func TestCancelAfterFinish(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.useEmptyStore()
		p := acct.startProcess()
		user := uploads.User{ID: alice}
		ticket, err := p.service.Sign(t.Context(), uploads.Request{Size: 100}, user)
		require.NoError(t, err)
		p.sendTicket(t, ticket, content(100))
		_, err = p.service.Finish(t.Context(), ticket.Token, user)
		require.NoError(t, err)

		err = p.service.Cancel(t.Context(), ticket.Token, user)
		require.Equal(t, uploads.Completed, uploads.CodeOf(err), "%v", err)
		require.Equal(t, uploads.Usage{Bytes: 100, Files: 1}, acct.usage(p))
	})
}

// If another process calls Cancel at any moment of a Finish of the same ticket, exactly one of the
// two calls succeeds. The file exists only if Finish has succeeded.
func TestCancelBesideFinish(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, Cancel is called just before the nth call of Finish to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			ticket := other.signAndSend(t, content(3000))

			// Another process calls Cancel during Finish. In the last run, Finish ends before this
			// call.
			cancelErr := errors.New("not called")
			p := acct.startProcess(interruption.beforeCall(func() {
				cancelErr = other.service.Cancel(t.Context(), ticket.Token, user)
			}))
			_, finishErr := p.service.Finish(t.Context(), ticket.Token, user)
			acct.requireOneSuccess(other, call, finishErr, cancelErr)
		}
	})
}

// If another process calls Finish at any moment of a Cancel of the same ticket, exactly one of the
// two calls succeeds. The file exists only if Finish has succeeded.
func TestFinishBesideCancel(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, Finish is called just before the nth call of Cancel to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			ticket := other.signAndSend(t, content(3000))

			// Another process calls Finish during Cancel. In the last run, Cancel ends before this
			// call.
			finishErr := errors.New("not called")
			p := acct.startProcess(interruption.beforeCall(func() {
				_, finishErr = other.service.Finish(t.Context(), ticket.Token, user)
			}))
			cancelErr := p.service.Cancel(t.Context(), ticket.Token, user)
			acct.requireOneSuccess(other, call, finishErr, cancelErr)
		}
	})
}

// signAndSend signs a ticket of alice, and sends a file with it.
func (p *process) signAndSend(t *testing.T, data []byte) *uploads.Ticket {
	t.Helper()
	ticket, err := p.service.Sign(t.Context(), uploads.Request{Size: int64(len(data))}, uploads.User{ID: alice})
	require.NoError(t, err)
	p.sendTicket(t, ticket, data)
	return ticket
}

// requireOneSuccess requires that exactly one of Finish and Cancel has succeeded, and that there is
// a file only after Finish. call is the number of the call to the store before which the second
// process acted.
func (acct *account) requireOneSuccess(p *process, call int, finishErr, cancelErr error) {
	acct.t.Helper()
	isFinished := finishErr == nil
	isCanceled := cancelErr == nil
	require.NotEqual(acct.t, isFinished, isCanceled, "at call %d: %v, %v", call, finishErr, cancelErr)
	keys, _ := acct.files()
	require.Equal(acct.t, isFinished, len(keys) == 1, "at call %d: %v", call, keys)
	acct.requireWithinAllowance(p, "at call %d", call)
	acct.requireExactAfterSweep(p, "at call %d", call)
}

// A ticket expires at any moment of its Finish, and Sweep removes the file that was sent. Finish then succeeds, or
// stores nothing. The next Sweep makes the count exact.
func TestFinishOfExpiringTicket(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the ticket expires just before the nth call of Finish to the store.
		for call, interruption := range acct.interruptEachCall() {
			// A file was sent a day ago.
			other := acct.startProcess()
			ticket := other.signAndSend(t, content(3000))
			acct.clock.Advance(24 * time.Hour)

			// The ticket expires during Finish, and Sweep removes the file.
			p := acct.startProcess(interruption.beforeCall(func() {
				acct.clock.Advance(48 * time.Hour)
				_, err := other.service.Sweep(t.Context())
				require.NoError(t, err)
				waitingKeys := keysUnder(t, acct.bucket(), uploads.DefaultPrefix)
				require.NotContains(t, waitingKeys, signedKeyOf(ticket))
			}))

			// Finish may fail because the file is gone.
			_, err := p.service.Finish(t.Context(), ticket.Token, user)
			if err != nil {
				expected := []uploads.Code{uploads.StoreFailed, uploads.NotFound}
				require.Contains(t, expected, uploads.CodeOf(err), "at call %d: %v", call, err)
			}

			// There is a file only if Finish has succeeded.
			keys, _ := acct.files()
			require.Equal(t, err == nil, len(keys) == 1, "at call %d: %v, %v", call, err, keys)
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// keysUnder returns the keys that begin with a prefix.
func keysUnder(t *testing.T, bucket storage.Bucket, prefix string) (keys []string) {
	t.Helper()
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}
