package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// newExploredService returns a service over the bucket of a process. If records is true, it keeps records in the
// bucket.
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

// ask makes a request as alice, and returns the response.
func (e exploredService) ask(ctx context.Context, method, path string, body []byte, pairs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, "http://site.invalid"+path, bytes.NewReader(body))
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// stored returns the size of all stored files together.
func (e exploredService) stored(s *interleave.Scene) (bytes int64) {
	for _, prefix := range []string{alice + "/", "files/content/"} {
		for entry, err := range e.bucket.List(s.Context(), storage.WithPrefix(prefix)) {
			require.NoError(s, err)
			bytes += entry.Size
		}
	}
	return bytes
}

// requireExact requires that after some days and a Sweep, exactly the stored files are counted, and
// nothing is reserved any more.
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

// usage returns the usage of alice, and requires that it is not negative and within the allowance.
func (e exploredService) usage(s *interleave.Scene) uploads.Usage {
	usage, err := e.Usage(s.Context(), alice)
	require.NoError(s, err)
	require.GreaterOrEqual(s, usage.Bytes, int64(0))
	require.GreaterOrEqual(s, usage.Files, int64(0))
	require.LessOrEqual(s, usage.Bytes+usage.ReservedBytes, int64(exploredAllowance))
	return usage
}

// A ledger counts a user's files. If Finish moves the ledger of an older version while another call uses it, nothing is
// counted twice, whatever the order of their requests to the store.
func TestExploredOldLedger(t *testing.T) {
	tests := []struct {
		name string
		call func(ctx context.Context, e exploredService, token string) error
	}{
		{name: "Finish", call: finishToken},
		{name: "Recount", call: recountUser},
		{name: "Store", call: storeRest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				// The file of a ticket has arrived, and the ledger is at the key of an older
				// version.
				store := s.Store("store")
				bucket := store.Bucket(storage.WithSigningBaseURL("http://s.invalid"))
				first := newExploredService(s, bucket, withoutRecords)
				ticket := first.signAndSend(s, content(ticketFileSize))
				first.makeOldLedger(s)

				// One process finishes the ticket.
				finishing := s.Process("finishing")
				finishingService := newExploredService(s, finishing.Bucket(store), withoutRecords)
				finish := finishing.Go("Finish", func(ctx context.Context) error {
					return finishToken(ctx, finishingService, ticket.Token)
				})

				// Another process makes its call at the same time.
				other := s.Process("other")
				otherService := newExploredService(s, other.Bucket(store), withoutRecords)
				other.Go(tt.name, func(ctx context.Context) error {
					return tt.call(ctx, otherService, ticket.Token)
				})

				// At the end of each order of their requests, exactly the stored files are counted.
				s.Check(func() {
					late := newExploredService(s, store.Bucket(), withoutRecords)
					if explored.Succeeded(finish) {
						require.GreaterOrEqual(s, late.stored(s), int64(ticketFileSize))
					}
					late.requireExact(s)
				})
			})
		})
	}
}

// ticketFileSize is the number of bytes of the file of a ticket.
const ticketFileSize = 60

func finishToken(ctx context.Context, e exploredService, token string) error {
	_, err := e.Finish(ctx, token, uploads.User{ID: alice})
	return err
}

func recountUser(ctx context.Context, e exploredService, _ string) error {
	_, err := e.Recount(ctx, alice)
	return err
}

// storeRest stores a file that uses the room that the file of the ticket leaves.
func storeRest(ctx context.Context, e exploredService, _ string) error {
	const size = exploredAllowance - ticketFileSize
	_, err := e.Store(ctx, uploads.Upload{
		Body: bytes.NewReader(content(size)),
		Size: size,
		User: uploads.User{ID: alice},
	})
	return err
}

// signAndSend signs a ticket of alice, and stores data as a client would send it.
func (e exploredService) signAndSend(s *interleave.Scene, data []byte) *uploads.Ticket {
	ticket, err := e.Sign(s.Context(), uploads.Request{Size: int64(len(data))}, uploads.User{ID: alice})
	require.NoError(s, err)
	contentType := storage.WithContentType("application/octet-stream")
	_, err = e.bucket.Upload(s.Context(), signedKeyOf(ticket), bytes.NewReader(data), contentType)
	require.NoError(s, err)
	return ticket
}

// A file in pieces gets its key only with its last piece. A Recount during that PutPiece counts the file once.
func TestExploredRecount(t *testing.T) {
	explored.EachOrderOnSome(t, func(s *interleave.Scene) {
		// The first of two pieces is stored.
		store := s.Store("store")
		newExploredService(s, store.Bucket(), withoutRecords).putPiece(s.Context(), 1)

		// One process stores the last piece.
		putting := s.Process("putting")
		puttingService := newExploredService(s, putting.Bucket(store), withoutRecords)
		putting.Go("PutPiece", func(ctx context.Context) error {
			puttingService.putPiece(ctx, 2)
			return nil
		})

		// Another process recounts at the same time.
		counting := s.Process("counting")
		countingService := newExploredService(s, counting.Bucket(store), withoutRecords)
		counting.Go("Recount", func(ctx context.Context) error {
			_, err := countingService.Recount(ctx, alice)
			return err
		})

		// At the end of each order of their requests, exactly the stored files are counted.
		s.Check(func() {
			newExploredService(s, store.Bucket(), withoutRecords).requireExact(s)
		})
	})
}

// putPiece stores one piece of a file of 60 bytes that has two pieces.
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

// makeOldLedger moves the ledger of alice to its key of an older version.
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

// One process completes an upload over the S3 routes, while another one deletes the file, or aborts or completes the
// upload. After one more completion, the count is exact, whatever the order of their requests to the store.
func TestExploredCompletion(t *testing.T) {
	tests := []struct {
		name string
		// call is what the other process does.
		call func(ctx context.Context, e exploredService, u exploredParts)
		// keepsFile is true if the file stays when the first completion succeeds.
		keepsFile bool
		// isRare is true if the case runs only in a full exploration, because other tests explore
		// much of it.
		isRare bool
	}{
		{name: "completion", call: completeAgain, keepsFile: true, isRare: true},
		{name: "Delete", call: deleteFileOfParts},
		{name: "abort", call: abortParts, keepsFile: true, isRare: true},
	}
	for _, tt := range tests {
		if tt.isRare && !explored.All() {
			continue
		}
		for _, records := range explored.Sample([]bool{true}, []bool{false, true}) {
			t.Run(fmt.Sprintf("and %s, records: %v", tt.name, records), func(t *testing.T) {
				explored.EachOrderOnSome(t, func(s *interleave.Scene) {
					// All parts have arrived.
					store := s.Store("store")
					u := beginExploredParts(s, newExploredService(s, store.Bucket(), records))

					// One process completes the upload.
					completing := s.Process("completing")
					completingService := newExploredService(s, completing.Bucket(store), records)
					status := 0 // of the completion
					completing.Go("complete", func(ctx context.Context) error {
						status = u.complete(ctx, completingService)
						return nil
					})

					// Another process makes its call at the same time.
					other := s.Process("other")
					otherService := newExploredService(s, other.Bucket(store), records)
					other.Go(tt.name, func(ctx context.Context) error {
						tt.call(ctx, otherService, u)
						return nil
					})

					// If the completion has succeeded, the file is there, unless it was deleted. The count is exact.
					s.Check(func() {
						late := newExploredService(s, store.Bucket(), records)
						if status == http.StatusOK && tt.keepsFile {
							require.EqualValues(s, exploredFileSize, late.stored(s))
						}
						late.requireExactAfterCompletion(s, u)
					})
				})
			})
		}
	}
}

// requireExactAfterCompletion tries to use the whole allowance, and completes an upload when the claims on it have
// ended. It requires that the allowance is kept, and that the count is exact.
func (e exploredService) requireExactAfterCompletion(s *interleave.Scene, u exploredParts) {
	_, _ = e.Store(s.Context(), uploads.Upload{
		Body: bytes.NewReader(content(exploredAllowance)),
		Size: exploredAllowance,
		User: uploads.User{ID: alice},
	})
	e.usage(s)
	time.Sleep(2 * time.Minute) // in the bubble of the scene, so that claims end

	u.complete(s.Context(), e)
	require.LessOrEqual(s, e.stored(s), int64(exploredAllowance))
	e.requireExact(s)
}

// exploredFileSize is the number of bytes of the file of beginExploredParts.
const exploredFileSize = 60

// An exploredParts is an upload by the S3 routes, and its only part has arrived.
type exploredParts struct{ key, path, query, etag string }

// beginExploredParts begins an upload by the S3 routes, and sends the only part of it.
func beginExploredParts(s *interleave.Scene, e exploredService) exploredParts {
	body := fmt.Appendf(nil, `{"filename":"a","size":%d}`, exploredFileSize)
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
	w = e.ask(s.Context(), part.Method, pathOf(part.URL), content(exploredFileSize))
	require.Equal(s, http.StatusOK, w.Code, w.Body.String())

	u.etag = w.Header().Get("ETag")
	return u
}

// complete completes the upload, and returns the status of the response.
func (u exploredParts) complete(ctx context.Context, e exploredService) int {
	parts, _ := json.Marshal(map[string]any{"parts": []sentPart{{PartNumber: 1, ETag: u.etag}}})
	w := e.ask(ctx, "POST", u.path+"/complete"+u.query, parts, "Content-Type", "application/json")
	return w.Code
}

// completeAgain completes the upload, whatever the response is.
func completeAgain(ctx context.Context, e exploredService, u exploredParts) { u.complete(ctx, e) }

func deleteFileOfParts(ctx context.Context, e exploredService, u exploredParts) {
	_ = e.Delete(ctx, u.key, uploads.User{ID: alice})
}

func abortParts(ctx context.Context, e exploredService, u exploredParts) {
	e.ask(ctx, "DELETE", u.path+u.query, nil)
}
