package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
)

// calls has all operations of a client. Those that need an existing file use the file with this ID.
var calls = map[string]func(ctx context.Context, c *filesclient.Client, id string) error{
	"Upload": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.Upload(ctx, "a.txt", strings.NewReader("precious"), "")
		return err
	},
	"UploadTemp": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.UploadTemp(ctx, "a.txt", strings.NewReader("precious"))
		return err
	},
	"UploadPart": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.UploadPart(ctx, onePart, strings.NewReader("precious"))
		return err
	},
	"UploadTempPart": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.UploadTempPart(ctx, onePart, strings.NewReader("precious"))
		return err
	},
	"UploadLarge": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.UploadLarge(ctx, filesclient.LargeFile{Name: "a.txt", Body: strings.NewReader("precious"), Size: 8})
		return err
	},
	"Details": func(ctx context.Context, c *filesclient.Client, id string) error {
		_, err := c.Details(ctx, id)
		return err
	},
	"Delete": func(ctx context.Context, c *filesclient.Client, id string) error { return c.Delete(ctx, id) },
	"DeleteMany": func(ctx context.Context, c *filesclient.Client, id string) error {
		_, err := c.DeleteMany(ctx, []string{id})
		return err
	},
	"SetPurpose": func(ctx context.Context, c *filesclient.Client, id string) error {
		_, err := c.SetPurpose(ctx, id, "new")
		return err
	},
	"List": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.List(ctx, uploads.Filter{}, "", 0)
		return err
	},
	"Download": func(ctx context.Context, c *filesclient.Client, id string) error {
		return closed(c.Download(ctx, id, ""))
	},
	"Download of a range": func(ctx context.Context, c *filesclient.Client, id string) error {
		return closed(c.Download(ctx, id, "bytes=0-1"))
	},
	"Head": func(ctx context.Context, c *filesclient.Client, id string) error {
		return closed(c.Head(ctx, id))
	},
	"OpenAPI": func(ctx context.Context, c *filesclient.Client, _ string) error {
		_, err := c.OpenAPI(ctx)
		return err
	},
}

var onePart = filesclient.Part{Token: "token-1234", Count: 2, Part: 1, OriginalFileName: "a.txt"}

// closed closes the content that a call has returned, unless the call failed.
func closed(c *filesclient.Content, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// newClient returns a client of a handler that is not the file API.
func newClient(t *testing.T, h http.HandlerFunc) *filesclient.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := filesclient.New(server.URL, server.Client())
	require.NoError(t, err)
	return c
}

// Each method of the client fails if the response does not come from the file API, even if its
// status is a success. Such a response may be the sign-in page of a proxy.
func TestResponseOfOtherServerIsError(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		body        string
		status      int
	}{
		{name: "sign-in page", contentType: "text/html", body: "<html>Sign in", status: http.StatusOK},
		{name: "other JSON with status 200", contentType: "application/json", body: `{"error": "no"}`, status: http.StatusOK},
		{name: "other JSON with status 201", contentType: "application/json", body: `{"error": "no"}`, status: http.StatusCreated},
		{name: "other JSON with status 202", contentType: "application/json", body: `{"error": "no"}`, status: http.StatusAccepted},
		{name: "null", contentType: "application/json", body: `null`, status: http.StatusOK},
		{name: "no content", status: http.StatusOK},
		{name: "part of a page with status 206", contentType: "text/html", body: "<h", status: http.StatusPartialContent},
	}
	for _, tt := range tests {
		// Every request gets the response of a server that is not the file API.
		client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		})
		for name, call := range calls {
			t.Run(name+": "+tt.name, func(t *testing.T) {
				err := call(t.Context(), client, "1")
				var responseErr *filesclient.Error
				require.ErrorAs(t, err, &responseErr)
				require.Equal(t, tt.status, responseErr.Status)
				require.Equal(t, uploads.Internal, responseErr.Err.Code)
			})
		}
	}
}

// Delete fails if the server responds with a 2xx status that differs from the status of a deletion.
func TestDeleteNeedsItsStatus(t *testing.T) {
	client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})
	require.Error(t, client.Delete(t.Context(), "1"))
}

// UploadPart fails if the response is about a part that it has not sent.
func TestUploadPartNeedsResponseToThatPart(t *testing.T) {
	client := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"part": 2, "count": 2}`))
	})
	_, err := client.UploadPart(t.Context(), onePart, strings.NewReader("x"))
	require.Error(t, err)
}

// readCalls are the names of calls that change nothing, in addition to downloads.
var readCalls = []string{"Details", "List", "Head", "OpenAPI"}

// If the address of the server has moved, the client's methods that read follow the redirect.
// Methods that change something fail, because the redirect would turn their requests into GET
// requests.
func TestRedirectsKeepTheMethod(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther} {
		// A second address redirects to the server.
		s := newServer(t, nil)
		record, err := s.client.Upload(t.Context(), "a.txt", bytes.NewReader([]byte("precious")), "")
		require.NoError(t, err)
		moved := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, s.url+r.URL.RequestURI(), status)
		})

		for name, call := range calls {
			t.Run(http.StatusText(status)+": "+name, func(t *testing.T) {
				err := call(t.Context(), moved, record.ID)

				// A method succeeds if it only reads.
				isRead := slices.Contains(readCalls, name) || strings.HasPrefix(name, "Download")
				if isRead {
					require.NoError(t, err)
					return
				}

				// Any other method fails, and the file stays as it was.
				var respErr *filesclient.Error
				require.ErrorAs(t, err, &respErr)
				require.Equal(t, status, respErr.Status)
				s.requireFile(t, record, "a.txt", []byte("precious"))
			})
		}
	}
}

// The client follows redirects only if the CheckRedirect of the caller's http.Client agrees.
func TestRedirectsObeyCallersClient(t *testing.T) {
	s := newServer(t, nil)
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.url+r.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(moved.Close)
	errNoRedirects := errors.New("no redirects here")
	client, err := filesclient.New(moved.URL, &http.Client{
		Transport:     moved.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errNoRedirects },
	})
	require.NoError(t, err)

	_, err = client.List(t.Context(), uploads.Filter{}, "", 0)
	require.ErrorIs(t, err, errNoRedirects)
}

// New does not change the caller's http.Client.
func TestNewKeepsCallersClient(t *testing.T) {
	var callersClient http.Client
	_, err := filesclient.New("http://files.example", &callersClient)
	require.NoError(t, err)
	require.Nil(t, callersClient.CheckRedirect)
}

// The client follows at most ten redirects.
func TestRedirectsAreLimited(t *testing.T) {
	client := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	_, err := client.List(t.Context(), uploads.Filter{}, "", 0)
	require.ErrorContains(t, err, "10 redirects")
}

// Each method of the client that uploads refuses a nil reader.
func TestUploadRefusesNothing(t *testing.T) {
	passOn := func(int, http.ResponseWriter, *http.Request, http.Handler) bool { return false }
	s := newServer(t, passOn) // counts the requests
	methods := map[string]func(body io.Reader) error{
		"Upload": func(body io.Reader) error {
			_, err := s.client.Upload(t.Context(), "a", body, "")
			return err
		},
		"UploadTemp": func(body io.Reader) error {
			_, err := s.client.UploadTemp(t.Context(), "a", body)
			return err
		},
		"UploadPart": func(body io.Reader) error {
			_, err := s.client.UploadPart(t.Context(), onePart, body)
			return err
		},
		"UploadTempPart": func(body io.Reader) error {
			_, err := s.client.UploadTempPart(t.Context(), onePart, body)
			return err
		},
	}
	for name, upload := range methods {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, upload(nil), storage.InvalidArgument)
		})
	}
	require.Zero(t, s.requests, "no request may be sent")
}
