package uploads_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// If the file of a ticket arrives just before Cancel writes, the room stays reserved, because another call may
// already copy the file.
func TestCancelDuringArrivalKeepsRoom(t *testing.T) {
	for _, write := range []string{"the mark in the ledger", "what replaces the file"} {
		t.Run(write, func(t *testing.T) {
			key := ""
			var sendFile func()
			hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				if op.Name == "Upload" && sendFile != nil && (key == "" || op.Key == key) {
					send := sendFile
					sendFile = nil
					send()
				}
				return ctx, nil, nil
			}
			b := openMemory(t, storage.WithHook(hook))
			s := newService(t, b, uploads.Config{
				Key: ofMe,
				Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
					return uploads.Allowance{Bytes: 1 << 20}, nil
				},
			})
			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(aPNG()))}, me)
			require.NoError(t, err)
			if write == "what replaces the file" {
				key = pendingOf(ticket)
			}
			sendFile = func() {
				require.Less(t, send(t, ticket, aPNG()), 300)
			}

			require.NoError(t, s.Cancel(t.Context(), ticket.Token, me))
			require.Nil(t, sendFile)
			usage, err := s.Usage(t.Context(), me.ID)
			require.NoError(t, err)
			require.EqualValues(t, len(aPNG()), usage.ReservedBytes)
		})
	}
}

// A ticket whose file was never sent reserves nothing after Cancel, and the file cannot be sent any more.
func TestCancelFreesRoomOfUnsentFile(t *testing.T) {
	s := newService(t, openMemory(t), uploads.Config{
		Key: ofMe,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 20}, nil
		},
	})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(aPNG()))}, me)
	require.NoError(t, err)
	require.NoError(t, s.Cancel(t.Context(), ticket.Token, me))

	usage, err := s.Usage(t.Context(), me.ID)
	require.NoError(t, err)
	require.Zero(t, usage.ReservedBytes)
	require.GreaterOrEqual(t, send(t, ticket, aPNG()), 400)
}
