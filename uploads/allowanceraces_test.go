package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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

// inTurn calls f with a layer that lets act act before the first call to the store, then before the second, and so on.
// Each time the store is empty before set up runs.
func (a *account) inTurn(setUp func(other *process), act func(other *process), f func(p, other *process, i int)) {
	for i, meddled := 1, true; meddled; i++ {
		require.Less(a.t, i, 80)
		a.renew()
		other := a.process()
		setUp(other)
		layer, reached := meddler(i, func() {
			act(other)
		})
		f(a.process(layer), other, i)
		meddled = reached()
	}
}

func (p *process) sendTicket(t *testing.T, ticket *uploads.Ticket, data []byte) {
	t.Helper()
	_, err := p.store.Upload(p.ctx, pendingOf(ticket), bytes.NewReader(data),
		storage.WithContentType("application/octet-stream"))
	require.NoError(t, err)
}

// If the sender replaces the file of a ticket by a larger one at any moment of Finish, the stored bytes stay
// within the allowance.
func TestAllowanceOfTicketReplacedByLargerFile(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		var ticket *uploads.Ticket
		a.inTurn(func(other *process) {
			var err error
			ticket, err = other.service.Sign(t.Context(), uploads.Request{}, uploads.User{ID: alice})
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))
		}, func(other *process) {
			other.sendTicket(t, ticket, content(2*allowedBytes))
		}, func(p, other *process, i int) {
			_, _ = p.service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})
			a.keepsWithin(other, "at call %d", i)
			_, _ = other.service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})
			a.keepsWithin(other, "at call %d", i)
			a.isExactAfterASweep(other, "at call %d", i)
		})
	})
}

// The sender replaces a ticket's file by a larger one, and the process that runs Finish is killed. After a second
// Finish, the stored bytes are within the allowance.
func TestAllowanceOfTicketAfterKill(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for i, alive := 1, false; !alive; i++ {
			a.renew()
			other := a.process()
			ticket, err := other.service.Sign(t.Context(), uploads.Request{}, uploads.User{ID: alice})
			require.NoError(t, err)
			other.sendTicket(t, ticket, content(3000))
			layer := func(next driver.Driver) driver.Driver {
				return driver.Intercept(
					next,
					func(ctx context.Context, call string, next func(context.Context) error) error {
						if call == "Head" { // of the copy
							other.sendTicket(t, ticket, content(2*allowedBytes))
						}
						return next(ctx)
					},
				)
			}
			d := &ending{at: i, after: true}
			_, _ = a.process(layer, d.layer).service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})

			_, _ = other.service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})
			a.keepsWithin(other, "killed at call %d", i)
			alive = !d.reached()
		}
	})
}

// On a bucket without conditional writes, two Finish calls for one ticket make the same object. Neither call
// removes it, and it counts once.
func TestFinishTicketTwiceAtOnceKeepsFile(t *testing.T) {
	states := memstore.New()
	a := &account{
		t: t,
		open: func(_ *testing.T, now *clock) driver.Driver {
			limits := faults.Limits{
				Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
			}
			return faults.WithLimits(limits)(memstore.NewDriver(memstore.Config{Now: now.Now}))
		},
		change: func(c *uploads.Config) {
			c.Unguarded, c.States = true, uploads.BucketStates(states)
		},
	}
	var ticket *uploads.Ticket
	finished := false
	usage := uploads.Usage{}
	a.inTurn(func(other *process) {
		var err error
		usage, err = other.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		ticket, err = other.service.Sign(t.Context(), uploads.Request{Size: 300}, uploads.User{ID: alice})
		require.NoError(t, err)
		other.sendTicket(t, ticket, content(300))
		finished = false
	}, func(other *process) {
		_, err := other.service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})
		finished = err == nil
	}, func(p, other *process, i int) {
		_, err := p.service.Finish(t.Context(), ticket.Token, uploads.User{ID: alice})
		require.True(t, finished || err == nil, "at call %d", i)
		keys, _ := a.files()
		require.Len(t, keys, 1, "at call %d", i)

		u, err := other.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, usage.Bytes+300, u.Bytes, "at call %d", i)
		require.NoError(t, other.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
	})
}

// putPiece stores one of two pieces of a file of alice.
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

// If pieces of a file of unknown size arrive at the same time, the first one reserves all of the room. The others
// succeed, at the latest when sent again.
func TestAllowanceOfPiecesAtOnce(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		retry := true
		a.inTurn(func(*process) {
			retry = true
		}, func(other *process) {
			err := putPiece(other, 2, content(1000))
			retry = uploads.CodeOf(err) == uploads.Locked
			if !retry { // the other call is about to save the state
				require.NoError(t, err)
			}
		}, func(p, other *process, i int) {
			require.NoError(t, putPiece(p, 1, content(1000)), "at call %d", i)
			if retry {
				require.NoError(t, putPiece(other, 2, content(1000)), "at call %d", i)
			}
			u, err := other.service.Usage(t.Context(), alice)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: 2000, Files: 1}, u, "at call %d", i)
		})
	})
}

// If a piece is replaced by a larger one while PutPiece joins the pieces, the stored bytes stay within the
// allowance.
func TestAllowanceOfPieceReplacedDuringJoin(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.inTurn(func(other *process) {
			require.NoError(t, putPiece(other, 1, content(1000)))
		}, func(other *process) {
			for entry, err := range other.store.List(t.Context(), storage.WithPrefix(".uploads/")) {
				require.NoError(t, err)
				if strings.HasSuffix(entry.Key, "/00001") {
					_, err := other.store.Upload(t.Context(), entry.Key, bytes.NewReader(content(9000)))
					require.NoError(t, err)
				}
			}
		}, func(p, other *process, i int) {
			_ = putPiece(p, 2, content(9000))
			a.keepsWithin(other, "at call %d", i)
			if err := putPiece(other, 1, content(1000)); uploads.CodeOf(err) != uploads.Completed {
				require.NoError(t, err, "at call %d", i)
			}
			a.isExactAfterASweep(other, "at call %d", i)
		})
	})
}

// A call was killed before it counted a file in pieces, and a Sweep has begun to remove the expired upload. If
// the client begins another upload with the same token while Delete removes the file, and Recount counts the file at
// that moment, the next Sweep makes the count exact.
func TestAllowanceOfPiecesRemovedDuringNextUpload(t *testing.T) {
	a := &account{
		t:    t,
		open: accounts[0].open,
		change: func(c *uploads.Config) {
			c.Rules = rules.Any(3000)
		},
	}
	var key string
	a.inTurn(func(other *process) {
		require.NoError(t, putPiece(other, 1, content(1000)))
		d := &ending{at: 12} // the call that counts the file
		require.Error(t, putPiece(a.process(d.layer), 2, content(1000)))
		keys, _ := a.files()
		require.Len(t, keys, 1)
		key = keys[0]

		a.now.Advance(2 * uploads.DefaultTTL)
		failing := a.process(func(next driver.Driver) driver.Driver {
			return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
				if strings.HasPrefix(call, "Delete") {
					return &storage.Error{Code: storage.PermissionDenied}
				}
				return next(ctx)
			})
		})
		_, err := failing.service.Sweep(t.Context())
		require.Error(t, err)
	}, func(other *process) {
		require.NoError(t, putPiece(other, 1, content(500)))
		_, err := other.service.Recount(t.Context(), alice)
		require.NoError(t, err)
	}, func(p, other *process, i int) {
		require.NoError(t, p.service.Delete(t.Context(), key, uploads.User{ID: alice}), "at call %d", i)
		require.NoError(t, putPiece(other, 1, content(500)), "at call %d", i)
		require.NoError(t, putPiece(other, 2, content(500)), "at call %d", i)
		a.isExactAfterASweep(other, "at call %d", i)
	})
}

// If a process is killed during an upload in one request, and the client sends another file to the same URL, the
// count stays right.
func TestAllowanceAfterKillAndOtherRequest(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, inspects := range []bool{false, true} {
			var refusal error
			a.change = nil
			if inspects {
				a.change = func(c *uploads.Config) {
					c.Inspect = func(context.Context, *uploads.File, *storage.ReaderAt) error { return refusal }
				}
			}
			for i, alive := 1, false; !alive; i++ {
				a.renew()
				refusal = nil
				other := a.process()
				_, _, text := other.ask("GET", "/s3/params?filename=a", nil)
				var part signedPart
				require.NoError(t, json.Unmarshal(text, &part))
				d := &ending{at: i}
				a.process(d.layer).ask("PUT", pathOf(part.URL), content(3000))
				a.now.Advance(2 * time.Minute)
				refusal = &uploads.Error{Message: "No."}

				other.ask("PUT", pathOf(part.URL), content(2000))
				a.keepsWithin(other, "killed at call %d", i)
				a.isExactAfterASweep(other, "killed at call %d", i)
				alive = !d.reached()
			}
		}
	})
}

// If a process is killed while it completes an upload, Delete removes the file, and the client completes the
// upload again, the count stays right.
func TestAllowanceFileRemovedBeforeUploadEnds(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, afterCall := range []bool{false, true} {
			for i, alive := 1, false; !alive; i++ {
				a.renew()
				other := a.process()
				_, _, text := other.ask(
					"POST",
					"/s3/multipart",
					[]byte(`{"filename":"a","size":3000}`),
					"Content-Type",
					"application/json",
				)
				var u begun
				require.NoError(t, json.Unmarshal(text, &u))
				path := "/s3/multipart/" + u.UploadID
				key := "?key=" + url.QueryEscape(u.Key)
				_, _, text = other.ask("GET", path+"/1"+key, nil)
				var part signedPart
				require.NoError(t, json.Unmarshal(text, &part))
				_, header, _ := other.ask(part.Method, pathOf(part.URL), content(3000))
				parts, err := json.Marshal(map[string]any{"parts": []sentPart{{1, header.Get("ETag")}}})
				require.NoError(t, err)
				complete := func(p *process) {
					p.ask("POST", path+"/complete"+key, parts, "Content-Type", "application/json")
				}
				d := &ending{at: i, after: afterCall}
				complete(a.process(d.layer))
				require.NoError(t, other.service.Delete(t.Context(), u.Key, uploads.User{ID: alice}))
				a.now.Advance(2 * time.Minute)

				complete(other)
				a.keepsWithin(other, "killed at call %d", i)
				a.isExactAfterASweep(other, "killed at call %d", i)
				alive = !d.reached()
			}
		}
	})
}

// If Sweep takes a slow upload or a slow Delete for one that died, the next Sweep makes the count exact.
func TestSweepRecountsSlowUploads(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.change = func(c *uploads.Config) {
			c.Grace = time.Second
		}
		sweep := func(other *process) {
			a.now.Advance(3 * time.Second)
			_, err := other.service.Sweep(t.Context())
			require.NoError(t, err)
		}
		a.inTurn(func(*process) {}, sweep, func(p, other *process, i int) {
			everyWay[0].send(t, p, content(3000))
			a.isExactAfterASweep(other, "at call %d", i)
		})
		a.inTurn(
			func(other *process) {
				require.Empty(t, everyWay[0].send(t, other, content(3000)))
			},
			sweep,
			func(p, other *process, i int) {
				keys, _ := a.files()
				_ = p.service.Delete(t.Context(), keys[0], uploads.User{ID: alice})
				a.isExactAfterASweep(other, "at call %d", i)
			},
		)
	})
}

// If Config.Rules allow a file as large as the whole allowance, a form with three small files is nevertheless
// stored.
func TestAllowanceReservesSizesOfFormFiles(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.renew()
		a.change = func(c *uploads.Config) {
			c.Rules = rules.Any(1 << 20)
			c.Allowance = func(context.Context, uploads.User) (uploads.Allowance, error) {
				return uploads.Allowance{Bytes: 1 << 20}, nil
			}
		}
		p := a.process()
		var files []formFile
		for n := range 3 {
			files = append(files, formFile{"file", fmt.Sprint(n), "", string(content(100_000))})
		}
		body, kind := newForm(t, files...)

		status, _, text := p.ask("POST", "/", body.Bytes(), "Content-Type", kind)
		require.Equal(t, http.StatusCreated, status, string(text))
		u, err := p.service.Usage(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, uploads.Usage{Bytes: 300_000, Files: 3}, u)
	})
}

// All files that are stored without a user share one allowance, that of the user "".
func TestAllowanceWithoutUser(t *testing.T) {
	a := &account{t: t, open: accounts[0].open, record: true}
	a.renew()

	p := a.process()
	require.Empty(t, everyWay[0].send(t, p, content(3000)))
	_, err := p.service.Store(t.Context(), uploads.Upload{Body: bytes.NewReader(content(1000)), Size: 1000})
	require.NoError(t, err)
	u, err := p.service.Recount(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: 1000, Files: 1}, u)
}

// If User.Values instead of User.ID gives the {user} of Config.Key, Store fails with InvalidValue. Otherwise the
// files of all users would count for nobody.
func TestAllowanceUserIsThatOfKey(t *testing.T) {
	a := &account{t: t, open: accounts[0].open}
	a.renew()
	_, err := a.process().service.Store(t.Context(), uploads.Upload{
		Body: strings.NewReader("a"),
		User: uploads.User{Values: map[string]string{"user": alice}},
	})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err), "%v", err)
}

// If a lifecycle rule removes the object that counts a user's files while a file is being uploaded, that file
// still counts.
func TestAllowanceLostReservation(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		for _, w := range everyWay {
			a.inTurn(func(*process) {}, func(other *process) {
				u, err := other.service.Usage(t.Context(), alice)
				require.NoError(t, err)
				if u.ReservedFiles == 0 {
					return
				}
				_, err = storage.RemoveMatching(t.Context(), other.store, nil, storage.WithPrefix(".uploads-usage/"))
				require.NoError(t, err)
			}, func(p, other *process, i int) {
				w.send(t, p, content(3000))
				a.keepsWithin(other, "%s, at call %d", w.name, i)
				a.isExactAfterASweep(other, "%s, at call %d", w.name, i)
			})
		}
	})
}

// If the service gets an allowance after an upload has begun, the file of that upload is counted.
func TestAllowanceOfOpenUpload(t *testing.T) {
	runOnAccounts(t, func(t *testing.T, a *account) {
		a.renew()
		a.change = func(c *uploads.Config) {
			c.Allowance = nil
		}
		require.NoError(t, putPiece(a.process(), 1, content(1000)))
		a.change = nil
		p := a.process()

		require.NoError(t, putPiece(p, 2, content(1000)))
		a.keepsWithin(p)
		a.isExactAfterASweep(p)
	})
}
