package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// A slow Finish has refused an object. Meanwhile, the client sends a good file in its place, and another Finish
// acknowledges it. The slow Finish does not remove the good file.
func TestFinishRefusesBesideOtherCall(t *testing.T) {
	tests := []struct {
		name   string
		prefix string // prefix of the key that the slow call removes
		sent   string // what the client sends first
		copied string // what the client sends while the first call copies
	}{
		{name: "the copy", prefix: "users/", sent: newPNG(), copied: htmlPage},
		{name: "what was sent", prefix: ".uploads/", sent: htmlPage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var atCopy, atRemove func()
			runOnce := func(do *func()) {
				f := *do
				*do = nil
				if f != nil {
					f()
				}
			}
			hook := func(
				ctx context.Context, op storage.Operation,
			) (context.Context, func(storage.Outcome), error) {
				if op.Name == "Copy" {
					runOnce(&atCopy)
				} else if op.Name == "Remove" && strings.HasPrefix(op.Key, tt.prefix) {
					runOnce(&atRemove)
				}
				return ctx, nil, nil
			}
			bucket := openMemory(t, storage.WithHook(hook))
			s := newService(t, bucket, uploads.Config{
				Key: keyOfUser,
				Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
					return uploads.Allowance{Bytes: 1 << 20}, nil
				},
			})
			ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
			require.NoError(t, err)

			require.Less(t, postForm(t, ticket.Form, tt.sent), 300)
			if tt.copied != "" {
				atCopy = func() {
					require.Less(t, postForm(t, ticket.Form, tt.copied), 300)
				}
			}
			var f *uploads.File
			atRemove = func() {
				_, err := s.Finish(t.Context(), ticket.Token, user42)
				require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)
				require.Less(t, postForm(t, ticket.Form, newPNG()), 300)
				if tt.copied == "" {
					return
				}
				f, err = s.Finish(t.Context(), ticket.Token, user42)
				require.NoError(t, err)
			}
			_, err = s.Finish(t.Context(), ticket.Token, user42)
			require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)

			if tt.copied == "" {
				f, err = s.Finish(t.Context(), ticket.Token, user42)
				require.NoError(t, err)
			}
			require.Contains(t, listPublished(t, bucket), f.Key)

			usage, err := s.Usage(t.Context(), user42.ID)
			require.NoError(t, err)
			require.Equal(t, uploads.Usage{Bytes: f.Size, Files: 1}, usage)
		})
	}
}
