package uploads_test

import (
	"bytes"
	"context"
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

// signedKeyOf returns the key under which the sender of a ticket stores the file.
func signedKeyOf(ticket *uploads.Ticket) string {
	if ticket.Form != nil {
		return ticket.Form.Fields["key"]
	}
	address, _, _ := strings.Cut(ticket.Put.URL, "?")
	return address[strings.Index(address, ".uploads/"):]
}

// With a ticket for a file of known size, the store accepts one file of that size, and no larger one.
func TestTicketSizeAndSingleUse(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
		content := newPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
		require.NoError(t, err)

		require.GreaterOrEqual(t, send(t, ticket, content+"!"), http.StatusBadRequest)
		require.Empty(t, listKeys(t, bucket))
		require.Equal(t, http.StatusOK, send(t, ticket, content))
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, content), "the second file")
	})
}

// A ticket for a file of unknown size has a form, with which the store accepts a file up to the size limit.
func TestTicketOfUnknownSizeHasForm(t *testing.T) {
	const maxSize = 1 << 20
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxSize: maxSize}})
		ticket, err := s.Sign(t.Context(), uploads.Request{}, uploads.User{})
		require.NoError(t, err)
		require.NotNil(t, ticket.Form)

		tooLong := newPNG() + strings.Repeat("x", maxSize)
		require.GreaterOrEqual(t, postForm(t, ticket.Form, tooLong), http.StatusBadRequest)
		require.Less(t, postForm(t, ticket.Form, newPNG()), http.StatusMultipleChoices)
		_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
		require.NoError(t, err)
	})
}

// postForm sends a file with the form of a ticket, and returns the status of the response.
func postForm(t *testing.T, form *storage.SignedForm, content string) int {
	t.Helper()

	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		require.NoError(t, w.WriteField(name, value))
	}

	file, err := w.CreateFormFile("file", "x")
	require.NoError(t, err)
	_, err = io.WriteString(file, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.URL, &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	return statusOf(t, req)
}

// Finish accepts the token of a ticket only from its user, unchanged, with the same Config.Key and TokenKey, and
// until it expires.
func TestTicketIsForOneUserPlaceAndTime(t *testing.T) {
	bucket := openMemory(t)
	now := time.Now()
	config := uploads.Config{
		Key:      keyOfUser,
		TokenKey: bytes.Repeat([]byte("k"), 16),
		Now:      func() time.Time { return now },
	}
	s := newService(t, bucket, config)

	// The file of the ticket was sent.
	content := newPNG()
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, user42)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	// Each case changes the configuration, the token or the user.
	otherTokenKey := config
	otherTokenKey.TokenKey = bytes.Repeat([]byte("x"), 16)
	otherFolder := config
	otherFolder.Key = "documents/{user}/{random}{ext}"
	changedToken := []byte(ticket.Token)
	changedToken[30] ^= 1
	tests := []struct {
		name   string
		config uploads.Config
		token  string
		user   uploads.User
	}{
		{name: "another user", config: config, token: ticket.Token, user: uploads.User{ID: "43"}},
		{name: "another TokenKey", config: otherTokenKey, token: ticket.Token, user: user42},
		{name: "another Config.Key", config: otherFolder, token: ticket.Token, user: user42},
		{name: "changed token", config: config, token: string(changedToken), user: user42},
		{name: "token cut short", config: config, token: ticket.Token[:20], user: user42},
		{name: "no token", config: config, token: "", user: user42},
		{name: "token that is not base64", config: config, token: "!" + ticket.Token, user: user42},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService(t, bucket, tt.config).Finish(t.Context(), tt.token, tt.user)
			require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}

	// The ticket expires a day after its URL.
	now = now.Add(uploads.DefaultUploadTTL + 24*time.Hour + 2*time.Second)
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
}

// A ticket that was signed before Config.Inspect was set can still be finished, without an inspection.
func TestFinishTicketSignedBeforeInspect(t *testing.T) {
	bucket := openMemory(t)
	config := uploads.Config{TokenKey: bytes.Repeat([]byte("k"), 16)}
	content := newPNG()

	// A file is sent with a ticket.
	before := newService(t, bucket, config)
	ticket, err := before.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	// A service whose Inspect refuses every file signs no tickets.
	config.Inspect = func(context.Context, *uploads.File, *storage.ReaderAt) error {
		return &uploads.Error{Message: "No."}
	}
	s := newService(t, bucket, config)
	_, err = s.Sign(t.Context(), uploads.Request{}, uploads.User{})
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))

	// It finishes the earlier ticket.
	f, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.EqualValues(t, len(content), f.Size)
}

// Another process can finish a ticket if it has the same TokenKey.
func TestFinishInOtherProcess(t *testing.T) {
	bucket := openMemory(t)
	config := uploads.Config{TokenKey: bytes.Repeat([]byte("k"), 16)}
	content := newPNG()

	// One process signs the ticket, and the file is sent.
	signer := newService(t, bucket, config)
	ticket, err := signer.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	// A process with a TokenKey of its own does not accept the ticket.
	withRandomKey := newService(t, bucket, uploads.Config{})
	_, err = withRandomKey.Finish(t.Context(), ticket.Token, uploads.User{})
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))

	// A process with the same TokenKey finishes it.
	withSameKey := newService(t, bucket, config)
	_, err = withSameKey.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
}

// Sign refuses a request that breaks the rules.
func TestSignRefusesEarly(t *testing.T) {
	s := newService(t, openMemory(t), uploads.Config{Rules: rules.Rules{MinSize: 10, MaxSize: 100}, Key: keyOfUser})
	tests := []struct {
		name     string
		request  uploads.Request
		user     uploads.User
		wantCode uploads.Code
	}{
		{
			name:     "a size above the limit",
			request:  uploads.Request{Name: "x.png", Size: 101},
			user:     user42,
			wantCode: uploads.TooLarge,
		},
		{
			name:     "a size below the limit",
			request:  uploads.Request{Name: "x.png", Size: 9},
			user:     user42,
			wantCode: uploads.TooSmall,
		},
		{
			name:     "a type that is not allowed",
			request:  uploads.Request{Name: "x.png", Type: "text/html; charset=utf-8"},
			user:     user42,
			wantCode: uploads.TypeNotAllowed,
		},
		{
			name:     "a user whose ID is a path",
			request:  uploads.Request{Name: "x.png"},
			user:     uploads.User{ID: "../1"},
			wantCode: uploads.InvalidValue,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Sign(t.Context(), tt.request, tt.user)
			require.Equal(t, tt.wantCode, uploads.CodeOf(err))
		})
	}
}

// Sign fails if the bucket cannot sign, as a memory bucket without a base URL.
func TestSignNeedsSigningBucket(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{})
	_, err := s.Sign(t.Context(), uploads.Request{}, uploads.User{})
	require.ErrorIs(t, err, storage.Unsupported)
}

// Sign refuses only claimed types that browsers run, such as text/html, because the content decides later.
func TestSignRefusesOnlyActiveTypes(t *testing.T) {
	types := []string{"image/jpeg", "image/png", "application/zip", "audio/wav"}
	s := newService(t, openMemory(t), uploads.Config{Rules: rules.Rules{Types: types}})
	accepted := []string{
		// Other names of the types in the rules.
		"image/jpg",
		"image/pjpeg",
		"image/x-png",
		"application/x-zip-compressed",
		"audio/x-wav",
		"IMAGE/JPEG",
		// Names that say nothing about the content.
		"application/vnd.ms-excel",
		"application/x-nobody-knows",
		"application/octet-stream",
		"no type",
		"",
	}
	for _, claimed := range accepted {
		_, err := s.Sign(t.Context(), uploads.Request{Type: claimed}, uploads.User{})
		require.NoError(t, err, claimed)
	}

	// Browsers run files of these types.
	active := []string{"text/html", "application/xhtml+xml", "application/x-javascript", "text/xml"}
	for _, claimed := range active {
		_, err := s.Sign(t.Context(), uploads.Request{Type: claimed}, uploads.User{})
		require.Equal(t, uploads.TypeNotAllowed, uploads.CodeOf(err), claimed)
	}
}

// A ticket that is printed or logged shows neither its token nor its signature.
func TestTicketHidesSecret(t *testing.T) {
	s := newService(t, openMemory(t), uploads.Config{})
	tests := []struct {
		name    string
		request uploads.Request
		want    string
	}{
		{name: "known size", request: uploads.Request{Size: 100}, want: "ticket for PUT"},
		{name: "unknown size", request: uploads.Request{}, want: "ticket for POST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ticket, err := s.Sign(t.Context(), tt.request, uploads.User{})
			require.NoError(t, err)

			// Print the ticket as a pointer and as a value, and log it.
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("signed", "ticket", *ticket)
			texts := []string{
				fmt.Sprint(ticket),
				fmt.Sprintf("%+v", *ticket),
				fmt.Sprintf("%#v", *ticket),
				log.String(),
			}
			for _, text := range texts {
				require.Contains(t, text, tt.want)
				require.NotContains(t, text, ticket.Token)
				require.NotContains(t, strings.ToLower(text), "signature=")
			}
		})
	}
}
