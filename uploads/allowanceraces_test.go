package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// An interruption is an action of another process just before one of the calls that a process makes
// to the store.
type interruption struct {
	at    int // the number of the call, from 1; 0: there is none
	calls atomic.Int32
}

// beforeCall returns the layer of a process. It calls interrupt just before the call to the store with the number i.at.
func (i *interruption) beforeCall(interrupt func()) driver.Layer {
	return func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
			if int(i.calls.Add(1)) == i.at {
				interrupt()
			}
			return next(ctx)
		})
	}
}

// countTo makes the interruption happen before the call with the given number, counted from now.
func (i *interruption) countTo(call int) {
	i.at = call
	i.calls.Store(0)
}

// hasHappened reports whether the process has made the call with the number i.at.
func (i *interruption) hasHappened() bool { return int(i.calls.Load()) >= i.at }

// interruptEachCall yields an interruption for the first call of a process to an empty store, then
// one for the second call of a process to another empty store, and so on. It ends after a process
// that makes fewer calls.
func (acct *account) interruptEachCall() iter.Seq2[int, *interruption] {
	return func(yield func(call int, i *interruption) bool) {
		const mostCalls = 80
		for call := 1; call < mostCalls; call++ {
			acct.useEmptyStore()
			i := &interruption{at: call}
			if !yield(call, i) || !i.hasHappened() {
				return
			}
		}
		require.Fail(acct.t, "calls without end")
	}
}

// sendTicket uploads data to the store as the file of a ticket.
func (p *process) sendTicket(t *testing.T, ticket *uploads.Ticket, data []byte) {
	t.Helper()
	_, err := p.store.Upload(p.ctx, signedKeyOf(ticket), bytes.NewReader(data),
		storage.WithContentType("application/octet-stream"))
	require.NoError(t, err)
}

// If the sender replaces the file of a ticket by a larger one at any moment of Finish, the stored bytes stay
// within the allowance.
func TestAllowanceOfTicketReplacedByLargerFile(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the file is replaced just before the nth call of Finish to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			ticket, err := other.service.Sign(t.Context(), uploads.Request{}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))

			// The sender replaces the file during Finish.
			p := acct.startProcess(interruption.beforeCall(func() {
				other.sendTicket(t, ticket, content(2*allowedBytes))
			}))

			_, _ = p.service.Finish(t.Context(), ticket.Token, user)
			acct.requireWithinAllowance(other, "at call %d", call)

			// Another process finishes the ticket again.
			_, _ = other.service.Finish(t.Context(), ticket.Token, user)
			acct.requireWithinAllowance(other, "at call %d", call)
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// A sender replaces the file of a ticket by a larger one during Finish, and the process is killed. A second Finish
// keeps the stored bytes within the allowance.
func TestAllowanceOfTicketAfterKill(t *testing.T) {
	user := uploads.User{ID: alice}
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the process after call 1, 2 and so on, until a Finish ends before that call.
		for call, killer := range killAtEachCall(t, killAfter) {
			acct.useEmptyStore()
			other := acct.startProcess()
			ticket, err := other.service.Sign(t.Context(), uploads.Request{}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))

			// Before each call of Finish that reads the attributes of an object, the sender
			// replaces the file.
			replacement := callBeforeHead(func() {
				other.sendTicket(t, ticket, content(2*allowedBytes))
			})

			// The process is killed during Finish. Finish may fail then.
			victim := acct.startProcess(replacement, killer.layer)
			_, _ = victim.service.Finish(t.Context(), ticket.Token, user)

			// Another process finishes the ticket again. This call may fail, too.
			_, _ = other.service.Finish(t.Context(), ticket.Token, user)
			acct.requireWithinAllowance(other, "killed at call %d", call)
		}
	})
}

// callBeforeHead returns a layer of a process. It calls act before each call that reads the attributes of an object.
func callBeforeHead(act func()) driver.Layer {
	return func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, method string, call func(context.Context) error) error {
			if method == "Head" {
				act()
			}
			return call(ctx)
		})
	}
}

// On a bucket without conditional writes, two processes finish one ticket at the same time, and
// write the same object. Neither removes the object, and it counts once.
func TestFinishTicketTwiceAtOnceKeepsFile(t *testing.T) {
	const fileSize = 300
	user := uploads.User{ID: alice}
	states := memstore.New()
	acct := &account{t: t, open: newDriverWithoutConditions}
	acct.changeConfig = func(c *uploads.Config) {
		c.Unguarded = true
		c.States = uploads.BucketStates(states)
	}

	// The second process acts before call 1, 2 and so on of the first, until a Finish ends before that call.
	for call, interruption := range acct.interruptEachCall() {
		second := acct.startProcess()
		ticket, err := second.service.Sign(t.Context(), uploads.Request{Size: fileSize}, user)
		require.NoError(t, err)
		second.sendTicket(t, ticket, content(fileSize))

		// In the last run, the second process does not act.
		secondErr := errors.New("not called")
		first := acct.startProcess(interruption.beforeCall(func() {
			_, secondErr = second.service.Finish(t.Context(), ticket.Token, user)
		}))
		_, firstErr := first.service.Finish(t.Context(), ticket.Token, user)
		require.True(t, firstErr == nil || secondErr == nil, "at call %d: %v, %v", call, firstErr, secondErr)

		// There is one file, and it counts once.
		keys, _ := acct.files()
		require.Len(t, keys, 1, "at call %d", call)
		usage, err := second.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.EqualValues(t, fileSize, usage.Bytes, "at call %d", call)

		// Delete makes the count zero again. The next run does not empty the bucket of the states,
		// which has the count.
		require.NoError(t, second.service.Delete(t.Context(), keys[0], user))
	}
}

// newDriverWithoutConditions returns a memory store that has no conditional writes.
func newDriverWithoutConditions(_ *testing.T, now *clock) driver.Driver {
	limits := faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	}
	return faults.WithLimits(limits)(memstore.NewDriver(memstore.Config{Now: now.Now}))
}

// putPiece stores one piece of a file of alice that has two pieces.
func putPiece(p *process, number int, data []byte) error {
	_, err := p.service.PutPiece(p.ctx, uploads.Piece{
		Token:  "token",
		Count:  2,
		Number: number,
		Body:   bytes.NewReader(data),
		User:   uploads.User{ID: alice},
		Name:   "a",
	})
	return err
}

// Two pieces of a file of unknown size arrive at the same time, and the first one reserves all of the user's room. The
// second one succeeds nevertheless, at the latest when it is sent again.
func TestAllowanceOfPiecesAtOnce(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the second piece arrives just before the nth call to the store for the first one.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()

			// The second piece arrives while the first one is stored.
			isSecondStored := false
			p := acct.startProcess(interruption.beforeCall(func() {
				err := putPiece(other, 2, content(1000))
				if uploads.CodeOf(err) == uploads.Locked {
					return // the call that stores the first piece has not saved the state yet
				}
				require.NoError(t, err)
				isSecondStored = true
			}))

			require.NoError(t, putPiece(p, 1, content(1000)), "at call %d", call)

			// The client sends the second piece again if it is not stored.
			if !isSecondStored {
				require.NoError(t, putPiece(other, 2, content(1000)), "at call %d", call)
			}

			usage, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 2000, Files: 1}, usage, "at call %d", call)
		}
	})
}

// The stored bytes stay within the allowance if a piece is replaced by a larger one while PutPiece joins the pieces.
func TestAllowanceOfPieceReplacedDuringJoin(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// In the nth run, the first piece is replaced just before the nth call to the store for the second one.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			require.NoError(t, putPiece(other, 1, content(1000)))

			// The object of the first piece is replaced while the second one is stored. Then both
			// pieces together exceed the allowance.
			const mostOfAllowance = allowedBytes - 1000
			p := acct.startProcess(interruption.beforeCall(func() {
				for entry, err := range other.store.List(t.Context(), storage.WithPrefix(uploads.DefaultPrefix)) {
					require.NoError(t, err)
					isFirstPiece := strings.HasSuffix(entry.Key, "/00001")
					if isFirstPiece {
						_, err := other.store.Upload(t.Context(), entry.Key, bytes.NewReader(content(mostOfAllowance)))
						require.NoError(t, err)
					}
				}
			}))
			_ = putPiece(p, 2, content(mostOfAllowance))
			acct.requireWithinAllowance(other, "at call %d", call)

			// The client sends the first piece again, unless the file is complete already.
			if err := putPiece(other, 1, content(1000)); uploads.CodeOf(err) != uploads.Completed {
				require.NoError(t, err, "at call %d", call)
			}

			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// Three calls run at the same time: Delete removes a file that was never counted, Recount counts the files, and the
// client sends the next file with the token of the first one. The next Sweep makes the count exact.
func TestAllowanceOfPiecesRemovedDuringNextUpload(t *testing.T) {
	user := uploads.User{ID: alice}
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.changeConfig = func(c *uploads.Config) {
		c.Rules = rules.Any(3000)
	}

	// In the nth run, the other calls run just before the nth call of Delete to the store.
	for call, interruption := range acct.interruptEachCall() {
		// A process makes a file of two pieces, and is killed at its last call, which counts the file.
		const countingCall = 12
		other := acct.startProcess()
		require.NoError(t, putPiece(other, 1, content(1000)))
		killer := &processKiller{atCall: countingCall}
		require.Error(t, putPiece(acct.startProcess(killer.layer), 2, content(1000)))
		keys, _ := acct.files()
		require.Len(t, keys, 1)

		// The upload expires, and a Sweep fails when it begins to remove the upload. Then the token
		// of the upload is free again.
		acct.clock.Advance(2 * uploads.DefaultTTL)
		sweeper := acct.startProcess(denyRemovals)
		_, err := sweeper.service.Sweep(t.Context())
		require.Error(t, err)

		// Delete removes the file. Meanwhile, the client begins the next upload, and Recount runs.
		p := acct.startProcess(interruption.beforeCall(func() {
			require.NoError(t, putPiece(other, 1, content(500)))
			_, err := other.service.Recount(t.Context(), alice)
			require.NoError(t, err)
		}))
		require.NoError(t, p.service.Delete(t.Context(), keys[0], user), "at call %d", call)

		// The client completes its next upload.
		require.NoError(t, putPiece(other, 1, content(500)), "at call %d", call)
		require.NoError(t, putPiece(other, 2, content(500)), "at call %d", call)
		acct.requireExactAfterSweep(other, "at call %d", call)
	}
}

// denyRemovals is a layer that refuses to remove anything from a store.
func denyRemovals(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		if strings.HasPrefix(call, "Delete") {
			return &storage.Error{Code: storage.PermissionDenied}
		}
		return next(ctx)
	})
}

// The count of files stays right if a process is killed while it receives a file in one request,
// and the client then sends another file to the same URL.
func TestAllowanceAfterKillAndOtherRequest(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Kill the process at call 1, 2 and so on, until a request ends before that call.
		for call, killer := range killAtEachCall(t, killBefore) {
			acct.requireRightAfterOtherFile(call, killer)
		}
	})
}

// The count of files stays right if a process is killed while it receives a file in one request,
// and the client then sends to the same URL a file that Config.Inspect refuses.
func TestAllowanceAfterKillAndRefusedRequest(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		// Inspect refuses the other file.
		acct.changeConfig = func(c *uploads.Config) {
			c.Inspect = func(_ context.Context, f *uploads.File, _ *storage.ReaderAt) error {
				if f.Size == otherFileSize {
					return &uploads.Error{Message: "No."}
				}
				return nil
			}
		}

		// Kill the process at call 1, 2 and so on, until a request ends before that call.
		for call, killer := range killAtEachCall(t, killBefore) {
			acct.requireRightAfterOtherFile(call, killer)
		}
	})
}

// otherFileSize is the size of the file that the second request sends in place of the first file.
const otherFileSize = 2000

// requireRightAfterOtherFile sends a file in one request to a process that is killed, and then another file to the same
// URL. It requires that the count is right.
func (acct *account) requireRightAfterOtherFile(call int, killer *processKiller) {
	acct.t.Helper()
	acct.useEmptyStore()
	other := acct.startProcess()

	// The process is killed during the first request.
	path := requestParams(acct.t, other)
	acct.startProcess(killer.layer).ask("PUT", path, content(3000))

	// When the claim of the dead process has ended, the client sends another file to the same URL.
	acct.clock.Advance(2 * time.Minute)
	other.ask("PUT", path, content(otherFileSize))
	acct.requireWithinAllowance(other, "killed at call %d", call)
	acct.requireExactAfterSweep(other, "killed at call %d", call)
}

// A process is killed while it completes an upload. Then Delete removes the file, and the client completes the upload
// again. The count stays right.
func TestAllowanceFileRemovedBeforeUploadEnds(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		for _, afterCall := range []bool{killBefore, killAfter} {
			// Kill the process at call 1, 2 and so on, until a completion ends before that call.
			for call, killer := range killAtEachCall(t, afterCall) {
				acct.useEmptyStore()
				other := acct.startProcess()
				upload := other.beginPartsUpload(t, content(3000))

				// The process is killed while it completes the upload, and Delete removes the file.
				upload.complete(acct.startProcess(killer.layer))
				require.NoError(t, other.service.Delete(t.Context(), upload.key, uploads.User{ID: alice}))

				// When the claim of the dead process has ended, the client completes the upload again.
				acct.clock.Advance(2 * time.Minute)
				upload.complete(other)
				acct.requireWithinAllowance(other, "killed at call %d", call)
				acct.requireExactAfterSweep(other, "killed at call %d", call)
			}
		}
	})
}

// sweepAfterGrace lets Config.Grace of one second pass, and runs Sweep.
func (acct *account) sweepAfterGrace(other *process) {
	acct.clock.Advance(3 * time.Second)
	_, err := other.service.Sweep(acct.t.Context())
	require.NoError(acct.t, err)
}

// If Sweep runs during a slow upload, it treats the process of the upload as dead. Whatever is
// counted then, the next Sweep makes the count exact.
func TestSweepRecountsSlowUploads(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.changeConfig = func(c *uploads.Config) {
			c.Grace = time.Second
		}

		// In the nth run, Sweep runs just before the nth call of the upload to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			p := acct.startProcess(interruption.beforeCall(func() { acct.sweepAfterGrace(other) }))

			tryToStore(t, p, content(3000))
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// If Sweep runs during a slow Delete, it treats the process of the Delete as dead. Whatever is
// counted then, the next Sweep makes the count exact.
func TestSweepRecountsSlowDeletes(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.changeConfig = func(c *uploads.Config) {
			c.Grace = time.Second
		}

		// In the nth run, Sweep runs just before the nth call of Delete to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()
			other.storeFile(t, content(3000))

			p := acct.startProcess(interruption.beforeCall(func() { acct.sweepAfterGrace(other) }))

			keys, _ := acct.files()
			_ = p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// A form reserves room for the bytes of its request, and not for the largest files that Config.Rules permits. So a form
// with three small files is stored even if one file may be as large as the whole allowance.
func TestAllowanceReservesSizesOfFormFiles(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		const allowed = 1 << 20
		acct.useEmptyStore()
		acct.changeConfig = func(c *uploads.Config) {
			c.Rules = rules.Any(allowed)
			c.Allowance = func(context.Context, uploads.User) (uploads.Allowance, error) {
				return uploads.Allowance{Bytes: allowed}, nil
			}
		}
		p := acct.startProcess()

		// Send a form with three files.
		const fileSize = 100_000
		var files []formFile
		for n := range 3 {
			files = append(files, formFile{field: "file", name: fmt.Sprint(n), content: string(content(fileSize))})
		}
		body, kind := newForm(t, files...)

		status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
		require.Equal(t, http.StatusCreated, status, string(text))
		usage, err := p.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: 3 * fileSize, Files: 3}, usage)
	})
}

// All files that are stored without a user share one allowance, that of the user "".
func TestAllowanceWithoutUser(t *testing.T) {
	acct := &account{t: t, open: newMemoryDriverAt, hasRecords: true}
	acct.useEmptyStore()
	p := acct.startProcess()
	p.storeFile(t, content(3000))
	_, err := p.service.Store(t.Context(), uploads.Upload{Body: bytes.NewReader(content(1000)), Size: 1000})
	require.NoError(t, err)

	usage, err := p.service.Recount(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: 1000, Files: 1}, usage, "only the file without a user counts")
}

// If Config.Key has {user} and its value comes from User.Values instead of User.ID, Store fails,
// because the file would count for nobody.
func TestAllowanceUserIsThatOfKey(t *testing.T) {
	acct := &account{t: t, open: newMemoryDriverAt}
	acct.useEmptyStore()

	_, err := acct.startProcess().service.Store(t.Context(), uploads.Upload{
		Body: strings.NewReader("a"),
		User: uploads.User{Values: map[string]string{"user": alice}},
	})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err), "%v", err)
}

// A user's files are counted in an object. If a lifecycle rule removes that object while a file is being uploaded, the
// file still counts.
func TestAllowanceLostReservation(t *testing.T) {
	runWithEachMethod(t, func(t *testing.T, acct *account, method sendMethod) {
		// In the nth run, the object is removed just before the nth call of the upload to the store.
		for call, interruption := range acct.interruptEachCall() {
			other := acct.startProcess()

			// The object is removed during the upload, if the upload has reserved room for its file already.
			p := acct.startProcess(interruption.beforeCall(func() {
				usage, err := other.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				if usage.ReservedFiles == 0 {
					return
				}
				_, err = storage.RemoveMatching(t.Context(), other.store, nil, storage.WithPrefix(".uploads-usage/"))
				require.NoError(t, err)
			}))

			method.send(t, p, content(3000))
			acct.requireWithinAllowance(other, "at call %d", call)
			acct.requireExactAfterSweep(other, "at call %d", call)
		}
	})
}

// An upload that began while the service had no Config.Allowance is counted once the service has one.
func TestAllowanceOfOpenUpload(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, acct *account) {
		acct.useEmptyStore()

		// The first piece comes to a service without an allowance.
		acct.changeConfig = func(c *uploads.Config) {
			c.Allowance = nil
		}
		require.NoError(t, putPiece(acct.startProcess(), 1, content(1000)))

		// The second one comes to a service with an allowance.
		acct.changeConfig = nil
		p := acct.startProcess()
		require.NoError(t, putPiece(p, 2, content(1000)))
		acct.requireWithinAllowance(p)
		acct.requireExactAfterSweep(p)
	})
}
