package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A server of an earlier version, which kept only the number of the parts, is stopped while it
// completes an upload. The new version completes it.
func TestAnUploadThatAnEarlierVersionWasCompletingIsCompleted(t *testing.T) {
	fail := true
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "CompleteParts" && fail {
				return &storage.Error{Code: storage.Internal, Err: errDead}
			}
			return next(ctx)
		})
	}))
	s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true})
	u := s.begin(map[string]any{"filename": "file"})
	sent := []sentPart{u.send(1, []byte("text"))}
	require.Equal(t, http.StatusServiceUnavailable, u.complete(sent...).StatusCode)

	_, states := s.keys()
	require.Len(t, states, 1)
	text, _, err := storage.ReadAll(t.Context(), bucket, states[0])
	require.NoError(t, err)
	state := map[string]any{}
	require.NoError(t, json.Unmarshal(text, &state))
	require.Equal(t, "completing", state["phase"])
	delete(state, "etags")
	state["partCount"] = 1
	text, err = json.Marshal(state)
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), states[0], bytes.NewReader(text))
	require.NoError(t, err)

	fail = false
	a := u.complete(sent...)
	require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
	s.stored("files/alice/file", []byte("text"))
}
