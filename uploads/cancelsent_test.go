package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// If the file of a ticket arrives just before one of Cancel's writes, the file's size stays reserved in the allowance.
// Another call may already be copying the file.
func TestCancelDuringArrivalKeepsRoom(t *testing.T) {
	tests := []struct {
		name string
		// prefix is the prefix of the key that Cancel writes.
		prefix string
	}{
		{name: "before Cancel marks the ledger", prefix: ".uploads-usage/"},
		{name: "before Cancel replaces the file", prefix: uploads.DefaultPrefix},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The hook calls beforeWrite before the next write to such a key, and then forgets it.
			var beforeWrite func()
			hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				act := beforeWrite
				if act != nil && op.Name == "Upload" && strings.HasPrefix(op.Key, tt.prefix) {
					beforeWrite = nil
					act()
				}
				return ctx, nil, nil
			}

			s := newService(t, openMemory(t, storage.WithHook(hook)), uploads.Config{
				Key: keyOfUser,
				Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
					return uploads.Allowance{Bytes: 1 << 20}, nil
				},
			})
			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, user42)
			require.NoError(t, err)

			// The file arrives during Cancel.
			beforeWrite = func() {
				require.Less(t, send(t, ticket, newPNG()), 300)
			}
			require.NoError(t, s.Cancel(t.Context(), ticket.Token, user42))
			require.Nil(t, beforeWrite, "the file has arrived")

			// The room of the file is still reserved.
			usage, err := s.Usage(t.Context(), user42.ID)
			require.NoError(t, err)
			require.EqualValues(t, len(newPNG()), usage.ReservedBytes)
		})
	}
}

// A ticket whose file was never sent reserves nothing after Cancel, and the file cannot be sent any more.
func TestCancelFreesRoomOfUnsentFile(t *testing.T) {
	s := newService(t, openMemory(t), uploads.Config{
		Key: keyOfUser,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 20}, nil
		},
	})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, user42)
	require.NoError(t, err)
	require.NoError(t, s.Cancel(t.Context(), ticket.Token, user42))

	usage, err := s.Usage(t.Context(), user42.ID)
	require.NoError(t, err)
	require.Zero(t, usage.ReservedBytes)
	require.GreaterOrEqual(t, send(t, ticket, newPNG()), 400)
}
