package uploads_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

func pendingOf(ticket *uploads.Ticket) string {
	if ticket.Form != nil {
		return ticket.Form.Fields["key"]
	}
	address, _, _ := strings.Cut(ticket.Put.URL, "?")
	return address[strings.Index(address, ".uploads/"):]
}

// The store enforces a ticket's size, and accepts one file.
func TestTicketSizeAndSingleUse(t *testing.T) {
	onBuckets(t, func(t *testing.T, b storage.Bucket) {
		s := newService(t, b, uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
		content := aPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
		require.NoError(t, err)
		require.GreaterOrEqual(t, send(t, ticket, content+"!"), 400, "longer than was said")
		require.Empty(t, keys(t, b))
		require.Equal(t, http.StatusOK, send(t, ticket, content))
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, content), "it arrives once")

		form, err := s.Sign(t.Context(), uploads.Request{}, uploads.User{})
		require.NoError(t, err)
		require.NotNil(t, form.Form, "of unknown size")
		require.GreaterOrEqual(t, post(t, form.Form, content+strings.Repeat("x", 1<<20)), 400)
		require.Less(t, post(t, form.Form, content), 300)
		_, err = s.Finish(t.Context(), form.Token, uploads.User{})
		require.NoError(t, err)
	})
}

func post(t *testing.T, form *storage.SignedForm, content string) int {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range form.Fields {
		require.NoError(t, w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "x")
	require.NoError(t, err)
	_, err = io.WriteString(file, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, &b)
	require.NoError(t, err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return statusOf(t, r)
}

// A ticket is valid only for one user, one Config.Key, one TokenKey, and until it expires.
func TestTicketIsForOneUserPlaceAndTime(t *testing.T) {
	b := inMemory(t)
	now := time.Now()
	key := bytes.Repeat([]byte("k"), 16)
	config := uploads.Config{Key: ofMe, TokenKey: key, Now: func() time.Time { return now }}
	s := newService(t, b, config)
	content := aPNG()
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, me)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	otherKey := config
	otherPlace := config
	otherKey.TokenKey = bytes.Repeat([]byte("x"), 16)
	otherPlace.Key = "documents/{user}/{random}{ext}"
	changed := []byte(ticket.Token)
	changed[30] ^= 1
	for _, row := range []struct {
		name   string
		with   uploads.Config
		token  string
		values uploads.User
	}{
		{"another user", config, ticket.Token, uploads.User{ID: "43"}},
		{"another key", otherKey, ticket.Token, me},
		{"another place", otherPlace, ticket.Token, me},
		{"a changed token", config, string(changed), me},
		{"a token cut short", config, ticket.Token[:20], me},
		{"no token", config, "", me},
		{"no base64", config, "!" + ticket.Token, me},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newService(t, b, row.with).Finish(t.Context(), row.token, row.values)
			require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}
	t.Run("a day and the TTL later", func(t *testing.T) {
		now = now.Add(24*time.Hour + uploads.DefaultUploadTTL + 2*time.Second)
		_, err := s.Finish(t.Context(), ticket.Token, me)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	})
}

// Another process with the same TokenKey can finish the ticket.
func TestFinishInOtherProcess(t *testing.T) {
	b := inMemory(t)
	config := uploads.Config{TokenKey: bytes.Repeat([]byte("k"), 16)}
	content := aPNG()
	ticket, err := newService(t, b, config).Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))
	_, err = newService(t, b, uploads.Config{}).Finish(t.Context(), ticket.Token, uploads.User{})
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err), "a random key is not shared")
	_, err = newService(t, b, config).Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
}

// Sign refuses a request that already breaks the rules, before anything is sent.
func TestSignRefusesEarly(t *testing.T) {
	s := newService(t, inMemory(t), uploads.Config{Rules: rules.Rules{MinSize: 10, MaxSize: 100}, Key: ofMe})
	for _, row := range []struct {
		name    string
		request uploads.Request
		user    uploads.User
		code    uploads.Code
	}{
		{"a size above the bound", uploads.Request{Size: 101}, me, uploads.TooLarge},
		{"a size below the bound", uploads.Request{Size: 9}, me, uploads.TooSmall},
		{"a type that is not allowed", uploads.Request{Type: "text/html; charset=utf-8"}, me, uploads.TypeNotAllowed},
		{"a value with a path", uploads.Request{}, uploads.User{ID: "../1"}, uploads.InvalidValue},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.request.Name = "x.png"
			_, err := s.Sign(t.Context(), row.request, row.user)
			require.Equal(t, row.code, uploads.CodeOf(err))
		})
	}
	_, err := newService(t, memstore.New(), uploads.Config{}).Sign(t.Context(), uploads.Request{}, uploads.User{})
	require.ErrorIs(t, err, storage.Unsupported, "the bucket has no signing base address")
}

// Sign accepts any claimed type, because the content decides later, except types that browsers run, such as
// text/html.
func TestSignRefusesOnlyActiveTypes(t *testing.T) {
	s := newService(t, inMemory(t), uploads.Config{Rules: rules.Rules{Types: []string{"image/jpeg", "image/png", "application/zip", "audio/wav"}}})
	for _, claimed := range []string{
		"image/jpg", "image/pjpeg", "image/x-png", "application/x-zip-compressed", "audio/x-wav", "IMAGE/JPEG",
		"application/vnd.ms-excel", "application/x-nobody-knows", "application/octet-stream", "no type", "",
	} {
		_, err := s.Sign(t.Context(), uploads.Request{Type: claimed}, uploads.User{})
		require.NoError(t, err, claimed)
	}
	for _, claimed := range []string{"text/html", "application/xhtml+xml", "application/x-javascript", "text/xml"} {
		_, err := s.Sign(t.Context(), uploads.Request{Type: claimed}, uploads.User{})
		require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), claimed)
	}
}

// A printed ticket shows no secret.
func TestTicketHidesSecret(t *testing.T) {
	s := newService(t, inMemory(t), uploads.Config{})
	for _, size := range []int64{0, 100} {
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: size}, uploads.User{})
		require.NoError(t, err)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("signed", "ticket", *ticket)
		for _, text := range []string{fmt.Sprint(ticket), fmt.Sprintf("%+v %#v", *ticket, *ticket), log.String()} {
			require.NotContains(t, text, ticket.Token)
			require.Contains(t, text, "ticket for P")
			require.NotContains(t, strings.ToLower(text), "signature=")
		}
	}
}
