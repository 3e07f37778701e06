package uploads_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A lossyStates loses one write or its response, like a database whose connection ends.
type lossyStates struct {
	uploads.States
	writes int  // so far
	lost   int  // the number of the write that fails, from 1, or 0
	before bool // the connection ends before the write takes effect
}

// SetState sets a state. If this is the write with number s.lost, it fails, before or after its effect.
func (s *lossyStates) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	s.writes++
	if s.writes == s.lost && s.before {
		return "", storage.Unavailable
	}
	text, err := s.States.SetState(ctx, key, state, revision)
	if s.writes == s.lost && err == nil {
		return "", &storage.Error{Code: storage.Unavailable, Unknown: true}
	}
	return text, err
}

// A completion writes into the state of the upload that it has claimed the upload. If the response to any write of the
// state is lost, the completion recognizes its own claim, and succeeds.
func TestStateWriteLosesResponse(t *testing.T) {
	// Lose the response to the first write, then to the second and so on, until an upload has fewer writes.
	write := 1
	for requireUploadWithLostResponse(t, write) {
		write++
	}
	require.Greater(t, write, 3, "an upload has at least three writes of the state")
}

// requireUploadWithLostResponse uploads a file in one part, and requires that this succeeds although the response to
// the write of the state with this number is lost. It returns false if the upload has fewer writes.
func requireUploadWithLostResponse(t *testing.T, number int) (wasLost bool) {
	t.Helper()
	bucket := memstore.New()
	states := &lossyStates{States: uploads.BucketStates(bucket), lost: number}
	s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true, States: states})

	u := s.beginMultipart(map[string]any{"filename": "file"})
	resp := u.complete(u.sendPart(1, []byte("text")))
	require.Equal(t, http.StatusOK, resp.StatusCode, "write %d: %s", number, resp.body)
	s.requireStored("files/alice/file", []byte("text"))
	return states.writes >= number
}

// After a completion has failed at any of its writes of the state, the next one succeeds at once.
func TestStateWriteFails(t *testing.T) {
	// Let the first write fail, then the second and so on, until a completion has fewer writes.
	write := 1
	for requireCompletedAfterFailedWrite(t, write) {
		write++
	}
	require.Greater(t, write, 2, "a completion has at least two writes of the state")
}

// requireCompletedAfterFailedWrite completes an upload. The write of the state with this number fails, and the next
// completion must succeed. It returns false if the completion has fewer writes.
func requireCompletedAfterFailedWrite(t *testing.T, number int) bool {
	t.Helper()
	bucket := memstore.New()
	states := &lossyStates{States: uploads.BucketStates(bucket), before: true}
	s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true, States: states})
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, []byte("text"))

	// Count only the writes of the completion.
	states.writes = 0
	states.lost = number
	resp := u.complete(part)
	if states.writes < number {
		return false
	}
	require.Equal(t, "503 store_failed file", resp.refusal(t))

	resp = u.complete(part)
	require.Equal(t, http.StatusOK, resp.StatusCode, "write %d: %s", number, resp.body)
	s.requireStored("files/alice/file", []byte("text"))
	return true
}
