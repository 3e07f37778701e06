package uploads_test

import (
	"context"
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
		// writes reports whether an Upload to this key is a certain write of Cancel. The file arrives just before this
		// write.
		writes func(key string, ticket *uploads.Ticket) bool
	}{
		{
			name:   "before Cancel marks the ledger",
			writes: func(string, *uploads.Ticket) bool { return true }, // it is the first write
		},
		{
			name:   "before Cancel replaces the file",
			writes: func(key string, ticket *uploads.Ticket) bool { return key == pendingOf(ticket) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ticket *uploads.Ticket
			isSent := false
			sendBeforeWrite := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				if ticket != nil && !isSent && op.Name == "Upload" && tt.writes(op.Key, ticket) {
					isSent = true
					require.Less(t, send(t, ticket, newPNG()), 300)
				}
				return ctx, nil, nil
			}

			s := newService(t, openMemory(t, storage.WithHook(sendBeforeWrite)), uploads.Config{
				Key: keyOfUser,
				Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
					return uploads.Allowance{Bytes: 1 << 20}, nil
				},
			})

			signed, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, me)
			require.NoError(t, err)

			ticket = signed // now that it is set, the hook sends the file
			require.NoError(t, s.Cancel(t.Context(), ticket.Token, me))
			require.True(t, isSent)

			// The room of the file is still reserved.
			usage, err := s.Usage(t.Context(), me.ID)
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
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, me)
	require.NoError(t, err)
	require.NoError(t, s.Cancel(t.Context(), ticket.Token, me))

	usage, err := s.Usage(t.Context(), me.ID)
	require.NoError(t, err)
	require.Zero(t, usage.ReservedBytes)
	require.GreaterOrEqual(t, send(t, ticket, newPNG()), 400)
}
