package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// ListStates asks the bucket for the time under the prefix of the states that it finds. So a service with another
// Config.Prefix needs no right to write under DefaultPrefix.
func TestBucketStatesListStatesWritesUnderThePrefixOfTheStates(t *testing.T) {
	var written []string
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" {
			written = append(written, op.Key)
		}
		return ctx, nil, nil
	}
	b := inMemory(t, storage.WithHook(hook))
	states := uploads.BucketStates(b)
	for _, key := range []string{"waiting/a/state.json", "waiting/b/state.json"} {
		_, err := states.SetState(t.Context(), key, []byte("{}"), "")
		require.NoError(t, err)
	}
	found, _, err := states.ListStates(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.NotEmpty(t, written[2:])
	for _, key := range written {
		require.True(t, strings.HasPrefix(key, "waiting/"), "%s", key)
	}
	require.Len(t, keys(t, b), 2)
}
