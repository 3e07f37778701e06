package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// usage returns what alice has, and requires that nothing is negative.
func (a *account) usage(p *process) uploads.Usage {
	a.t.Helper()
	usage, err := p.service.Usage(a.t.Context(), alice)
	require.NoError(a.t, err)
	for _, n := range []int64{usage.Bytes, usage.Files, usage.ReservedBytes, usage.ReservedFiles} {
		require.GreaterOrEqual(a.t, n, int64(0))
	}
	return usage
}

// A partsUpload is an upload by the S3 routes whose one part has arrived.
type partsUpload struct {
	key      string
	complete func(p *process)
}

func (p *process) beginPartsUpload(t *testing.T, data []byte) partsUpload {
	t.Helper()
	body := []byte(`{"filename":"a","size":` + size(data) + `}`)
	_, _, text := p.ask("POST", "/s3/multipart", body, "Content-Type", "application/json")
	var u begun
	require.NoError(t, json.Unmarshal(text, &u))
	path := "/s3/multipart/" + u.UploadID
	query := "?key=" + url.QueryEscape(u.Key)
	_, _, text = p.ask("GET", path+"/1"+query, nil)
	var part signedPart
	require.NoError(t, json.Unmarshal(text, &part))
	_, header, _ := p.ask(part.Method, pathOf(part.URL), data)
	parts, err := json.Marshal(map[string]any{"parts": []sentPart{{1, header.Get("ETag")}}})
	require.NoError(t, err)
	return partsUpload{
		key: u.Key,
		complete: func(p *process) {
			p.ask("POST", path+"/complete"+query, parts, "Content-Type", "application/json")
		},
	}
}

// A process is killed while it completes an upload. The user deletes the file, uses the whole allowance, and
// completes the upload again. The stored bytes stay within the allowance.
func TestDeleteBeforeUploadEnds(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, afterCall := range []bool{false, true} {
			for i, alive := 1, false; !alive; i++ {
				require.Less(t, i, 80)
				a.renew()
				other := a.process()
				u := other.beginPartsUpload(t, content(6000))
				d := &ending{at: i, after: afterCall}
				u.complete(a.process(d.layer))
				require.NoError(t, other.service.Delete(t.Context(), u.key, uploads.User{ID: alice}))
				a.usage(other)
				for range 4 {
					everyWay[0].send(t, other, content(2500))
				}
				a.keepsWithin(other, "killed at call %d", i)

				a.now.Advance(2 * time.Minute)
				u.complete(other)
				a.usage(other)
				a.keepsWithin(other, "killed at call %d", i)

				_, bytes := a.files()
				require.LessOrEqual(t, bytes, int64(allowedBytes), "killed at call %d", i)
				a.isExactAfterASweep(other, "killed at call %d", i)
				alive = !d.reached()
			}
		}
	})
}

// A process is killed while it joins pieces, and the user deletes the file. When the client sends the last piece
// again, the stored bytes stay within the allowance.
func TestDeleteBeforePiecesEnd(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for i, alive := 1, false; !alive; i++ {
			require.Less(t, i, 80)
			a.renew()
			other := a.process()
			require.NoError(t, putPiece(other, 1, content(3000)))
			d := &ending{at: i, after: true}
			_ = putPiece(a.process(d.layer), 2, content(3000))
			keys, _ := a.files()
			for _, key := range keys {
				require.NoError(t, other.service.Delete(t.Context(), key, uploads.User{ID: alice}))
			}

			a.usage(other)
			for range 4 {
				everyWay[0].send(t, other, content(2500))
			}

			a.now.Advance(2 * time.Minute)
			_ = putPiece(other, 2, content(3000))
			a.usage(other)
			a.keepsWithin(other, "killed at call %d", i)
			a.isExactAfterASweep(other, "killed at call %d", i)
			alive = !d.reached()
		}
	})
}

// If a client calls Finish again while Delete removes the file, the file does not come back, and the allowance
// counts no bytes.
func TestFinishBesideDelete(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		user := uploads.User{ID: alice}
		var ticket *uploads.Ticket
		var key string
		a.inTurn(func(other *process) {
			var err error
			ticket, err = other.service.Sign(t.Context(), uploads.Request{Size: 3000}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))
			f, err := other.service.Finish(t.Context(), ticket.Token, user)
			require.NoError(t, err)
			key = f.Key
		}, func(other *process) {
			_, _ = other.service.Finish(t.Context(), ticket.Token, user)
		}, func(p, other *process, i int) {
			require.NoError(t, p.service.Delete(t.Context(), key, user))
			require.Equal(t, uploads.Usage{}, a.usage(other), "at call %d", i)
			if a.record {
				files, _, err := p.service.Records().List(t.Context(), uploads.Filter{Expiring: true}, "", 10)
				require.NoError(t, err)
				require.Empty(t, files, "at call %d", i)
			}
			_, err := other.service.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{}, a.usage(other), "at call %d", i)
		})
	})
}

// If an older version has left a negative count in the ledger, Usage reports zero, and a Sweep makes the count
// exact.
func TestSweepMendsNegativeCount(t *testing.T) {
	a := &account{t: t, open: accounts[0].open, record: true}
	a.renew()

	p := a.process()
	require.Empty(t, everyWay[0].send(t, p, content(100)))
	for entry, err := range p.store.List(t.Context(), storage.WithPrefix(".uploads-usage/")) {
		require.NoError(t, err)
		text, _, err := storage.ReadAll(t.Context(), p.store, entry.Key)
		require.NoError(t, err)
		text = bytes.Replace(text, []byte(`"bytes":100`), []byte(`"bytes":-8`), 1)
		_, err = p.store.Upload(t.Context(), entry.Key, bytes.NewReader(text))
		require.NoError(t, err)
	}
	p = a.process() // without a ledger in its memory
	require.Zero(t, a.usage(p).Bytes)

	_, err := p.service.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: 100, Files: 1}, a.usage(p))
}

// An older version kept its ledgers under files/usage/. Usage reads them there, and the next write or Sweep moves
// them.
func TestUsageOfOlderVersion(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, sweeps := range []bool{false, true} {
			a.renew()
			p := a.process()
			require.Empty(t, everyWay[0].send(t, p, content(4000)))

			for entry, err := range p.store.List(t.Context(), storage.WithPrefix(".uploads-usage/")) {
				require.NoError(t, err)
				old := "files/usage/" + strings.TrimPrefix(entry.Key, ".uploads-usage/")
				_, err = storage.Move(t.Context(), p.store, entry.Key, old)
				require.NoError(t, err)
			}
			p = a.process()
			require.Equal(t, uploads.Usage{Bytes: 4000, Files: 1}, a.usage(p))

			if sweeps {
				_, err := p.service.Sweep(t.Context())
				require.NoError(t, err)
			} else {
				require.Empty(t, everyWay[0].send(t, p, content(1000)))
				require.Equal(t, uploads.Usage{Bytes: 5000, Files: 2}, a.usage(p))
			}
			require.Empty(t, keysUnder(t, p.store, "files/usage/"))
			require.Len(t, keysUnder(t, p.store, ".uploads-usage/"), 1)
			a.isExactAfterASweep(p)
		}
	})
}

// If a process is killed during Store or the upload of a form, the next Sweep frees what it had reserved of the
// user's allowance, whether the file's size was known or not.
func TestStoreKilledReservationEndsWithSweep(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay[:3] {
			for i, alive := 1, false; !alive; i++ {
				require.Less(t, i, 80)
				a.renew()
				d := &ending{at: i, after: true}
				other := a.process()
				w.send(t, a.process(d.layer), content(3000))
				a.now.Advance(11 * time.Minute)
				_, err := other.service.Sweep(t.Context())
				require.NoError(t, err)
				usage := a.usage(other)
				require.Zero(t, usage.ReservedBytes, "%s, killed at call %d", w.name, i)
				require.Zero(t, usage.ReservedFiles, "%s, killed at call %d", w.name, i)
				alive = !d.reached()
			}
		}
	})
}

// If a Sweep runs every five minutes during an upload of an hour, Store succeeds, and its file is counted.
func TestStoreKeepsReservationWhileItRuns(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.renew()
		renewed := make(chan struct{})
		renews := make(chan struct{})
		var other *process
		a.change = func(c *uploads.Config) {
			c.Inspect = func(context.Context, *uploads.File, *storage.ReaderAt) error {
				<-renewed
				for range 12 {
					a.now.Advance(5 * time.Minute)
					renews <- struct{}{}
					<-renewed
					_, err := other.service.Sweep(t.Context())
					require.NoError(t, err)
				}
				return nil
			}
		}
		p := a.process()
		a.change = nil
		other = a.process()
		step := func(ctx context.Context, ready, wait chan struct{}) error {
			select {
			case ready <- struct{}{}:
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		}
		p.service.SetPulse(func(ctx context.Context) error {
			if err := step(ctx, renewed, nil); err != nil {
				return err
			}
			return step(ctx, nil, renews)
		})

		_, err := p.service.Store(t.Context(), uploads.Upload{
			Body: bytes.NewReader(content(3000)),
			User: uploads.User{ID: alice},
		})
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: 3000, Files: 1}, a.usage(other))
	})
}

// GET /s3/params reserves nothing. Room is reserved when the bytes arrive, once for all requests with the same
// URL.
func TestS3ParamsReserveNothing(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.renew()
		p := a.process()
		begin := func() string {
			status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
			require.Equal(t, http.StatusOK, status, string(text))
			var part signedPart
			require.NoError(t, json.Unmarshal(text, &part))
			return pathOf(part.URL)
		}

		path := begin()
		require.Equal(t, uploads.Usage{}, a.usage(p))
		a.inTurn(func(other *process) {
			p = other
			path = begin()
		}, func(other *process) {
			other.ask("PUT", path, content(1000))
		}, func(p, other *process, i int) {
			p.ask("PUT", path, content(3000))
			a.usage(other)
			a.keepsWithin(other, "at call %d", i)
			a.isExactAfterASweep(other, "at call %d", i)
		})
		a.renew()
		p = a.process()
		require.Empty(t, everyWay[0].send(t, p, content(allowedBytes)))

		status, _, text := p.ask("GET", "/s3/params?filename=a", nil)
		require.Equal(t, "over_allowance", codeIn(status, text))
	})
}

// A joined tus upload removes its pieces before its file is counted. Even if processes are killed during joins, a
// user stores at most twice the allowance.
func TestTusJoinedPiecesDoNotStay(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		storedBytes := func() (bytes int64) {
			for entry, err := range a.bucket().List(t.Context()) {
				require.NoError(t, err)
				if strings.HasSuffix(entry.Key, "/content") || strings.HasPrefix(entry.Key, alice+"/") ||
					strings.HasPrefix(entry.Key, "files/content/") {
					bytes += entry.Size
				}
			}
			return bytes
		}
		for i, alive := 1, false; !alive; i++ {
			require.Less(t, i, 80)
			a.renew()
			other := a.process()
			for range 3 {
				d := &ending{at: i, after: true}
				sendJoined(a.process(d.layer), content(3000))
				usage := a.usage(other)
				// A killed call leaves the pieces beside the joined file. It has counted neither.
				if usage.ReservedBytes == 0 {
					require.LessOrEqual(t, storedBytes(), usage.Bytes, "killed at call %d", i)
				}
				alive = !d.reached()
			}
			require.LessOrEqual(t, storedBytes(), int64(2*allowedBytes), "killed at call %d", i)

			if alive {
				keys, bytes := a.files()
				require.Len(t, keys, 3)
				require.Equal(t, bytes, storedBytes())
			}
			a.isExactAfterASweep(other, "killed at call %d", i)
		}
	})
}

// After Cancel, all room that the ticket reserved is free again. After Finish, Cancel fails with Completed.
func TestCancelReturnsRoomOfTicket(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.renew()
		p := a.process()
		user := uploads.User{ID: alice}

		ticket, err := p.service.Sign(t.Context(), uploads.Request{}, user)
		require.NoError(t, err)
		require.EqualValues(t, allowedBytes, a.usage(p).ReservedBytes)

		require.NoError(t, p.service.Cancel(t.Context(), ticket.Token, user))
		require.NoError(t, p.service.Cancel(t.Context(), ticket.Token, user), "again")
		require.Equal(t, uploads.Usage{}, a.usage(p))

		_, err = p.service.Finish(t.Context(), ticket.Token, user)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err), "%v", err)
		require.Empty(t, everyWay[0].send(t, p, content(allowedBytes)))
		a.isExactAfterASweep(p)

		a.renew()
		p = a.process()
		ticket, err = p.service.Sign(t.Context(), uploads.Request{Size: 100}, user)
		require.NoError(t, err)
		p.sendTicket(t, ticket, content(100))
		_, err = p.service.Finish(t.Context(), ticket.Token, user)
		require.NoError(t, err)

		err = p.service.Cancel(t.Context(), ticket.Token, user)
		require.Equal(t, uploads.Completed, uploads.CodeOf(err), "%v", err)
		require.Equal(t, uploads.Usage{Bytes: 100, Files: 1}, a.usage(p))
	})
}

// If Finish and Cancel of one ticket run at the same time, exactly one succeeds. The file exists only if Finish
// succeeded.
func TestCancelBesideFinish(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		user := uploads.User{ID: alice}
		var ticket *uploads.Ticket
		setUp := func(other *process) {
			var err error
			ticket, err = other.service.Sign(t.Context(), uploads.Request{Size: 3000}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))
		}
		var finished, canceled error
		agree := func(other *process, i int) {
			keys, _ := a.files()
			require.Equal(t, finished == nil, len(keys) == 1, "at call %d: %v, %v", i, finished, canceled)
			require.NotEqual(t, finished == nil, canceled == nil, "at call %d: %v, %v", i, finished, canceled)
			a.keepsWithin(other, "at call %d", i)
			a.isExactAfterASweep(other, "at call %d", i)
		}
		finish := func(p *process) {
			_, finished = p.service.Finish(t.Context(), ticket.Token, user)
		}
		cancel := func(p *process) {
			canceled = p.service.Cancel(t.Context(), ticket.Token, user)
		}
		a.inTurn(setUp, cancel, func(p, other *process, i int) {
			canceled = &uploads.Error{Code: uploads.Completed}
			finish(p)
			agree(other, i)
		})
		a.inTurn(setUp, finish, func(p, other *process, i int) {
			finished = &uploads.Error{Code: uploads.NotFound}
			cancel(p)
			agree(other, i)
		})
	})
}

// If a ticket expires at any moment of Finish, and Sweep then removes the file that was sent, Finish succeeds, or
// fails with NotFound or StoreFailed and stores nothing. The next Sweep makes the count exact.
func TestFinishOfExpiringTicket(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		user := uploads.User{ID: alice}
		var ticket *uploads.Ticket
		a.inTurn(func(other *process) {
			var err error
			ticket, err = other.service.Sign(t.Context(), uploads.Request{Size: 3000}, user)
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))
			a.now.Advance(24 * time.Hour)
		}, func(other *process) {
			a.now.Advance(48 * time.Hour)
			_, err := other.service.Sweep(t.Context())
			require.NoError(t, err)
			require.NotContains(t, keysUnder(t, a.bucket(), uploads.DefaultPrefix), pendingOf(ticket))
		}, func(p, other *process, i int) {
			_, err := p.service.Finish(t.Context(), ticket.Token, user)
			if err != nil && uploads.CodeOf(err) != uploads.StoreFailed {
				require.Equal(t, uploads.NotFound, uploads.CodeOf(err), "at call %d: %v", i, err)
			}
			keys, _ := a.files()
			require.Equal(t, err == nil, len(keys) == 1, "at call %d: %v, %v", i, err, keys)
			a.isExactAfterASweep(other, "at call %d", i)
		})
	})
}

func keysUnder(t *testing.T, b storage.Bucket, prefix string) (keys []string) {
	t.Helper()
	for entry, err := range b.List(t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}
