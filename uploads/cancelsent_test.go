package uploads_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// The file of a ticket arrives after Cancel has looked for it, and before Cancel marks the reservation. Another call may
// copy the file already, so the room stays reserved.
func TestCancelKeepsTheRoomOfAFileThatArrivesMeanwhile(t *testing.T) {
	var atWrite func()
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" && atWrite != nil {
			send := atWrite
			atWrite = nil
			send()
		}
		return ctx, nil, nil
	}
	b := inMemory(t, storage.WithHook(hook))
	s := newService(t, b, uploads.Config{
		Key: ofMe,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 20}, nil
		},
	})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(aPNG()))}, me)
	require.NoError(t, err)
	atWrite = func() { require.Less(t, send(t, ticket, aPNG()), 300) }
	require.NoError(t, s.Cancel(t.Context(), ticket.Token, me))
	require.Nil(t, atWrite)
	usage, err := s.Usage(t.Context(), me.ID)
	require.NoError(t, err)
	require.EqualValues(t, len(aPNG()), usage.ReservedBytes)
}
