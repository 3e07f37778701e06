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

// The store refuses a file that is larger than its ticket says, and accepts only one file for a ticket with a size.
func TestTicketSizeAndSingleUse(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxSize: 1 << 20}})
		content := newPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
		require.NoError(t, err)

		tooLong := content + "!"
		require.GreaterOrEqual(t, send(t, ticket, tooLong), http.StatusBadRequest)
		require.Empty(t, listKeys(t, bucket))
		require.Equal(t, http.StatusOK, send(t, ticket, content))
		require.Equal(t, http.StatusPreconditionFailed, send(t, ticket, content), "the second file")

		// A ticket for a file of unknown size has a form.
		sizeless, err := s.Sign(t.Context(), uploads.Request{}, uploads.User{})
		require.NoError(t, err)
		require.NotNil(t, sizeless.Form)
		require.GreaterOrEqual(t, postForm(t, sizeless.Form, content+strings.Repeat("x", 1<<20)), http.StatusBadRequest)
		require.Less(t, postForm(t, sizeless.Form, content), http.StatusMultipleChoices)
		_, err = s.Finish(t.Context(), sizeless.Token, uploads.User{})
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

// Finish accepts a token only unchanged, from its user, with the same Config.Key and TokenKey, until it expires.
func TestTicketIsForOneUserPlaceAndTime(t *testing.T) {
	bucket := openMemory(t)
	now := time.Now()
	key := bytes.Repeat([]byte("k"), 16)
	config := uploads.Config{Key: keyOfUser, TokenKey: key, Now: func() time.Time { return now }}
	s := newService(t, bucket, config)
	content := newPNG()

	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, user42)
	require.NoError(t, err)

	require.Equal(t, http.StatusOK, send(t, ticket, content))

	// Each case changes the configuration or the token in one way.
	otherKey := config
	otherKey.TokenKey = bytes.Repeat([]byte("x"), 16)
	otherPlace := config
	otherPlace.Key = "documents/{user}/{random}{ext}"
	modified := []byte(ticket.Token)
	modified[30] ^= 1 // in the content of the token

	tests := []struct {
		name   string
		config uploads.Config
		token  string
		user   uploads.User
	}{
		{name: "another user", config: config, token: ticket.Token, user: uploads.User{ID: "43"}},
		{name: "another key", config: otherKey, token: ticket.Token, user: user42},
		{name: "another place", config: otherPlace, token: ticket.Token, user: user42},
		{name: "a changed token", config: config, token: string(modified), user: user42},
		{name: "a token cut short", config: config, token: ticket.Token[:20], user: user42},
		{name: "no token", config: config, user: user42},
		{name: "no base64", config: config, token: "!" + ticket.Token, user: user42},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService(t, bucket, tt.config).Finish(t.Context(), tt.token, tt.user)
			require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.ObjectNotFound)
		})
	}

	t.Run("a day and the TTL later", func(t *testing.T) {
		now = now.Add(24*time.Hour + uploads.DefaultUploadTTL + 2*time.Second)
		_, err := s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.NotFound, uploads.CodeOf(err))
	})
}

// A ticket that was signed before Config.Inspect was set can still be finished, without an inspection.
func TestFinishTicketSignedBeforeInspect(t *testing.T) {
	bucket := openMemory(t)
	config := uploads.Config{TokenKey: bytes.Repeat([]byte("k"), 16)}
	content := newPNG()
	before := newService(t, bucket, config)
	ticket, err := before.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	config.Inspect = func(context.Context, *uploads.File, *storage.ReaderAt) error {
		return &uploads.Error{Message: "No."}
	}
	s := newService(t, bucket, config)
	_, err = s.Sign(t.Context(), uploads.Request{}, uploads.User{})
	require.Equal(t, uploads.NotAllowed, uploads.CodeOf(err))

	f, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.EqualValues(t, len(content), f.Size)
}

// Another process can finish a ticket if it has the same TokenKey.
func TestFinishInOtherProcess(t *testing.T) {
	bucket := openMemory(t)
	config := uploads.Config{TokenKey: bytes.Repeat([]byte("k"), 16)}
	content := newPNG()
	signer := newService(t, bucket, config)
	ticket, err := signer.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	withRandomKey := newService(t, bucket, uploads.Config{})
	_, err = withRandomKey.Finish(t.Context(), ticket.Token, uploads.User{})
	require.Equal(t, uploads.NotFound, uploads.CodeOf(err))

	withSameKey := newService(t, bucket, config)
	_, err = withSameKey.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
}

// Sign refuses a request that breaks the rules, and any request if the bucket cannot sign.
func TestSignRefusesEarly(t *testing.T) {
	s := newService(t, openMemory(t), uploads.Config{Rules: rules.Rules{MinSize: 10, MaxSize: 100}, Key: keyOfUser})
	tests := []struct {
		name    string
		request uploads.Request
		user    uploads.User
		code    uploads.Code
	}{
		{name: "a size above the bound", request: uploads.Request{Size: 101}, user: user42, code: uploads.TooLarge},
		{name: "a size below the bound", request: uploads.Request{Size: 9}, user: user42, code: uploads.TooSmall},
		{
			name:    "a type that is not allowed",
			request: uploads.Request{Type: "text/html; charset=utf-8"},
			user:    user42,
			code:    uploads.TypeNotAllowed,
		},
		{name: "a value with a path", request: uploads.Request{}, user: uploads.User{ID: "../1"}, code: uploads.InvalidValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.request.Name = "x.png"
			_, err := s.Sign(t.Context(), tt.request, tt.user)
			require.Equal(t, tt.code, uploads.CodeOf(err))
		})
	}

	// A memory bucket without a base URL cannot sign.
	withoutBaseURL := newService(t, memstore.New(), uploads.Config{})
	_, err := withoutBaseURL.Sign(t.Context(), uploads.Request{}, uploads.User{})
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

	// A ticket without a size has a form, and one with a size has a URL for PUT.
	for _, size := range []int64{0, 100} {
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: size}, uploads.User{})
		require.NoError(t, err)

		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("signed", "ticket", *ticket)

		// The ticket as a value and as a pointer, and in a log.
		texts := []string{
			fmt.Sprint(ticket),
			fmt.Sprintf("%+v %#v", *ticket, *ticket),
			log.String(),
		}
		for _, text := range texts {
			require.NotContains(t, text, ticket.Token)
			require.Contains(t, text, "ticket for P") // POST or PUT
			require.NotContains(t, strings.ToLower(text), "signature=")
		}
	}
}
