package uploads_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// If the file of a ticket arrives while Cancel runs, the room for the file stays reserved in the user's allowance,
// because another call may already be copying the file.
func TestCancelDuringArrivalKeepsRoom(t *testing.T) {
	tests := []struct {
		name   string
		prefix string // of the key that Cancel writes just after the file has arrived
	}{
		{name: "before Cancel writes the user's count", prefix: ".uploads-usage/"},
		{name: "before Cancel replaces the file", prefix: uploads.DefaultPrefix},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The bucket calls beforeWrite just before it writes a key with tt.prefix.
			beforeWrite := func() {}
			hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				isWrite := op.Name == "Upload" && strings.HasPrefix(op.Key, tt.prefix)
				if isWrite {
					beforeWrite()
				}
				return ctx, nil, nil
			}
			s := newService(t, openMemory(t, storage.WithHook(hook)), uploads.Config{
				Key: keyOfUser,
				Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
					return uploads.Allowance{Bytes: 1 << 20}, nil
				},
			})
			picture := newPNG()
			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(picture))}, user42)
			require.NoError(t, err)

			// The file arrives during Cancel, before the first write of a key with tt.prefix.
			isSent := false
			beforeWrite = func() {
				if isSent {
					return
				}
				isSent = true // sending the file also writes a key
				require.Less(t, send(t, ticket, picture), http.StatusMultipleChoices)
			}
			require.NoError(t, s.Cancel(t.Context(), ticket.Token, user42))
			require.True(t, isSent)

			// The room of the file is still reserved.
			usage, err := s.Usage(t.Context(), user42.ID)
			require.NoError(t, err)
			require.EqualValues(t, len(picture), usage.ReservedBytes)
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
	require.GreaterOrEqual(t, send(t, ticket, newPNG()), http.StatusBadRequest)
}
