//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/omnibucket/storage/uploads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func picture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))))
	return b.String()
}

// startService starts the service, and returns the service's address.
func startService(t *testing.T, address, dir string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	s, err := open(t.Context(), address, dir, origin)
	require.NoError(t, err)
	server.Config.Handler, err = s.handler()
	require.NoError(t, err)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, s.Close())
	})
	return origin
}

func send(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	answer, err := client.Do(r.WithContext(t.Context()))
	require.NoError(t, err)
	defer func() {
		_ = answer.Body.Close()
	}()
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(b)
}

func request(t *testing.T, method, address, contentType string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, address, body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", contentType)
	return r
}

func form(t *testing.T, address string, contents ...string) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, content := range contents {
		part, err := w.CreateFormFile("photo", "me.png")
		require.NoError(t, err)
		_, err = io.WriteString(part, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return request(t, http.MethodPost, address+"/uploads/", w.FormDataContentType(), &b)
}

func read(t *testing.T, text string, result any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), result), text)
}

// A form with two pictures stores both. Each is served at its own location until it is deleted.
func TestPicturesAreStoredShownAndDeleted(t *testing.T) {
	tests := []struct{ name, address, dir string }{
		{name: "directory", dir: t.TempDir()},
		{name: "memory", address: "mem://uploadservice-test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The response has the keys and locations of both pictures.
			origin := startService(t, tt.address, tt.dir)
			status, body := send(t, form(t, origin, picture(t), picture(t)))
			require.Equal(t, http.StatusCreated, status, body)
			var answer struct{ Files []uploads.File }
			read(t, body, &answer)
			require.Len(t, answer.Files, 2)

			for _, file := range answer.Files {
				require.Regexp(t, `^users/demo/\d{4}/\d{2}/[a-z2-7]{26}\.png$`, file.Key)
				status, body = send(t, request(t, http.MethodGet, file.Location, "", nil))
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, picture(t), body)

				// After its removal, it is not served any more.
				status, _ = send(t, request(t, http.MethodDelete, origin+"/uploads/"+file.Key, "", nil))
				require.Equal(t, http.StatusNoContent, status)
				status, _ = send(t, request(t, http.MethodGet, file.Location, "", nil))
				require.Equal(t, http.StatusNotFound, status)
			}
		})
	}
}

// With a ticket, a browser sends a picture straight to the store, and then finishes the upload.
func TestPictureGoesStraightToTheStore(t *testing.T) {
	origin := startService(t, "", t.TempDir())
	content := picture(t)

	// Ask for a ticket.
	status, body := send(t, request(t, http.MethodPost, origin+"/uploads/tickets", "application/json",
		strings.NewReader(`{"name": "me.png", "type": "image/png", "size": `+jsonOf(t, len(content))+`}`)))
	require.Equal(t, http.StatusCreated, status, body)
	var ticket uploads.Ticket
	read(t, body, &ticket)

	// Send the picture to the store.
	put, err := ticket.Put.Request(t.Context(), strings.NewReader(content))
	require.NoError(t, err)
	status, body = send(t, put)
	require.Equal(t, http.StatusOK, status, body)

	// Finish the upload.
	status, body = send(t, request(t, http.MethodPost, origin+"/uploads/tickets/finish", "application/json",
		strings.NewReader(`{"token": `+jsonOf(t, ticket.Token)+`}`)))
	require.Equal(t, http.StatusOK, status, body)
	var file uploads.File
	read(t, body, &file)

	// Read the picture.
	status, body = send(t, request(t, http.MethodGet, file.Location, "", nil))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, content, body)
}

// The page works in a real browser.
func TestPageInABrowser(t *testing.T) {
	dir := t.TempDir()
	pagetest.Landscapes(t, dir, "Lake at dawn.jpg", "Green valley.jpg", "Last light.jpg")
	pagetest.Run(t, "uploadservice", "testdata/flow.mjs", map[string]any{
		"flow":  "whole",
		"url":   startService(t, "", t.TempDir()),
		"files": dir,
	})
}

// TestPictures takes the pictures of the documentation if OMNIBUCKET_DRAW is set.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	pagetest.Landscapes(t, dir, "Lake at dawn.jpg", "Green valley.jpg", "Last light.jpg")
	pagetest.Run(t, "uploadservice", "testdata/flow.mjs", map[string]any{
		"flow":   "pictures",
		"name":   "pictures",
		"url":    startService(t, "", t.TempDir()),
		"files":  dir,
		"drawTo": pagetest.DrawTo(t),
	})
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// A refused request gets a sentence that the page can show.
func TestErrorsAreSentences(t *testing.T) {
	origin := startService(t, "", t.TempDir())
	crossSite := form(t, origin, picture(t))
	crossSite.Header.Set("Sec-Fetch-Site", "cross-site")
	tests := []struct {
		name       string
		request    *http.Request
		wantStatus int
		wantWords  string
	}{
		{
			name:       "web page in place of a picture",
			request:    form(t, origin, "<!doctype html><p>me"),
			wantStatus: http.StatusUnsupportedMediaType,
			wantWords:  "cannot be uploaded (it is text/html). Allowed: JPEG, PNG, GIF, WebP and AVIF.",
		},
		{
			name:       "form without a file",
			request:    form(t, origin),
			wantStatus: http.StatusBadRequest,
			wantWords:  "There is no file.",
		},
		{
			name:       "file of another user",
			request:    request(t, http.MethodDelete, origin+"/uploads/users/eva/2026/01/x.png", "", nil),
			wantStatus: http.StatusForbidden,
			wantWords:  "not yours",
		},
		{name: "form of another site", request: crossSite, wantStatus: http.StatusForbidden, wantWords: "cross-origin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := send(t, tt.request)
			require.Equal(t, tt.wantStatus, status)
			require.Contains(t, body, tt.wantWords)
		})
	}
}

// The page and its files are served with a policy by which scripts connect only to this server.
func TestPageIsServed(t *testing.T) {
	origin := startService(t, "", t.TempDir())
	for _, path := range []string{"/", "/app.js", "/shared/style.css"} {
		answer, err := client.Get(origin + path)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "connect-src 'self' "+origin)
	}
}

// The program prints its address, accepts a picture there, and ends without an error when its ctx ends. It runs without
// arguments, with a bucket and with a directory.
func TestRun(t *testing.T) {
	for _, args := range [][]string{{}, {"-bucket", "mem://run-test"}, {t.TempDir()}} {
		// Start the program, and read its output.
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w)
			_ = w.CloseWithError(io.EOF)
			done <- err
		}()

		// Wait until it has printed its address.
		var output bytes.Buffer
		buf := make([]byte, 1<<10)
		address := regexp.MustCompile(`Open (http://[^/]+)/`)
		for !address.Match(output.Bytes()) {
			n, err := r.Read(buf)
			output.Write(buf[:n])
			require.NoError(t, err, output.String())
		}
		origin := string(address.FindSubmatch(output.Bytes())[1])

		// Upload a picture, and end the program.
		status, body := send(t, form(t, origin, picture(t)))
		require.Equal(t, http.StatusCreated, status, body)
		cancel()
		require.NoError(t, <-done)
	}
}

// Invalid arguments are refused.
func TestInvalidCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"a", "b"},
		{"-bucket", "mem://x", "dir"},
		{"-bucket", "nowhere://x"},
		{"-addr", "nowhere"},
		{"-nonsense"},
	} {
		require.Error(t, run(t.Context(), args, io.Discard), args)
	}
}
