package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// ListStates writes an object to learn the time of the store's clock. The object has the prefix of the states, so that
// ListStates needs no right to write elsewhere.
func TestBucketStatesListStatesWritesUnderOwnPrefix(t *testing.T) {
	// A hook notes the keys of all objects that are written.
	var written []string
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" {
			written = append(written, op.Key)
		}
		return ctx, nil, nil
	}

	bucket := openMemory(t, storage.WithHook(hook))
	states := uploads.BucketStates(bucket)

	// Write two states.
	for _, digit := range []string{"a", "b"} {
		key := "waiting/" + strings.Repeat(digit, 40) + "/state.json"
		_, err := states.SetState(t.Context(), key, []byte("{}"), "")
		require.NoError(t, err)
	}

	listed, _, err := states.ListStates(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 2)

	// After the two states, ListStates has written an object, and removed it.
	require.Greater(t, len(written), 2)
	for _, key := range written {
		require.True(t, strings.HasPrefix(key, "waiting/"), "%s", key)
	}
	require.Len(t, listKeys(t, bucket), 2)
}

// ListStates neither returns nor changes objects of the application whose names look like those of states.
func TestBucketStatesListStatesLeavesOtherObjects(t *testing.T) {
	bucket := openMemory(t)
	for _, key := range []string{"terraform/prod/state.json", "terraform/clock", "a/state.json", "clock"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("theirs"))
		require.NoError(t, err)
	}

	states, _, err := uploads.BucketStates(bucket).ListStates(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, states)
	for _, key := range []string{"terraform/clock", "clock"} {
		text, _, err := storage.ReadAll(t.Context(), bucket, key)
		require.NoError(t, err)
		require.Equal(t, "theirs", string(text))
	}
}
