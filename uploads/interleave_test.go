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
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// An exploredSite is a store to which alice uploads files, through services in several processes.
type exploredSite struct {
	*interleave.Scene
	t       *testing.T
	records bool
	store   *interleave.Store
	outside *process
}

func newExploredSite(t *testing.T, s *interleave.Scene, records bool) *exploredSite {
	e := &exploredSite{Scene: s, t: t, records: records, store: s.Store("files")}
	e.outside = e.serve(e.store.Bucket(storage.WithSigningBaseURL("http://store.invalid")))
	return e
}

func (e *exploredSite) serve(b storage.Bucket) *process {
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
		c.Key, c.Records = "", uploads.BucketRecords(b)
	}
	service, err := uploads.New(b, c)
	require.NoError(e, err)
	return &process{ctx: e.Context(), service: service, store: e.store.Bucket()}
}

// run adds a process with one actor, which calls do. The actor fails if do returns a code.
func (e *exploredSite) run(name string, do func(p *process) string) *interleave.Actor {
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

func (e *exploredSite) usage() uploads.Usage {
	u, err := e.outside.service.Usage(e.Context(), alice)
	require.NoError(e, err)
	return u
}

// isWithin requires that no more is stored than is counted, that no more is counted than is allowed, and that
// nothing is negative.
func (e *exploredSite) isWithin() {
	keys, size := e.files()
	u := e.usage()
	require.LessOrEqual(e, size, u.Bytes+u.ReservedBytes, "bytes stored, and counted: %+v", u)
	require.LessOrEqual(e, int64(len(keys)), u.Files+u.ReservedFiles, "files stored, and counted: %+v", u)
	require.LessOrEqual(e, u.Bytes+u.ReservedBytes, int64(allowedBytes), "bytes counted: %+v", u)
	require.LessOrEqual(e, u.Files+u.ReservedFiles, int64(allowedFiles), "files counted: %+v", u)
	require.GreaterOrEqual(e, min(u.Bytes, u.Files, u.ReservedBytes, u.ReservedFiles), int64(0), "%+v", u)
}

// isExactAfterASweep lets everything expire.
func (e *exploredSite) isExactAfterASweep() {
	time.Sleep(200 * time.Hour)
	_, err := e.outside.service.Sweep(e.Context())
	require.NoError(e, err)
	keys, size := e.files()
	require.Equal(e, uploads.Usage{Bytes: size, Files: int64(len(keys))}, e.usage(), "after Sweep")
}

// check adds the checks that hold for all scenes. The function again does what a client does after a failure.
func (e *exploredSite) check(again func()) {
	e.Check(func() {
		e.isWithin()
		if again != nil {
			again()
			e.isWithin()
		}
		e.isExactAfterASweep()
	})
}

// exploreUploads explores a scene with and without records.
func exploreUploads(t *testing.T, scene func(e *exploredSite)) {
	exploreUploadsWith(t, []bool{false, true}, scene)
}

// exploreUploadsWith explores a scene once for each value of records.
func exploreUploadsWith(t *testing.T, kinds []bool, scene func(e *exploredSite)) {
	for _, records := range kinds {
		name := "keys"
		if records {
			name = "records"
		}
		t.Run(name, func(t *testing.T) {
			explored.RunOnSome(t, func(s *interleave.Scene) { scene(newExploredSite(t, s, records)) })
		})
	}
}

func (e *exploredSite) ticket(data []byte) *uploads.Ticket {
	ticket, err := e.outside.service.Sign(e.Context(), uploads.Request{Size: int64(len(data))}, uploads.User{ID: alice})
	require.NoError(e, err)
	_, err = e.outside.store.Upload(e.Context(), pendingOf(ticket), bytes.NewReader(data),
		storage.WithContentType("application/octet-stream"))
	require.NoError(e, err)
	return ticket
}

func finish(p *process, ticket *uploads.Ticket) (*uploads.File, string) {
	f, err := p.service.Finish(p.ctx, ticket.Token, uploads.User{ID: alice})
	return f, codeOfError(err)
}

// If two Finish calls for one ticket run at the same time, they make one file, and both may succeed.
func TestExploredFinishAndFinish(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		ticket := e.ticket(content(6000))
		do := func(p *process) string {
			_, code := finish(p, ticket)
			return code
		}
		a := e.run("a", do)
		b := e.run("b", do)
		e.check(func() {
			if explored.Succeeded(a) || explored.Succeeded(b) {
				keys, _ := e.files()
				require.Len(e, keys, 1)
			}
			_, code := finish(e.outside, ticket)
			require.Empty(e, code)
			keys, _ := e.files()
			require.Len(e, keys, 1)
		})
	})
}

// If Delete removes a file while Finish runs again, the file does not come back.
func TestExploredFinishAgainAndDelete(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		ticket := e.ticket(content(6000))
		f, code := finish(e.outside, ticket)
		require.Empty(e, code)
		e.run("finishes", func(p *process) string {
			_, code := finish(p, ticket)
			return code
		})
		removes := e.run("removes", func(p *process) string {
			return codeOfError(p.service.Delete(p.ctx, f.Key, uploads.User{ID: alice}))
		})
		e.check(func() {
			if explored.Succeeded(removes) {
				keys, _ := e.files()
				require.Empty(e, keys)
			}
			_ = e.outside.service.Delete(e.Context(), f.Key, uploads.User{ID: alice})
		})
	})
}

// If two files that exceed the allowance together are uploaded at the same time, not both are stored.
func TestExploredFilesAtTheEdgeOfAnAllowance(t *testing.T) {
	for _, w := range everyWay {
		if w.name == "pieces" { // their token is the time
			continue
		}
		often := []string{"Store", "a ticket", "parts", "tus"}
		if !explored.All() && !slices.Contains(often, w.name) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			kinds := explored.Sample([]bool{false}, []bool{false, true})
			exploreUploadsWith(t, kinds, func(e *exploredSite) {
				do := func(p *process) string { return w.send(t, p, content(6000)) }
				a := e.run("a", do)
				b := e.run("b", do)
				e.check(func() {
					stored := 0
					for _, actor := range []*interleave.Actor{a, b} {
						if explored.Succeeded(actor) {
							stored++
						}
					}
					keys, _ := e.files()
					require.GreaterOrEqual(e, len(keys), stored)
				})
			})
		})
	}
}

// If Finish and a Sweep of expired uploads run at the same time, and Finish succeeds, the file exists.
func TestExploredFinishAndSweep(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		ticket := e.ticket(content(6000))
		time.Sleep(uploads.DefaultTTL - time.Minute)
		e.Tick(2 * time.Minute)
		finishes := e.run("finishes", func(p *process) string {
			_, code := finish(p, ticket)
			return code
		})
		e.run("sweeps", func(p *process) string {
			_, err := p.service.Sweep(p.ctx)
			return codeOfError(err)
		})
		e.check(func() {
			keys, _ := e.files()
			if explored.Succeeded(finishes) {
				require.Len(e, keys, 1)
			}
		})
	})
}

func putPiece(p *process, number int, data []byte) string {
	_, err := p.service.PutPiece(p.ctx, uploads.Piece{
		Token:  "token",
		Count:  2,
		Number: number,
		Body:   bytes.NewReader(data),
		User:   uploads.User{ID: alice},
		Name:   "a",
	})
	return codeOfError(err)
}

// If the pieces of one file arrive at the same time, the file is made once.
func TestExploredPieces(t *testing.T) {
	exploreUploadsWith(t, explored.Sample([]bool{false}, []bool{false, true}), func(e *exploredSite) {
		data := content(6000)
		a := e.run("a", func(p *process) string { return putPiece(p, 1, data[:3000]) })
		b := e.run("b", func(p *process) string { return putPiece(p, 2, data[3000:]) })
		e.check(func() {
			keys, _ := e.files()
			require.LessOrEqual(e, len(keys), 1)
			if explored.Succeeded(a) && explored.Succeeded(b) {
				require.Len(e, keys, 1)
			}
			// A process that died may have reserved all room, until Sweep.
			time.Sleep(time.Hour)
			_, err := e.outside.service.Sweep(e.Context())
			require.NoError(e, err)
			for i, piece := range [][]byte{data[:3000], data[3000:]} {
				code := putPiece(e.outside, i+1, piece)
				require.Contains(e, []string{"", string(uploads.Completed)}, code)
			}
			keys, _ = e.files()
			require.Len(e, keys, 1)
		})
	})
}

// parts begins an upload in parts and sends its only part. It returns the paths that complete and abort it.
func (e *exploredSite) parts(data []byte) (complete, abort string, body []byte) {
	asked, err := json.Marshal(map[string]any{"filename": "file", "size": len(data)})
	require.NoError(e, err)
	status, _, text := e.outside.ask("POST", "/s3/multipart", asked, "Content-Type", "application/json")
	require.Less(e, status, 300, "%s", text)
	var u begun
	require.NoError(e, json.Unmarshal(text, &u))
	at := "/s3/multipart/" + u.UploadID
	key := "?key=" + url.QueryEscape(u.Key)
	_, _, text = e.outside.ask("GET", at+"/1"+key, nil)
	var part signedPart
	require.NoError(e, json.Unmarshal(text, &part))
	_, header, _ := e.outside.ask(part.Method, pathOf(part.URL), data)
	body, err = json.Marshal(map[string]any{"parts": []sentPart{{1, header.Get("ETag")}}})
	require.NoError(e, err)
	return at + "/complete" + key, at + key, body
}

// If an upload in parts is completed twice at the same time, it makes one file.
func TestExploredCompleteAndComplete(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		complete, _, body := e.parts(content(6000))
		do := func(p *process) string {
			status, _, text := p.ask("POST", complete, body, "Content-Type", "application/json")
			return codeIn(status, text)
		}
		e.run("a", do)
		e.run("b", do)
		e.check(func() {
			time.Sleep(time.Hour) // a process that died may have claimed the upload
			require.Empty(e, do(e.outside))
			keys, _ := e.files()
			require.Len(e, keys, 1)
		})
	})
}

// If an upload in parts is completed and aborted at the same time, and the completion succeeds, the file exists.
func TestExploredCompleteAndAbort(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		complete, abort, body := e.parts(content(6000))
		completes := e.run("completes", func(p *process) string {
			status, _, text := p.ask("POST", complete, body, "Content-Type", "application/json")
			return codeIn(status, text)
		})
		e.run("aborts", func(p *process) string {
			status, _, text := p.ask("DELETE", abort, nil)
			return codeIn(status, text)
		})
		e.check(func() {
			keys, _ := e.files()
			if explored.Succeeded(completes) {
				require.Len(e, keys, 1)
			}
		})
	})
}

// If Finish and Cancel of a ticket run at the same time, only one of them succeeds.
func TestExploredFinishAndCancel(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		ticket := e.ticket(content(6000))
		finishes := e.run("finishes", func(p *process) string {
			_, code := finish(p, ticket)
			return code
		})
		cancels := e.run("cancels", func(p *process) string {
			return codeOfError(p.service.Cancel(p.ctx, ticket.Token, uploads.User{ID: alice}))
		})
		e.check(func() {
			keys, _ := e.files()
			finished := explored.Succeeded(finishes)
			if finished {
				require.Len(e, keys, 1)
			}
			if explored.Succeeded(cancels) {
				require.False(e, finished, "both succeed")
				if !finishes.Died() { // Sweep removes what it has left
					require.Empty(e, keys)
				}
			}
		})
	})
}

// If Recount runs while a file is stored, the file is counted once.
func TestExploredRecountAndStore(t *testing.T) {
	exploreUploads(t, func(e *exploredSite) {
		e.run("stores", func(p *process) string { return everyWay[0].send(t, p, content(3000)) })
		e.run("counts", func(p *process) string {
			_, err := p.service.Recount(p.ctx, alice)
			return codeOfError(err)
		})
		e.check(nil)
	})
}
