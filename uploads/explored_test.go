package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// An exploredService is a service of one process of a scene, with an allowance of 100 bytes.
type exploredService struct {
	*uploads.Service
	bucket storage.Bucket
}

const exploredAllowance = 100

// withoutRecords is the value of records for a service without Config.Records.
const withoutRecords = false

// newExploredService returns a service over the bucket of a process. If records is true, it keeps records in the bucket.
func newExploredService(s *interleave.Scene, bucket storage.Bucket, records bool) exploredService {
	c := uploads.Config{
		Rules:    rules.Any(1000),
		Key:      "{user}/{random}{ext}",
		TokenKey: make([]byte, 32),
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: exploredAllowance}, nil
		},
		Authorize:  func(*http.Request) (uploads.User, error) { return uploads.User{ID: alice}, nil },
		BaseURL:    "http://site.invalid",
		ProxyParts: true,
	}
	if records {
		c.Key = ""
		c.Records = uploads.BucketRecords(bucket)
	}
	service, err := uploads.New(bucket, c)
	require.NoError(s, err)
	return exploredService{service, bucket}
}

// ask makes a request of alice, and returns the response.
func (e exploredService) ask(ctx context.Context, method, path string, body []byte, pairs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, "http://site.invalid"+path, bytes.NewReader(body))
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// stored returns the sizes of what is stored.
func (e exploredService) stored(s *interleave.Scene) (bytes int64) {
	for _, prefix := range []string{alice + "/", "files/content/"} {
		for entry, err := range e.bucket.List(s.Context(), storage.WithPrefix(prefix)) {
			require.NoError(s, err)
			bytes += entry.Size
		}
	}
	return bytes
}

// requireExact requires that exactly what is stored is counted, and that nothing is reserved any more after some days.
func (e exploredService) requireExact(s *interleave.Scene) {
	usage := e.usage(s)
	require.LessOrEqual(s, e.stored(s), usage.Bytes+usage.ReservedBytes)
	time.Sleep(100 * time.Hour) // in the bubble of the scene, so that all leases end
	_, err := e.Sweep(s.Context())
	require.NoError(s, err)
	usage = e.usage(s)
	require.Equal(s, e.stored(s), usage.Bytes)
	require.Zero(s, usage.ReservedBytes)
}

// usage returns what alice has, and requires that it is not negative and within the allowance.
func (e exploredService) usage(s *interleave.Scene) uploads.Usage {
	usage, err := e.Usage(s.Context(), alice)
	require.NoError(s, err)
	require.GreaterOrEqual(s, usage.Bytes, int64(0))
	require.GreaterOrEqual(s, usage.Files, int64(0))
	require.LessOrEqual(s, usage.Bytes+usage.ReservedBytes, int64(exploredAllowance))
	return usage
}

// A ledger counts a user's files. If Finish moves the ledger of an older version while another call uses it, nothing is
// counted twice.
func TestExploredOldLedger(t *testing.T) {
	user := uploads.User{ID: alice}
	tests := []struct {
		name  string
		other func(ctx context.Context, e exploredService, token string) error
	}{
		{
			name: "Finish",
			other: func(ctx context.Context, e exploredService, token string) error {
				_, err := e.Finish(ctx, token, user)
				return err
			},
		},
		{
			name: "Recount",
			other: func(ctx context.Context, e exploredService, _ string) error {
				_, err := e.Recount(ctx, alice)
				return err
			},
		},
		{
			name: "Store",
			other: func(ctx context.Context, e exploredService, _ string) error {
				_, err := e.Store(ctx, uploads.Upload{Body: bytes.NewReader(content(40)), Size: 40, User: user})
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				// The file of a ticket has arrived, and the ledger is that of an older version.
				store := s.Store("s")
				first := newExploredService(s, store.Bucket(storage.WithSigningBaseURL("http://s.invalid")), withoutRecords)
				ticket, err := first.Sign(s.Context(), uploads.Request{Size: 60}, user)
				require.NoError(s, err)
				body := bytes.NewReader(content(60))
				kind := storage.WithContentType("application/octet-stream")
				_, err = first.bucket.Upload(s.Context(), signedKeyOf(ticket), body, kind)
				require.NoError(s, err)
				first.makeOldLedger(s)

				finishing := s.Process("p")
				service := newExploredService(s, finishing.Bucket(store), withoutRecords)
				other := s.Process("q")
				otherService := newExploredService(s, other.Bucket(store), withoutRecords)
				finish := finishing.Go("Finish", func(ctx context.Context) error {
					_, err := service.Finish(ctx, ticket.Token, user)
					return err
				})
				other.Go(tt.name, func(ctx context.Context) error {
					return tt.other(ctx, otherService, ticket.Token)
				})

				s.Check(func() {
					late := newExploredService(s, store.Bucket(), withoutRecords)
					if explored.Succeeded(finish) {
						require.GreaterOrEqual(s, late.stored(s), int64(60))
					}
					late.requireExact(s)
				})
			})
		})
	}
}

// Recount during PutPiece counts the file once, although its key was not known when its room was reserved.
func TestExploredRecount(t *testing.T) {
	explored.EachOrderOnSome(t, func(s *interleave.Scene) {
		store := s.Store("s")
		newExploredService(s, store.Bucket(), withoutRecords).putPiece(s.Context(), 1)

		putting := s.Process("p")
		service := newExploredService(s, putting.Bucket(store), withoutRecords)
		counting := s.Process("q")
		countingService := newExploredService(s, counting.Bucket(store), withoutRecords)
		putting.Go("PutPiece", func(ctx context.Context) error {
			service.putPiece(ctx, 2)
			return nil
		})
		counting.Go("Recount", func(ctx context.Context) error {
			_, err := countingService.Recount(ctx, alice)
			return err
		})
		s.Check(func() {
			newExploredService(s, store.Bucket(), withoutRecords).requireExact(s)
		})
	})
}

// putPiece stores one of two pieces of a file of 60 bytes.
func (e exploredService) putPiece(ctx context.Context, number int) {
	_, _ = e.PutPiece(ctx, uploads.Piece{
		Token:  "token",
		Count:  2,
		Number: number,
		Body:   bytes.NewReader(content(30)),
		User:   uploads.User{ID: alice},
		Name:   "a",
	})
}

// makeOldLedger moves the ledger of alice to where an older version had it.
func (e exploredService) makeOldLedger(s *interleave.Scene) {
	const prefix = ".uploads-usage/"
	var keys []string
	for entry, err := range e.bucket.List(s.Context(), storage.WithPrefix(prefix)) {
		require.NoError(s, err)
		keys = append(keys, entry.Key)
	}

	require.Len(s, keys, 1)
	text, _, err := storage.ReadAll(s.Context(), e.bucket, keys[0])
	require.NoError(s, err)
	var fields map[string]any
	require.NoError(s, json.Unmarshal(text, &fields))
	delete(fields, "id")
	text, err = json.Marshal(fields)
	require.NoError(s, err)
	old := "files/usage/" + strings.TrimPrefix(keys[0], prefix)
	_, err = e.bucket.Upload(s.Context(), old, bytes.NewReader(text))
	require.NoError(s, err)
	require.NoError(s, e.bucket.Remove(s.Context(), keys[0]))
}

// A client completes an upload over the S3 routes while another process deletes the file, or aborts or completes
// the upload. After a second completion, the count is exact.
func TestExploredCompletion(t *testing.T) {
	user := uploads.User{ID: alice}
	for _, tt := range []struct {
		name  string
		other func(ctx context.Context, e exploredService, u exploredParts)
	}{
		{
			name: "and completion",
			other: func(ctx context.Context, e exploredService, u exploredParts) {
				u.complete(ctx, e)
			},
		},
		{
			name: "and Delete",
			other: func(ctx context.Context, e exploredService, u exploredParts) {
				_ = e.Delete(ctx, u.key, user)
			},
		},
		{
			name: "and abort",
			other: func(ctx context.Context, e exploredService, u exploredParts) {
				e.ask(ctx, "DELETE", u.path+u.query, nil)
			},
		},
	} {
		// The tests TestExploredCompleteAndComplete and TestExploredCompleteAndAbort already explore much of the other
		// two scenes.
		if tt.name != "and Delete" && !explored.All() {
			continue
		}
		kinds := explored.Sample([]bool{true}, []bool{false, true})
		for _, records := range kinds {
			name := tt.name
			if records {
				name += " with records"
			}
			t.Run(name, func(t *testing.T) {
				explored.EachOrderOnSome(t, func(s *interleave.Scene) {
					store := s.Store("s")
					first := newExploredService(s, store.Bucket(), records)
					u := beginExploredParts(s, first)
					p := s.Process("p")
					q := s.Process("q")
					mine := newExploredService(s, p.Bucket(store), records)
					other := newExploredService(s, q.Bucket(store), records)
					completed := http.StatusServiceUnavailable
					p.Go("complete", func(ctx context.Context) error {
						completed = u.complete(ctx, mine)
						return nil
					})
					q.Go(tt.name, func(ctx context.Context) error {
						tt.other(ctx, other, u)
						return nil
					})
					s.Check(func() {
						late := newExploredService(s, store.Bucket(), records)
						size := late.stored(s)
						if completed == http.StatusOK && tt.name != "and Delete" {
							require.EqualValues(s, 60, size)
						}
						_, _ = late.Store(s.Context(), uploads.Upload{
							Body: bytes.NewReader(content(100)),
							Size: 100,
							User: user,
						})
						late.usage(s)
						time.Sleep(2 * time.Minute) // in the bubble of the scene, so that claims end

						u.complete(s.Context(), late)
						require.LessOrEqual(s, late.stored(s), int64(exploredAllowance))
						late.requireExact(s)
					})
				})
			})
		}
	}
}

// An exploredParts is an upload of 60 bytes with one part, which has arrived. It uses the routes that are like those of
// S3.
type exploredParts struct{ key, path, query, etag string }

// beginExploredParts begins an upload by the S3 routes, and sends its one part.
func beginExploredParts(s *interleave.Scene, e exploredService) exploredParts {
	body := []byte(`{"filename":"a","size":60}`)
	w := e.ask(s.Context(), "POST", "/s3/multipart", body, "Content-Type", "application/json")
	require.Equal(s, http.StatusOK, w.Code, w.Body.String())

	var upload multipartUpload
	require.NoError(s, json.Unmarshal(w.Body.Bytes(), &upload))
	u := exploredParts{
		key:   upload.Key,
		path:  "/s3/multipart/" + upload.UploadID,
		query: "?key=" + url.QueryEscape(upload.Key),
	}
	w = e.ask(s.Context(), "GET", u.path+"/1"+u.query, nil)
	var part signedPart
	require.NoError(s, json.Unmarshal(w.Body.Bytes(), &part))
	w = e.ask(s.Context(), part.Method, pathOf(part.URL), content(60))
	require.Equal(s, http.StatusOK, w.Code, w.Body.String())

	u.etag = w.Header().Get("ETag")
	return u
}

// complete completes the upload, and returns the status of the response.
func (u exploredParts) complete(ctx context.Context, e exploredService) int {
	parts, _ := json.Marshal(map[string]any{"parts": []sentPart{{1, u.etag}}})
	w := e.ask(ctx, "POST", u.path+"/complete"+u.query, parts, "Content-Type", "application/json")
	return w.Code
}
