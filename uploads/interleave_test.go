package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// An exploredSite is a store to which alice uploads files, through services in several processes.
type exploredSite struct {
	*interleave.Scene
	t           *testing.T
	records     bool // whether the services have Config.Records
	store       *interleave.Store
	unscheduled *process // takes no part in the schedule
}

func newExploredSite(t *testing.T, s *interleave.Scene, records bool) *exploredSite {
	e := &exploredSite{Scene: s, t: t, records: records, store: s.Store("files")}
	e.unscheduled = e.serve(e.store.Bucket(storage.WithSigningBaseURL("http://store.invalid")))
	return e
}

// serve starts a service on the bucket, as another process would.
func (e *exploredSite) serve(bucket storage.Bucket) *process {
	c := uploads.Config{
		Rules:        rules.Any(1 << 20),
		Key:          "{user}/{random}{ext}",
		ProxyParts:   true,
		TokenKey:     make([]byte, 32),
		BaseURL:      "http://site.invalid",
		DeleteShared: true,
		Unguarded:    true,
		Authorize:    func(r *http.Request) (uploads.User, error) { return uploads.User{ID: r.Header.Get("X-User")}, nil },
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: allowedBytes, Files: allowedFiles}, nil
		},
	}
	if e.records {
		// The default key has an ID, as records need.
		c.Key = ""
		c.Records = uploads.BucketRecords(bucket)
	}
	service, err := uploads.New(bucket, c)
	require.NoError(e, err)
	return &process{ctx: e.Context(), service: service, store: e.store.Bucket()}
}

// runConcurrently adds a process with one actor. The actor calls do, and fails if do returns a code.
func (e *exploredSite) runConcurrently(name string, do func(p *process) string) *interleave.Actor {
	p := e.Process(name)
	served := e.serve(p.Bucket(e.store, storage.WithSigningBaseURL("http://store.invalid")))
	return p.Go(name, func(ctx context.Context) error {
		if code := do(&process{ctx: ctx, service: served.service, store: served.store}); code != "" {
			return &uploads.Error{Code: uploads.Code(code), Message: code}
		}
		return nil
	})
}

// files returns the keys and the size of what is stored.
func (e *exploredSite) files() (keys []string, size int64) {
	prefix := alice + "/"
	if e.records {
		prefix = "files/content/"
	}
	for entry, err := range e.store.Bucket().List(e.Context(), storage.WithPrefix(prefix)) {
		require.NoError(e, err)
		keys = append(keys, entry.Key)
		size += entry.Size
	}
	return keys, size
}

// usage returns what the service has counted for alice.
func (e *exploredSite) usage() uploads.Usage {
	u, err := e.unscheduled.service.Usage(e.Context(), alice)
	require.NoError(e, err)
	return u
}

// requireWithinAllowance requires that no more is stored than is counted, that no more is counted than is allowed,
// and that nothing is negative.
func (e *exploredSite) requireWithinAllowance() {
	keys, size := e.files()
	u := e.usage()
	require.LessOrEqual(e, size, u.Bytes+u.ReservedBytes, "bytes stored, and counted: %+v", u)
	require.LessOrEqual(e, int64(len(keys)), u.Files+u.ReservedFiles, "files stored, and counted: %+v", u)
	require.LessOrEqual(e, u.Bytes+u.ReservedBytes, int64(allowedBytes), "bytes counted: %+v", u)
	require.LessOrEqual(e, u.Files+u.ReservedFiles, int64(allowedFiles), "files counted: %+v", u)
	require.GreaterOrEqual(e, min(u.Bytes, u.Files, u.ReservedBytes, u.ReservedFiles), int64(0), "%+v", u)
}

// requireExactAfterSweep lets all uploads expire and runs Sweep. It then requires that the counted usage is what is
// stored.
func (e *exploredSite) requireExactAfterSweep() {
	time.Sleep(200 * time.Hour)
	_, err := e.unscheduled.service.Sweep(e.Context())
	require.NoError(e, err)
	keys, size := e.files()
	require.Equal(e, uploads.Usage{Bytes: size, Files: int64(len(keys))}, e.usage(), "after Sweep")
}

// afterEachOrder registers the checks that run at the end of each schedule: some that hold for all scenes, and
// verify, which may be nil. It also does what a client does after a failure.
func (e *exploredSite) afterEachOrder(verify func()) {
	e.Check(func() {
		e.requireWithinAllowance()
		if verify != nil {
			verify()
			e.requireWithinAllowance()
		}
		e.requireExactAfterSweep()
	})
}

// inEachOrderOfRequests runs a scene once for each order of the requests of its processes, for a service with records
// and for one without.
func inEachOrderOfRequests(t *testing.T, scene func(e *exploredSite)) {
	inEachOrderOfRequestsWith(t, []bool{false, true}, scene)
}

// inEachOrderOfRequestsWith is like inEachOrderOfRequests, but each element of records says whether the service has
// records of its files.
func inEachOrderOfRequestsWith(t *testing.T, records []bool, scene func(e *exploredSite)) {
	for _, hasRecords := range records {
		name := "keys"
		if hasRecords {
			name = "records"
		}
		t.Run(name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				scene(newExploredSite(t, s, hasRecords))
			})
		})
	}
}

// signAndSend signs a ticket for data, and stores data as a client would send it.
func (e *exploredSite) signAndSend(data []byte) *uploads.Ticket {
	ticket, err := e.unscheduled.service.Sign(e.Context(), uploads.Request{Size: int64(len(data))}, uploads.User{ID: alice})
	require.NoError(e, err)
	_, err = e.unscheduled.store.Upload(e.Context(), signedKeyOf(ticket), bytes.NewReader(data),
		storage.WithContentType("application/octet-stream"))
	require.NoError(e, err)
	return ticket
}

// finish returns the code of the error of Finish.
func (p *process) finish(ticket *uploads.Ticket) string {
	_, err := p.service.Finish(p.ctx, ticket.Token, uploads.User{ID: alice})
	return codeOfError(err)
}

// sweep returns the code of the error of Sweep.
func (p *process) sweep() string {
	_, err := p.service.Sweep(p.ctx)
	return codeOfError(err)
}

// recount returns the code of the error of Recount.
func (p *process) recount() string {
	_, err := p.service.Recount(p.ctx, alice)
	return codeOfError(err)
}

// delete returns the code of the error of Delete.
func (p *process) delete(key string) string {
	return codeOfError(p.service.Delete(p.ctx, key, uploads.User{ID: alice}))
}

// cancel returns the code of the error of Cancel.
func (p *process) cancel(ticket *uploads.Ticket) string {
	return codeOfError(p.service.Cancel(p.ctx, ticket.Token, uploads.User{ID: alice}))
}

// Two processes finish one ticket at the same time. Whatever the order of their requests to the store, there is one
// file, and a later Finish succeeds.
func TestExploredFinishAndFinish(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		ticket := e.signAndSend(content(6000))
		finish := func(p *process) string { return p.finish(ticket) }
		first := e.runConcurrently("first finish", finish)
		second := e.runConcurrently("second finish", finish)
		e.afterEachOrder(func() {
			// A process may have died before it made the file.
			if explored.Succeeded(first) || explored.Succeeded(second) {
				keys, _ := e.files()
				require.Len(e, keys, 1)
			}

			// A later Finish makes the file, or returns it.
			require.Empty(e, e.unscheduled.finish(ticket))
			keys, _ := e.files()
			require.Len(e, keys, 1)
		})
	})
}

// A user deletes the file of a ticket while the client finishes the ticket a second time. The file does not come back,
// whatever the order of their requests to the store.
func TestExploredFinishAgainAndDelete(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		ticket := e.signAndSend(content(6000))
		f, err := e.unscheduled.service.Finish(e.Context(), ticket.Token, uploads.User{ID: alice})
		require.NoError(e, err)

		// Two processes make these calls at the same time.
		e.runConcurrently("finishes", func(p *process) string { return p.finish(ticket) })
		removal := e.runConcurrently("removes", func(p *process) string { return p.delete(f.Key) })
		e.afterEachOrder(func() {
			if explored.Succeeded(removal) {
				keys, _ := e.files()
				require.Empty(e, keys)
			}

			// If the process of Delete has died, the user deletes the file again.
			_ = e.unscheduled.delete(f.Key)
		})
	})
}

// If two files that exceed the allowance together are uploaded at the same time, only one is stored.
func TestExploredFilesAtTheEdgeOfAnAllowance(t *testing.T) {
	for _, method := range sendMethods {
		// Two files in pieces would have the same token, because it is made of the time.
		if method.name == "pieces" {
			continue
		}

		// Some methods are enough if not everything is explored.
		sampled := []string{"Store", "a ticket", "parts", "tus"}
		if !explored.All() && !slices.Contains(sampled, method.name) {
			continue
		}
		t.Run(method.name, func(t *testing.T) {
			records := explored.Sample([]bool{false}, []bool{false, true})
			inEachOrderOfRequestsWith(t, records, func(e *exploredSite) {
				// Two processes send a file each, and only one of these fits.
				const moreThanHalf = allowedBytes/2 + 1000
				send := func(p *process) string { return method.send(t, p, content(moreThanHalf)) }
				first := e.runConcurrently("first sender", send)
				second := e.runConcurrently("second sender", send)

				// After each order of their requests, the stored files are within the allowance, and the files of
				// senders that have succeeded are stored.
				e.afterEachOrder(func() {
					succeeded := 0
					for _, sender := range []*interleave.Actor{first, second} {
						if explored.Succeeded(sender) {
							succeeded++
						}
					}
					keys, _ := e.files()
					require.GreaterOrEqual(e, len(keys), succeeded)
				})
			})
		})
	}
}

// A ticket expires while one process finishes it, and another process sweeps. If Finish succeeds, Sweep has not removed
// the file, whatever the order of their requests to the store.
func TestExploredFinishAndSweep(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		// The ticket expires in a minute. Two minutes may pass between any two requests.
		ticket := e.signAndSend(content(6000))
		time.Sleep(uploads.DefaultTTL - time.Minute)
		e.Tick(2 * time.Minute)

		finishing := e.runConcurrently("finishes", func(p *process) string { return p.finish(ticket) })
		e.runConcurrently("sweeps", (*process).sweep)
		e.afterEachOrder(func() {
			keys, _ := e.files()
			if explored.Succeeded(finishing) {
				require.Len(e, keys, 1)
			}
		})
	})
}

// The pieces of a file that arrive at the same time make one file.
func TestExploredPieces(t *testing.T) {
	inEachOrderOfRequestsWith(t, explored.Sample([]bool{false}, []bool{false, true}), func(e *exploredSite) {
		const pieceSize = 3000
		data := content(2 * pieceSize)
		putFirst := func(p *process) string { return codeOfError(putPiece(p, 1, data[:pieceSize])) }
		putSecond := func(p *process) string { return codeOfError(putPiece(p, 2, data[pieceSize:])) }

		// Two processes get one piece each.
		first := e.runConcurrently("first piece", putFirst)
		second := e.runConcurrently("second piece", putSecond)

		// These checks run after each order of the requests that the processes make to the store.
		e.afterEachOrder(func() {
			keys, _ := e.files()
			require.LessOrEqual(e, len(keys), 1)
			if explored.Succeeded(first) && explored.Succeeded(second) {
				require.Len(e, keys, 1)
			}

			// A process that died may have reserved all room, which Sweep frees.
			time.Sleep(time.Hour)
			_, err := e.unscheduled.service.Sweep(e.Context())
			require.NoError(e, err)

			// The client sends both pieces again.
			for _, put := range []func(p *process) string{putFirst, putSecond} {
				require.Contains(e, []string{"", string(uploads.Completed)}, put(e.unscheduled))
			}

			// There is one file in the end.
			keys, _ = e.files()
			require.Len(e, keys, 1)
		})
	})
}

// beginMultipart begins an upload in parts and sends its only part. It returns the paths that complete and abort the
// upload, and the body of the request that completes it.
func (e *exploredSite) beginMultipart(data []byte) (completePath, abortPath string, body []byte) {
	request, err := json.Marshal(map[string]any{"filename": "file", "size": len(data)})
	require.NoError(e, err)

	status, _, text := e.unscheduled.ask("POST", "/s3/multipart", request, "Content-Type", "application/json")
	require.Less(e, status, 300, "%s", text)
	var u multipartUpload
	require.NoError(e, json.Unmarshal(text, &u))

	// Send part 1 to its signed URL.
	path := "/s3/multipart/" + u.UploadID
	query := "?key=" + url.QueryEscape(u.Key)
	_, _, text = e.unscheduled.ask("GET", path+"/1"+query, nil)
	var part signedPart
	require.NoError(e, json.Unmarshal(text, &part))
	_, header, _ := e.unscheduled.ask(part.Method, pathOf(part.URL), data)

	body, err = json.Marshal(map[string]any{"parts": []sentPart{{PartNumber: 1, ETag: header.Get("ETag")}}})
	require.NoError(e, err)
	return path + "/complete" + query, path + query, body
}

// If one upload in parts is completed twice at the same time, there is one file.
func TestExploredCompleteAndComplete(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		completePath, _, body := e.beginMultipart(content(6000))
		completeParts := func(p *process) string {
			status, _, text := p.ask("POST", completePath, body, "Content-Type", "application/json")
			return codeIn(status, text)
		}
		e.runConcurrently("first completion", completeParts)
		e.runConcurrently("second completion", completeParts)
		e.afterEachOrder(func() {
			// A process that died may have claimed the upload. Its claim ends within the hour.
			time.Sleep(time.Hour)

			// A later completion makes the file, or finds it.
			require.Empty(e, completeParts(e.unscheduled))
			keys, _ := e.files()
			require.Len(e, keys, 1)
		})
	})
}

// If one process completes an upload in parts while another one aborts it, a completion that succeeds has made a file
// that stays, whatever the order of their requests to the store.
func TestExploredCompleteAndAbort(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		completePath, abortPath, body := e.beginMultipart(content(6000))
		completion := e.runConcurrently("completes", func(p *process) string {
			status, _, text := p.ask("POST", completePath, body, "Content-Type", "application/json")
			return codeIn(status, text)
		})
		e.runConcurrently("aborts", func(p *process) string {
			status, _, text := p.ask("DELETE", abortPath, nil)
			return codeIn(status, text)
		})
		e.afterEachOrder(func() {
			keys, _ := e.files()
			if explored.Succeeded(completion) {
				require.Len(e, keys, 1)
			}
		})
	})
}

// A ticket permits to upload one file to the store. If Finish and Cancel of a ticket run at the same time, only one of
// them succeeds.
func TestExploredFinishAndCancel(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		ticket := e.signAndSend(content(6000))
		finishing := e.runConcurrently("finishes", func(p *process) string { return p.finish(ticket) })
		canceling := e.runConcurrently("cancels", func(p *process) string { return p.cancel(ticket) })
		e.afterEachOrder(func() {
			keys, _ := e.files()
			finished := explored.Succeeded(finishing)
			canceled := explored.Succeeded(canceling)
			require.False(e, finished && canceled, "both succeed")

			// There is a file after Finish, and none after Cancel. Only a Finish that was killed may leave one, which
			// Sweep removes.
			if finished {
				require.Len(e, keys, 1)
			}
			if canceled && !finishing.Died() {
				require.Empty(e, keys)
			}
		})
	})
}

// If Finish, Cancel and Recount run at the same time, the room of the file stays reserved until the file is counted or
// removed. This holds even if Finish was killed, which looks the same as a slow Finish.
func TestExploredRoomOfTicket(t *testing.T) {
	// The processes interrupt each other at most twice, or at most once if one of them is killed.
	budgets := []interleave.Budget{{Interruptions: 2}, {Interruptions: 1, Deaths: 1}}
	explored.EachOrderWithin(t, budgets, func(s *interleave.Scene) {
		e := newExploredSite(t, s, withoutRecords)

		// A file was sent, and three processes act on its ticket.
		ticket := e.signAndSend(content(6000))
		finishing := e.runConcurrently("finishes", func(p *process) string { return p.finish(ticket) })
		canceling := e.runConcurrently("cancels", func(p *process) string { return p.cancel(ticket) })
		e.runConcurrently("counts", (*process).recount)
		e.afterEachOrder(func() {
			finished := explored.Succeeded(finishing)
			canceled := explored.Succeeded(canceling)
			require.False(e, finished && canceled, "both succeed")

			// After a Sweep, no more is counted than is stored.
			_, err := e.unscheduled.service.Sweep(e.Context())
			require.NoError(e, err)
			keys, size := e.files()
			usage := e.usage()
			require.LessOrEqual(e, usage.Bytes, size, "bytes counted that are not stored: %+v", usage)
			if finished {
				require.Len(e, keys, 1)
				require.Equal(e, uploads.Usage{Bytes: size, Files: 1}, usage)
			}

			// The client repeats its call.
			if e.unscheduled.finish(ticket) == "" {
				_, size := e.files()
				require.Equal(e, uploads.Usage{Bytes: size, Files: 1}, e.usage())
			}
		})
	})
}

// runKilled runs do in a process that is killed before its call of the store with the given number.
func (e *exploredSite) runKilled(call int, do func(p *process)) {
	killer := &processKiller{atCall: call}
	bucket := e.store.Bucket(
		storage.WithSigningBaseURL("http://store.invalid"),
		driver.WithLayer(killer.layer),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
	)
	do(e.serve(bucket))
	require.True(e, killer.hasKilled())
}

// requireUncounted requires that one file is stored and not yet counted, but that its bytes are still reserved.
func (e *exploredSite) requireUncounted() (key string) {
	keys, _ := e.files()
	require.Len(e, keys, 1)
	u := e.usage()
	require.Zero(e, u.Files)
	require.EqualValues(e, 1, u.ReservedFiles)
	return keys[0]
}

// A process was killed after Store had made a file, and before it counted the file. If Delete then removes the file
// while Sweep counts it, the next Sweep corrects the count, whatever the order of their requests to the store.
func TestExploredDeleteAndSweepAfterAKill(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		// The process is killed at the call that counts the file. With records, one more call comes before it.
		countingCall := 6
		if e.records {
			countingCall = 7
		}
		e.runKilled(countingCall, func(p *process) { tryToStore(t, p, content(6000)) })
		key := e.requireUncounted()

		// The reservation of the killed process ends.
		time.Sleep(30 * time.Minute)

		// One process deletes the file, and another one sweeps at the same time.
		e.runConcurrently("removes", func(p *process) string { return p.delete(key) })
		e.runConcurrently("sweeps", (*process).sweep)

		// The user deletes the file again. After the next Sweep, the count is exact.
		e.afterEachOrderOfKilled(func() { _ = e.unscheduled.delete(key) })
	})
}

// A process was killed after PutPiece had made a file, and before it counted the file. If Delete then removes the file
// while Sweep counts it, the next Sweep corrects the count, whatever the order of their requests to the store.
func TestExploredDeletePiecesAndSweepAfterAKill(t *testing.T) {
	inEachOrderOfRequestsWith(t, []bool{withoutRecords}, func(e *exploredSite) {
		// The process that gets the second of two pieces is killed at the call that counts the file.
		const countingCall = 12
		const pieceSize = 3000
		data := content(2 * pieceSize)
		require.NoError(e, putPiece(e.unscheduled, 1, data[:pieceSize]))
		e.runKilled(countingCall, func(p *process) { _ = putPiece(p, 2, data[pieceSize:]) })
		key := e.requireUncounted()

		// The reservation of the killed process ends.
		time.Sleep(30 * uploads.DefaultTTL)

		// One process deletes the file, and another one sweeps at the same time.
		e.runConcurrently("removes", func(p *process) string { return p.delete(key) })
		e.runConcurrently("sweeps", (*process).sweep)

		// The user deletes the file again. After the next Sweep, the count is exact, which afterEachOrder checks.
		e.afterEachOrder(func() { _ = e.unscheduled.delete(key) })
	})
}

// afterEachOrderOfKilled is like afterEachOrder, except that bytes which a killed process has left without a record
// need not count, because Sweep removes them when they are older than Config.Grace.
func (e *exploredSite) afterEachOrderOfKilled(again func()) {
	if !e.records {
		e.afterEachOrder(again)
		return
	}
	e.Check(func() {
		again()
		e.requireExactAfterSweep()
	})
}

// Finish was killed before it counted its file, and Cancel before it removed that file. Then Cancel is called again
// while Sweep counts the file. Whatever that Sweep counts, the next one corrects it.
func TestExploredCancelAndSweepAfterAKill(t *testing.T) {
	inEachOrderOfRequestsWith(t, explored.Sample([]bool{false}, []bool{false, true}), func(e *exploredSite) {
		// Finish is killed at the call that counts the file, and Cancel at the call that removes it.
		const countingCall = 6
		const removingCall = 3
		ticket := e.signAndSend(content(6000))
		e.runKilled(countingCall, func(p *process) { p.finish(ticket) })
		e.requireUncounted()
		e.runKilled(removingCall, func(p *process) { p.cancel(ticket) })
		e.requireUncounted()

		// The reservation ends ten minutes after Cancel. That is during the calls below, because a minute may pass
		// between any two requests.
		time.Sleep(10*time.Minute - 30*time.Second)
		e.Tick(time.Minute)

		// One process cancels again, and another one sweeps at the same time.
		e.runConcurrently("cancels", func(p *process) string { return p.cancel(ticket) })
		e.runConcurrently("sweeps", (*process).sweep)

		// The client cancels once more. After the next Sweep, the count is exact.
		e.afterEachOrderOfKilled(func() { e.unscheduled.cancel(ticket) })
	})
}

// If Recount and Store run at the same time, the file is counted once, whatever the order of their requests to the
// store.
func TestExploredRecountAndStore(t *testing.T) {
	inEachOrderOfRequests(t, func(e *exploredSite) {
		e.runConcurrently("stores", func(p *process) string { return tryToStore(t, p, content(3000)) })
		e.runConcurrently("counts", (*process).recount)
		e.afterEachOrder(nil)
	})
}
