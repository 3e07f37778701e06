package uploads_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// A slow Finish has refused the file that a client sent. Before it removes that file, another Finish removes it, and
// the client sends a good file under the same key. The slow Finish does not remove the good file.
func TestFinishRefusesBesideOtherCall(t *testing.T) {
	hooks := &onceHooks{}
	bucket := openMemory(t, storage.WithHook(hooks.hook))
	s := newServiceWithAllowance(t, bucket)
	ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
	require.NoError(t, err)

	// The client sends a page. When the slow Finish is about to remove it, another Finish removes it, and the client
	// sends a picture.
	sendByTicketForm(t, ticket, htmlPage)
	hooks.before("Remove", uploads.DefaultPrefix, func() {
		_, err := s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)
		sendByTicketForm(t, ticket, newPNG())
	})

	// The slow Finish fails because of the page.
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)

	// The client finishes the picture.
	f, err := s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)
	requireOnlyCounted(t, s, bucket, f)
}

// A client replaces a good file by a page while a slow Finish copies it, so that Finish refuses the copy. Before it
// removes the copy, the client sends a good file, which another Finish stores under the same key. The slow Finish does
// not remove the good file.
func TestFinishRefusesCopyBesideOtherCall(t *testing.T) {
	hooks := &onceHooks{}
	bucket := openMemory(t, storage.WithHook(hooks.hook))
	s := newServiceWithAllowance(t, bucket)
	ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
	require.NoError(t, err)

	// The client sends a picture, and a page when the slow Finish is about to copy the picture.
	sendByTicketForm(t, ticket, newPNG())
	hooks.before("Copy", "", func() {
		sendByTicketForm(t, ticket, htmlPage)
	})

	// When the slow Finish is about to remove the copy of the page, another Finish refuses the page, too. Then the
	// client sends a picture, and finishes it.
	var f *uploads.File
	hooks.before("Remove", "users/", func() {
		_, err := s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)
		sendByTicketForm(t, ticket, newPNG())
		f, err = s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)
	})

	// The slow Finish fails because of the page, and the picture stays.
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), "%v", err)
	requireOnlyCounted(t, s, bucket, f)
}

// onceHooks is a hook of a bucket that calls functions before operations, each once.
type onceHooks struct{ pending []onceHook }

// A onceHook is a function that is called before an operation on a key with a prefix.
type onceHook struct {
	operation string
	prefix    string
	do        func()
}

// before makes the hook call do once, before the next operation of this name on a key with this prefix.
func (h *onceHooks) before(operation, prefix string, do func()) {
	h.pending = append(h.pending, onceHook{operation, prefix, do})
}

func (h *onceHooks) hook(
	ctx context.Context, op storage.Operation,
) (context.Context, func(storage.Outcome), error) {
	for i, next := range h.pending {
		if op.Name == next.operation && strings.HasPrefix(op.Key, next.prefix) {
			h.pending = slices.Delete(h.pending, i, i+1)
			next.do()
			break
		}
	}
	return ctx, nil, nil
}

// newServiceWithAllowance returns a service that counts the files of each user.
func newServiceWithAllowance(t *testing.T, bucket storage.Bucket) *uploads.Service {
	t.Helper()
	return newService(t, bucket, uploads.Config{
		Key: keyOfUser,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 20}, nil
		},
	})
}

// sendByTicketForm sends a file with the form of a ticket.
func sendByTicketForm(t *testing.T, ticket *uploads.Ticket, content string) {
	t.Helper()
	require.Less(t, postForm(t, ticket.Form, content), http.StatusMultipleChoices)
}

// requireOnlyCounted requires that the file is stored, and that nothing else counts for user 42.
func requireOnlyCounted(t *testing.T, s *uploads.Service, bucket storage.Bucket, f *uploads.File) {
	t.Helper()
	require.Contains(t, listPublished(t, bucket), f.Key)
	usage, err := s.Usage(t.Context(), user42.ID)
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: f.Size, Files: 1}, usage)
}
