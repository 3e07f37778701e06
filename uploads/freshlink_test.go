package uploads_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// If a client completes an upload again after the first link has expired, it gets a new link.
func TestCompleteAgainReturnsFreshLink(t *testing.T) {
	for _, tt := range repeatableUploads {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSynctestSite(t, memstore.New(storage.WithSigningBaseURL("https://store.example")), uploads.Config{
					Link:       uploads.SignedLink,
					LinkTTL:    time.Minute,
					ProxyParts: true,
					Key:        "{user}/{random}{ext}",
				})
				// Send a file. completeAgain repeats the last request, and returns the link in the response.
				completeAgain := tt.complete(s)
				first := completeAgain()
				require.NotEmpty(t, first)

				// The link expires, and the client repeats the request.
				time.Sleep(time.Hour)
				second := completeAgain()
				require.NotEqual(t, first, second)

				// The new link is that of the file, whose key begins with the user.
				link, err := url.Parse(second)
				require.NoError(t, err)
				require.Contains(t, link.Path, "/alice/")
			})
		})
	}
}

// If Config.Stored sets the location of a file, a client that completes the upload again gets that location.
func TestCompleteAgainReturnsLocationOfApplication(t *testing.T) {
	setLocation := func(_ context.Context, f *uploads.File) error {
		f.Location = "https://app.example/" + f.Name
		return nil
	}
	for _, tt := range repeatableUploads {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSynctestSite(t, memstore.New(storage.WithSigningBaseURL("https://store.example")), uploads.Config{
					Link:       uploads.SignedLink,
					LinkTTL:    time.Minute,
					ProxyParts: true,
					Key:        "{user}/{random}{ext}",
					Stored:     setLocation,
				})
				// Send a file. completeAgain repeats the last request, and returns the location in the response.
				completeAgain := tt.complete(s)
				require.Equal(t, "https://app.example/file", completeAgain())
				require.Equal(t, "https://app.example/file", completeAgain(), "at the next request")
			})
		})
	}
}

// repeatableUploads are the ways of uploading whose last request may be repeated. completeAgain repeats that request,
// and returns the location in the response.
var repeatableUploads = []struct {
	name     string
	complete func(s *sessionSite) (completeAgain func() (location string))
}{
	{name: "S3 parts", complete: completePartRepeatably},
	{name: "S3, other parts", complete: completeOtherPartRepeatably},
	{name: "a ticket", complete: finishRepeatably},
	{name: "the draft", complete: sendDraftRepeatably},
}

// repeatableSize is the number of bytes of the files of repeatableUploads.
const repeatableSize = 100

func completePartRepeatably(s *sessionSite) (completeAgain func() string) {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, content(repeatableSize))
	return func() string {
		var result struct{ Location string }
		u.complete(part).json(s.t, &result)
		return result.Location
	}
}

// completeOtherPartRepeatably completes an upload. completeAgain lists another part, and its refusal has the location.
func completeOtherPartRepeatably(s *sessionSite) (completeAgain func() string) {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, content(repeatableSize))
	require.Equal(s.t, http.StatusOK, u.complete(part).StatusCode)
	return func() string {
		var refusal struct{ Location string }
		u.complete(sentPart{PartNumber: 1, ETag: "other"}).json(s.t, &refusal)
		return refusal.Location
	}
}

// finishRepeatably sends a file with a ticket. completeAgain calls Finish.
func finishRepeatably(s *sessionSite) (completeAgain func() string) {
	user := uploads.User{ID: alice}
	ticket, err := s.handler.Sign(s.t.Context(), uploads.Request{Size: repeatableSize, Name: "file"}, user)
	require.NoError(s.t, err)
	signedURL, err := url.Parse(ticket.Put.URL)
	require.NoError(s.t, err)
	_, err = s.bucket.Upload(s.t.Context(), signedURL.Path[1:], bytes.NewReader(content(repeatableSize)))
	require.NoError(s.t, err)
	return func() string {
		f, err := s.handler.Finish(s.t.Context(), ticket.Token, user)
		require.NoError(s.t, err)
		return f.Location
	}
}

// sendDraftRepeatably sends a file by the IETF draft of resumable uploads. completeAgain sends nothing at its end.
func sendDraftRepeatably(s *sessionSite) (completeAgain func() string) {
	data := content(repeatableSize)
	resp := s.draft("POST", "/tus/", bytes.NewReader(data))
	require.Equal(s.t, http.StatusOK, resp.StatusCode, string(resp.body))
	location := s.locationOf(resp, "/tus/")
	return func() string {
		var result struct{ Location string }
		s.draft("PATCH", location, http.NoBody, "Upload-Offset", size(data)).json(s.t, &result)
		return result.Location
	}
}
